//! What a look at a record says beside what was held of it: whose edits those are, and what becomes of them.

use super::owned::portal_time;
use super::reread::Seen;
use crate::domain::change_set::{alike, field_of, lost, ours, tried};
use crate::domain::edits::Stance;
use crate::domain::{CrmValue, Fields};
use crate::store::crm_records::RecordRow;

/// A record as held and as seen, taken together.
pub(super) struct Merged {
    /// As it stands now.
    pub row: RecordRow,
    /// A field that we had confirmed was changed by someone else. What we sent ourselves without having heard the outcome
    /// is no one else's change; a field that is not put back any more does not count.
    pub differs: bool,
    /// And what was changed or taken away is ours: a deal that a person closed and what he added to a list are his.
    pub ours: bool,
    /// Fields that were put back for the last time.
    pub stopped: Vec<String>,
}

pub(super) fn merge(
    held: Option<&RecordRow>,
    sent: Option<&Fields>,
    seen: &Seen,
    stance: impl Fn(&str) -> Stance,
    now: i64,
) -> Merged {
    let edited_at = portal_time(&seen.updated_time).unwrap_or(now);
    let Some(held) = held else {
        let mut row = RecordRow::new(seen.entity, seen.id, seen.fields.clone(), 0);
        // Who set it, and against what, is not known: the hotel's value must be later. What is added to a list harms nobody.
        for (name, value) in &seen.fields {
            let list = matches!(value, CrmValue::Comms(_) | CrmValue::Ids(_) | CrmValue::Texts(_));
            if !list && !value.is_empty() && stance(name) == Stance::Newest {
                row.edits.edited(name, &CrmValue::Empty, value, edited_at);
            }
        }
        row.updated_time.clone_from(&seen.updated_time);
        row.updated_by = seen.updated_by;
        row.edited = seen.foreign;
        return Merged { row, differs: false, ours: false, stopped: Vec::new() };
    };
    let mut row = held.clone();
    let (mut differs, mut any_of_ours, mut stopped) = (false, false, Vec::new());
    for (name, value) in &seen.fields {
        let same = |fields: &Fields| fields.get(name).is_some_and(|known| alike(known, value));
        if let Some(known) = held.fields.get(name)
            && !same(&held.fields)
            && !sent.is_some_and(same)
            && !held.fields.get(&tried(name)).is_some_and(|ours| alike(ours, value))
        {
            // A deal that a person closed stays closed.
            let quarrel = match (name.as_str(), known) {
                ("stageId", _) if seen.closed => None,
                // Lists are shared with people: what they add is theirs, what they take away of ours is put back.
                (_, CrmValue::Comms(_) | CrmValue::Ids(_)) => {
                    held.fields.get(&ours(name)).filter(|mine| lost(mine, known, value))
                }
                (_, CrmValue::Texts(_)) => Some(known).filter(|known| lost(known, known, value)),
                _ => Some(known),
            };
            if name == "stageId" {
                row.closed_by_person = seen.closed;
            }
            row.edited = true;
            match (quarrel, stance(name)) {
                (_, Stance::Theirs) => {}
                (Some(ours), Stance::UntilNews | Stance::Newest) => {
                    row.edits.edited(name, ours, value, edited_at);
                }
                (ours, Stance::PutBack) => {
                    if ours.is_some_and(|ours| row.putbacks.count(name, ours, value, now)) {
                        stopped.push(name.clone());
                    }
                    let put_back = !row.putbacks.stopped(name, now);
                    differs |= put_back;
                    any_of_ours |= put_back && ours.is_some();
                }
                (None, _) => row.edits.seen(name, value),
            }
        }
        row.fields.insert(name.clone(), value.clone());
        row.fields.remove(&tried(name));
    }
    // Of a field that has left the mapping nobody knows what it will hold when it comes back.
    row.fields.retain(|name, _| seen.fields.contains_key(field_of(name)));
    // What is ours of a shared list stays remembered.
    for name in ["PHONE", "EMAIL", "contactIds"] {
        if let Some(mine) = held.fields.get(&ours(name)) {
            row.fields.insert(ours(name), mine.clone());
        }
    }
    row.deleted = false;
    // Whoever installed the app edits under the name we write under: what is not ours shows by its stamp alone.
    let stamped = !held.updated_time.is_empty() && held.updated_time != seen.updated_time && sent.is_none();
    row.edited |= seen.foreign || stamped;
    row.updated_time.clone_from(&seen.updated_time);
    row.updated_by = seen.updated_by;
    Merged { row, differs, ours: any_of_ours, stopped }
}
