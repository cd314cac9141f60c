//! The comparison of both truths sees every field and every record: each is spoilt in the portal, and told.

use std::collections::BTreeSet;

use fb24_sandbox::hotel::HotelOptions;
use fb24_sandbox::portal::{Entity, PortalOptions, Record};
use serde_json::{Value, json};

use crate::support::db;
use crate::support::town::{House, Town};
use crate::support::truth::{Cause, Difference};
use crate::support::wants::{Wants, deal_wants, person_wants};
use crate::support::world::differences;

const CODE: &str = "GRAND";

/// A value that this field never has.
fn spoilt(record: &Record, name: &str) -> Value {
    match name {
        "PHONE" | "EMAIL" => {
            let value = if name == "PHONE" { "+74950000000" } else { "somebody@example.net" };
            return json!({"fm": {"n0": {"typeId": name, "valueType": "WORK", "value": value}}});
        }
        "stageId" => {
            let other = if record.text(name).ends_with("FB24_OFFER") { "FB24_TENTATIVE" } else { "FB24_OFFER" };
            return json!({name: format!("C{}:{other}", record.int("categoryId"))});
        }
        "contactIds" => return json!({name: []}),
        "UF_CRM_FB24_PROFILE" => return json!({name: [format!("{CODE}:{}", record.text("originId").len()), "X:1"]}),
        "UF_CRM_FB24_BALANCE" | "UF_CRM_FB24_REVENUE" => return json!({name: "0.07|USD"}),
        "UF_CRM_FB24_SYNCED_AT" => return json!({name: ""}),
        "isManualOpportunity" | "opened" => return json!({name: "N"}),
        "opportunity" => return json!({name: 0.07}),
        _ => {}
    }
    let text = record.text(name);
    let date = text.len() >= 10
        && text.is_char_boundary(10)
        && chrono::NaiveDate::parse_from_str(&text[..10], "%Y-%m-%d").is_ok();
    let dated = ["birthdate", "UF_CRM_FB24_LAST_STAY", "UF_CRM_FB24_BOOKED_ON"].contains(&name);
    if date || dated { json!({name: "2001-02-03"}) } else { json!({name: "77"}) }
}

/// Spoils one field after the other and puts each back.
fn every_field(house: &House, entity: Entity, id: i64, wants: &Wants) {
    let record = || house.portal.record(entity, id).expect("it is there");
    let links = if entity == Entity::Deal { &["stageId", "contactIds", "companyId"][..] } else { &[] };
    for name in wants.iter().map(|(name, _)| *name).chain(links.iter().copied()) {
        let before = record();
        assert!(house.portal.edit_as(2, entity, id, &spoilt(&before, name)).expect("edited"), "{entity:?} {name}");
        let told = differences(&house.portal, &house.hotel, CODE);
        assert!(
            told.iter().any(|one| one.text.contains(&format!("({id}): {name} is")) || one.cause != Cause::Wrong),
            "{entity:?} {name}: {told:#?}"
        );
        let back = match name {
            "PHONE" | "EMAIL" => {
                let entries = record().fields["fm"].as_array().cloned().unwrap_or_default();
                let mut gone = serde_json::Map::new();
                for entry in entries.iter().filter(|entry| {
                    ["+74950000000", "somebody@example.net"].contains(&entry["value"].as_str().unwrap_or_default())
                }) {
                    gone.insert(
                        entry["id"].to_string(),
                        json!({"id": entry["id"], "typeId": name, "value": "", "DELETE": "Y"}),
                    );
                }
                json!({"fm": gone})
            }
            _ => json!({name: before.fields.get(name).cloned().unwrap_or_default()}),
        };
        house.portal.edit_as(2, entity, id, &back).expect("put back");
        let left = differences(&house.portal, &house.hotel, CODE);
        assert!(left.is_empty(), "{entity:?} {name} was put back: {left:#?}");
    }
}

fn causes(house: &House) -> BTreeSet<Cause> {
    differences(&house.portal, &house.hotel, CODE).iter().map(|one: &Difference| one.cause).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s7_the_comparison_of_both_truths_sees_every_field_and_every_record() {
    let db = db::sqlite().await;
    let hotel = HotelOptions { reservations: 60, rooms: 40, ..HotelOptions::default() };
    let town = Town::open(&db.db, vec![House::build(PortalOptions::default(), hotel)]);
    let house = &town.houses[0];
    let mut crew = town.crew(None);
    town.move_in(house, CODE, &mut crew).await;
    let left = differences(&house.portal, &house.hotel, CODE);
    assert!(left.is_empty(), "{left:#?}");
    // From here on nobody works: what is spoilt stays.

    let of = |entity| house.portal.records(entity).into_iter();
    let number = |record: &Record| record.text("originId").split_once(':').and_then(|(_, n)| n.parse::<i64>().ok());
    let deal = of(Entity::Deal).find(|deal| deal.int("companyId") != 0).expect("somebody came for a firm");
    let wants =
        house.hotel.with(|state| deal_wants(state, &state.reservations[&number(&deal).expect("a number")], CODE));
    every_field(house, Entity::Deal, deal.id, &wants);
    for entity in [Entity::Contact, Entity::Company] {
        let record = of(entity).next().expect("there is one");
        let wants =
            house.hotel.with(|state| person_wants(state, &state.profiles[&number(&record).expect("a number")], CODE));
        every_field(house, entity, record.id, &wants);
    }

    for entity in Entity::ALL {
        let id = of(entity).next().expect("there is one").id;
        let copy = house.portal.copy_as(2, entity, id).expect("copied");
        assert!(causes(house).contains(&Cause::Doubled), "{entity:?}");
        house.portal.delete_as(2, entity, copy).expect("deleted");
        assert!(causes(house).is_empty(), "{entity:?}");
    }
    let strange = house.portal.add_as(2, Entity::Contact, &json!({"name": "Кто-то"})).expect("entered");
    assert_eq!(causes(house), BTreeSet::from([Cause::Orphan]));
    house.portal.delete_as(2, Entity::Contact, strange).expect("deleted");
    house.portal.delete_as(2, Entity::Deal, deal.id).expect("deleted");
    assert_eq!(causes(house), BTreeSet::from([Cause::Missing]));
}
