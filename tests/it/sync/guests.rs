//! The guest behind a contact: totals over profiles and currencies, the card of the tab, hints of people who may be one
//! (product §2.8, §2.13, §6).

use std::collections::BTreeSet;
use std::time::Duration;

use fb24_sandbox::portal::{Entity as Kind, PortalOptions};
use fidelio_bitrix24::domain::profile::Preference;
use fidelio_bitrix24::domain::{Currency, Known, Money, Profile, ProfileNumber, StayStatus};
use fidelio_bitrix24::store::testing;
use fidelio_bitrix24::sync::{CrmEvent, Engine, EventIntake, SyncError};
use serde_json::json;

use super::world::{World, phone};
use crate::on_both_engines;

/// One person under two profiles.
fn twin(profile: &mut Profile) {
    profile.last_name = Known::Is("Иванова".into());
    profile.phones = Known::Is(vec![phone("+79001112233")]);
    profile.emails = Known::Empty;
}

/// A stay of `guest` that is over.
fn over(world: &World, number: &str, guest: &str, arrival: &str, departure: &str, total: (&str, &str)) {
    world.book(number, guest);
    world.edit_stay(number, |stay| {
        stay.status = Known::Is(StayStatus::CheckedOut);
        stay.arrival = Known::Is(arrival.parse().unwrap());
        stay.departure = Known::Is(departure.parse().unwrap());
        stay.total = Known::Is(Money { amount: total.0.parse().unwrap(), currency: Currency::parse(total.1).unwrap() });
    });
}

async fn rounds(world: &World, engine: &Engine) {
    for _ in 0..3 {
        world.round(engine).await;
        world.pass(Duration::from_secs(15));
    }
}

/// `[stays, nights, revenue, last stay]` as the contact says.
fn figures(world: &World, contact: i64) -> [String; 4] {
    let record = world.portal.record(Kind::Contact, contact).unwrap();
    let day = record.text("UF_CRM_FB24_LAST_STAY").chars().take(10).collect();
    let int = |name: &str| record.int(name).to_string();
    [int("UF_CRM_FB24_STAYS"), int("UF_CRM_FB24_NIGHTS"), record.text("UF_CRM_FB24_REVENUE"), day]
}

/// The portal tells that a contact is gone; then looks and scans have the time they take.
async fn gone(world: &World, engine: &Engine, contact: i64) {
    let events = EventIntake::new(world.db.clone(), world.clock.clone(), world.node());
    world.pass(Duration::from_secs(60));
    let event =
        CrmEvent { event: "ONCRMCONTACTDELETE".into(), entity: 3, crm_id: contact, ts: world.clock.now_ms() / 1_000 };
    events.accept(world.id, event).await.unwrap();
    engine.decide(world.id).await.unwrap();
    for _ in 0..3 {
        world.pass(Duration::from_secs(400));
        engine.deliver(world.id).await.unwrap();
        engine.scan(world.id).await.unwrap();
        engine.deliver(world.id).await.unwrap();
    }
}

