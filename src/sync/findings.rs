//! What a read found wrong: with the PMS as a whole (notes of the source), with single records (problems).

use std::collections::HashSet;

use serde_json::json;

use super::engine::Engine;
use super::error::SyncError;
use super::intake::{Intake, subject_of};
use crate::crypto::TenantKey;
use crate::domain::{Change, HotelId, PortalId, ProfileNumber, StayNumber, Subject};
use crate::fidelio::{RecordKind, Unread};
use crate::store::problems::{self, NewProblem};
use crate::store::source_reading::Notes;
use crate::store::{StoreError, Tx};

/// What happens once is shown this long after it, so that somebody sees it.
const SHOWN_MS: i64 = 24 * 3_600_000;
/// Findings that happen once; the others hold until a read no longer has them.
const ONCE: [&str; 1] = ["pms_time_back"];
/// So many records that were not understood are named one by one by one read; what is above is one problem.
const RAISED: usize = 50;

const UNREADABLE: &str = "pms.unreadable";
const MANY: &str = "pms.unreadable_many";

/// The notes after a read: when each that still holds began.
pub(super) fn notes(known: &Notes, found: &[String], now: i64) -> Notes {
    let past = known.iter().filter(|(code, at)| ONCE.contains(&code.as_str()) && now - **at < SHOWN_MS);
    let mut notes: Notes = past.map(|(code, at)| (code.clone(), *at)).collect();
    for code in found {
        let since = known.get(code).copied().filter(|_| !ONCE.contains(&code.as_str())).unwrap_or(now);
        notes.insert(code.clone(), since);
    }
    notes
}

fn whole(hotel: HotelId) -> String {
    format!("hotel:{hotel}")
}

fn named(hotel: HotelId, record: &Unread) -> String {
    let number = record.number.as_str();
    let subject = match record.kind {
        RecordKind::Stay => StayNumber::parse(number).ok().map(|number| Subject::Stay(hotel, number)),
        RecordKind::Profile => ProfileNumber::parse(number).ok().map(|number| Subject::Profile(hotel, number)),
    };
    subject.map_or_else(|| whole(hotel), |subject| subject.to_string())
}

/// Adds to `known` the records that one read names, and answers their problems: each of its own, and one for the rest.
fn problems_of(hotel: HotelId, unread: &[Unread], known: &mut HashSet<String>) -> Vec<NewProblem> {
    let problem = |subject, cause: &str, params| NewProblem {
        hotel: Some(hotel),
        subject,
        cause: cause.to_owned(),
        kind: "doubtful",
        params,
    };
    let mut rest: HashSet<String> = HashSet::new();
    let mut raised = Vec::new();
    for record in unread {
        let subject = named(hotel, record);
        if known.contains(&subject) {
            continue;
        }
        if raised.len() < RAISED {
            known.insert(subject.clone());
            raised.push(problem(subject, UNREADABLE, json!({"why": record.why})));
        } else {
            rest.insert(subject);
        }
    }
    if !rest.is_empty() {
        raised.push(problem(whole(hotel), MANY, json!({"count": rest.len()})));
    }
    raised
}

impl Engine {
    /// Tells of records that could not be understood.
    pub(super) async fn unread(
        &self,
        portal: PortalId,
        key: &TenantKey,
        hotel: HotelId,
        unread: &[Unread],
    ) -> Result<(), SyncError> {
        let deps = &self.0.deps;
        let known = problems::subjects(&deps.db, portal, hotel, UNREADABLE).await?;
        let mut known: HashSet<String> = known.into_iter().collect();
        let raised = problems_of(hotel, unread, &mut known);
        // A read without news says nothing of the rest: that is over with the last of those that were named.
        let whole = whole(hotel);
        let over = known.iter().all(|subject| *subject == whole)
            && !problems::subjects(&deps.db, portal, hotel, MANY).await?.is_empty();
        if raised.is_empty() && !over {
            return Ok(());
        }
        let tx = deps.db.begin().await?;
        problems::raise(&tx, portal, key, &raised, deps.clock.now_ms()).await?;
        if over {
            problems::over(&tx, portal, &whole, MANY).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

impl Intake<'_> {
    /// Records among these that were told as not understood; what was told is asked once a read.
    pub(super) async fn understood(&mut self, changes: &[Change]) -> Result<Vec<String>, StoreError> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let unread = match self.unread.take() {
            Some(unread) => unread,
            None => problems::subjects(self.db, self.portal, self.hotel, UNREADABLE).await?.into_iter().collect(),
        };
        let unread: &HashSet<String> = self.unread.insert(unread);
        if unread.is_empty() {
            return Ok(Vec::new());
        }
        let subjects = changes.iter().map(|change| subject_of(self.hotel, change).to_string());
        Ok(subjects.filter(|subject| unread.contains(subject)).collect())
    }
}

/// A record that is read and understood is no problem any more, whether or not anything in it is news.
pub(super) async fn over(tx: &Tx, portal: PortalId, understood: &[String]) -> Result<(), StoreError> {
    for subject in understood {
        problems::over(tx, portal, subject, UNREADABLE).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_a_note_keeps_its_beginning_and_an_event_its_day() {
        let found = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect::<Vec<_>>();
        let first = notes(&Notes::new(), &found(&["no_delta", "pms_time_back"]), 1_000);
        assert_eq!(first, Notes::from([("no_delta".into(), 1_000), ("pms_time_back".into(), 1_000)]));
        let second = notes(&first, &found(&["no_delta"]), 2_000);
        assert_eq!(second, first, "what holds began when it began; what happened is still shown");
        let third = notes(&second, &found(&["pms_time_back"]), 3_000);
        assert_eq!(third, Notes::from([("pms_time_back".into(), 3_000)]), "it happened again; the other is over");
        assert_eq!(notes(&third, &[], 3_000 + SHOWN_MS), Notes::new());
    }

    #[test]
    fn s1_fifty_unreadable_records_of_a_read_are_named_and_the_rest_counted() {
        let unread = |numbers: std::ops::Range<usize>| -> Vec<Unread> {
            let record = |n: usize| Unread { kind: RecordKind::Stay, number: n.to_string(), why: "x".into() };
            numbers.map(record).collect()
        };
        let mut known = HashSet::new();
        let first = problems_of(HotelId(7), &unread(1..121), &mut known);
        assert_eq!((first.len(), known.len()), (RAISED + 1, RAISED));
        assert_eq!((first[0].subject.as_str(), first[0].cause.as_str()), ("stay:7:1", UNREADABLE));
        let rest = &first[RAISED];
        assert_eq!(
            (rest.subject.as_str(), rest.cause.as_str(), &rest.params),
            ("hotel:7", MANY, &json!({"count": 70}))
        );
        let next = problems_of(HotelId(7), &unread(40..61), &mut known);
        assert_eq!(next.len(), 10, "who was named is not named again, whoever comes later is");
    }
}
