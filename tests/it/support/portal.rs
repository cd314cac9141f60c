//! The product beside an emulated portal, over real sockets: time stands until a test moves it, and the life of a
//! portal goes on one step at a time.

use std::sync::Arc;
use std::time::Duration;

use actix_web::{App, HttpServer};
use fb24_sandbox::portal::{FrameAnswer, FrameForm, Portal as Sandbox, PortalClock, PortalOptions};
use fidelio_bitrix24::bitrix;
use fidelio_bitrix24::clock::{Clock, ManualClock};
use fidelio_bitrix24::config::{self, Config};
use fidelio_bitrix24::crypto::Keyring;
use fidelio_bitrix24::fidelio::SourceError;
use fidelio_bitrix24::http::{self, HttpState};
use fidelio_bitrix24::net::{Authorities, Guard};
use fidelio_bitrix24::portal::{Directory, Lifecycle, Parts, Portal};
use fidelio_bitrix24::store::{Db, testing};
use fidelio_bitrix24::sync::{Deps, Engine, EventIntake, Portals, SourceFactory};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::api::{Tenants, start_time};

/// One node of the product. Several may share a database and a clock.
pub struct Node {
    pub url: String,
    pub directory: Directory,
    pub life: Lifecycle,
    server: actix_web::dev::ServerHandle,
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

/// Portal, product, time.
pub struct Stand {
    pub sandbox: Sandbox,
    pub node: Node,
    pub config: Config,
    pub db: Db,
    pub now: Clock,
    clock: ManualClock,
    pub http: reqwest::Client,
}

pub fn options() -> PortalOptions {
    PortalOptions { clock: PortalClock::fixed(start_time()), ..PortalOptions::default() }
}

pub fn settings(sandbox: &Sandbox, public_url: &str, key: &str) -> Config {
    use base64::Engine as _;
    let master = format!("{key}:{}", base64::engine::general_purpose::STANDARD.encode([7_u8; 32]));
    let pairs = [
        ("FB24__HTTP__PUBLIC_URL", public_url.to_owned()),
        ("FB24__SECRETS__MASTER_KEY", master),
        ("FB24__BITRIX__CLIENT_ID", sandbox.client_id()),
        ("FB24__BITRIX__CLIENT_SECRET", sandbox.client_secret()),
        ("FB24__BITRIX__OAUTH_HOSTS", sandbox.oauth_url()),
        ("FB24__BITRIX__ALLOW_PRIVATE", "*=127.0.0.0/8".to_owned()),
        ("FB24__HTTP__TRUSTED_PROXIES", "127.0.0.1/32".to_owned()),
    ];
    config::load_from(None, pairs.map(|(k, v)| (k.to_owned(), v))).expect("settings")
}

/// A node that works for nobody's hotels.
pub fn node(db: &Db, config: &mut Config, clock: &Clock, name: &str) -> Node {
    let none: SourceFactory = Arc::new(|_| Err(SourceError::Unreachable("no hotel here".into())));
    node_of(db, config, clock, name, |directory| Arc::new(Tenants(directory)), none)
}

/// Starts a node at a free port; its public address is that port.
pub fn node_of(
    db: &Db,
    config: &mut Config,
    clock: &Clock,
    name: &str,
    portals: impl Fn(Directory) -> Arc<dyn Portals>,
    sources: SourceFactory,
) -> Node {
    fidelio_bitrix24::net::install_crypto();
    let keyring = Arc::new(Keyring::parse(config.secrets.master_key.expose_secret(), &[]).expect("key"));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("address"));
    config.http.public_url = url.parse().expect("url");
    let guard = Guard::parse(&config.bitrix.allow_private).expect("ranges");
    let oauth = bitrix::OAuthHosts::new(
        config.bitrix.oauth_hosts.clone(),
        config.bitrix.client_id.clone(),
        config.bitrix.client_secret.clone(),
    );
    let shared = Arc::new(config.clone());
    let directory = Directory::new(Parts {
        db: db.clone(),
        config: shared.clone(),
        keyring: keyring.clone(),
        clock: clock.clone(),
        bitrix: bitrix::Client::new(guard, oauth.expect("hosts")),
        authorities: Authorities::read(&config.bitrix.portal_ca).expect("authorities"),
        node: name.into(),
    });
    let engine = Engine::new(Deps {
        db: db.clone(),
        clock: clock.clone(),
        portals: portals(directory.clone()),
        sources: sources.clone(),
        lease: Duration::from_secs(20),
        poll: Duration::from_secs(15),
        observer: None,
    });
    let desk = fidelio_bitrix24::support::Desk::new(
        db.clone(),
        shared.clone(),
        keyring.clone(),
        clock.clone(),
        directory.clone(),
    );
    let state = HttpState {
        desk,
        config: shared,
        directory: directory.clone(),
        db: db.clone(),
        keyring,
        clock: clock.clone(),
        events: EventIntake::new(db.clone(), clock.clone(), portals(directory.clone())),
        engine,
        sources,
        pms_guard: Arc::new(Guard::parse(&config.pms.allow_private).expect("ranges")),
    };
    let server = HttpServer::new(move || App::new().configure(|cfg| http::configure(cfg, state.clone())))
        .workers(1)
        .keep_alive(Duration::from_secs(75))
        .disable_signals()
        .listen(listener)
        .expect("a listener")
        .run();
    let handle = server.handle();
    tokio::spawn(server);
    Node { url, life: Lifecycle::new(directory.clone()), directory, server: handle }
}

