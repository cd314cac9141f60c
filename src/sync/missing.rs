//! Stays that the PMS no longer knows. A deleted reservation shows in no change (facts Suite 8 §6), so those that matter
//! soon are looked for by number from time to time, a lot with each poll, so that none of them takes long and a read that
//! fails loses no more than its lot. What is not there twice is told to people; nothing else is done.

use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Unbounded};

use chrono::Days;
use serde_json::json;

use super::engine::Engine;
use super::error::SyncError;
use super::intake::Intake;
use super::lease::HeldLease;
use super::strangers::Guarded;
use crate::bitrix::Priority;
use crate::crypto::TenantKey;
use crate::domain::{HotelId, StayNumber, Subject};
use crate::fidelio::{Read, Source};
use crate::store::problems::{self, NewProblem};
use crate::store::source_reading::{self, Look, Recheck};
use crate::store::sources::SourceRow;
use crate::store::stays;

/// Numbers that one poll looks for.
const LOT: usize = 200;
/// How often they are looked for.
const EVERY_MS: i64 = 6 * 3_600_000;
/// The second look at what was not there, so much later at least: the hotel may be working on it.
const AGAIN_MS: i64 = 60_000;
/// After a look that failed.
const LATER_MS: i64 = 600_000;
/// Arrivals of so many days ahead matter soon.
const AHEAD_DAYS: u64 = 14;
/// So many at once are no deleted bookings: another property answers, or a backup was restored.
const SINGLE: usize = 20;

pub(super) const MISSING: &str = "pms.missing";
const MANY: &str = "pms.missing_many";

fn whole(hotel: HotelId) -> String {
    format!("hotel:{hotel}")
}

fn named(hotel: HotelId, number: &str) -> Option<String> {
    StayNumber::parse(number).ok().map(|number| Subject::Stay(hotel, number).to_string())
}

/// What a look has come to after a lot.
struct Step {
    next: Recheck,
    /// At its end: those that were not there twice.
    gone: Option<Vec<String>>,
}

/// `absent`: those of the lot that were not there.
fn step(look: Look, lot: &[String], absent: Vec<String>, now: i64) -> Step {
    let on = |at, look| Step { next: Recheck { at, look }, gone: None };
    let over = |gone| Step { next: Recheck { at: now + EVERY_MS, look: Look::default() }, gone: Some(gone) };
    match look {
        Look::First { absent: mut held, .. } => {
            held.extend(absent);
            match lot.last() {
                Some(last) if lot.len() >= LOT => on(now, Look::First { after: last.clone(), absent: held }),
                _ if held.is_empty() => over(Vec::new()),
                _ => on(now + AGAIN_MS, Look::Again { absent: held, gone: Vec::new() }),
            }
        }
        Look::Again { absent: mut held, mut gone } => {
            gone.extend(absent);
            let rest = held.split_off(lot.len().min(held.len()));
            if rest.is_empty() { over(gone) } else { on(now, Look::Again { absent: rest, gone }) }
        }
    }
}

impl Engine {
    /// Looks for the next lot of known stays when it is time; the hotel's lease is held.
    pub(super) async fn look_for_known(
        &self,
        row: &SourceRow,
        key: &TenantKey,
        lease: &HeldLease,
        reader: &dyn Source,
    ) -> Result<(), SyncError> {
        let deps = &self.0.deps;
        let now = deps.clock.now_ms();
        if now < row.recheck.at {
            return Ok(());
        }
        let reported = problems::subjects(&deps.db, row.portal, row.hotel, MISSING).await?;
        let lot: Vec<String> = match &row.recheck.look {
            Look::First { after, .. } => self.known(row, &reported, after).await?,
            Look::Again { absent, .. } => absent.iter().take(LOT).cloned().collect(),
        };
        let numbers: Vec<StayNumber> = lot.iter().filter_map(|number| StayNumber::parse(number).ok()).collect();
        let mut absent = Vec::new();
        if !numbers.is_empty() {
            let mut intake = Intake::new(deps, lease, key, row.portal, row.hotel, Priority::Live);
            // What is there is taken in like any other news: a change that went unnoticed is found here too.
            let what = Read::Stays { numbers };
            match self.read_guarded(reader, &what, &row.state, &mut intake).await? {
                Guarded::Strangers => return Ok(()),
                Guarded::Read(Ok(report)) => {
                    self.unread(row.portal, key, row.hotel, &report).await?;
                    absent = report.missing;
                }
                Guarded::Read(Err(error)) => {
                    tracing::warn!(portal = %row.portal, hotel = %row.hotel, %error, "known stays could not be looked for");
                    let look = row.recheck.look.clone();
                    let next = Recheck { at: now + LATER_MS, look };
                    return self.looked_for(row, key, &[], &Step { next, gone: None }).await;
                }
            }
        }
        let is_absent: BTreeSet<&str> = absent.iter().map(String::as_str).collect();
        let back: Vec<String> = lot
            .iter()
            .filter(|number| !is_absent.contains(number.as_str()))
            .filter_map(|number| named(row.hotel, number))
            .filter(|subject| reported.contains(subject))
            .collect();
        absent.retain(|number| named(row.hotel, number).is_some_and(|subject| !reported.contains(&subject)));
        let step = step(row.recheck.look.clone(), &lot, absent, now);
        self.looked_for(row, key, &back, &step).await
    }

