//! Events get lost, or come too late: what they would have told is read from the portal's queue, or found by looking, and
//! people are told when a portal tells too little (product §2.2, §6).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fb24_sandbox::hotel::model::Status;
use fb24_sandbox::hotel::{HotelOptions, Reservation};
use fb24_sandbox::mail::MailServer;
use fb24_sandbox::portal::{Entity, Fault, PortalOptions};
use fidelio_bitrix24::alerts::Alerts;
use fidelio_bitrix24::mail::Mailer;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::on_both_engines;
use crate::support::db::TestDb;
use crate::support::town::{Crew, House, Town};
use crate::support::world::Admin;

const ROOM_TYPE: &str = "UF_CRM_FB24_ROOM_TYPE";
const CHANGES: usize = 12;

fn house(offline_extended: bool) -> House {
    let hotel = HotelOptions { reservations: 24, rooms: 24, ..HotelOptions::default() };
    House::build(PortalOptions { offline_extended, ..PortalOptions::default() }, hotel)
}

async fn minutes(town: &Town, crew: &mut Crew, count: usize) {
    for _ in 0..count {
        town.pass(Duration::from_secs(60));
        for house in &town.houses {
            assert!(house.portal.events_settled().await);
        }
        town.work(crew).await;
    }
}

/// A hotel at work whose portal was looked through a moment ago.
async fn at_work(db: &TestDb, offline_extended: bool) -> (Town, Crew) {
    let town = Town::open(&db.db, vec![house(offline_extended)]);
    let mut crew = town.crew(None);
    town.move_in(&town.houses[0], "GRAND", &mut crew).await;
    minutes(&town, &mut crew, 3).await;
    let portal = town.portal(&town.houses[0]).await.id;
    town.patiently(crew.engine.scan(portal)).await.expect("a scan");
    (town, crew)
}

/// A person changes what is the hotel's; answers the deal and what stood there.
async fn edit(house: &House) -> (i64, String) {
    let deal =
        house.portal.records(Entity::Deal).into_iter().find(|deal| !deal.text(ROOM_TYPE).is_empty()).expect("a deal");
    house.portal.edit_as(2, Entity::Deal, deal.id, &json!({ROOM_TYPE: "by hand"})).expect("edited");
    assert!(house.portal.events_settled().await);
    (deal.id, deal.text(ROOM_TYPE))
}

fn room_type(house: &House, deal: i64) -> String {
    house.portal.record(Entity::Deal, deal).expect("the deal").text(ROOM_TYPE)
}

/// A crew that dies where the queue was read and is not cleared yet.
fn mortal(town: &Town) -> (Crew, Arc<AtomicBool>) {
    let dead = Arc::new(AtomicBool::new(false));
    let died = dead.clone();
    let observer = move |step: &str| {
        if step == "queue.taken" {
            dead.store(true, Ordering::SeqCst);
        }
        !dead.load(Ordering::SeqCst)
    };
    (town.crew(Some(Arc::new(observer))), died)
}

struct Watch {
    mail: MailServer,
    alerts: Alerts,
}

impl Watch {
    fn over(town: &Town) -> Self {
        let mail = MailServer::start();
        let mailer = Mailer::new(&mail.url(), "", &SecretString::from(""), "app@fidelio.example").expect("settings");
        let alerts = Alerts::new(town.node.directory.clone(), mailer, town.now.clone());
        Self { mail, alerts }
    }

    async fn minutes(&self, town: &Town, crew: &mut Crew, count: usize) {
        for _ in 0..count {
            minutes(town, crew, 1).await;
            town.patiently(self.alerts.tick()).await.expect("a look");
        }
    }
}

/// As many deals are changed by a person, in what is nobody's but his.
fn change_all(house: &House, text: &str) {
    for deal in house.portal.records(Entity::Deal).into_iter().take(CHANGES) {
        house.portal.edit_as(2, Entity::Deal, deal.id, &json!({"comments": text})).expect("edited");
    }
}

async fn told(town: &Town, house: &House) -> Value {
    let (status, body) = Admin::open(&house.portal, &town.node.url).await.get("/api/v1/status").await;
    assert_eq!(status, 200, "{body}");
    body["events"].clone()
}

