//! `crm.status.*`: stages and dictionaries (facts §7.5).

use serde_json::{Value, json};

use super::legacy;
use super::stages::{self, Status};
use crate::portal::error::{RestError, RestResult};
use crate::portal::php;
use crate::portal::rest::call::{Answer, Call};

/// These methods put their sentence into both members.
fn says(text: &str) -> RestError {
    RestError::bad(text, text)
}

fn admin(call: &Call<'_>) -> RestResult<()> {
    if call.admin() { Ok(()) } else { Err(says("Access denied.")) }
}

fn shown(status: &Status) -> Value {
    let semantics = if status.semantics.is_empty() { Value::Null } else { json!(status.semantics) };
    let word = match status.semantics.as_str() {
        "S" => "success",
        "F" => "failure",
        _ => "process",
    };
    let mut shown = json!({
        "ID": status.id.to_string(), "ENTITY_ID": status.entity_id, "STATUS_ID": status.status_id, "NAME": status.name,
        "NAME_INIT": if status.system { status.name.as_str() } else { "" }, "SORT": status.sort.to_string(),
        "SYSTEM": if status.system { "Y" } else { "N" }, "COLOR": status.color, "SEMANTICS": semantics,
        "CATEGORY_ID": status.category_id.filter(|id| *id > 0).map(|id| id.to_string()),
    });
    if let (Some(_), Value::Object(map)) = (status.category_id, &mut shown) {
        map.insert("EXTRA".into(), json!({"SEMANTICS": word, "COLOR": status.color}));
    }
    shown
}

/// `crm.status.list`.
pub fn list(call: &mut Call<'_>) -> RestResult<Answer> {
    let filter = call.params.map("filter");
    let fits = |shown: &Value| {
        filter.0.iter().all(|(name, wanted)| {
            let value = shown
                .get(name.trim_start_matches(['=', '@']).to_ascii_uppercase())
                .and_then(php::text)
                .unwrap_or_default();
            let list = php::elements(wanted);
            if list.is_empty() {
                php::text(wanted).unwrap_or_default() == value
            } else {
                list.into_iter().filter_map(php::text).any(|wanted| wanted == value)
            }
        })
    };
    let by_sort = call.params.map("order").0.keys().any(|key| key.eq_ignore_ascii_case("SORT"));
    let mut statuses: Vec<&Status> = call.state.crm.stages.statuses.iter().collect();
    if by_sort {
        statuses.sort_by_key(|status| (status.sort, status.id));
    }
    let list: Vec<Value> = statuses.into_iter().map(shown).filter(fits).collect();
    let total = list.len();
    Ok(Answer::rows(json!(list), total).total(total))
}

fn find(call: &Call<'_>) -> RestResult<Status> {
    let id = call.params.int("id").filter(|id| *id > 0).ok_or_else(|| says("Invalid identifier."))?;
    let found = call.state.crm.stages.statuses.iter().find(|status| status.id == id);
    found.cloned().ok_or_else(|| says("Status is not found."))
}

/// `crm.status.get`.
pub fn get(call: &mut Call<'_>) -> RestResult<Answer> {
    Ok(Answer::rows(shown(&find(call)?), 1))
}

/// In-progress stages stand before the success stage, failures after it.
fn order(call: &Call<'_>, entity: &str, semantics: &str, sort: i64) -> RestResult<()> {
    let won =
        call.state.crm.stages.of(entity).into_iter().find(|status| status.semantics == "S").map(|status| status.sort);
    match (won, semantics) {
        (Some(won), "") if sort >= won => Err(says("Нельзя создать промежуточную стадию после успешной")),
        (Some(won), "F") if sort <= won => Err(says("Нельзя создать неуспешную стадию перед успешной")),
        _ => Ok(()),
    }
}

/// `crm.status.add`.
pub fn add(call: &mut Call<'_>) -> RestResult<Answer> {
    admin(call)?;
    let fields = call.params.map("fields");
    let entity = fields.text("ENTITY_ID").unwrap_or_default();
    let given = fields.text("STATUS_ID").unwrap_or_default();
    let name = fields.text("NAME").unwrap_or_default();
    if entity.is_empty() {
        return Err(says("The field ENTITY_ID is required."));
    }
    if given.is_empty() {
        return Err(says("The field STATUS_ID is required."));
    }
    if name.is_empty() {
        return Err(says("Не заполнено обязательное поле \"Название\""));
    }
    let category = stages::category_of(&entity);
    let known = match category {
        Some(id) => call.state.crm.stages.categories.contains_key(&id),
        None => call.state.crm.stages.statuses.iter().any(|status| status.entity_id == entity),
    };
    if !known {
        return Err(says("Specified entity type is not supported."));
    }
    let semantics = fields.text("SEMANTICS").unwrap_or_default();
    if !matches!(semantics.as_str(), "" | "S" | "F") {
        return Err(says("Invalid parameters."));
    }
    let sort = fields.int("SORT").unwrap_or(10);
    let mut status_id = given.clone();
    if let Some(category) = category {
        let prefix = stages::prefix(category);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let bare = given.strip_prefix(&prefix).unwrap_or(&given);
        if !bare.chars().all(plain) || bare.len() + prefix.len() > 22 {
            return Err(says("Error on creating status."));
        }
        order(call, &entity, &semantics, sort)?;
        if semantics == "S" {
            return Err(says("Error on creating status."));
        }
        status_id = format!("{prefix}{bare}");
    }
    if call.state.crm.stages.of(&entity).iter().any(|status| status.status_id == status_id) {
        return Err(says("Duplicate STATUS_ID."));
    }
    let color = fields.text("COLOR").unwrap_or_default();
    let id = call.state.crm.stages.add(&entity, &status_id, &name, sort, &color, &semantics, false);
    Ok(Answer::rows(json!(id), 1))
}

/// `crm.status.update`.
pub fn update(call: &mut Call<'_>) -> RestResult<Answer> {
    admin(call)?;
    let status = find(call)?;
    let fields = call.params.map("fields");
    let sort = fields.int("SORT").unwrap_or(status.sort);
    if status.category_id.is_some() && sort != status.sort && status.semantics != "S" {
        order(call, &status.entity_id, &status.semantics, sort)?;
    }
    if let Some(kept) = call.state.crm.stages.statuses.iter_mut().find(|kept| kept.id == status.id) {
        kept.sort = sort;
        if let Some(name) = fields.text("NAME").filter(|name| !name.is_empty()) {
            kept.name = name;
        }
        if let Some(color) = fields.text("COLOR") {
            kept.color = color;
        }
    }
    Ok(Answer::rows(json!(true), 1))
}

/// `crm.status.delete`: system entries only with `FORCED`, stages only without deals.
pub fn delete(call: &mut Call<'_>) -> RestResult<Answer> {
    admin(call)?;
    let status = find(call)?;
    let forced = call.params.map("params").flag("FORCED");
    if status.system && !forced {
        return Err(says("CRM System Status can be deleted only if parameter FORCED is specified and equal to \"Y\"."));
    }
    if status.category_id.is_some() {
        let category = status.category_id.unwrap_or(0);
        if legacy::stage_in_use(call, category, &status.status_id) {
            return Err(says("There are active items in this status."));
        }
        if status.semantics == "S" {
            return Err(says("Error on deleting status."));
        }
    }
    call.state.crm.stages.statuses.retain(|kept| kept.id != status.id);
    Ok(Answer::rows(json!(true), 1))
}
