//! Both directions live for thousands of changes, with a robot that fights over a field of the hotel's, a trigger that moves
//! stages and one that writes what is people's own: whatever of our writes comes back, by event, by the portal's queue or by
//! a look at what changed, causes no write and no storm of reads (product §2.6). `FB24_ECHO_CHANGES=10000` plays as many as the requirement says.

use std::collections::BTreeMap;
use std::time::Duration;

use fb24_sandbox::hotel::HotelOptions;
use fb24_sandbox::hotel::dice::Dice;
use fb24_sandbox::hotel::model::Status;
use fb24_sandbox::portal::{Entity, PortalOptions, Robot};
use serde_json::{Value, json};

use crate::support::db;
use crate::support::town::{Crew, House, Town};
use crate::support::truth::{Hands, compare};
use crate::support::world::deals_by_mark;

const CODE: &str = "GRAND";
/// Of each round: what the hotel changes, what managers write.
const OF_HOTEL: usize = 60;
const OF_PEOPLE: usize = 40;
/// Records that one list answers, and commands that one request holds.
const A_REQUEST: usize = 50;
/// What is put back in a day of one field of one record (product §2.6).
const PUT_BACK: usize = 3;

fn changes() -> usize {
    std::env::var("FB24_ECHO_CHANGES").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000)
}

fn robot(stage: &str, set: Value) -> Robot {
    let set = set.as_object().cloned().unwrap_or_default();
    Robot { entity: Entity::Deal, on_add: false, on_update: true, stage: Some(stage.to_owned()), set }
}

struct Counted {
    requests: usize,
    updates: usize,
    adds: usize,
}

fn counted(house: &House) -> Counted {
    let all = house.portal.requests();
    let of = |method: &str| -> usize {
        // A token that ended meanwhile is renewed and the request sent again: the refused one wrote nothing.
        let taken = all.iter().filter(|r| r.outcome != "expired_token");
        let within = |r: &fb24_sandbox::portal::Request| {
            r.commands.iter().filter(|name| *name == method).count() + usize::from(r.method == method)
        };
        taken.map(within).sum()
    };
    let requests = all.iter().filter(|request| request.host == "portal").count();
    Counted { requests, updates: of("crm.item.update"), adds: of("crm.item.add") + of("crm.item.batchimport") }
}