on_both_engines! {
    s2_a_lost_event_is_found_in_the_portals_queue_before_the_next_scan(db) {
        let (town, mut crew) = at_work(&db, true).await;
        let house = &town.houses[0];
        // The portal still says that its queue has something.
        house.portal.delivering(|events| events.records_lost = true);
        let (deal, before) = edit(house).await;
        minutes(&town, &mut crew, 1).await;
        town.pass(Duration::from_secs(5));
        town.work(&mut crew).await;
        assert_eq!(room_type(house, deal), before, "put back within a minute");
        // It does not even say that.
        let portal = town.portal(house).await.id;
        town.patiently(crew.engine.scan(portal)).await.expect("a scan");
        house.portal.delivering(|events| events.lost = true);
        let (deal, before) = edit(house).await;
        minutes(&town, &mut crew, 3).await;
        assert_eq!(room_type(house, deal), before, "found by the clock, before five minutes");
        assert_eq!(house.portal.queued(), 0, "what was read is cleared");
        // What events tell needs no second look.
        house.portal.delivering(|events| *events = Default::default());
        town.patiently(crew.engine.scan(portal)).await.expect("a scan");
        house.portal.edit_as(2, Entity::Deal, deal, &json!({"comments": "x"})).expect("edited");
        minutes(&town, &mut crew, 1).await;
        town.pass(Duration::from_secs(5));
        town.work(&mut crew).await;
        house.portal.clear_requests();
        town.pass(Duration::from_secs(125));
        town.work(&mut crew).await;
        assert_eq!(house.portal.queued(), 0);
        assert!(house.portal.requests_of("event.offline.get").len() <= 2);
        assert!(house.portal.requests_of("crm.item.list").is_empty(), "{:?}", house.portal.requests_of("crm.item.list"));
    }

    s2_what_was_read_of_the_queue_and_not_cleared_is_read_again(db) {
        let (town, _) = at_work(&db, true).await;
        let house = &town.houses[0];
        house.portal.delivering(|events| events.lost = true);
        // Dies with the hint on disk.
        let (deal, before) = edit(house).await;
        let (mut crew, died) = mortal(&town);
        minutes(&town, &mut crew, 2).await;
        assert!(died.load(Ordering::SeqCst) && house.portal.queued() == 1, "reserved, not cleared");
        drop(crew);
        let mut crew = town.crew(None);
        minutes(&town, &mut crew, 3).await;
        assert_eq!((room_type(house, deal), house.portal.queued()), (before, 0));
        // The answer that names the process never comes.
        let portal = town.portal(house).await.id;
        town.patiently(crew.engine.scan(portal)).await.expect("a scan");
        let (deal, before) = edit(house).await;
        house.portal.fault(Fault::after_commit("event.offline.get"));
        minutes(&town, &mut crew, 4).await;
        assert!(house.portal.faults().is_empty(), "it was asked");
        assert_eq!((room_type(house, deal), house.portal.queued()), (before, 0));
    }

    s2_a_plan_that_loses_its_queue_goes_on_by_looking(db) {
        let (town, mut crew) = at_work(&db, true).await;
        let house = &town.houses[0];
        house.portal.configure(|options| options.offline_extended = false);
        house.portal.delivering(|events| events.lost = true);
        minutes(&town, &mut crew, 3).await;
        house.portal.clear_requests();
        let (deal, before) = edit(house).await;
        minutes(&town, &mut crew, 6).await;
        assert_eq!(room_type(house, deal), before, "found by the scan");
        assert!(house.portal.requests_of("event.offline.get").is_empty(), "refused once, not asked again");
        assert_eq!(told(&town, house).await["queue"], false);
    }

    s5_a_portal_that_tells_too_little_is_shown_told_of_and_called_off(db) {
        let town = Town::open(&db.db, vec![house(true), house(false)]);
        let mut crew = town.crew(None);
        for (house, code) in town.houses.iter().zip(["GRAND", "PLAZA"]) {
            town.move_in(house, code, &mut crew).await;
            let admin = Admin::open(&house.portal, &town.node.url).await;
            let (status, body) = admin.put("/api/v1/alerts", json!({"emails": ["director@example.com"]})).await;
            assert_eq!(status, 200, "{body}");
        }
        let watch = Watch::over(&town);
        minutes(&town, &mut crew, 2).await;
        for house in &town.houses {
            assert_eq!(told(&town, house).await["changes"], 0, "an import is nobody's change");
            change_all(house, "one");
        }
        watch.minutes(&town, &mut crew, 6).await;
        let expected = |queue: bool, missed: usize, light: &str| {
            json!({"queue": queue, "changes": CHANGES, "missed": missed, "light": light})
        };
        for (house, queue) in town.houses.iter().zip([true, false]) {
            assert_eq!(told(&town, house).await, expected(queue, 0, "green"));
            house.portal.delivering(|events| events.lost = true);
            // Our own writes are told of as little, and are no loss.
            let is_open = |r: &Reservation| !r.financial_account && r.status != Status::CheckedOut;
            let open: Vec<i64> = house.hotel.with(|state| {
                state.reservations.values().filter(|r| is_open(r)).map(|r| r.number).collect()
            });
            for number in open {
                let dearer = |r: &mut Reservation| {
                    r.rate += 1_000;
                    r.reprice();
                };
                house.hotel.edit(number, dearer).expect("a booking");
            }
        }
        watch.minutes(&town, &mut crew, 6).await;
        for (house, queue) in town.houses.iter().zip([true, false]) {
            assert!(!house.portal.requests_of("crm.item.update").is_empty(), "something was written");
            assert_eq!(told(&town, house).await, expected(queue, 0, "green"));
            change_all(house, "two");
        }
        watch.minutes(&town, &mut crew, 11).await;
        for (house, queue) in town.houses.iter().zip([true, false]) {
            assert_eq!(told(&town, house).await, expected(queue, CHANGES, "yellow"));
            let notices = house.portal.notices();
            assert!(notices.len() == 1 && notices[0].message.contains("сообщает не обо всех"), "{notices:?}");
        }
        assert_eq!(watch.mail.letters().len(), 2, "one a portal");

        for house in &town.houses {
            house.portal.delivering(|events| *events = Default::default());
            change_all(house, "three");
        }
        watch.minutes(&town, &mut crew, 12).await;
        for (house, queue) in town.houses.iter().zip([true, false]) {
            assert_eq!(told(&town, house).await, expected(queue, 0, "green"));
            let notices = house.portal.notices();
            assert!(notices.len() == 1 && notices[0].message.contains("снова сообщает"), "{notices:?}");
        }
        assert_eq!(watch.mail.letters().len(), 4, "and one that it is over");
    }
}
