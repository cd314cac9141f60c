//! Planned writes as commands of one request: updates and single creates one by one, imports twenty a command.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::lanes::Delivery;
use super::pack::{Item, Packed, aim, pack};
use super::plan::Planned;
use crate::bitrix::crm::{IMPORT_ROWS, batch_import, comment_add, item_add, item_delete, item_update};
use crate::bitrix::multifield::{self, Edit, Kind, Stored, Way};
use crate::bitrix::{Call, Pace, Priority};
use crate::domain::change_set::{CommStep, bare};
use crate::domain::crm::Comm;
use crate::domain::{CrmEntity, CrmValue, Fields};

/// One command and the writes it carries; a write may need two commands.
#[derive(Debug)]
pub(super) struct Command {
    pub call: Call,
    pub kind: CommandKind,
    /// Positions in the job's writes.
    pub writes: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum CommandKind {
    Add,
    Import,
    Update,
    Delete,
    Note,
}

/// Of a method that people's changes need as well, history leaves them a part.
const OF_HISTORY: f64 = 0.9;

impl CommandKind {
    /// The method whose limit it draws from.
    pub fn method(self) -> &'static str {
        match self {
            Self::Add => "crm.item.add",
            Self::Import => "crm.item.batchImport",
            Self::Update => "crm.item.update",
            Self::Delete => "crm.item.delete",
            Self::Note => "crm.timeline.comment.add",
        }
    }
}

fn kind_of(field: &str) -> Option<Kind> {
    match field {
        "PHONE" => Some(Kind::Phone),
        "EMAIL" => Some(Kind::Email),
        _ => None,
    }
}

fn wire(fields: &Fields) -> Map<String, Value> {
    fields.iter().map(|(name, value)| (name.clone(), value.wire())).collect()
}

fn synced_at(now: i64) -> (String, Value) {
    let now = DateTime::<Utc>::from_timestamp_millis(now).unwrap_or_default();
    ("UF_CRM_FB24_SYNCED_AT".to_owned(), CrmValue::Time(now).wire())
}

impl Delivery {
    /// What of these writes goes into one request now.
    pub(super) fn pack(&self, writes: &[Planned], lane: i32) -> Packed {
        pack(&self.items(writes), self.aim(), |kind| self.pace(kind, lane))
    }

    /// How many of them, in order, one request would take if no method's limit stood in the way: for a preview.
    pub(super) fn fill(&self, writes: &[Planned]) -> usize {
        let free =
            |kind: CommandKind| Pace { left: f64::INFINITY, on_trial: false, ..self.client.pace(kind.method(), 1.0) };
        pack(&self.items(writes), self.aim(), free).taken.len()
    }

    fn items(&self, writes: &[Planned]) -> Vec<Item> {
        let old_way = self.lanes().phones.way == Way::Old;
        writes
            .iter()
            .map(|write| {
                let twice = old_way && !write.comms.is_empty() && write.target != 0;
                Item {
                    kind: self.kind(write),
                    entity: write.entity,
                    commands: if twice { 2 } else { 1 },
                    spoilt: write.spoilt,
                }
            })
            .collect()
    }

    /// Seconds that a request should take at most.
    fn aim(&self) -> f64 {
        aim(self.ground.terms.request_cap)
    }

    pub(super) fn kind(&self, write: &Planned) -> CommandKind {
        match write.target {
            _ if self.lanes().imports.take(write) => CommandKind::Import,
            0 => CommandKind::Add,
            _ if write.deletes => CommandKind::Delete,
            _ if write.note.is_some() => CommandKind::Note,
            _ => CommandKind::Update,
        }
    }

    /// Of which calls the write would be made now: as [`Self::commands`] makes them.
    pub(super) fn methods(&self, write: &Planned) -> Vec<String> {
        let comms = write.target != 0 && !write.comms.is_empty() && self.lanes().phones.way == Way::Old;
        let first = (!comms || !write.fields.is_empty()).then(|| self.kind(write).method().to_owned());
        first.into_iter().chain(comms.then(|| format!("crm.{}.update", write.entity.word()))).collect()
    }

    /// What the portal shows of this kind of write, as far as whoever sends in this lane may use it.
    fn pace(&self, kind: CommandKind, lane: i32) -> Pace {
        let history = lane >= super::lane(Priority::Import);
        let share = if history && kind != CommandKind::Import { OF_HISTORY } else { 1.0 };
        let pace = self.client.pace(kind.method(), share);
        // One probe of history is enough: with the next request it is known what a row takes.
        match pace.row {
            None if history && pace.under_way > 0 => Pace { left: 0.0, ready_at: self.now(), ..pace },
            _ => pace,
        }
    }

