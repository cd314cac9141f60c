//! The handle tests and the sandbox binary hold a portal by.

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use serde_json::{Map, Value};

use super::clock::PortalClock;
use super::crm::read::{self, Names, Select};
use super::crm::save::{self, Actor, Dialect};
use super::crm::{Comment, Entity, Robot};
use super::error::RestResult;
use super::events::{Binding, Delivering, Fact, Sent};
use super::faults::Fault;
use super::lifecycle::{self, FrameForm};
use super::limits::LimitCounts;
use super::options::{Cost, PortalOptions};
use super::placements::Placement;
use super::requests::Request;
use super::rest::late;
use super::state::{Addresses, Notice, Shared, State};
use super::tokens::Pair;
use super::users::User;
use super::{events, server};

/// A running portal; stops when dropped.
#[derive(Debug)]
pub struct Portal {
    pub(super) shared: Arc<Shared>,
    server: ServerHandle,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// A CRM record as a test reads it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Record {
    /// Id.
    pub id: i64,
    /// `crm.item` names, user fields by their own names (`UF_CRM_…`), multifields under `fm`.
    pub fields: Map<String, Value>,
}

impl Record {
    /// A field as text; empty when it is empty.
    pub fn text(&self, name: &str) -> String {
        self.fields.get(name).and_then(super::php::text).unwrap_or_default()
    }

    /// A field as a number.
    pub fn int(&self, name: &str) -> i64 {
        self.fields.get(name).and_then(super::php::int).unwrap_or(0)
    }

    /// Values of one kind of multifield.
    pub fn multi(&self, type_id: &str) -> Vec<String> {
        let list = self.fields.get("fm").map(super::php::elements).unwrap_or_default();
        list.into_iter()
            .filter(|item| item.get("typeId").and_then(Value::as_str) == Some(type_id))
            .filter_map(|item| item.get("value").and_then(super::php::text))
            .collect()
    }
}

/// What the app answered to a frame.
#[derive(Clone, Debug)]
pub struct FrameAnswer {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: String,
    /// `Content-Security-Policy`.
    pub csp: String,
}

impl FrameAnswer {
    /// The JSON inside `<script id="fb24-boot">`.
    pub fn boot(&self) -> Option<Value> {
        let (_, after) = self.body.split_once("id=\"fb24-boot\"")?;
        let (_, after) = after.split_once('>')?;
        let (json, _) = after.split_once("</script>")?;
        serde_json::from_str(json).ok()
    }
}

fn bind(host: &str, port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind((host, port))
}

impl Portal {
    /// Starts a portal; panics when no port can be had, as a test wants it.
    #[expect(clippy::expect_used, reason = "test equipment: without a listener there is nothing to test")]
    pub fn start(options: PortalOptions) -> Self {
        Self::try_start(options).expect("the sandbox portal starts")
    }

    /// Starts a portal.
    pub fn try_start(options: PortalOptions) -> std::io::Result<Self> {
        let main = bind(&options.host, options.port)?;
        let oauth = bind(&options.host, options.oauth_port)?;
        let (port, oauth_port) = (main.local_addr()?.port(), oauth.local_addr()?.port());
        let addresses = Addresses {
            domain: format!("{}:{port}", options.host),
            oauth_domain: format!("{}:{oauth_port}", options.host),
            former: Vec::new(),
        };
        let mut listeners = vec![main];
        // A second name for the day the portal is renamed; only loopback has one to spare.
        if options.host == "127.0.0.1"
            && let Ok(second) = bind("127.0.0.2", port)
        {
            listeners.push(second);
        }
        let shared = Arc::new(Shared::new(State::new(options, addresses)));
        let (server, thread) = server::start(Arc::clone(&shared), listeners, oauth, oauth_port)?;
        Ok(Self { shared, server, thread: Some(thread) })
    }

