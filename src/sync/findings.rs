//! What a read found wrong: with the PMS as a whole (notes of the source), with single records (problems).

use std::collections::HashSet;

use serde_json::json;

use super::engine::Engine;
use super::error::SyncError;
use crate::crypto::TenantKey;
use crate::domain::{HotelId, PortalId, ProfileNumber, StayNumber, Subject};
use crate::fidelio::{RecordKind, Unread};
use crate::store::problems::{self, NewProblem};
use crate::store::sources::Notes;

/// What happens once is shown this long after it, so that somebody sees it.
const SHOWN_MS: i64 = 24 * 3_600_000;
/// Findings that happen once; the others hold until a read no longer has them.
const ONCE: [&str; 1] = ["pms_time_back"];
/// Problems one read raises at most: a hotel whose every record is unreadable has one problem, not thousands.
const RAISED: usize = 50;

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

fn subject(hotel: HotelId, kind: RecordKind, number: &str) -> String {
    let subject = match kind {
        RecordKind::Stay => StayNumber::parse(number).ok().map(|number| Subject::Stay(hotel, number)),
        RecordKind::Profile => ProfileNumber::parse(number).ok().map(|number| Subject::Profile(hotel, number)),
    };
    subject.map_or_else(|| format!("hotel:{hotel}"), |subject| subject.to_string())
}

impl Engine {
    /// Records that could not be understood, each a problem of its own the first time it is met.
    pub(super) async fn unread(
        &self,
        portal: PortalId,
        key: &TenantKey,
        hotel: HotelId,
        unread: &[Unread],
    ) -> Result<(), SyncError> {
        if unread.is_empty() {
            return Ok(());
        }
        let deps = &self.0.deps;
        let known = problems::subjects(&deps.db, portal, hotel, "pms.unreadable").await?;
        let mut known: HashSet<String> = known.into_iter().collect();
        let room = RAISED.saturating_sub(known.len());
        let mut raised = Vec::new();
        for record in unread {
            let subject = subject(hotel, record.kind, &record.number);
            if raised.len() < room && known.insert(subject.clone()) {
                raised.push(NewProblem {
                    hotel: Some(hotel),
                    subject,
                    cause: "pms.unreadable".to_owned(),
                    kind: "failed",
                    params: json!({"why": record.why}),
                });
            }
        }
        if raised.is_empty() {
            return Ok(());
        }
        let tx = deps.db.begin().await?;
        problems::raise(&tx, portal, key, &raised, deps.clock.now_ms()).await?;
        tx.commit().await?;
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
}
