//! Kaiten as the second tracker (E-19, S-42…S-48): one request ↔ one card, each word once and in order, states both ways, whatever
//! becomes of answers, processes and Kaiten itself.

mod both;
mod limit;
mod words;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fb24_sandbox::kaiten::{BOARD, Card, DONE, Fate, Kaiten, ME, Op, QUEUE, TOKEN, WORK};
use fidelio_bitrix24::clock::Clock;
use fidelio_bitrix24::domain::PortalId;
use fidelio_bitrix24::domain::support::life::{Action, Reason};
use fidelio_bitrix24::domain::support::{RequestNumber, Role, State};
use fidelio_bitrix24::kaiten::{Client, Settings};
use fidelio_bitrix24::net::Guard;
use fidelio_bitrix24::store::desk::outbox::{self, Channel, Kind};
use fidelio_bitrix24::store::desk::requests::RequestRow;
use fidelio_bitrix24::store::problems;
use fidelio_bitrix24::support::act::Deed;
use fidelio_bitrix24::support::cards::{CardError, CardTracker, Deps};
use fidelio_bitrix24::support::deliver::StepObserver;
use secrecy::SecretString;

use crate::desk::{actor, report};
use crate::on_both_engines;
use crate::support::api::{Api, start_time};
use crate::support::db::TestDb;

const SPECIALIST: i64 = 5;

/// A desk whose requests get a card, and a task besides that nobody fetches here.
pub struct Bench {
    pub api: Api,
    pub kaiten: Kaiten,
    client: Arc<Client>,
    pub desk: PortalId,
    customer: PortalId,
}

pub fn client_at(url: &str, port: u16, rate: Option<usize>) -> Client {
    let guard = Guard::parse(&[format!("kaiten=127.0.0.1/32:{port}")]).expect("a guard");
    let (token, board) = (SecretString::from(TOKEN.to_owned()), BOARD.to_string());
    Client::new(&guard, &Settings { url, token: &token, board: &board, rate }, Clock::system()).expect("a client")
}

impl Bench {
    pub async fn start(db: TestDb) -> Self {
        Self::with(db, None).await
    }

    pub async fn with(db: TestDb, rate: Option<usize>) -> Self {
        let api = Api::with(db, |config| {
            config.support.portal = "vendor".into();
            config.support.tracker = vec!["bitrix24".into(), "kaiten".into()];
        })
        .await;
        let (desk, customer) = (api.portal("vendor").await, api.portal("m1").await);
        let kaiten = Kaiten::start(start_time());
        let client = Arc::new(client_at(&kaiten.url(), kaiten.port(), rate));
        Self { api, kaiten, client, desk, customer }
    }

    pub fn node(&self, observer: Option<StepObserver>) -> CardTracker {
        CardTracker::new(Deps {
            desk: self.api.desk.clone(),
            cards: self.client.clone(),
            board: "board".into(),
            lease: Duration::from_secs(20),
            observer,
        })
    }

    pub fn pass(&self, seconds: u64) {
        self.api.clock.advance(Duration::from_secs(seconds));
        self.kaiten.advance(Duration::from_secs(seconds));
    }

    pub async fn register(&self) -> RequestNumber {
        self.api.desk.register(self.desk, report(self.customer, 6)).await.expect("registered").row.number
    }

    pub async fn row(&self, number: RequestNumber) -> RequestRow {
        self.api.desk.find(self.desk, number).await.expect("there")
    }

    pub async fn does(&self, number: RequestNumber, role: Role, action: Action, text: Option<&str>) {
        let deed = Deed::Step { action, text: text.map(str::to_owned) };
        self.api.desk.act(&actor(&[role], 6), &self.row(number).await, &deed).await.expect("done");
    }

    pub async fn says(&self, number: RequestNumber, text: &str) {
        self.does(number, Role::Submitter, Action::Say, Some(text)).await;
    }

    pub async fn rows(&self, number: RequestNumber, channel: Channel) -> Vec<(Kind, i32)> {
        let id = self.row(number).await.id;
        let rows = outbox::of_request(&self.api.db, self.desk, id).await.expect("rows");
        rows.into_iter().filter(|row| row.channel == channel).map(|row| (row.kind, row.state)).collect()
    }

    async fn is_quiet(&self, number: RequestNumber) -> bool {
        let rows = self.rows(number, Channel::Kaiten).await;
        rows.iter().all(|(_, state)| !matches!(*state, outbox::WAITING | outbox::SENT))
    }

    /// Nodes come and time passes until nothing is open any more.
    pub async fn until_quiet(&self, number: RequestNumber) {
        for _ in 0..40 {
            let _ = self.node(None).visit().await;
            if self.is_quiet(number).await {
                return;
            }
            self.pass(70);
        }
        panic!("rows do not come to an end: {:?}", self.rows(number, Channel::Kaiten).await);
    }

