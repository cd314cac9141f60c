//! The queue for one portal's request allowance: person > live > import > reconciliation, first come first served within
//! each (product §2.4). Its head alone asks the shared bucket; the others wait for the head to move. A portal that does
//! not answer is paused for growing times, and nobody waits for it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::call::Priority;
use super::error::Error;
use super::methods::{Methods, Share};
use super::ports::{AllowanceStore, MethodState, Take};
use crate::clock::Clock;

const FIRST_PAUSE_MS: i64 = 2_000;
const LONGEST_PAUSE_MS: i64 = 300_000;

/// Requests kept back from the bucket: those that leave evenly may arrive bunched, and the portal counts arrivals.
fn margin(burst: u32) -> u32 {
    (burst / 25).max(1).min(burst.saturating_sub(1))
}

/// One request of the portal's allowance, taken.
#[derive(Debug)]
pub struct Permit {
    pub(super) priority: Priority,
    pub(super) leaving_by: Option<i64>,
}

impl Permit {
    pub fn priority(&self) -> Priority {
        self.priority
    }

    /// A request under this permit that could not leave by then (ms) does not leave at all.
    #[must_use]
    pub fn leaving_by(self, at: i64) -> Self {
        Self { leaving_by: Some(at), ..self }
    }
}

/// What one request will take of its methods' limits: nobody else plans with it until this is dropped.
#[derive(Debug)]
pub struct Reservation {
    queue: Arc<Queue>,
    shares: Vec<Share>,
}

impl Reservation {
    /// So many rows by method.
    pub(super) fn of(queue: &Arc<Queue>, rows: &HashMap<&str, usize>) -> Self {
        let reserve =
            |methods: &mut Methods| rows.iter().map(|(method, rows)| methods.reserve(method, *rows)).collect();
        Self { queue: queue.clone(), shares: queue.methods(reserve) }
    }

    /// Whether no other request was counted for the method meanwhile.
    pub(super) fn alone(&self, method: &str) -> bool {
        let share = self.shares.iter().find(|share| share.is_of(method));
        share.is_some_and(|share| self.queue.methods(|methods| methods.alone(share)))
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.queue.methods(|methods| self.shares.iter().for_each(|share| methods.release(share)));
    }
}

/// What is shared by all clients of one portal in this process.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    waiting: BTreeSet<(Priority, u64)>,
    next: u64,
    methods: Methods,
    loaded: bool,
    /// Requests in a row without an answer.
    failures: u32,
    /// Silent portals are left alone until then, or until one answers.
    paused_until: i64,
    /// The portal said so itself: whatever else it answers meanwhile.
    stopped_until: i64,
}

/// A place in the queue, given back however the wait ends.
struct Place<'a> {
    queue: &'a Queue,
    ticket: (Priority, u64),
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.queue.lock().waiting.remove(&self.ticket);
        self.queue.changed.notify_waiters();
    }
}

