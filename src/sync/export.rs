//! All that is held of one person, and all that was written about him, in one readable document (product §9).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::engine::Engine;
use super::error::SyncError;
use super::pins::holder;
use crate::domain::{Fields, PortalId, ProfileNumber, Subject};
use crate::store::hotels::HotelRow;
use crate::store::links::LinkRow;
use crate::store::{
    Via, crm_records, erasures, links, merge_hints, merges, pins, problems, profiles, provenance, splits, stay_steps,
    stays,
};

/// Steps of a stay's life that are handed out.
const STEPS: i64 = 1_000;

fn moment(ms: i64) -> Value {
    json!(chrono::DateTime::from_timestamp_millis(ms))
}

/// As the portal was sent them, without what only we read.
fn shown(fields: &Fields) -> Value {
    let own = |name: &str| !name.ends_with(".ours");
    fields.iter().filter(|(name, _)| own(name)).map(|(name, value)| (name.clone(), value.wire())).collect()
}

impl Engine {
    /// `None`: nobody knows him.
    pub async fn export_person(
        &self,
        portal: PortalId,
        hotel: &HotelRow,
        profile: &ProfileNumber,
    ) -> Result<Option<Value>, SyncError> {
        let deps = &self.0.deps;
        let db = Via::from(&deps.db);
        let key = deps.portals.key(portal).await?;
        let person = self.who(portal, hotel.id, profile).await?;
        let profile = &person.1;
        let merged = merges::into(db, portal, std::iter::once(&person)).await?;
        let held = profiles::load(db, portal, &key, std::slice::from_ref(&person)).await?.remove(&person);
        let naming = stays::naming(db, portal, std::slice::from_ref(&person)).await?;
        let erasure = erasures::get(db, portal, hotel.id, profile).await?;
        if held.is_none() && naming.is_empty() && erasure.is_none() {
            return Ok(None);
        }
        let keys: Vec<_> = naming.iter().map(|(hotel, stay, ..)| (*hotel, stay.clone())).collect();
        let rows = stays::load(db, portal, &key, &keys).await?;
        let mut subjects = vec![Subject::Profile(hotel.id, profile.clone()).to_string()];
        let mut told = Vec::new();
        for (of, number, _, role) in &naming {
            let Some(row) = rows.get(&(*of, number.clone())) else { continue };
            let steps = stay_steps::of_stay(db, portal, *of, number, STEPS).await?;
            let step = |row: &stay_steps::StepRow| {
                let step = &row.step;
                json!({"at": moment(row.received_at), "what": step.kind.word(), "from": step.from, "to": step.to})
            };
            subjects.push(Subject::Stay(*of, number.clone()).to_string());
            told.push(json!({
                "number": number, "role": role.word(), "facts": row.facts, "source": row.source,
                "pms_time": row.pms_time, "received_at": moment(row.received_at),
                "history": steps.iter().map(step).collect::<Vec<_>>(),
            }));
        }
        let mut came = self.inputs(portal, &key, hotel.id, profile).await?;
        for merge in &merged {
            for (kept, change) in self.inputs(portal, &key, hotel.id, &merge.profile).await? {
                if came.iter().all(|(held, _)| held.id != kept.id) {
                    came.push((kept, change));
                }
            }
        }
        let came = came.into_iter().map(|(kept, change)| {
            json!({"received_at": moment(kept.received_at), "decided": kept.decided, "change": change})
        });
        let problems = problems::of_subjects(db, portal, &key, &subjects).await?;
        let said = |row: problems::ProblemRow| json!({"cause": row.cause, "detail": row.params, "note": row.note, "first_at": moment(row.first_at)});
        let before: Vec<_> = merged.iter().map(|merge| (merge.hotel, merge.profile.clone())).collect();
        let facts = profiles::load(db, portal, &key, &before).await?;
        let was = merged.iter().map(|merge| {
            let facts = facts.get(&(merge.hotel, merge.profile.clone())).map(|row| &row.facts);
            let left = merge.left.map(|(entity, id)| json!({"entity": entity.word(), "id": id}));
            let number = format!("{}:{}", hotel.code, merge.profile);
            json!({"person": number, "at": moment(merge.merged_at), "facts": facts, "record": left})
        });
        let was: Vec<Value> = was.collect();
        let subject = Subject::Profile(hotel.id, profile.clone()).to_string();
        let hint = merge_hints::of_subjects(db, portal, std::slice::from_ref(&subject)).await?.into_iter().next();
        let apart = splits::of_subjects(db, portal, std::slice::from_ref(&subject)).await?.remove(&subject);
        let taken_off = apart.into_iter().flat_map(|apart| apart.records).map(|row| {
            json!({"entity": row.entity.word(), "id": row.crm_id, "at": moment(row.asked_at), "by": Some(row.asked_by).filter(|by| *by != splits::PMS)})
        });
        Ok(Some(json!({
            "person": format!("{}:{profile}", hotel.code),
            "facts": held.as_ref().map(|row| &row.facts),
            "provenance": held.as_ref().map(|row| json!({
                "source": row.source, "pms_time": row.pms_time, "received_at": moment(row.received_at),
            })),
            "stays": told,
            "records": self.records(portal, &subjects).await?,
            "inputs": came.collect::<Vec<_>>(),
            "problems": problems.into_iter().map(said).collect::<Vec<_>>(),
            "written": self.traces(portal, &subjects).await?,
            "taken_back": self.pinned(portal, &subjects).await?,
            "merge_hint": hint.map(|row| json!({"entity": row.entity.type_id(), "ids": row.crm_ids, "apart": row.apart, "reason": row.reason})),
            "taken_off": taken_off.collect::<Vec<_>>(),
            "merged": was,
            "erasure": erasure.map(|row| json!({"stage": row.stage.word(), "act": row.act})),
        })))
    }

