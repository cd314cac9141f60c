//! Everything a portal knows, behind one lock.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};
use tokio::sync::{Notify, watch};

use super::clock::PortalClock;
use super::crm::Crm;
use super::events::{Events, Fact};
use super::faults::Faults;
use super::limits::Limits;
use super::options::{Edition, PortalOptions};
use super::placements::Placements;
use super::requests::RequestLog;
use super::rest::late::Late;
use super::tasks::Tasks;
use super::tokens::{self, Tokens};
use super::users::User;

/// The app as this portal has it.
#[derive(Clone, Debug)]
pub struct App {
    /// A row of the app exists: it was taken from the Market and not deleted.
    pub installed: bool,
    /// `installFinish` was called (or there is no installer page).
    pub finished: bool,
    /// Version of the card.
    pub version: i64,
    /// Status letter.
    pub status: String,
    /// Trial or subscription is over.
    pub payment_expired: bool,
    /// Days left.
    pub days: Option<i64>,
    /// Shared secret of this installation.
    pub application_token: String,
    /// Scopes granted.
    pub scope: String,
    /// `app.option.*`.
    pub options: Map<String, Value>,
    /// `user.option.*` by user.
    pub user_options: BTreeMap<i64, Map<String, Value>>,
    /// People whose frame has said `setInstall`: for the others it is the first run.
    pub run_by: std::collections::BTreeSet<i64>,
}

/// Addresses the portal is reached at.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// Host and port of the portal: `DOMAIN` of frames.
    pub domain: String,
    /// Host and port of the OAuth host.
    pub oauth_domain: String,
    /// Names the portal had before.
    pub former: Vec<String>,
    /// The portal speaks TLS.
    pub tls: bool,
}

impl Addresses {
    /// Scheme, host and port of the portal.
    pub fn url(&self) -> String {
        format!("http{}://{}", if self.tls { "s" } else { "" }, self.domain)
    }

    /// Whether a request still uses an old name.
    pub fn renamed_from(&self, host: &str) -> bool {
        self.former.iter().any(|former| former == host)
    }
}

/// A system notice to a person.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Notice {
    /// Id.
    pub id: i64,
    /// Receiver.
    pub user: i64,
    /// Text.
    pub message: String,
    /// Tag: a newer notice replaces the older one.
    pub tag: String,
}

/// The whole portal.
#[derive(Debug)]
pub struct State {
    /// Behaviour.
    pub options: PortalOptions,
    /// Addresses.
    pub addresses: Addresses,
    /// Permanent id.
    pub member_id: String,
    /// Time.
    pub clock: PortalClock,
    /// The app.
    pub app: App,
    /// People.
    pub users: BTreeMap<i64, User>,
    /// Tokens of the app.
    pub tokens: Tokens,
    /// Codes of incoming webhooks by user.
    pub webhooks: BTreeMap<i64, String>,
    /// CRM.
    pub crm: Crm,
    /// Events.
    pub events: Events,
    /// Widgets.
    pub placements: Placements,
    /// Tasks.
    pub tasks: Tasks,
    /// Notices.
    pub notices: Vec<Notice>,
    /// Limits.
    pub limits: Limits,
    /// What a row costs a method, by the portal's own clock.
    pub row_costs: BTreeMap<String, std::time::Duration>,
    /// Moments (ms) that requests under way wait for.
    pub awaited: BTreeMap<i64, usize>,
    /// Planned failures.
    pub faults: Faults,
    /// What was seen.
    pub log: RequestLog,
    /// Work to be done after its client has left.
    pub late: Late,
    /// The portal is closed for good.
    pub deleted: bool,
    /// Methods this portal (an old box) does not have.
    pub missing: Vec<String>,
    /// Whom the portal's own pages show.
    pub current_user: i64,
}

impl State {
    /// A fresh portal.
    pub fn new(options: PortalOptions, addresses: Addresses) -> Self {
        let mut crm = Crm { next_user_field: 101, ..Crm::default() };
        for entity in super::crm::Entity::ALL {
            crm.tables.of_mut(entity).start_ids(options.first_id);
        }
        let missing = if options.edition == Edition::Box {
            ["crm.item.batchimport", "crm.item.import"].map(String::from).to_vec()
        } else {
            Vec::new()
        };
        Self {
            member_id: options.member_id.clone().unwrap_or_else(|| tokens::hex(1)),
            clock: options.clock,
            app: App {
                installed: false,
                finished: false,
                version: 1,
                status: "F".into(),
                payment_expired: false,
                days: None,
                application_token: tokens::hex(1),
                scope: options.scope.clone(),
                options: Map::new(),
                user_options: BTreeMap::new(),
                run_by: std::collections::BTreeSet::new(),
            },
            users: User::defaults().into_iter().map(|user| (user.id, user)).collect(),
            tokens: Tokens::default(),
            webhooks: BTreeMap::from([(1, tokens::hex(1).chars().take(16).collect())]),
            crm,
            events: Events::default(),
            placements: Placements::default(),
            tasks: Tasks::default(),
            notices: Vec::new(),
            limits: Limits::default(),
            row_costs: BTreeMap::new(),
            awaited: BTreeMap::new(),
            faults: Faults::default(),
            log: RequestLog::default(),
            late: Late::default(),
            deleted: false,
            missing,
            current_user: 1,
            options,
            addresses,
        }
    }

    /// Something happened that handlers may want to hear of.
    pub fn fire(&mut self, fact: Fact) {
        Events::fire(self, fact);
    }

    /// `http://host:port/rest/`.
    pub fn client_endpoint(&self) -> String {
        format!("{}/rest/", self.addresses.url())
    }

    /// `http://oauth/rest/`.
    pub fn server_endpoint(&self) -> String {
        format!("http://{}/rest/", self.addresses.oauth_domain)
    }

    /// Licence code of `app.info`.
    pub fn license(&self) -> String {
        match self.options.edition {
            Edition::Cloud => format!("{}_pro100", self.options.lang),
            Edition::Enterprise => format!("{}_ent250", self.options.lang),
            Edition::Box => format!("{}_selfhosted", self.options.lang),
            Edition::Free => format!("{}_project", self.options.lang),
        }
    }
}

/// What the server's tasks and the handle share.
#[derive(Debug)]
pub struct Shared {
    state: Mutex<State>,
    /// Rung when events wait or the clock moved.
    pub bell: Notify,
    /// Requests being worked on; those that wait for the portal's clock are not.
    pub at_work: AtomicUsize,
    /// The box got a certificate of another authority.
    pub renewed: watch::Sender<bool>,
}

impl Shared {
    /// Wraps a state.
    pub fn new(state: State) -> Self {
        Self {
            state: Mutex::new(state),
            bell: Notify::new(),
            at_work: AtomicUsize::new(0),
            renewed: watch::Sender::new(false),
        }
    }

    /// The state, locked; never held across an await.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
