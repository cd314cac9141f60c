//! Traffic lights: is it running, and if not, where not (product §6).

use actix_web::HttpResponse;
use actix_web::web::Data;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::event_light::EventsLight;
use super::reconciliation_light::ReconciliationLight;
use super::time::at;
use crate::domain::HotelId;
use crate::http::HttpState;
use crate::http::auth::{Principal, Right, require};
use crate::http::lang::Lang;
use crate::http::problem::Problem;
use crate::http::texts;
use crate::portal::{Portal, PortalStatus};
use crate::store::hotels::{self, HotelRow};
use crate::store::reconciliations::{self, Compared};
use crate::store::sources::{self, SourceRow};
use crate::sync::views::{QueueView, StatusView};

/// Ordered by how much it asks for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Light {
    /// Nothing to say yet.
    Grey,
    Green,
    Yellow,
    Red,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Status {
    pub version: String,
    pub light: Light,
    pub portal: PortalLight,
    pub hotels: Vec<HotelLight>,
    pub queues: Queues,
    pub events: EventsLight,
    pub reconciliation: ReconciliationLight,
    /// Each hotel's latest whole reconciliation; of these the oldest.
    pub last_reconciliation: Option<DateTime<Utc>>,
    /// Open problems.
    pub problems: i64,
    pub support: SupportContact,
}

