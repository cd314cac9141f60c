//! One portal of the sandbox, one hotel whose truth a test holds, and as many engines as it wants.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use fb24_sandbox::portal::{Entity as Kind, Portal, PortalClock, PortalOptions, Record};
use fidelio_bitrix24::bitrix::crm::Entity as CrmKind;
use fidelio_bitrix24::bitrix::{
    self, AllowanceStore, Client, LogEntry, MomentForm, OAuthHosts, PortalAddress, PortalClient, Priority, RequestLog,
    TokenSource, setup,
};
use fidelio_bitrix24::clock::{Clock, ManualClock};
use fidelio_bitrix24::crypto::TenantKey;
use fidelio_bitrix24::domain::{
    Currency, HotelCode, HotelId, Known, Lang, OwnerRule, Ownership, PortalId, Profile, ProfileNumber, Stay, StayStatus,
};
use fidelio_bitrix24::fidelio::{Source, demo};
use fidelio_bitrix24::net::Guard;
use fidelio_bitrix24::portal::allowance::PortalAllowance;
use fidelio_bitrix24::store::hotels::{self, HotelFacts};
use fidelio_bitrix24::store::portals::{self, Identity};
use fidelio_bitrix24::store::source_reading::{self, Health, Looked, Notes};
use fidelio_bitrix24::store::sources::{self, Dialect, SourceConfig};
use fidelio_bitrix24::store::{Db, StoreError};
use fidelio_bitrix24::sync::views::{ProblemFilter, ProblemView};
use fidelio_bitrix24::sync::{Deps, Engine, PortalTerms, Portals, SyncError};
use secrecy::SecretString;

use super::hotel::Hotel;
pub use super::hotel::{new_profile, new_stay, phone};
use crate::support::db::TestDb;

pub const CAP: Duration = Duration::from_secs(60);

pub fn start_time() -> DateTime<Utc> {
    "2026-11-21T10:00:00Z".parse().unwrap()
}

struct Token(String);

#[async_trait]
impl TokenSource for Token {
    async fn current(&self) -> Result<SecretString, bitrix::Error> {
        Ok(self.0.clone().into())
    }
    async fn renewed(&self, _: &SecretString) -> Result<SecretString, bitrix::Error> {
        Err(bitrix::Error::token("not in this test"))
    }
    async fn moved(&self, _: &str) -> Result<(), bitrix::Error> {
        Ok(())
    }
}

struct NoLog;

#[async_trait]
impl RequestLog for NoLog {
    async fn record(&self, _: LogEntry) {}
}

/// One node's view of the portal.
pub struct Node {
    pub client: PortalClient,
    pub key: TenantKey,
    pub request_key: TenantKey,
    pub terms: Mutex<PortalTerms>,
    pub failures: AtomicUsize,
    /// Its settings cannot be had.
    pub unready: AtomicBool,
}

#[async_trait]
impl Portals for Node {
    async fn active(&self) -> Result<Vec<PortalId>, StoreError> {
        Ok(vec![PortalId(1)])
    }
    async fn client(&self, _: PortalId) -> Result<PortalClient, SyncError> {
        Ok(self.client.clone())
    }
    async fn terms(&self, portal: PortalId) -> Result<PortalTerms, SyncError> {
        if self.unready.load(Ordering::SeqCst) {
            return Err(SyncError::NotReady(portal));
        }
        Ok(self.terms.lock().unwrap().clone())
    }
    async fn key(&self, _: PortalId) -> Result<TenantKey, StoreError> {
        Ok(self.key.clone())
    }
    async fn request_key(&self, _: PortalId) -> Result<TenantKey, StoreError> {
        Ok(self.request_key.clone())
    }
    async fn learned(&self, _: PortalId, way: bitrix::multifield::Way) {
        self.terms.lock().unwrap().multifield = way;
    }
    async fn learned_moments(&self, _: PortalId, form: MomentForm) {
        self.terms.lock().unwrap().moments = Some(form);
    }
    async fn failed(&self, _: PortalId, _: &bitrix::Error) {
        self.failures.fetch_add(1, Ordering::SeqCst);
    }
}

