//! Commands that prepare a portal and ask about it: pipelines, stages, user fields, placements, event bindings, rights.

use serde_json::{Value, json};

use super::call::Call;
use super::crm::Entity;
use super::events::ONOFFLINEEVENT;

// --- the application and its user ---------------------------------------------------------------------------

/// `{ID, CODE, VERSION, STATUS, INSTALLED, PAYMENT_EXPIRED, DAYS, LANGUAGE_ID, LICENSE …}` (facts §9.4).
pub fn app_info() -> Call {
    Call::new("app.info", json!({}))
}

/// Who the token is, and whether he is an admin: `{ID, ADMIN, NAME, LAST_NAME, …}`; needs no scope.
pub fn profile() -> Call {
    Call::new("profile", json!({}))
}

pub fn user_admin() -> Call {
    Call::new("user.admin", json!({}))
}

/// The scopes granted now: a list of names.
pub fn scope() -> Call {
    Call::new("scope", json!({}))
}

/// `{isExisting, isAvailable}`; boxes lag behind the cloud.
pub fn method_get(name: &str) -> Call {
    Call::new("method.get", json!({ "name": name.to_lowercase() }))
}

pub fn server_time() -> Call {
    Call::new("server.time", json!({}))
}

pub fn app_option_get(name: &str) -> Call {
    Call::new("app.option.get", json!({ "option": name }))
}

/// Admins only.
pub fn app_option_set(options: Value) -> Call {
    Call::new("app.option.set", json!({ "options": options }))
}

/// People of the portal, one page from `start`.
pub fn user_get(filter: Value, start: i64) -> Call {
    Call::new("user.get", json!({ "FILTER": filter, "sort": "LAST_NAME", "order": "ASC", "start": start }))
}

// --- pipelines and stages -----------------------------------------------------------------------------------

/// Deal pipelines: `result.categories`, id 0 being the default one.
pub fn category_list() -> Call {
    Call::new("crm.category.list", json!({ "entityTypeId": Entity::Deal.type_id() }))
}

/// CRM admins only. `result.category.id`.
pub fn category_add(fields: Value) -> Call {
    Call::new("crm.category.add", json!({ "entityTypeId": Entity::Deal.type_id(), "fields": fields }))
}

pub fn category_update(id: i64, fields: Value) -> Call {
    Call::new("crm.category.update", json!({ "entityTypeId": Entity::Deal.type_id(), "id": id, "fields": fields }))
}

/// The dictionary of a pipeline's stages: `DEAL_STAGE`, or `DEAL_STAGE_<id>`.
pub fn stage_dictionary(category_id: i64) -> String {
    match category_id {
        0 => "DEAL_STAGE".to_owned(),
        id => format!("DEAL_STAGE_{id}"),
    }
}

/// A stage's full id in a deal: `C<n>:CODE` outside the default pipeline.
pub fn stage_id(category_id: i64, code: &str) -> String {
    match category_id {
        0 => code.to_owned(),
        id => format!("C{id}:{code}"),
    }
}

/// Rows of one dictionary, by their order.
pub fn status_list(dictionary: &str) -> Call {
    Call::new("crm.status.list", json!({ "filter": { "ENTITY_ID": dictionary }, "order": { "SORT": "ASC" } }))
}

/// A stage as it is made. The portal adds the `C<n>:` prefix itself; a stage in progress must sort before the won one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStage<'a> {
    pub code: &'a str,
    pub name: &'a str,
    pub sort: i64,
    pub color: &'a str,
    /// `F` for lost; `None` in progress.
    pub semantics: Option<&'a str>,
}

pub fn status_add(dictionary: &str, stage: &NewStage<'_>) -> Call {
    let mut fields = json!({
        "ENTITY_ID": dictionary, "STATUS_ID": stage.code, "NAME": stage.name, "SORT": stage.sort, "COLOR": stage.color,
    });
    if let (Some(semantics), Some(map)) = (stage.semantics, fields.as_object_mut()) {
        map.insert("SEMANTICS".into(), json!(semantics));
    }
    Call::new("crm.status.add", json!({ "fields": fields }))
}

pub fn status_update(id: i64, fields: Value) -> Call {
    Call::new("crm.status.update", json!({ "id": id, "fields": fields }))
}

/// `force` also removes a stage that the portal made itself.
pub fn status_delete(id: i64, force: bool) -> Call {
    Call::new("crm.status.delete", json!({ "id": id, "params": { "FORCED": if force { "Y" } else { "N" } } }))
}

// --- user fields --------------------------------------------------------------------------------------------

/// A user field as it is made. `crm.deal.userfield.*` and its like are the family for the built-in entities (facts §7.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewField<'a> {
    /// With `UF_CRM_`.
    pub name: &'a str,
    /// `string`, `integer`, `date`, `datetime`, `money` …
    pub kind: &'a str,
    pub multiple: bool,
    pub label_ru: &'a str,
    pub label_en: &'a str,
    pub sort: i64,
}

