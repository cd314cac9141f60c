//! Who may be verified now. A flood of forged frames must neither become a flood at the OAuth host nor keep honest people
//! waiting: few verifications run at once, no caller has more than a part of the places, and one whose tokens are refused
//! again and again waits longer and longer.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::PortalError;

/// Verifications at once in this process.
const PLACES: usize = 16;
/// Of them for one caller: a hotel's whole staff may stand behind one address, and a verification takes a moment.
const OWN_PLACES: usize = 4;
/// Longer than this nobody waits for a page.
const PATIENCE: Duration = Duration::from_secs(10);

/// A refusal costs this much time; a caller who owes more than [`CREDIT_MS`] of it is not asked about.
const REFUSAL_MS: i64 = 2_000;
const CREDIT_MS: i64 = 60_000;
/// Callers remembered at once.
const KEPT: usize = 10_000;

pub(super) struct Turns {
    places: Semaphore,
    own: Mutex<HashMap<IpAddr, Arc<Semaphore>>>,
    /// Until when each caller's refusals count (ms).
    debts: Mutex<HashMap<IpAddr, i64>>,
    patience: Duration,
}

/// A place, given back when dropped.
pub(super) struct Turn<'a> {
    _place: SemaphorePermit<'a>,
    _own: Option<OwnedSemaphorePermit>,
}

impl Default for Turns {
    fn default() -> Self {
        Self { places: Semaphore::new(PLACES), own: Mutex::default(), debts: Mutex::default(), patience: PATIENCE }
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
    /// Waits for a place, not for long. `from`: `None` for our own work, and for callers whom nobody can tell apart.
    pub async fn take(&self, from: Option<IpAddr>, now: i64) -> Result<Turn<'_>, PortalError> {
        let from = from.map(caller);
        if from.is_some_and(|caller| self.owes(caller, now) > CREDIT_MS) {
            return Err(PortalError::TooMany);
        }
        let ended = |_| PortalError::Internal("verification has ended".into());
        let both = async {
            let own = match from {
                Some(caller) => Some(self.own_places(caller).acquire_owned().await.map_err(ended)?),
                None => None,
            };
            Ok(Turn { _place: self.places.acquire().await.map_err(ended)?, _own: own })
        };
        // Real time: it is people who wait.
        tokio::time::timeout(self.patience, both)
            .await
            .unwrap_or_else(|_| Err(PortalError::Unreachable("too many are being verified".into())))
    }

    fn own_places(&self, caller: IpAddr) -> Arc<Semaphore> {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if own.len() >= KEPT {
            own.retain(|_, places| Arc::strong_count(places) > 1);
        }
        own.entry(caller).or_insert_with(|| Arc::new(Semaphore::new(OWN_PLACES))).clone()
    }

    fn owes(&self, caller: IpAddr, now: i64) -> i64 {
        let debts = self.debts.lock().unwrap_or_else(PoisonError::into_inner);
        debts.get(&caller).map_or(0, |until| until.saturating_sub(now))
    }

    /// The OAuth host refused what this caller presented.
    pub fn refused(&self, from: Option<IpAddr>, now: i64) {
        let Some(caller) = from.map(caller) else { return };
        let mut debts = self.debts.lock().unwrap_or_else(PoisonError::into_inner);
        if debts.len() >= KEPT {
            debts.retain(|_, until| *until > now);
        }
        if debts.len() < KEPT || debts.contains_key(&caller) {
            let until = debts.entry(caller).or_insert(now);
            *until = (*until).max(now).saturating_add(REFUSAL_MS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    #[tokio::test]
    async fn s3_one_caller_s_flood_leaves_places_for_the_others() {
        let turns = Turns { patience: Duration::from_millis(20), ..Turns::default() };
        let mut held = vec![];
        for _ in 0..OWN_PLACES {
            held.push(turns.take(ip("203.0.113.1"), 0).await.expect("a place"));
        }
        assert!(matches!(turns.take(ip("203.0.113.1"), 0).await, Err(PortalError::Unreachable(_))), "he waits");
        assert!(turns.take(ip("203.0.113.2"), 0).await.is_ok() && turns.take(None, 0).await.is_ok());
        // Addresses of one customer's network are one caller.
        for n in 1..=OWN_PLACES {
            held.push(turns.take(ip(&format!("2001:db8:1:2::{n}")), 0).await.expect("a place"));
        }
        assert!(turns.take(ip("2001:db8:1:2:ffff::"), 0).await.is_err());
        assert!(turns.take(ip("2001:db8:1:3::1"), 0).await.is_ok());
        held.clear();
        assert!(turns.take(ip("203.0.113.1"), 0).await.is_ok());
    }

    #[tokio::test]
    async fn s3_a_caller_who_is_refused_again_and_again_is_asked_about_no_more_for_a_while() {
        let turns = Turns::default();
        let now = 1_000_000;
        for _ in 0..30 {
            assert!(turns.take(ip("203.0.113.1"), now).await.is_ok());
            turns.refused(ip("203.0.113.1"), now);
        }
        turns.refused(ip("203.0.113.1"), now);
        assert!(matches!(turns.take(ip("203.0.113.1"), now).await, Err(PortalError::TooMany)));
        assert!(turns.take(ip("203.0.113.2"), now).await.is_ok(), "nobody else pays for it");
        assert!(turns.take(ip("203.0.113.1"), now + REFUSAL_MS).await.is_ok(), "one try every two seconds remains");
    }
}
