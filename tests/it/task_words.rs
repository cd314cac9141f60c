//! What specialists do in a request's task reaches the request (S-39, S-42…S-45): each word and each step once, to whom it is
//! meant, whatever becomes of events, processes and the task.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fb24_sandbox::portal::{Edition, Portal, PortalClock, PortalOptions, Step as Button};
use fidelio_bitrix24::bitrix::{self, PortalClient};
use fidelio_bitrix24::crypto::{Keyring, TenantKey};
use fidelio_bitrix24::domain::support::life::{Action, Reason};
use fidelio_bitrix24::domain::support::{Role, State};
use fidelio_bitrix24::domain::{Lang, PortalId};
use fidelio_bitrix24::portal::plan;
use fidelio_bitrix24::store::desk::heard::{self, Heard};
use fidelio_bitrix24::store::desk::outbox::{self, Channel, Kind};
use fidelio_bitrix24::store::desk::requests::RequestRow;
use fidelio_bitrix24::store::{Db, StoreError, keys, problems};
use fidelio_bitrix24::support::act::Deed;
use fidelio_bitrix24::support::deliver::{self, DeliverError, StepObserver, TaskDelivery, TaskPlace, TaskPortals};
use fidelio_bitrix24::support::listen::{self, ListenError, TaskListener};
use serde_json::json;

use crate::bitrix::portal::client_of;
use crate::desk::{actor, report};
use crate::on_both_engines;
use crate::support::api::{Api, start_time};
use crate::support::db::TestDb;
use crate::support::portal::{Stand, options};

/// The support portal of a bench.
struct Place {
    client: PortalClient,
    v3: bool,
    db: Db,
    keyring: Arc<Keyring>,
}

#[async_trait]
impl TaskPortals for Place {
    async fn place(&self, _: PortalId) -> Result<TaskPlace, DeliverError> {
        let (client, v3) = (self.client.clone(), self.v3);
        Ok(TaskPlace { client, v3, creator: 1, lang: Lang::Ru, request_cap: Duration::from_secs(60) })
    }
    async fn request_key(&self, portal: PortalId) -> Result<TenantKey, StoreError> {
        keys::obtain_for(&self.db, &self.keyring, portal, keys::REQUESTS, 0).await
    }
    async fn key(&self, portal: PortalId) -> Result<TenantKey, StoreError> {
        keys::obtain(&self.db, &self.keyring, portal, 0).await
    }
    async fn failed(&self, _: PortalId, _: &bitrix::Error) {}
}

/// A desk whose tasks stand in an emulated portal, with one request that a specialist works: user 2.
struct Bench {
    api: Api,
    portal: Portal,
    place: Arc<Place>,
    desk: PortalId,
    number: fidelio_bitrix24::domain::support::RequestNumber,
}

const TASK: i64 = 1;
const SPECIALIST: i64 = 2;
const EDITIONS: [Edition; 2] = [Edition::Cloud, Edition::Box];

impl Bench {
    async fn start(db: TestDb, edition: Edition) -> Self {
        let api = Api::with(db, |config| config.support.portal = "vendor".into()).await;
        let (desk, customer) = (api.portal("vendor").await, api.portal("m1").await);
        let options = PortalOptions { edition, clock: PortalClock::fixed(start_time()), ..PortalOptions::default() };
        let portal = Portal::start(options);
        portal.set_installed();
        let (client, _) = client_of(&portal, &api.db, api.now.clone(), 480);
        let place = Place { client, v3: edition != Edition::Box, db: api.db.clone(), keyring: api.keyring.clone() };
        let number = api.desk.register(desk, report(customer, 6)).await.expect("registered").row.number;
        let bench = Self { api, portal, place: Arc::new(place), desk, number };
        bench.deliver().await;
        bench.portal.edit_task_as(1, TASK, &json!({"RESPONSIBLE_ID": "2"})).expect("handed on");
        bench.by(&[Role::Operator], Action::Take).await;
        bench.deliver().await;
        bench.read().await;
        bench
    }

