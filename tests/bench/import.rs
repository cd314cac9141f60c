//! A first import from what is already on disk, with the request burst used up, and a poll that finds nothing new.

use std::time::{Duration, Instant};

use fb24_sandbox::hotel::{Hotel, HotelOptions};
use fb24_sandbox::portal::{Entity, Portal, PortalOptions};
use fidelio_bitrix24::app::serve::App;
use fidelio_bitrix24::clock::Clock;
use fidelio_bitrix24::config;
use fidelio_bitrix24::domain::{HotelId, PortalId};
use fidelio_bitrix24::store::{hotels, limits, merge_hints, outbox, problems, sources};
use tokio_util::sync::CancellationToken;

use crate::database;
use crate::support::process::{Process, Settings, free_port};
use crate::support::world::Admin;
use crate::table::Table;

const BURST: u32 = 50;
const PER_SECOND: u32 = 2;

fn rest_requests(portal: &Portal) -> usize {
    portal.requests().iter().filter(|request| request.host == "portal").count()
}

/// The product in this process, its engine not yet running.
pub async fn build(settings: &Settings, clock: Clock) -> App {
    let listen = || format!("127.0.0.1:{}", free_port());
    let settings = settings
        .clone()
        .with("http.listen", &listen())
        .with("ops.listen", &listen())
        .with("http.public_url", "http://127.0.0.1:1");
    let config = config::load_from(None, settings.pairs().iter().cloned()).expect("settings");
    App::build(config, clock, None).await.expect("the product")
}

/// Reads the hotel and decides, so that only sending is left.
pub async fn take_in(app: &App, hotel: &Hotel, portal: PortalId, id: HotelId) -> String {
    let from = chrono::Utc::now().date_naive() - chrono::Days::new(90);
    let job = app.engine.create_import(portal, id, Some(from), None, false, 1).await.expect("a job");
    loop {
        let before = hotel.requests().len();
        app.engine.import_step(portal).await.expect("a step");
        if hotel.requests().len() == before {
            break;
        }
    }
    app.engine.decide(portal).await.expect("decided");
    job
}

