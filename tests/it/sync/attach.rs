//! Sales deals that people give to stays, and take away again (product §2.14).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fb24_sandbox::portal::{Entity as Kind, Fault, PortalOptions, Record};
use fidelio_bitrix24::domain::fact::Fact;
use fidelio_bitrix24::domain::mapping::{FieldRule, Owner};
use fidelio_bitrix24::domain::{CrmEntity, Known, Mapping, StayNumber, StayStatus};
use fidelio_bitrix24::store::{hotels, links};
use fidelio_bitrix24::sync::attach::Binding;
use fidelio_bitrix24::sync::views::ProblemView;
use fidelio_bitrix24::sync::{Engine, SyncError};
use serde_json::{Value, json};

use super::lost::told as deleted;
use super::mappings::{activate, save, user_field};
use super::reconcile::reconcile;
use super::world::World;
use crate::on_both_engines;
use crate::support::db::TestDb;

async fn say(world: &World, engine: &Engine, stay: &str, binding: Binding) -> Result<(), &'static str> {
    let hotel = hotels::by_id(&world.db, world.id, world.hotel_id).await.unwrap().unwrap();
    match engine.bind(world.id, &hotel, &StayNumber::parse(stay).unwrap(), binding).await {
        Err(SyncError::Conflict(code)) => return Err(code),
        said => said.unwrap(),
    }
    engine.decide(world.id).await.unwrap();
    engine.deliver(world.id).await.unwrap();
    Ok(())
}

/// It is decided, and nothing leaves yet.
async fn hear(world: &World, engine: &Engine, stay: &str, binding: Binding) {
    let hotel = hotels::by_id(&world.db, world.id, world.hotel_id).await.unwrap().unwrap();
    engine.bind(world.id, &hotel, &StayNumber::parse(stay).unwrap(), binding).await.unwrap();
    engine.decide(world.id).await.unwrap();
}

async fn after_a_while(world: &World, engine: &Engine) {
    for _ in 0..3 {
        engine.deliver(world.id).await.unwrap();
        world.pass(Duration::from_secs(2));
        engine.decide(world.id).await.unwrap();
    }
    engine.deliver(world.id).await.unwrap();
}

fn sale(world: &World, more: &Value) -> i64 {
    let mut fields = json!({"title": "Свадьба Ивановых", "comments": "by hand", "opportunity": 5});
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.portal.add_as(3, Kind::Deal, &fields).unwrap()
}

fn deal(world: &World, id: i64) -> Record {
    world.portal.record(Kind::Deal, id).unwrap()
}

fn marks(deal: &Record) -> [String; 4] {
    ["originatorId", "originId", "UF_CRM_FB24_HOTEL", "UF_CRM_FB24_RESERVATION"].map(|name| deal.text(name))
}

const CRS: &str = "UF_CRM_CRS";

/// The mapping writes the CRS number into a field of the portal, and bookings are attached by what they name.
async fn by_crs(db: TestDb) -> World {
    let mut world = World::new(db, PortalOptions::default()).await;
    world.terms.ownership.attach_by_reference = true;
    user_field(&world, CRS, json!({"USER_TYPE_ID": "string"})).await;
    let mut mapping = Mapping::standard();
    mapping.fields.push(FieldRule {
        entity: CrmEntity::Deal,
        field: CRS.into(),
        from: Fact::CrsNumber,
        owner: Owner::Pms,
        transforms: vec![],
    });
    let version = save(&world, &mapping).await;
    activate(&world, version).await;
    world.portal.clear_requests();
    world
}

fn book_by(world: &World, stay: &str, crs: &str) {
    world.book(stay, &format!("7{stay}"));
    world.edit_stay(stay, |stay| stay.crs_number = Known::Is(crs.into()));
}

/// The stays behind deals that bear a number.
fn stays_by(world: &World, crs: &str) -> Vec<String> {
    let deals = world.deals();
    let mut stays: Vec<String> =
        deals.iter().filter(|deal| deal.text(CRS) == crs).map(|deal| marks(deal)[3].clone()).collect();
    stays.sort();
    stays
}

async fn told(world: &World, engine: &Engine) -> BTreeSet<String> {
    let text = |problem: &ProblemView| {
        let stay = problem.subject.rsplit(':').next().unwrap();
        format!("{stay} {}", problem.params["why"].as_str().unwrap())
    };
    world.problems(engine).await.iter().map(text).collect()
}

