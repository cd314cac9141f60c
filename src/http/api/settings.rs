//! What the portal's admin chose.

use std::collections::BTreeMap;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::body::Body;
use super::input::{At, Bad, Invalid, Object, authority, boolean, integer, list};
use super::refuse::{internal, invalid};
use crate::domain::{HotelCode, StayStatus};
use crate::http::HttpState;
use crate::http::auth::{Principal, PrincipalKind, Right, require};
use crate::http::problem::Problem;
use crate::portal::{Pipeline, PortalSettings};
use crate::store::hotels;

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Settings {
    /// `{"kind": "unset"}`, `{"kind": "person", "user_id"}`, `{"kind": "round_robin", "user_ids"}`,
    /// `{"kind": "per_hotel", "hotels": {"<code>": <user id>}}`.
    #[schema(value_type = Object)]
    pub owner_rule: Value,
    /// `null`: the deployment's.
    pub request_cap_seconds: Option<u32>,
    /// Seconds a method may work within ten minutes; `null`: as usual for the portal's edition.
    pub operating_seconds: Option<u32>,
    /// A boxed portal's own certificate authority is known. The certificate itself is write-only.
    pub ca_pem_set: bool,
    pub pipeline: Option<PipelineView>,
    /// Stage by status of a stay.
    pub stages: BTreeMap<String, String>,
    pub ownership: OwnershipView,
}

/// What becomes of people's own edits and deletions.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Ownership)]
pub struct OwnershipView {
    /// A field that follows the hotel gets the hotel's value back when somebody changed it.
    pub put_back: bool,
    /// The deal's timeline tells what was put back, and why.
    pub notes: bool,
    /// A deal that a person deleted is made again.
    pub recreate_deals: bool,
    /// The same of contacts and companies.
    pub recreate_people: bool,
    /// A deal that a new booking's comments name (`deal 123`) is attached to it instead of a new one being made.
    pub attach_by_reference: bool,
}

/// Members left out stay as they are.
#[derive(ToSchema)]
#[schema(as = OwnershipInput)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
struct OwnershipBody {
    put_back: Option<bool>,
    notes: Option<bool>,
    recreate_deals: Option<bool>,
    recreate_people: Option<bool>,
    attach_by_reference: Option<bool>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Pipeline)]
pub struct PipelineView {
    pub category_id: i64,
    /// Made by us: its stages are ours to add.
    pub own: bool,
}

/// Members left out stay as they are. `pipeline` and `stages` go together.
#[derive(ToSchema)]
#[schema(as = SettingsInput)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
pub struct SettingsBody {
    #[schema(value_type = Object)]
    owner_rule: Option<Value>,
    /// `null` or `0` goes back to the deployment's.
    #[schema(minimum = 0, maximum = 3600)]
    request_cap_seconds: Option<u32>,
    /// `null` or `0`: as usual for the portal's edition (cloud 480, boxed 420).
    #[schema(minimum = 0, maximum = 3600)]
    operating_seconds: Option<u32>,
    /// PEM; `null` or an empty text forgets it.
    #[schema(write_only)]
    ca_pem: Option<String>,
    pipeline: Option<PipelineView>,
    stages: Option<BTreeMap<String, String>>,
    ownership: Option<OwnershipBody>,
}

