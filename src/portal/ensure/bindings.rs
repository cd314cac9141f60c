//! User fields, placements and event bindings: what is missing is made, what points elsewhere is taken away.

use super::plan::{self, EVENTS, FIELDS, PLACEMENTS};
use super::survey::Survey;
use super::{Halt, Work};
use crate::bitrix::{Call, Class, Priority, setup};

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
        let wanted: Vec<(&str, String)> =
            PLACEMENTS.iter().map(|p| (p.code, plan::handler(&self.public_url(), p.path))).collect();
        for (code, handler) in &survey.placements {
            if !wanted.iter().any(|(own, address)| own == code && address == handler) {
                calls.push(setup::placement_unbind(code, handler));
            }
        }
        for placement in PLACEMENTS {
            let handler = plan::handler(&self.public_url(), placement.path);
            if survey.placements.iter().any(|(code, own)| code == placement.code && *own == handler) {
                continue;
            }
            calls.push(setup::placement_bind(placement.code, &handler, placement.ru, placement.en));
        }
        self.carry_out(&calls).await
    }

    pub(super) async fn events(&mut self, survey: &Survey) -> Result<(), Halt> {
        let handler = plan::handler(&self.public_url(), plan::EVENTS_PATH);
        let mut calls = Vec::new();
        for (event, own) in &survey.events {
            if *own != handler || !EVENTS.contains(&event.as_str()) {
                calls.push(setup::event_unbind(event, own));
            }
        }
        let mut twice = std::collections::BTreeSet::new();
        for (event, own) in &survey.events {
            if *own == handler && !twice.insert(event.clone()) {
                tracing::warn!(portal = self.portal.0, event, "an event is bound twice");
            }
        }
        for event in EVENTS {
            if !survey.events.iter().any(|(bound, own)| bound == event && *own == handler) {
                calls.push(setup::event_bind(event, &handler));
            }
        }
        if calls.is_empty() {
            return Ok(());
        }
        // An old box may not know one of them; the others are bound all the same.
        let results = self.client.batch(Priority::Person, &calls).await?;
        for (call, result) in calls.iter().zip(results) {
            let Err(error) = result else { continue };
            let event = call.params.get("event").and_then(|event| event.as_str()).unwrap_or_default();
            match error.code() {
                "error_event_not_found" => self.report.lack("event", event, false),
                _ if already(&error) => {}
                _ if error.class == Class::Permanent => {
                    self.report.lack("event", format!("{event}: {}", error.code()), !event.starts_with("ONAPP"));
                }
                _ => return Err(error.into()),
            }
        }
        Ok(())
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