    pub(super) fn commands(&self, writes: &[Planned]) -> Vec<Command> {
        let now = self.now();
        let mut commands: Vec<Command> = Vec::new();
        let mut imported: Vec<(CrmEntity, Vec<usize>)> = Vec::new();
        for (at, write) in writes.iter().enumerate() {
            if self.lanes().imports.take(write) {
                let room =
                    imported.iter_mut().find(|(entity, rows)| *entity == write.entity && rows.len() < IMPORT_ROWS);
                match room {
                    Some((_, rows)) => rows.push(at),
                    None => imported.push((write.entity, vec![at])),
                }
            } else if let Some(text) = &write.note {
                commands.push(Command {
                    call: comment_add(super::wire(write.entity), write.target, text),
                    kind: CommandKind::Note,
                    writes: vec![at],
                });
            } else if write.deletes {
                commands.push(Command {
                    call: item_delete(super::wire(write.entity), write.target),
                    kind: CommandKind::Delete,
                    writes: vec![at],
                });
            } else if write.target == 0 {
                let mut fields = wire(&write.fields);
                fields.extend([synced(write, now)].into_iter().flatten());
                let comms = added(&write.comms);
                if !comms.is_empty() {
                    let rows: Vec<_> = comms
                        .iter()
                        .map(|(kind, comm)| (*kind, comm.value_type.as_str(), comm.value.as_str()))
                        .collect();
                    fields.insert("fm".into(), multifield::for_add(&rows));
                }
                commands.push(Command {
                    call: item_add(super::wire(write.entity), fields),
                    kind: CommandKind::Add,
                    writes: vec![at],
                });
            } else {
                commands.extend(self.updates(write, at, now));
            }
        }
        for (entity, rows) in imported {
            let data: Vec<Map<String, Value>> = rows
                .iter()
                .filter_map(|at| writes.get(*at))
                .map(|write| {
                    let mut fields = wire(&write.fields);
                    fields.extend([synced(write, now)].into_iter().flatten());
                    let comms = added(&write.comms);
                    let rows: Vec<_> = comms
                        .iter()
                        .map(|(kind, comm)| (*kind, comm.value_type.as_str(), comm.value.as_str()))
                        .collect();
                    fields.extend(multifield::for_import(&rows));
                    fields
                })
                .collect();
            commands.push(Command {
                call: batch_import(super::wire(entity), &data),
                kind: CommandKind::Import,
                writes: rows,
            });
        }
        commands
    }

    fn updates(&self, write: &Planned, at: usize, now: i64) -> Vec<Command> {
        let entity = super::wire(write.entity);
        let mut fields = wire(&write.fields);
        fields.extend([synced(write, now)].into_iter().flatten());
        let edits = edits(&write.comms, &write.stored);
        let way = self.lanes().phones.way;
        let mut commands = Vec::new();
        if !edits.is_empty() && way != Way::Old {
            fields.insert("fm".into(), multifield::keyed(&edits));
        }
        if !fields.is_empty() {
            commands.push(item_update(entity, write.target, fields));
        }
        if way == Way::Old {
            commands.extend(multifield::update(way, entity, write.target, &edits));
        }
        commands.into_iter().map(|call| Command { call, kind: CommandKind::Update, writes: vec![at] }).collect()
    }
}

/// When we last wrote, only ever beside something else (contract). Companies carry no such field.
fn synced(write: &Planned, now: i64) -> Option<(String, Value)> {
    (write.entity == CrmEntity::Deal && !write.fields.is_empty()).then(|| synced_at(now))
}

fn added(comms: &[(String, Vec<CommStep>)]) -> Vec<(Kind, Comm)> {
    comms
        .iter()
        .filter_map(|(field, steps)| Some((kind_of(field)?, steps)))
        .flat_map(|(kind, steps)| {
            steps.iter().filter_map(move |step| match step {
                CommStep::Add(comm) => Some((kind, comm.clone())),
                CommStep::Remove(_) => None,
            })
        })
        .collect()
}

/// A value that goes and one that comes are one change, so that its place in the list stays.
fn edits(comms: &[(String, Vec<CommStep>)], stored: &[Stored]) -> Vec<Edit> {
    let mut edits = Vec::new();
    for (field, steps) in comms {
        let Some(kind) = kind_of(field) else { continue };
        let id_of = |comm: &Comm| {
            stored
                .iter()
                .find(|one| {
                    let one_comm = Comm { value_type: String::new(), value: one.value.clone() };
                    one.kind == kind.code() && bare(&one_comm) == bare(comm)
                })
                .map(|one| one.id)
        };
        let mut free: Vec<i64> = steps
            .iter()
            .filter_map(|step| match step {
                CommStep::Remove(comm) => id_of(comm),
                CommStep::Add(_) => None,
            })
            .rev()
            .collect();
        for step in steps {
            let CommStep::Add(comm) = step else { continue };
            let (value_type, value) = (comm.value_type.clone(), comm.value.clone());
            edits.push(match free.pop() {
                Some(id) => Edit::Change { id, kind, value_type, value },
                None => Edit::Add { kind, value_type, value },
            });
        }
        edits.extend(free.into_iter().map(|id| Edit::Delete { id, kind }));
    }
    edits
}