#[derive(Debug, Default)]
struct Input {
    owner_rule: Option<Value>,
    request_cap_seconds: Option<Option<i64>>,
    operating_seconds: Option<Option<i64>>,
    ca_pem: Option<Option<String>>,
    pipeline: Option<(i64, bool)>,
    stages: Option<BTreeMap<StayStatus, String>>,
    /// By member.
    ownership: Vec<(&'static str, bool)>,
}

impl Settings {
    fn of(settings: &PortalSettings) -> Result<Self, Problem> {
        Ok(Self {
            owner_rule: serde_json::to_value(&settings.owner_rule).map_err(|error| internal(&error))?,
            request_cap_seconds: settings.request_cap_seconds,
            operating_seconds: settings.operating_seconds,
            ca_pem_set: settings.ca_pem.is_some(),
            pipeline: settings
                .pipeline
                .as_ref()
                .map(|pipeline| PipelineView { category_id: pipeline.category_id, own: pipeline.own }),
            stages: settings.stages.iter().map(|(status, stage)| (status.word().to_owned(), stage.clone())).collect(),
            ownership: OwnershipView {
                put_back: settings.ownership.put_back,
                notes: settings.ownership.notes,
                recreate_deals: settings.ownership.recreate_deals,
                recreate_people: settings.ownership.recreate_people,
                attach_by_reference: settings.ownership.attach_by_reference,
            },
        })
    }
}

fn user(value: &Value) -> Result<i64, Bad> {
    integer(1, i64::from(i32::MAX))(value).map_err(|_| "user".into())
}

/// The rule in the form it is stored in.
fn owner_rule(rule: &mut Object) -> Option<Value> {
    let kind = rule.required("kind", |value| match value.as_str() {
        Some(kind @ ("unset" | "person" | "round_robin" | "per_hotel")) => Ok(kind.to_owned()),
        _ => Err("owner_rule"),
    })?;
    match kind.as_str() {
        "person" => Some(json!({"kind": kind, "user_id": rule.required("user_id", user)?})),
        "round_robin" => {
            let users = rule.required("user_ids", |value| {
                let users = list(200, user)(value)?;
                if users.is_empty() { Err(Bad::from("required")) } else { Ok(users) }
            });
            Some(json!({"kind": kind, "user_ids": users?}))
        }
        "per_hotel" => {
            let by_code = |code: &str, value: &Value| {
                HotelCode::parse(code).map_err(|_| Bad::from("hotel_code"))?;
                user(value)
            };
            let hotels: BTreeMap<_, _> =
                rule.object("hotels", |hotels| Some(hotels.entries(by_code)))?.into_iter().collect();
            Some(json!({"kind": kind, "hotels": hotels}))
        }
        _ => Some(json!({"kind": kind})),
    }
}

fn stage(name: &str, value: &Value) -> Result<(StayStatus, String), Bad> {
    let status = StayStatus::ALL.into_iter().find(|status| status.word() == name).ok_or("status")?;
    let stage = value.as_str().filter(|stage| (1..=50).contains(&stage.len())).ok_or("stage")?;
    let ok = stage.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':' | b'-'));
    if ok { Ok((status, stage.to_owned())) } else { Err("stage".into()) }
}

fn read(body: &mut Object) -> Option<Input> {
    let owner_rule = body.optional_object("owner_rule", owner_rule);
    let request_cap_seconds = body.told("request_cap_seconds", |value| match value.as_i64() {
        Some(0) => Ok(0),
        _ => integer(5, 3600)(value),
    });
    let operating_seconds = body.told("operating_seconds", |value| match value.as_i64() {
        Some(0) => Ok(0),
        _ => integer(30, 3600)(value),
    });
    let ca_pem = body.told("ca_pem", authority).map(Option::flatten);
    // What `GET` shows may come back.
    let _ = body.optional("ca_pem_set", boolean);
    let pipeline = body.optional_object("pipeline", |pipeline| {
        let id = pipeline.required("category_id", integer(0, i64::from(i32::MAX)));
        let own = pipeline.optional("own", boolean).unwrap_or_default();
        Some((id?, own))
    });
    let stages = body.optional_object("stages", |stages| Some(stages.entries(stage)));
    let ownership = body.optional_object("ownership", |ownership| {
        let members = ["put_back", "notes", "recreate_deals", "recreate_people", "attach_by_reference"];
        Some(members.into_iter().filter_map(|member| Some((member, ownership.optional(member, boolean)?))).collect())
    });
    Some(Input {
        owner_rule,
        request_cap_seconds,
        operating_seconds,
        ca_pem,
        pipeline,
        stages: stages.map(|stages| stages.into_iter().map(|(_, pair)| pair).collect()),
        ownership: ownership.unwrap_or_default(),
    })
}

/// Settings of the portal
#[utoipa::path(get, path = "/api/v1/settings", tag = "settings", operation_id = "getSettings",
    responses((status = 200, body = Settings)))]
pub async fn get(state: Data<HttpState>, who: Principal) -> Result<HttpResponse, Problem> {
    require(&who, Right::SeeSettings)?;
    Ok(HttpResponse::Ok().json(Settings::of(&state.directory.settings(who.portal).await?)?))
}

