//! What one change makes of what is held: pure, so that replays and repeats come to the same end.

use std::cmp::Ordering;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use super::change::Observed;
use super::profile::Profile;
use super::status::{StayStatus, Transition};
use super::stay::Stay;

/// A read of the hotel takes no longer.
const OVERTAKEN_WITHIN: TimeDelta = TimeDelta::minutes(20);

/// Facts as stored, and when they were seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Held<T> {
    pub facts: T,
    pub pms_time: Option<NaiveDateTime>,
    pub received_at: DateTime<Utc>,
}

/// How a change came to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    Live,
    Import,
    /// What the hotel says now was compared with what is held.
    Reconciled,
    /// A person looked into Fidelio and says that it is so.
    Confirmed,
    /// It came and was decided before, and is gone through once more; `last`: it is the very word that is held.
    Replay {
        last: bool,
    },
    /// It could not be decided when it came, and nothing that came after it was.
    Belated,
}

/// A status that the hotel's day does not know from where the stay is (product §1: refused and recorded).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusedStep {
    pub from: StayStatus,
    pub to: StayStatus,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Verdict<T> {
    /// Something newer is held already.
    Stale,
    Takes {
        facts: T,
        refused: Option<RefusedStep>,
    },
}

/// Whether `observed` is older than what is held.
///
/// A poll is the truth of the moment it was received, whatever the PMS's own (unreliable) clock says. An import reads
/// long ranges: what it hands over may have been overtaken, so the PMS's stamp of the record counts as well. A
/// reconciliation may have been overtaken too, but not by what was heard long before it: then the PMS went back to an
/// older backup.
fn is_stale(
    pms_time: Option<NaiveDateTime>,
    received_at: DateTime<Utc>,
    observed: &Observed,
    reading: Reading,
) -> bool {
    let stamped = observed.pms_time.zip(pms_time).map(|(new, old)| new.cmp(&old));
    let stamped_before = stamped == Some(Ordering::Less);
    match (reading, observed.received_at.cmp(&received_at)) {
        // Clocks and stamps had their say when it came, and by now others may be held.
        (Reading::Replay { last }, _) => !last,
        // Whatever speaks for its being older counts.
        (Reading::Belated, Ordering::Less) => true,
        (Reading::Belated, Ordering::Equal) => stamped != Some(Ordering::Greater),
        (Reading::Belated, Ordering::Greater) => stamped_before,
        // The clocks of two nodes differ, the PMS has one.
        (_, Ordering::Less) => stamped != Some(Ordering::Greater),
        (_, Ordering::Equal) => stamped_before,
        (Reading::Live | Reading::Confirmed, Ordering::Greater) => false,
        (Reading::Import, Ordering::Greater) => stamped_before,
        (Reading::Reconciled, Ordering::Greater) => {
            stamped_before && observed.received_at - received_at < OVERTAKEN_WITHIN
        }
    }
}

pub fn decide_stay(held: Option<&Held<Stay>>, change: Stay, observed: &Observed, reading: Reading) -> Verdict<Stay> {
    let Some(held) = held else { return Verdict::Takes { facts: change, refused: None } };
    if is_stale(held.pms_time, held.received_at, observed, reading) {
        return Verdict::Stale;
    }
    let from = held.facts.status.get().copied();
    let mut facts = held.facts.clone();
    facts.merge(change);
    let refused = match (from, facts.status.get().copied()) {
        (Some(from), Some(to)) if reading != Reading::Confirmed && from.step(to) == Transition::Refused => {
            Some(RefusedStep { from, to })
        }
        _ => None,
    };
    if let Some(step) = refused {
        facts.status = super::known::Known::Is(step.from);
    }
    Verdict::Takes { facts, refused }
}

