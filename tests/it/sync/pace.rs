//! Imports at portals that need different times for a row: as fast as the tighter of the two limits lets them, without a
//! rejection that could have been known, and without a request that runs into the cap.

use std::time::Duration;

use fb24_sandbox::portal::{Entity as Kind, PortalOptions};
use fidelio_bitrix24::bitrix::MethodState;
use fidelio_bitrix24::domain::{Known, ProfileNumber};
use fidelio_bitrix24::store::limits;
use fidelio_bitrix24::sync::Engine;
use fidelio_bitrix24::sync::imports::{ImportState, ImportView};

use super::world::{World, new_profile, new_stay};
use crate::support::still::{step, still};
use crate::{on_both_engines, support};

const IMPORT: &str = "crm.item.batchImport";

/// So many bookings, each of a guest of his own, within a few weeks.
fn booked(world: &World, count: usize) {
    let mut truth = world.hotel.truth.lock().unwrap();
    for n in 0..count {
        let number = n.to_string();
        let mut stay = new_stay(&number);
        let first: chrono::NaiveDate = "2026-11-10".parse().unwrap();
        stay.arrival = Known::Is(first + chrono::Days::new(u64::try_from(n % 40).unwrap()));
        stay.main_guest = Known::Is(ProfileNumber::parse(&number).unwrap());
        truth.stays.insert(number.clone(), stay);
        truth.profiles.insert(number.clone(), new_profile(&number));
    }
}

/// Reads and decides; nothing is sent yet.
async fn taken_in(world: &World, engine: &Engine) -> String {
    let id = engine.create_import(world.id, world.hotel_id, None, None, false, 1).await.unwrap();
    for _ in 0..60 {
        engine.import_step(world.id).await.unwrap();
    }
    engine.decide(world.id).await.unwrap();
    id
}

fn made(world: &World) -> usize {
    world.portal.count(Kind::Deal) + world.portal.count(Kind::Contact)
}

async fn view(world: &World, engine: &Engine, id: &str) -> ImportView {
    engine.import(world.id, id).await.unwrap().unwrap()
}

fn seconds(from: i64, to: i64) -> f64 {
    f64::from(i32::try_from(to - from).unwrap()) / 1_000.0
}

/// Lets time pass until all is sent; `look` is called when a quarter more of it is there.
async fn sent(world: &World, engine: &Engine, rows: usize, mut look: impl AsyncFnMut(i64)) -> f64 {
    let begun = world.clock.now_ms();
    let mut quarter = 1;
    while made(world) < rows {
        let mut work = std::pin::pin!(engine.deliver(world.id));
        loop {
            let ended = tokio::select! {
                biased;
                ended = &mut work => Some(ended),
                () = still(&world.portal) => None,
            };
            if let Some(ended) = ended {
                ended.unwrap();
                break;
            }
            world.pass(step(&world.portal, world.clock.now_ms()));
            if made(world) * 4 >= rows * quarter && quarter < 4 {
                quarter += 1;
                look(world.clock.now_ms()).await;
            }
        }
        world.pass(Duration::from_millis(500));
        assert!(seconds(begun, world.clock.now_ms()) < 7_200.0, "{} of {rows}", made(world));
    }
    seconds(begun, world.clock.now_ms())
}

