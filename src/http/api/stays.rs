//! Stays as we hold them.

use std::collections::BTreeMap;

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, FixedOffset, NaiveDate, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::hotels;
use super::mapping::preview::{is_money, shown};
use super::page::{Page, Query};
use super::refuse::{invalid_at, not_found};
use super::time::at;
use crate::bitrix::crm::Entity;
use crate::clock::wall;
use crate::domain::stay::{Group, Note};
use crate::domain::{CrmValue, HotelCode, HotelId, Money, PortalId, Stay, StayNumber, StayStatus};
use crate::http::HttpState;
use crate::http::auth::{Principal, Right, may_read, require};
use crate::http::problem::{Kind, Problem};
use crate::store::hotels as rows;
use crate::store::stay_steps::StepRow;
use crate::sync::provenance::FieldOrigin;
use crate::sync::views::{GuestView, StayFilter, StayLine, StayView};

/// `{"amount": "1234.50", "currency": "RUB"}`
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Money)]
pub struct MoneyView {
    #[schema(example = "1234.50")]
    pub amount: String,
    #[schema(example = "RUB")]
    pub currency: String,
}

/// What a list shows of a stay.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StaySummary {
    pub hotel: String,
    pub number: String,
    #[schema(value_type = Option<String>, example = "confirmed")]
    pub status: Option<StayStatus>,
    pub arrival: Option<NaiveDate>,
    pub departure: Option<NaiveDate>,
    pub nights: Option<i64>,
    pub room: Option<String>,
    pub room_type: Option<String>,
    pub rate: Option<String>,
    pub adults: Option<u16>,
    /// Children by the hotel's age category.
    pub children: BTreeMap<String, u16>,
    pub crm: CrmLink,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CrmLink {
    pub deal_id: Option<i64>,
    /// When the portal last confirmed the deal.
    pub synced_at: Option<DateTime<Utc>>,
    /// Something of the stay is still on its way to the portal.
    pub pending: Option<bool>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StayDetails {
    #[serde(flatten)]
    pub summary: StaySummary,
    pub guarantee: Option<String>,
    pub market: Option<String>,
    pub channel: Option<String>,
    pub booked_on: Option<NaiveDate>,
    pub guests: Vec<StayGuest>,
    pub company: Option<StayGuest>,
    pub travel_agent: Option<StayGuest>,
    /// The group, else the party.
    pub group: Option<StayGroup>,
    /// Whether the reader may see money: without it `total`, `paid` and `balance` are `null` whatever the hotel told.
    pub folio: bool,
    /// The whole stay. Shown with the grant `folio`.
    pub total: Option<MoneyView>,
    /// What was paid by now. Shown with the grant `folio`.
    pub paid: Option<MoneyView>,
    /// What is still owed. Shown with the grant `folio`.
    pub balance: Option<MoneyView>,
    pub notes: Vec<StayNote>,
    /// The kind of the source that told it last.
    pub source: String,
    /// The PMS's own stamp, on the hotel's clock.
    pub pms_time: Option<DateTime<FixedOffset>>,
    pub received_at: DateTime<Utc>,
    /// The latest first.
    pub history: Vec<StayEvent>,
    /// Where the values of the deal's fields came from.
    pub provenance: Vec<FieldProvenance>,
}

/// What was written to a field of the deal last.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldProvenance {
    #[schema(example = "UF_CRM_FB24_ROOM")]
    pub field: String,
    /// The hotel's fact; `null`: the app's own.
    #[schema(example = "room")]
    pub fact: Option<String>,
    /// Money is shown with the grant `folio`.
    #[schema(value_type = Object)]
    pub value: Value,
    /// Of the hotel's mapping; 0: the standard one.
    pub mapping_version: i64,
    /// When the portal said that it is written.
    pub written_at: DateTime<Utc>,
    /// The hotel's word behind it; `null`: no single record of the hotel says it, or it was written before this was kept.
    pub pms: Option<PmsWord>,
    /// The call that wrote it, and what the portal answered; `null`: it was written before this was kept.
    pub call: Option<PortalCall>,
    /// Who wrote something else there since, as of our last look at the deal.
    pub changed_by: Option<i64>,
    /// What stands there instead; `null`: what was written, or nothing.
    #[schema(value_type = Option<Object>)]
    pub stands: Option<Value>,
    /// What stood there before our write can be written back (`…/fields/{field}/undo`).
    pub undoable: bool,
    /// A person took our write back: the field is people's until it is released (`…/fields/{field}/release`).
    pub pinned: bool,
}

