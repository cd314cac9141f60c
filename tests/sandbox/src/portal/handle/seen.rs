//! What the portal saw and sent.

use std::time::Duration;

use serde_json::{Map, Value};

use super::Portal;
use crate::portal::crm::save::Actor;
use crate::portal::events::{self, Binding, Delivering, Fact, Sent};
use crate::portal::placements::Placement;
use crate::portal::requests::Request;

impl Portal {
    /// Every HTTP request so far, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.lock().log.all()
    }

    /// Requests of one method (a batch counts for what is inside too).
    pub fn requests_of(&self, method: &str) -> Vec<Request> {
        let method = method.to_ascii_lowercase();
        self.requests().into_iter().filter(|r| r.method == method || r.commands.contains(&method)).collect()
    }

    /// How many requests there were; grows even when the log was cleared.
    pub fn request_count(&self) -> u64 {
        self.shared.lock().log.count()
    }

    /// Clears the log.
    pub fn clear_requests(&self) {
        self.shared.lock().log.clear();
    }

    /// Event subscriptions.
    pub fn bindings(&self) -> Vec<Binding> {
        self.shared.lock().events.bindings.clone()
    }

    /// Bound widgets.
    pub fn placements(&self) -> Vec<Placement> {
        self.shared.lock().placements.bound.clone()
    }

    /// `app.option.*` of the app.
    pub fn app_options(&self) -> Map<String, Value> {
        self.shared.lock().app.options.clone()
    }

    /// Sets one `app.option`, as another server of the app would.
    pub fn set_app_option(&self, name: &str, value: Value) {
        self.shared.lock().app.options.insert(name.to_owned(), value);
    }

    /// Changes how deliveries behave.
    pub fn delivering(&self, change: impl FnOnce(&mut Delivering)) {
        change(&mut self.shared.lock().events.delivering);
        self.shared.bell.notify_waiters();
    }

    /// Fires any event to its subscribers.
    pub fn send_event(&self, name: &str, data: Value) {
        self.shared.lock().fire(Fact::new(&name.to_ascii_uppercase(), data, &Actor::person(1)));
        self.shared.bell.notify_waiters();
    }

    /// The body of an event as it would go out, for replays and forgeries.
    pub fn event_body(&self, name: &str, data: Value, user: i64, tokens: events::Tokens) -> Vec<(String, String)> {
        let mut state = self.shared.lock();
        let fact = Fact::new(&name.to_ascii_uppercase(), data, &Actor::person(user));
        events::body(&mut state, Some(1), &fact, user, tokens)
    }

    /// Events sent so far (the last thousand).
    pub fn sent_events(&self) -> Vec<Sent> {
        self.shared.lock().events.sent.iter().cloned().collect()
    }

    /// Rows of the apps' pull queues, reserved or not.
    pub fn queued(&self) -> usize {
        self.shared.lock().events.queue.rows.len()
    }

    /// Waits until nothing waits and nothing is on its way; `false` when that took longer than ten seconds.
    pub async fn events_settled(&self) -> bool {
        for _ in 0..1000 {
            {
                let state = self.shared.lock();
                if state.events.waiting.is_empty() && state.events.flying == 0 {
                    return true;
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        false
    }
}
