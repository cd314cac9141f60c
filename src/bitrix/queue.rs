//! The queue a portal keeps for an application (facts §6.4): what changed waits there, one row an event and record, until
//! it is cleared. Rows are read by reserving them; the plan must have that.

use chrono::DateTime;
use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::de;
use super::events::{CrmHint, crm_hint};

/// The plan's feature: without it whatever is read is gone from the queue at once.
pub const FEATURE: &str = "rest_offline_extended";
/// Rows that one command reserves.
const ROWS: usize = 200;

/// A row of the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    pub id: i64,
    /// Under which it is reserved.
    pub process: String,
    /// Upper case, such as `ONCRMDEALUPDATE`.
    pub event: String,
    /// `None`: an event of another kind.
    pub hint: Option<CrmHint>,
    /// When it happened last, by the portal's clock (ms).
    pub at: i64,
}

/// Reserves the oldest rows that nobody has; read by [`rows`].
pub fn reserve() -> Call {
    Call::new("event.offline.get", json!({ "clear": 0, "limit": ROWS }))
}

/// Rows that are reserved: by one whose answer was lost, or who did not come to clear them; a page, read by [`rows`]. The
/// portal refuses `!` here, and every name of a process is made of letters and digits.
pub fn reserved() -> Call {
    Call::new("event.offline.list", json!({ "filter": { ">=PROCESS_ID": "0" }, "order": { "ID": "ASC" } }))
}

/// Clears these rows of a process. By their ids: their `MESSAGE_ID` is borne by a later change of the same record, too.
pub fn clear(process: &str, ids: &[i64]) -> Call {
    Call::new("event.offline.clear", json!({ "process_id": process, "id": ids }))
}

/// What [`reserve`] or [`reserved`] was answered.
pub fn rows(answer: &Answer) -> Vec<Queued> {
    let process = answer.result.get("process_id").and_then(de::text);
    let rows = answer.result.get("events").unwrap_or(&answer.result);
    de::elements(rows).into_iter().filter_map(|row| read(row, process.as_deref())).collect()
}

fn read(row: &Value, process: Option<&str>) -> Option<Queued> {
    let text = |key: &str| row.get(key).and_then(de::text).unwrap_or_default();
    let own = text("PROCESS_ID");
    let process = if own.is_empty() { process? } else { &own };
    let event = text("EVENT_NAME").to_uppercase();
    let record = row.get("EVENT_DATA").and_then(|data| data.get("FIELDS")?.get("ID")).and_then(de::id);
    Some(Queued {
        id: row.get("ID").and_then(de::id)?,
        process: process.to_owned(),
        hint: crm_hint(&event, record),
        event,
        at: DateTime::parse_from_rfc3339(&text("TIMESTAMP_X")).map_or(0, |at| at.timestamp_millis()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(result: Value) -> Vec<Queued> {
        rows(&Answer { result, ..Answer::default() })
    }

    #[test]
    fn s2_rows_of_the_queue_are_read_as_documented() {
        let row = json!({
            "ID": "17", "TIMESTAMP_X": "2024-07-18T12:32:31+02:00", "EVENT_NAME": "ONCRMDEALMOVETOCATEGORY",
            "EVENT_DATA": {"FIELDS": {"ID": "123", "CATEGORY_ID": "5"}}, "EVENT_ADDITIONAL": {"user_id": 0},
            "MESSAGE_ID": "b0c7f7c2a3f1e4d5c6b7a8f9e0d1c2b3",
        });
        let [read] = answered(json!({"process_id": "yh3gu929", "events": [row.clone()]})).try_into().expect("one");
        let hint = CrmHint { entity_type_id: 2, id: 123, deleted: false };
        assert_eq!((read.id, read.process.as_str(), read.hint), (17, "yh3gu929", Some(hint)));
        assert_eq!(read.at, 1_721_298_751_000);

        let mut own = row;
        own["PROCESS_ID"] = json!("abc");
        assert_eq!(answered(json!([own])).first().map(|row| row.process.clone()), Some("abc".to_owned()));
        // Events without data, of another kind, and a queue that is empty.
        let empty = json!({"ID": 1, "TIMESTAMP_X": "", "EVENT_NAME": "ONTASKADD", "EVENT_DATA": false});
        let read = answered(json!({"process_id": "p", "events": [empty.clone()]}));
        assert_eq!(read.first().map(|row| (row.id, row.hint)), Some((1, None)), "to be cleared all the same");
        assert_eq!(answered(json!({"process_id": null, "events": []})), []);
        assert_eq!(answered(json!([empty])), [], "not reserved: not ours to clear");
    }
}