/// What the hotel said.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PmsWord {
    /// `null`: not kept, because several facts went into the field or they tell of a guest. Money is shown with the grant `folio`.
    #[schema(value_type = Object)]
    pub value: Value,
    /// The PMS's own stamp of the record, on the hotel's clock.
    pub time: Option<DateTime<FixedOffset>>,
    pub received_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PortalCall {
    #[schema(example = "crm.item.update")]
    pub method: String,
    /// The request is found in the log by this moment.
    pub sent_at: DateTime<Utc>,
    /// `confirmed`: the portal said that it is done. `found`: its answer was lost, and the value stood there when we asked.
    #[schema(example = "confirmed")]
    pub answer: String,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StayGuest {
    pub profile: String,
    pub name: String,
    pub contact_id: Option<i64>,
    pub company_id: Option<i64>,
    pub main: bool,
    /// `guest`, `companion`, `sharer`, `company`, `travel_agent`, `source`.
    pub role: String,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StayGroup {
    pub number: String,
    pub name: String,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StayNote {
    pub category: String,
    pub text: String,
    pub guest_may_see: bool,
}

/// A step of a stay since we know it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StayEvent {
    /// When we received it.
    pub at: DateTime<Utc>,
    /// The PMS's own stamp of the change, on the hotel's clock.
    pub pms_time: Option<DateTime<FixedOffset>>,
    /// `status` or `dates`.
    #[schema(example = "status")]
    pub code: String,
    /// A status, or dates as `2026-11-20/2026-11-23` where `..` is an unknown one; empty: nothing was known.
    #[schema(example = "confirmed")]
    pub from: String,
    #[schema(example = "in_house")]
    pub to: String,
}

impl MoneyView {
    pub fn of(money: &Money) -> Self {
        Self { amount: money.amount.to_string(), currency: money.currency.to_string() }
    }
}

impl StaySummary {
    pub fn of(hotel: &HotelCode, facts: &Stay, crm: CrmLink) -> Self {
        Self {
            hotel: hotel.to_string(),
            number: facts.number.to_string(),
            status: facts.status.get().copied(),
            arrival: facts.arrival.get().copied(),
            departure: facts.departure.get().copied(),
            nights: facts.nights(),
            room: facts.room.get().cloned(),
            room_type: facts.room_type.get().cloned(),
            rate: facts.rate.get().cloned(),
            adults: facts.adults.get().copied(),
            children: facts.children.get().cloned().unwrap_or_default(),
            crm,
        }
    }
}

impl StayDetails {
    /// `folio`: whether the reader may see money.
    pub fn of(view: &StayView, zone: &str, folio: bool) -> Self {
        let facts = &view.facts;
        let crm = CrmLink { deal_id: view.deal_id, synced_at: view.synced_at.map(at), pending: Some(view.pending) };
        let with_role = |role: &str| view.guests.iter().find(|guest| guest.role == role).map(StayGuest::of);
        let money = |money: Option<&Money>| money.filter(|_| folio).map(MoneyView::of);
        Self {
            summary: StaySummary::of(&view.hotel_code, facts, crm),
            guarantee: facts.guarantee.get().cloned(),
            market: facts.market.get().cloned(),
            channel: facts.channel.get().cloned(),
            booked_on: facts.booked_on.get().copied(),
            guests: view.guests.iter().filter(|guest| StayGuest::is_person(guest)).map(StayGuest::of).collect(),
            company: with_role("company"),
            travel_agent: with_role("travel_agent"),
            group: facts.group_or_party().get().map(StayGroup::of),
            folio,
            total: money(facts.total.get()),
            paid: money(facts.paid.get()),
            balance: money(facts.balance.get()),
            notes: notes(facts),
            source: view.source.clone(),
            pms_time: view.pms_time.map(|time| wall(time, zone)),
            received_at: at(view.received_at),
            history: view.history.iter().map(|row| StayEvent::of(row, zone)).collect(),
            provenance: view.origins.iter().map(|origin| FieldProvenance::of(origin, zone, folio)).collect(),
        }
    }
}

impl FieldProvenance {
    /// `zone`: the hotel's. `folio`: whether the reader may see money.
    pub fn of(origin: &FieldOrigin, zone: &str, folio: bool) -> Self {
        let said = origin.told.as_ref().and_then(|told| told.value.as_ref());
        let money = [Some(&origin.value), origin.stands.as_ref(), said].into_iter().flatten().any(is_money);
        let hidden = !folio && money;
        let visible = |value: &CrmValue| if hidden { Value::Null } else { shown(value) };
        Self {
            field: origin.field.clone(),
            fact: origin.fact.map(str::to_owned),
            value: visible(&origin.value),
            mapping_version: origin.version,
            written_at: at(origin.at),
            pms: origin.told.as_ref().map(|told| PmsWord {
                value: said.map_or(Value::Null, visible),
                time: told.pms_time.map(|time| wall(time, zone)),
                received_at: at(told.received_at),
            }),
            call: origin.call.as_ref().map(|call| PortalCall {
                method: call.method.clone(),
                sent_at: at(call.sent_at),
                answer: call.answer.word().to_owned(),
            }),
            changed_by: origin.changed_by,
            stands: origin.stands.as_ref().map(visible),
            undoable: origin.undoable,
            pinned: origin.pinned,
        }
    }
}

impl StayEvent {
    fn of(row: &StepRow, zone: &str) -> Self {
        Self {
            at: at(row.received_at),
            pms_time: row.pms_time.map(|time| wall(time, zone)),
            code: row.step.kind.word().to_owned(),
            from: row.step.from.clone(),
            to: row.step.to.clone(),
        }
    }
}

impl StayGuest {
    fn is_person(guest: &GuestView) -> bool {
        matches!(guest.role.as_str(), "guest" | "companion" | "sharer")
    }

    fn of(guest: &GuestView) -> Self {
        let person = Self::is_person(guest);
        Self {
            profile: guest.profile.clone(),
            name: guest.name.clone(),
            contact_id: guest.crm_id.filter(|_| person),
            company_id: guest.crm_id.filter(|_| !person),
            main: guest.main,
            role: guest.role.clone(),
        }
    }
}

impl StayGroup {
    fn of(group: &Group) -> Self {
        Self { number: group.number.clone(), name: group.name.clone() }
    }
}

fn notes(facts: &Stay) -> Vec<StayNote> {
    let comment = |text: &String| StayNote { category: String::new(), text: text.clone(), guest_may_see: false };
    let note = |note: &Note| StayNote {
        category: note.category.clone(),
        text: note.text.clone(),
        guest_may_see: note.guest_may_see,
    };
    facts
        .comments
        .get()
        .into_iter()
        .flatten()
        .map(comment)
        .chain(facts.notes.get().into_iter().flatten().map(note))
        .collect()
}

/// The hotel a list is narrowed to. A key of some hotels must say which one it means, if it has several.
pub async fn narrowed(state: &HttpState, who: &Principal, query: &Query) -> Result<Option<HotelId>, Problem> {
    let code = match (query.get("hotel"), who.hotels.as_deref()) {
        (Some(code), _) => Some(code.to_owned()),
        (None, None) => None,
        (None, Some([only])) => Some(only.to_string()),
        (None, Some(_)) => return Err(invalid_at(super::input::At::Parameter("hotel".into()), "required")),
    };
    match code {
        Some(code) => Ok(Some(hotels::find(state, who, &code).await?.id)),
        None => Ok(None),
    }
}

/// Codes of all hotels, removed ones included: stays of those stay readable.
pub async fn codes(state: &HttpState, portal: PortalId) -> Result<BTreeMap<HotelId, HotelCode>, Problem> {
    Ok(rows::codes(&state.db, portal).await?.into_iter().collect())
}

const PARAMETERS: &[&str] = &["hotel", "status", "arrival_from", "arrival_to", "after", "limit"];

/// Stays in order of arrival
#[utoipa::path(get, path = "/api/v1/stays", tag = "stays", operation_id = "listStays",
    params(("hotel" = Option<String>, Query), ("status" = Option<String>, Query),
        ("arrival_from" = Option<NaiveDate>, Query), ("arrival_to" = Option<NaiveDate>, Query),
        ("after" = Option<String>, Query), ("limit" = Option<i64>, Query, minimum = 1, maximum = 200)),
    responses((status = 200, body = Page<StaySummary>)))]
