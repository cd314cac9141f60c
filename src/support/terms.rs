//! What holds for one request: its desk's rules, its customer's, and what its clocks say by them.

use std::collections::BTreeSet;

use super::content::Content;
use super::outgoing::{News, Outgoing, Tell};
use super::settings::Rules;
use super::{Desk, DeskError, at};
use crate::domain::PortalId;
use crate::domain::support::clock::{Reading, Standing};
use crate::domain::support::clocks::Readings;
use crate::domain::support::{Calendar, Clocks, Kind};
use crate::store::StoreError;
use crate::store::desk::outbox::{Channel, NewRow};
use crate::store::desk::requests::RequestRow;

/// The names by which people know the three clocks.
pub(super) const FIRST_ANSWER: &str = "first_answer";
pub(super) const NEXT_UPDATE: &str = "next_update";
pub(super) const SOLUTION: &str = "solution";

pub(super) struct Terms {
    pub rules: Rules,
    /// Of the customer's portal.
    pub member: Option<String>,
    pub domain: Option<String>,
    calendar: Calendar,
}

impl Terms {
    pub fn readings(&self, kind: Kind, clocks: &Clocks, now: i64) -> Readings {
        let promise = self.rules.promise(kind, self.member.as_deref());
        clocks.read(&self.calendar, promise, self.rules.sla.warn_percent(), at(now))
    }

    pub fn deadline(&self, kind: Kind, clocks: &Clocks, now: i64) -> Option<chrono::DateTime<chrono::Utc>> {
        self.readings(kind, clocks, now).solution.deadline
    }

    /// Told the desk, in the request's task.
    pub fn note(&self, about: News) -> Outgoing {
        Outgoing::Note { about, zone: self.rules.settings.zone.clone() }
    }

    /// What was told of clocks and still holds, and when they must be looked at again.
    pub fn watch(&self, row: &mut RequestRow, now: i64) {
        let readings = self.readings(row.kind, &row.clocks, now);
        let mut told: BTreeSet<String> =
            row.told.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        let mut next: Option<i64> = None;
        for (name, reading) in named(&readings) {
            let (warned, breached) = (format!("{name}:warned"), format!("{name}:breached"));
            // A clock that began anew has told nothing yet.
            if !reading.breached {
                told.remove(&breached);
            }
            if reading.warn_at.is_none_or(|warn| at(now) < warn) {
                told.remove(&warned);
            }
            if reading.standing != Standing::Running {
                continue;
            }
            let warn = reading.warn_at.filter(|_| !told.contains(&warned)).map(|at| at.timestamp_millis());
            let end = reading.deadline.filter(|_| !told.contains(&breached));
            // What ends exactly then is in time.
            let end = end.map(|at| at.timestamp_millis().saturating_add(1));
            next = [next, warn, end].into_iter().flatten().min();
        }
        let silence = row.silence.as_ref().and_then(|silence| silence.next(self.rules.settings.auto_close.as_ref()));
        next = next.into_iter().chain(silence.map(|(at, _)| at.timestamp_millis())).min();
        row.told = told.into_iter().collect::<Vec<_>>().join(",");
        row.look_at = next;
    }
}

pub(super) fn named(readings: &Readings) -> Vec<(&'static str, Reading)> {
    let mut all = vec![(FIRST_ANSWER, readings.first_answer), (SOLUTION, readings.solution)];
    all.extend(readings.next_update.map(|reading| (NEXT_UPDATE, reading)));
    all
}

impl Desk {
    pub(super) async fn terms(&self, desk: PortalId, customer: Option<PortalId>) -> Result<Terms, DeskError> {
        let rules = self.rules(desk).await?;
        let portal = match customer {
            Some(customer) => match self.0.directory.get(customer).await {
                Ok(portal) => Some(portal),
                // Uninstalled since: its requests go on.
                Err(crate::portal::PortalError::Unknown) => None,
                Err(error) => return Err(error.into()),
            },
            None => None,
        };
        let member = portal.as_ref().map(|portal| portal.member_id.clone());
        let calendar = rules.calendar(member.as_deref());
        Ok(Terms { rules, member, domain: portal.map(|portal| portal.domain), calendar })
    }

    /// The same for tasks and cards of every tracker; not where it came from.
    pub(super) fn to_trackers(
        &self,
        (desk, customer): (PortalId, Option<PortalId>),
        what: &[Outgoing],
        via: Option<Channel>,
    ) -> Result<Vec<NewRow>, StoreError> {
        let settings = &self.0.config.support;
        let on = |tracker: &str| settings.tracker.iter().any(|named| named == tracker);
        let mut rows = Vec::new();
        for outgoing in what {
            if on("bitrix24") && via != Some(Channel::Task) {
                rows.push(outgoing.row(Channel::Task, desk)?);
            }
            if on("kaiten") && via != Some(Channel::Kaiten) {
                rows.push(outgoing.row(Channel::Kaiten, PortalId(0))?);
            }
            if let Some(customer) = customer.filter(|customer| settings.mirror && *customer != desk)
                && via != Some(Channel::Mirror)
                && !outgoing.is_internal()
            {
                rows.push(outgoing.row(Channel::Mirror, customer)?);
            }
        }
        Ok(rows)
    }

    /// Tells the submitter, by the ways he has left.
    pub(super) fn to_submitter(
        &self,
        row: &RequestRow,
        content: &Content,
        news: &News,
    ) -> Result<Vec<NewRow>, StoreError> {
        let mut rows = Vec::new();
        let tell = |user, email: Option<&str>| {
            Outgoing::Tell(Tell {
                user,
                email: email.map(str::to_owned),
                lang: row.language.clone(),
                subject: content.subject.clone(),
                letter: content.letter.clone(),
                news: news.clone(),
            })
        };
        let email = content.email.trim();
        // Who reported it inside his portal has just read its number there.
        let told_already = matches!(news, News::Registered { .. });
        if let (Some(user), Some(customer), false) = (row.submitter, row.customer, told_already) {
            rows.push(tell(Some(user), None).row(Channel::Notice, customer)?);
        }
        if !email.is_empty() && !self.0.config.mail.smtp_url.trim().is_empty() {
            rows.push(tell(None, Some(email)).row(Channel::Mail, PortalId(0))?);
        }
        Ok(rows)
    }
}
