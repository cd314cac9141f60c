use super::*;
use crate::domain::{Currency, Known, Money, ProfileNumber, StayNumber};

fn stay() -> Stay {
    let mut stay = Stay::new(StayNumber::parse("50117").unwrap());
    stay.status = Known::Is(StayStatus::Confirmed);
    stay.arrival = Known::Is("2026-11-21".parse().unwrap());
    stay.departure = Known::Is("2026-11-24".parse().unwrap());
    stay.room = Known::Is("101".into());
    stay.adults = Known::Is(2);
    stay.children = Known::Is([("4-12".to_owned(), 1)].into());
    stay.total = Known::Is(Money { amount: "30000.00".parse().unwrap(), currency: Currency::parse("RUB").unwrap() });
    stay.comments = Known::Is(vec!["late arrival".into()]);
    stay
}

fn place() -> DealPlace {
    DealPlace { category_id: 3, stages: [(StayStatus::Confirmed, "C3:FB24_CONFIRMED".to_owned())].into() }
}

fn hotel() -> HotelCode {
    HotelCode::parse("GRAND").unwrap()
}

#[test]
fn s1_a_stay_becomes_the_contracts_fields() {
    let mapping = Mapping::standard();
    let links = DealLinks { contacts: vec![5, 7], company: Known::Is(9), ..DealLinks::default() };
    let fields = desired_deal(&mapping, &hotel(), &stay(), "Иванова Анна", &links, &place());
    let text = |name: &str| fields.get(name).map(|value| value.wire().to_string()).unwrap_or_default();
    assert_eq!(text("title"), r#""Иванова Анна · 21.11.2026 – 24.11.2026 · №50117""#);
    assert_eq!(text("UF_CRM_FB24_STATUS"), r#""confirmed""#);
    assert_eq!(text("UF_CRM_FB24_ARRIVAL"), r#""2026-11-21""#);
    assert_eq!(text("closedate"), r#""2026-11-24""#);
    assert_eq!(text("UF_CRM_FB24_NIGHTS"), "3");
    assert_eq!(text("UF_CRM_FB24_CHILDREN"), "1");
    assert_eq!(text("opportunity"), r#""30000""#);
    assert_eq!(text("currencyId"), r#""RUB""#);
    assert_eq!(text("isManualOpportunity"), r#""Y""#);
    assert_eq!(text("stageId"), r#""C3:FB24_CONFIRMED""#);
    assert_eq!(text("contactIds"), "[5,7]");
    assert_eq!(text("companyId"), "9");
    assert!(!fields.contains_key("comments"), "people's from the first day on");
    assert!(!fields.contains_key("UF_CRM_FB24_RATE"), "nobody told the rate");
    assert!(!fields.contains_key("UF_CRM_FB24_SYNCED_AT"), "no part of the content");

    let birth = deal_birth(&mapping, &hotel(), &stay(), "Иванова Анна", &place(), 12);
    assert_eq!(birth.get("originId"), Some(&CrmValue::Text("GRAND:50117".into())));
    assert_eq!(birth.get("originatorId"), Some(&CrmValue::Text("fidelio-bitrix24".into())));
    assert_eq!(birth.get("assignedById"), Some(&CrmValue::Int(12)));
    assert_eq!(birth.get("comments"), Some(&CrmValue::Text("late arrival".into())));
}

#[test]
fn s1_a_nameless_guest_still_has_a_name() {
    let profile = Profile::new(ProfileNumber::parse("7").unwrap());
    let marks = BTreeSet::from(["GRAND:7".to_owned()]);
    let fields = desired_person(&Mapping::standard(), CrmEntity::Contact, &profile, &GuestTotals::default(), &marks);
    assert_eq!(fields.get("lastName"), Some(&CrmValue::Text("GRAND:7".into())));
    let fields = desired_person(&Mapping::standard(), CrmEntity::Company, &profile, &GuestTotals::default(), &marks);
    assert_eq!(fields.get("title"), Some(&CrmValue::Text("GRAND:7".into())));
}

#[test]
fn s1_owners_follow_the_rule_and_nobody_is_guessed() {
    assert_eq!(OwnerRule::Unset.owner(&hotel(), "stay:1:1"), None);
    let hotels = [("GRAND".to_owned(), 4)].into();
    assert_eq!(OwnerRule::PerHotel { hotels }.owner(&hotel(), "x"), Some(4));
    let robin = OwnerRule::RoundRobin { user_ids: vec![1, 2, 3] };
    let mut counts = BTreeMap::new();
    for number in 0..3_000 {
        let subject = format!("stay:1:{number}");
        let owner = robin.owner(&hotel(), &subject);
        assert_eq!(owner, robin.owner(&hotel(), &subject));
        *counts.entry(owner).or_insert(0) += 1;
    }
    assert!(counts.len() == 3 && counts.values().all(|count| (800..1_200).contains(count)), "{counts:?}");
    assert_eq!(OwnerRule::RoundRobin { user_ids: vec![] }.owner(&hotel(), "x"), None);
}