/// Requests that look deals up by the field, rather than by id or by mark.
fn searches(world: &World) -> usize {
    world.portal.requests().iter().filter(|request| request.params.to_string().contains(&format!("@{CRS}"))).count()
}

on_both_engines! {
    s1_a_sales_deal_takes_the_place_of_ours_and_is_kept_true(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let guest = world.portal.add_as(3, Kind::Contact, &json!({"name": "Пётр", "lastName": "Иванов"})).unwrap();
        let sold = sale(&world, &json!({"contactIds": [guest]}));
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        let ours = world.deals().iter().map(|deal| deal.id).find(|id| *id != sold).unwrap();
        assert_eq!(say(&world, &engine, "1", Binding::Attach { deal: sold }).await, Err("stay_has_deal"));
        assert_eq!(say(&world, &engine, "1", Binding::New).await, Err("stay_has_deal"));

        say(&world, &engine, "1", Binding::Detach).await.unwrap();
        let left = deal(&world, ours);
        assert_eq!(marks(&left), ["", "", "", ""]);
        assert_eq!((left.text("UF_CRM_FB24_ROOM_TYPE"), left.int("opportunity")), ("DBL".into(), 30_000), "its content stays");
        assert!(engine.stay_by_deal(world.id, ours).await.unwrap().is_none());
        world.pass(Duration::from_secs(400));
        world.edit_stay("1", |stay| stay.room = Known::Is("205".into()));
        world.round(&engine).await;
        assert_eq!(world.deals().len(), 2, "no second deal by itself");
        assert_eq!(deal(&world, ours).text("UF_CRM_FB24_ROOM"), "");
        assert_eq!(say(&world, &engine, "1", Binding::Detach).await, Ok(()), "it is so");

        say(&world, &engine, "1", Binding::Attach { deal: sold }).await.unwrap();
        let kept = deal(&world, sold);
        assert_eq!(marks(&kept), ["fidelio-bitrix24", "GRAND:1", "GRAND", "1"]);
        assert_eq!((kept.text("title"), kept.text("comments")), ("Свадьба Ивановых".into(), "by hand".into()));
        let named = kept.fields["contactIds"].as_array().unwrap();
        assert!(named.len() == 2 && named.contains(&json!(guest)), "{named:?}");
        assert_eq!((kept.text("UF_CRM_FB24_ROOM"), kept.int("opportunity")), ("205".into(), 30_000));
        world.edit_stay("1", |stay| stay.status = Known::Is(StayStatus::InHouse));
        world.round(&engine).await;
        assert_eq!((deal(&world, sold).text("stageId"), world.deals().len()), ("FINAL_INVOICE".into(), 2));
        let view = engine.stay_by_deal(world.id, sold).await.unwrap().expect("the stay of the deal");
        assert_eq!(view.facts.number.as_str(), "1");

        say(&world, &engine, "1", Binding::Detach).await.unwrap();
        say(&world, &engine, "1", Binding::New).await.unwrap();
        assert_eq!((world.deals().len(), marks(&deal(&world, sold))), (3, [const { String::new() }; 4]));
        assert_eq!(marks(&world.deals()[2])[1], "GRAND:1");
        assert!(world.problems(&engine).await.is_empty());
    }

    s1_another_systems_mark_stays_on_an_attached_deal_and_on_one_that_is_let_go(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        say(&world, &engine, "1", Binding::Detach).await.unwrap();
        let sold = sale(&world, &json!({"originatorId": "site", "originId": "55"}));
        say(&world, &engine, "1", Binding::Attach { deal: sold }).await.unwrap();
        assert_eq!(marks(&deal(&world, sold)), ["site", "55", "GRAND", "1"]);
        say(&world, &engine, "1", Binding::Detach).await.unwrap();
        assert_eq!(marks(&deal(&world, sold)), ["site", "55", "", ""]);
    }

    s1_a_deal_that_bears_another_stay_is_refused(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        world.book("2", "8");
        let engine = world.engine();
        world.round(&engine).await;
        let of = |mark: &str| world.deals().into_iter().find(|deal| deal.text("originId") == mark).unwrap().id;
        let (first, second) = (of("GRAND:1"), of("GRAND:2"));
        say(&world, &engine, "1", Binding::Detach).await.unwrap();
        assert_eq!(say(&world, &engine, "1", Binding::Attach { deal: second }).await, Err("deal_has_stay"));
        // A copy of it says so in its own fields.
        let copy = world.portal.copy_as(3, Kind::Deal, second).unwrap();
        let before = deal(&world, copy);
        say(&world, &engine, "1", Binding::Attach { deal: copy }).await.unwrap();
        assert_eq!(deal(&world, copy).fields, before.fields, "nothing was written to it");
        let problem = world.problems(&engine).await.remove(0);
        assert_eq!((problem.cause.as_str(), &problem.params), ("attach.refused", &json!({"id": copy, "why": "deal_has_stay"})));
        world.edit_stay("1", |stay| stay.room = Known::Is("205".into()));
        world.round(&engine).await;
        assert_eq!(world.deals().len(), 3, "the stay is without a deal, as before");
        // The one that it was taken off is free again.
        say(&world, &engine, "1", Binding::Attach { deal: first }).await.unwrap();
        assert_eq!((deal(&world, first).text("UF_CRM_FB24_ROOM"), world.problems(&engine).await.len()), ("205".into(), 0));
    }

    s1_a_booking_that_names_its_deal_is_attached_to_it_where_that_is_wanted(db) {
        let mut world = World::new(db, PortalOptions::default()).await;
        world.terms.ownership.attach_by_reference = true;
        let engine = world.engine();
        let sold = sale(&world, &json!({}));
        world.book("1", "7");
        world.edit_stay("1", |stay| stay.comments = Known::Is(vec![format!("Сделка №{sold}, поздний заезд")]));
        world.book("2", "8");
        world.edit_stay("2", |stay| stay.comments = Known::Is(vec!["deal 99999".into()]));
        world.round(&engine).await;
        engine.deliver(world.id).await.unwrap();
        assert_eq!(marks(&deal(&world, sold)), ["fidelio-bitrix24", "GRAND:1", "GRAND", "1"]);
        assert_eq!(deal(&world, sold).text("title"), "Свадьба Ивановых");
        let deals = world.deals();
        assert_eq!((deals.len(), deals[1].text("originId")), (2, "GRAND:2".into()), "a number that is no deal's is no reason to wait");
        let problem = world.problems(&engine).await.remove(0);
        assert_eq!((problem.cause.as_str(), &problem.params["why"]), ("attach.refused", &json!("no_deal")));
        // A third booking that names a deal which is taken gets its own.
        world.book("3", "9");
        world.edit_stay("3", |stay| stay.comments = Known::Is(vec![format!("deal {sold}")]));
        world.round(&engine).await;
        assert_eq!((world.deals().len(), marks(&deal(&world, sold))[3].clone()), (3, "1".into()));
        let wedding = sale(&world, &json!({}));
        for (number, guest) in [("4", "10"), ("5", "11")] {
            world.book(number, guest);
            world.edit_stay(number, |stay| stay.comments = Known::Is(vec![format!("deal {wedding}")]));
        }
        world.round(&engine).await;
        assert_eq!((world.deals().len(), marks(&deal(&world, wedding))[3].clone()), (6, String::new()));
        let told: Vec<String> = told(&world, &engine).await.into_iter().collect();
        assert_eq!(told, ["2 no_deal", "3 deal_has_stay", "4 named_twice", "5 named_twice"]);
    }

    s1_a_deal_is_not_attached_while_the_stays_own_is_being_made(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let sold = sale(&world, &json!({}));
        world.book("1", "7");
        let engine = world.engine();
        engine.poll_source(world.id, world.source).await.unwrap();
        engine.decide(world.id).await.unwrap();
        world.portal.fault(Fault::after_commit("crm.item.add").times(2));
        for _ in 0..40 {
            if world.deals().len() == 2 {
                break;
            }
            let _ = engine.deliver(world.id).await;
            world.pass(Duration::from_secs(7));
        }
        let ours = world.deals().iter().map(|deal| deal.id).find(|id| *id != sold).unwrap();
        hear(&world, &engine, "1", Binding::Attach { deal: sold }).await;
        for _ in 0..3 {
            world.settle(&engine).await;
            engine.decide(world.id).await.unwrap();
        }
        assert_eq!((marks(&deal(&world, sold)), world.deals().len()), ([const { String::new() }; 4], 2));
        assert_eq!(marks(&deal(&world, ours))[1], "GRAND:1");
        assert!(engine.stay_by_deal(world.id, ours).await.unwrap().is_some());
        let problem = world.problems(&engine).await.remove(0);
        assert_eq!((problem.cause.as_str(), &problem.params), ("attach.refused", &json!({"id": sold, "why": "stay_has_deal"})));
    }

    s1_a_detached_stay_leaves_alone_what_the_next_one_of_its_deal_says(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        world.book("2", "8");
        let engine = world.engine();
        world.round(&engine).await;
        let first = world.deals().into_iter().find(|deal| deal.text("originId") == "GRAND:1").unwrap().id;
        say(&world, &engine, "1", Binding::Detach).await.unwrap();
        say(&world, &engine, "2", Binding::Detach).await.unwrap();
        say(&world, &engine, "2", Binding::Attach { deal: first }).await.unwrap();
        world.edit_stay("1", |stay| stay.room = Known::Is("205".into()));
        world.round(&engine).await;
        assert_eq!(marks(&deal(&world, first)), ["fidelio-bitrix24", "GRAND:2", "GRAND", "2"]);
    }

    s1_a_new_deal_waits_until_the_old_one_is_let_go(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        let first = world.deals()[0].id;
        hear(&world, &engine, "1", Binding::Detach).await;
        hear(&world, &engine, "1", Binding::New).await;
        after_a_while(&world, &engine).await;
        assert_eq!((marks(&deal(&world, first)), world.deals().len()), ([const { String::new() }; 4], 2));
        assert_eq!(marks(&world.deals()[1])[1], "GRAND:1");
    }

    s1_a_deal_is_given_on_once_the_stay_before_has_left_it(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        world.book("2", "8");
        let engine = world.engine();
        world.round(&engine).await;
        let first = world.deals().into_iter().find(|deal| deal.text("originId") == "GRAND:1").unwrap().id;
        say(&world, &engine, "2", Binding::Detach).await.unwrap();
        hear(&world, &engine, "1", Binding::Detach).await;
        hear(&world, &engine, "2", Binding::Attach { deal: first }).await;
        after_a_while(&world, &engine).await;
        assert_eq!(marks(&deal(&world, first)), ["fidelio-bitrix24", "GRAND:2", "GRAND", "2"]);
        assert!(world.problems(&engine).await.is_empty());
    }

    s1_a_detached_stay_gets_no_deal_by_an_attachment_that_was_refused(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        say(&world, &engine, "1", Binding::Detach).await.unwrap();
        say(&world, &engine, "1", Binding::Attach { deal: 99_999 }).await.unwrap();
        world.pass(Duration::from_secs(400));
        world.edit_stay("1", |stay| stay.room = Known::Is("205".into()));
        world.round(&engine).await;
        assert_eq!(world.deals().len(), 1, "no deal by itself");
        assert_eq!(world.problems(&engine).await.remove(0).cause, "attach.refused");
    }

    s1_a_deal_that_bears_the_bookings_crs_number_is_attached_and_what_is_unclear_is_told(db) {
        let world = by_crs(db).await;
        let sold = sale(&world, &json!({CRS: "CRS-1"}));
        for crs in ["CRS-2", "CRS-3", "CRS-3", "crs-4"] {
            sale(&world, &json!({CRS: crs}));
        }
        for (stay, crs) in [("1", "CRS-1"), ("2", "CRS-2"), ("3", "CRS-2"), ("4", "CRS-3"), ("5", "CRS-4")] {
            book_by(&world, stay, crs);
        }
        let engine = world.engine();
        world.round(&engine).await;
        engine.deliver(world.id).await.unwrap();
        assert_eq!(marks(&deal(&world, sold)), ["fidelio-bitrix24", "GRAND:1", "GRAND", "1"]);
        assert_eq!((deal(&world, sold).text("title"), stays_by(&world, "CRS-1")), ("Свадьба Ивановых".into(), vec!["1".into()]));
        assert_eq!(stays_by(&world, "CRS-2"), ["", "2", "3"], "which of the two was meant, nobody knows");
        assert_eq!((stays_by(&world, "CRS-3"), stays_by(&world, "CRS-4")), (vec!["".into(), "".into(), "4".into()], vec!["5".into()]));
        let unclear = ["2 named_twice", "3 named_twice", "4 several_deals"].map(str::to_owned);
        assert_eq!((told(&world, &engine).await, searches(&world)), (unclear.clone().into(), 1));
        // A room that is booked later with the same number: its deal has a stay.
        book_by(&world, "6", "CRS-1");
        world.round(&engine).await;
        assert_eq!((stays_by(&world, "CRS-1"), told(&world, &engine).await), (vec!["1".into(), "6".into()], unclear.into()));
        // What is linked, or bears none, asks for nothing; our own writes come back as nothing.
        let (asked, deals) = (searches(&world), world.deals());
        world.book("7", "77");
        world.edit_stay("1", |stay| stay.room = Known::Is("205".into()));
        world.round(&engine).await;
        assert_eq!((searches(&world), world.deals().len()), (asked, deals.len() + 1));
        // A deal of its own, after all: not the one it was taken off.
        say(&world, &engine, "1", Binding::Detach).await.unwrap();
        say(&world, &engine, "1", Binding::New).await.unwrap();
        assert_eq!(stays_by(&world, "CRS-1"), ["", "1", "6"]);
    }

    s1_a_search_by_crs_number_that_fails_delays_only_who_needs_it_and_doubles_nothing(db) {
        let world = by_crs(db).await;
        let sold = sale(&world, &json!({CRS: "CRS-1"}));
        world.portal.fault(Fault::error("crm.item.list", 500, "INTERNAL_SERVER_ERROR").bearing(&format!("@{CRS}")));
        book_by(&world, "1", "CRS-1");
        world.book("2", "72");
        let engine = world.engine();
        world.round(&engine).await;
        let of = |stay: &str| world.deals().iter().filter(|deal| marks(deal)[3] == stay).count();
        assert_eq!((of("1"), of("2")), (0, 1));
        // Dies between the answer and what it says.
        let died = Arc::new(AtomicUsize::new(0));
        let seen = died.clone();
        let dying = world.engine_of(
            world.node(),
            Some(Arc::new(move |step: &str| step != "deliver.found" || seen.fetch_add(1, Ordering::SeqCst) > 0)),
        );
        world.pass(Duration::from_secs(60));
        assert!(dying.deliver(world.id).await.is_err());
        world.pass(Duration::from_secs(25));
        engine.deliver(world.id).await.unwrap();
        assert_eq!((died.load(Ordering::SeqCst), marks(&deal(&world, sold))[3].clone(), world.deals().len()), (1, "1".into(), 2));
    }

    s1_a_comparison_sees_that_a_booking_with_a_crs_number_has_no_deal(db) {
        let world = by_crs(db).await;
        book_by(&world, "1", "CRS-1");
        let engine = world.engine();
        world.round(&engine).await;
        engine.deliver(world.id).await.unwrap();
        let made = world.deals()[0].id;
        world.portal.delete_as(2, Kind::Deal, made).unwrap();
        deleted(&world, &engine, "ONCRMDEALDELETE", 2, made).await;
        let tx = world.db.begin().await.unwrap();
        links::end(&tx, world.id, &[format!("stay:{}:1", world.hotel_id)]).await.unwrap();
        tx.commit().await.unwrap();
        let (_, drift) = reconcile(&world).await;
        assert_eq!(drift.iter().map(|row| row.cause.as_str()).collect::<Vec<_>>(), ["missing_in_crm"]);
        after_a_while(&world, &engine).await;
        assert_eq!(stays_by(&world, "CRS-1"), ["1"], "made again the ordinary way");
    }

    s1_nobody_is_looked_up_where_no_field_holds_the_crs_number_or_it_is_not_wanted(db) {
        let mut world = by_crs(db).await;
        world.terms.ownership.attach_by_reference = false;
        sale(&world, &json!({CRS: "CRS-1"}));
        book_by(&world, "1", "CRS-1");
        world.round(&world.engine()).await;
        assert_eq!((stays_by(&world, "CRS-1"), searches(&world)), (vec!["".into(), "1".into()], 0));
        world.terms.ownership.attach_by_reference = true;
        let version = save(&world, &Mapping::standard()).await;
        activate(&world, version).await;
        book_by(&world, "2", "CRS-1");
        world.round(&world.engine()).await;
        assert_eq!((world.deals().len(), searches(&world)), (3, 0));
    }
}