/// The hotel's changes are followed already: an import need not begin with that.
pub async fn followed(db: &Db, portal: PortalId, source: i64) {
    let looked = Looked {
        health: Health { state: "new".into(), detail: String::new() },
        at: start_time().timestamp_millis(),
        ok: true,
        records: false,
        active: false,
        notes: Notes::default(),
        next_poll_at: 0,
        failures: 0,
    };
    source_reading::looked(db, portal, source, 1, &looked).await.unwrap();
}

pub struct World {
    pub portal: Arc<Portal>,
    pub db: Db,
    pub clock: Clock,
    pub time: Arc<ManualClock>,
    pub hotel: Hotel,
    pub id: PortalId,
    pub hotel_id: HotelId,
    pub source: i64,
    pub key: TenantKey,
    pub request_key: TenantKey,
    pub terms: PortalTerms,
    _db: TestDb,
}

pub fn terms() -> PortalTerms {
    let stages = [
        (StayStatus::Offer, "NEW"),
        (StayStatus::Tentative, "NEW"),
        (StayStatus::Waitlisted, "NEW"),
        (StayStatus::Confirmed, "PREPAYMENT_INVOICE"),
        (StayStatus::InHouse, "FINAL_INVOICE"),
        (StayStatus::CheckedOut, "WON"),
        (StayStatus::Cancelled, "LOSE"),
        (StayStatus::NoShow, "APOLOGY"),
    ];
    PortalTerms {
        owner_rule: OwnerRule::Person { user_id: 2 },
        category_id: 0,
        stages: stages.into_iter().map(|(status, stage)| (status, stage.to_owned())).collect(),
        can_import: true,
        multifield: bitrix::multifield::Way::Unknown,
        moments: Some(MomentForm::Utc),
        lang: Lang::Ru,
        ownership: Ownership::default(),
        system_user: 1,
        request_cap: CAP,
    }
}

fn client(portal: &Portal, db: Option<&Db>, clock: Clock) -> PortalClient {
    fidelio_bitrix24::net::install_crypto();
    let guard = Guard::parse(&["*=127.0.0.0/8".to_owned()]).unwrap();
    let hosts = vec![portal.oauth_url().parse().unwrap()];
    let oauth = OAuthHosts::new(hosts, portal.client_id(), portal.client_secret().into()).unwrap();
    let address = PortalAddress {
        member_id: portal.member_id(),
        client_endpoint: portal.client_endpoint().parse().unwrap(),
        ca_pem: None,
        burst: 50,
        per_second: 2,
        operating_seconds: 480,
        request_cap: CAP,
    };
    let allowance: Arc<dyn AllowanceStore> = match db {
        Some(db) => Arc::new(PortalAllowance { db: db.clone(), portal: PortalId(1) }),
        None => Arc::new(crate::bitrix::scripted::Counter::default()),
    };
    Client::new(guard, oauth).portal(
        address,
        Arc::new(Token(portal.tokens(1).access)),
        allowance,
        Arc::new(NoLog),
        clock,
    )
}

