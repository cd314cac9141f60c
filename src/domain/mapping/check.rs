//! Whether a mapping fits a portal: every rule against the field it names, every stage against the pipelines there are.

use std::collections::BTreeSet;

use super::shape::{Shape, Yield};
use super::{FieldRule, GroupMapping, Mapping, Owner};
use crate::domain::crm::CrmEntity;
use crate::domain::crm_schema::{CrmField, CrmSchema};
use crate::domain::fact::Fact;
use crate::domain::status::StayStatus;

/// One thing that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// JSON pointer into the document.
    pub pointer: String,
    pub code: &'static str,
    pub params: Vec<(&'static str, String)>,
}

impl Flaw {
    fn new(pointer: impl Into<String>, code: &'static str) -> Self {
        Self { pointer: pointer.into(), code, params: Vec::new() }
    }

    fn with(pointer: impl Into<String>, code: &'static str, name: &'static str, value: impl ToString) -> Self {
        Self { params: vec![(name, value.to_string())], ..Self::new(pointer, code) }
    }
}

/// By these a deal is found again when its mark is gone (contract): they hold what the standard mapping puts there.
const FIXED: [(&str, Fact); 3] = [
    ("UF_CRM_FB24_HOTEL", Fact::Hotel),
    ("UF_CRM_FB24_RESERVATION", Fact::Number),
    ("UF_CRM_FB24_STATUS", Fact::Status),
];

/// Written beside the rules: links, marks, stages, titles.
const RESERVED: [&str; 18] = [
    "id",
    "stageId",
    "categoryId",
    "contactId",
    "contactIds",
    "companyId",
    "companyIds",
    "assignedById",
    "originatorId",
    "originId",
    "opened",
    "currencyId",
    "isManualOpportunity",
    "createdTime",
    "closed",
    "fm",
    "UF_CRM_FB24_PROFILE",
    "UF_CRM_FB24_SYNCED_AT",
];

/// Whether a rule may name this field at all.
pub fn may_map(entity: CrmEntity, name: &str, field: &CrmField) -> bool {
    !is_reserved(entity, name) && !field.read_only && !field.multiple_of_others(name) && field.takes(name).is_some()
}

fn is_reserved(entity: CrmEntity, name: &str) -> bool {
    RESERVED.contains(&name) || (entity == CrmEntity::Deal && name == "title")
}

impl CrmField {
    /// Phones and e-mails are lists of ours; any other list is filled by people.
    fn multiple_of_others(&self, name: &str) -> bool {
        self.multiple && !matches!(name, "PHONE" | "EMAIL")
    }
}

/// Everything that does not fit. `category`: the portal's pipeline of stays.
pub fn check(mapping: &Mapping, schema: &CrmSchema, category: i64) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let mut seen: BTreeSet<(CrmEntity, &str)> = BTreeSet::new();
    for (n, rule) in mapping.fields.iter().enumerate() {
        if seen.insert((rule.entity, &rule.field)) {
            check_rule(&format!("/fields/{n}"), rule, schema, &mut flaws);
        } else {
            flaws.push(Flaw::new(format!("/fields/{n}/field"), "field_twice"));
        }
    }
    for (name, fact) in FIXED {
        let kept = mapping.rules(CrmEntity::Deal).any(|rule| {
            rule.field == name && rule.from == fact && rule.owner == Owner::Pms && rule.transforms.is_empty()
        });
        if !kept {
            let at = mapping.fields.iter().position(|rule| rule.entity == CrmEntity::Deal && rule.field == name);
            let pointer = at.map_or_else(|| "/fields".to_owned(), |n| format!("/fields/{n}"));
            flaws.push(Flaw::with(pointer, "field_fixed", "name", name));
        }
    }
    if let Some(fact) = mapping.deal_title.facts().find(|fact| !fact.is_of(CrmEntity::Deal)) {
        flaws.push(Flaw::with("/deal_title", "fact_entity", "name", fact.name()));
    }
    for (n, condition) in mapping.filters.conditions.iter().enumerate() {
        // Who the guest is must not decide: he is read after his stay.
        if !condition.fact.is_of(CrmEntity::Deal) || condition.fact == Fact::Guest {
            let pointer = format!("/filters/conditions/{n}/fact");
            flaws.push(Flaw::with(pointer, "fact_entity", "name", condition.fact.name()));
        }
    }
    check_stages(mapping, schema, category, &mut flaws);
    if let Some(group) = &mapping.group {
        check_group(mapping, group, schema, &mut flaws);
    }
    flaws
}

