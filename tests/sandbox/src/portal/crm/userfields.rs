//! `crm.{deal,contact,company}.userfield.*` (facts §7.7).

use serde_json::{Map, Value, json};

use super::legacy;
use super::schema::{Choice, Field, UserField};
use crate::portal::error::{RestError, RestResult};
use crate::portal::php;
use crate::portal::rest::call::{Answer, Call};

const TYPES: [&str; 14] = [
    "string",
    "integer",
    "double",
    "boolean",
    "date",
    "datetime",
    "enumeration",
    "money",
    "url",
    "address",
    "file",
    "employee",
    "crm",
    "crm_status",
];

fn denied() -> RestError {
    RestError::bad("", "Access denied.")
}

fn shown(entity: &str, field: &Field) -> Option<Value> {
    let user = field.user.as_ref()?;
    let mut shown = json!({
        "ID": user.id.to_string(), "ENTITY_ID": format!("CRM_{entity}"), "FIELD_NAME": field.upper,
        "USER_TYPE_ID": user.user_type, "XML_ID": user.given.get("XML_ID").cloned().unwrap_or(Value::Null),
        "SORT": user.given.get("SORT").and_then(php::text).unwrap_or_else(|| "100".into()),
        "MULTIPLE": if field.multiple { "Y" } else { "N" }, "MANDATORY": if user.mandatory { "Y" } else { "N" },
        "SHOW_FILTER": user.given.get("SHOW_FILTER").and_then(php::text).unwrap_or_else(|| "N".into()),
        "SHOW_IN_LIST": "Y", "EDIT_IN_LIST": "Y", "IS_SEARCHABLE": "N",
        "SETTINGS": user.given.get("SETTINGS").cloned().unwrap_or_else(|| json!([])),
    });
    if let (false, Value::Object(map)) = (user.choices.is_empty(), &mut shown) {
        let list: Vec<Value> = user
            .choices
            .iter()
            .map(|choice| json!({"ID": choice.id.to_string(), "SORT": "100", "VALUE": choice.value, "DEF": "N", "XML_ID": choice.xml_id}))
            .collect();
        map.insert("LIST".into(), json!(list));
    }
    Some(shown)
}

/// `*.userfield.add`.
pub fn add(call: &mut Call<'_>) -> RestResult<Answer> {
    if !call.admin() {
        return Err(denied());
    }
    let entity = legacy::entity(call)?;
    let fields = call.params.map("fields");
    let given = fields.text("FIELD_NAME").unwrap_or_default().to_ascii_uppercase();
    let bare = given.strip_prefix("UF_CRM_").unwrap_or(&given);
    let fine = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    if bare.is_empty() || !bare.chars().all(fine) || bare.len() + 7 > 50 {
        return Err(RestError::bad("ERROR_CORE", "Некорректное название поля"));
    }
    let name = format!("UF_CRM_{bare}");
    let user_type = fields.text("USER_TYPE_ID").unwrap_or_else(|| "string".into());
    if !TYPES.contains(&user_type.as_str()) {
        return Err(RestError::bad("ERROR_CORE", "Указан неверный пользовательский тип."));
    }
    if call.state.crm.tables.of(entity).schema.key(&name).is_some() {
        return Err(RestError::bad(
            "ERROR_CORE",
            format!("Поле {name} для объекта CRM_{} уже существует.", entity.upper()),
        ));
    }
    let id = call.state.crm.next_user_field;
    call.state.crm.next_user_field += 2;
    let choices = fields
        .get("LIST")
        .map(php::elements)
        .unwrap_or_default()
        .into_iter()
        .enumerate()
        .map(|(at, item)| {
            let item = php::Params::new(item.clone());
            Choice {
                id: id * 100 + i64::try_from(at).unwrap_or(0),
                value: item.text("VALUE").unwrap_or_default(),
                xml_id: item.text("XML_ID").unwrap_or_default(),
            }
        })
        .collect();
    let user = UserField { id, user_type, mandatory: fields.flag("MANDATORY"), given: upper_keys(&fields.0), choices };
    call.state.crm.tables.of_mut(entity).schema.add_user_field(&name, fields.flag("MULTIPLE"), user);
    Ok(Answer::rows(json!(id), 1))
}

