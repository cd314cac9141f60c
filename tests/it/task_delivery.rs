//! Requests leave for their tasks (S-37, S-39, S-42…S-45): each task and each message once, in order, whatever happens to
//! answers and to the process.

mod failing;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::DateTime;
use fb24_sandbox::portal::{Edition, Fault, Portal, PortalClock, PortalOptions, Step as Button};
use fidelio_bitrix24::bitrix::{self, PortalClient};
use fidelio_bitrix24::clock::{Clock, ManualClock};
use fidelio_bitrix24::crypto::TenantKey;
use fidelio_bitrix24::domain::support::history::Head;
use fidelio_bitrix24::domain::support::{Clocks, Kind, Priority, RequestNumber, Scope, State};
use fidelio_bitrix24::domain::{Lang, PortalId};
use fidelio_bitrix24::store::desk::outbox::{self, Channel, OutboxRow};
use fidelio_bitrix24::store::desk::requests::{self, Hashes, RequestRow};
use fidelio_bitrix24::store::{StoreError, problems};
use fidelio_bitrix24::support::deliver::{DeliverError, Deps, StepObserver, TaskDelivery, TaskPlace, TaskPortals};
use fidelio_bitrix24::support::outgoing::{Outgoing, Side, Task};
use tokio_util::sync::CancellationToken;

use crate::bitrix::portal::client_of;
use crate::on_both_engines;
use crate::support::db::TestDb;
use crate::support::world::until;

const DESK: PortalId = PortalId(1);
const CHANNEL: Channel = Channel::Task;

/// The one portal of a bench.
struct Place {
    client: PortalClient,
    v3: bool,
    key: TenantKey,
}

#[async_trait]
impl TaskPortals for Place {
    async fn place(&self, _: PortalId) -> Result<TaskPlace, DeliverError> {
        let (client, v3) = (self.client.clone(), self.v3);
        Ok(TaskPlace { client, v3, creator: 1, lang: Lang::Ru, request_cap: Duration::from_secs(60) })
    }
    async fn request_key(&self, _: PortalId) -> Result<TenantKey, StoreError> {
        Ok(self.key.clone())
    }
    async fn key(&self, _: PortalId) -> Result<TenantKey, StoreError> {
        Ok(self.key.clone())
    }
    async fn failed(&self, _: PortalId, _: &bitrix::Error) {}
}

/// A support portal whose clock stands, and a desk's database.
struct Bench {
    db: TestDb,
    portal: Portal,
    clock: Clock,
    hand: ManualClock,
    place: Arc<Place>,
}

impl Bench {
    fn at(db: TestDb, edition: Edition) -> Self {
        let start = DateTime::from_timestamp(1_790_000_000, 0).expect("a moment");
        let options = PortalOptions { edition, clock: PortalClock::fixed(start), ..PortalOptions::default() };
        let portal = Portal::start(options);
        portal.set_installed();
        let (clock, hand) = Clock::manual(start);
        let (client, _) = client_of(&portal, &db.db, clock.clone(), 480);
        let place = Arc::new(Place { client, v3: edition != Edition::Box, key: TenantKey::generate() });
        Self { db, portal, clock, hand, place }
    }

    /// A node; told at each step.
    fn node(&self, observer: Option<StepObserver>) -> TaskDelivery {
        self.node_for(Duration::from_secs(20), observer)
    }

    fn node_for(&self, lease: Duration, observer: Option<StepObserver>) -> TaskDelivery {
        TaskDelivery::new(Deps {
            db: self.db.db.clone(),
            clock: self.clock.clone(),
            portals: self.place.clone(),
            post: None,
            lease,
            observer,
        })
    }

    async fn rows(&self, request: i64) -> Vec<OutboxRow> {
        outbox::of_request(&self.db.db, DESK, request).await.expect("rows")
    }

    /// What is told of undelivered rows: subject and kind.
    async fn told(&self) -> Vec<(String, String)> {
        let of = problems::ListOf::default();
        let told = problems::page(&self.db.db, DESK, &self.place.key, &of, 10).await.expect("problems");
        told.into_iter().map(|problem| (problem.subject, problem.kind)).collect()
    }

