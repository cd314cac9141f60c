//! An emulated Kaiten: one board, its columns, cards and comments by the public REST API (facts A4), five requests a second, and
//! what networks do to answers. A comment is no change of its card; a list shows as much as it is told to.

#![expect(clippy::indexing_slicing, reason = "members of JSON objects made here; one that is missing reads as null")]

mod wire;

use std::collections::{BTreeMap, VecDeque};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

pub const TOKEN: &str = "kaiten-secret-token";
pub const BOARD: i64 = 77;
/// Whose token it is.
pub const ME: i64 = 1;
pub const QUEUE: i64 = 11;
pub const WORK: i64 = 12;
pub const REVIEW: i64 = 13;
pub const DONE: i64 = 14;
const PER_SECOND: usize = 5;

/// What a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Me,
    Columns,
    List,
    Read,
    Make,
    Change,
    Comments,
    Comment,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The connection breaks, nothing was done.
    LostBefore,
    /// It was done, the answer got lost.
    LostAfter,
    /// The answer got lost, and it is done so much later.
    Later(Duration),
    /// A page of HTML with this status, nothing was done.
    Html(u16),
    /// It was done, and a proxy answered with HTML.
    HtmlAfter(u16),
    /// A refusal in JSON.
    Status(u16),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Comment {
    pub id: i64,
    pub author: i64,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    pub id: i64,
    pub column: i64,
    pub title: String,
    pub external_id: Option<String>,
    /// As it was sent.
    pub fields: Value,
    pub condition: i64,
    pub comments: Vec<Comment>,
    /// Columns that it came to, the first one too.
    pub moves: Vec<i64>,
    updated: DateTime<Utc>,
    moved: DateTime<Utc>,
    commented: Option<DateTime<Utc>>,
}

struct State {
    now: DateTime<Utc>,
    cards: BTreeMap<i64, Card>,
    next: i64,
    faults: Vec<(Op, Fate)>,
    later: Vec<(DateTime<Utc>, wire::Request)>,
    down: bool,
    limited: bool,
    arrivals: VecDeque<Instant>,
    /// Requests that came too soon.
    refused: usize,
    requests: Vec<Op>,
    searches: bool,
    lists_comments: bool,
}

#[derive(Clone)]
pub struct Kaiten {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Kaiten {
    /// Listens on a free port of this machine.
    #[expect(clippy::expect_used, reason = "a machine without a free port runs no tests")]
    pub fn start(now: DateTime<Utc>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = State {
            now,
            cards: BTreeMap::new(),
            next: 1_000,
            faults: Vec::new(),
            later: Vec::new(),
            down: false,
            limited: false,
            arrivals: VecDeque::new(),
            refused: 0,
            requests: Vec::new(),
            searches: true,
            lists_comments: true,
        };
        let this = Self { address, state: Arc::new(Mutex::new(state)) };
        let shared = this.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                std::thread::spawn(move || wire::talk(stream, &shared));
            }
        });
        this
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Time passes; what was to be done later is done.
    pub fn advance(&self, by: Duration) {
        let mut state = self.lock();
        state.now += by;
        let now = state.now;
        let (due, later) = std::mem::take(&mut state.later).into_iter().partition(|(at, _)| *at <= now);
        state.later = later;
        let due: Vec<(DateTime<Utc>, wire::Request)> = due;
        for (_, request) in due {
            state.does(&request);
        }
    }

    /// The next request of this kind meets this fate, each fate once and in order.
    pub fn fault(&self, op: Op, fate: Fate) {
        self.lock().faults.push((op, fate));
    }

    pub fn clear_faults(&self) {
        self.lock().faults.clear();
    }

    /// Every request gets a proxy's page of HTML.
    pub fn down(&self, down: bool) {
        self.lock().down = down;
    }

    /// Keeps the limit of real seconds.
    pub fn limited(&self) {
        self.lock().limited = true;
    }

    /// Its search does not know external ids and answers with everything.
    pub fn searches(&self, searches: bool) {
        self.lock().searches = searches;
    }

    /// Whether lists tell of comments.
    pub fn lists_comments(&self, tells: bool) {
        self.lock().lists_comments = tells;
    }

    pub fn refused(&self) -> usize {
        self.lock().refused
    }

    pub fn requests(&self, op: Op) -> usize {
        self.lock().requests.iter().filter(|asked| **asked == op).count()
    }

    pub fn request_count(&self) -> usize {
        self.lock().requests.len()
    }

    pub fn cards(&self) -> Vec<Card> {
        self.lock().cards.values().cloned().collect()
    }

    /// Somebody writes in a card.
    pub fn say_as(&self, author: i64, card: i64, text: &str) {
        self.lock().say(author, card, text);
    }

    /// Somebody drags a card.
    pub fn drag(&self, card: i64, column: i64) {
        self.lock().change(card, &json!({"column_id": column}));
    }

    pub fn delete(&self, card: i64) {
        self.lock().cards.remove(&card);
    }

    /// Makes a card that is none of ours.
    pub fn strangers_card(&self, external_id: Option<&str>) -> i64 {
        let mut state = self.lock();
        let made = state.make(&json!({"title": "чужая", "board_id": BOARD, "external_id": external_id}));
        made["id"].as_i64().unwrap_or_default()
    }

    /// What becomes of an arriving request: its answer, or none.
    fn meet(&self, request: &wire::Request) -> Option<wire::Answer> {
        let mut state = self.lock();
        state.requests.push(request.op);
        if state.down {
            return Some(wire::html(502));
        }
        if request.token.as_deref() != Some(TOKEN) {
            return Some(wire::json(401, &json!({"message": "Unauthorized"})));
        }
        if state.limited {
            let now = Instant::now();
            state.arrivals.retain(|at| now.duration_since(*at) < Duration::from_secs(1));
            if state.arrivals.len() >= PER_SECOND {
                state.refused += 1;
                return Some(wire::json(429, &json!({"message": "Too Many Requests"})).with("X-RateLimit-Reset", "1"));
            }
            state.arrivals.push_back(now);
        }
        let fate = state.faults.iter().position(|(op, _)| *op == request.op).map(|at| state.faults.remove(at).1);
        match fate {
            None => Some(state.does(request)),
            Some(Fate::LostBefore) => None,
            Some(Fate::LostAfter) => {
                state.does(request);
                None
            }
            Some(Fate::Later(by)) => {
                let at = state.now + by;
                state.later.push((at, request.clone()));
                None
            }
            Some(Fate::Html(status)) => Some(wire::html(status)),
            Some(Fate::HtmlAfter(status)) => {
                state.does(request);
                Some(wire::html(status))
            }
            Some(Fate::Status(status)) => Some(wire::json(status, &json!({"message": "no"}))),
        }
    }
}

