//! A mapping as a body: bounded, every wrong member with its pointer. What it means on this portal is the domain's
//! question.

use serde_json::Value;

use crate::domain::crm::CrmEntity;
use crate::domain::fact::Fact;
use crate::domain::mapping::check::Flaw;
use crate::domain::mapping::{
    Condition, FieldRule, Filters, GroupMapping, Mapping, Owner, Template, TemplateError, Transform,
};
use crate::domain::{CrmSchema, StayStatus};
use crate::http::api::input::{At, Bad, Invalid, Object, boolean, integer, list, text};

/// Larger than any honest document: two hundred rules with a table of codes here and there.
pub const BODY: usize = 256 * 1024;
const RULES: usize = 200;
const STEPS: usize = 10;
const CODES: usize = 500;
const WORDS: usize = 100;
const FACTS: usize = 10;
const TEXT: usize = 255;

fn wording(value: &Value) -> Result<String, Bad> {
    let text = value.as_str().ok_or("text")?;
    if text.chars().any(char::is_control) {
        return Err("control_characters".into());
    }
    if text.chars().count() > TEXT {
        return Err(Bad::with("too_long", [("max", TEXT.to_string())]));
    }
    Ok(text.to_owned())
}

fn fact(value: &Value) -> Result<Fact, Bad> {
    value.as_str().and_then(Fact::by_name).ok_or_else(|| "fact".into())
}

fn template(value: &Value) -> Result<Template, Bad> {
    Template::parse(&wording(value)?).map_err(|error| match error {
        TemplateError::Unknown(name) => Bad::with("placeholder", [("name", name.chars().take(32).collect())]),
        TemplateError::Open => "placeholder_open".into(),
    })
}

fn word<T: serde::de::DeserializeOwned>(code: &'static str) -> impl Fn(&Value) -> Result<T, Bad> {
    move |value| serde_json::from_value(value.clone()).map_err(|_| code.into())
}

fn status(name: &str) -> Result<StayStatus, Bad> {
    StayStatus::ALL.into_iter().find(|status| status.word() == name).ok_or_else(|| "status".into())
}

pub fn document(body: &mut Object) -> Option<Mapping> {
    let format = body.optional("format", integer(1, i64::from(Mapping::FORMAT)));
    let deal_title = body.required("deal_title", template);
    let fields = body.objects("fields", RULES, rule);
    let pipeline = body.optional("pipeline", integer(0, i64::from(i32::MAX)));
    let stages = body
        .optional_object("stages", |stages| Some(stages.entries(|name, value| Ok((status(name)?, text(50)(value)?)))));
    let filters = body.optional_object("filters", filters).unwrap_or_default();
    let reopen_closed = body.optional("reopen_closed", boolean).unwrap_or_default();
    let group = if body.has("group") { Some(body.object("group", group)?) } else { None };
    let _ = body.optional("group", |_| Ok::<_, Bad>(()));
    Some(Mapping {
        format: format.and_then(|format| u32::try_from(format).ok()).unwrap_or(Mapping::FORMAT),
        deal_title: deal_title?,
        fields: fields?,
        pipeline,
        stages: stages.unwrap_or_default().into_iter().map(|(_, pair)| pair).collect(),
        filters,
        reopen_closed,
        group,
    })
}

/// What is left out is as it is usual.
fn group(group: &mut Object) -> Option<GroupMapping> {
    let usual = GroupMapping::standard();
    let title = if group.has("title") { group.required("title", template) } else { Some(usual.title) };
    let _ = group.optional("title", |_| Ok::<_, Bad>(()));
    let fields = if group.has("fields") { group.objects("fields", RULES, rule) } else { Some(usual.fields) };
    let _ = group.optional("fields", |_| Ok::<_, Bad>(()));
    let pipeline = group.optional("pipeline", integer(0, i64::from(i32::MAX)));
    let link = group.optional("link", text(100));
    Some(GroupMapping { title: title?, pipeline, fields: fields?, link })
}

