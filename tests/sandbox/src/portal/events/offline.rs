//! The pull queue (facts §6.4): one row per event, data, connector and process.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};

use super::Fact;
use crate::portal::clock;
use crate::portal::state::State;

/// A row of the queue.
#[derive(Clone, Debug)]
pub struct Row {
    /// Id.
    pub id: i64,
    /// Unix seconds of the newest occurrence.
    pub at: i64,
    /// Event name.
    pub event: String,
    /// Data.
    pub data: Value,
    /// Actor.
    pub user: i64,
    /// Repeats for the same event and data.
    pub message_id: String,
    /// Connector.
    pub connector: String,
    /// Set once a reader reserved it.
    pub process_id: String,
    /// Marked as failed by the reader.
    pub error: bool,
}

/// All rows.
#[derive(Debug, Default)]
pub struct Queue {
    /// Rows in id order.
    pub rows: Vec<Row>,
    next_id: i64,
    pinged: i64,
}

/// Puts an event into the queues that asked for it.
pub fn collect(state: &mut State, fact: &Fact) {
    let now = state.clock.now();
    let connectors: Vec<String> = state
        .events
        .bindings
        .iter()
        .filter(|binding| binding.offline && binding.event == fact.name)
        .map(|binding| binding.connector.clone())
        .collect();
    let mut added = false;
    for connector in connectors {
        // What the app did itself with the same connector (or both with none) is not told back.
        if fact.app && connector == fact.connector {
            continue;
        }
        let queue = &mut state.events.queue;
        let message_id = message_id(&fact.name, &fact.data);
        let same = queue
            .rows
            .iter_mut()
            .find(|row| row.message_id == message_id && row.connector == connector && row.process_id.is_empty());
        match same {
            Some(row) => row.at = now,
            None => {
                queue.next_id += 1;
                queue.rows.push(Row {
                    id: queue.next_id,
                    at: now,
                    event: fact.name.clone(),
                    data: fact.data.clone(),
                    user: fact.user,
                    message_id,
                    connector,
                    process_id: String::new(),
                    error: false,
                });
            }
        }
        added = true;
    }
    if added {
        ping(state, now);
    }
}

/// `ONOFFLINEEVENT`: skipped pings are never made up for.
fn ping(state: &mut State, now: i64) {
    let handlers: Vec<_> =
        state.events.bindings.iter().filter(|b| !b.offline && b.event == "ONOFFLINEEVENT").cloned().collect();
    let Some(first) = handlers.first() else { return };
    if first.min_timeout > 0 && now - state.events.queue.pinged < first.min_timeout {
        return;
    }
    state.events.queue.pinged = now;
    for binding in handlers {
        let user = if binding.auth_type > 0 { binding.auth_type } else { 1 };
        let fact = Fact {
            name: "ONOFFLINEEVENT".into(),
            data: json!({}),
            user,
            app: false,
            robot: false,
            connector: String::new(),
            hops: 0,
        };
        super::Events::queue_for(state, &binding.handler, Some(binding.id), &fact, user, super::Tokens::Pair);
    }
}

/// 32 hex digits that repeat for the same event and data.
fn message_id(event: &str, data: &Value) -> String {
    let text = format!("{event}{data}");
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        text.hash(&mut hasher);
        hasher.finish()
    };
    format!("{:016x}{:016x}", half(0), half(1))
}

impl Row {
    /// As `event.offline.get` shows it.
    pub fn show(&self) -> Value {
        json!({
            "ID": self.id.to_string(), "TIMESTAMP_X": clock::iso(self.at), "EVENT_NAME": self.event,
            "EVENT_DATA": self.data.get("FIELDS").map_or_else(|| json!(false), |fields| json!({"FIELDS": fields})),
            "EVENT_ADDITIONAL": {"user_id": self.user.to_string()}, "MESSAGE_ID": self.message_id,
        })
    }
}