impl Stand {
    pub fn start(db: &Db, options: PortalOptions) -> Self {
        Self::with(db, options, |_, _| {})
    }

    /// With other settings.
    pub fn with(db: &Db, options: PortalOptions, change: impl FnOnce(&Sandbox, &mut Config)) -> Self {
        let sandbox = Sandbox::start(options);
        let (now, clock) = Clock::manual(start_time());
        let mut config = settings(&sandbox, "http://127.0.0.1:1", "k1");
        change(&sandbox, &mut config);
        let node = node(db, &mut config, &now, "node-a");
        let http = reqwest::Client::builder().no_proxy().build().expect("client");
        Self { sandbox, node, config, db: db.clone(), now, clock, http }
    }

    /// Another process on the same database.
    pub fn second_node(&self) -> Node {
        node(&self.db, &mut self.config.clone(), &self.now, "node-b")
    }

    pub fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
        self.sandbox.advance(Duration::from_secs(seconds));
    }

    /// Steps of the portal's life until nothing is due.
    pub async fn settle(&self) {
        for _ in 0..50 {
            let tick = tokio::time::timeout(Duration::from_secs(60), self.node.life.tick());
            if tick.await.expect("a tick waits for a time that stands still").expect("a tick") == 0 {
                return;
            }
        }
        panic!("the portal's life does not come to rest");
    }

    /// As [`Stand::settle`], and whatever waits for a moment is given time.
    pub async fn settle_over(&self, seconds: u64) {
        for _ in 0..12 {
            self.settle().await;
            self.pass(seconds / 12 + 1);
        }
        self.settle().await;
    }

    pub async fn open(&self, path: &str, form: &FrameForm) -> FrameAnswer {
        self.sandbox.open_frame(&format!("{}{path}", self.node.url), form).await.expect("an answer")
    }

    pub fn frame(&self, user: i64) -> FrameForm {
        self.sandbox.frame_form(user, "DEFAULT", &json!([]))
    }

    /// Wizard, set-up, `installFinish`, main page.
    pub async fn install(&self) -> Portal {
        let answer = self.sandbox.install(&self.node.url).await.expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.body);
        self.settle().await;
        assert!(self.sandbox.events_settled().await);
        self.open("/bitrix/app", &self.frame(1)).await;
        self.settle().await;
        assert!(self.sandbox.events_settled().await);
        self.portal().await
    }

    pub async fn portal(&self) -> Portal {
        self.found().await.expect("the portal is known")
    }

    pub async fn found(&self) -> Option<Portal> {
        self.node.directory.by_member(&self.sandbox.member_id()).await.expect("a look-up")
    }

    /// Hints that were let in, by subject.
    pub async fn hints(&self) -> Vec<String> {
        match self.found().await {
            Some(portal) => testing::inbox_subjects(&self.db, portal.id).await.expect("the inbox"),
            None => Vec::new(),
        }
    }

    /// Posts an event as the portal's queue does.
    pub async fn event(&self, body: &[(String, String)]) -> u16 {
        self.post("/bitrix/events", fb24_sandbox::portal::php::encode_form(body).into_bytes()).await
    }

    /// As [`Stand::event`], from this address behind the trusted proxy.
    pub async fn event_from(&self, address: &str, body: &[(String, String)]) -> u16 {
        let form = fb24_sandbox::portal::php::encode_form(body).into_bytes();
        let request = self.http.post(format!("{}/bitrix/events", self.node.url)).header("X-Forwarded-For", address);
        let request = request.header("Content-Type", "application/x-www-form-urlencoded").body(form);
        request.send().await.expect("an answer").status().as_u16()
    }

    pub async fn post(&self, path: &str, body: Vec<u8>) -> u16 {
        let request = self.http.post(format!("{}{path}", self.node.url));
        let request = request.header("Content-Type", "application/x-www-form-urlencoded").body(body);
        request.send().await.expect("an answer").status().as_u16()
    }

    pub fn boot(answer: &FrameAnswer) -> Value {
        answer.boot().expect("a boot block")
    }
}
