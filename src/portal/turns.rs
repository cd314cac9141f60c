//! Who may be verified now. A flood of forged frames must neither become a flood at the OAuth host nor keep honest people
//! waiting: few verifications run at once, nobody has more than a part of the places, and whose tokens are refused again
//! and again waits longer and longer.
//!
//! Behind one address, or a proxy that the settings do not name, stand honest people and whoever makes the flood. What is
//! left to tell them apart is the portal each of them names. It may be a lie, so it only decides in which queue he waits:
//! portals that we know have one each, and all names that we do not know share one.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::PortalError;

/// Verifications at once in this process.
const PLACES: usize = 16;
/// Of them for portals that we do not know: made-up names leave room for everybody's work.
const STRANGERS: usize = 8;
/// Of them for one caller, whatever portals he names.
const OF_CALLER: usize = 8;
/// Of them for one caller and portal: a hotel's whole staff may stand behind one address, and a verification takes a moment.
const OF_CLAIM: usize = 4;
/// Longer than this nobody waits for a page.
const PATIENCE: Duration = Duration::from_secs(10);

/// A refusal costs this much time; who owes more than [`CREDIT_MS`] of it is not asked about.
const REFUSAL_MS: i64 = 2_000;
const CREDIT_MS: i64 = 60_000;
/// Remembered at once.
const KEPT: usize = 10_000;

/// Who asks, as far as anybody can tell.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Claim {
    /// `None`: our own work, and callers whom nobody can tell apart.
    caller: Option<IpAddr>,
    /// The portal he names, if we know it.
    portal: Option<String>,
}

impl Claim {
    pub fn new(from: Option<IpAddr>, portal: Option<String>) -> Self {
        Self { caller: from.map(caller), portal }
    }
}

pub(super) struct Turns {
    places: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    of_callers: Shares<IpAddr>,
    of_claims: Shares<Claim>,
    /// Until when each one's refusals count (ms).
    debts: Mutex<HashMap<Claim, i64>>,
    patience: Duration,
}

/// A place, given back when dropped.
pub(super) struct Turn {
    _permits: Vec<OwnedSemaphorePermit>,
}

/// The same number of places for each.
struct Shares<K> {
    each: usize,
    held: Mutex<HashMap<K, Arc<Semaphore>>>,
}

impl<K: Clone + Eq + std::hash::Hash> Shares<K> {
    fn new(each: usize) -> Self {
        Self { each, held: Mutex::default() }
    }

    fn of(&self, key: &K) -> Arc<Semaphore> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= KEPT {
            held.retain(|_, places| Arc::strong_count(places) > 1);
        }
        held.entry(key.clone()).or_insert_with(|| Arc::new(Semaphore::new(self.each))).clone()
    }
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(PLACES)),
            strangers: Arc::new(Semaphore::new(STRANGERS)),
            of_callers: Shares::new(OF_CALLER),
            of_claims: Shares::new(OF_CLAIM),
            debts: Mutex::default(),
            patience: PATIENCE,
        }
    }
}