on_both_engines! {
    s1_figures_of_all_profiles_of_a_person_add_up_in_the_contact_and_in_its_tab(db) {
        let world = World::new(db, PortalOptions::default()).await;
        over(&world, "1", "7", "2026-11-01", "2026-11-04", ("30000", "RUB"));
        over(&world, "2", "8", "2026-11-10", "2026-11-12", ("500.50", "RUB"));
        over(&world, "3", "8", "2026-10-10", "2026-10-11", ("90", "EUR"));
        world.book("4", "7");
        world.edit_stay("4", |stay| stay.status = Known::Is(StayStatus::Cancelled));
        world.edit_profile("7", twin);
        world.edit_profile("8", |profile| {
            twin(profile);
            let liked = |code: &str, text: &str| Preference { code: code.into(), text: text.into() };
            profile.preferences = Known::Is(vec![liked("NSM", "Номер для некурящих")]);
        });
        let engine = world.engine();
        rounds(&world, &engine).await;
        assert_eq!(world.contacts().len(), 1);
        let contact = world.contacts()[0].id;
        assert_eq!(figures(&world, contact), ["3", "6", "30500.5|RUB", "2026-11-12"]);

        let card = engine.guest(world.id, contact, None).await.unwrap().expect("a guest");
        let numbers: Vec<String> = card.stays.iter().map(|stay| stay.facts.number.to_string()).collect();
        assert_eq!(numbers, ["4", "2", "1", "3"], "the latest arrival first");
        assert!(card.stays.iter().all(|stay| stay.deal_id.is_some()));
        assert_eq!((card.totals.stays, card.totals.nights, card.cancelled, card.no_shows), (3, 6, 1, 0));
        let earned: Vec<String> = card.totals.revenues().map(|money| format!("{} {}", money.amount, money.currency)).collect();
        assert_eq!(earned, ["90 EUR", "30500.50 RUB"]);
        let liked: Vec<&str> =
            card.profiles.iter().flat_map(|(_, facts)| facts.preferences.get().into_iter().flatten()).map(|one| one.text.as_str()).collect();
        assert_eq!((card.profiles.len(), liked), (2, vec!["Номер для некурящих"]));
        assert!(engine.guest(world.id, contact, Some(&[])).await.unwrap().is_none(), "another hotel's key sees nobody");
        assert!(engine.guest(world.id, contact + 1, None).await.unwrap().is_none());
    }

    s1_the_tab_of_a_guest_of_many_stays_opens_the_latest_and_counts_all_of_them(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let early = "2026-09-01".parse::<chrono::NaiveDate>().unwrap();
        let numbers: Vec<String> = (1..=52).map(|number| number.to_string()).collect();
        for (number, day) in numbers.iter().zip(early.iter_days()) {
            let (from, to) = (day.to_string(), day.succ_opt().unwrap().to_string());
            over(&world, number, "7", &from, &to, ("10.50", "RUB"));
        }
        let engine = world.engine();
        engine.poll_source(world.id, world.source).await.unwrap();
        engine.decide(world.id).await.unwrap();
        engine.deliver(world.id).await.unwrap();
        let contact = world.contacts()[0].id;
        assert_eq!(figures(&world, contact), ["52", "52", "546|RUB", "2026-10-23"]);
        testing::spoil_stays(&world.db, world.id, &["1", "2"]).await.unwrap();
        let card = engine.guest(world.id, contact, None).await.unwrap().expect("a guest");
        assert_eq!((card.stays.len(), card.stays_total, card.totals.stays, card.totals.nights), (50, 52, 52, 52));
        assert_eq!(card.stays[0].facts.number.as_str(), "52");
        let earned: Vec<String> = card.totals.revenues().map(|money| money.amount.to_string()).collect();
        assert_eq!(earned, ["546.00"]);
    }

    s1_an_erased_guest_s_stays_keep_their_figures_and_leave_those_of_who_shares_his_contact(db) {
        let world = World::new(db, PortalOptions::default()).await;
        over(&world, "1", "7", "2026-11-01", "2026-11-04", ("30000", "RUB"));
        over(&world, "2", "8", "2026-11-10", "2026-11-12", ("500.50", "RUB"));
        world.edit_profile("7", twin);
        world.edit_profile("8", twin);
        let engine = world.engine();
        rounds(&world, &engine).await;
        let contact = world.contacts()[0].id;
        assert_eq!(figures(&world, contact), ["2", "5", "30500.5|RUB", "2026-11-12"]);
        world.edit_profile("8", |profile| profile.privacy_removed = Known::Is(true));
        for _ in 0..4 {
            rounds(&world, &engine).await;
        }
        assert_eq!(figures(&world, contact), ["1", "3", "30000|RUB", "2026-11-04"], "the link has ended, and with it what it brought");
        let card = engine.guest(world.id, contact, None).await.unwrap().expect("a guest");
        assert_eq!((card.stays_total, card.totals.stays, card.totals.nights), (1, 1, 3), "the tab says the same");
        let deal = world.deals().into_iter().find(|deal| deal.text("UF_CRM_FB24_RESERVATION") == "2").expect("his deal");
        assert_eq!((deal.text("opportunity"), deal.int("UF_CRM_FB24_NIGHTS")), ("500.5".into(), 2), "the stay's figures stay");
    }

    s1_figures_follow_a_check_out_that_is_undone_and_a_stay_that_is_given_to_another(db) {
        let world = World::new(db, PortalOptions::default()).await;
        over(&world, "1", "7", "2026-11-20", "2026-11-21", ("30000", "RUB"));
        world.book("2", "8");
        let engine = world.engine();
        rounds(&world, &engine).await;
        let contact = |profile: &str| {
            let mark = format!("GRAND:{profile}");
            world.contacts().into_iter().find(|record| record.text("originId") == mark).expect("a contact").id
        };
        let (anna, other) = (contact("7"), contact("8"));
        assert_eq!(figures(&world, anna), ["1", "1", "30000|RUB", "2026-11-21"]);
        world.edit_stay("1", |stay| stay.main_guest = Known::Is(ProfileNumber::parse("8").unwrap()));
        rounds(&world, &engine).await;
        assert_eq!(figures(&world, other), ["1", "1", "30000|RUB", "2026-11-21"]);
        assert_eq!(figures(&world, anna), ["0", "0", "", ""], "what was counted for her is not hers any more");
        world.edit_stay("1", |stay| stay.status = Known::Is(StayStatus::InHouse));
        rounds(&world, &engine).await;
        assert_eq!(figures(&world, other), ["0", "0", "", ""]);
    }

    s1_people_said_to_be_different_are_never_hinted_again_nor_taken_for_one(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let husband = json!({"name": "Пётр", "lastName": "Иванов",
            "fm": [{"typeId": "EMAIL", "valueType": "WORK", "value": "anna8@example.ru"}]});
        let husband = world.portal.add_as(2, Kind::Contact, &husband).unwrap();
        world.book("2", "8");
        let engine = world.engine();
        rounds(&world, &engine).await;
        let own = world.contacts().into_iter().find(|record| record.id != husband).expect("hers").id;
        let hints = engine.merge_hints(world.id, None, 10).await.unwrap().items;
        assert_eq!((hints.len(), hints[0].crm_id, hints[0].alike[0].crm_id), (1, Some(own), husband));
        assert_eq!((hints[0].reason.as_str(), hints[0].name.as_str()), ("other_name", "Иванова8 Анна"));
        let card = engine.guest(world.id, own, None).await.unwrap().expect("a guest");
        assert_eq!(card.hints, hints);

        // Somebody else looks alike by the time he decides: of those whom he has not seen he says nothing.
        let (id, seen) = (hints[0].id, BTreeSet::from([husband]));
        for other in [BTreeSet::from([husband - 1]), BTreeSet::from([husband, own])] {
            assert!(matches!(engine.dismiss_hint(world.id, id, &other).await, Err(SyncError::Conflict("hint_changed"))));
        }
        assert_eq!(engine.merge_hints(world.id, None, 10).await.unwrap().items, hints);
        engine.dismiss_hint(world.id, id, &seen).await.unwrap();
        assert!(matches!(engine.dismiss_hint(world.id, id, &seen).await, Err(SyncError::NotFound)), "it is over");
        // Now even the name would fit; and her own record goes.
        world.pass(Duration::from_secs(60));
        world.portal.edit_as(2, Kind::Contact, husband, &json!({"name": "Анна", "lastName": "Иванова8"})).unwrap();
        world.portal.delete_as(2, Kind::Contact, own).unwrap();
        gone(&world, &engine, own).await;
        assert!(engine.merge_hints(world.id, None, 10).await.unwrap().items.is_empty());
        let deals = world.deals();
        assert!(!deals[0].fields["contactIds"].to_string().contains(&husband.to_string()), "{:?}", deals[0].fields);
        assert!(engine.guest(world.id, husband, None).await.unwrap().is_none(), "he stands for nobody");
    }

    s1_a_hint_ends_by_itself_when_people_merged_or_deleted_one_of_both(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let alike = |email: &str, name: &str| {
            let fields = json!({"name": name, "lastName": "Иванов", "fm": [{"typeId": "EMAIL", "valueType": "WORK", "value": email}]});
            world.portal.add_as(2, Kind::Contact, &fields).unwrap()
        };
        let (first, second) = (alike("anna8@example.ru", "Пётр"), alike("anna9@example.ru", "Семён"));
        world.book("2", "8");
        world.book("3", "9");
        let engine = world.engine();
        rounds(&world, &engine).await;
        assert_eq!(engine.merge_hints(world.id, None, 10).await.unwrap().items.len(), 2);
        // One of those who looked alike is gone: nobody is left to be merged with.
        world.portal.delete_as(2, Kind::Contact, first).unwrap();
        gone(&world, &engine, first).await;
        let left = engine.merge_hints(world.id, None, 10).await.unwrap().items;
        assert_eq!((left.len(), left[0].alike[0].crm_id), (1, second));
        // The guest's own record is merged into the other: the portal turns its deals to the one that is left.
        let own = left[0].crm_id.expect("her record");
        world.pass(Duration::from_secs(60));
        world.portal.merge_as(2, Kind::Contact, second, own).unwrap();
        gone(&world, &engine, own).await;
        assert!(engine.merge_hints(world.id, None, 10).await.unwrap().items.is_empty());
        let card = engine.guest(world.id, second, None).await.unwrap().expect("the one that is left");
        assert_eq!(card.profiles[0].1.number.as_str(), "9");
    }
}
