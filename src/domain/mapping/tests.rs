use std::collections::BTreeSet;

use proptest::prelude::*;

use super::check::{Flaw, check};
use super::shape::Shape;
use super::*;
use crate::domain::crm_schema::{CrmField, CrmPipeline, CrmSchema, CrmStage};
use crate::domain::desired::{DealLinks, deal_birth, desired_deal, desired_person, person_birth};
use crate::domain::totals::GuestTotals;
use crate::domain::{Currency, Fields, Known, Money, Profile, ProfileNumber, StayNumber};

const TYPES: [(&str, &str); 7] = [
    ("UF_TEXT", "string"),
    ("UF_INT", "integer"),
    ("UF_NUM", "double"),
    ("UF_DATE", "date"),
    ("UF_MONEY", "money"),
    ("UF_LIST", "enumeration"),
    ("UF_FILE", "file"),
];

fn field(kind: &str) -> CrmField {
    CrmField { kind: kind.to_owned(), user: true, ..CrmField::default() }
}

/// What set-up leaves, with a field of every type besides.
fn schema() -> CrmSchema {
    let mut schema = CrmSchema::default();
    for entity in CrmEntity::ALL {
        let fields = schema.fields.entry(entity).or_default();
        for rule in Mapping::standard().rules(entity) {
            let kind = match Yield::of_fact(rule.from).shape {
                Shape::Integer => "integer",
                Shape::Date => "date",
                Shape::Money => "money",
                _ => "string",
            };
            fields.insert(rule.field.clone(), field(kind));
        }
        fields.extend(TYPES.map(|(name, kind)| (name.to_owned(), field(kind))));
        fields.insert("UF_SHORT".to_owned(), CrmField { max_length: Some(20), ..field("string") });
        fields.insert("UF_MANY".to_owned(), CrmField { multiple: true, ..field("string") });
        fields.insert("movedTime".to_owned(), CrmField { read_only: true, ..field("datetime") });
        fields.insert("stageId".to_owned(), field("crm_status"));
        let list = fields.get_mut("UF_LIST").unwrap();
        list.items = vec![("44".to_owned(), "Двухместный".to_owned()), ("45".to_owned(), "Другой".to_owned())];
    }
    let stage = |id: &str| CrmStage { id: id.to_owned(), name: id.to_owned() };
    schema.pipelines = vec![
        CrmPipeline { id: 3, name: "Stays".into(), stages: vec![stage("C3:NEW"), stage("C3:WON")] },
        CrmPipeline { id: 5, name: "Sales".into(), stages: vec![stage("C5:NEW")] },
    ];
    schema
}

fn rule(entity: CrmEntity, field: &str, from: Fact, steps: serde_json::Value) -> FieldRule {
    let transforms = serde_json::from_value(steps).unwrap();
    FieldRule { entity, field: field.to_owned(), from, owner: Owner::Pms, transforms }
}

fn with(rule: FieldRule) -> Mapping {
    let mut mapping = Mapping::standard();
    mapping.fields.push(rule);
    mapping
}

fn flaws(mapping: &Mapping) -> Vec<(String, &'static str)> {
    check(mapping, &schema(), 3).into_iter().map(|Flaw { pointer, code, .. }| (pointer, code)).collect()
}

fn flaw(field: &str, from: Fact, steps: serde_json::Value) -> String {
    let mapping = with(rule(CrmEntity::Deal, field, from, steps));
    let at = format!("/fields/{}", mapping.fields.len() - 1);
    let found = flaws(&mapping);
    found.iter().map(|(pointer, code)| format!("{} {code}", pointer.replace(&at, ""))).collect::<Vec<_>>().join("; ")
}

#[test]
fn s1_the_standard_mapping_is_a_document_that_reads_back_and_fits() {
    let mapping = Mapping::standard();
    let read: Mapping = serde_json::from_str(&serde_json::to_string(&mapping).unwrap()).unwrap();
    assert_eq!((&read.fields, read.deal_title.text()), (&mapping.fields, mapping.deal_title.text()));
    assert_eq!(flaws(&mapping), []);
}

