//! Events: who subscribed, what happened, what goes out (facts §6).

pub mod offline;
pub mod offline_rpc;
pub mod rpc;
pub mod sender;

use std::collections::VecDeque;

use serde_json::{Map, Value, json};

use super::crm::Entity;
use super::crm::save::Actor;
use super::state::State;
use offline::Queue;

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Fact {
    /// Event name in upper case.
    pub name: String,
    /// `data` of the event.
    pub data: Value,
    /// Who did it; 0 is nobody.
    pub user: i64,
    /// By the app's own token.
    pub app: bool,
    /// By a robot, so without tokens.
    pub robot: bool,
    /// `auth_connector` of the call behind it.
    pub connector: String,
    /// Events between a person and this one.
    pub hops: u32,
}

impl Fact {
    /// An event with data.
    pub fn new(name: &str, data: Value, actor: &Actor) -> Self {
        Self {
            name: name.to_owned(),
            data,
            user: actor.user,
            app: actor.app,
            robot: actor.robot,
            connector: actor.connector.clone(),
            hops: actor.hops,
        }
    }

    /// `ONCRM<ENTITY><VERB>` with the record's id.
    pub fn record(entity: Entity, verb: &str, id: i64, actor: &Actor) -> Self {
        Self::new(&format!("ONCRM{}{verb}", entity.upper()), json!({"FIELDS": {"ID": id.to_string()}}), actor)
    }
}

/// A subscription.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Binding {
    /// `event_handler_id`.
    pub id: i64,
    /// Event name in upper case.
    pub event: String,
    /// Address; empty for offline.
    pub handler: String,
    /// User whose token is attached; 0 is the one who acted.
    pub auth_type: i64,
    /// Pull queue instead of a call.
    pub offline: bool,
    /// Connector of an offline binding.
    pub connector: String,
    /// Least seconds between two pings.
    pub min_timeout: i64,
}

/// A call that waits to be made.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Address.
    pub url: String,
    /// Event name.
    pub event: String,
    /// The whole body, bracket keys flattened.
    pub pairs: Vec<(String, String)>,
}

/// A call that was made.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Sent {
    /// Address.
    pub url: String,
    /// Event name.
    pub event: String,
    /// Status of the answer; `None` when nobody answered.
    pub status: Option<u16>,
    /// The body sent.
    pub pairs: Vec<(String, String)>,
}

/// How deliveries behave.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delivering {
    /// Hold everything until released.
    pub paused: bool,
    /// Every delivery goes out this many extra times.
    pub duplicates: u32,
    /// Mix the order of what waits.
    pub shuffled: bool,
    /// Leave tokens out of every event.
    pub tokenless: bool,
    /// Throw everything away, as a broken queue does.
    pub lost: bool,
    /// Throw away what tells of records alone.
    pub records_lost: bool,
}

/// Subscriptions and queues.
#[derive(Debug, Default)]
pub struct Events {
    /// Subscriptions.
    pub bindings: Vec<Binding>,
    /// Waiting calls.
    pub waiting: VecDeque<Delivery>,
    /// Calls on their way.
    pub flying: usize,
    /// Made calls, newest last; the last thousand.
    pub sent: VecDeque<Sent>,
    /// Calls ever made.
    pub sent_count: u64,
    /// Behaviour.
    pub delivering: Delivering,
    /// Pull queues.
    pub queue: Queue,
    next_id: i64,
}

/// Hops after which a chain of event-made changes falls silent.
const MAX_HOPS: u32 = 3;

/// Names this portal offers.
pub const NAMES: [&str; 26] = [
    "ONAPPINSTALL",
    "ONAPPUPDATE",
    "ONAPPUNINSTALL",
    "ONAPPPAYMENT",
    "ONAPPMETHODCONFIRM",
    "ONAPPTEST",
    "ONOFFLINEEVENT",
    "ONUSERADD",
    "ONSUBSCRIPTIONRENEW",
    "ONCRMDEALADD",
    "ONCRMDEALUPDATE",
    "ONCRMDEALDELETE",
    "ONCRMDEALMOVETOCATEGORY",
    "ONCRMCONTACTADD",
    "ONCRMCONTACTUPDATE",
    "ONCRMCONTACTDELETE",
    "ONCRMCOMPANYADD",
    "ONCRMCOMPANYUPDATE",
    "ONCRMCOMPANYDELETE",
    "ONCRMDEALUSERFIELDADD",
    "ONCRMDEALUSERFIELDUPDATE",
    "ONCRMDEALUSERFIELDDELETE",
    "ONTASKADD",
    "ONTASKUPDATE",
    "ONTASKDELETE",
    "ONTASKCOMMENTADD",
];