    async fn deliver(&self) {
        self.deliver_to(Channel::Task, self.desk).await;
    }

    async fn deliver_to(&self, channel: Channel, target: PortalId) {
        let delivery = TaskDelivery::new(deliver::Deps {
            db: self.api.db.clone(),
            clock: self.api.now.clone(),
            portals: self.place.clone(),
            post: None,
            lease: Duration::from_secs(20),
            observer: None,
        });
        delivery.deliver(channel, target).await.expect("delivered");
        self.pass(30);
    }

    fn node(&self, observer: Option<StepObserver>) -> TaskListener {
        let portals = self.place.clone();
        TaskListener::new(listen::Deps {
            desk: self.api.desk.clone(),
            portals,
            lease: Duration::from_secs(20),
            observer,
        })
    }

    /// An event came.
    async fn hint(&self) {
        self.api.desk.task_may_have_changed(self.desk, TASK).await.expect("hinted");
    }

    async fn read(&self) {
        self.node(None).listen(self.desk).await.expect("read");
        self.pass(30);
    }

    async fn hear(&self) {
        self.hint().await;
        self.read().await;
    }

    fn pass(&self, seconds: u64) {
        self.api.clock.advance(Duration::from_secs(seconds));
        self.portal.advance(Duration::from_secs(seconds));
    }

    async fn row(&self) -> RequestRow {
        self.api.desk.find(self.desk, self.number).await.expect("there")
    }

    async fn state(&self) -> State {
        self.row().await.state
    }

    async fn by(&self, roles: &[Role], action: Action) {
        let row = self.row().await;
        let deed = Deed::Step { action, text: None };
        self.api.desk.act(&actor(roles, 6), &row, &deed).await.expect("done");
    }

    fn press(&self, button: Button) {
        self.pass(5);
        self.portal.step_task_as(SPECIALIST, TASK, button).expect("pressed");
    }

    /// What of the history these eyes see, as `action: text`.
    async fn seen_by(&self, role: Role) -> Vec<String> {
        let whole = self.api.desk.whole(&actor(&[role], 6), &self.row().await).await.expect("a page");
        let told = whole.history.iter().filter_map(|told| told.content.as_ref());
        let told = told
            .filter_map(|content| Some((content["action"].as_str()?, content["text"].as_str().unwrap_or_default())));
        told.map(|(action, text)| format!("{action}: {text}")).collect()
    }

    async fn times(&self, entry: &str) -> usize {
        self.seen_by(Role::Operator).await.iter().filter(|told| *told == entry).count()
    }

    /// Rows that ever left for the task, and for people.
    async fn left_for(&self, channel: Channel) -> Vec<Kind> {
        let rows = outbox::of_request(&self.api.db, self.desk, self.row().await.id).await.expect("rows");
        rows.into_iter().filter(|row| row.channel == channel).map(|row| row.kind).collect()
    }

    async fn heard(&self) -> Heard {
        heard::of_request(&self.api.db, self.desk, self.row().await.id).await.expect("read").expect("known")
    }
}

fn dispute() -> Action {
    Action::Dispute(Reason::parse("не помогло").expect("a reason"))
}