pub async fn run(table: &mut Table, full: bool) {
    let (stays, guests) = if full { (50_000, 40_000) } else { (10_000, 8_000) };
    let portal = Portal::start(PortalOptions::default());
    let hotel = Hotel::start(HotelOptions {
        reservations: stays,
        guests: Some(guests),
        companies: Some(0),
        rooms: stays / 20,
        ..HotelOptions::default()
    });
    let database = database::sqlite().await;
    let settings = Settings::new(&database.url, &portal).with("pms.poll_seconds", "600");
    let product = Process::start(&settings).await;
    let admin = Admin::install(&portal, &product.url).await;
    admin.connect(&hotel, "GRAND").await;
    portal.events_settled().await;
    product.terminate();

    let app = build(&settings, Clock::system()).await;
    let id = app.directory.by_member(&portal.member_id()).await.expect("a look-up").expect("known").id;
    let hotel_id = hotels::list(&app.db, id).await.expect("hotels").first().expect("one").id;
    let begin = Instant::now();
    let job = take_in(&app, &hotel, id, hotel_id).await;
    let intake = begin.elapsed().as_secs_f64();

    // The portal's own events about what we write would be re-read in time; they are not part of an import.
    portal.delivering(|delivering| delivering.paused = true);
    portal.clear_requests();
    let rejected = portal.limits();
    portal.exhaust_bucket();
    let now = Clock::system().now_ms();
    limits::drain(&app.db, id, now, BURST, PER_SECOND).await.expect("drained");
    let begin = Instant::now();
    let stop = CancellationToken::new();
    let (engine, token) = (app.engine.clone(), stop.clone());
    let working = tokio::spawn(async move { engine.run(token).await });
    while portal.count(Entity::Deal) < stays {
        assert!(begin.elapsed() < Duration::from_secs(600), "{} deals", portal.count(Entity::Deal));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let wall = begin.elapsed().as_secs_f64();
    loop {
        let view = app.engine.import(id, &job).await.expect("read").expect("there");
        if view.state == fidelio_bitrix24::sync::imports::ImportState::Completed {
            break;
        }
        assert!(begin.elapsed() < Duration::from_secs(900), "{view:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let requests = rest_requests(&portal);
    let least = (stays.div_ceil(20) + guests.div_ceil(20)).div_ceil(50);
    let case = format!("import of {stays} stays, {guests} guests, SQLite");
    table.add(&case, "s to read and store them (before the clock starts)", format!("{intake:.1}"), "");
    table.add(&case, "requests / least", format!("{requests} / {least}"), "");
    table.add(&case, "× least", format!("{:.3}", requests as f64 / least as f64), "≤ 1.10 at 50,000");
    let ideal = requests as f64 / f64::from(PER_SECOND);
    table.add(&case, "s from stored intake, burst used up", format!("{wall:.1}"), "");
    table.add(&case, "× requests ÷ 2 per s", format!("{:.3}", wall / ideal), "≤ 1.10");
    let limits = portal.limits();
    let refused = (limits.bucket_rejections + limits.operating_rejections)
        - (rejected.bucket_rejections + rejected.operating_rejections);
    table.add(&case, "limit rejections", refused.to_string(), "0");
    let made = (portal.count(Entity::Deal), portal.count(Entity::Contact));
    table.add(&case, "deals, contacts", format!("{}, {}", made.0, made.1), &format!("{stays}, {guests}"));

    let (waiting, _) = outbox::pending(&app.db, id).await.expect("the outbox");
    let (wrong, doubtful) = (
        problems::open_count(&app.db, id).await,
        merge_hints::page(&app.db, id, 0, 1_000).await.map(|hints| hints.len()),
    );
    let left = (waiting, wrong.expect("problems"), doubtful.expect("hints"));
    table.add(&case, "left to send, problems, doubtful guests", format!("{left:?}"), "none");

    unchanged(table, &app, &hotel, &portal, id, hotel_id).await;
    let made = (portal.count(Entity::Deal), portal.count(Entity::Contact));
    table.add(&case, "deals, contacts in the end", format!("{}, {}", made.0, made.1), &format!("{stays}, {guests}"));
    stop.cancel();
    working.await.expect("the engine ends");
}

/// What was written comes back as events and in scans, and is looked at first: until nothing of that is left.
async fn quiet(portal: &Portal) {
    let (mut seen, mut since) = (rest_requests(portal), Instant::now());
    while since.elapsed() < Duration::from_secs(8) {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = rest_requests(portal);
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
    }
}

/// Every stay's time of change moves, nothing else: the poll reads them all and sends nothing.
async fn unchanged(table: &mut Table, app: &App, hotel: &Hotel, portal: &Portal, id: PortalId, hotel_id: HotelId) {
    let key = app.directory.key(id).await.expect("a key");
    let source = sources::of_hotel(&app.db, id, &key, hotel_id).await.expect("sources").first().expect("one").id;
    app.engine.poll_source(id, source).await.expect("polled");
    hotel.with(|state| {
        let now = state.now();
        state.reservations.values_mut().for_each(|stay| stay.updated = now);
    });
    quiet(portal).await;
    let seen = hotel.requests().len();
    let before = rest_requests(portal);
    let begin = Instant::now();
    let taken = app.engine.poll_source(id, source).await.expect("polled");
    let seconds = begin.elapsed().as_secs_f64();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let rows: usize = hotel.requests()[seen..]
        .iter()
        .filter(|request| request.types.iter().any(|name| name == "Reservation"))
        .map(|request| request.rows)
        .sum();
    let case = format!("poll of {rows} unchanged stays");
    table.add(&case, "portal requests", (rest_requests(portal) - before).to_string(), "0");
    table.add(&case, "records taken for changed", taken.to_string(), "0");
    table.add(&case, "s", format!("{seconds:.1}"), "");
}