/// The limit is used up when it begins: what is measured is what it gives back.
async fn measured(row_ms: u64, stays: usize) {
    let world = World::new(support::db::sqlite().await, PortalOptions::default()).await;
    booked(&world, stays);
    world.portal.set_row_cost(IMPORT, Duration::from_millis(row_ms));
    world.portal.exhaust_operating(IMPORT);
    // As it was left by whoever worked before.
    let reset_at = world.clock.now_ms() + 60_000;
    let known = MethodState { method: IMPORT.into(), operating: 480.0, reset_at, ..MethodState::default() };
    limits::save_method(&world.db, world.id, &known).await.unwrap();
    let engine = world.engine();
    let id = taken_in(&world, &engine).await;
    let rows = stays * 2;
    let mut told = Vec::new();
    let took = sent(&world, &engine, rows, async |now| {
        told.push((now, view(&world, &engine, &id).await.eta_seconds.expect("a time")));
    })
    .await;
    let end = world.clock.now_ms();
    let rows = f64::from(u32::try_from(rows).unwrap());
    // 48 s come back every minute, together. (Of the first ones we leave 24 unused, as always: `stays` needs no minute
    // more for that.)
    let work = rows * f64::from(u32::try_from(row_ms).unwrap()) / 1_000.0;
    let bound = (work / 48.0).ceil() * 60.0;
    let limits = world.portal.limits();
    println!("{row_ms} ms a row: {took:.0} s, bound {bound:.0} s, {:.2} of it; {told:?}, end {end}", bound / took);
    assert_eq!((limits.bucket_rejections, limits.operating_rejections), (0, 0), "{limits:?}");
    let ended_by_cap = world.portal.requests().iter().filter(|request| request.outcome == "cap").count();
    assert_eq!(ended_by_cap, 0);
    assert!(bound / took >= 0.9, "{took} s, by the limits {bound} s");
    engine.import_step(world.id).await.unwrap();
    assert_eq!(view(&world, &engine, &id).await.state, ImportState::Completed);
    assert_eq!((world.portal.count(Kind::Deal), world.portal.count(Kind::Contact)), (stays, stays));
    assert_eq!(told.len(), 3);
    for (at, eta) in told {
        let left = seconds(at, end);
        let eta = f64::from(i32::try_from(eta).unwrap());
        assert!((eta - left).abs() <= 0.15 * left + 60.0, "{row_ms} ms a row: {eta} s told, {left} s were left");
    }
}

/// Where a row takes next to nothing it is the requests that are dear: but for the first one, by which it is found out what a
/// row takes, each carries all that is there to carry (guests, then the deals that name them), and none waits for a limit.
///
/// At two requests a second a portal takes 2,000 such rows a second, and a row costs some 7 ms of processor time on our side of
/// an unoptimised build (sealing, encoding, the portal's own part): how fast they come is `tests/bench/paces.rs`.
async fn filled(row_ms: u64) {
    const STAYS: usize = 150;
    let world = World::new(support::db::sqlite().await, PortalOptions::default()).await;
    booked(&world, STAYS);
    world.portal.set_row_cost(IMPORT, Duration::from_millis(row_ms));
    let engine = world.engine();
    taken_in(&world, &engine).await;
    world.portal.clear_requests();
    let took = sent(&world, &engine, STAYS * 2, async |_| {}).await;
    let requests = world.portal.requests();
    let imports = |method: &String| method.eq_ignore_ascii_case(IMPORT);
    let carry = |one: &&fb24_sandbox::portal::Request| imports(&one.method) || one.commands.iter().any(imports);
    let carried = requests.iter().filter(carry).count();
    println!("{row_ms} ms a row: {took:.1} s, {carried} requests");
    assert!(carried <= 3, "{carried} requests: a probe, the other guests, the deals");
    let work = f64::from(u32::try_from(STAYS * 2).unwrap() * u32::try_from(row_ms).unwrap()) / 1_000.0;
    assert!(took <= work / 0.9 + 3.0, "{took} s for {work} s of the portal's work and three turns of ours");
}

#[tokio::test]
async fn s1_an_import_fills_its_requests_at_a_portal_where_a_row_takes_nothing() {
    filled(0).await;
}

#[tokio::test]
async fn s1_an_import_fills_its_requests_at_a_portal_with_5_ms_a_row() {
    filled(5).await;
}

#[tokio::test]
async fn s1_an_import_uses_up_what_a_portal_with_300_ms_a_row_gives() {
    measured(300, 250).await;
}

#[tokio::test]
async fn s1_an_import_uses_up_what_a_portal_with_50_ms_a_row_gives() {
    measured(50, 1_500).await;
}