impl Events {
    /// A number for a new binding.
    pub fn next_id(&mut self) -> i64 {
        self.next_id += 1;
        self.next_id
    }

    /// Queues what subscribers should hear. Nothing goes to an app that is not installed to the end, or not paid.
    pub fn fire(state: &mut State, fact: Fact) {
        if !state.app.installed || !state.app.finished || state.app.payment_expired || fact.hops >= MAX_HOPS {
            return;
        }
        offline::collect(state, &fact);
        let online: Vec<Binding> =
            state.events.bindings.iter().filter(|b| !b.offline && b.event == fact.name).cloned().collect();
        for binding in online {
            let tokens = if fact.robot { Tokens::None } else { Tokens::Access };
            let user = if binding.auth_type > 0 { binding.auth_type } else { fact.user };
            Self::queue_for(state, &binding.handler, Some(binding.id), &fact, user, tokens);
        }
    }

    /// Queues one call, whatever the state of the installation.
    pub fn queue_for(state: &mut State, url: &str, binding: Option<i64>, fact: &Fact, user: i64, tokens: Tokens) {
        let delivering = state.events.delivering;
        let of_record = fact.name.starts_with("ONCRM") || fact.name.starts_with("ONTASK");
        if delivering.lost || delivering.records_lost && of_record {
            return;
        }
        let pairs = body(state, binding, fact, user, tokens);
        let copies = 1 + state.events.delivering.duplicates;
        for _ in 0..copies {
            state.events.waiting.push_back(Delivery {
                url: url.to_owned(),
                event: fact.name.clone(),
                pairs: pairs.clone(),
            });
        }
    }
}

/// Which tokens an event carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tokens {
    /// None: robots, and the uninstall event.
    None,
    /// An access token without a refresh token.
    Access,
    /// A whole pair: install, update, test, offline ping.
    Pair,
}

/// The form body of an event.
pub fn body(state: &mut State, binding: Option<i64>, fact: &Fact, user: i64, tokens: Tokens) -> Vec<(String, String)> {
    let now = state.clock.now();
    let mut root = Map::new();
    root.insert("event".into(), json!(fact.name));
    if let Some(id) = binding {
        root.insert("event_handler_id".into(), json!(id.to_string()));
    }
    root.insert("data".into(), fact.data.clone());
    root.insert("ts".into(), json!(now.to_string()));
    root.insert("auth".into(), auth(state, fact, user, tokens));
    super::php::form_pairs(&Value::Object(root))
}

fn auth(state: &mut State, fact: &Fact, user: i64, tokens: Tokens) -> Value {
    let now = state.clock.now();
    let seconds = state.options.token_seconds;
    let mut auth = Map::new();
    let with_tokens = tokens != Tokens::None && !state.events.delivering.tokenless && user > 0;
    let pair = (with_tokens && tokens == Tokens::Pair).then(|| state.tokens.issue(user, now, seconds));
    if with_tokens {
        let access = match &pair {
            Some(pair) => pair.access.clone(),
            None => state.tokens.access_only(user, now, seconds, fact.hops + 1),
        };
        auth.insert("access_token".into(), json!(access));
        auth.insert("expires".into(), json!((now + seconds).to_string()));
        auth.insert("expires_in".into(), json!(seconds.to_string()));
        auth.insert("scope".into(), json!(state.app.scope));
    }
    auth.insert("domain".into(), json!(state.addresses.domain));
    auth.insert("server_endpoint".into(), json!(state.server_endpoint()));
    if fact.name != "ONAPPUNINSTALL" {
        auth.insert("status".into(), json!(state.app.status));
    }
    auth.insert("client_endpoint".into(), json!(state.client_endpoint()));
    auth.insert("member_id".into(), json!(state.member_id));
    if with_tokens {
        auth.insert("user_id".into(), json!(user.to_string()));
    }
    if let Some(pair) = pair {
        auth.insert("refresh_token".into(), json!(pair.refresh));
    }
    auth.insert("application_token".into(), json!(state.app.application_token));
    Value::Object(auth)
}