/// What set-up leaves in a portal, as far as records need it.
async fn prepare(portal: &Portal, clock: Clock) {
    let client = client(portal, None, clock);
    let deal = [
        "HOTEL",
        "RESERVATION",
        "STATUS",
        "ROOM",
        "ROOM_TYPE",
        "RATE",
        "GUARANTEE",
        "SOURCE",
        "MARKET",
        "CHANNEL",
        "GROUP",
        "ARRIVAL:date",
        "DEPARTURE:date",
        "BOOKED_ON:date",
        "NIGHTS:integer",
        "ADULTS:integer",
        "CHILDREN:integer",
        "BALANCE:money",
        "SYNCED_AT:datetime",
    ];
    let contact = [
        "VIP",
        "LANGUAGE",
        "NATIONALITY",
        "STAYS:integer",
        "NIGHTS:integer",
        "REVENUE:money",
        "LAST_STAY:date",
        "PROFILE:multiple",
    ];
    let mut calls = Vec::new();
    for (kind, fields) in
        [(CrmKind::Deal, &deal[..]), (CrmKind::Contact, &contact[..]), (CrmKind::Company, &["PROFILE:multiple"][..])]
    {
        for field in fields {
            let (name, ty) = field.split_once(':').unwrap_or((field, "string"));
            calls.push(setup::userfield_add(
                kind,
                &setup::NewField {
                    name: &format!("UF_CRM_FB24_{name}"),
                    kind: if ty == "multiple" { "string" } else { ty },
                    multiple: ty == "multiple",
                    label_ru: name,
                    label_en: name,
                    sort: 100,
                },
            ));
        }
    }
    for answer in client.batch(Priority::Person, &calls).await.unwrap() {
        answer.unwrap();
    }
    portal.clear_requests();
}

impl World {
    pub async fn new(db: TestDb, options: PortalOptions) -> Self {
        let (clock, time) = Clock::manual(start_time());
        let options = PortalOptions { clock: PortalClock::fixed(start_time()), token_seconds: 10_000_000, ..options };
        let portal = Portal::start(options);
        portal.set_installed();
        prepare(&portal, clock.clone()).await;
        Self::on(db, Arc::new(portal), clock, Arc::new(time)).await
    }

    /// A fresh database against a portal that knew us before.
    pub async fn on(db: TestDb, portal: Arc<Portal>, clock: Clock, time: Arc<ManualClock>) -> Self {
        let (key, request_key) = (TenantKey::generate(), TenantKey::generate());
        let tx = db.db.begin().await.unwrap();
        let member_id = portal.member_id();
        let seen = Identity {
            member_id: &member_id,
            domain: "portal.test",
            client_endpoint: "https://portal.test/rest/",
            oauth_host: "https://oauth.bitrix24.tech",
            scope: "crm",
            installed: true,
        };
        let id = portals::upsert(&tx, &seen, "ru", 0).await.unwrap();
        let facts = HotelFacts {
            name: "Grand".into(),
            timezone: "Europe/Moscow".into(),
            currency: Currency::parse("RUB").unwrap(),
        };
        let connected = clock.now_ms();
        let hotel_id =
            hotels::create(&tx, id, &HotelCode::parse("GRAND").unwrap(), &facts, connected).await.unwrap().unwrap();
        let config = SourceConfig {
            url: "http://127.0.0.1:1/".parse().unwrap(),
            username: "u".into(),
            password: "p".to_owned().into(),
            vendor: None,
            dialect: Dialect::default(),
        };
        let source = sources::add(&tx, id, &key, hotel_id, "suite8_xml", "direct", Some(&config)).await.unwrap();
        tx.commit().await.unwrap();
        followed(&db.db, id, source).await;
        let hotel = Hotel::new(clock.clone());
        Self {
            portal,
            db: db.db.clone(),
            clock,
            time,
            hotel,
            id,
            hotel_id,
            source,
            key,
            request_key,
            terms: terms(),
            _db: db,
        }
    }

    pub fn node(&self) -> Arc<Node> {
        Arc::new(Node {
            client: client(&self.portal, Some(&self.db), self.clock.clone()),
            key: self.key.clone(),
            request_key: self.request_key.clone(),
            terms: Mutex::new(self.terms.clone()),
            failures: AtomicUsize::new(0),
            unready: AtomicBool::new(false),
        })
    }

    pub fn engine(&self) -> Engine {
        self.engine_of(self.node(), None)
    }

    pub fn engine_of(&self, node: Arc<Node>, observer: Option<fidelio_bitrix24::sync::StepObserver>) -> Engine {
        let (hotel, clock) = (self.hotel.clone(), self.clock.clone());
        Engine::new(Deps {
            db: self.db.clone(),
            clock: self.clock.clone(),
            portals: node,
            sources: Arc::new(move |row| {
                let source: Arc<dyn Source> = match row.kind.as_str() {
                    demo::KIND => Arc::new(super::demo::source(&clock)),
                    _ => Arc::new(hotel.clone()),
                };
                Ok(source)
            }),
            lease: Duration::from_secs(20),
            poll: Duration::from_secs(15),
            observer,
        })
    }