#[test]
fn s1_every_rule_is_held_against_the_field_it_names() {
    let none = || serde_json::json!([]);
    for (field, from, expected) in [
        ("UF_TEXT", Fact::Block, ""),
        ("UF_NOWHERE", Fact::Block, "/field field_unknown"),
        ("UF_MANY", Fact::Block, "/field field_multiple"),
        ("movedTime", Fact::Block, "/field field_read_only"),
        ("stageId", Fact::Block, "/field field_reserved"),
        ("UF_CRM_FB24_ROOM", Fact::Block, "/field field_twice"),
        ("UF_FILE", Fact::Block, "/field field_kind"),
        ("UF_SHORT", Fact::Block, "/transforms field_short"),
        ("UF_SHORT", Fact::Hotel, ""),
        ("UF_TEXT", Fact::Arrival, "/from shape_text"),
        ("UF_DATE", Fact::Arrival, ""),
        ("UF_DATE", Fact::Block, "/from shape_date"),
        ("UF_NUM", Fact::Total, "/from shape_number"),
        ("UF_INT", Fact::Total, "/from shape_integer"),
        ("UF_MONEY", Fact::Nights, "/from shape_money"),
        ("UF_LIST", Fact::RoomType, "/from choice_open"),
        ("UF_TEXT", Fact::LastName, "/from fact_entity"),
    ] {
        assert_eq!(flaw(field, from, none()), expected, "{field} {from:?}");
    }
}