/// Whom to ask for help; the server's operator says.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SupportContact {
    #[schema(example = "+7 495 000-00-00")]
    pub phone: Option<String>,
    /// E-mail.
    #[schema(example = "support@example.com")]
    pub address: Option<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PortalLight {
    /// `new`, `ensuring`, `active`, `needs_auth`, `suspended`, `foreign`, `uninstalling`, `uninstalled`, `gone`.
    pub state: String,
    pub detail: String,
    pub domain: String,
    pub license: String,
    pub light: Light,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HotelLight {
    pub code: String,
    pub name: String,
    pub light: Light,
    pub sources: Vec<SourceLight>,
    pub queue: QueueLight,
    pub last_reconciliation: Option<LastReconciliation>,
}

/// What the last whole comparison of hotel, store and portal came to.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct LastReconciliation {
    pub at: DateTime<Utc>,
    /// What was found to differ.
    pub drift: i64,
    /// What of it still waits: to be sent, or for a person.
    pub open: i64,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SourceLight {
    pub kind: String,
    pub via: String,
    /// `new`, `ok`, `failing`, `stopped`.
    pub health: String,
    /// Stable code of what is wrong, empty otherwise: that of the first finding.
    pub detail_code: String,
    /// The same as a sentence in the caller's language.
    pub detail: Option<String>,
    /// All that is to be said of the link and of the PMS behind it, the gravest first.
    pub findings: Vec<SourceFinding>,
    pub last_ok_at: Option<DateTime<Utc>>,
    pub last_record_at: Option<DateTime<Utc>>,
    pub light: Light,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SourceFinding {
    /// `credentials`, `address`, `unreachable`, `unreadable`, `refused`, `internal`, `not_licensed:<areas>`, or of the PMS:
    /// `pms_time_back`, `pms_clock_ahead`, `no_delta`.
    pub code: String,
    /// The same as a sentence in the caller's language.
    pub detail: String,
    /// Since when, where that is known.
    pub since: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct QueueLight {
    pub waiting: i64,
    pub oldest_seconds: i64,
    pub light: Light,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Queues {
    /// Heard, not decided yet.
    pub inbox: QueueLight,
    /// Decided, not in the portal yet.
    pub outbox: QueueLight,
}

/// A queue older than this is worth a look, and worth a person's help.
const OLD_SECONDS: i64 = 300;
const STUCK_SECONDS: i64 = 3600;

impl SupportContact {
    fn of(support: &crate::config::Support) -> Self {
        let said = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        Self { phone: said(&support.phone), address: said(&support.address) }
    }
}

impl QueueLight {
    fn of(queue: QueueView) -> Self {
        let light = match queue.oldest_seconds {
            age if queue.waiting > 0 && age >= STUCK_SECONDS => Light::Red,
            age if queue.waiting > 0 && age >= OLD_SECONDS => Light::Yellow,
            _ => Light::Green,
        };
        Self { waiting: queue.waiting, oldest_seconds: queue.oldest_seconds, light }
    }
}

impl PortalLight {
    fn of(portal: &Portal) -> Self {
        let light = match portal.status {
            PortalStatus::Active if portal.installed => Light::Green,
            PortalStatus::New | PortalStatus::Ensuring | PortalStatus::Active => Light::Yellow,
            PortalStatus::NeedsAuth | PortalStatus::Suspended | PortalStatus::Foreign => Light::Red,
            PortalStatus::Uninstalling | PortalStatus::Uninstalled | PortalStatus::Gone => Light::Grey,
        };
        Self {
            state: portal.status.word().to_owned(),
            detail: portal.status_detail.clone(),
            domain: portal.domain.clone(),
            license: portal.license.clone(),
            light,
        }
    }
}

impl SourceLight {
    fn of(source: &SourceRow, lang: Lang) -> Self {
        let finding = |code: &str, since: Option<i64>| SourceFinding {
            code: code.to_owned(),
            detail: texts::health(lang, code),
            since: since.map(at),
        };
        let link = Some(source.health.detail.as_str()).filter(|code| !code.is_empty()).map(|code| finding(code, None));
        let notes = source.notes.iter().map(|(code, since)| finding(code, Some(*since)));
        let findings: Vec<_> = link.into_iter().chain(notes).collect();
        let light = match source.health.state.as_str() {
            "ok" if findings.is_empty() => Light::Green,
            // What is not licensed, or odd about the PMS, is read around; the rest goes on.
            "ok" | "failing" => Light::Yellow,
            "new" => Light::Grey,
            _ => Light::Red,
        };
        Self {
            kind: source.kind.clone(),
            via: source.via.clone(),
            health: source.health.state.clone(),
            detail_code: findings.first().map(|first| first.code.clone()).unwrap_or_default(),
            detail: findings.first().map(|first| first.detail.clone()),
            findings,
            last_ok_at: source.last_ok_at.map(at),
            last_record_at: source.last_record_at.map(at),
            light,
        }
    }
}

impl HotelLight {
    fn of(hotel: &HotelRow, sources: &[SourceRow], queues: &StatusView, compared: &[Compared], lang: Lang) -> Self {
        let sources: Vec<_> = sources
            .iter()
            .filter(|source| source.hotel == hotel.id)
            .map(|source| SourceLight::of(source, lang))
            .collect();
        let queue = QueueLight::of(queue_of(hotel.id, queues));
        let link = sources.iter().map(|source| source.light).max().unwrap_or(Light::Grey);
        // A green queue says nothing about a link that was never tried.
        let light = if queue.light > Light::Green { link.max(queue.light) } else { link };
        let last = compared.iter().find(|last| last.hotel == hotel.id);
        let last_reconciliation =
            last.and_then(|last| Some(LastReconciliation { at: at(last.at?), drift: last.drift, open: last.open }));
        Self { code: hotel.code.to_string(), name: hotel.name.clone(), light, sources, queue, last_reconciliation }
    }
}

fn queue_of(hotel: HotelId, queues: &StatusView) -> QueueView {
    queues.hotels.iter().find(|queue| queue.hotel == hotel).map(|queue| queue.queue).unwrap_or_default()
}

/// Traffic lights of the portal
#[utoipa::path(get, path = "/api/v1/status", tag = "status", operation_id = "getStatus",
    responses((status = 200, body = Status)))]
pub async fn get(state: Data<HttpState>, who: Principal) -> Result<HttpResponse, Problem> {
    require(&who, Right::Read)?;
    let portal = PortalLight::of(&state.directory.get(who.portal).await?);
    let key = state.directory.key(who.portal).await?;
    let sources = sources::of_portal(&state.db, who.portal, &key).await?;
    let queues = state.engine.queues(who.portal).await?;
    let compared = reconciliations::compared(&state.db, who.portal).await?;
    let mut seen = hotels::list(&state.db, who.portal).await?;
    seen.retain(|hotel| who.sees_hotel(&hotel.code));
    let reconciliation = ReconciliationLight::of(seen.iter(), &compared, state.clock.now_ms());
    let hotels: Vec<_> =
        seen.iter().map(|hotel| HotelLight::of(hotel, &sources, &queues, &compared, who.lang)).collect();
    let inbox_outbox = Queues { inbox: QueueLight::of(queues.inbox), outbox: QueueLight::of(queues.outbox) };
    let events = EventsLight::of(&state.db, who.portal, state.clock.now_ms()).await?;
    let light = hotels
        .iter()
        .map(|hotel| hotel.light)
        .chain([portal.light, inbox_outbox.inbox.light, inbox_outbox.outbox.light, events.light, reconciliation.light])
        .chain((queues.open_problems > 0).then_some(Light::Yellow))
        .max()
        .unwrap_or(Light::Grey);
    Ok(HttpResponse::Ok().json(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        light,
        portal,
        queues: inbox_outbox,
        events,
        last_reconciliation: reconciliation.at,
        reconciliation,
        hotels,
        problems: queues.open_problems,
        support: SupportContact::of(&state.config.support),
    }))
}