/// Everything that is due, over so many seconds.
async fn over(town: &Town, crew: &mut Crew, seconds: u64) {
    for _ in 0..seconds.div_ceil(15) {
        assert!(town.houses[0].portal.events_settled().await);
        town.work(crew).await;
        town.pass(Duration::from_secs(15));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_s7_our_own_writes_come_back_and_cause_no_write_and_no_storm_of_reads() {
    let db = db::sqlite().await;
    let hotel = HotelOptions { reservations: 120, rooms: 96, ..HotelOptions::default() };
    let town = Town::open(&db.db, vec![House::build(PortalOptions::default(), hotel)]);
    let house = &town.houses[0];
    let mut crew = town.crew(None);
    town.move_in(house, CODE, &mut crew).await;
    over(&town, &mut crew, 330).await;

    let deals = deals_by_mark(&house.portal);
    let category = deals.values().flatten().next().expect("a deal").int("categoryId");
    let stage = |name: &str| format!("C{category}:{name}");
    house.portal.add_robot(robot(&stage("FB24_TENTATIVE"), json!({"UF_CRM_FB24_GUARANTEE": "ROBOT"})));
    house.portal.add_robot(robot(&stage("FB24_WAITLIST"), json!({"stageId": stage("FB24_OFFER")})));
    house.portal.add_robot(robot(&stage("FB24_IN_HOUSE"), json!({"comments": "робот был здесь"})));

    // Of whom nothing is summed up elsewhere: one change, one record.
    let open: Vec<(i64, Status)> = house.hotel.with(|state| {
        let stays = state.reservations.values().filter(|r| !r.financial_account && r.status != Status::CheckedOut);
        stays.map(|r| (r.number, r.status)).collect()
    });
    assert!(open.len() >= OF_HOTEL, "{} stays", open.len());
    let fought = open.iter().filter(|(_, status)| [Status::Tentative, Status::Waitlisted].contains(status)).count();
    assert!(fought >= 2, "somebody to fight over");

    house.portal.clear_requests();
    let (rounds, began) = (changes().div_ceil(OF_HOTEL + OF_PEOPLE), town.now.now_ms());
    let (mut dice, mut hands, mut titles) = (Dice::new(7), Hands::default(), BTreeMap::new());
    let mut put_back = PUT_BACK * fought;
    for round in 0..rounds {
        let first = round * OF_HOTEL;
        for at in first..first + OF_HOTEL {
            let change = |r: &mut fb24_sandbox::hotel::Reservation| {
                r.rate += 1_000;
                r.reprice();
            };
            house.hotel.edit(open[at % open.len()].0, change).expect("a booking");
        }
        for _ in 0..OF_PEOPLE {
            let entity = *dice.pick(&[Entity::Deal, Entity::Contact]).expect("one of two");
            let records = house.portal.records(entity);
            let record = dice.pick(&records).expect("a record");
            let is_confirmed = record.text("UF_CRM_FB24_STATUS") == "confirmed";
            if entity == Entity::Deal && is_confirmed && titles.insert(record.id, ()).is_none() {
                house.portal.edit_as(2, entity, record.id, &json!({"title": "по-своему"})).expect("edited");
                put_back += 1;
                continue;
            }
            let text = format!("заметка {round} {}", dice.roll());
            house.portal.edit_as(2, entity, record.id, &json!({"comments": text})).expect("edited");
            hands.comments.insert((entity, record.id), text);
        }
        over(&town, &mut crew, 60).await;
    }
    over(&town, &mut crew, 330).await;

    let (seen, minutes) = (counted(house), usize::try_from((town.now.now_ms() - began) / 60_000).expect("minutes"));
    let (of_hotel, all) = (rounds * OF_HOTEL, rounds * (OF_HOTEL + OF_PEOPLE));
    println!(
        "{all} changes in {minutes} min: {} requests, {} updates, put back at most {put_back}",
        seen.requests, seen.updates
    );
    assert_eq!(seen.adds, 0, "nothing is made twice");
    // Each change of the hotel is written once, each edit of what is the hotel's put back once.
    assert!(seen.updates >= of_hotel, "{} updates for {of_hotel} changes", seen.updates);
    assert!(
        seen.updates <= of_hotel + put_back,
        "{} updates for {of_hotel} changes and {put_back} edits",
        seen.updates
    );
    // Each change is written or looked at, and each write that comes back is looked at once; a list or a request holds fifty.
    // A look at what changed every five minutes and at the queue every two, and when the portal says that it has something
    // (two requests each); and a few of each round's requests are not full.
    let looks = minutes.div_ceil(5) + minutes.div_ceil(2) + 4 * rounds;
    let bound = (2 * all).div_ceil(A_REQUEST) + looks + 4 * rounds + 20;
    assert!(seen.requests <= bound, "{} requests, bound {bound}", seen.requests);

    let robots = |text: &str| text.contains("ROBOT") || text.contains("FB24_OFFER") || text.contains("робот был здесь");
    let mut left = compare(&house.portal, &house.hotel, CODE, &hands);
    left.retain(|one| !robots(&one.text));
    assert!(left.is_empty(), "{left:#?}");

    // And then it is quiet.
    let before = counted(house);
    over(&town, &mut crew, 600).await;
    let after = counted(house);
    assert_eq!(after.updates, before.updates, "no echo, no war");
    assert!(
        after.requests - before.requests <= 2 * 600 / 300 + 600 / 120 + 2,
        "{} requests",
        after.requests - before.requests
    );
}