/// Changes settings
#[utoipa::path(put, path = "/api/v1/settings", tag = "settings", operation_id = "putSettings",
    request_body = SettingsBody, responses((status = 200, body = Settings)))]
pub async fn put(
    state: Data<HttpState>,
    who: Principal,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    require(&who, Right::ChangeSettings)?;
    let input = Body::read(&request, payload).await?.parse(read)?;
    let before = state.directory.settings(who.portal).await?;
    check_hotels(&state, &who, input.owner_rule.as_ref()).await?;
    check_owners(&state, &who, input.owner_rule.as_ref(), &before).await?;
    // The set-up writes what it learns into the same settings: only what was asked for is changed, over the newest.
    let after = state.directory.try_update_settings(who.portal, |settings| apply(&input, settings)).await?;
    if after.pipeline != before.pipeline || after.stages != before.stages {
        // The set-up looks whether the chosen pipeline and its stages are there.
        state.directory.retry_installation(who.portal).await?;
    }
    Ok(HttpResponse::Ok().json(Settings::of(&state.directory.settings(who.portal).await?)?))
}

/// A rule per hotel names hotels that exist.
async fn check_hotels(state: &HttpState, who: &Principal, rule: Option<&Value>) -> Result<(), Problem> {
    let Some(named) = rule.and_then(|rule| rule.get("hotels")).and_then(Value::as_object) else { return Ok(()) };
    let known = hotels::list(&state.db, who.portal).await?;
    match named.keys().find(|code| !known.iter().any(|hotel| hotel.code.as_str() == code.as_str())) {
        Some(stranger) => Err(invalid(format!("/owner_rule/hotels/{stranger}"), "hotel_unknown")),
        None => Ok(()),
    }
}

/// A new rule names people who work at the portal now: records given to anybody else would be seen by nobody.
async fn check_owners(
    state: &HttpState,
    who: &Principal,
    rule: Option<&Value>,
    before: &PortalSettings,
) -> Result<(), Problem> {
    let Some(rule) = rule else { return Ok(()) };
    if serde_json::to_value(&before.owner_rule).is_ok_and(|stored| stored == *rule) {
        return Ok(());
    }
    let named = owners(rule);
    if named.is_empty() {
        return Ok(());
    }
    let access = match &who.kind {
        PrincipalKind::User { access, .. } => Some(access),
        PrincipalKind::Key { .. } => None,
    };
    let ids = named.iter().map(|(_, id)| *id).collect();
    let employed = state.directory.employed(who.portal, access, &ids).await?;
    let strangers = named.into_iter().filter(|(_, id)| !employed.contains(id));
    let wrong: Vec<Invalid> = strangers
        .map(|(pointer, _)| Invalid { at: At::Pointer(pointer), code: "user_unknown", params: vec![] })
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.into()) }
}

/// Everybody a rule names, with where.
fn owners(rule: &Value) -> Vec<(String, i64)> {
    let id = |value: &Value| value.as_i64();
    let mut named: Vec<(String, i64)> =
        rule.get("user_id").and_then(id).map(|id| ("/owner_rule/user_id".to_owned(), id)).into_iter().collect();
    let list = rule.get("user_ids").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let listed = list.iter().enumerate();
    named.extend(listed.filter_map(|(n, value)| Some((format!("/owner_rule/user_ids/{n}"), id(value)?))));
    let hotels = rule.get("hotels").and_then(Value::as_object).into_iter().flatten();
    named.extend(hotels.filter_map(|(code, value)| Some((format!("/owner_rule/hotels/{code}"), id(value)?))));
    named
}