/// One caller: an address, or the network that one customer of an IPv6 provider is given.
fn caller(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

impl Turns {
    /// Waits for a place, not for long.
    pub async fn take(&self, claim: &Claim, now: i64) -> Result<Turn, PortalError> {
        if self.owes(claim, now) > CREDIT_MS {
            return Err(PortalError::TooMany);
        }
        // From the narrowest on: who waits holds nothing that another queue needs.
        let mut queues = vec![self.of_claims.of(claim)];
        queues.extend(claim.caller.map(|caller| self.of_callers.of(&caller)));
        queues.extend(claim.portal.is_none().then(|| self.strangers.clone()));
        queues.push(self.places.clone());
        let all = async {
            let mut permits = Vec::with_capacity(queues.len());
            for queue in queues {
                let ended = |_| PortalError::Internal("verification has ended".into());
                permits.push(queue.acquire_owned().await.map_err(ended)?);
            }
            Ok(Turn { _permits: permits })
        };
        // Real time: it is people who wait.
        tokio::time::timeout(self.patience, all)
            .await
            .unwrap_or_else(|_| Err(PortalError::Unreachable("too many are being verified".into())))
    }

    fn owes(&self, claim: &Claim, now: i64) -> i64 {
        let debts = self.debts.lock().unwrap_or_else(PoisonError::into_inner);
        debts.get(claim).map_or(0, |until| until.saturating_sub(now))
    }

    /// The OAuth host refused what was presented.
    pub fn refused(&self, claim: &Claim, now: i64) {
        if claim.caller.is_none() {
            return; // it may be everybody's debt
        }
        let mut debts = self.debts.lock().unwrap_or_else(PoisonError::into_inner);
        if debts.len() >= KEPT {
            debts.retain(|_, until| *until > now);
        }
        if debts.len() < KEPT || debts.contains_key(claim) {
            let until = debts.entry(claim.clone()).or_insert(now);
            *until = (*until).max(now).saturating_add(REFUSAL_MS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(from: Option<&str>, portal: Option<&str>) -> Claim {
        Claim::new(from.map(|text| text.parse().expect("an address")), portal.map(str::to_owned))
    }

    fn hasty() -> Turns {
        Turns { patience: Duration::from_millis(20), ..Turns::default() }
    }

    /// Everybody who names this gets in until somebody has to wait; how many did.
    async fn flood(turns: &Turns, held: &mut Vec<Turn>, mut claims: impl Iterator<Item = Claim>) -> usize {
        let before = held.len();
        while let Some(claim) = claims.next()
            && let Ok(turn) = turns.take(&claim, 0).await
        {
            held.push(turn);
        }
        held.len() - before
    }

    #[tokio::test]
    async fn s3_one_caller_s_flood_leaves_places_for_the_others() {
        let (turns, mut held) = (hasty(), vec![]);
        let known = |n: usize| Some(format!("hotel-{n}"));
        let address = |text: &str| text.parse().ok();
        let one = (0..).map(|n| Claim::new(address("203.0.113.1"), known(n)));
        assert_eq!(flood(&turns, &mut held, one).await, OF_CALLER, "whatever portals he names");
        assert!(turns.take(&claim(Some("203.0.113.2"), None), 0).await.is_ok());
        assert!(turns.take(&claim(None, None), 0).await.is_ok());
        // Addresses of one customer's network are one caller.
        let network = (0..).map(|n| Claim::new(address(&format!("2001:db8:1:2::{n}")), None));
        assert_eq!(flood(&turns, &mut held, network).await, OF_CLAIM);
        assert!(turns.take(&claim(Some("2001:db8:1:2:ffff::"), None), 0).await.is_err());
        assert!(turns.take(&claim(Some("2001:db8:1:3::1"), None), 0).await.is_ok());
        held.clear();
        assert!(turns.take(&claim(Some("203.0.113.1"), None), 0).await.is_ok());
    }

    #[tokio::test]
    async fn s3_a_flood_from_one_s_own_address_leaves_places_for_him() {
        // One that is everybody's, and one that nobody can tell.
        for from in [Some("203.0.113.1"), None] {
            let (turns, mut held) = (hasty(), vec![]);
            let made_up = std::iter::repeat_with(|| claim(from, None));
            assert_eq!(flood(&turns, &mut held, made_up).await, OF_CLAIM, "made-up names are one");
            let of_hotel = std::iter::repeat_with(|| claim(from, Some("hotel")));
            assert_eq!(flood(&turns, &mut held, of_hotel.take(1)).await, 1, "{from:?}");
            assert_eq!(flood(&turns, &mut held, std::iter::repeat_with(|| claim(from, Some("hotel")))).await, 3);
            // Elsewhere, likewise; and all of them together are bounded.
            let elsewhere = (2..9).map(|n| claim(Some(&format!("203.0.113.{n}")), None));
            assert_eq!(flood(&turns, &mut held, elsewhere).await, STRANGERS - OF_CLAIM);
            let many = (0..99).map(|n| claim(None, Some(&format!("other-{n}"))));
            assert_eq!(flood(&turns, &mut held, many).await, PLACES - STRANGERS - OF_CLAIM);
            assert_eq!(held.len(), PLACES);
        }
    }

    #[tokio::test]
    async fn s3_a_caller_who_is_refused_again_and_again_is_asked_about_no_more_for_a_while() {
        let turns = Turns::default();
        let now = 1_000_000;
        let guesser = claim(Some("203.0.113.1"), None);
        for _ in 0..30 {
            assert!(turns.take(&guesser, now).await.is_ok());
            turns.refused(&guesser, now);
        }
        turns.refused(&guesser, now);
        assert!(matches!(turns.take(&guesser, now).await, Err(PortalError::TooMany)));
        for other in [claim(Some("203.0.113.2"), None), claim(Some("203.0.113.1"), Some("hotel"))] {
            assert!(turns.take(&other, now).await.is_ok(), "nobody else pays for it");
        }
        assert!(turns.take(&guesser, now + REFUSAL_MS).await.is_ok(), "one try every two seconds remains");
    }
}
