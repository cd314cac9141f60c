//! The API on a real socket, with a portal and people of every role, and nothing behind it that is not asked for.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use actix_web::{App, HttpServer};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use fidelio_bitrix24::bitrix::{self, PortalClient};
use fidelio_bitrix24::clock::{Clock, ManualClock};
use fidelio_bitrix24::config::{self, Config};
use fidelio_bitrix24::crypto::{Keyring, TenantKey};
use fidelio_bitrix24::domain::{Currency, PortalId};
use fidelio_bitrix24::fidelio::demo::Demo;
use fidelio_bitrix24::fidelio::{Layer, Read, ReadReport, Sink, Source, SourceError};
use fidelio_bitrix24::http::auth::{Grant, Role};
use fidelio_bitrix24::http::session::Session;
use fidelio_bitrix24::http::{self, HttpState, Lang};
use fidelio_bitrix24::net::{Authorities, Guard};
use fidelio_bitrix24::portal::{Directory, Parts};
use fidelio_bitrix24::store::portals::{self, Identity};
use fidelio_bitrix24::store::{Db, StoreError};
use fidelio_bitrix24::support::Desk;
use fidelio_bitrix24::sync::{Deps, Engine, EventIntake, PortalTerms, Portals, SyncError};
use secrecy::SecretString;
use serde_json::Value;

use super::db::TestDb;

/// Answers of the connection check, and what was asked for.
#[derive(Default)]
pub struct Checks {
    pub layers: Mutex<Vec<Layer>>,
    pub addresses: Mutex<Vec<String>>,
}

pub struct Api {
    pub url: String,
    pub db: Db,
    pub clock: ManualClock,
    pub now: Clock,
    pub keyring: Arc<Keyring>,
    pub directory: Directory,
    pub desk: Desk,
    pub checks: Arc<Checks>,
    pub client: reqwest::Client,
    _db: TestDb,
    server: actix_web::dev::ServerHandle,
}

impl Drop for Api {
    fn drop(&mut self) {
        // The stop order is sent by the call itself; nobody waits for it here.
        drop(self.server.stop(false));
    }
}

pub fn start_time() -> DateTime<Utc> {
    "2026-11-21T10:00:00Z".parse().expect("a time")
}

pub fn settings() -> Config {
    let key = format!("k1:{}", base64_of(&[7; 32]));
    let pairs = [
        ("FB24__HTTP__PUBLIC_URL", "http://127.0.0.1:8080"),
        ("FB24__SECRETS__MASTER_KEY", key.as_str()),
        ("FB24__BITRIX__CLIENT_ID", "app.test"),
        ("FB24__BITRIX__CLIENT_SECRET", "secret"),
        ("FB24__SUPPORT__PHONE", "+7 495 000-00-00"),
    ];
    config::load_from(None, pairs.map(|(k, v)| (k.to_owned(), v.to_owned()))).expect("settings")
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn bitrix_client(config: &Config) -> bitrix::Client {
    let guard = Guard::parse(&config.bitrix.allow_private).expect("ranges");
    let (id, secret) = (config.bitrix.client_id.clone(), config.bitrix.client_secret.clone());
    bitrix::Client::new(guard, bitrix::OAuthHosts::new(config.bitrix.oauth_hosts.clone(), id, secret).expect("hosts"))
}

impl Api {
    pub async fn start(db: TestDb) -> Self {
        Self::with(db, |_| {}).await
    }

    /// With other settings.
    pub async fn with(db: TestDb, change: impl FnOnce(&mut Config)) -> Self {
        fidelio_bitrix24::net::install_crypto();
        let mut config = settings();
        change(&mut config);
        let config = Arc::new(config);
        use secrecy::ExposeSecret;
        let keyring = Arc::new(Keyring::parse(config.secrets.master_key.expose_secret(), &[]).expect("key"));
        let (now, clock) = Clock::manual(start_time());
        let guard = Arc::new(Guard::parse(&config.pms.allow_private).expect("ranges"));
        let directory = Directory::new(Parts {
            db: db.db.clone(),
            config: config.clone(),
            keyring: keyring.clone(),
            clock: now.clone(),
            bitrix: bitrix_client(&config),
            authorities: Authorities::default(),
            node: "test".into(),
        });
        let checks = Arc::new(Checks::default());
        let (asked, time) = (checks.clone(), now.clone());
        let sources: fidelio_bitrix24::sync::SourceFactory = Arc::new(move |row| {
            let Some(config) = &row.config else {
                let currency = Currency::parse(&row.site.currency).expect("a currency");
                return Ok(Arc::new(Demo::new("test", chrono_tz::UTC, currency, time.clone())) as Arc<dyn Source>);
            };
            asked.addresses.lock().expect("lock").push(config.url.to_string());
            Ok(Arc::new(Checked(asked.clone())) as Arc<dyn Source>)
        });
        let engine = Engine::new(Deps {
            db: db.db.clone(),
            clock: now.clone(),
            portals: Arc::new(Tenants(directory.clone())),
            sources: sources.clone(),
            lease: std::time::Duration::from_secs(20),
            poll: std::time::Duration::from_secs(15),
            observer: None,
        });
        let desk = Desk::new(db.db.clone(), config.clone(), keyring.clone(), now.clone(), directory.clone());
        let state = HttpState {
            desk: desk.clone(),
            config,
            directory: directory.clone(),
            db: db.db.clone(),
            keyring: keyring.clone(),
            clock: now.clone(),
            events: EventIntake::new(db.db.clone(), now.clone(), Arc::new(Tenants(directory.clone()))),
            engine,
            sources,
            pms_guard: guard,
        };
        let server = HttpServer::new(move || App::new().configure(|cfg| http::configure(cfg, state.clone())))
            .workers(1)
            .keep_alive(std::time::Duration::from_secs(75))
            .disable_signals()
            .bind("127.0.0.1:0")
            .expect("a free port");
        let url = format!("http://{}", server.addrs()[0]);
        let running = server.run();
        let server = running.handle();
        tokio::spawn(running);
        let client = reqwest::Client::builder().no_proxy().build().expect("client");
        Self { url, db: db.db.clone(), clock, now, keyring, directory, desk, checks, client, _db: db, server }
    }

    /// A portal that is installed and set up.
    pub async fn portal(&self, member_id: &str) -> PortalId {
        let tx = self.db.begin().await.expect("tx");
        let seen = Identity {
            member_id,
            domain: "portal.example",
            client_endpoint: "https://portal.example/rest/",
            oauth_host: "https://oauth.bitrix24.tech",
            scope: "crm",
            installed: true,
        };
        let id = portals::upsert(&tx, &seen, "ru", self.now.now_ms()).await.expect("portal");
        tx.commit().await.expect("commit");
        id
    }

    /// A session of a person of this portal.
    pub async fn session(
        &self,
        portal: PortalId,
        user_id: i64,
        admin: bool,
        roles: &[Role],
        grants: &[Grant],
    ) -> String {
        let generation = self.directory.get(portal).await.expect("portal").generation;
        let session = Session {
            portal,
            generation,
            user_id,
            admin,
            roles: roles.iter().copied().collect(),
            grants: grants.iter().copied().collect::<BTreeSet<_>>(),
            lang: Lang::Ru,
            access: SecretString::from("user-token".to_owned()),
            expires_at: self.now.now_ms() + 900_000,
            nonce: u64::try_from(user_id).unwrap_or_default(),
        };
        session.seal(&self.keyring).expect("sealed")
    }

    pub async fn admin(&self, portal: PortalId) -> Caller<'_> {
        Caller { api: self, token: self.session(portal, 1, true, &[], &[]).await }
    }

    pub async fn with_role(&self, portal: PortalId, role: Role) -> Caller<'_> {
        Caller { api: self, token: self.session(portal, 5, false, &[role], &[]).await }
    }

    pub async fn nobody(&self, portal: PortalId) -> Caller<'_> {
        Caller { api: self, token: self.session(portal, 6, false, &[], &[]).await }
    }

    pub fn bearer(&self, token: &str) -> Caller<'_> {
        Caller { api: self, token: token.to_owned() }
    }
}