#[test]
fn s1_steps_are_held_against_what_comes_before_them() {
    for (field, from, steps, expected) in [
        ("UF_TEXT", Fact::Arrival, r#"[{"do":"format","text":"{day}.{month}"}]"#, ""),
        ("UF_TEXT", Fact::Block, r#"[{"do":"format","text":"{day}"}]"#, "/transforms/0 placeholder"),
        ("UF_TEXT", Fact::Arrival, r#"[{"do":"upper"}]"#, "/transforms/0 step_text"),
        ("UF_NUM", Fact::Total, r#"[{"do":"number"}]"#, ""),
        ("UF_NUM", Fact::Block, r#"[{"do":"number"}]"#, "/transforms/0 step_number"),
        ("UF_SHORT", Fact::Block, r#"[{"do":"truncate","max":20}]"#, ""),
        (
            "UF_SHORT",
            Fact::Block,
            r#"[{"do":"truncate","max":20},{"do":"prefix","text":"№"}]"#,
            "/transforms field_short",
        ),
        ("UF_LIST", Fact::RoomType, r#"[{"do":"lookup","table":{"DBL":"44"},"otherwise":"45"}]"#, ""),
        ("UF_LIST", Fact::RoomType, r#"[{"do":"lookup","table":{"DBL":"44"}}]"#, "/from choice_open"),
        (
            "UF_LIST",
            Fact::RoomType,
            r#"[{"do":"lookup","table":{"DBL":"46"},"otherwise":""}]"#,
            "/transforms choice_item",
        ),
        ("UF_LIST", Fact::Status, r#"[{"do":"lookup","table":{"offer":"44"}}]"#, "/transforms choice_item"),
        ("UF_TEXT", Fact::Room, r#"[{"do":"concat","with":["vip"],"separator":" "}]"#, "/transforms/0 fact_entity"),
        ("UF_DATE", Fact::Arrival, r#"[{"do":"when","fact":"status","is":["offer"]}]"#, ""),
        (
            "UF_DATE",
            Fact::Arrival,
            r#"[{"do":"when","fact":"status","is":[],"otherwise":"—"}]"#,
            "/transforms/0 step_text",
        ),
    ] {
        assert_eq!(flaw(field, from, serde_json::from_str(steps).unwrap()), expected, "{field} {steps}");
    }
}

#[test]
fn s1_stages_marks_titles_and_filters_are_held_too() {
    let mut mapping = Mapping::standard();
    mapping.stages.insert(StayStatus::Offer, "C3:GONE".into());
    mapping.fields.retain(|rule| rule.field != "UF_CRM_FB24_HOTEL");
    mapping.deal_title = Template::parse("{last_name}").unwrap();
    mapping.filters.conditions = vec![Condition { fact: Fact::Guest, is: vec![], except: true }];
    let expected = [
        ("/fields".to_owned(), "field_fixed"),
        ("/deal_title".to_owned(), "fact_entity"),
        ("/filters/conditions/0/fact".to_owned(), "fact_entity"),
        ("/stages/offer".to_owned(), "stage_unknown"),
    ];
    assert_eq!(flaws(&mapping), expected);
    let mut mapping = Mapping { pipeline: Some(5), ..Mapping::standard() };
    assert_eq!(flaws(&mapping), [("/stages/offer".to_owned(), "stage_missing")]);
    mapping.stages = StayStatus::ALL.map(|status| (status, "C5:NEW".to_owned())).into();
    assert_eq!(flaws(&mapping), []);
    mapping.pipeline = Some(6);
    assert_eq!(flaws(&mapping), [("/pipeline".to_owned(), "pipeline_unknown")]);
}

#[test]
fn s1_a_groups_deal_is_held_against_the_portal_and_named_in_a_field_of_peoples_own() {
    let mut schema = schema();
    let binds = |kinds: &[&str]| CrmField { binds: kinds.iter().map(ToString::to_string).collect(), ..field("crm") };
    let deals = schema.fields.get_mut(&CrmEntity::Deal).unwrap();
    deals.insert("UF_DEAL".into(), binds(&["DEAL"]));
    deals.insert("UF_ANY".into(), binds(&["DEAL", "LEAD"]));
    deals.insert("UF_TOO_SHORT".into(), CrmField { max_length: Some(5), ..field("string") });
    let flaws = |group: GroupMapping| -> Vec<(String, &str)> {
        let mapping = Mapping { group: Some(group), ..Mapping::standard() };
        check(&mapping, &schema, 3).into_iter().map(|flaw| (flaw.pointer, flaw.code)).collect()
    };
    for link in ["UF_TEXT", "UF_DEAL", "UF_SHORT"] {
        assert_eq!(flaws(GroupMapping { link: Some(link.into()), ..GroupMapping::standard() }), []);
    }
    for link in ["UF_ANY", "UF_MANY", "UF_TOO_SHORT", "UF_INT", "UF_NONE", "UF_CRM_FB24_ROOM"] {
        let told = flaws(GroupMapping { link: Some(link.into()), ..GroupMapping::standard() });
        assert_eq!(told, [("/group/link".to_owned(), "group_link")], "{link}");
    }
    let deal = |field, from| rule(CrmEntity::Deal, field, from, serde_json::json!([]));
    let fields = vec![
        deal("UF_TEXT", Fact::Group),
        deal("UF_TEXT", Fact::Hotel),
        deal("UF_INT", Fact::Rooms),
        deal("UF_CRM_FB24_RESERVATION", Fact::Number),
        deal("UF_SHORT", Fact::Room),
        deal("UF_DATE", Fact::Total),
        rule(CrmEntity::Contact, "UF_TEXT", Fact::Group, serde_json::json!([])),
    ];
    let (title, link) = (Template::parse("{guest}").unwrap(), Some("UF_TEXT".to_owned()));
    let expected = [
        ("/group/title", "fact_group"),
        ("/group/fields/1/field", "field_twice"),
        ("/group/fields/3/field", "field_reserved"),
        ("/group/fields/4/from", "fact_group"),
        ("/group/fields/5/from", "shape_date"),
        ("/group/fields/6/entity", "group_entity"),
        ("/group/pipeline", "pipeline_unknown"),
        ("/group/link", "field_twice"),
    ];
    let told = flaws(GroupMapping { title, pipeline: Some(9), fields, link });
    assert_eq!(told, expected.map(|(at, code)| (at.to_owned(), code)));
}

#[test]
fn s1_a_deal_lives_by_the_stages_of_the_pipeline_it_stands_in() {
    let portal = DealPlace { category_id: 3, stages: [(StayStatus::Offer, "C3:NEW".to_owned())].into() };
    let stages: BTreeMap<_, _> = [(StayStatus::Offer, "C5:NEW".to_owned())].into();
    let mapping = Mapping { pipeline: Some(5), stages, ..Mapping::standard() };
    let stage = |category| mapping.place_in(category, &portal).stages.get(&StayStatus::Offer).cloned();
    assert_eq!(mapping.birthplace(&portal).category_id, 5);
    assert_eq!((stage(Some(5)), stage(None)), (Some("C5:NEW".into()), Some("C5:NEW".into())));
    assert_eq!((stage(Some(3)), stage(Some(9))), (Some("C3:NEW".into()), None));
}

#[test]
fn s1_filters_say_which_stays_become_deals() {
    let hotel = HotelCode::parse("GRAND").unwrap();
    let mut mapping = Mapping::standard();
    assert!(mapping.carries(&hotel, &stay()) && !mapping.carries(&hotel, &Stay::new(stay().number)));
    mapping.filters.conditions = vec![Condition { fact: Fact::Room, is: vec!["101".into()], except: true }];
    assert!(!mapping.carries(&hotel, &stay()));
    mapping.filters = Filters { statuses: vec![StayStatus::Offer], conditions: vec![] };
    assert!(!mapping.carries(&hotel, &stay()));
}

fn stay() -> Stay {
    let mut stay = Stay::new(StayNumber::parse("50117").unwrap());
    stay.status = Known::Is(StayStatus::Confirmed);
    stay.arrival = Known::Is("2026-11-21".parse().unwrap());
    stay.departure = Known::Is("2026-11-24".parse().unwrap());
    stay.room = Known::Is("101".into());
    stay.room_type = Known::Is("ß".repeat(255));
    stay.rate = Known::Empty;
    stay.adults = Known::Is(2);
    stay.total = Known::Is(Money { amount: "30000.00".parse().unwrap(), currency: Currency::parse("RUB").unwrap() });
    stay.comments = Known::Is(vec!["late arrival".repeat(300)]);
    stay
}

fn profile() -> Profile {
    let mut profile = Profile::new(ProfileNumber::parse("7").unwrap());
    profile.last_name = Known::Is("Иванова".into());
    profile.birth_date = Known::Is("1990-02-01".parse().unwrap());
    profile.vip = Known::Empty;
    profile
}

fn any_fact() -> impl Strategy<Value = Fact> {
    proptest::sample::select(Fact::ALL.to_vec())
}

fn any_text() -> impl Strategy<Value = String> {
    "[a-zA-Zа-я{}0-9 ]{0,12}|\\{value\\}|\\{day\\}|\\{amount\\} \\{currency\\}|44|45"
}

fn any_step() -> impl Strategy<Value = Transform> {
    let condition = (any_fact(), proptest::collection::vec(any_text(), 0..3), any::<bool>())
        .prop_map(|(fact, is, except)| Condition { fact, is, except });
    prop_oneof![
        Just(Transform::Upper),
        Just(Transform::Lower),
        Just(Transform::Number),
        any_text().prop_map(|text| Transform::Prefix { text }),
        any_text().prop_map(|text| Transform::Suffix { text }),
        any_text().prop_map(|text| Transform::Format { text }),
        (1_usize..40).prop_map(|max| Transform::Truncate { max }),
        (proptest::collection::btree_map(any_text(), any_text(), 0..4), proptest::option::of(any_text()))
            .prop_map(|(table, otherwise)| Transform::Lookup { table, otherwise }),
        (proptest::collection::vec(any_fact(), 0..4), any_text())
            .prop_map(|(with, separator)| Transform::Concat { with, separator }),
        (condition, proptest::option::of(any_text()))
            .prop_map(|(condition, otherwise)| Transform::When { condition, otherwise }),
    ]
}

fn any_rule() -> impl Strategy<Value = FieldRule> {
    let fields: Vec<String> = schema()
        .fields
        .values()
        .flat_map(|fields| fields.keys().cloned())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    (
        proptest::sample::select(CrmEntity::ALL.to_vec()),
        proptest::sample::select(fields),
        any_fact(),
        proptest::sample::select(vec![Owner::Pms, Owner::Crm]),
        proptest::collection::vec(any_step(), 0..3),
    )
        .prop_map(|(entity, field, from, owner, transforms)| FieldRule { entity, field, from, owner, transforms })
}

/// What is written is what the field takes.
fn fits(entity: CrmEntity, mapping: &Mapping, fields: &Fields) {
    let schema = schema();
    for rule in mapping.rules(entity).filter(|rule| rule.field != "opportunity") {
        let Some(value) = fields.get(&rule.field).filter(|value| !value.is_empty()) else { continue };
        let field = schema.field(entity, &rule.field).unwrap();
        let fit = match (field.takes(&rule.field).unwrap(), value) {
            (Shape::Text, CrmValue::Text(text)) => field.max_length.is_none_or(|max| text.chars().count() <= max),
            (Shape::Choice, CrmValue::Text(text)) => field.items.iter().any(|(id, _)| id == text),
            (Shape::Integer, CrmValue::Int(_)) | (Shape::Number, CrmValue::Amount(_)) => true,
            (Shape::Date, CrmValue::Date(_)) | (Shape::Money, CrmValue::Money(_)) => true,
            (Shape::Phones | Shape::Emails, CrmValue::Comms(_)) => true,
            _ => false,
        };
        assert!(fit, "{rule:?} gives {value:?}");
        assert!(CrmValue::read(rule.kind(), &value.wire()).same(value) || rule.kind() == Kind::Comms, "{rule:?}");
    }
}

proptest! {
    /// A document that fits the portal plans without a panic, writes only what its fields take, and reads back equal.
    #[test]
    fn s1_whatever_fits_is_planned_and_reads_back(
        rules in proptest::collection::vec(any_rule(), 1..6),
        condition in (any_fact(), any_text(), any::<bool>()),
    ) {
        let schema = schema();
        let mut mapping = Mapping::standard();
        mapping.filters.conditions = vec![Condition { fact: condition.0, is: vec![condition.1], except: condition.2 }];
        mapping.fields.extend(rules);
        // Rules that do not fit are left out, so that those that do are tried together.
        while let Some(flaw) = check(&mapping, &schema, 3).pop() {
            let at = flaw.pointer.strip_prefix("/fields/").and_then(|rest| rest.split('/').next()?.parse().ok());
            match at {
                Some(at) => drop(mapping.fields.remove(at)),
                None => mapping.filters.conditions.clear(),
            }
        }
        let read: Mapping = serde_json::from_str(&serde_json::to_string(&mapping).unwrap()).unwrap();
        prop_assert_eq!(&read.fields, &mapping.fields);
        prop_assert_eq!(&read.filters, &mapping.filters);
        let (hotel, place) = (HotelCode::parse("GRAND").unwrap(), DealPlace::default());
        mapping.carries(&hotel, &stay());
        let mut deal = desired_deal(&mapping, &hotel, &stay(), "Анна", &DealLinks::default(), &place);
        deal.extend(deal_birth(&mapping, &hotel, &stay(), "Анна", &place, 1));
        fits(CrmEntity::Deal, &mapping, &deal);
        for entity in [CrmEntity::Contact, CrmEntity::Company] {
            let totals = GuestTotals { stays: 2, nights: 5, ..GuestTotals::default() };
            let mut person = desired_person(&mapping, entity, &profile(), &totals, &BTreeSet::new());
            person.extend(person_birth(&mapping, entity, &hotel, &profile(), &totals, 1));
            fits(entity, &mapping, &person);
        }
    }
}
