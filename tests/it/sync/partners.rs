//! Companies, travel agents and sources in their roles, and everybody whom a deal names (issue 3, §3).

use std::time::Duration;

use fb24_sandbox::portal::{Entity as Kind, PortalOptions, Record};
use fidelio_bitrix24::domain::stay::{Companion, Group};
use fidelio_bitrix24::domain::{Known, ProfileKind, ProfileNumber, StayNumber};
use fidelio_bitrix24::sync::Engine;
use serde_json::json;

use super::world::World;
use crate::on_both_engines;

fn number(text: &str) -> Known<ProfileNumber> {
    Known::Is(ProfileNumber::parse(text).unwrap())
}

fn partner(world: &World, profile: &str, kind: ProfileKind, name: &str) {
    world.edit_profile(profile, |profile| {
        profile.kind = Known::Is(kind);
        profile.last_name = Known::Is(name.into());
        profile.first_name = Known::Empty;
        profile.phones = Known::Empty;
        profile.emails = Known::Empty;
    });
}

fn companion(profile: &str, stay: Option<&str>) -> Companion {
    Companion {
        profile: ProfileNumber::parse(profile).unwrap(),
        name: String::new(),
        stay: stay.map(|stay| StayNumber::parse(stay).unwrap()),
    }
}

async fn rounds(world: &World, engine: &Engine) {
    for _ in 0..3 {
        world.round(engine).await;
        world.pass(Duration::from_secs(15));
    }
}

fn of_mark(records: Vec<Record>, profile: &str) -> Record {
    let mark = format!("GRAND:{profile}");
    records.into_iter().find(|record| record.text("originId") == mark).unwrap_or_else(|| panic!("no record of {mark}"))
}

on_both_engines! {
    s1_agents_sources_and_companies_become_companies_and_the_deal_names_the_first_of_them(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        partner(&world, "91", ProfileKind::Company, "ООО Заказчик");
        partner(&world, "92", ProfileKind::TravelAgent, "Турагент");
        partner(&world, "93", ProfileKind::Source, "Канал продаж");
        world.edit_stay("1", |stay| {
            stay.company = number("91");
            stay.travel_agent = number("92");
            stay.source_profile = number("93");
        });
        let engine = world.engine();
        rounds(&world, &engine).await;
        let companies = world.portal.records(Kind::Company);
        let mut titles: Vec<String> = companies.iter().map(|company| company.text("title")).collect();
        titles.sort();
        assert_eq!(titles, ["Канал продаж", "ООО Заказчик", "Турагент"]);
        assert_eq!(world.contacts().len(), 1, "none of them is a contact");
        let company = |profile: &str| of_mark(world.portal.records(Kind::Company), profile);
        assert_eq!(company("92").fields["UF_CRM_FB24_PROFILE"], json!(["GRAND:92"]));
        let names = |profile: &str| assert_eq!(world.deals()[0].int("companyId"), company(profile).id, "{profile}");
        names("91");
        let view = engine.stay_by_deal(world.id, world.deals()[0].id).await.unwrap().expect("a stay");
        let mut roles: Vec<(&str, Option<i64>)> =
            view.guests.iter().filter(|guest| guest.role != "guest").map(|guest| (guest.role.as_str(), guest.crm_id)).collect();
        roles.sort_unstable();
        let known = |profile: &str| Some(company(profile).id);
        assert_eq!(roles, [("company", known("91")), ("source", known("93")), ("travel_agent", known("92"))]);
        // Without a company the agent stands in for it, then the source.
        for (stands_in, absent) in [("92", 1), ("93", 2)] {
            world.edit_stay("1", |stay| {
                stay.company = Known::Empty;
                if absent > 1 {
                    stay.travel_agent = Known::Empty;
                }
            });
            rounds(&world, &engine).await;
            names(stands_in);
        }
    }

    // A hotel's desk enters what it likes: the company that pays also stands among those who come.
    s1_a_company_that_is_entered_among_the_guests_too_is_the_deals_company(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        partner(&world, "91", ProfileKind::Company, "ООО Заказчик");
        world.edit_stay("1", |stay| {
            stay.company = number("91");
            stay.companions = Known::Is(vec![companion("91", None)]);
        });
        let engine = world.engine();
        rounds(&world, &engine).await;
        let [company] = world.portal.records(Kind::Company).try_into().expect("one company");
        let said = || (world.deals()[0].int("companyId"), world.deals()[0].fields["contactIds"].clone());
        assert_eq!(said(), (company.id, json!([of_mark(world.contacts(), "7").id])));
        // And where it is the main guest as well.
        world.edit_stay("1", |stay| (stay.main_guest, stay.companions) = (number("91"), Known::Empty));
        rounds(&world, &engine).await;
        assert_eq!(said().0, company.id);
    }

    s1_the_deal_names_all_its_guests_the_main_one_first(db) {
        let world = World::new(db, PortalOptions::default()).await;
        for guest in ["7", "8", "9"] {
            world.edit_profile(guest, |_| {});
        }
        // The sharer has a reservation of his own.
        world.book("2", "9");
        world.edit_stay("1", |stay| {
            stay.main_guest = number("8");
            stay.companions = Known::Is(vec![companion("7", None), companion("8", None)]);
            stay.sharers = Known::Is(vec![companion("9", Some("2"))]);
        });
        let engine = world.engine();
        rounds(&world, &engine).await;
        let contact = |profile: &str| of_mark(world.contacts(), profile).id;
        assert_eq!(world.contacts().len(), 3, "nobody twice");
        let deal = of_mark(world.deals(), "1");
        assert_eq!(deal.fields["contactIds"], json!([contact("8"), contact("7"), contact("9")]));
        // Another main guest: he comes first, and nobody is lost.
        world.edit_stay("1", |stay| stay.main_guest = number("7"));
        rounds(&world, &engine).await;
        assert_eq!(of_mark(world.deals(), "1").fields["contactIds"], json!([contact("7"), contact("8"), contact("9")]));
    }

    s1_a_group_or_a_party_is_one_field(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let group = |number: &str, name: &str| Known::Is(Group { number: number.into(), name: name.into() });
        world.book("1", "7");
        world.edit_stay("1", |stay| stay.party = group("55", "Свадьба"));
        let engine = world.engine();
        rounds(&world, &engine).await;
        let said = || of_mark(world.deals(), "1").text("UF_CRM_FB24_GROUP");
        assert_eq!(said(), "Свадьба");
        world.edit_stay("1", |stay| stay.group = group("77", ""));
        rounds(&world, &engine).await;
        assert_eq!(said(), "77", "a group goes before a party; without a name its number tells");
        world.edit_stay("1", |stay| (stay.group, stay.party) = (Known::Empty, Known::Empty));
        rounds(&world, &engine).await;
        assert_eq!(said(), "");
    }
}