    /// Everything we knew is gone; the hotel and the portal are not.
    pub async fn reinstalled(&self) -> Self {
        let fresh = match self.db.engine() {
            fidelio_bitrix24::store::Engine::Sqlite => crate::support::db::sqlite().await,
            fidelio_bitrix24::store::Engine::Postgres => crate::support::db::postgres().await.unwrap(),
        };
        let again = Self::on(fresh, self.portal.clone(), self.clock.clone(), self.time.clone()).await;
        *again.hotel.truth.lock().unwrap() = std::mem::take(&mut *self.hotel.truth.lock().unwrap());
        again
    }

    /// Lets our clock run while requests are under way, until what is given back is dropped.
    pub fn ticking(&self) -> Ticking {
        let time = self.time.clone();
        Ticking(tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(2)).await;
                time.advance(Duration::from_millis(1));
            }
        }))
    }

    pub async fn problems(&self, engine: &Engine) -> Vec<ProblemView> {
        engine.problems(self.id, &ProblemFilter::default(), None, 50).await.unwrap().items
    }

    /// Poll, decide, deliver.
    pub async fn round(&self, engine: &Engine) {
        engine.poll_source(self.id, self.source).await.unwrap();
        engine.decide(self.id).await.unwrap();
        engine.deliver(self.id).await.unwrap();
    }

    pub fn pass(&self, time: Duration) {
        self.time.advance(time);
        self.portal.advance(time);
    }

    /// Until nothing is held any more.
    pub async fn settle(&self, engine: &Engine) {
        self.pass(CAP + Duration::from_secs(6));
        self.portal.commit_late();
        for _ in 0..4 {
            let _ = engine.deliver(self.id).await;
            self.pass(Duration::from_secs(25));
        }
    }

    pub fn edit_stay(&self, number: &str, change: impl FnOnce(&mut Stay)) {
        let mut truth = self.hotel.truth.lock().unwrap();
        truth.tick += 1;
        let stamp = NaiveDate::from_ymd_opt(2026, 11, 21).unwrap().and_hms_opt(13, 0, 0).unwrap()
            + chrono::Duration::seconds(i64::from(truth.tick));
        let stay = truth.stays.entry(number.to_owned()).or_insert_with(|| new_stay(number));
        change(stay);
        stay.updated_at = Known::Is(stamp);
    }

    pub fn edit_profile(&self, number: &str, change: impl FnOnce(&mut Profile)) {
        let mut truth = self.hotel.truth.lock().unwrap();
        let profile = truth.profiles.entry(number.to_owned()).or_insert_with(|| new_profile(number));
        change(profile);
    }

    /// One guest's booking.
    pub fn book(&self, number: &str, guest: &str) {
        self.edit_profile(guest, |_| {});
        self.edit_stay(number, |stay| stay.main_guest = Known::Is(ProfileNumber::parse(guest).unwrap()));
    }

    pub fn deals(&self) -> Vec<Record> {
        self.portal.records(Kind::Deal)
    }

    pub fn contacts(&self) -> Vec<Record> {
        self.portal.records(Kind::Contact)
    }

    pub fn requests(&self) -> usize {
        self.portal.requests().len()
    }

    /// What they were, for whoever wonders why they were so many.
    pub fn sent(&self) -> Vec<String> {
        let line = |request: fb24_sandbox::portal::Request| {
            let (commands, first) = (request.commands.len(), request.commands.first().cloned().unwrap_or_default());
            format!(
                "{} {commands} × {first}: {} bytes, {} ms, {}",
                request.method, request.bytes, request.ms, request.outcome
            )
        };
        self.portal.requests().into_iter().map(line).collect()
    }
}

pub struct Ticking(tokio::task::JoinHandle<()>);

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.abort();
    }
}
