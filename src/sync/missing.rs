//! Stays that the PMS no longer knows. A deleted reservation shows in no change (facts Suite 8 §6), so those that matter
//! soon are looked for by number from time to time. What is not there twice is told to people; nothing else is done.

use std::collections::BTreeSet;

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
use crate::store::sources::{self, Recheck, SourceRow};
use crate::store::stays;

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

const MISSING: &str = "pms.missing";
const MANY: &str = "pms.missing_many";

fn whole(hotel: HotelId) -> String {
    format!("hotel:{hotel}")
}

fn named(hotel: HotelId, number: &str) -> Option<String> {
    StayNumber::parse(number).ok().map(|number| Subject::Stay(hotel, number).to_string())
}

impl Engine {
    /// Looks for known stays when it is time; the hotel's lease is held.
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
        let again = !row.recheck.absent.is_empty();
        let reported = problems::subjects(&deps.db, row.portal, row.hotel, MISSING).await?;
        let numbers = if again { row.recheck.absent.clone() } else { self.known(row, &reported).await? };
        let mut intake = Intake::new(deps, lease, key, row.portal, row.hotel, Priority::Live);
        let numbers: Vec<StayNumber> = numbers.iter().filter_map(|number| StayNumber::parse(number).ok()).collect();
        let mut absent = Vec::new();
        if !numbers.is_empty() {
            // What is there is taken in like any other news: a change that went unnoticed is found here too.
            let what = Read::Stays { numbers: numbers.clone() };
            match self.read_guarded(reader, &what, &row.state, &mut intake).await? {
                Guarded::Strangers => return Ok(()),
                Guarded::Read(Ok(report)) => absent = report.missing,
                Guarded::Read(Err(error)) => {
                    tracing::warn!(portal = %row.portal, hotel = %row.hotel, %error, "known stays could not be looked for");
                    self.look_later(row, now + LATER_MS).await?;
                    return Ok(());
                }
            }
        }
        let is_absent: BTreeSet<&str> = absent.iter().map(String::as_str).collect();
        let back: Vec<String> = numbers
            .iter()
            .filter(|number| !is_absent.contains(number.as_str()))
            .filter_map(|number| named(row.hotel, number.as_str()))
            .filter(|subject| reported.contains(subject))
            .collect();
        absent.retain(|number| named(row.hotel, number).is_some_and(|subject| !reported.contains(&subject)));
        if again || absent.is_empty() {
            let problems = problems_of(row.hotel, &absent);
            let next = Recheck { at: now + EVERY_MS, absent: Vec::new() };
            self.recheck(row, key, &back, &problems, next).await?;
        } else {
            self.recheck(row, key, &back, &[], Recheck { at: now + AGAIN_MS, absent }).await?;
        }
        Ok(())
    }

    /// Open stays of the near future and whoever is in house, and what was reported missing before.
    async fn known(&self, row: &SourceRow, reported: &[String]) -> Result<Vec<String>, SyncError> {
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
        Ok(numbers.into_iter().collect())
    }

    async fn look_later(&self, row: &SourceRow, at: i64) -> Result<(), SyncError> {
        let tx = self.0.deps.db.begin().await?;
        let next = Recheck { at, absent: row.recheck.absent.clone() };
        sources::rechecked(&tx, row.portal, row.id, row.version, &next).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn recheck(
        &self,
        row: &SourceRow,
        key: &TenantKey,
        back: &[String],
        problems: &[NewProblem],
        next: Recheck,
    ) -> Result<(), SyncError> {
        let deps = &self.0.deps;
        let tx = deps.db.begin().await?;
        if !sources::rechecked(&tx, row.portal, row.id, row.version, &next).await? {
            return Ok(());
        }
        for subject in back {
            problems::over(&tx, row.portal, subject, MISSING).await?;
        }
        if next.absent.is_empty() && problems.is_empty() {
            problems::over(&tx, row.portal, &whole(row.hotel), MANY).await?;
        }
        problems::raise(&tx, row.portal, key, problems, deps.clock.now_ms()).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// One problem a stay, or one for all where so many are gone that single ones would say nothing.
fn problems_of(hotel: HotelId, absent: &[String]) -> Vec<NewProblem> {
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
}