    fn pass(&self, seconds: u64) {
        self.hand.advance(Duration::from_secs(seconds));
        self.portal.advance(Duration::from_secs(seconds));
    }

    /// A request with the rows that leave it; answers its id.
    async fn request(&self, serial: u32, rows: &[Outgoing]) -> i64 {
        let number = RequestNumber::new(2026, serial).expect("a number");
        let now = self.clock.now_ms();
        let row = RequestRow {
            id: 0,
            desk: DESK,
            customer: None,
            key_portal: DESK,
            number,
            kind: Kind::Incident,
            scope: Scope::User,
            priority: Priority::High,
            state: State::Registered,
            resolution: None,
            channel: "app".into(),
            app_version: String::new(),
            language: "ru".into(),
            submitter: None,
            assigned: Some(2),
            parent: None,
            content: vec![],
            clocks: Clocks::start(DateTime::UNIX_EPOCH),
            told: String::new(),
            look_at: None,
            silence: None,
            erased_at: None,
            rating: None,
            fixed_in: None,
            live_at: None,
            times: Default::default(),
            revision: 1,
            head: Head { place: 0, hash: [0; 32] },
            created_at: now,
            updated_at: now,
        };
        let tx = self.db.db.begin().await.expect("a transaction");
        let id = requests::insert(&tx, DESK, &row, &Hashes::default(), None).await.expect("stored").expect("new");
        tx.commit().await.expect("committed");
        self.leave(id, number, rows).await;
        id
    }

    async fn leave(&self, request: i64, number: RequestNumber, rows: &[Outgoing]) {
        let rows: Vec<_> = rows.iter().map(|what| what.row(CHANNEL, DESK).expect("a row")).collect();
        let of = outbox::Of { request, number, key_portal: DESK, key: &self.place.key };
        let tx = self.db.db.begin().await.expect("a transaction");
        outbox::add(&tx, DESK, of, &rows, self.clock.now_ms()).await.expect("stored");
        tx.commit().await.expect("committed");
    }

    async fn states(&self, request: i64) -> Vec<i32> {
        let rows = outbox::of_request(&self.db.db, DESK, request).await.expect("rows");
        rows.iter().map(|row| row.state).collect()
    }

    /// Nodes come and time passes until nothing is open any more.
    async fn until_quiet(&self, request: i64) {
        for _ in 0..20 {
            let _ = self.node(None).deliver(CHANNEL, DESK).await;
            if self.states(request).await.iter().all(|state| !matches!(*state, outbox::WAITING | outbox::SENT)) {
                return;
            }
            self.pass(70);
        }
        panic!("rows do not come to an end: {:?}", self.states(request).await);
    }

    /// What was said in the task, without our mark's line and the chat's own notes.
    fn said(&self, task: i64) -> Vec<String> {
        let ours = self.portal.said(task).into_iter().filter(|said| said.author == 1);
        ours.map(|said| said.text.lines().nth(1).unwrap_or_default().to_owned()).collect()
    }

    fn status(&self, task: usize) -> String {
        self.portal.tasks()[task].1["STATUS"].as_str().unwrap_or_default().to_owned()
    }
}

fn opened(serial: u32) -> Outgoing {
    let number = RequestNumber::new(2026, serial).expect("a number");
    Outgoing::Open(Box::new(Task {
        title: number.title("Нет броней"),
        kind: Kind::Incident,
        scope: Scope::User,
        priority: Priority::High,
        deadline: DateTime::from_timestamp(1_790_010_000, 0),
        responsible: Some(2),
        channel: "app".into(),
        app_version: "1.2".into(),
        customer: Some("hotel.example".into()),
        parent: None,
        description: "Не вижу [url=http://evil]броней[/url]".into(),
        conditions: String::new(),
        login: "anna".into(),
        portal: String::new(),
        name: String::new(),
        phone: String::new(),
        email: String::new(),
    }))
}

fn word(text: &str) -> Outgoing {
    Outgoing::Say { from: Side::Customer, text: text.into(), internal: false }
}

