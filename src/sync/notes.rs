//! Notes in timelines: what was put back there, whose edit that was, and why (product §2.6); owed from the moment
//! its put-back is planned, and told once that has come true; several are told as one. A guest's or company's also: who
//! was taken off it, and whence (product §2.8).

use std::collections::HashMap;

use serde_json::Value;

use super::answers::Written;
use super::decide::RANK_DEAL;
use super::error::SyncError;
use super::lanes::Delivery;
use super::plan::{Due, Plan, Planned};
use super::plan_deals::LOOK_AGAIN_MS;
use super::plan_people::planned;
use crate::bitrix::crm::comments_of;
use crate::bitrix::{COMMANDS, Call, Error, Priority};
use crate::clock::wall_of;
use crate::domain::change_set::ChangeSet;
use crate::domain::{CrmEntity, Fields, Lang, Subject};
use crate::portal::plan::field_title;
use crate::store::crm_records::{self, RecordRow};
use crate::store::outbox::{self, Intent, NewIntent, OutboxRow};
use crate::store::{Tx, links, splits};

/// `outbox.write_kind`
pub(super) const NOTE: &str = "note";

/// A record's timeline has something to be told.
pub(super) fn intent(entity: CrmEntity, id: i64, now: i64) -> NewIntent {
    NewIntent {
        subject: Subject::Note(entity, id).to_string(),
        intent: Intent::Sync,
        priority: super::lane(Priority::Live),
        rank: RANK_DEAL,
        not_before: 0,
        seen_at: now,
    }
}

impl Delivery {
    /// What of these writes takes a person's value away is owed a note.
    pub(super) fn owe(&self, record: &RecordRow, judged: &mut RecordRow, set: &ChangeSet) {
        let ownership = &self.ground.terms.ownership;
        if ownership.put_back && ownership.notes {
            judged.putbacks.owe(set, &record.fields);
        }
    }

    pub(super) async fn plan_notes(&self, plan: &mut Plan, due: Vec<(Due, CrmEntity, i64)>) -> Result<(), SyncError> {
        let mut records: HashMap<(CrmEntity, i64), RecordRow> = HashMap::new();
        let mut zones: HashMap<(CrmEntity, i64), String> = HashMap::new();
        for entity in CrmEntity::ALL {
            let ids: Vec<i64> = due.iter().filter(|(_, of, _)| *of == entity).map(|(.., id)| *id).collect();
            let held = crm_records::load(self.db(), self.portal, &self.key, entity, &ids).await?;
            records.extend(held.into_iter().map(|(id, row)| ((entity, id), row)));
            for link in links::of_records(self.db(), self.portal, entity, &ids).await? {
                let hotel = link.subject.parse().ok().and_then(|subject: Subject| subject.hotel());
                let hotel = hotel.and_then(|hotel| self.ground.hotels.get(&hotel));
                zones.extend(hotel.map(|hotel| ((entity, link.crm_id), hotel.timezone.clone())));
            }
        }
        for (due, entity, id) in due {
            let of = (entity, id);
            let owed = records.get(&of).filter(|record| !record.deleted && !record.putbacks.owed().is_empty());
            let owed = owed.zip(zones.get(&of));
            let parted = match entity {
                CrmEntity::Deal => None,
                _ if !self.ground.terms.ownership.notes => None,
                _ => self.splits_to_tell(entity, id).await?,
            };
            if owed.is_none() && parted.is_none() {
                plan.dropped.push(due.pair());
                continue;
            }
            let (flying, held) = {
                let lanes = self.lanes();
                (lanes.flight.records.contains(&of), lanes.open.contains(&of))
            };
            if flying {
                self.lanes().waiting.insert(due.row.id);
                continue;
            }
            if held {
                plan.later.push((due.row.id, self.now() + LOOK_AGAIN_MS));
                continue;
            }
            let back = owed.filter(|(record, _)| record.putbacks.may_tell(self.now())).map(|(record, zone)| {
                let at = wall_of(self.now(), zone).format("%d.%m.%Y %H:%M:%S").to_string();
                text(self.ground.terms.lang, record, &at)
            });
            let lines: Vec<String> = parted.into_iter().chain(back).collect();
            if let ([], Some((record, _))) = (lines.as_slice(), owed) {
                plan.dropped.push(due.pair());
                let mut row = record.clone();
                row.putbacks.forget_notes();
                plan.decided(&due, record, row);
            } else {
                let text = lines.join("\n");
                let write = planned(&due, entity, id, Fields::new(), Vec::new(), Fields::new(), text.clone());
                plan.writes.push(Planned { note: Some(text), ..write });
            }
        }
        Ok(())
    }

