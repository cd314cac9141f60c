//! Days of a living hotel and a living portal, an engine of two processes between them, and everything that goes wrong
//! in such days; at the end both sides are one. Time is virtual: days pass in seconds. The same seed plays the same days:
//! `FB24_SOAK_SEED=… cargo test --test it -- soak`; `FB24_SOAK_DAYS=…` plays more than one.

mod life;
mod trouble;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use fb24_sandbox::hotel::HotelOptions;
use fb24_sandbox::hotel::dice::Dice;
use fb24_sandbox::portal::{Cost, Entity, PortalOptions};
use fidelio_bitrix24::sync::views::ProblemFilter;
use fidelio_bitrix24::sync::{Loops, StepObserver};

use self::life::Life;
use self::trouble::Trouble;
use crate::on_both_engines;
use crate::support::api::start_time;
use crate::support::db::TestDb;
use crate::support::town::{Crew, House, Town};
use crate::support::truth::compare;

const CODE: &str = "GRAND";

fn given(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Says which days were played when they end badly.
struct Played(u64);

impl Drop for Played {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("these days again: FB24_SOAK_SEED={}", self.0);
        }
    }
}

/// A process that dies at the step its fuse burns down to.
struct Mortal {
    crew: Crew,
    fuse: Arc<AtomicI64>,
}

impl Mortal {
    fn born(town: &Town) -> Self {
        let fuse = Arc::new(AtomicI64::new(i64::MAX));
        let burning = fuse.clone();
        let observer: StepObserver = Arc::new(move |_| burning.fetch_sub(1, Ordering::SeqCst) > 0);
        Self { crew: town.crew(Some(observer)), fuse }
    }

    fn dead(&self) -> bool {
        self.fuse.load(Ordering::SeqCst) < 0
    }
}

async fn round(loops: &mut Loops, works: bool) -> usize {
    if works { loops.round().await.expect("a round") } else { 0 }
}

/// Both processes work until neither finds more to do at this moment.
async fn work(town: &Town, pair: &mut [Mortal; 2], who: (bool, bool)) {
    let [a, b] = pair;
    for _ in 0..40 {
        let both = futures_util::future::join(round(&mut a.crew.loops, who.0), round(&mut b.crew.loops, who.1));
        if town.patiently(both).await == (0, 0) {
            break;
        }
    }
    for mortal in pair {
        if mortal.dead() {
            *mortal = Mortal::born(town);
        }
    }
}

/// Between two looks at the world: mostly moments, sometimes a coffee, rarely a quiet part of the night.
fn pause(dice: &mut Dice) -> Duration {
    let seconds = match dice.range(1, 10) {
        1..=3 => dice.range(15, 90),
        4..=7 => dice.range(90, 900),
        _ => dice.range(1_200, 3_600),
    };
    Duration::from_secs(seconds.unsigned_abs())
}

async fn soak(db: TestDb) {
    if std::env::var("RUST_LOG").is_ok() {
        fidelio_bitrix24::telemetry::init(fidelio_bitrix24::telemetry::Format::Text);
    }
    let days = given("FB24_SOAK_DAYS").unwrap_or(1);
    let seed = given("FB24_SOAK_SEED").unwrap_or_else(|| u64::from(uuid::Uuid::new_v4().as_fields().0));
    let _played = Played(seed);
    let mut dice = Dice::new(seed);
    let house = House::build(
        PortalOptions {
            cost: Cost {
                operating_per_row: Duration::from_millis(200),
                operating_per_call: Duration::from_millis(100),
                ..Cost::default()
            },
            ..PortalOptions::default()
        },
        HotelOptions { reservations: 60, rooms: 40, seed, ..HotelOptions::default() },
    );
    let town = Town::open(&db.db, vec![house]);
    let house = &town.houses[0];
    let mut pair = [Mortal::born(&town), Mortal::born(&town)];
    town.move_in(house, CODE, &mut pair[0].crew).await;
    let portal = town.portal(house).await.id;

    let loud = std::env::var("FB24_TEST_LOG").is_ok();
    let (mut life, mut trouble) = (Life::default(), Trouble::default());
    let end = town.now.now_ms() + i64::try_from(days * 86_400_000).expect("days");
    let (mut steps, began) = (0_u64, std::time::Instant::now());
    while town.now.now_ms() < end {
        trouble.brew(house, &town.now, &mut dice);
        life.go_on(house, &town.now, &mut dice);
        trouble.events(house).await;
        // A process dies somewhere in its work; a new one comes up beside the other.
        if dice.chance(6) {
            let victim = usize::from(dice.chance(50));
            pair[victim].fuse.store(dice.range(0, 25), Ordering::SeqCst);
            trouble.count += 1;
        }
        let who = [(true, false), (false, true), (true, true)][usize::try_from(dice.range(0, 2)).expect("a pick")];
        work(&town, &mut pair, who).await;
        town.live().await;
        town.pass(pause(&mut dice));
        steps += 1;
        if loud && steps % 20 == 0 {
            let (hours, real) = ((town.now.now_ms() - start_time().timestamp_millis()) / 3_600_000, began.elapsed());
            println!("{steps} steps, {hours} h in {real:?}: {} requests", house.portal.limits().admitted);
        }
    }

    // The storm is over; what it left is put right.
    trouble.end(house);
    for _ in 0..40 {
        trouble.events(house).await;
        work(&town, &mut pair, (true, true)).await;
        town.pass(Duration::from_secs(60));
    }
    house.portal.commit_late();
    for _ in 0..12 {
        town.live().await;
        work(&town, &mut pair, (true, true)).await;
        town.pass(Duration::from_secs(660));
    }
    let (acts, troubles) = (life.acts, trouble.count);
    println!(
        "{steps} steps, {acts} acts, {troubles} troubles in {:?}: {} stays, {} requests, late {:?}",
        began.elapsed(),
        house.portal.count(Entity::Deal),
        house.portal.limits().admitted,
        house.portal.late(),
    );
    let mut problems =
        pair[0].crew.engine.problems(portal, &ProblemFilter::default(), None, 50).await.expect("problems").items;
    let wrong = compare(&house.portal, &house.hotel, CODE, &life.hands);
    if !wrong.is_empty() {
        println!("{}", town.standing(house).await);
        println!("problems: {problems:#?}");
    }
    assert!(wrong.is_empty(), "{} differences: {wrong:#?}", wrong.len());
    // What people deleted is told, and nothing else.
    problems.retain(|problem| problem.cause != "crm.deleted" || !life.deleted_deal(&problem.params["id"]));
    assert!(problems.is_empty(), "{problems:#?}");

    let limits = house.portal.limits();
    assert_eq!(
        (limits.bucket_rejections, limits.operating_rejections),
        (0, 0),
        "no request may be rejected by a limit"
    );
    // A scan every five minutes, a look at the portal every hour, a few requests for each thing that happened.
    let bound = days * (288 + 24 * 20) + 8 * (life.acts + trouble.count) + 100;
    assert!(limits.admitted < bound, "{} requests, bound {bound}", limits.admitted);

    // And nothing is written while nothing happens.
    let writes = || house.portal.requests_of("crm.item.update").len() + house.portal.requests_of("crm.item.add").len();
    let before = writes();
    for _ in 0..12 {
        work(&town, &mut pair, (true, true)).await;
        town.pass(Duration::from_secs(300));
    }
    assert_eq!(writes(), before, "no echo, no war");
}

on_both_engines! {
    s1_days_of_a_living_hotel_among_faults_and_hand_overs_end_in_one_truth(db) {
        soak(db).await;
    }
}
