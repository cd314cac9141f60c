//! User fields, placements and event bindings: what is missing is made, what points elsewhere is taken away.

use super::plan::{self, EVENTS, FIELDS, PLACEMENTS, Placement, TASK_EVENTS, TASK_PLACEMENTS};
use super::survey::Survey;
use super::{Halt, Work};
use crate::bitrix::events::ONOFFLINEEVENT;
use crate::bitrix::{Call, Class, Priority, setup};
use crate::store::event_feed;

/// Making a field is slow on a large portal (facts §7.7), and a request may take a minute.
const FIELDS_AT_ONCE: usize = 10;

impl Work<'_> {
    /// Whether any was missing.
    pub(super) async fn fields(&mut self, survey: &Survey) -> Result<bool, Halt> {
        let missing: Vec<Call> = FIELDS
            .iter()
            .zip(0..)
            .filter(|(field, _)| !survey.has_field(field))
            .map(|(field, place)| field.creation(place))
            .collect();
        for some in missing.chunks(FIELDS_AT_ONCE) {
            self.carry_out(some).await?;
        }
        Ok(!missing.is_empty())
    }

    pub(super) async fn placements(&mut self, survey: &Survey) -> Result<(), Halt> {
        let mut calls = Vec::new();
        let tasks = if self.has_tasks(survey) { TASK_PLACEMENTS } else { &[] };
        let own = |placement: &'static Placement| (placement, plan::handler(&self.public_url(), placement.path));
        let wanted: Vec<(&Placement, String)> = PLACEMENTS.iter().chain(tasks).map(own).collect();
        for (code, handler) in &survey.placements {
            if !wanted.iter().any(|(own, address)| own.code == code && address == handler) {
                calls.push(setup::placement_unbind(code, handler));
            }
        }
        for (placement, handler) in wanted {
            if survey.placements.iter().any(|(code, own)| code == placement.code && *own == handler) {
                continue;
            }
            calls.push(setup::placement_bind(placement.code, &handler, placement.ru, placement.en));
        }
        self.carry_out(&calls).await
    }

    /// It is the support portal, and requests' tasks are in our reach there.
    fn has_tasks(&self, survey: &Survey) -> bool {
        self.desk && survey.scopes.iter().any(|scope| scope == plan::TASK_SCOPE)
    }

    pub(super) async fn events(&mut self, survey: &Survey) -> Result<(), Halt> {
        let handler = plan::handler(&self.public_url(), plan::EVENTS_PATH);
        let tasks = if self.has_tasks(survey) { TASK_EVENTS } else { &[] };
        let wanted = || EVENTS.iter().chain(tasks).copied().chain(survey.can_queue.then_some(ONOFFLINEEVENT));
        let mut calls = Vec::new();
        for (event, own) in &survey.events {
            if *own != handler || !wanted().any(|wanted| wanted == event) {
                calls.push(setup::event_unbind(event, own));
            }
        }
        let mut twice = std::collections::BTreeSet::new();
        for (event, own) in &survey.events {
            if *own == handler && !twice.insert(event.clone()) {
                tracing::warn!(portal = self.portal.0, event, "an event is bound twice");
            }
        }
        let mut anew = !self.at_work;
        for event in wanted() {
            if !survey.events.iter().any(|(bound, own)| bound == event && *own == handler) {
                anew = true;
                calls.push(match event {
                    ONOFFLINEEVENT => setup::event_bind_queue(&handler, plan::QUEUE_SECONDS),
                    _ => setup::event_bind(event, &handler),
                });
            }
        }
        if !calls.is_empty() {
            // An old box may not know one of them; the others are bound all the same.
            let results = self.client.batch(Priority::Person, &calls).await?;
            for (call, result) in calls.iter().zip(results) {
                let Err(error) = result else { continue };
                let event = call.params.get("event").and_then(|event| event.as_str()).unwrap_or_default();
                match error.code() {
                    "error_event_not_found" => self.report.lack("event", event, false),
                    _ if already(&error) => {}
                    _ if error.class == Class::Permanent => {
                        self.report.lack("event", format!("{event}: {}", error.code()), event.starts_with("ONCRM"));
                    }
                    _ => return Err(error.into()),
                }
            }
        }
        let queue = self.queue(survey).await?;
        Ok(event_feed::bound(self.directory.db(), self.portal, queue, anew, self.now()).await?)
    }

    /// Whether the portal keeps events of records for us. Where its plan has no queue, or has lost it, everything goes on
    /// by events and looks at what changed.
    async fn queue(&self, survey: &Survey) -> Result<bool, Halt> {
        let bound = |event: &str| survey.queued.iter().any(|queued| queued == event);
        let calls: Vec<Call> = match survey.can_queue {
            true => plan::queued().filter(|event| !bound(event)).map(setup::event_queue).collect(),
            // What nobody reads any more must not pile up.
            false => plan::queued().filter(|event| bound(event)).map(setup::event_unqueue).collect(),
        };
        let mut kept = survey.can_queue && plan::queued().any(bound);
        if calls.is_empty() {
            return Ok(kept);
        }
        for (call, result) in calls.iter().zip(self.client.batch(Priority::Person, &calls).await?) {
            match result {
                Err(error) if error.class != Class::Permanent => return Err(error.into()),
                Err(error) if !already(&error) => {
                    tracing::warn!(portal = self.portal.0, event = %call.params, %error, "the portal's queue refuses an event");
                }
                _ => kept |= survey.can_queue,
            }
        }
        Ok(kept)
    }

    /// Carries out commands that the portal takes once: one that stands already is as good as made.
    pub(super) async fn carry_out(&mut self, calls: &[Call]) -> Result<(), Halt> {
        if calls.is_empty() {
            return Ok(());
        }
        let results = self.client.batch(Priority::Person, calls).await?;
        let mut failed = None;
        for (call, result) in calls.iter().zip(results) {
            match result {
                Ok(_) => {}
                Err(error) if error.class != Class::Permanent => return Err(error.into()),
                Err(error) if already(&error) || call.method == "crm.status.delete" => {}
                Err(error) => {
                    let name = ["FIELD_NAME", "STATUS_ID"]
                        .iter()
                        .find_map(|key| call.params.get("fields")?.get(key)?.as_str())
                        .or_else(|| call.params.get("PLACEMENT")?.as_str())
                        .unwrap_or_default();
                    let what = format!("{} {name}: {} {}", call.method, error.code(), error.description());
                    tracing::warn!(portal = self.portal.0, what, "the portal refused a part of the set-up");
                    failed.get_or_insert((call.method.clone(), what));
                }
            }
        }
        match failed {
            None => Ok(()),
            Some((method, what)) => {
                let step = match method.as_str() {
                    "placement.bind" | "placement.unbind" => "placements",
                    "crm.status.add" | "crm.status.update" => "stages",
                    _ => "fields",
                };
                Err(Halt::Failed(step, what))
            }
        }
    }
}

/// Made meanwhile, by an earlier try whose answer was lost.
fn already(error: &crate::bitrix::Error) -> bool {
    let says = error.description().to_lowercase();
    ["already", "exist", "duplicate", "уже", "существует"].iter().any(|word| says.contains(word))
}