fn apply(input: &Input, settings: &mut PortalSettings) -> Result<(), Problem> {
    if let Some(rule) = &input.owner_rule {
        settings.owner_rule = serde_json::from_value(rule.clone()).map_err(|error| internal(&error))?;
    }
    let or_usual = |seconds: Option<i64>| seconds.and_then(|seconds| u32::try_from(seconds).ok()).filter(|n| *n > 0);
    if let Some(seconds) = input.request_cap_seconds {
        settings.request_cap_seconds = or_usual(seconds);
    }
    if let Some(seconds) = input.operating_seconds {
        settings.operating_seconds = or_usual(seconds);
    }
    if let Some(pem) = &input.ca_pem {
        settings.ca_pem.clone_from(pem);
    }
    let ownership = &mut settings.ownership;
    for (member, on) in &input.ownership {
        match *member {
            "put_back" => ownership.put_back = *on,
            "notes" => ownership.notes = *on,
            "recreate_deals" => ownership.recreate_deals = *on,
            "recreate_people" => ownership.recreate_people = *on,
            _ => ownership.attach_by_reference = *on,
        }
    }
    let pipeline = input.pipeline.map(|(category_id, own)| Pipeline { category_id, own });
    let moved = pipeline.is_some() && pipeline != settings.pipeline;
    if let Some(pipeline) = pipeline.filter(|_| moved) {
        if pipeline.own {
            return Err(invalid("/pipeline/own", "pipeline_own")); // only the set-up makes a pipeline ours
        }
        settings.pipeline = Some(pipeline);
    }
    match &input.stages {
        Some(stages) if *stages == settings.stages && !moved => {}
        Some(stages) => {
            let complete = StayStatus::ALL.iter().find(|status| !stages.contains_key(status));
            if let Some(missing) = complete {
                return Err(invalid(format!("/stages/{}", missing.word()), "required"));
            }
            let prefix = settings.pipeline.as_ref().map(|pipeline| pipeline.category_id).filter(|id| *id > 0);
            let of_pipeline = |stage: &str| match prefix {
                Some(id) => stage.starts_with(&format!("C{id}:")),
                None => !stage.contains(':'),
            };
            if let Some((status, _)) = stages.iter().find(|(_, stage)| !of_pipeline(stage)) {
                return Err(invalid(format!("/stages/{}", status.word()), "stage"));
            }
            settings.stages.clone_from(stages);
        }
        None if moved => return Err(invalid("/stages", "required")),
        None => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(body: Value) -> Vec<(String, &'static str)> {
        Object::read(body, read).expect_err("wrong").into_iter().map(super::super::input::pair).collect()
    }

    #[test]
    fn s3_every_owner_rule_is_read_into_its_stored_form() {
        for rule in [
            json!({"kind": "unset"}),
            json!({"kind": "person", "user_id": 7}),
            json!({"kind": "round_robin", "user_ids": [7, 8]}),
            json!({"kind": "per_hotel", "hotels": {"GRAND": 7}}),
        ] {
            let input = Object::read(json!({"owner_rule": rule}), read).expect("valid");
            assert_eq!(input.owner_rule.as_ref(), Some(&rule));
            let stored: crate::portal::OwnerRule = serde_json::from_value(rule.clone()).expect("stored form");
            assert_eq!(serde_json::to_value(stored).expect("json"), rule);
        }
    }

    #[test]
    fn s3_wrong_settings_are_named() {
        for (body, pointer, code) in [
            (json!({"owner_rule": {"kind": "dice"}}), "/owner_rule/kind", "owner_rule"),
            (json!({"owner_rule": {"kind": "person"}}), "/owner_rule/user_id", "required"),
            (json!({"owner_rule": {"kind": "person", "user_id": "7"}}), "/owner_rule/user_id", "user"),
            (json!({"owner_rule": {"kind": "unset", "user_id": 7}}), "/owner_rule/user_id", "unknown"),
            (json!({"owner_rule": {"kind": "round_robin", "user_ids": []}}), "/owner_rule/user_ids", "required"),
            (json!({"owner_rule": {"kind": "per_hotel", "hotels": {"a": 1}}}), "/owner_rule/hotels/a", "hotel_code"),
            (json!({"request_cap_seconds": 1}), "/request_cap_seconds", "range"),
            (json!({"ownership": {"put_back": "no"}}), "/ownership/put_back", "boolean"),
            (json!({"ca_pem": "hello"}), "/ca_pem", "pem"),
            (json!({"pipeline": {}}), "/pipeline/category_id", "required"),
            (json!({"stages": {"asleep": "X"}}), "/stages/asleep", "status"),
            (json!({"stages": {"offer": "'; DROP"}}), "/stages/offer", "stage"),
        ] {
            assert_eq!(wrong(body), [(pointer.to_owned(), code)]);
        }
    }
}