/// Somebody with a token.
pub struct Caller<'a> {
    pub api: &'a Api,
    pub token: String,
}

/// An answer: status, body, headers.
#[derive(Debug)]
pub struct Got {
    pub status: u16,
    pub body: Value,
    pub headers: reqwest::header::HeaderMap,
}

impl Got {
    /// The last part of a problem's `type`.
    pub fn problem(&self) -> &str {
        self.body["type"].as_str().unwrap_or_default().trim_start_matches("/problems/")
    }

    /// Pointers and codes of a refused body.
    pub fn errors(&self) -> Vec<(&str, &str)> {
        self.body["errors"]
            .as_array()
            .map(|errors| {
                errors
                    .iter()
                    .map(|e| (e["pointer"].as_str().unwrap_or_default(), e["code"].as_str().unwrap_or_default()))
                    .collect()
            })
            .unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Caller<'_> {
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = method.parse().expect("a method");
        self.api.client.request(method, format!("{}{path}", self.api.url)).bearer_auth(&self.token)
    }

    pub async fn get(&self, path: &str) -> Got {
        send(self.request("GET", path)).await
    }

    pub async fn delete(&self, path: &str) -> Got {
        send(self.request("DELETE", path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Got {
        send(self.request("POST", path).json(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Got {
        send(self.request("PUT", path).json(body)).await
    }

    /// A POST with an `Idempotency-Key`.
    pub async fn once(&self, path: &str, key: &str, body: &Value) -> Got {
        send(self.request("POST", path).header("Idempotency-Key", key).json(body)).await
    }
}

pub async fn send(request: reqwest::RequestBuilder) -> Got {
    let answer = request.send().await.expect("an answer");
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let text = answer.text().await.expect("a body");
    let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(Value::String(text)) };
    Got { status, body, headers }
}

/// What the engine may ask of portals here: keys only.
pub struct Tenants(pub Directory);

#[async_trait]
impl Portals for Tenants {
    async fn active(&self) -> Result<Vec<PortalId>, StoreError> {
        Ok(vec![])
    }

    async fn client(&self, portal: PortalId) -> Result<PortalClient, SyncError> {
        Err(SyncError::NotReady(portal))
    }

    async fn terms(&self, portal: PortalId) -> Result<PortalTerms, SyncError> {
        Err(SyncError::NotReady(portal))
    }

    async fn key(&self, portal: PortalId) -> Result<TenantKey, StoreError> {
        self.0.key(portal).await
    }

    async fn request_key(&self, portal: PortalId) -> Result<TenantKey, StoreError> {
        self.0.request_key(portal).await
    }

    async fn learned(&self, _portal: PortalId, _way: bitrix::multifield::Way) {}

    async fn failed(&self, _portal: PortalId, _error: &bitrix::Error) {}
}

struct Checked(Arc<Checks>);

#[async_trait]
impl Source for Checked {
    async fn read(&self, _: &Read, _: &Value, _: &mut dyn Sink) -> Result<ReadReport, SourceError> {
        Ok(ReadReport::default())
    }

    async fn check(&self) -> Vec<Layer> {
        self.0.layers.lock().expect("lock").clone()
    }
}