    /// These notes stand in their timelines, or never will: record, row, its state.
    pub(super) async fn told(&self, tx: &Tx, notes: &[((CrmEntity, i64), i64, i64)]) -> Result<(), SyncError> {
        if notes.is_empty() {
            return Ok(());
        }
        for ((entity, id), ..) in notes.iter().filter(|((entity, _), ..)| *entity != CrmEntity::Deal) {
            splits::told(tx, self.portal, *entity, *id).await?;
        }
        let mut told: Vec<RecordRow> = Vec::new();
        for entity in CrmEntity::ALL {
            let ids = notes.iter().filter(|((of, _), ..)| *of == entity).map(|((_, id), ..)| *id);
            let ids: Vec<i64> = ids.collect();
            let held = crm_records::load(tx, self.portal, &self.key, entity, &ids).await?;
            told.extend(held.into_values().filter(|row| !row.putbacks.owed().is_empty()));
        }
        told.iter_mut().for_each(|row| row.putbacks.told(self.now()));
        crm_records::save(tx, self.portal, &self.key, &told).await?;
        let done: Vec<(i64, i64)> = notes.iter().map(|(_, row, seq)| (*row, *seq)).collect();
        outbox::done(tx, self.portal, self.lease.fence(), &done).await?;
        Ok(())
    }

    /// Notes of unknown outcome: whether they stand in their timelines.
    pub(super) async fn settle_notes(&self, open: &[(OutboxRow, Written)]) -> Result<Result<(), Error>, SyncError> {
        let of = |row: &OutboxRow| (CrmEntity::from_type_id(row.entity).unwrap_or(CrmEntity::Deal), row.target);
        let call = |(entity, id): (CrmEntity, i64)| comments_of(super::wire(entity), id);
        let calls: Vec<Call> = open.iter().map(|(row, _)| call(of(row))).collect();
        let (mut told, mut again) = (Vec::new(), Vec::new());
        for (rows, calls) in open.chunks(COMMANDS).zip(calls.chunks(COMMANDS)) {
            let answers = match self.many(Priority::Live, calls).await {
                Ok(answers) => answers,
                Err(error) => return Ok(Err(error)),
            };
            for ((row, written), answer) in rows.iter().zip(answers) {
                let answer = match answer {
                    Ok(answer) => answer,
                    Err(error) => return Ok(Err(error)),
                };
                let comments = answer.result.as_array().map(Vec::as_slice).unwrap_or_default();
                let text = |comment: &Value| {
                    comment.get("COMMENT").and_then(Value::as_str).map(str::trim) == Some(&written.mark)
                };
                if comments.iter().any(text) {
                    told.push((of(row), row.id, row.seq));
                } else {
                    again.push(row);
                }
            }
        }
        let (_recording, tx) = self.recording().await?;
        self.told(&tx, &told).await?;
        self.go_again(&tx, again.into_iter()).await?;
        tx.commit().await.map_err(SyncError::from)?;
        Ok(Ok(()))
    }
}

/// The moment makes it one of its kind, by which it is found again.
fn text(lang: Lang, record: &RecordRow, at: &str) -> String {
    let fields: Vec<String> = record
        .putbacks
        .owed()
        .iter()
        .filter_map(|field| title(lang, record.entity, field))
        .map(|title| format!("«{title}»"))
        .collect();
    let fields = fields.join(", ");
    let editor = record.updated_by;
    match lang {
        Lang::Ru => {
            let who = if editor > 0 {
                format!("сотрудник № {editor}")
            } else {
                "робот портала".to_owned()
            };
            format!(
                "Fidelio: возвращены значения отеля в полях {fields}. Их изменил {who}, но эти поля ведёт Fidelio. Если \
                 значение неверно, исправьте его в Fidelio. Возврат можно выключить в настройках приложения. {at}"
            )
        }
        Lang::En => {
            let who = if editor > 0 { format!("user {editor}") } else { "a robot of the portal".to_owned() };
            format!(
                "Fidelio: the hotel's values were put back in {fields}. They had been changed by {who}, but Fidelio fills \
                 these fields. If a value is wrong, correct it in Fidelio. Putting back can be turned off in the \
                 application's settings. {at}"
            )
        }
    }
}

/// A field as people know it; those that only go along with another one have no name of their own.
fn title(lang: Lang, entity: CrmEntity, field: &str) -> Option<String> {
    let (ru, en) = match field {
        "title" => ("Название", "Title"),
        "stageId" => ("Стадия", "Stage"),
        "opportunity" => ("Сумма", "Amount"),
        "begindate" => ("Дата начала", "Start date"),
        "closedate" => ("Дата завершения", "End date"),
        "contactIds" => ("Контакты", "Contacts"),
        "companyId" => ("Компания", "Company"),
        "name" => ("Имя", "First name"),
        "secondName" => ("Отчество", "Second name"),
        "lastName" => ("Фамилия", "Last name"),
        "birthdate" => ("Дата рождения", "Date of birth"),
        "PHONE" => ("Телефон", "Phone"),
        "EMAIL" => ("E-mail", "E-mail"),
        "currencyId" | "isManualOpportunity" => return None,
        own => return Some(field_title(lang, super::wire(entity), own).unwrap_or(own).to_owned()),
    };
    Some(if lang == Lang::Ru { ru } else { en }.to_owned())
}
