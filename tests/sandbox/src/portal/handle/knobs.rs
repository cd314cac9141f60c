//! How the portal behaves: clock, price, faults, limits, people.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::Portal;
use crate::portal::clock::PortalClock;
use crate::portal::faults::Fault;
use crate::portal::limits::LimitCounts;
use crate::portal::options::{Cost, Edition, PortalOptions};
use crate::portal::rest::late;
use crate::portal::users::User;

impl Portal {
    /// Changes any option while the portal runs.
    pub fn configure(&self, change: impl FnOnce(&mut PortalOptions)) {
        change(&mut self.shared.lock().options);
    }

    /// Price of work.
    pub fn set_cost(&self, cost: Cost) {
        self.shared.lock().options.cost = cost;
    }

    /// A row costs this method so much, on its operating counter and on the portal's own clock.
    pub fn set_row_cost(&self, method: &str, cost: Duration) {
        self.shared.lock().row_costs.insert(method.to_ascii_lowercase(), cost);
    }

    /// The method has worked evenly for ten minutes, as much as it may.
    pub fn exhaust_operating(&self, method: &str) {
        let mut state = self.shared.lock();
        let now = state.clock.now_ms();
        let tenth = u64::try_from(state.options.limits.operating.as_millis()).unwrap_or(u64::MAX) / 10;
        for minute in (0..10).rev() {
            state.limits.charge(&format!("app:{}", method.to_ascii_lowercase()), tenth, now - minute * 60_000);
        }
    }

    /// Whether every request under way waits for the portal's clock, and the moment (ms) that the first one waits for.
    pub fn at_rest(&self) -> (bool, Option<i64>) {
        let state = self.shared.lock();
        let at_work = self.shared.at_work.load(std::sync::atomic::Ordering::SeqCst);
        let due = state.awaited.first_key_value().map(|(due, _)| *due);
        // One whose moment has come is at work again, though it may not know yet.
        (at_work == 0 && due.is_none_or(|due| due > state.clock.now_ms()), due)
    }

    /// Every HTTP request waits this long (wall time).
    pub fn set_latency(&self, latency: Duration) {
        self.shared.lock().options.cost.latency_per_request = latency;
    }

    /// Replaces the clock.
    pub fn set_clock(&self, clock: PortalClock) {
        self.shared.lock().clock = clock;
        late::settle(&self.shared, false);
    }

    /// Moves the clock forward and does what became due.
    pub fn advance(&self, by: Duration) {
        self.shared.lock().clock.advance(by);
        late::settle(&self.shared, false);
        self.shared.bell.notify_waiters();
    }

    /// Portal time, unix seconds.
    pub fn now(&self) -> i64 {
        self.shared.lock().clock.now()
    }

    /// Plans a failure.
    pub fn fault(&self, fault: Fault) {
        self.shared.lock().faults.push(fault);
    }

    /// Failures still planned.
    pub fn faults(&self) -> Vec<Fault> {
        self.shared.lock().faults.pending()
    }

    /// Forgets planned failures.
    pub fn clear_faults(&self) {
        self.shared.lock().faults.clear();
    }

    /// Does all late commits now.
    pub fn commit_late(&self) {
        late::settle(&self.shared, true);
        self.shared.bell.notify_waiters();
    }

    /// Late commits waiting and done.
    pub fn late(&self) -> (usize, u64) {
        let state = self.shared.lock();
        (state.late.waiting(), state.late.done)
    }

    /// Counters of both limits.
    pub fn limits(&self) -> LimitCounts {
        self.shared.lock().limits.counts.clone()
    }

    /// Uses the bucket up, as if somebody else behind the same address had been busy.
    pub fn exhaust_bucket(&self) {
        let mut state = self.shared.lock();
        let (now, source) = (state.clock.now_ms(), IpAddr::V4(Ipv4Addr::LOCALHOST));
        let level = limit_of(&state.options);
        state.limits.fill(source, level, now);
    }

    /// Blocks a method for the app until so much later.
    pub fn block_method(&self, method: &str, time: Duration) {
        let mut state = self.shared.lock();
        let until = state.clock.now_ms() + i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 2);
        state.limits.block(&format!("app:{}", method.to_ascii_lowercase()), until);
    }

    /// The portal answers 302 to its old name from now on; returns the new domain.
    pub fn rename(&self) -> String {
        let mut state = self.shared.lock();
        let old = state.addresses.domain.clone();
        state.addresses.domain = match old.strip_prefix("127.0.0.1:") {
            Some(port) => format!("127.0.0.2:{port}"),
            None => old.replace("127.0.0.2:", "127.0.0.1:"),
        };
        state.addresses.former.push(old);
        let new = state.addresses.domain.clone();
        state.addresses.former.retain(|former| *former != new);
        new
    }

    /// Closes the portal for good, or brings it back.
    pub fn set_deleted(&self, deleted: bool) {
        self.shared.lock().deleted = deleted;
    }

    /// Takes methods away, as an old box lacks them.
    pub fn without_methods(&self, methods: &[&str]) {
        self.shared.lock().missing = methods.iter().map(|method| method.to_ascii_lowercase()).collect();
    }

    /// All users.
    pub fn users(&self) -> Vec<User> {
        self.shared.lock().users.values().cloned().collect()
    }

    /// Adds or replaces a user.
    pub fn put_user(&self, user: User) {
        self.shared.lock().users.insert(user.id, user);
    }

    /// Changes a user: dismisses, hides the app, takes rights.
    pub fn change_user(&self, id: i64, change: impl FnOnce(&mut User)) {
        if let Some(user) = self.shared.lock().users.get_mut(&id) {
            change(user);
        }
    }
}

fn limit_of(options: &PortalOptions) -> f64 {
    options.limits.bucket.unwrap_or(match options.edition {
        Edition::Enterprise => 250.0,
        _ => 50.0,
    })
}