on_both_engines! {
    s1_a_slow_portal_s_first_request_is_a_probe_and_none_runs_into_the_cap(db) {
        let world = World::new(db, PortalOptions::default()).await;
        booked(&world, 150);
        let engine = world.engine();
        taken_in(&world, &engine).await;
        world.portal.set_row_cost(IMPORT, Duration::from_millis(800));
        sent(&world, &engine, 300, async |_| {}).await;
        assert!(world.portal.requests().iter().all(|request| request.outcome == "ok"));
        assert_eq!((world.portal.count(Kind::Deal), world.portal.count(Kind::Contact)), (150, 150));
    }

    s1_history_never_goes_by_add_while_its_own_method_is_banned_and_what_is_live_goes_on(db) {
        let world = World::new(db, PortalOptions::default()).await;
        booked(&world, 30);
        let engine = world.engine();
        let id = taken_in(&world, &engine).await;
        world.portal.block_method(IMPORT, Duration::from_secs(300));
        engine.deliver(world.id).await.unwrap();
        let banned = world.portal.limits().operating_rejections;
        assert!(banned > 0 && made(&world) == 0);
        for _ in 0..20 {
            world.pass(Duration::from_secs(2));
            engine.deliver(world.id).await.unwrap();
        }
        assert_eq!((made(&world), world.portal.limits().operating_rejections), (0, banned), "known: not asked again");
        let (asked, imports) = (world.portal.requests().len(), world.portal.requests_of(IMPORT).len());
        world.book("900", "901");
        world.round(&engine).await;
        assert_eq!((made(&world), world.portal.requests_of(IMPORT).len()), (2, imports), "robots may fire for it");
        assert!(world.portal.requests().len() > asked);
        assert_eq!(view(&world, &engine, &id).await.state, ImportState::Running);
        for _ in 0..30 {
            world.pass(Duration::from_secs(20));
            engine.deliver(world.id).await.unwrap();
        }
        assert_eq!((world.portal.count(Kind::Deal), world.portal.count(Kind::Contact)), (31, 31));
        let adds = world.portal.requests().iter().flat_map(|request| request.commands.clone()).filter(|method| method == "crm.item.add").count();
        assert!(adds + world.portal.requests_of("crm.item.add").len() <= 2, "{adds}");
    }

    s1_tomorrow_s_arrivals_are_there_before_the_guests_of_last_month(db) {
        let world = World::new(db, PortalOptions::default()).await;
        booked(&world, 120);
        {
            let mut truth = world.hotel.truth.lock().unwrap();
            for (number, arrival, departure) in [("500", "2026-11-22", "2026-11-23"), ("501", "2026-11-20", "2026-11-23")] {
                let mut stay = new_stay(number);
                (stay.arrival, stay.departure) = (Known::Is(arrival.parse().unwrap()), Known::Is(departure.parse().unwrap()));
                stay.main_guest = Known::Is(ProfileNumber::parse("7").unwrap());
                truth.stays.insert(number.to_owned(), stay);
            }
            // All others have left, and one of them comes again.
            for (number, stay) in &mut truth.stays {
                if number.len() < 3 || number.starts_with('1') {
                    (stay.arrival, stay.departure) = (Known::Is("2026-11-01".parse().unwrap()), Known::Is("2026-11-02".parse().unwrap()));
                }
            }
        }
        let engine = world.engine();
        taken_in(&world, &engine).await;
        world.portal.set_row_cost(IMPORT, Duration::from_millis(800));
        let (mut arriving, mut contacts) = (0, 0);
        while arriving < 2 {
            let mut work = std::pin::pin!(engine.deliver(world.id));
            while arriving < 2 {
                tokio::select! {
                    biased;
                    ended = &mut work => { ended.unwrap(); break; }
                    () = still(&world.portal) => world.pass(step(&world.portal, world.clock.now_ms())),
                }
                let there = world.deals().iter().filter(|deal| ["500", "501"].contains(&deal.text("UF_CRM_FB24_RESERVATION").as_str())).count();
                (arriving, contacts) = (there.max(arriving), world.contacts().len());
            }
        }
        assert!(contacts < 120, "{contacts} of 120 guests were there before");
        assert_eq!(world.deals().len(), 2, "and no deal of those who left");
    }
}