/// Rows `{ID, FIELD_NAME, USER_TYPE_ID, MULTIPLE, …}` of fields whose names begin so.
pub fn userfield_list(entity: Entity) -> Call {
    Call::new(format!("crm.{}.userfield.list", entity.word()), json!({ "order": { "ID": "ASC" }, "start": 0 }))
}

/// CRM admins only; the answer is the field's id.
pub fn userfield_add(entity: Entity, field: &NewField<'_>) -> Call {
    let labels = json!({ "ru": field.label_ru, "en": field.label_en });
    Call::new(
        format!("crm.{}.userfield.add", entity.word()),
        json!({ "fields": {
            "FIELD_NAME": field.name, "USER_TYPE_ID": field.kind, "XML_ID": field.name,
            "MULTIPLE": if field.multiple { "Y" } else { "N" }, "MANDATORY": "N", "SHOW_FILTER": "Y", "SORT": field.sort,
            "LABEL": field.label_ru, "EDIT_FORM_LABEL": labels.clone(), "LIST_COLUMN_LABEL": labels.clone(), "LIST_FILTER_LABEL": labels,
        } }),
    )
}

// --- placements and events ----------------------------------------------------------------------------------

/// `[{placement, userId, handler, …}]`
pub fn placement_get() -> Call {
    Call::new("placement.get", json!({}))
}

/// Codes that this portal knows.
pub fn placement_list() -> Call {
    Call::new("placement.list", json!({}))
}

pub fn placement_bind(placement: &str, handler: &str, title_ru: &str, title_en: &str) -> Call {
    Call::new(
        "placement.bind",
        json!({
            "PLACEMENT": placement, "HANDLER": handler, "TITLE": title_ru,
            "LANG_ALL": { "ru": { "TITLE": title_ru }, "en": { "TITLE": title_en } },
        }),
    )
}

pub fn placement_unbind(placement: &str, handler: &str) -> Call {
    Call::new("placement.unbind", json!({ "PLACEMENT": placement, "HANDLER": handler }))
}

/// `[{event, handler, auth_type, offline}]`
pub fn event_get() -> Call {
    Call::new("event.get", json!({}))
}

/// Names of events that this portal knows.
pub fn events() -> Call {
    Call::new("events", json!({}))
}

/// Bind only what `event.get` lacks: a second binding is an error.
pub fn event_bind(event: &str, handler: &str) -> Call {
    Call::new("event.bind", json!({ "event": event, "handler": handler }))
}

pub fn event_unbind(event: &str, handler: &str) -> Call {
    Call::new("event.unbind", json!({ "event": event, "handler": handler }))
}

/// The portal keeps such events for us instead of telling them.
pub fn event_queue(event: &str) -> Call {
    Call::new("event.bind", json!({ "event": event, "event_type": "offline" }))
}

pub fn event_unqueue(event: &str) -> Call {
    Call::new("event.unbind", json!({ "event": event, "event_type": "offline" }))
}

/// The portal tells that its queue has something, at most once in so many seconds.
pub fn event_bind_queue(handler: &str, seconds: u32) -> Call {
    let options = json!({ "minTimeout": seconds });
    Call::new("event.bind", json!({ "event": ONOFFLINEEVENT, "handler": handler, "options": options }))
}

/// `{value}`: `Y` or `N` by the plan; a box answers its edition instead.
pub fn feature(code: &str) -> Call {
    Call::new("feature.get", json!({ "CODE": code }))
}

/// Makes the portal send `ONAPPTEST` with these values: does it reach us? (facts §13.8)
pub fn event_test(query: Value) -> Call {
    Call::new("event.test", query)
}

// --- money --------------------------------------------------------------------------------------------------

/// Rows `{CURRENCY, BASE, …}`.
pub fn currency_list() -> Call {
    Call::new("crm.currency.list", json!({}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s48_stage_ids_carry_their_pipeline_outside_the_default_one() {
        assert_eq!((stage_id(0, "WON").as_str(), stage_id(7, "WON").as_str()), ("WON", "C7:WON"));
        assert_eq!((stage_dictionary(0).as_str(), stage_dictionary(7).as_str()), ("DEAL_STAGE", "DEAL_STAGE_7"));
    }

    #[test]
    fn s48_set_up_commands_are_of_the_documented_form() {
        let field = NewField {
            name: "UF_CRM_FB24_HOTEL",
            kind: "string",
            multiple: false,
            label_ru: "Отель",
            label_en: "Hotel",
            sort: 100,
        };
        let call = userfield_add(Entity::Deal, &field);
        assert_eq!((call.method.as_str(), &call.params["fields"]["MULTIPLE"]), ("crm.deal.userfield.add", &json!("N")));
        let stage =
            NewStage { code: "FB24_OFFER", name: "Предложение", sort: 10, color: "#fff", semantics: None };
        assert!(status_add("DEAL_STAGE_7", &stage).params["fields"].get("SEMANTICS").is_none());
        assert_eq!(method_get("CRM.item.Add").params["name"], "crm.item.add");
        assert_eq!(placement_bind("X", "h", "Проживание", "Stay").params["LANG_ALL"]["en"]["TITLE"], "Stay");
    }
}