pub fn decide_profile(
    held: Option<&Held<Profile>>,
    change: Profile,
    observed: &Observed,
    reading: Reading,
) -> Verdict<Profile> {
    let Some(held) = held else { return Verdict::Takes { facts: change, refused: None } };
    if is_stale(held.pms_time, held.received_at, observed, reading) {
        return Verdict::Stale;
    }
    let mut facts = held.facts.clone();
    facts.merge(change);
    Verdict::Takes { facts, refused: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Known, StayNumber};
    use chrono::TimeZone;
    use proptest::prelude::*;

    fn stay(status: StayStatus, room: Option<&str>) -> Stay {
        let mut stay = Stay::new(StayNumber::parse("1").unwrap());
        stay.status = Known::Is(status);
        stay.room = room.map_or(Known::Absent, |room| Known::Is(room.to_owned()));
        stay
    }

    fn seen(pms: u32, received: i64) -> Observed {
        Observed {
            source: "suite8_xml".into(),
            pms_time: chrono::NaiveDate::from_ymd_opt(2026, 1, 1).unwrap().and_hms_opt(1, 0, pms),
            received_at: Utc.timestamp_opt(received, 0).unwrap(),
        }
    }

    fn held(stay: Stay, observed: &Observed) -> Held<Stay> {
        Held { facts: stay, pms_time: observed.pms_time, received_at: observed.received_at }
    }

    #[test]
    fn s1_an_older_imported_value_never_overwrites_a_newer_live_one() {
        let live = held(stay(StayStatus::InHouse, None), &seen(30, 100));
        let imported = stay(StayStatus::Confirmed, None);
        assert_eq!(decide_stay(Some(&live), imported.clone(), &seen(10, 120), Reading::Import), Verdict::Stale);
        assert!(matches!(
            decide_stay(Some(&live), imported.clone(), &seen(40, 120), Reading::Import),
            Verdict::Takes { .. }
        ));
        // The PMS was set back: the poll is right, its clock is not.
        assert!(matches!(decide_stay(Some(&live), imported, &seen(10, 120), Reading::Live), Verdict::Takes { .. }));
    }

    #[test]
    fn s1_a_reconciliation_takes_what_an_older_backup_says_but_not_what_was_overtaken_meanwhile() {
        let live = held(stay(StayStatus::InHouse, None), &seen(30, 100));
        let restored = stay(StayStatus::Confirmed, None);
        let told = |received| decide_stay(Some(&live), restored.clone(), &seen(10, received), Reading::Reconciled);
        assert_eq!(told(120), Verdict::Stale, "a poll came while the window was read");
        assert!(matches!(told(100 + 3_600), Verdict::Takes { .. }), "it is so since long");
    }

    #[test]
    fn s1_a_belated_word_counts_only_if_every_clock_calls_it_newer() {
        let now = held(stay(StayStatus::Confirmed, Some("1")), &seen(10, 100));
        let takes = |pms, received| {
            let late = stay(StayStatus::Confirmed, Some("2"));
            decide_stay(Some(&now), late, &seen(pms, received), Reading::Belated) != Verdict::Stale
        };
        let told = [takes(11, 101), takes(10, 101), takes(11, 100), takes(10, 100), takes(9, 101), takes(11, 99)];
        assert_eq!(told, [true, true, true, false, false, false]);
    }

    #[test]
    fn s1_a_node_whose_clock_is_ahead_hides_no_change_that_another_reads_later() {
        let ahead = held(stay(StayStatus::Confirmed, None), &seen(10, 105));
        let next = stay(StayStatus::InHouse, None);
        assert!(matches!(
            decide_stay(Some(&ahead), next.clone(), &seen(12, 102), Reading::Live),
            Verdict::Takes { .. }
        ));
        assert_eq!(decide_stay(Some(&ahead), next.clone(), &seen(10, 102), Reading::Live), Verdict::Stale);
        assert_eq!(decide_stay(Some(&ahead), next, &seen(9, 102), Reading::Live), Verdict::Stale);
    }

    #[test]
    fn s1_a_refused_step_keeps_the_status_and_takes_the_rest() {
        let before = held(stay(StayStatus::CheckedOut, None), &seen(0, 1));
        let verdict = decide_stay(Some(&before), stay(StayStatus::Confirmed, Some("101")), &seen(1, 2), Reading::Live);
        let Verdict::Takes { facts, refused } = verdict else { panic!("{verdict:?}") };
        assert_eq!(facts.status, Known::Is(StayStatus::CheckedOut));
        assert_eq!(facts.room, Known::Is("101".to_owned()));
        assert_eq!(refused, Some(RefusedStep { from: StayStatus::CheckedOut, to: StayStatus::Confirmed }));
        let said = decide_stay(Some(&before), stay(StayStatus::Confirmed, None), &seen(0, 3), Reading::Confirmed);
        let Verdict::Takes { facts, refused: None } = said else { panic!("{said:?}") };
        assert_eq!(facts.status, Known::Is(StayStatus::Confirmed), "a person says that it is so");
    }

    /// What came, in this order: when received, how stamped, whether by an import, and what it said.
    type Came = Vec<(i64, u32, bool, u32)>;

    /// What is held, and which of what came said it last.
    fn lived(came: &Came) -> (Held<Stay>, usize) {
        let mut state: Option<(Held<Stay>, usize)> = None;
        for (at, (received, pms, import, room)) in came.iter().enumerate() {
            let (observed, reading) = (seen(*pms, *received), if *import { Reading::Import } else { Reading::Live });
            let change = stay(StayStatus::Confirmed, Some(&room.to_string()));
            let before = state.as_ref().map(|(held, _)| held);
            if let Verdict::Takes { facts, .. } = decide_stay(before, change, &observed, reading) {
                state = Some((held(facts, &observed), at));
            }
        }
        state.unwrap()
    }

    proptest! {
        /// Clocks of nodes, stamps and imports in whatever disorder: what was held stays held, whichever of what came is
        /// gone through again, in whatever order and however often.
        #[test]
        fn s1_a_replay_never_puts_an_older_value_over_a_newer_one(
            came in prop::collection::vec((0_i64..5, 0_u32..5, any::<bool>(), 0_u32..4), 1..8),
            again in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let (before, last) = lived(&came);
            let mut state = before.clone();
            for index in again {
                let at = index.index(came.len());
                let (received, pms, _, room) = came[at];
                let change = stay(StayStatus::Confirmed, Some(&room.to_string()));
                let reading = Reading::Replay { last: came[at] == came[last] };
                let observed = seen(pms, received);
                if let Verdict::Takes { facts, .. } = decide_stay(Some(&state), change, &observed, reading) {
                    state = held(facts, &observed);
                }
            }
            prop_assert_eq!(state, before);
        }

        /// In whatever order and however often reads arrive, the last one received is what is held.
        #[test]
        fn s1_order_and_repeats_do_not_matter(order in Just((0_u32..6).collect::<Vec<_>>()).prop_shuffle(), again in 0_usize..6) {
            let mut state: Option<Held<Stay>> = None;
            let repeats = order.iter().chain(order.iter().skip(again));
            for at in repeats {
                let observed = seen(*at, i64::from(*at));
                let change = stay(StayStatus::Confirmed, Some(&format!("{at}")));
                if let Verdict::Takes { facts, .. } = decide_stay(state.as_ref(), change, &observed, Reading::Live) {
                    state = Some(held(facts, &observed));
                }
            }
            prop_assert_eq!(state.unwrap().facts.room, Known::Is("5".to_owned()));
        }
    }
}
