//! What a read found wrong: with the PMS as a whole (notes of the source), with single records (problems).

use std::collections::{BTreeSet, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::engine::Engine;
use super::error::SyncError;
use super::intake::{Intake, subject_of};
use crate::crypto::TenantKey;
use crate::domain::{Change, HotelId, PortalId, ProfileNumber, StayNumber, Subject};
use crate::fidelio::{ReadReport, RecordKind, Unread};
use crate::store::problems::{self, NewProblem};
use crate::store::source_reading::Notes;
use crate::store::{StoreError, Tx, Via};

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

/// Records that were not understood and are not named one by one: their one problem is over with the last of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
struct Rest {
    count: usize,
    subjects: BTreeSet<String>,
    /// Those that not even a read's report names: that they are mended shows nowhere.
    #[serde(skip_serializing_if = "is_none")]
    unnamed: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

/// What people are shown of a problem's parameters: a list of hundreds of numbers says nothing.
pub(super) fn shown(mut params: serde_json::Value) -> serde_json::Value {
    if let Some(params) = params.as_object_mut() {
        params.shift_remove("subjects");
    }
    params
}

impl Rest {
    fn of(params: serde_json::Value) -> Self {
        serde_json::from_value(params).unwrap_or_default()
    }

    fn is_empty(&self) -> bool {
        self.subjects.is_empty() && self.unnamed == 0
    }

    /// Whether it holds something that `before` did not.
    fn grew(&self, before: &Self) -> bool {
        self.unnamed > before.unnamed || !self.subjects.is_subset(&before.subjects)
    }

    fn params(mut self) -> serde_json::Value {
        self.count = self.subjects.len() + self.unnamed;
        json!(self)
    }
}

/// Adds to `known` the records that one read names, each with a problem of its own, and to `rest` those above.
fn problems_of(hotel: HotelId, report: &ReadReport, known: &mut HashSet<String>, rest: &mut Rest) -> Vec<NewProblem> {
    let whole = whole(hotel);
    let mut raised = Vec::new();
    for record in &report.unreadable {
        let subject = named(hotel, record);
        if known.contains(&subject) {
            continue;
        }
        if raised.len() < RAISED || subject == whole {
            known.insert(subject.clone());
            rest.subjects.remove(&subject);
            raised.push(problem(hotel, subject, UNREADABLE, json!({"why": record.why})));
        } else {
            rest.subjects.insert(subject);
        }
    }
    // The same ones are met by every read: nobody can tell them apart from others.
    rest.unnamed = rest.unnamed.max(report.unnamed);
    raised
}

fn problem(hotel: HotelId, subject: String, cause: &str, params: serde_json::Value) -> NewProblem {
    NewProblem { hotel: Some(hotel), subject, cause: cause.to_owned(), kind: "doubtful", params }
}

/// What is known of the rest; nothing where somebody asked for another try.
async fn rest_of(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    key: &TenantKey,
    hotel: HotelId,
) -> Result<Option<(i64, Rest)>, StoreError> {
    let known = problems::of_cause(via, portal, key, &whole(hotel), MANY).await?;
    Ok(known.filter(|problem| problem.state != "retried").map(|problem| (problem.id, Rest::of(problem.params))))
}

/// Writes down what is left of the rest; nothing new, so whoever dismissed it is not told again.
async fn keep_rest(tx: &Tx, portal: PortalId, key: &TenantKey, id: i64, rest: Rest) -> Result<(), StoreError> {
    if rest.is_empty() {
        problems::end(tx, portal, id).await
    } else {
        problems::revise(tx, portal, key, id, &rest.params()).await
    }
}

impl Engine {
    /// Tells of records that could not be understood.
    pub(super) async fn unread(
        &self,
        portal: PortalId,
        key: &TenantKey,
        hotel: HotelId,
        report: &ReadReport,
    ) -> Result<(), SyncError> {
        if report.unreadable.is_empty() {
            return Ok(());
        }
        let deps = &self.0.deps;
        let known = problems::subjects(&deps.db, portal, hotel, UNREADABLE).await?;
        let mut known: HashSet<String> = known.into_iter().collect();
        let (id, before) = rest_of(&deps.db, portal, key, hotel).await?.unzip();
        let before: Rest = before.unwrap_or_default();
        let mut rest = before.clone();
        let mut raised = problems_of(hotel, report, &mut known, &mut rest);
        let fewer = id.filter(|_| rest != before && !rest.grew(&before));
        if rest.grew(&before) {
            raised.push(problem(hotel, whole(hotel), MANY, rest.clone().params()));
        }
        if raised.is_empty() && fewer.is_none() {
            return Ok(());
        }
        let tx = deps.db.begin().await?;
        problems::raise(&tx, portal, key, &raised, deps.clock.now_ms()).await?;
        if let Some(id) = fewer {
            keep_rest(&tx, portal, key, id, rest).await?;
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
            None => {
                let named = problems::subjects(self.db, self.portal, self.hotel, UNREADABLE).await?;
                let rest = rest_of(self.db, self.portal, &self.key, self.hotel).await?;
                named.into_iter().chain(rest.into_iter().flat_map(|(_, rest)| rest.subjects)).collect()
            }
        };
        let unread: &HashSet<String> = self.unread.insert(unread);
        if unread.is_empty() {
            return Ok(Vec::new());
        }
        let subjects = changes.iter().map(|change| subject_of(self.hotel, change).to_string());
        Ok(subjects.filter(|subject| unread.contains(subject)).collect())
    }

    /// A record that is read and understood is no problem any more, whether or not anything in it is news.
    pub(super) async fn over(&self, tx: &Tx, understood: &[String]) -> Result<(), StoreError> {
        if understood.is_empty() {
            return Ok(());
        }
        problems::over_all(tx, self.portal, understood, UNREADABLE).await?;
        if let Some((id, mut rest)) = rest_of(tx, self.portal, &self.key, self.hotel).await? {
            let before = rest.subjects.len();
            rest.subjects.retain(|subject| !understood.contains(subject));
            if rest.subjects.len() < before {
                keep_rest(tx, self.portal, &self.key, id, rest).await?;
            }
        }
        Ok(())
    }
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
        let unread = |numbers: std::ops::Range<usize>, unnamed| {
            let record = |n: usize| Unread { kind: RecordKind::Stay, number: n.to_string(), why: "x".into() };
            ReadReport { unreadable: numbers.map(record).collect(), unnamed, ..ReadReport::default() }
        };
        let (mut known, mut rest) = (HashSet::new(), Rest::default());
        let mut first = unread(1..121, 3);
        first.unreadable.push(Unread { kind: RecordKind::Stay, number: String::new(), why: "x".into() });
        let first = problems_of(HotelId(7), &first, &mut known, &mut rest);
        assert_eq!((first.len(), known.len(), rest.subjects.len()), (RAISED + 1, RAISED + 1, 70));
        assert_eq!((first[0].subject.as_str(), first[0].cause.as_str()), ("stay:7:1", UNREADABLE));
        assert_eq!(first[RAISED].subject, "hotel:7", "one without a number stands for all of its kind");
        assert_eq!(rest.clone().params()["count"], 73);
        let before = rest.clone();
        let next = problems_of(HotelId(7), &unread(40..61, 0), &mut known, &mut rest);
        assert_eq!(next.len(), 10, "who was named is not named again, whoever comes later is");
        assert_eq!((rest.subjects.len(), rest.grew(&before)), (60, false), "and is counted no more");
        problems_of(HotelId(7), &unread(0..0, 3), &mut known, &mut rest);
        assert_eq!((rest.unnamed, rest.grew(&before)), (3, false), "the same three, read again");
        rest.subjects.clear();
        assert!(!rest.is_empty(), "three are not known by any number");
    }
}