impl Queue {
    pub(super) fn new(operating_limit: f64) -> Self {
        let state = State {
            waiting: BTreeSet::new(),
            next: 0,
            methods: Methods::new(operating_limit),
            loaded: false,
            failures: 0,
            paused_until: 0,
            stopped_until: 0,
        };
        Self { state: Mutex::new(state), changed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for this priority's turn and takes one request. Fails at once while the portal is paused.
    pub(super) async fn permit(
        &self,
        priority: Priority,
        allowance: &Arc<dyn AllowanceStore>,
        clock: &Clock,
        burst: u32,
        per_second: u32,
    ) -> Result<Permit, Error> {
        let burst = burst.saturating_sub(margin(burst)).max(1);
        let place = {
            let mut state = self.lock();
            let ticket = (priority, state.next);
            state.next += 1;
            state.waiting.insert(ticket);
            Place { queue: self, ticket }
        };
        // The head may have changed: whoever was it must look again.
        self.changed.notify_waiters();
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let head = {
                let state = self.lock();
                let now = clock.now_ms();
                let until = state.paused_until.max(state.stopped_until);
                if until > now {
                    return Err(paused(until - now));
                }
                state.waiting.first() == Some(&place.ticket)
            };
            if !head {
                changed.await;
                continue;
            }
            let now = clock.now_ms();
            match allowance.take_request(now, burst, per_second.max(1)).await? {
                Take::Granted => return Ok(Permit { priority, leaving_by: None }),
                Take::NotBefore(at) => {
                    let wait = Duration::from_millis(u64::try_from(at - now).unwrap_or_default().max(1));
                    tokio::select! {
                        () = clock.sleep(wait) => {}
                        () = changed => {}
                    }
                }
            }
        }
    }

    /// The portal rejected us although the bucket had tokens: another application shares it.
    pub(super) async fn drained(
        &self,
        allowance: &Arc<dyn AllowanceStore>,
        clock: &Clock,
        burst: u32,
        per_second: u32,
    ) -> Result<(), Error> {
        let burst = burst.saturating_sub(margin(burst)).max(1);
        allowance.drain(clock.now_ms(), burst, per_second.max(1)).await
    }

    /// Reads once what is known of methods from before.
    pub(super) async fn load(&self, allowance: &Arc<dyn AllowanceStore>, now: i64) -> Result<(), Error> {
        if self.lock().loaded {
            return Ok(());
        }
        let rows = allowance.methods().await?;
        let mut state = self.lock();
        if !state.loaded {
            state.methods.load(rows, now);
            state.loaded = true;
        }
        Ok(())
    }

    pub(super) fn methods<T>(&self, read: impl FnOnce(&mut Methods) -> T) -> T {
        read(&mut self.lock().methods)
    }

    pub(super) async fn save(&self, allowance: &Arc<dyn AllowanceStore>, changed: Vec<MethodState>) {
        for one in changed {
            let saved = allowance.save_method(&one).await;
            if let Err(error) = saved {
                // This process knows it all the same; the next change is written again.
                tracing::warn!(method = %one.method, %error, "the state of a method could not be saved");
            }
        }
    }

    /// The portal answered, whatever it said.
    pub(super) fn alive(&self) {
        let mut state = self.lock();
        state.failures = 0;
        state.paused_until = 0;
    }

    /// No answer: from the second one in a row the portal is paused. Answers for how long.
    pub(super) fn silent(&self, now: i64) -> Option<Duration> {
        let pause = {
            let mut state = self.lock();
            state.failures = state.failures.saturating_add(1);
            let doublings = state.failures.checked_sub(2)?.min(16);
            let pause = (FIRST_PAUSE_MS << doublings).min(LONGEST_PAUSE_MS);
            state.paused_until = state.paused_until.max(now + pause);
            pause
        };
        // Those who wait need not.
        self.changed.notify_waiters();
        u64::try_from(pause).ok().map(Duration::from_millis)
    }

    /// Stops the portal until then, whatever it answers meanwhile.
    pub(super) fn pause(&self, until: i64) {
        let mut state = self.lock();
        state.stopped_until = state.stopped_until.max(until);
        drop(state);
        self.changed.notify_waiters();
    }
}

fn paused(ms: i64) -> Error {
    let after = Duration::from_millis(u64::try_from(ms).unwrap_or_default());
    let class = super::error::Class::Retry { after };
    Error { class, ..Error::unsent("the portal does not answer and is left alone for a while") }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use chrono::DateTime;

    use super::*;

    /// A bucket that grants when told to.
    #[derive(Default)]
    struct Gate {
        free: AtomicUsize,
        asked: AtomicUsize,
    }

    #[async_trait]
    impl AllowanceStore for Gate {
        async fn take_request(&self, now: i64, _: u32, _: u32) -> Result<Take, Error> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let taken = self.free.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |free| free.checked_sub(1));
            Ok(if taken.is_ok() { Take::Granted } else { Take::NotBefore(now + 500) })
        }
        async fn drain(&self, _: i64, _: u32, _: u32) -> Result<(), Error> {
            Ok(())
        }
        async fn methods(&self) -> Result<Vec<MethodState>, Error> {
            Ok(vec![])
        }
        async fn save_method(&self, _: &MethodState) -> Result<(), Error> {
            Ok(())
        }
    }

    async fn settle() {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn s48_the_allowance_goes_by_priority_and_in_order_within_one() {
        let (clock, hand) = Clock::manual(DateTime::UNIX_EPOCH);
        let gate = Arc::new(Gate::default());
        let allowance: Arc<dyn AllowanceStore> = gate.clone();
        let queue = Arc::new(Queue::new(480.0));
        let order = Arc::new(Mutex::new(vec![]));
        let mut tasks = vec![];
        for (name, priority) in [
            ("scan", Priority::Reconciliation),
            ("import", Priority::Import),
            ("live 1", Priority::Live),
            ("live 2", Priority::Live),
            ("person", Priority::Person),
            ("given up", Priority::Person),
        ] {
            let (queue, allowance, clock, order) = (queue.clone(), allowance.clone(), clock.clone(), order.clone());
            tasks.push((
                name,
                tokio::spawn(async move {
                    queue.permit(priority, &allowance, &clock, 50, 2).await.expect("a permit");
                    order.lock().expect("order").push(name);
                }),
            ));
            settle().await;
        }
        let (_, last) = tasks.pop().expect("a task");
        last.abort();
        settle().await;
        for _ in 0..5 {
            gate.free.store(1, Ordering::SeqCst);
            hand.advance(Duration::from_millis(500));
            settle().await;
        }
        for (_, task) in tasks {
            task.await.expect("done");
        }
        assert_eq!(*order.lock().expect("order"), ["person", "live 1", "live 2", "import", "scan"]);
    }

    #[tokio::test]
    async fn s48_a_silent_portal_is_left_alone_for_growing_times_and_nobody_waits() {
        let (clock, hand) = Clock::manual(DateTime::UNIX_EPOCH);
        let gate = Arc::new(Gate::default());
        gate.free.store(100, Ordering::SeqCst);
        let allowance: Arc<dyn AllowanceStore> = gate.clone();
        let queue = Queue::new(480.0);
        let permit = || queue.permit(Priority::Live, &allowance, &clock, 50, 2);
        assert_eq!(queue.silent(clock.now_ms()), None, "one failure may be chance");
        assert!(permit().await.is_ok());
        let pauses: Vec<_> = (0..9).filter_map(|_| queue.silent(clock.now_ms())).map(|pause| pause.as_secs()).collect();
        assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 300]);
        let error = permit().await.expect_err("paused");
        assert_eq!((error.retry_after(), error.outcome_unknown), (Some(Duration::from_secs(300)), false));
        hand.advance(Duration::from_secs(300));
        assert!(permit().await.is_ok(), "one may try again");
        queue.alive();
        assert_eq!(queue.silent(clock.now_ms()), None, "it begins anew");
    }

    #[test]
    fn s48_a_little_of_the_burst_is_kept_back() {
        assert_eq!((margin(50), margin(250), margin(2), margin(1)), (2, 10, 1, 0));
    }
}