    /// The next lot of open stays of the near future, of whoever is in house, and of what was reported missing before.
    async fn known(&self, row: &SourceRow, reported: &[String], after: &str) -> Result<Vec<String>, SyncError> {
        let deps = &self.0.deps;
        let zone: chrono_tz::Tz = row.site.timezone.parse().unwrap_or(chrono_tz::UTC);
        let today = deps.clock.now().with_timezone(&zone).date_naive();
        // A day of doubt for the business date.
        let (from, to) =
            (today.pred_opt().unwrap_or(today), today.checked_add_days(Days::new(AHEAD_DAYS)).unwrap_or(today));
        let mut numbers: BTreeSet<String> =
            stays::open(&deps.db, row.portal, row.hotel, (from, to)).await?.into_iter().collect();
        numbers.extend(reported.iter().filter_map(|subject| match subject.parse() {
            Ok(Subject::Stay(_, number)) => Some(number.to_string()),
            _ => None,
        }));
        Ok(numbers.range::<str, _>((Excluded(after), Unbounded)).take(LOT).cloned().collect())
    }

    async fn looked_for(
        &self,
        row: &SourceRow,
        key: &TenantKey,
        back: &[String],
        step: &Step,
    ) -> Result<(), SyncError> {
        let deps = &self.0.deps;
        let tx = deps.db.begin().await?;
        if !source_reading::rechecked(&tx, row.portal, row.id, row.version, &step.next).await? {
            return Ok(());
        }
        for subject in back {
            problems::over(&tx, row.portal, subject, MISSING).await?;
        }
        if let Some(gone) = &step.gone {
            if gone.len() <= SINGLE {
                problems::over(&tx, row.portal, &whole(row.hotel), MANY).await?;
            }
            problems::raise(&tx, row.portal, key, &problems_of(row.hotel, gone), deps.clock.now_ms()).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// One problem a stay, or one for all where so many are gone that single ones would say nothing.
pub(super) fn problems_of(hotel: HotelId, absent: &[String]) -> Vec<NewProblem> {
    if absent.len() > SINGLE {
        return vec![NewProblem {
            hotel: Some(hotel),
            subject: whole(hotel),
            cause: MANY.to_owned(),
            kind: "doubtful",
            params: json!({"count": absent.len()}),
        }];
    }
    let problem = |subject| NewProblem {
        hotel: Some(hotel),
        subject,
        cause: MISSING.to_owned(),
        kind: "doubtful",
        params: json!({}),
    };
    absent.iter().filter_map(|number| named(hotel, number)).map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_a_few_missing_stays_are_named_and_many_are_one_problem() {
        let numbers = |count: usize| (1..=count).map(|n| n.to_string()).collect::<Vec<_>>();
        let few = problems_of(HotelId(7), &numbers(2));
        let told: Vec<_> = few.iter().map(|p| (p.subject.as_str(), p.cause.as_str())).collect();
        assert_eq!(told, [("stay:7:1", "pms.missing"), ("stay:7:2", "pms.missing")]);
        let many = problems_of(HotelId(7), &numbers(SINGLE + 1));
        assert_eq!(many.len(), 1);
        assert_eq!((many[0].cause.as_str(), &many[0].params), ("pms.missing_many", &json!({"count": SINGLE + 1})));
    }

    #[test]
    fn s1_a_look_goes_from_lot_to_lot_and_asks_twice() {
        let numbers = |range: std::ops::Range<usize>| range.map(|n| format!("{n:04}")).collect::<Vec<_>>();
        let first = step(Look::default(), &numbers(0..LOT), numbers(0..2), 5);
        assert_eq!(first.next, Recheck { at: 5, look: Look::First { after: "0199".into(), absent: numbers(0..2) } });
        let second = step(first.next.look, &numbers(LOT..LOT + 9), numbers(LOT..LOT + 1), 6);
        let absent = [numbers(0..2), numbers(LOT..LOT + 1)].concat();
        assert_eq!(
            second.next,
            Recheck { at: 6 + AGAIN_MS, look: Look::Again { absent: absent.clone(), gone: vec![] } }
        );
        assert!(second.gone.is_none());
        let again = step(second.next.look, &absent, numbers(1..2), 7);
        assert_eq!(
            (again.next, again.gone),
            (Recheck { at: 7 + EVERY_MS, look: Look::default() }, Some(numbers(1..2)))
        );
        let all = Look::Again { absent: numbers(0..LOT + 1), gone: vec![] };
        let more = step(all, &numbers(0..LOT), numbers(0..LOT), 8);
        assert_eq!(more.next.look, Look::Again { absent: numbers(LOT..LOT + 1), gone: numbers(0..LOT) });
        assert!(step(Look::default(), &[], vec![], 9).gone.is_some_and(|gone| gone.is_empty()));
    }
}
