//! From the poll that sees a change to the changed deal, in the real binary.

use std::time::{Duration, Instant};

use chrono::Utc;
use fb24_sandbox::hotel::model::Status;
use fb24_sandbox::hotel::{Hotel, HotelOptions};
use fb24_sandbox::portal::{Entity, Portal, PortalOptions, Record};

use crate::database;
use crate::support::process::{Process, Settings};
use crate::support::world::{Admin, deals_by_mark, differences, until};
use crate::table::{Table, median, quantile};

const SAMPLES: usize = 20;

/// Waits for a pause between polls: the next request of the product begins a poll that sees what is changed now.
async fn quiet(hotel: &Hotel) {
    loop {
        let at = hotel.requests().last().map(|request| request.at);
        if at.is_none_or(|at| Utc::now() - at > chrono::Duration::milliseconds(250)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Seconds from the begin of the poll to the deal as `there` wants it.
async fn one(hotel: &Hotel, portal: &Portal, deal: i64, act: impl FnOnce(), there: impl Fn(&Record) -> bool) -> f64 {
    quiet(hotel).await;
    let changed = Utc::now();
    act();
    let begin = Instant::now();
    while !portal.record(Entity::Deal, deal).is_some_and(|record| there(&record)) {
        assert!(begin.elapsed() < Duration::from_secs(60), "the change does not arrive");
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    let arrived = Utc::now();
    let poll = hotel.requests().iter().map(|request| request.at).find(|at| *at >= changed).expect("a poll");
    (arrived - poll).as_seconds_f64()
}

pub async fn run(table: &mut Table) {
    let portal = Portal::start(PortalOptions::default());
    let hotel = Hotel::start(HotelOptions { reservations: 300, ..HotelOptions::default() });
    let arriving: Vec<i64> = (0..SAMPLES).filter_map(|_| hotel.book_new_guest(0, 2).ok()).collect();
    let database = database::sqlite().await;
    let product = Process::start(&Settings::new(&database.url, &portal)).await;
    let admin = Admin::install(&portal, &product.url).await;
    admin.connect(&hotel, "GRAND").await;
    let import = admin.start_import("GRAND").await;
    admin.wait_for_import(&import, 120).await;
    until("both sides agree", 60, || async { differences(&portal, &hotel, "GRAND").is_empty().then_some(()) }).await;
    // The portal's own events about what was written are looked at first.
    tokio::time::sleep(Duration::from_secs(15)).await;

    let deals = deals_by_mark(&portal);
    let deal_of = |number: i64| deals[&format!("GRAND:{number}")][0].id;
    let mut moves = Vec::new();
    for number in &arriving {
        let act = || hotel.check_in(*number).expect("checked in");
        let there = |deal: &Record| deal.text("stageId").ends_with("FB24_IN_HOUSE");
        moves.push(one(&hotel, &portal, deal_of(*number), act, there).await);
    }
    let booked: Vec<i64> = hotel.with(|state| {
        let ahead = |stay: &&fb24_sandbox::hotel::Reservation| {
            stay.status == Status::Confirmed && stay.arrival > state.system_date && !stay.financial_account
        };
        state.reservations.values().filter(ahead).map(|stay| stay.number).take(SAMPLES).collect()
    });
    let mut edits = Vec::new();
    for number in booked {
        let act = || hotel.edit(number, |stay| stay.adults = 4).expect("edited");
        edits.push(one(&hotel, &portal, deal_of(number), act, |deal| deal.int("UF_CRM_FB24_ADULTS") == 4).await);
    }
    let case = "change in Suite 8 → deal";
    let mut all: Vec<f64> = moves.iter().chain(&edits).copied().collect();
    table.add(case, "s from the begin of the poll, p95", format!("{:.3}", quantile(&mut all, 0.95)), "≤ 1");
    table.add(case, "s, median of check-ins (stage read before)", format!("{:.3}", median(&mut moves)), "");
    table.add(case, "s, median of edits", format!("{:.3}", median(&mut edits)), "");
}
