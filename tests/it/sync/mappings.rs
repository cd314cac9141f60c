//! Mappings at work: previewed, switched on, applied to what is there, and switched back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fb24_sandbox::portal::{Entity as Kind, Fault, PortalOptions};
use fidelio_bitrix24::domain::fact::Fact;
use fidelio_bitrix24::domain::mapping::{FieldRule, Owner, Template};
use fidelio_bitrix24::domain::{CrmEntity, CrmValue, Known, Mapping, StayNumber};
use fidelio_bitrix24::store::{mappings, testing};
use fidelio_bitrix24::sync::preview::{Outcome, Preview};
use fidelio_bitrix24::sync::{Engine, SyncError};
use serde_json::{Value, json};

use super::ground::{decided, meanwhile};
use super::world::World;
use crate::on_both_engines;

const ROOM: &str = "UF_CRM_FB24_ROOM";
const RATE: &str = "UF_CRM_FB24_RATE";

fn rule<'m>(mapping: &'m mut Mapping, field: &str) -> &'m mut FieldRule {
    mapping.fields.iter_mut().find(|rule| rule.field == field).expect("a rule")
}

/// Titles are numbers, rooms have a sign, and the rate is nobody's.
fn other() -> Mapping {
    let mut mapping = Mapping::standard();
    mapping.deal_title = Template::parse("Stay {number}").unwrap();
    rule(&mut mapping, ROOM).transforms = serde_json::from_value(json!([{"do": "prefix", "text": "№"}])).unwrap();
    mapping.fields.retain(|rule| rule.field != RATE);
    mapping
}

pub async fn save(world: &World, mapping: &Mapping) -> i64 {
    let latest = mappings::latest(&world.db, world.id, world.hotel_id).await.unwrap();
    assert!(mappings::add(&world.db, world.id, world.hotel_id, latest, mapping, 1, 0).await.unwrap());
    latest + 1
}

pub async fn activate(world: &World, version: i64) {
    let tx = world.db.begin().await.unwrap();
    mappings::activate(&tx, world.id, world.hotel_id, version).await.unwrap();
    tx.commit().await.unwrap();
}

pub async fn apply(world: &World, engine: &Engine) {
    engine.apply_mapping(world.id, world.hotel_id, 1).await.unwrap();
    while engine.remap_step(world.id).await.unwrap() {}
    engine.deliver(world.id).await.unwrap();
}

pub async fn preview(world: &World, engine: &Engine, mapping: Mapping, stays: &[&str]) -> Preview {
    let stays: Vec<StayNumber> = stays.iter().map(|number| StayNumber::parse(number).unwrap()).collect();
    engine.preview_mapping(world.id, world.hotel_id, mapping, &stays).await.unwrap().expect("known stays")
}

/// `field before > after` of what would change.
fn changes(preview: &Preview) -> Vec<String> {
    let text = |value: &CrmValue| value.wire().to_string().replace('"', "");
    let of = preview.records.iter().flat_map(|record| record.fields.iter().filter(|field| field.changes));
    of.map(|field| {
        format!("{} {} > {}", field.name, field.before.as_ref().map_or("?".into(), text), text(&field.after))
    })
    .collect()
}

async fn booked(world: &World) -> Engine {
    world.book("1", "7");
    world.edit_stay("1", |stay| {
        stay.room = Known::Is("101".into());
        stay.rate = Known::Is("BAR".into());
    });
    let engine = world.engine();
    world.round(&engine).await;
    world.pass(Duration::from_secs(400));
    engine.deliver(world.id).await.unwrap();
    engine
}

pub async fn user_field(world: &World, name: &str, fields: Value) {
    let mut all = json!({"FIELD_NAME": name, "XML_ID": name});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let url = format!("{}crm.deal.userfield.add", world.portal.webhook(1));
    let made: Value =
        reqwest::Client::new().post(url).json(&json!({ "fields": all })).send().await.unwrap().json().await.unwrap();
    assert!(made["result"].is_number(), "{made}");
}