on_both_engines! {
    s37_whoever_reported_in_his_portal_is_told_there_in_one_notice_a_request(db) {
        let bench = Bench::start(db, Edition::Cloud).await;
        let customer = bench.row().await.customer.expect("a portal");
        let row = bench.api.desk.register(bench.desk, report(customer, SPECIALIST)).await.expect("registered").row;
        let told = async || {
            bench.deliver_to(Channel::Notice, customer).await;
            let notices = bench.portal.notices();
            let own = notices.into_iter().filter(|notice| notice.user == SPECIALIST);
            own.map(|notice| notice.message).collect::<Vec<_>>()
        };
        assert_eq!(told().await, Vec::<String>::new(), "what he did himself he knows");
        let operator = actor(&[Role::Operator], 9);
        let step = |action, text: Option<&str>| Deed::Step { action, text: text.map(str::to_owned) };
        let row = bench.api.desk.act(&operator, &row, &step(Action::Take, None)).await.expect("taken");
        let row = bench.api.desk.act(&operator, &row, &step(Action::Ask, Some("Какой [b]отель?"))).await.expect("asked");
        let asked = told().await;
        assert_eq!(asked.len(), 1, "{asked:?}");
        assert!(asked[0].contains(&format!("Обращение {}: Нет броней", row.number)), "{asked:?}");
        assert!(asked[0].contains("отель?") && !asked[0].contains("[b]отель"), "what people write marks up nothing: {asked:?}");
        bench.api.desk.act(&operator, &row, &step(Action::Answer, Some("Готово"))).await.expect("answered");
        let answered = told().await;
        assert!(answered.len() == 1 && answered[0].contains("Готово"), "the newest in its place: {answered:?}");
    }

    s39_s42_words_in_a_task_reach_the_customer_where_they_are_meant_for_him(db) {
        for edition in EDITIONS {
            let bench = Bench::start(db.another().await, edition).await;
            let row = bench.row().await;
            let word = Deed::Step { action: Action::Say, text: Some("Клиенту: я сам клиент".into()) };
            bench.api.desk.act(&actor(&[Role::Submitter], 6), &row, &word).await.expect("said");
            bench.deliver().await;
            let (told, left) = (bench.portal.said(TASK).len(), bench.left_for(Channel::Task).await);
            bench.portal.say_as(SPECIALIST, TASK, "посмотрю в базе");
            bench.portal.say_as(SPECIALIST, TASK, "[b]Клиенту:[/b] обновите страницу");
            for _ in 0..2 {
                bench.hear().await;
            }
            let customer = bench.seen_by(Role::Submitter).await;
            assert_eq!(customer[customer.len() - 2..], ["say: Клиенту: я сам клиент", "say: обновите страницу"], "{edition:?}");
            assert_eq!(bench.times("note: посмотрю в базе").await, 1, "{edition:?}");
            assert_eq!(bench.left_for(Channel::Task).await, left, "nothing is told where it came from");
            bench.deliver().await;
            assert_eq!(bench.portal.said(TASK).len(), told + 2, "{edition:?}");
        }
    }

    s42_a_desk_has_words_of_its_own_and_a_closed_request_says_that_it_sends_nothing(db) {
        let bench = Bench::start(db, Edition::Cloud).await;
        let (mut settings, version) = bench.api.desk.settings(bench.desk).await.expect("settings");
        settings.to_customer = vec!["a:b".into()];
        let wrong = bench.api.desk.save_settings(bench.desk, version, settings.clone(), 1).await.expect("checked");
        assert_eq!(wrong, Err(vec![("/to_customer/0".to_owned(), "to_customer")]));
        settings.to_customer = vec!["Гостю".into()];
        bench.api.desk.save_settings(bench.desk, version, settings, 1).await.expect("saved").expect("right");
        bench.portal.say_as(SPECIALIST, TASK, "Клиенту: нет");
        bench.portal.say_as(SPECIALIST, TASK, "гостю: да");
        bench.hear().await;
        assert_eq!((bench.times("note: Клиенту: нет").await, bench.times("say: да").await), (1, 1));
        bench.by(&[Role::Submitter], Action::Withdraw(Reason::parse("само").expect("a reason"))).await;
        bench.deliver().await;
        bench.portal.say_as(SPECIALIST, TASK, "гостю: поздно");
        bench.hear().await;
        assert_eq!((bench.times("note: гостю: поздно").await, bench.state().await), (1, State::Closed));
        bench.deliver().await;
        let last = bench.portal.said(TASK).last().expect("said").text.clone();
        assert!(last.contains("закрыто"), "{last}");
        bench.hear().await;
        assert_eq!(bench.times("note: гостю: поздно").await, 1);
    }

    s43_s44_a_completed_task_answers_and_a_dispute_is_not_undone_by_what_it_disputes(db) {
        for edition in EDITIONS {
            let bench = Bench::start(db.another().await, edition).await;
            bench.press(Button::Complete);
            bench.hear().await;
            assert_eq!(bench.state().await, State::Answered, "{edition:?}");
            bench.deliver().await;
            assert_eq!(bench.portal.tasks()[0].1["STATUS"], "4", "it waits for the customer");

            // The answer is given elsewhere, the task follows, and nobody has read it when the customer disagrees.
            bench.by(&[Role::Submitter], dispute()).await;
            bench.hear().await;
            assert_eq!(bench.state().await, State::InProgress, "{edition:?}: the task has yet to follow");
            bench.deliver().await;
            assert_eq!(bench.portal.tasks()[0].1["STATUS"], "2");
            bench.pass(10);
            bench.read().await;
            assert_eq!((bench.state().await, bench.times("answer: ").await), (State::InProgress, 1), "{edition:?}");
            let heard = bench.heard().await;
            assert_eq!((heard.hints, heard.status.as_str()), (heard.heeded, "waiting"), "it was read after all");
        }
    }

    s44_an_answer_of_ours_that_nobody_read_is_no_persons(db) {
        let bench = Bench::start(db, Edition::Cloud).await;
        bench.by(&[Role::Operator], Action::Answer).await;
        bench.deliver().await;
        assert_eq!(bench.portal.tasks()[0].1["STATUS"], "5", "ours");
        bench.by(&[Role::Submitter], dispute()).await;
        bench.hear().await;
        assert_eq!((bench.state().await, bench.times("answer: ").await), (State::InProgress, 1));
    }

    s39_a_robot_that_moves_a_task_to_and_fro_is_neither_fought_nor_followed_for_ever(db) {
        let bench = Bench::start(db, Edition::Cloud).await;
        let before = bench.portal.request_count();
        for _ in 0..4 {
            bench.press(Button::Complete);
            bench.hear().await;
            bench.deliver().await;
            bench.press(Button::Renew);
            bench.hear().await;
            bench.deliver().await;
        }
        assert_eq!((bench.state().await, bench.times("answer: ").await), (State::Answered, 1));
        assert_eq!(bench.portal.tasks()[0].1["STATUS"], "2", "as the robot left it");
        assert!(bench.portal.request_count() - before <= 8 * 4, "read, and nothing else");
        assert_eq!(bench.left_for(Channel::Task).await.iter().filter(|kind| **kind == Kind::State).count(), 1, "the taking");
    }

    s42_a_node_that_dies_at_any_step_neither_loses_nor_doubles_a_word(db) {
        for edition in EDITIONS {
            for dying in ["hear.read", "hear.understood", "hear.written"] {
                let bench = Bench::start(db.another().await, edition).await;
                bench.portal.say_as(SPECIALIST, TASK, "Клиенту: one");
                bench.portal.say_as(SPECIALIST, TASK, "two");
                bench.press(Button::Complete);
                bench.hint().await;
                let observer: StepObserver = Arc::new(move |step| step != dying);
                let died = bench.node(Some(observer)).listen(bench.desk).await;
                assert!(matches!(died, Err(ListenError::Portal(DeliverError::Stopped(_)))), "{dying}: {died:?}");
                let other = bench.node(None).listen(bench.desk).await;
                assert!(matches!(other, Err(ListenError::Portal(DeliverError::Elsewhere(_)))), "{dying}: {other:?}");
                bench.pass(30);
                bench.read().await;
                bench.read().await;
                let times = (bench.times("say: one").await, bench.times("note: two").await, bench.times("answer: ").await);
                assert_eq!((times, bench.state().await), ((1, 1, 1), State::Answered), "{edition:?} {dying}");
            }
        }
    }

    s42_of_two_nodes_that_read_one_task_one_acts(db) {
        let bench = Bench::start(db, Edition::Cloud).await;
        bench.portal.say_as(SPECIALIST, TASK, "Клиенту: one");
        bench.hint().await;
        let (a, b) = (bench.node(None), bench.node(None));
        let (first, second) = tokio::join!(a.listen(bench.desk), b.listen(bench.desk));
        assert!(first.is_ok() || second.is_ok());
        bench.read().await;
        assert_eq!(bench.times("say: one").await, 1);
        // Without a lease between them it is the revision that decides.
        let known = bench.heard().await;
        for wanted in [true, false] {
            let tx = bench.api.db.begin().await.expect("a transaction");
            assert_eq!(heard::save(&tx, bench.desk, &known).await.expect("tried"), wanted);
            tx.commit().await.expect("committed");
        }
    }

    s39_a_change_that_no_event_told_of_is_found_and_rest_costs_nothing(db) {
        for edition in EDITIONS {
            let bench = Bench::start(db.another().await, edition).await;
            bench.portal.say_as(SPECIALIST, TASK, "Клиенту: one");
            assert_eq!(bench.node(None).scan(bench.desk).await.expect("a look"), 1, "{edition:?}");
            bench.read().await;
            assert_eq!(bench.times("say: one").await, 1, "{edition:?}");
            for _ in 0..2 {
                bench.node(None).scan(bench.desk).await.expect("a look");
                bench.read().await;
            }
            let before = bench.portal.request_count();
            assert_eq!(bench.node(None).scan(bench.desk).await.expect("a look"), 0, "{edition:?}");
            bench.read().await;
            assert_eq!(bench.portal.request_count(), before + 1, "one list");
            assert_eq!(bench.times("say: one").await, 1);
        }
    }

    s39_a_word_of_the_second_in_which_its_task_was_read_is_not_lost(db) {
        let bench = Bench::start(db, Edition::Cloud).await;
        bench.portal.say_as(SPECIALIST, TASK, "Клиенту: one");
        bench.hint().await;
        bench.node(None).listen(bench.desk).await.expect("read");
        bench.portal.say_as(SPECIALIST, TASK, "Клиенту: two");
        bench.pass(60);
        assert_eq!(bench.node(None).scan(bench.desk).await.expect("a look"), 1);
        bench.read().await;
        assert_eq!((bench.times("say: one").await, bench.times("say: two").await), (1, 1));
    }

    s39_a_look_takes_few_requests_and_goes_on_where_it_ended(db) {
        let bench = Bench::start(db, Edition::Cloud).await;
        bench.node(None).scan(bench.desk).await.expect("a look");
        bench.read().await;
        bench.portal.say_as(SPECIALIST, TASK, "Клиенту: one");
        bench.pass(600);
        for n in 0..230 {
            let fields = json!({"TITLE": format!("[FB-copy {n}]"), "RESPONSIBLE_ID": "2"});
            bench.portal.add_task_as(1, &fields).expect("added");
        }
        let before = bench.portal.request_count();
        assert_eq!(bench.node(None).scan(bench.desk).await.expect("a look"), 0);
        assert_eq!(bench.portal.request_count() - before, 4);
        bench.pass(60);
        assert_eq!(bench.node(None).scan(bench.desk).await.expect("a look"), 1);
        bench.read().await;
        assert_eq!(bench.times("say: one").await, 1);
    }

    s39_a_deleted_task_is_told_once_and_its_request_lives_on(db) {
        let bench = Bench::start(db, Edition::Cloud).await;
        let row = bench.row().await;
        bench.api.desk.act(&actor(&[Role::Operator], 5), &row, &Deed::Assign(7)).await.expect("assigned");
        bench.portal.delete_task_as(1, TASK).expect("deleted");
        // Nobody told of it: a day later it is read all the same.
        bench.pass(25 * 3_600);
        assert_eq!(bench.node(None).scan(bench.desk).await.expect("a look"), 1);
        bench.read().await;
        bench.hear().await;
        assert_eq!(bench.times("task_gone: ").await, 1);
        assert!(!bench.seen_by(Role::Submitter).await.contains(&"task_gone: ".to_owned()));
        assert_eq!(problems::open_count(&bench.api.db, bench.desk).await.expect("counted"), 1);
        bench.by(&[Role::Operator], Action::Answer).await;
        bench.by(&[Role::Submitter], Action::Confirm).await;
        assert_eq!(bench.state().await, State::Completed);
    }

    s39_a_task_that_cannot_be_read_blocks_no_other(db) {
        let bench = Bench::start(db, Edition::Cloud).await;
        let customer = bench.row().await.customer.expect("a customer");
        let other = bench.api.desk.register(bench.desk, report(customer, 6)).await.expect("registered").row;
        bench.deliver().await;
        bench.portal.say_as(SPECIALIST, 2, "Клиенту: two");
        bench.portal.fault(fb24_sandbox::portal::Fault::error("tasks.task.get", 400, "ERROR_X"));
        bench.hint().await;
        bench.api.desk.task_may_have_changed(bench.desk, 2).await.expect("hinted");
        bench.read().await;
        assert_eq!(bench.heard().await.failures, 1, "the first one is put off");
        let whole = bench.api.desk.whole(&actor(&[Role::Operator], 5), &other).await.expect("a page");
        assert!(whole.history.iter().any(|told| told.content.as_ref().is_some_and(|said| said["text"] == "two")));
    }

    s39_events_of_tasks_are_bound_on_the_support_portal_alone_and_hint(db) {
        for edition in EDITIONS {
            let db = db.another().await;
            let options = PortalOptions { edition, ..options() };
            let stand = Stand::with(&db.db, options, |sandbox, config| config.support.portal = sandbox.member_id());
            let portal = stand.install().await;
            let bound: BTreeSet<String> = stand.sandbox.bindings().into_iter().map(|bound| bound.event).collect();
            assert!(plan::TASK_EVENTS.iter().all(|event| bound.contains(*event)), "{edition:?}: {bound:?}");
            let tabs: Vec<String> = stand.sandbox.placements().into_iter().map(|tab| tab.placement).collect();
            assert!(tabs.contains(&"TASK_VIEW_TAB".to_owned()), "{edition:?}: {tabs:?}");
            let task = stand.sandbox.add_task_as(1, &json!({"TITLE": "[FB-x]", "RESPONSIBLE_ID": "2"})).expect("added");
            let tx = db.db.begin().await.expect("a transaction");
            heard::begin(&tx, portal.id, 1, task).await.expect("known");
            tx.commit().await.expect("committed");
            let hints = || async { heard::of_request(&db.db, portal.id, 1).await.expect("read").expect("known").hints };
            stand.sandbox.say_as(2, task, "one");
            assert!(stand.sandbox.events_settled().await);
            assert_eq!(hints().await, 2, "{edition:?}: a word");
            stand.sandbox.step_task_as(2, task, Button::Complete).expect("done");
            assert!(stand.sandbox.events_settled().await);
            assert_eq!(hints().await, 3, "{edition:?}: a status");
            stand.sandbox.delete_task_as(1, task).expect("deleted");
            assert!(stand.sandbox.events_settled().await);
            assert_eq!(hints().await, 4, "{edition:?}: its end");
            let forged = format!("event=ONTASKUPDATE&data[FIELDS_AFTER][ID]={task}&auth[member_id]={}&auth[application_token]=x", stand.sandbox.member_id());
            let answer = stand.http.post(format!("{}/bitrix/events", stand.node.url)).body(forged).send().await.expect("an answer");
            assert_eq!((answer.status().as_u16(), hints().await), (403, 4), "nobody else may hint");
        }
    }
}