pub async fn list(state: Data<HttpState>, who: Principal, request: HttpRequest) -> Result<HttpResponse, Problem> {
    require(&who, Right::Read)?;
    let query = Query::read(&request, PARAMETERS)?;
    let word = |text: &str| StayStatus::ALL.into_iter().find(|status| status.word() == text);
    let day = |text: &str| super::input::date(&text.into()).ok();
    let filter = StayFilter {
        hotel: narrowed(&state, &who, &query).await?,
        status: query.parsed("status", "status", word)?,
        arrival_from: query.parsed("arrival_from", "date", day)?,
        arrival_to: query.parsed("arrival_to", "date", day)?,
    };
    let page = state.engine.stays(who.portal, &filter, query.get("after"), query.limit()?).await?;
    let codes = codes(&state, who.portal).await?;
    let line = |line: &StayLine| {
        let crm = CrmLink { deal_id: line.deal_id, synced_at: line.synced_at.map(at), pending: None };
        Some(StaySummary::of(codes.get(&line.hotel)?, &line.facts, crm))
    };
    Ok(HttpResponse::Ok().json(Page { items: page.items.iter().filter_map(line).collect(), next: page.next }))
}

/// One stay, to whoever may look at all stays, and to anybody whom the portal lets read its deal
#[utoipa::path(get, path = "/api/v1/stays/{stay}", tag = "stays", operation_id = "getStay",
    params(("stay" = String, Path, description = "`<hotel>:<number>`", example = "GRAND:50117")),
    responses((status = 200, body = StayDetails)))]