fn upper_keys(fields: &Map<String, Value>) -> Map<String, Value> {
    fields.iter().map(|(name, value)| (name.to_ascii_uppercase(), value.clone())).collect()
}

/// `*.userfield.list`: titles come only when a language is asked for.
pub fn list(call: &mut Call<'_>) -> RestResult<Answer> {
    if !call.admin() {
        return Err(denied());
    }
    let entity = legacy::entity(call)?;
    let filter = call.params.map("filter");
    let lang = filter.text("LANG");
    let schema = &call.state.crm.tables.of(entity).schema;
    let mut all: Vec<Value> = Vec::new();
    for (_, field) in schema.live() {
        let Some(mut item) = shown(entity.upper(), field) else { continue };
        let fits = filter.0.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("LANG")).all(|(name, wanted)| {
            let value =
                item.get(name.trim_start_matches('=').to_ascii_uppercase()).and_then(php::text).unwrap_or_default();
            php::text(wanted).unwrap_or_default() == value
        });
        if !fits {
            continue;
        }
        if let (Some(lang), Value::Object(map), Some(user)) = (&lang, &mut item, &field.user) {
            for label in ["EDIT_FORM_LABEL", "LIST_COLUMN_LABEL", "LIST_FILTER_LABEL"] {
                let text = user.given.get(label).or_else(|| user.given.get("LABEL"));
                let text = text.and_then(|text| text.as_str().or_else(|| text.get(lang).and_then(Value::as_str)));
                map.insert(label.into(), json!(text.unwrap_or_default()));
            }
        }
        all.push(item);
    }
    let total = all.len();
    let start = usize::try_from(call.params.int("start").unwrap_or(0).max(0)).unwrap_or(0);
    let page: Vec<Value> = all.into_iter().skip(start).take(50).collect();
    let end = start + page.len();
    let rows = page.len();
    let mut answer = Answer::rows(json!(page), rows).total(total);
    answer.next = i64::try_from(end).ok().filter(|_| end < total);
    Ok(answer)
}

fn key(call: &Call<'_>) -> RestResult<(super::Entity, u16)> {
    let entity = legacy::entity(call)?;
    let id = call.params.int("id").unwrap_or(0);
    let schema = &call.state.crm.tables.of(entity).schema;
    let found = schema.live().find(|(_, field)| field.user.as_ref().is_some_and(|user| user.id == id));
    found
        .map(|(key, _)| (entity, key))
        .ok_or_else(|| RestError::bad("ERROR_NOT_FOUND", "The entity with ID is not found"))
}

/// `*.userfield.get`.
pub fn get(call: &mut Call<'_>) -> RestResult<Answer> {
    if !call.admin() {
        return Err(denied());
    }
    let (entity, key) = key(call)?;
    let field = call.state.crm.tables.of(entity).schema.field(key);
    Ok(Answer::rows(json!(field.and_then(|field| shown(entity.upper(), field))), 1))
}

/// `*.userfield.update`: labels, settings, whether it must be filled.
pub fn update(call: &mut Call<'_>) -> RestResult<Answer> {
    if !call.admin() {
        return Err(denied());
    }
    let (entity, key) = key(call)?;
    let fields = call.params.map("fields");
    if let Some(field) = call.state.crm.tables.of_mut(entity).schema.field_mut(key)
        && let Some(user) = field.user.as_mut()
    {
        user.given.extend(upper_keys(&fields.0));
        if fields.get("MANDATORY").is_some() {
            user.mandatory = fields.flag("MANDATORY");
            field.required = user.mandatory;
        }
    }
    Ok(Answer::rows(json!(true), 1))
}

/// `*.userfield.delete`.
pub fn delete(call: &mut Call<'_>) -> RestResult<Answer> {
    if !call.admin() {
        return Err(denied());
    }
    let (entity, key) = key(call)?;
    call.state.crm.tables.of_mut(entity).schema.remove(key);
    Ok(Answer::rows(json!(true), 1))
}