    /// Records of the portal that stand for these, as the portal confirmed them.
    async fn records(&self, portal: PortalId, subjects: &[String]) -> Result<Vec<Value>, SyncError> {
        let deps = &self.0.deps;
        let key = deps.portals.key(portal).await?;
        let mut shown_records = Vec::new();
        for (subject, link) in links::of_subjects(&deps.db, portal, subjects).await? {
            let held = crm_records::load(&deps.db, portal, &key, link.entity, &[link.crm_id]).await?;
            let record = held.get(&link.crm_id);
            shown_records.push(json!({
                "of": subject.split(':').next(), "number": subject.splitn(3, ':').nth(2),
                "entity": link.entity.word(), "id": link.crm_id,
                "confirmed": record.map(|record| shown(&record.fields)),
                "confirmed_at": record.map(|record| moment(record.synced_at)),
                "changed_by": record.map(|record| record.updated_by),
            }));
        }
        shown_records.sort_by_key(ToString::to_string);
        Ok(shown_records)
    }

    /// Fields that people took to themselves, with what of them is kept.
    async fn pinned(&self, portal: PortalId, subjects: &[String]) -> Result<Vec<Value>, SyncError> {
        let deps = &self.0.deps;
        let key = deps.portals.key(portal).await?;
        let links = links::of_subjects(&deps.db, portal, subjects).await?;
        let holders: BTreeMap<String, LinkRow> =
            links.into_iter().map(|(subject, link)| (holder(link.entity, link.crm_id, &subject), link)).collect();
        let pins = pins::load(&deps.db, portal, &key, &holders.keys().cloned().collect::<Vec<_>>()).await?;
        let told = pins.into_iter().filter_map(|(of, pins)| Some((holders.get(&of)?, pins))).flat_map(|(link, pins)| {
            pins.into_iter().map(move |(field, pin)| {
                json!({
                    "entity": link.entity.word(), "id": link.crm_id, "field": field, "value": pin.value.wire(), "undone": pin.undone.wire(),
                    "written": pin.written,
                })
            })
        });
        Ok(told.collect())
    }

    /// What was last written to each field, when, and by which version of the mapping.
    async fn traces(&self, portal: PortalId, subjects: &[String]) -> Result<Vec<Value>, SyncError> {
        let deps = &self.0.deps;
        let key = deps.portals.key(portal).await?;
        let traces = provenance::load(&deps.db, portal, &key, subjects).await?;
        let written = traces.into_iter().flat_map(|(subject, trace)| {
            let of = subject.split(':').next().unwrap_or_default().to_owned();
            let number = subject.splitn(3, ':').nth(2).unwrap_or_default().to_owned();
            trace.into_iter().map(move |(field, written)| {
                json!({
                    "of": of, "number": number, "field": field, "value": written.value.wire(),
                    "before": written.before.as_ref().map(|before| before.wire()),
                    "version": written.version, "at": moment(written.at),
                    "told": written.told.as_ref().map(|told| json!({
                        "value": told.value.as_ref().map(|value| value.wire()),
                        "pms_time": told.pms_time, "received_at": moment(told.received_at),
                    })),
                    "call": written.call.as_ref().map(|call| json!({
                        "method": call.method, "sent_at": moment(call.sent_at), "answer": call.answer.word(),
                    })),
                })
            })
        });
        Ok(written.collect())
    }
}
