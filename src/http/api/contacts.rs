//! The contact tab: the guest behind a contact, over all hotels.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use super::hints::MergeHint;
use super::refuse::not_found;
use super::stays::{CrmLink, MoneyView, StaySummary};
use crate::bitrix::crm::Entity;
use crate::domain::profile::Preference;
use crate::domain::{HotelCode, Profile};
use crate::http::HttpState;
use crate::http::auth::{Principal, Right, may_read, readable, require};
use crate::http::problem::{Kind, Problem};
use crate::sync::guest::{GuestCard, GuestStay};

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Guest {
    /// One of each hotel or more: all of them are this person.
    pub profiles: Vec<GuestProfile>,
    pub figures: GuestFigures,
    /// Whether the reader may see money: without it `revenue` and every `total` are `null`.
    pub folio: bool,
    /// Of finished stays, each currency by itself. Shown with the grant `folio`.
    pub revenue: Option<Vec<MoneyView>>,
    /// The latest arrival first, at most 50.
    pub stays: Vec<StayOfGuest>,
    /// How many stays there are, in the list or not.
    pub stays_total: usize,
    /// How many of the latest are left out because the portal does not let the reader read their deals.
    pub stays_hidden: usize,
    /// Who else this may be. Shown to whoever may see all guests.
    pub merge_hints: Vec<MergeHint>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct GuestProfile {
    pub hotel: String,
    pub profile: String,
    pub name: String,
    pub vip: Option<String>,
    pub language: Option<String>,
    pub nationality: Option<String>,
    pub preferences: Vec<GuestPreference>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct GuestPreference {
    /// The hotel's own code.
    #[schema(example = "NSM")]
    pub code: String,
    #[schema(example = "Non-smoking room")]
    pub text: String,
}

/// What the contact's fields say too: finished stays of which the person is the main guest.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct GuestFigures {
    pub stays: i64,
    pub nights: i64,
    pub last_stay: Option<NaiveDate>,
    /// Whoever the main guest was.
    pub cancelled: usize,
    pub no_shows: usize,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StayOfGuest {
    #[serde(flatten)]
    pub summary: StaySummary,
    /// `guest`, `companion`, `sharer`.
    #[schema(example = "guest")]
    pub role: String,
    /// Shown with the grant `folio`.
    pub total: Option<MoneyView>,
}

impl GuestProfile {
    fn of((hotel, facts): &(HotelCode, Profile)) -> Self {
        let preference = |one: &Preference| GuestPreference { code: one.code.clone(), text: one.text.clone() };
        Self {
            hotel: hotel.to_string(),
            profile: facts.number.to_string(),
            name: facts.display_name(),
            vip: facts.vip.get().cloned(),
            language: facts.language.get().cloned(),
            nationality: facts.nationality.get().cloned(),
            preferences: facts.preferences.get().into_iter().flatten().map(preference).collect(),
        }
    }
}

impl StayOfGuest {
    fn of(stay: &GuestStay, folio: bool) -> Self {
        let crm = CrmLink { deal_id: stay.deal_id, synced_at: None, pending: None };
        Self {
            summary: StaySummary::of(&stay.hotel, &stay.facts, crm),
            role: stay.role.word().to_owned(),
            total: stay.facts.total.get().filter(|_| folio).map(MoneyView::of),
        }
    }
}

impl Guest {
    fn of(card: GuestCard, shown: Vec<&GuestStay>, hidden: usize, who: &Principal) -> Self {
        let folio = who.may(Right::SeeFolio);
        Self {
            profiles: card.profiles.iter().map(GuestProfile::of).collect(),
            figures: GuestFigures {
                stays: card.totals.stays,
                nights: card.totals.nights,
                last_stay: card.totals.last_stay,
                cancelled: card.cancelled,
                no_shows: card.no_shows,
            },
            folio,
            revenue: folio.then(|| card.totals.revenues().map(|money| MoneyView::of(&money)).collect()),
            stays: shown.into_iter().map(|stay| StayOfGuest::of(stay, folio)).collect(),
            stays_total: card.stays_total,
            stays_hidden: hidden,
            merge_hints: Vec::new(),
        }
    }
}

/// The guest behind a contact, to whom the portal lets read the contact; of the stays those whose deals he may read
#[utoipa::path(get, path = "/api/v1/contacts/{id}/guest", tag = "stays", operation_id = "getGuestOfContact",
    params(("id" = i64, Path)), responses((status = 200, body = Guest)))]
pub async fn guest(state: Data<HttpState>, who: Principal, id: Path<String>) -> Result<HttpResponse, Problem> {
    require(&who, Right::Known)?;
    let contact = id.parse::<i64>().ok().filter(|id| *id > 0).ok_or_else(not_found)?;
    if !may_read(&state, &who, Entity::Contact, contact).await? {
        return Err(Kind::Forbidden.into());
    }
    let card = state.engine.guest(who.portal, contact, who.hotels.as_deref()).await?;
    let mut card = card.ok_or_else(|| not_found().with_code("no_guest"))?;
    let hints = std::mem::take(&mut card.hints);
    let latest = std::mem::take(&mut card.stays);
    let deals: Vec<i64> = latest.iter().filter_map(|stay| stay.deal_id).collect();
    let his = readable(&state, &who, Entity::Deal, &deals).await?;
    let wide = who.may(Right::Read);
    let shown: Vec<&GuestStay> =
        latest.iter().filter(|stay| wide || stay.deal_id.is_some_and(|deal| his.contains(&deal))).collect();
    let hidden = latest.len() - shown.len();
    let mut guest = Guest::of(card, shown, hidden, &who);
    if who.may(Right::SeeProblems) && who.hotels.is_none() {
        guest.merge_hints = hints.into_iter().map(MergeHint::of).collect();
    }
    Ok(HttpResponse::Ok().json(guest))
}