fn came_to(state: State, reason: Option<&str>) -> Outgoing {
    Outgoing::State { state, resolution: None, reason: reason.map(str::to_owned), deadline: None }
}

const EDITIONS: [Edition; 2] = [Edition::Cloud, Edition::Box];
const ADD: [&str; 2] = ["api/tasks.task.add", "tasks.task.add"];
const SAY: [&str; 2] = ["api/tasks.task.chat.message.send", "task.commentitem.add"];

on_both_engines! {
    s37_s39_a_request_is_one_task_whatever_becomes_of_the_answer(db) {
        for edition in EDITIONS {
            let late = |method: &str| Fault::commit_later(method, Duration::from_secs(30));
            let fates: [&dyn Fn(&str) -> Fault; 3] = [&Fault::before, &Fault::after_commit, &late];
            for fate in fates {
                let bench = Bench::at(db.another().await, edition);
                let request = bench.request(1, &[opened(1), word("one")]).await;
                ADD.iter().for_each(|method| bench.portal.fault(fate(method)));
                let node = bench.node(None);
                assert_eq!(node.deliver(CHANNEL, DESK).await.expect("a round"), 0, "nobody knows");
                bench.portal.clear_faults();
                bench.pass(64);
                let before = bench.portal.request_count();
                assert_eq!(node.deliver(CHANNEL, DESK).await.expect("a round"), 0);
                assert_eq!(bench.portal.request_count(), before, "held until it cannot be carried out any more");
                bench.until_quiet(request).await;
                let tasks = bench.portal.tasks();
                assert_eq!(tasks.len(), 1, "{edition:?}");
                assert_eq!(tasks[0].1["XML_ID"], "fidelio-bitrix24:FB-2026-000001");
                assert!(tasks[0].1["DESCRIPTION"].as_str().is_some_and(|text| text.contains("[ url=http://evil]")));
                assert_eq!(bench.said(tasks[0].0), ["one"]);
                assert_eq!(bench.states(request).await, [outbox::DONE, outbox::DONE]);
            }
        }
    }

    s39_a_node_that_dies_at_any_step_leaves_one_task_and_each_word_once(db) {
        for edition in EDITIONS {
            for dying in ["desk.marked", "desk.sent", "desk.recorded"] {
                for skip in 0..4 {
                    let bench = Bench::at(db.another().await, edition);
                    let rows = [opened(1), word("one"), came_to(State::InProgress, Some("two")), word("three")];
                    let request = bench.request(1, &rows).await;
                    let left = Arc::new(Mutex::new(skip));
                    let observer: StepObserver = Arc::new(move |step| {
                        let mut left = left.lock().expect("a count");
                        if step == dying && *left == 0 {
                            return false;
                        }
                        *left -= i32::from(step == dying);
                        true
                    });
                    let died = bench.node(Some(observer)).deliver(CHANNEL, DESK).await;
                    assert!(matches!(died, Err(DeliverError::Stopped(_))), "{dying} {skip}: {died:?}");
                    let other = bench.node(None).deliver(CHANNEL, DESK).await;
                    assert!(matches!(other, Err(DeliverError::Elsewhere(_))), "its lease stands: {other:?}");
                    bench.until_quiet(request).await;
                    assert_eq!(bench.portal.tasks().len(), 1, "{edition:?} {dying} {skip}");
                    assert_eq!(bench.said(1), ["one", "two", "three"], "{edition:?} {dying} {skip}");
                    assert_eq!(bench.status(0), "3", "in progress");
                }
            }
        }
    }

    s42_words_arrive_in_their_order_and_once_while_answers_get_lost(db) {
        for edition in EDITIONS {
            let bench = Bench::at(db.another().await, edition);
            let words = ["one", "two", "three", "four", "five"];
            let rows: Vec<_> = std::iter::once(opened(1)).chain(words.map(word)).collect();
            let request = bench.request(1, &rows).await;
            for method in SAY {
                bench.portal.fault(Fault::after_commit(method));
                bench.portal.fault(Fault::before(method));
                bench.portal.fault(Fault::commit_later(method, Duration::from_secs(50)));
            }
            bench.until_quiet(request).await;
            assert_eq!(bench.said(1), words, "{edition:?}");
        }
    }

    s44_s45_a_dispute_renews_the_task_and_a_confirmation_ends_it(db) {
        for edition in EDITIONS {
            let bench = Bench::at(db.another().await, edition);
            let number = RequestNumber::new(2026, 1).expect("a number");
            let request = bench.request(1, &[opened(1), came_to(State::InProgress, None)]).await;
            bench.until_quiet(request).await;
            bench.portal.step_task_as(2, 1, Button::Complete).expect("the specialist is done");
            assert_eq!(bench.status(0), "4");
            bench.leave(request, number, &[came_to(State::Answered, None)]).await;
            bench.until_quiet(request).await;
            assert_eq!(bench.status(0), "4", "it waits for the customer");
            bench.leave(request, number, &[came_to(State::InProgress, Some("не помогло"))]).await;
            bench.until_quiet(request).await;
            assert_eq!((bench.status(0).as_str(), bench.said(1)), ("2", vec!["не помогло".to_owned()]));
            bench.portal.step_task_as(2, 1, Button::Complete).expect("done once more");
            bench.leave(request, number, &[came_to(State::Completed, None), came_to(State::Closed, None)]).await;
            bench.until_quiet(request).await;
            assert_eq!(bench.status(0), "5");
            let moves = ["approve", "complete", "start", "renew"].map(|step| bench.portal.requests_of(&format!("tasks.task.{step}")).len());
            assert_eq!(moves, [1, 0, 1, 1], "each move once");
        }
    }

    s39_a_task_that_is_refused_keeps_the_rest_waiting_for_a_person(db) {
        let bench = Bench::at(db, Edition::Box);
        let request = bench.request(1, &[opened(1), word("one")]).await;
        let other = bench.request(2, &[opened(2)]).await;
        let number = RequestNumber::new(2026, 1).expect("a number");
        bench.portal.fault(Fault::error("tasks.task.add", 400, "100").bearing(&number.to_string()));
        assert_eq!(bench.node(None).deliver(CHANNEL, DESK).await.expect("a round"), 2);
        assert_eq!(bench.states(request).await, [outbox::FAILED, outbox::WAITING]);
        assert_eq!(bench.states(other).await, [outbox::DONE], "it blocks nobody else");
        let tx = bench.db.db.begin().await.expect("a transaction");
        outbox::retry(&tx, DESK, request, bench.clock.now_ms()).await.expect("once more");
        tx.commit().await.expect("committed");
        bench.until_quiet(request).await;
        assert_eq!((bench.portal.tasks().len(), bench.said(2)), (2, vec!["one".to_owned()]));
    }

    s39_the_worker_sends_by_itself_what_is_due_and_ends_when_told(db) {
        let bench = Bench::at(db, Edition::Cloud);
        let request = bench.request(1, &[opened(1), word("one")]).await;
        let (node, stop) = (bench.node(None), CancellationToken::new());
        let token = stop.clone();
        let work = tokio::spawn(async move { node.run(token).await });
        until("the request is in its task", 30, || async {
            let done = bench.states(request).await.iter().all(|state| *state == outbox::DONE);
            done.then_some(())
        })
        .await;
        stop.cancel();
        work.await.expect("it ends");
        assert_eq!((bench.portal.tasks().len(), bench.said(1)), (1, vec!["one".to_owned()]));
    }

    s39_a_task_that_people_deleted_is_not_made_again(db) {
        let bench = Bench::at(db, Edition::Cloud);
        let number = RequestNumber::new(2026, 1).expect("a number");
        let request = bench.request(1, &[opened(1)]).await;
        bench.until_quiet(request).await;
        bench.portal.delete_task_as(1, 1).expect("deleted");
        bench.leave(request, number, &[word("one"), came_to(State::Closed, None)]).await;
        bench.until_quiet(request).await;
        assert_eq!(bench.states(request).await, [outbox::DONE, outbox::REJECTED, outbox::REJECTED]);
        assert!(bench.portal.tasks().is_empty());
    }
}