    // ---- addresses and keys ----

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.shared.lock().addresses.domain)
    }

    /// `http://127.0.0.1:port` of the OAuth host.
    pub fn oauth_url(&self) -> String {
        format!("http://{}", self.shared.lock().addresses.oauth_domain)
    }

    /// `DOMAIN` of frames: host and port.
    pub fn domain(&self) -> String {
        self.shared.lock().addresses.domain.clone()
    }

    /// `…/rest/` of the portal.
    pub fn client_endpoint(&self) -> String {
        self.shared.lock().client_endpoint()
    }

    /// `…/rest/` of the OAuth host.
    pub fn server_endpoint(&self) -> String {
        self.shared.lock().server_endpoint()
    }

    /// The permanent portal id.
    pub fn member_id(&self) -> String {
        self.shared.lock().member_id.clone()
    }

    /// The app's key.
    pub fn client_id(&self) -> String {
        self.shared.lock().options.client_id.clone()
    }

    /// The app's secret.
    pub fn client_secret(&self) -> String {
        self.shared.lock().options.client_secret.clone()
    }

    /// Shared secret of the installation.
    pub fn application_token(&self) -> String {
        self.shared.lock().app.application_token.clone()
    }

    /// A fresh pair of tokens for a user. The app must be installed for them to work.
    pub fn tokens(&self, user: i64) -> Pair {
        let mut state = self.shared.lock();
        let (now, seconds) = (state.clock.now(), state.options.token_seconds);
        state.tokens.issue(user, now, seconds)
    }

    /// Lets every access token expire.
    pub fn expire_tokens(&self) {
        let mut state = self.shared.lock();
        let now = state.clock.now();
        state.tokens.expire_all(now);
    }

    /// Forgets every token: refreshes fail with `invalid_grant`.
    pub fn revoke_tokens(&self) {
        self.shared.lock().tokens.revoke_all();
    }

    /// Address of an incoming webhook of a user.
    pub fn webhook(&self, user: i64) -> String {
        let mut state = self.shared.lock();
        let code =
            state.webhooks.entry(user).or_insert_with(|| super::tokens::hex(1).chars().take(16).collect()).clone();
        format!("http://{}/rest/{user}/{code}/", state.addresses.domain)
    }

    // ---- behaviour ----

    /// Changes any option while the portal runs.
    pub fn configure(&self, change: impl FnOnce(&mut PortalOptions)) {
        change(&mut self.shared.lock().options);
    }

    /// Price of work.
    pub fn set_cost(&self, cost: Cost) {
        self.shared.lock().options.cost = cost;
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

    // ---- people ----

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

    // ---- records ----

    /// All records of an entity in id order.
    pub fn records(&self, entity: Entity) -> Vec<Record> {
        let state = self.shared.lock();
        let table = state.crm.tables.of(entity);
        table.rows().iter().map(|(id, row)| record(table, *id, row)).collect()
    }

    /// How many records there are.
    pub fn count(&self, entity: Entity) -> usize {
        self.shared.lock().crm.tables.of(entity).rows().len()
    }

    /// One record.
    pub fn record(&self, entity: Entity, id: i64) -> Option<Record> {
        let state = self.shared.lock();
        let table = state.crm.tables.of(entity);
        table.row(id).map(|row| record(table, id, row))
    }

    /// A person adds a record at the portal's pages; names as in [`Record`].
    pub fn add_as(&self, user: i64, entity: Entity, fields: &Value) -> RestResult<i64> {
        let mut state = self.shared.lock();
        let id = save::add(&mut state, &Actor::person(user), entity, &map(fields), OWN)?;
        self.shared.bell.notify_waiters();
        Ok(id)
    }

    /// A person edits a record; events go out as for any edit. Tells whether anything changed.
    pub fn edit_as(&self, user: i64, entity: Entity, id: i64, fields: &Value) -> RestResult<bool> {
        let mut state = self.shared.lock();
        let changed = save::update(&mut state, &Actor::person(user), entity, id, &map(fields), OWN)?;
        self.shared.bell.notify_waiters();
        Ok(changed)
    }

    /// A person deletes a record.
    pub fn delete_as(&self, user: i64, entity: Entity, id: i64) -> RestResult<()> {
        let result = save::delete(&mut self.shared.lock(), &Actor::person(user), entity, id);
        self.shared.bell.notify_waiters();
        result
    }

    /// Adds a robot.
    pub fn add_robot(&self, robot: Robot) {
        self.shared.lock().crm.robots.push(robot);
    }

    /// How often robots ran.
    pub fn robot_runs(&self) -> u64 {
        self.shared.lock().crm.robot_runs
    }

    /// Makes a field of an entity mandatory (or not), as an admin does in the card's settings.
    pub fn require_field(&self, entity: Entity, name: &str, required: bool) -> bool {
        let mut state = self.shared.lock();
        let schema = &mut state.crm.tables.of_mut(entity).schema;
        let Some(key) = schema.key(name) else { return false };
        schema.field_mut(key).is_some_and(|field| {
            field.required = required;
            true
        })
    }

    /// Timeline comments.
    pub fn comments(&self) -> Vec<Comment> {
        self.shared.lock().crm.comments.clone()
    }

    /// Notices sent to people.
    pub fn notices(&self) -> Vec<Notice> {
        self.shared.lock().notices.clone()
    }

    /// Tasks by id, upper-case fields.
    pub fn tasks(&self) -> Vec<(i64, Map<String, Value>)> {
        self.shared.lock().tasks.items.iter().map(|(id, fields)| (*id, fields.clone())).collect()
    }

    // ---- what was seen ----

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

    // ---- events ----

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

    // ---- the app's life ----

    /// The app is there and finished, without asking it: for tests that need tokens only.
    pub fn set_installed(&self) {
        let mut state = self.shared.lock();
        lifecycle::begin(&mut state, false);
    }

    /// Whether `installFinish` was called.
    pub fn is_installed(&self) -> bool {
        self.shared.lock().app.finished
    }

    /// The app was taken from the Market; its wizard waits to be opened.
    pub fn begin_install(&self) {
        lifecycle::begin(&mut self.shared.lock(), true);
    }

    /// What the installer page calls at its end.
    pub fn install_finish(&self, user: i64) -> RestResult<()> {
        let result = lifecycle::finish(&mut self.shared.lock(), user);
        self.shared.bell.notify_waiters();
        result
    }

    /// Script-only install: `ONAPPINSTALL` goes to this address.
    pub fn install_script(&self, user: i64, handler: &str) {
        lifecycle::install_script(&mut self.shared.lock(), user, handler);
        self.shared.bell.notify_waiters();
    }

    /// A new version of the app is accepted.
    pub fn update_app(&self, user: i64, with_page: bool) {
        lifecycle::update(&mut self.shared.lock(), user, with_page);
        self.shared.bell.notify_waiters();
    }

    /// The subscription ends (`paid` false) or is renewed.
    pub fn set_paid(&self, paid: bool, days: i64) {
        lifecycle::payment(&mut self.shared.lock(), paid, days);
        self.shared.bell.notify_waiters();
    }

    /// The admin deletes the app.
    pub fn uninstall(&self, clean: bool) {
        lifecycle::uninstall(&mut self.shared.lock(), clean);
        self.shared.bell.notify_waiters();
    }

    /// The exact fields a frame posts.
    pub fn frame_form(&self, user: i64, placement: &str, options: &Value) -> FrameForm {
        lifecycle::frame_form(&mut self.shared.lock(), user, placement, options)
    }

    /// Posts a frame to the app, as a browser does.
    pub async fn open_frame(&self, url: &str, form: &FrameForm) -> Result<FrameAnswer, reqwest::Error> {
        let joint = if url.contains('?') { '&' } else { '?' };
        let answer = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()?
            .post(format!("{url}{joint}{}", form.query_string()))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Origin", self.url())
            .body(form.body_string())
            .send()
            .await?;
        let status = answer.status().as_u16();
        let csp = answer
            .headers()
            .get("content-security-policy")
            .and_then(|value| value.to_str().ok())
            .unwrap_or("")
            .to_owned();
        Ok(FrameAnswer { status, csp, body: answer.text().await? })
    }

    /// The admin installs the app: its installer opens in a frame, then the page finishes.
    pub async fn install(&self, app_base_url: &str) -> Result<FrameAnswer, reqwest::Error> {
        self.begin_install();
        let form = self.frame_form(1, "DEFAULT", &serde_json::json!([]));
        let answer = self.open_frame(&format!("{}/bitrix/install", app_base_url.trim_end_matches('/')), &form).await?;
        if answer.status == 200 && self.install_finish(1).is_err() {
            tracing::warn!("the sandbox portal could not finish the installation");
        }
        Ok(answer)
    }
}

const OWN: Dialect = Dialect { names: Names::Original, import: false };

fn map(fields: &Value) -> Map<String, Value> {
    fields.as_object().cloned().unwrap_or_default()
}

fn record(table: &super::crm::table::Table, id: i64, row: &super::crm::table::Row) -> Record {
    Record { id, fields: read::show(table, id, row, Names::Original, &Select::All { multi: true }) }
}

fn limit_of(options: &PortalOptions) -> f64 {
    options.limits.bucket.unwrap_or(match options.edition {
        super::options::Edition::Enterprise => 250.0,
        _ => 50.0,
    })
}

impl Drop for Portal {
    fn drop(&mut self) {
        // The stop command is queued at once; the future it returns only waits for the end.
        drop(self.server.stop(false));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