fn check_group(mapping: &Mapping, group: &GroupMapping, schema: &CrmSchema, flaws: &mut Vec<Flaw>) {
    let strange = |fact: &Fact| !fact.is_of_group();
    if let Some(fact) = group.title.facts().find(strange) {
        flaws.push(Flaw::with("/group/title", "fact_group", "name", fact.name()));
    }
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for (n, rule) in group.fields.iter().enumerate() {
        let at = format!("/group/fields/{n}");
        let mut facts = [rule.from].into_iter().chain(rule.transforms.iter().flat_map(|step| step.facts()));
        if rule.entity != CrmEntity::Deal {
            flaws.push(Flaw::new(format!("{at}/entity"), "group_entity"));
        } else if !seen.insert(&rule.field) {
            flaws.push(Flaw::new(format!("{at}/field"), "field_twice"));
        } else if ["UF_CRM_FB24_RESERVATION", "UF_CRM_FB24_STATUS"].contains(&rule.field.as_str()) {
            // By these a stay's deal is found again.
            flaws.push(Flaw::new(format!("{at}/field"), "field_reserved"));
        } else if let Some(fact) = facts.find(strange) {
            flaws.push(Flaw::with(format!("{at}/from"), "fact_group", "name", fact.name()));
        } else {
            check_rule(&at, rule, schema, flaws);
        }
    }
    if group.pipeline.is_some_and(|id| schema.pipeline(id).is_none()) {
        flaws.push(Flaw::new("/group/pipeline", "pipeline_unknown"));
    }
    let Some(link) = &group.link else { return };
    if !schema.may_name_a_deal(link) {
        flaws.push(Flaw::new("/group/link", "group_link"));
    } else if mapping.all_rules(CrmEntity::Deal).any(|rule| rule.field == *link) {
        flaws.push(Flaw::new("/group/link", "field_twice"));
    }
}

fn check_rule(at: &str, rule: &FieldRule, schema: &CrmSchema, flaws: &mut Vec<Flaw>) {
    let before = flaws.len();
    let strange = |fact: &Fact| !fact.is_of(rule.entity);
    if strange(&rule.from) {
        flaws.push(Flaw::with(format!("{at}/from"), "fact_entity", "name", rule.from.name()));
    }
    for (n, step) in rule.transforms.iter().enumerate() {
        if let Some(fact) = step.facts().into_iter().find(strange) {
            flaws.push(Flaw::with(format!("{at}/transforms/{n}"), "fact_entity", "name", fact.name()));
        }
    }
    let Some(field) = schema.field(rule.entity, &rule.field).filter(|_| rule.field != "fm") else {
        flaws.push(Flaw::new(format!("{at}/field"), "field_unknown"));
        return;
    };
    let refused = if is_reserved(rule.entity, &rule.field) {
        Some("field_reserved")
    } else if field.read_only {
        Some("field_read_only")
    } else if field.multiple_of_others(&rule.field) {
        Some("field_multiple")
    } else {
        None
    };
    match (refused, field.takes(&rule.field)) {
        (Some(code), _) => flaws.push(Flaw::new(format!("{at}/field"), code)),
        (None, None) => flaws.push(Flaw::with(format!("{at}/field"), "field_kind", "kind", &field.kind)),
        (None, Some(wants)) => match rule.gives() {
            Err((n, (code, params))) => {
                flaws.push(Flaw { pointer: format!("{at}/transforms/{n}"), code, params });
            }
            Ok(given) if flaws.len() == before => fits(at, field, wants, &given, flaws),
            Ok(_) => {}
        },
    }
}

fn fits(at: &str, field: &CrmField, wants: Shape, given: &Yield, flaws: &mut Vec<Flaw>) {
    let code = match (wants, given.shape) {
        (Shape::Choice, Shape::Text) => match &given.words {
            Some(words) => {
                let is_item = |word: &&String| word.is_empty() || field.items.iter().any(|(id, _)| id == *word);
                if let Some(stranger) = words.iter().find(|word| !is_item(word)) {
                    let word: String = stranger.chars().take(64).collect();
                    flaws.push(Flaw::with(format!("{at}/transforms"), "choice_item", "value", word));
                }
                return;
            }
            None => "choice_open",
        },
        (wants, shape) if wants == shape => {
            if let Some(max) = field.max_length.filter(|max| shape == Shape::Text && given.longest > *max) {
                flaws.push(Flaw::with(format!("{at}/transforms"), "field_short", "max", max));
            }
            return;
        }
        (Shape::Text, _) => "shape_text",
        (Shape::Integer, _) => "shape_integer",
        (Shape::Number, _) => "shape_number",
        (Shape::Date, _) => "shape_date",
        (Shape::Money, _) => "shape_money",
        (Shape::Phones, _) => "shape_phones",
        (Shape::Emails, _) => "shape_emails",
        (Shape::Choice, _) => "choice_open",
    };
    flaws.push(Flaw::new(format!("{at}/from"), code));
}

fn check_stages(mapping: &Mapping, schema: &CrmSchema, category: i64, flaws: &mut Vec<Flaw>) {
    let Some(pipeline) = schema.pipeline(mapping.pipeline.unwrap_or(category)) else {
        if mapping.pipeline.is_some() {
            flaws.push(Flaw::new("/pipeline", "pipeline_unknown"));
        }
        return;
    };
    for (status, stage) in &mapping.stages {
        if !pipeline.stages.iter().any(|own| own.id == *stage) {
            flaws.push(Flaw::new(format!("/stages/{}", status.word()), "stage_unknown"));
        }
    }
    if pipeline.id != category
        && let Some(missing) = StayStatus::ALL.iter().find(|status| !mapping.stages.contains_key(status))
    {
        flaws.push(Flaw::new(format!("/stages/{}", missing.word()), "stage_missing"));
    }
}