pub async fn get(state: Data<HttpState>, who: Principal, stay: Path<String>) -> Result<HttpResponse, Problem> {
    require(&who, Right::Known)?;
    let wide = who.may(Right::Read);
    let found = named(&state, &who, &stay).await?;
    if !wide {
        // Whether a stay exists is told only to those who may see it: all else is one and the same refusal.
        let deal = found.as_ref().and_then(|view| view.deal_id);
        let readable = match deal {
            Some(deal) => may_read(&state, &who, Entity::Deal, deal).await?,
            None => false,
        };
        if !readable {
            return Err(Kind::Forbidden.into());
        }
    }
    let view = found.ok_or_else(not_found)?;
    show(&state, &who, &view).await
}

async fn named(state: &HttpState, who: &Principal, name: &str) -> Result<Option<StayView>, Problem> {
    let parsed = name
        .split_once(':')
        .and_then(|(hotel, number)| Some((HotelCode::parse(hotel).ok()?, StayNumber::parse(number).ok()?)));
    match parsed {
        Some((hotel, number)) if who.sees_hotel(&hotel) => Ok(state.engine.stay(who.portal, &hotel, &number).await?),
        _ => Ok(None),
    }
}

/// Answers with a stay whose reader was checked.
pub async fn show(state: &HttpState, who: &Principal, view: &StayView) -> Result<HttpResponse, Problem> {
    let hotel = rows::by_id(&state.db, who.portal, view.hotel).await?.ok_or_else(not_found)?;
    Ok(HttpResponse::Ok().json(StayDetails::of(view, &hotel.timezone, who.may(Right::SeeFolio))))
}
