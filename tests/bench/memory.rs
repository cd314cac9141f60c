//! Resident memory of `serve`: idle with few and many portals, each with a hotel that is polled and never changes, and while
//! it reads a large hotel.

use std::time::{Duration, Instant};

use fb24_sandbox::hotel::{Hotel, HotelOptions};
use fb24_sandbox::portal::{Portal, PortalOptions};
use fidelio_bitrix24::config;
use fidelio_bitrix24::domain::{Currency, HotelCode, PortalId};
use fidelio_bitrix24::store::hotels::{self, HotelFacts};
use fidelio_bitrix24::store::portals::{self, Identity};
use fidelio_bitrix24::store::sources::{self, Dialect, SourceConfig};
use fidelio_bitrix24::store::{Db, keys, tokens};

use crate::database;
use crate::proc::{peak_mb, resident_mb};
use crate::support::process::{Process, Settings};
use crate::support::world::Admin;
use crate::table::{Table, median};

/// Two rounds of polls and more.
const IDLE: Duration = Duration::from_secs(40);

fn token(number: usize) -> String {
    format!("{number:032x}")
}

/// Portals as an installation leaves them, with a connected hotel.
async fn fill(db: &Db, settings: &Settings, portal: &Portal, hotel: &Hotel, count: usize) {
    let public = settings.clone().with("http.public_url", "http://127.0.0.1:1");
    let config = config::load_from(None, public.pairs().iter().cloned()).expect("settings");
    let ring = config.keyring().expect("a key");
    let now = fidelio_bitrix24::clock::Clock::system().now_ms();
    let (endpoint, oauth) = (portal.client_endpoint(), portal.oauth_url());
    let mut made: Vec<PortalId> = Vec::new();
    let tx = db.begin().await.expect("tx");
    for number in 0..count {
        let member = token(number + 1);
        let seen = Identity {
            member_id: &member,
            domain: "127.0.0.1",
            client_endpoint: &endpoint,
            oauth_host: &oauth,
            scope: "crm",
            installed: true,
        };
        let id = portals::upsert(&tx, &seen, "ru", now).await.expect("a portal");
        let sealed = |context, text: &str| ring.seal(context, text.as_bytes()).expect("sealed");
        let application = sealed("portal.application_token", &token(number));
        portals::set_application_token(&tx, id, Some(application)).await.expect("a token");
        let (access, refresh) = (sealed("portal.access", &token(number)), sealed("portal.refresh", &token(number)));
        tokens::replace(&tx, id, access, refresh, now + 3_600_000, now).await.expect("a pair");
        portals::set_status(&tx, id, "active", "", None, now).await.expect("active");
        made.push(id);
    }
    tx.commit().await.expect("commit");
    for id in made {
        portals::set_ensured(db, id, fidelio_bitrix24::portal::VERSION).await.expect("ensured");
        let key = keys::obtain(db, &ring, id, now).await.expect("a key");
        let tx = db.begin().await.expect("tx");
        let facts = HotelFacts {
            name: "Grand".into(),
            timezone: "Europe/Moscow".into(),
            currency: Currency::parse("RUB").expect("a currency"),
        };
        let code = HotelCode::parse("GRAND").expect("a code");
        let hotel_id = hotels::create(&tx, id, &code, &facts, now).await.expect("a hotel").expect("new");
        let config = SourceConfig {
            url: hotel.url().parse().expect("a URL"),
            username: hotel.username(),
            password: hotel.password().into(),
            vendor: None,
            dialect: Dialect::default(),
        };
        sources::add(&tx, id, &key, hotel_id, "suite8_xml", "direct", Some(&config)).await.expect("a source");
        tx.commit().await.expect("commit");
    }
}

async fn idle(table: &mut Table, count: usize, goal: &str) {
    let (portal, hotel) = (Portal::start(PortalOptions::default()), Hotel::start(HotelOptions::empty()));
    let database = database::sqlite().await;
    let settings = Settings::new(&database.url, &portal).with("pms.poll_seconds", "15");
    fill(&database.db, &settings, &portal, &hotel, count).await;
    let product = Process::start(&settings).await;
    tokio::time::sleep(IDLE).await;
    let mut samples = Vec::new();
    for _ in 0..9 {
        samples.push(resident_mb(product.pid()));
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let case = format!("memory, idle with {count} portals");
    table.add(&case, "MB resident (median)", format!("{:.1}", median(&mut samples)), goal);
    table.add(&case, "hotel polls in 40 s", hotel.requests().len().to_string(), "");
}

/// Until the hotel is read to its end. Delivery of what was read has begun meanwhile, at the portal's pace.
async fn reading(table: &mut Table, rows: usize) {
    let portal = Portal::start(PortalOptions::default());
    let hotel = Hotel::start(HotelOptions {
        reservations: rows,
        companies: Some(0),
        rooms: rows / 20,
        ..HotelOptions::default()
    });
    let database = database::sqlite().await;
    let settings = Settings::new(&database.url, &portal).with("pms.poll_seconds", "600");
    let product = Process::start(&settings).await;
    let admin = Admin::install(&portal, &product.url).await;
    admin.connect(&hotel, "GRAND").await;
    let before = resident_mb(product.pid());
    let begin = Instant::now();
    admin.start_import("GRAND").await;
    let mut seen = (hotel.requests().len(), Instant::now());
    while seen.1.elapsed() < Duration::from_secs(4) {
        assert!(begin.elapsed() < Duration::from_secs(600), "the hotel is not read to its end");
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = hotel.requests().len();
        if now != seen.0 {
            seen = (now, Instant::now());
        }
    }
    let seconds = seen.1.duration_since(begin).as_secs_f64();
    let case = format!("memory, reading {rows} stays");
    table.add(&case, "MB resident before", format!("{before:.1}"), "");
    table.add(&case, "MB resident, peak", format!("{:.1}", peak_mb(product.pid())), "bounded");
    table.add(&case, "s to read, sending meanwhile", format!("{seconds:.1}"), "");
}

pub async fn run(table: &mut Table, full: bool) {
    idle(table, 10, "≤ 32").await;
    idle(table, 1_000, "≤ 96").await;
    reading(table, 5_000).await;
    if full {
        reading(table, 50_000).await;
    }
}