fn kind(column: i64) -> i64 {
    match column {
        QUEUE => 1,
        DONE => 3,
        _ => 2,
    }
}

impl State {
    fn does(&mut self, request: &wire::Request) -> wire::Answer {
        let missing = || wire::json(404, &json!({"message": "Not found"}));
        let card = request.card.unwrap_or_default();
        let known = self.cards.contains_key(&card);
        match request.op {
            Op::Me => wire::json(200, &json!({"id": ME, "full_name": "Integration"})),
            Op::Columns => {
                let column =
                    |id: i64| json!({"id": id, "title": "x", "type": kind(id), "sort_order": id, "board_id": BOARD});
                wire::json(200, &json!([DONE, REVIEW, WORK, QUEUE].map(column)))
            }
            Op::List => wire::json(200, &self.list(&request.query)),
            Op::Make if request.body["board_id"] != BOARD => missing(),
            Op::Make => wire::json(200, &self.make(&request.body)),
            Op::Read | Op::Change | Op::Comments | Op::Comment if !known => missing(),
            Op::Read => wire::json(200, &self.shown(card, true)),
            Op::Change => wire::json(200, &self.change(card, &request.body)),
            Op::Comments => {
                let said = self.cards.get(&card).map(|card| card.comments.clone()).unwrap_or_default();
                // The newest first: nobody promised an order.
                let said = said.iter().rev().map(
                    |one| json!({"id": one.id, "text": one.text, "author_id": one.author, "type": 1, "deleted": false}),
                );
                wire::json(200, &Value::Array(said.collect()))
            }
            Op::Comment => {
                let id = self.say(ME, card, request.body["text"].as_str().unwrap_or_default());
                wire::json(200, &json!({"id": id}))
            }
        }
    }

    fn make(&mut self, body: &Value) -> Value {
        self.next += 1;
        let column = body["column_id"].as_i64().unwrap_or(QUEUE);
        let card = Card {
            id: self.next,
            column,
            title: body["title"].as_str().unwrap_or_default().to_owned(),
            external_id: body["external_id"].as_str().map(str::to_owned),
            fields: body.clone(),
            condition: 1,
            comments: Vec::new(),
            moves: vec![column],
            updated: self.now,
            moved: self.now,
            commented: None,
        };
        self.cards.insert(card.id, card);
        self.shown(self.next, true)
    }

    fn change(&mut self, id: i64, body: &Value) -> Value {
        let now = self.now;
        if let Some(card) = self.cards.get_mut(&id) {
            if let Some(column) = body["column_id"].as_i64() {
                (card.column, card.moved) = (column, now);
                card.moves.push(column);
            }
            if let Some(due) = body.get("due_date") {
                card.fields["due_date"] = due.clone();
            }
            card.updated = now;
        }
        self.shown(id, true)
    }

    fn say(&mut self, author: i64, id: i64, text: &str) -> i64 {
        self.next += 1;
        let comment = Comment { id: self.next, author, text: text.to_owned() };
        if let Some(card) = self.cards.get_mut(&id) {
            card.comments.push(comment);
            card.commented = Some(self.now);
        }
        self.next
    }

    fn shown(&self, id: i64, whole: bool) -> Value {
        let Some(card) = self.cards.get(&id) else { return Value::Null };
        let mut shown = json!({
            "id": id, "title": card.title, "board_id": BOARD, "column_id": card.column, "state": kind(card.column),
            "condition": card.condition, "external_id": card.external_id, "due_date": card.fields["due_date"],
            "updated": card.updated, "last_moved_at": card.moved,
        });
        if whole || self.lists_comments {
            shown["comments_total"] = json!(card.comments.len());
            shown["comment_last_added_at"] = json!(card.commented);
        }
        shown
    }

    fn list(&self, query: &BTreeMap<String, String>) -> Value {
        let number = |name: &str| query.get(name).and_then(|value| value.parse::<usize>().ok());
        let after = query.get("updated_after").and_then(|at| at.parse::<DateTime<Utc>>().ok());
        let wanted = |card: &&Card| {
            let searched = query.get("external_id").filter(|_| self.searches);
            searched.is_none_or(|wanted| card.external_id.as_ref() == Some(wanted))
                && after.is_none_or(|after| card.updated > after)
                && number("condition").is_none_or(|condition| i64::try_from(condition).ok() == Some(card.condition))
        };
        let page =
            self.cards.values().filter(wanted).skip(number("offset").unwrap_or(0)).take(number("limit").unwrap_or(100));
        Value::Array(page.map(|card| self.shown(card.id, false)).collect())
    }
}