fn rule(rule: &mut Object) -> Option<FieldRule> {
    let entity = rule.required("entity", word::<CrmEntity>("entity"));
    let field = rule.required("field", text(100));
    let from = rule.required("from", fact);
    let owner = rule.optional("owner", word::<Owner>("field_owner")).unwrap_or_default();
    let transforms = if rule.has("transforms") { rule.objects("transforms", STEPS, step) } else { Some(Vec::new()) };
    let _ = rule.optional("transforms", |_| Ok::<_, Bad>(()));
    Some(FieldRule { entity: entity?, field: field?, from: from?, owner, transforms: transforms? })
}

fn step(step: &mut Object) -> Option<Transform> {
    let kind = step.required("do", |value| Ok::<_, Bad>(value.as_str().unwrap_or_default().to_owned()))?;
    match kind.as_str() {
        "upper" => Some(Transform::Upper),
        "lower" => Some(Transform::Lower),
        "number" => Some(Transform::Number),
        "prefix" => Some(Transform::Prefix { text: step.required("text", wording)? }),
        "suffix" => Some(Transform::Suffix { text: step.required("text", wording)? }),
        "format" => Some(Transform::Format { text: step.required("text", wording)? }),
        "truncate" => {
            let max = step.required("max", integer(1, 2_000))?;
            Some(Transform::Truncate { max: usize::try_from(max).ok()? })
        }
        "lookup" => lookup(step),
        "concat" => {
            let with = step.required("with", list(FACTS, fact));
            let separator = step.optional("separator", wording).unwrap_or_else(|| " ".to_owned());
            Some(Transform::Concat { with: with?, separator })
        }
        "when" => {
            let condition = condition(step);
            let otherwise = step.optional("otherwise", wording);
            Some(Transform::When { condition: condition?, otherwise })
        }
        _ => {
            step.reject("do", "step_unknown");
            None
        }
    }
}

fn lookup(step: &mut Object) -> Option<Transform> {
    let entry = |code: &str, value: &Value| match code.chars().count() {
        0..=TEXT => wording(value),
        _ => Err(Bad::with("too_long", [("max", TEXT.to_string())])),
    };
    let table = step.object("table", |table| Some(table.entries(entry)));
    let otherwise = step.optional("otherwise", wording);
    let table = table?;
    if table.len() > CODES {
        step.reject("table", Bad::with("too_many", [("max", CODES.to_string())]));
        return None;
    }
    Some(Transform::Lookup { table: table.into_iter().collect(), otherwise })
}

fn condition(of: &mut Object) -> Option<Condition> {
    let fact = of.required("fact", fact);
    let is = of.required("is", list(WORDS, wording));
    let except = of.optional("except", boolean).unwrap_or_default();
    Some(Condition { fact: fact?, is: is?, except })
}

fn filters(filters: &mut Object) -> Option<Filters> {
    let known = |value: &Value| status(value.as_str().unwrap_or_default());
    let statuses = filters.optional("statuses", list(StayStatus::ALL.len(), known)).unwrap_or_default();
    let conditions =
        if filters.has("conditions") { filters.objects("conditions", STEPS, condition)? } else { Vec::new() };
    let _ = filters.optional("conditions", |_| Ok::<_, Bad>(()));
    Some(Filters { statuses, conditions })
}

