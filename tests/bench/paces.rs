//! First imports at portals that need different times for a row. Portal and product live by one clock that moves only when
//! both wait for it: minutes of waiting cost no minutes here, and the speed of this machine does not count.

use std::time::Duration;

use chrono::{DateTime, Utc};
use fb24_sandbox::hotel::{Hotel, HotelOptions};
use fb24_sandbox::portal::{Entity, Portal, PortalClock, PortalOptions};
use fidelio_bitrix24::clock::Clock;
use fidelio_bitrix24::store::{hotels, limits};
use tokio_util::sync::CancellationToken;

use crate::database;
use crate::import::{build, take_in};
use crate::support::process::{Process, Settings};
use crate::support::still::{step, still};
use crate::support::world::Admin;
use crate::table::Table;

const IMPORT: &str = "crm.item.batchImport";
/// Of the cloud's 480 s in ten minutes, what every minute gives back.
const MINUTE: f64 = 48.0;

/// Milliseconds a row, and stays; the full size works for ten minutes.
const CASES: [(u64, usize, usize); 4] =
    [(0, 5_000, 50_000), (5, 15_000, 50_000), (50, 3_000, 6_000), (300, 600, 1_200)];

pub async fn run(table: &mut Table, full: bool) {
    for (row_ms, some, all) in CASES {
        one(table, row_ms, if full { all } else { some }).await;
    }
}

async fn one(table: &mut Table, row_ms: u64, stays: usize) {
    let portal = Portal::start(PortalOptions { token_seconds: 10_000_000, ..PortalOptions::default() });
    let hotel = Hotel::start(HotelOptions {
        reservations: stays,
        guests: Some(stays * 4 / 5),
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

    // The portal's minutes begin with ours.
    let now = DateTime::from_timestamp((Utc::now().timestamp() / 60 + 1) * 60, 0).expect("a moment");
    let (clock, time) = Clock::manual(now);
    portal.set_clock(PortalClock::fixed(now));
    let app = build(&settings, clock.clone()).await;
    let id = app.directory.by_member(&portal.member_id()).await.expect("a look-up").expect("known").id;
    let hotel_id = hotels::list(&app.db, id).await.expect("hotels").first().expect("one").id;
    take_in(&app, &hotel, id, hotel_id).await;

    portal.delivering(|delivering| delivering.paused = true);
    portal.clear_requests();
    let before = portal.limits();
    portal.exhaust_bucket();
    if row_ms > 0 {
        portal.set_row_cost(IMPORT, Duration::from_millis(row_ms));
        portal.exhaust_operating(IMPORT);
    }
    let begun = clock.now_ms();
    limits::drain(&app.db, id, begun, 50, 2).await.expect("drained");
    let stop = CancellationToken::new();
    let (engine, token) = (app.engine.clone(), stop.clone());
    let working = tokio::spawn(async move { engine.run(token).await });
    let made = || portal.count(Entity::Deal) + portal.count(Entity::Contact);
    let rows = stays + stays * 4 / 5;
    while made() < rows {
        still(&portal).await;
        let step = step(&portal, clock.now_ms());
        portal.advance(step);
        time.advance(step);
        assert!(clock.now_ms() - begun < 4 * 3_600_000, "{} of {rows}", made());
    }
    let took = (clock.now_ms() - begun) as f64 / 1_000.0;
    let requests = portal.requests().iter().filter(|request| request.host == "portal").count();
    let by_requests = (stays.div_ceil(20) + (stays * 4 / 5).div_ceil(20)).div_ceil(50) as f64 / 2.0;
    let by_operating = (rows as f64 * row_ms as f64 / 1_000.0 / MINUTE).ceil() * 60.0;
    let (bound, which) =
        if by_operating > by_requests { (by_operating, "operating") } else { (by_requests, "requests") };
    let case = format!("import of {rows} records, {row_ms} ms a row");
    table.add(&case, &format!("s by one clock, bound by {which}"), format!("{took:.0} / {bound:.0}"), "");
    table.add(&case, "of the tighter limit's bound", format!("{:.0} %", 100.0 * bound / took), "≥ 90 % at full size");
    table.add(&case, "requests", requests.to_string(), "");
    let limits = portal.limits();
    let refused = (limits.bucket_rejections + limits.operating_rejections)
        - (before.bucket_rejections + before.operating_rejections);
    table.add(&case, "limit rejections", refused.to_string(), "0");
    let capped = portal.requests().iter().filter(|request| request.outcome == "cap").count();
    table.add(&case, "requests ended by the cap", capped.to_string(), "0");
    stop.cancel();
    // The clock must go on for whoever waits for it.
    while !working.is_finished() {
        portal.advance(Duration::from_millis(250));
        time.advance(Duration::from_millis(250));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