on_both_engines! {
    s1_a_preview_tells_exactly_what_will_be_written_and_does_nothing(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = booked(&world).await;
        let title = world.deals()[0].text("title");
        let dump = testing::dump(&world.db).await.unwrap();
        world.portal.clear_requests();
        let shown = preview(&world, &engine, other(), &["1"]).await;
        assert_eq!(world.requests(), 0, "the portal is not asked");
        assert!(testing::dump(&world.db).await.unwrap() == dump, "no row of any table changes");
        assert_eq!(changes(&shown), [format!("{ROOM} 101 > №101"), format!("title {title} > Stay 1")]);
        let outcomes: Vec<_> = shown.records.iter().map(|record| (record.entity, record.outcome)).collect();
        assert_eq!(outcomes, [(CrmEntity::Deal, Outcome::Changed), (CrmEntity::Contact, Outcome::Unchanged)]);
        assert_eq!((shown.commands, shown.requests), (1, 1));
        let rate = shown.records[0].fields.iter().find(|field| field.name == RATE);
        assert_eq!(rate, None, "what has left the mapping is not ours to show");

        // What was told is what comes.
        let version = save(&world, &other()).await;
        activate(&world, version).await;
        apply(&world, &engine).await;
        assert_eq!(world.requests(), shown.requests);
        for field in shown.records[0].fields.iter().filter(|field| field.changes) {
            assert_eq!(json!(world.deals()[0].text(&field.name)), field.after.wire());
        }
        let again = preview(&world, &engine, other(), &["1"]).await;
        assert_eq!((changes(&again), again.commands, again.requests), (vec![], 0, 0));
    }

    s1_a_preview_shows_what_stands_in_a_field_that_was_never_read(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = booked(&world).await;
        user_field(&world, "UF_CRM_WISH", json!({"USER_TYPE_ID": "string"})).await;
        let deal = world.deals()[0].id;
        world.portal.edit_as(3, Kind::Deal, deal, &json!({"UF_CRM_WISH": "a person's"})).unwrap();
        let mut mapping = Mapping::standard();
        let (entity, field) = (CrmEntity::Deal, "UF_CRM_WISH".to_owned());
        mapping.fields.push(FieldRule { entity, field, from: Fact::Rate, owner: Owner::Pms, transforms: vec![] });
        let dump = testing::dump(&world.db).await.unwrap();
        world.portal.clear_requests();
        let shown = preview(&world, &engine, mapping.clone(), &["1"]).await;
        assert_eq!(changes(&shown), ["UF_CRM_WISH a person's > BAR"]);
        assert_eq!(world.requests(), 1, "one question, for the deal alone: {:?}", world.sent());
        let now = testing::dump(&world.db).await.unwrap();
        let written: Vec<&str> = now.iter().zip(&dump).filter(|(now, was)| now != was).map(|(now, _)| now.0.as_str()).collect();
        assert_eq!(written, ["portal_bucket"], "what the question cost, and nothing else");
        assert_eq!(world.deals()[0].text("UF_CRM_WISH"), "a person's");

        // Whoever asks while the portal is down is told what is known.
        world.portal.fault(Fault::before("crm.item.list"));
        let shown = preview(&world, &engine, mapping, &["1"]).await;
        assert_eq!(changes(&shown), ["UF_CRM_WISH ? > BAR"]);
    }

    s1_a_preview_of_new_stays_and_of_filtered_ones_is_told_too(db) {
        let world = World::new(db, PortalOptions::default()).await;
        for number in ["1", "2"] {
            world.book(number, &format!("7{number}"));
        }
        let engine = world.engine();
        engine.poll_source(world.id, world.source).await.unwrap();
        engine.decide(world.id).await.unwrap();
        // The people go first, and their deals with the next request: both are shown.
        let shown = preview(&world, &engine, other(), &["1"]).await;
        let outcomes: Vec<_> = shown.records.iter().map(|record| (record.entity, record.outcome)).collect();
        let both = vec![(CrmEntity::Deal, Outcome::Created), (CrmEntity::Contact, Outcome::Created)];
        assert_eq!((outcomes, shown.commands, shown.requests), (both, 2, 2));
        let title = shown.records[0].fields.iter().find(|field| field.name == "title").expect("a title");
        assert_eq!((&title.after, title.changes), (&CrmValue::Text("Stay 1".into()), true));
        let mut picky = other();
        picky.filters.conditions = serde_json::from_value(json!([{"fact": "number", "is": ["2"]}])).unwrap();
        let shown = preview(&world, &engine, picky.clone(), &["1", "2"]).await;
        let deal = |at: usize| (shown.records[at].outcome, shown.records[at].crm_id);
        assert_eq!((deal(0), deal(1)), ((Outcome::LeftOut, None), (Outcome::Created, None)));
        let unknown = [StayNumber::parse("1").unwrap(), StayNumber::parse("9").unwrap()];
        assert_eq!(engine.preview_mapping(world.id, world.hotel_id, picky, &unknown).await.unwrap().err(), Some(1));
        world.portal.clear_requests();
        engine.deliver(world.id).await.unwrap();
        assert_eq!((world.deals().len(), world.contacts().len()), (2, 2), "the preview held nobody up");
    }

    s1_a_field_that_leaves_the_mapping_is_let_go_and_comes_back_by_the_hotels_word(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = booked(&world).await;
        let rate = || world.deals()[0].text(RATE);
        let version = save(&world, &other()).await;
        activate(&world, version).await;
        apply(&world, &engine).await;
        world.edit_stay("1", |stay| stay.rate = Known::Empty);
        world.round(&engine).await;
        assert_eq!(rate(), "BAR", "left as it was, not emptied");
        world.edit_stay("1", |stay| stay.rate = Known::Is("BAR".into()));
        world.round(&engine).await;
        let deal = world.deals()[0].id;
        world.portal.edit_as(3, Kind::Deal, deal, &json!({RATE: "a person's"})).unwrap();
        world.pass(Duration::from_secs(400));
        engine.scan(world.id).await.unwrap();
        engine.deliver(world.id).await.unwrap();
        assert_eq!(rate(), "a person's", "not ours: not put back");
        // Back in one step; nobody looked at the field meanwhile, and still it is known to differ.
        activate(&world, 0).await;
        apply(&world, &engine).await;
        assert_eq!((rate(), world.deals()[0].text(ROOM)), ("BAR".into(), "101".into()));
        assert_eq!(world.problems(&engine).await, vec![]);
    }

    s1_a_mapping_switched_on_while_a_delivery_runs_holds_for_what_was_not_sent(db) {
        let world = decided(db).await;
        let version = save(&world, &other()).await;
        let changing = world.clone();
        let observer = meanwhile(async move {
            activate(&changing, version).await;
            changing.time.advance(Duration::from_secs(3));
        });
        let engine = world.engine_of(world.node(), Some(observer));
        engine.deliver(world.id).await.unwrap();
        assert_eq!((world.contacts().len(), world.deals().len()), (3, 0), "guests go first; then the delivery ended");
        engine.deliver(world.id).await.unwrap();
        let mut titles: Vec<String> = world.deals().iter().map(|deal| deal.text("title")).collect();
        titles.sort();
        assert_eq!(titles, ["Stay 1", "Stay 2", "Stay 3"]);
    }

    s1_taking_records_along_goes_on_in_another_process_and_raises_each_once(db) {
        let world = decided(db).await;
        world.engine().deliver(world.id).await.unwrap();
        let version = save(&world, &other()).await;
        activate(&world, version).await;
        let engine = world.engine();
        engine.apply_mapping(world.id, world.hotel_id, 1).await.unwrap();
        let view = engine.remap(world.id, world.hotel_id).await.unwrap();
        assert_eq!((view.stays, view.people, view.requests), (3, 3, 3));
        let steps = AtomicUsize::new(0);
        let dies = world.engine_of(world.node(), Some(Arc::new(move |step| {
            step != "remap.raised" || steps.fetch_add(1, Ordering::SeqCst) > 0
        })));
        assert!(matches!(dies.remap_step(world.id).await, Err(SyncError::Stopped(_))));
        while engine.remap_step(world.id).await.unwrap() {}
        let view = engine.remap(world.id, world.hotel_id).await.unwrap();
        let job = view.job.expect("a job");
        assert_eq!((job.raised, job.total, job.version, view.waiting), (6, 6, version, 6));
        engine.deliver(world.id).await.unwrap();
        assert!(world.deals().iter().all(|deal| deal.text("title").starts_with("Stay ")));
        assert_eq!(engine.remap(world.id, world.hotel_id).await.unwrap().waiting, 0);
    }

    s1_a_paused_import_holds_up_no_application_of_the_mapping(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = booked(&world).await;
        let import = engine.create_import(world.id, world.hotel_id, None, None, false, 1).await.unwrap();
        engine.import_step(world.id).await.unwrap();
        engine.pause_import(world.id, &import).await.unwrap();
        let version = save(&world, &other()).await;
        activate(&world, version).await;
        apply(&world, &engine).await;
        assert_eq!(world.deals()[0].text("title"), "Stay 1");
    }

    s1_every_value_says_by_which_mapping_it_came(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = booked(&world).await;
        let version = save(&world, &other()).await;
        activate(&world, version).await;
        apply(&world, &engine).await;
        let deal = world.deals()[0].id;
        let origin = async |field: &str| {
            let view = engine.stay_by_deal(world.id, deal).await.unwrap().expect("a stay");
            let origin = view.origins.into_iter().find(|origin| origin.field == field).expect("an origin");
            (origin.fact, origin.version, origin.value, origin.changed_by)
        };
        let text = |value: &str| CrmValue::Text(value.to_owned());
        assert_eq!(origin(ROOM).await, (Some("room"), version, text("№101"), None));
        assert_eq!(origin(RATE).await, (Some("rate"), 0, text("BAR"), None));
        assert_eq!(origin("title").await, (None, version, text("Stay 1"), None));
        world.portal.edit_as(3, Kind::Deal, deal, &json!({"UF_CRM_FB24_MARKET": "x", "title": "by hand"})).unwrap();
        world.pass(Duration::from_secs(400));
        engine.scan(world.id).await.unwrap();
        assert_eq!(origin("title").await.3, Some(3), "and who changed it since");
    }

    s1_fields_of_the_portals_own_are_read_back_as_they_were_written(db) {
        let world = World::new(db, PortalOptions::default()).await;
        for (name, kind) in [("UF_CRM_DAY", "date"), ("UF_CRM_COUNT", "integer"), ("UF_CRM_SUM", "double"), ("UF_CRM_MONEY", "money")] {
            user_field(&world, name, json!({"USER_TYPE_ID": kind})).await;
        }
        let items = json!([{"VALUE": "Double"}, {"VALUE": "Other"}]);
        user_field(&world, "UF_CRM_CHOICE", json!({"USER_TYPE_ID": "enumeration", "LIST": items})).await;
        let mut mapping = Mapping::standard();
        for (field, from, steps) in [
            ("UF_CRM_DAY", Fact::Arrival, json!([])),
            ("UF_CRM_COUNT", Fact::Nights, json!([])),
            ("UF_CRM_SUM", Fact::Total, json!([{"do": "number"}])),
            ("UF_CRM_MONEY", Fact::Total, json!([])),
        ] {
            let transforms = serde_json::from_value(steps).unwrap();
            mapping.fields.push(FieldRule { entity: CrmEntity::Deal, field: field.into(), from, owner: Owner::Pms, transforms });
        }
        let version = save(&world, &mapping).await;
        activate(&world, version).await;
        world.edit_stay("1", |stay| {
            let total = json!({"amount": "1250.50", "currency": "RUB"});
            stay.total = Known::Is(serde_json::from_value(total).unwrap());
        });
        let engine = booked(&world).await;
        let deal = world.deals().remove(0);
        assert_eq!(deal.int("UF_CRM_COUNT"), 3);
        assert!(deal.text("UF_CRM_SUM").starts_with("1250.5"), "{}", deal.text("UF_CRM_SUM"));
        // Somebody's edit of another field makes us look at all of them: none of ours differs.
        world.portal.edit_as(3, Kind::Deal, deal.id, &json!({"additionalInfo": "x"})).unwrap();
        world.pass(Duration::from_secs(400));
        engine.scan(world.id).await.unwrap();
        world.portal.clear_requests();
        engine.deliver(world.id).await.unwrap();
        assert!(world.portal.requests_of("crm.item.update").is_empty(), "{:?}", world.portal.requests());
        world.portal.edit_as(3, Kind::Deal, deal.id, &json!({"UF_CRM_COUNT": 9})).unwrap();
        world.pass(Duration::from_secs(400));
        engine.scan(world.id).await.unwrap();
        engine.deliver(world.id).await.unwrap();
        assert_eq!(world.deals()[0].int("UF_CRM_COUNT"), 3, "put back like any other");
    }
}