/// What of the document does not fit the portal, `at` being where the document stands in the body.
pub fn misfits(mapping: &Mapping, schema: &CrmSchema, category: i64, at: &str) -> Vec<Invalid> {
    let invalid =
        |flaw: Flaw| Invalid { at: At::Pointer(format!("{at}{}", flaw.pointer)), code: flaw.code, params: flaw.params };
    crate::domain::mapping::check::check(mapping, schema, category).into_iter().take(50).map(invalid).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::api::input::pair;
    use serde_json::json;

    fn read(document_of: Value) -> Result<Mapping, Vec<(String, &'static str)>> {
        let body = json!({ "mapping": document_of });
        Object::read(body, |body| body.object("mapping", document))
            .map_err(|wrong| wrong.into_iter().map(pair).collect())
    }

    fn wrong(rule: Value) -> String {
        let mut document = json!({"deal_title": "{guest}", "fields": []});
        document["fields"] = json!([rule]);
        let wrong = read(document).expect_err("wrong");
        let told = wrong.iter().map(|(at, code)| format!("{} {code}", at.trim_start_matches("/mapping/fields/0")));
        told.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn s1_what_is_shown_is_read_back_equal() {
        let mut shown = serde_json::to_value(Mapping::standard()).unwrap();
        shown["fields"][6]["transforms"] = json!([
            {"do": "upper"}, {"do": "lower"}, {"do": "number"}, {"do": "prefix", "text": "№ "}, {"do": "suffix", "text": "."},
            {"do": "format", "text": "{value}"}, {"do": "truncate", "max": 5},
            {"do": "lookup", "table": {"A": "B"}, "otherwise": ""},
            {"do": "concat", "with": ["room"], "separator": ", "},
            {"do": "when", "fact": "status", "is": ["offer"], "except": true, "otherwise": "—"},
        ]);
        shown["filters"] =
            json!({"statuses": ["offer"], "conditions": [{"fact": "market", "is": ["HOUSE"], "except": true}]});
        (shown["stages"], shown["pipeline"]) = (json!({"offer": "C3:NEW"}), json!(3));
        shown["group"] = serde_json::to_value(GroupMapping::standard()).unwrap();
        (shown["group"]["pipeline"], shown["group"]["link"]) = (json!(5), json!("UF_CRM_PARENT"));
        assert_eq!(serde_json::to_value(read(shown.clone()).unwrap()).unwrap(), shown);
        shown["group"] = json!({});
        assert_eq!(read(shown.clone()).unwrap().group, Some(GroupMapping::standard()));
        shown["group"] = json!(null);
        assert_eq!(read(shown).unwrap().group, None);
    }

    #[test]
    fn s1_hostile_documents_are_refused_where_they_are_wrong() {
        let rule = |steps: Value| json!({"entity": "deal", "field": "title", "from": "room", "transforms": steps});
        for (rule, expected) in [
            (json!({"entity": "lead", "field": "x", "from": "room"}), "/entity entity"),
            (json!({"entity": "deal", "field": "x", "from": "weather"}), "/from fact"),
            (json!({"entity": "deal", "field": "x", "from": "room", "owner": "me"}), "/owner field_owner"),
            (json!({"entity": "deal", "field": "x", "from": "room", "evil": 1}), "/evil unknown"),
            (json!({"entity": "deal", "field": "x".repeat(101), "from": "room"}), "/field too_long"),
            (json!(7), " object"),
            (rule(json!({})), "/transforms list"),
            (rule(json!([{"do": "exec"}])), "/transforms/0/do step_unknown"),
            (rule(json!([{"do": "upper", "text": "x"}])), "/transforms/0/text unknown"),
            (rule(json!([{"do": "truncate", "max": 0}])), "/transforms/0/max range"),
            (rule(json!([{"do": "prefix", "text": "a\u{0}"}])), "/transforms/0/text control_characters"),
            (rule(json!([{"do": "lookup", "table": {"A": 7}}])), "/transforms/0/table/A text"),
            (rule(json!([{"do": "concat", "with": ["weather"]}])), "/transforms/0/with fact"),
            (rule(json!([{"do": "when", "fact": "room"}])), "/transforms/0/is required"),
            (rule(json!(vec![json!({"do": "upper"}); 11])), "/transforms too_many"),
        ] {
            assert_eq!(wrong(rule), expected);
        }
        let pairs: serde_json::Map<String, Value> = (0..501).map(|n| (n.to_string(), json!("x"))).collect();
        assert_eq!(wrong(rule(json!([{"do": "lookup", "table": pairs}]))), "/transforms/0/table too_many");
        let many = json!({"deal_title": "x".repeat(300), "fields": vec![rule(json!([])); 5_000]});
        let told = [("/mapping/deal_title".to_owned(), "too_long"), ("/mapping/fields".to_owned(), "too_many")];
        assert_eq!(read(many).expect_err("wrong"), told);
        let titled = |title: &str| read(json!({"deal_title": title, "fields": []})).expect_err("wrong").remove(0).1;
        assert_eq!((titled("{nobody}"), titled("{guest")), ("placeholder", "placeholder_open"));
    }
}