    /// Everything is sent, looked for and read.
    pub async fn settle(&self) {
        for _ in 0..3 {
            self.pass(70);
            self.node(None).visit().await.expect("a visit");
        }
    }

    pub fn card(&self) -> Card {
        let cards = self.kaiten.cards();
        assert_eq!(cards.len(), 1, "one request, one card: {cards:?}");
        cards.into_iter().next().expect("a card")
    }

    /// What of ours was said in the card: its second line, without who said it and our mark.
    pub fn said(&self) -> Vec<String> {
        let ours = self.card().comments.into_iter().filter(|said| said.author == ME);
        ours.map(|said| said.text.lines().nth(1).unwrap_or_default().to_owned()).collect()
    }

    /// What of the history these eyes see, as `action: text`.
    pub async fn seen_by(&self, number: RequestNumber, role: Role) -> Vec<String> {
        let whole = self.api.desk.whole(&actor(&[role], 6), &self.row(number).await).await.expect("a page");
        let told = whole.history.iter().filter_map(|told| told.content.as_ref());
        let told = told
            .filter_map(|content| Some((content["action"].as_str()?, content["text"].as_str().unwrap_or_default())));
        told.map(|(action, text)| format!("{action}: {text}")).collect()
    }

    pub async fn times(&self, number: RequestNumber, entry: &str) -> usize {
        self.seen_by(number, Role::Operator).await.iter().filter(|told| *told == entry).count()
    }

    /// What is told of troubles: cause and kind.
    pub async fn told(&self) -> Vec<(String, String)> {
        let key = self.api.directory.key(self.desk).await.expect("a key");
        let told = problems::page(&self.api.db, self.desk, &key, &problems::ListOf::default(), 10).await;
        told.expect("problems").into_iter().map(|problem| (problem.cause, problem.kind)).collect()
    }
}

pub fn reason(text: &str) -> Reason {
    Reason::parse(text).expect("a reason")
}

/// Stops at this step when it comes the so-manieth time, as a crash would.
pub fn dies_at(dying: &'static str, skip: i32) -> StepObserver {
    let left = Mutex::new(skip);
    Arc::new(move |step| {
        let mut left = left.lock().expect("a count");
        if step == dying && *left == 0 {
            return false;
        }
        *left -= i32::from(step == dying);
        true
    })
}

on_both_engines! {
    e19_a_request_is_one_card_whatever_becomes_of_the_answer(db) {
        let later = Fate::Later(Duration::from_secs(30));
        for fate in [Fate::LostBefore, Fate::LostAfter, later, Fate::Html(502), Fate::HtmlAfter(502), Fate::HtmlAfter(200)] {
            let bench = Bench::start(db.another().await).await;
            let number = bench.register().await;
            bench.says(number, "one").await;
            bench.kaiten.fault(Op::Make, fate);
            assert!(matches!(bench.node(None).deliver().await, Err(CardError::Kaiten(_))), "{fate:?}: nobody knows");
            bench.pass(60);
            bench.node(None).deliver().await.expect("a visit");
            assert_eq!(bench.kaiten.requests(Op::Make), 1, "held until it cannot be carried out any more");
            bench.until_quiet(number).await;
            let card = bench.card();
            assert_eq!(card.external_id, Some(format!("fidelio-bitrix24:{number}")), "{fate:?}");
            assert!(card.title.starts_with(&format!("[{number}]")) && card.column == QUEUE, "{card:?}");
            assert!(card.fields["description"].as_str().is_some_and(|text| text.contains("**Логин:** anna")), "{card:?}");
            assert_eq!(bench.said(), ["one"], "{fate:?}");
            assert!(bench.rows(number, Channel::Kaiten).await.iter().all(|(_, state)| *state == outbox::DONE));
        }
    }

    e19_a_node_that_dies_at_any_step_leaves_one_card_and_each_word_once(db) {
        for dying in ["card.turn", "card.marked", "card.sent", "card.recorded"] {
            for skip in 0..5 {
                let bench = Bench::start(db.another().await).await;
                let number = bench.register().await;
                bench.says(number, "one").await;
                bench.does(number, Role::Operator, Action::Take, None).await;
                bench.does(number, Role::Operator, Action::Answer, None).await;
                bench.does(number, Role::Submitter, Action::Dispute(reason("two")), None).await;
                bench.says(number, "three").await;
                let died = bench.node(Some(dies_at(dying, skip)));
                let mut result = died.visit().await;
                for _ in 0..10 {
                    if result.is_err() {
                        break;
                    }
                    result = died.visit().await;
                }
                assert!(matches!(result, Err(CardError::Stopped(_))), "{dying} {skip}: {result:?}");
                let other = bench.node(None).visit().await;
                assert!(matches!(other, Err(CardError::Elsewhere)), "its lease stands: {other:?}");
                bench.pass(70);
                bench.until_quiet(number).await;
                assert_eq!(bench.said(), ["one", "two", "three"], "{dying} {skip}");
                let card = bench.card();
                assert_eq!((card.column, &card.moves), (WORK, &vec![QUEUE, WORK, DONE, WORK]), "{dying} {skip}: each move once");
                bench.settle().await;
                assert_eq!(bench.row(number).await.state, State::InProgress, "nothing of ours is taken for a person's");
                assert_eq!(bench.times(number, "answer: ").await, 1, "{dying} {skip}");
            }
        }
    }

    s42_words_arrive_in_their_order_and_once_while_answers_get_lost(db) {
        let bench = Bench::start(db).await;
        let number = bench.register().await;
        let words = ["one", "two", "three", "four", "five"];
        for word in words {
            bench.says(number, word).await;
        }
        for fate in [Fate::LostAfter, Fate::LostBefore, Fate::Later(Duration::from_secs(50)), Fate::HtmlAfter(504)] {
            bench.kaiten.fault(Op::Comment, fate);
        }
        bench.until_quiet(number).await;
        assert_eq!(bench.said(), words);
    }

    e19_a_search_that_does_not_search_makes_no_second_card_and_is_told(db) {
        let bench = Bench::start(db).await;
        let number = bench.register().await;
        bench.kaiten.strangers_card(Some("another"));
        bench.kaiten.searches(false);
        bench.kaiten.fault(Op::Make, Fate::LostAfter);
        let _ = bench.node(None).deliver().await;
        for _ in 0..5 {
            bench.pass(70);
            bench.node(None).visit().await.expect("others go on");
        }
        assert_eq!((bench.kaiten.requests(Op::Make), bench.kaiten.cards().len()), (1, 2), "never again unseen");
        assert_eq!(bench.told().await, [("desk.undelivered".to_owned(), "failed".to_owned())]);
        bench.kaiten.searches(true);
        bench.pass(3_600);
        bench.until_quiet(number).await;
        assert_eq!((bench.kaiten.cards().len(), bench.told().await.len()), (2, 0));
    }

    e19_a_refused_card_waits_for_a_person_and_a_refused_token_for_another(db) {
        let bench = Bench::start(db).await;
        let (one, two) = (bench.register().await, bench.register().await);
        bench.kaiten.fault(Op::Make, Fate::Status(422));
        bench.until_quiet(two).await;
        bench.pass(10);
        bench.node(None).visit().await.expect("a visit");
        assert_eq!(bench.rows(one, Channel::Kaiten).await[0].1, outbox::FAILED);
        assert_eq!(bench.rows(two, Channel::Kaiten).await[0].1, outbox::DONE, "it blocks nobody else");
        let three = bench.register().await;
        bench.kaiten.fault(Op::Make, Fate::Status(401));
        assert!(matches!(bench.node(None).deliver().await, Err(CardError::Kaiten(_))));
        assert_eq!(bench.rows(three, Channel::Kaiten).await[0].1, outbox::WAITING);
        bench.pass(301);
        bench.until_quiet(three).await;
        assert_eq!(bench.kaiten.cards().len(), 2);
    }

    e19_a_card_that_people_deleted_is_told_and_not_made_again(db) {
        let bench = Bench::start(db).await;
        let number = bench.register().await;
        bench.settle().await;
        bench.kaiten.delete(bench.card().id);
        bench.pass(3_700);
        bench.settle().await;
        assert_eq!(bench.times(number, "card_gone: ").await, 1);
        assert_eq!(bench.told().await, [("desk.card_gone".to_owned(), "doubtful".to_owned())]);
        bench.says(number, "one").await;
        bench.until_quiet(number).await;
        assert!(bench.kaiten.cards().is_empty());
    }

    e19_a_strangers_card_of_the_same_number_is_not_touched(db) {
        let bench = Bench::start(db).await;
        let number = bench.register().await;
        bench.settle().await;
        // Another company's Kaiten: the number means somebody else's card.
        let other = Kaiten::start(start_time());
        let mut stranger = 0;
        while stranger < bench.card().id {
            stranger = other.strangers_card(Some("theirs"));
        }
        let client = Arc::new(client_at(&other.url(), other.port(), None));
        let moved = Bench { client, ..bench };
        moved.says(number, "one").await;
        moved.does(number, Role::Operator, Action::Take, None).await;
        moved.pass(70);
        moved.node(None).visit().await.expect("a visit");
        let card = other.cards().into_iter().find(|card| card.id == stranger).expect("there");
        assert_eq!((card.comments.len(), card.moves.len()), (0, 1));
        assert_eq!(other.requests(Op::Comment) + other.requests(Op::Change), 0);
    }
}
