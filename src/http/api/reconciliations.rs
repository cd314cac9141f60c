//! Reconciliations of a hotel: what the hotel, the store and the portal do not agree on (product §2.10).

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_DISPOSITION;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::body::Body;
use super::csv::{BOM, cell, wanted};
use super::hotels;
use super::once::{Done, once};
use super::page::Page;
use super::refuse::not_found;
use super::time::at;
use crate::domain::{HotelCode, Subject};
use crate::http::HttpState;
use crate::http::auth::{Principal, Right, require};
use crate::http::lang::Lang;
use crate::http::problem::Problem;
use crate::http::texts;
use crate::store::hotels::HotelRow;
use crate::store::reconciled_days::ByDay;
use crate::store::reconciliations::DriftRow;
use crate::sync::imports::ImportState;
use crate::sync::reconcile::{ReconciliationView, asks_person};

/// A report shows so much; what is above is in the table for download.
const SHOWN: i64 = 1_000;
/// And a table holds so much: more is no drift, but another hotel.
const TABLE: i64 = 100_000;

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Reconciliation {
    pub id: String,
    pub hotel: String,
    #[schema(value_type = String, example = "completed")]
    pub state: ImportState,
    /// It began by itself, in the hotel's night.
    pub night: bool,
    /// Arrivals compared with the hotel.
    pub from: NaiveDate,
    pub to: NaiveDate,
    pub created_at: DateTime<Utc>,
    /// `null` while it is under way.
    pub ended_at: Option<DateTime<Utc>>,
    pub counts: SideCounts,
    /// What was compared with the portal.
    pub compared: Compared,
    /// Days of arrival on which the three do not agree, at most 1000; empty in a list of reconciliations. By night only
    /// deals of the stays that were compared are counted.
    pub days: Vec<DayCounts>,
    /// How much was found, by cause.
    pub causes: Vec<CauseCount>,
    /// By day of arrival; at most 1000, all of it is in the CSV. Empty in a list of reconciliations.
    pub drift: Vec<Drift>,
    /// Why it failed: a stable code.
    pub failure: Option<String>,
    /// The same as a sentence in the caller's language.
    pub detail: Option<String>,
}

/// Stays that each side knows of the days that were compared.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct SideCounts {
    pub pms: i64,
    pub store: i64,
    pub crm: i64,
}

/// By night what may still change, and a part of the history in its turn: all of it within a month of nights.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Compared {
    /// All that was ever taken in; then the rest is `null`.
    pub all: bool,
    /// Stays that leave on this day or later …
    pub leaving_since: Option<NaiveDate>,
    /// … and those that arrived on this day of any month.
    pub history_day: Option<u32>,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct DayCounts {
    pub arrival: NaiveDate,
    pub pms: i64,
    pub store: i64,
    pub crm: i64,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CauseCount {
    /// `missing_in_store`, `differs_in_store`, `unknown_in_pms`, `missing_in_crm`, `differs_in_crm`, `deleted_in_crm`,
    /// `rejected`, `duplicate_mark`.
    pub cause: String,
    pub title: String,
    /// What becomes of it.
    pub hint: String,
    /// A person must decide; everything else is mended by itself.
    pub asks_person: bool,
    pub count: i64,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Drift {
    /// `<hotel>:<number>`, where it is about a stay.
    pub stay: Option<String>,
    /// The same of a guest or a company.
    pub profile: Option<String>,
    /// The same of a group.
    pub group: Option<String>,
    pub cause: String,
    pub title: String,
    pub asks_person: bool,
    pub arrival: Option<NaiveDate>,
    /// Records of the portal it is about: `{"entity", "id"}` or `{"entity", "ids"}`.
    #[schema(value_type = Object)]
    pub detail: Value,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReconciliationStarted {
    pub id: String,
}

impl Drift {
    fn of(row: DriftRow, code: &HotelCode, lang: Lang) -> Self {
        let (mut stay, mut profile, mut group) = (None, None, None);
        match row.subject.parse() {
            Ok(Subject::Stay(_, number)) => stay = Some(format!("{code}:{number}")),
            Ok(Subject::Profile(_, number)) => profile = Some(format!("{code}:{number}")),
            Ok(Subject::Group(_, number)) => group = Some(format!("{code}:{number}")),
            _ => {}
        }
        Self {
            stay,
            profile,
            group,
            title: texts::drift(lang, &row.cause).title.to_owned(),
            asks_person: asks_person(&row.cause),
            cause: row.cause,
            arrival: row.arrival,
            detail: row.detail,
        }
    }

    fn line(&self) -> String {
        let ids = match (self.detail.get("id"), self.detail.get("ids").and_then(Value::as_array)) {
            (Some(id), _) => id.to_string(),
            (None, Some(ids)) => ids.iter().map(Value::to_string).collect::<Vec<_>>().join(" "),
            _ => String::new(),
        };
        let person = if self.asks_person { "yes" } else { "no" };
        let cells = [
            self.stay.as_deref().unwrap_or_default(),
            self.profile.as_deref().unwrap_or_default(),
            self.group.as_deref().unwrap_or_default(),
            &self.arrival.map(|day| day.to_string()).unwrap_or_default(),
            &self.cause,
            &self.title,
            person,
            self.detail.get("entity").and_then(Value::as_str).unwrap_or_default(),
            &ids,
        ];
        cells.map(cell).join(",") + "\r\n"
    }
}

impl Reconciliation {
    fn of(view: ReconciliationView, drift: Vec<DriftRow>, days: ByDay, code: &HotelCode, lang: Lang) -> Self {
        let causes = view.causes.into_iter().map(|(cause, count)| {
            let advice = texts::drift(lang, &cause);
            CauseCount {
                title: advice.title.to_owned(),
                hint: advice.hint.to_owned(),
                asks_person: asks_person(&cause),
                cause,
                count,
            }
        });
        let under_way = matches!(view.state, ImportState::Queued | ImportState::Running | ImportState::Paused);
        Self {
            id: view.id,
            hotel: code.to_string(),
            state: view.state,
            night: view.night,
            from: view.from,
            to: view.to,
            created_at: at(view.created_at),
            ended_at: (!under_way).then(|| at(view.updated_at)),
            counts: SideCounts { pms: view.counts.pms, store: view.counts.store, crm: view.counts.crm },
            compared: Compared {
                all: view.scope.is_none(),
                leaving_since: view.scope.map(|scope| scope.leaving_since),
                history_day: view.scope.map(|scope| scope.history_day),
            },
            days: days
                .into_iter()
                .map(|(arrival, n)| DayCounts { arrival, pms: n.pms, store: n.store, crm: n.crm })
                .collect(),
            causes: causes.collect(),
            drift: drift.into_iter().map(|row| Drift::of(row, code, lang)).collect(),
            detail: Some(view.failure.as_str()).filter(|code| !code.is_empty()).map(|code| texts::health(lang, code)),
            failure: Some(view.failure).filter(|failure| !failure.is_empty()),
        }
    }
}

/// Reconciliations of a hotel, the latest first
#[utoipa::path(get, path = "/api/v1/hotels/{code}/reconciliations", tag = "reconciliations",
    operation_id = "listReconciliations", params(("code" = String, Path)),
    responses((status = 200, body = Page<Reconciliation>)))]
pub async fn of_hotel(state: Data<HttpState>, who: Principal, code: Path<String>) -> Result<HttpResponse, Problem> {
    require(&who, Right::Read)?;
    let hotel = hotels::find(&state, &who, &code).await?;
    let views = state.engine.reconciliations(who.portal, hotel.id).await?;
    let items = views.into_iter().map(|view| Reconciliation::of(view, Vec::new(), ByDay::new(), &hotel.code, who.lang));
    Ok(HttpResponse::Ok().json(Page::whole(items.collect())))
}

/// Compares the hotel, the store and the portal
///
/// By night it begins by itself. What differs is mended by the ordinary exchange or told among the problems.
#[utoipa::path(post, path = "/api/v1/hotels/{code}/reconciliations", tag = "reconciliations",
    operation_id = "createReconciliation", params(("code" = String, Path)),
    responses((status = 202, body = ReconciliationStarted), (status = 409, description = "`reconciliation_running`")))]
pub async fn create(
    state: Data<HttpState>,
    who: Principal,
    code: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    require(&who, Right::RunImport)?;
    let hotel = hotels::find(&state, &who, &code).await?;
    let raw = Body::none(&request, payload).await?;
    let (context, portal, user) = (state.clone(), who.portal, who.user_id);
    once(&state, &who, &request, &raw, async move {
        let id = context.engine.create_reconciliation(portal, hotel.id, Some(user)).await?;
        let location = format!("/api/v1/hotels/{}/reconciliations/{id}", hotel.code);
        Ok(Done::new(StatusCode::ACCEPTED, &ReconciliationStarted { id })?.at(location))
    })
    .await
}

/// A reconciliation's report
///
/// As a table with `Accept: text/csv`, or with `.csv` behind the id.
#[utoipa::path(get, path = "/api/v1/hotels/{code}/reconciliations/{id}", tag = "reconciliations",
    operation_id = "getReconciliation", params(("code" = String, Path), ("id" = String, Path)),
    responses((status = 200, content((Reconciliation = "application/json"), (String = "text/csv")))))]
pub async fn get(
    state: Data<HttpState>,
    who: Principal,
    path: Path<(String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    require(&who, Right::Read)?;
    let (code, id) = path.into_inner();
    let hotel = hotels::find(&state, &who, &code).await?;
    let (id, named) = id.strip_suffix(".csv").map_or((id.as_str(), false), |id| (id, true));
    let view = state.engine.reconciliation(who.portal, id).await?;
    let view = view.filter(|view| view.hotel == hotel.id).ok_or_else(not_found)?;
    if named || wanted(&request) {
        return table(&state, &who, &hotel, view).await;
    }
    let drift = state.engine.drift(who.portal, &view.id, SHOWN).await?;
    let days = state.engine.uneven_days(who.portal, &view.id, SHOWN).await?;
    Ok(HttpResponse::Ok().json(Reconciliation::of(view, drift, days, &hotel.code, who.lang)))
}

async fn table(
    state: &HttpState,
    who: &Principal,
    hotel: &HotelRow,
    view: ReconciliationView,
) -> Result<HttpResponse, Problem> {
    let mut text = format!("{BOM}stay,profile,group,arrival,cause,title,asks_person,entity,crm_id\r\n");
    for row in state.engine.drift(who.portal, &view.id, TABLE).await? {
        text.push_str(&Drift::of(row, &hotel.code, who.lang).line());
    }
    let name = format!("reconciliation-{}-{}.csv", hotel.code, at(view.created_at).format("%Y%m%d"));
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .body(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn s1_a_line_of_the_table_says_what_is_uneven() {
        let row = DriftRow {
            subject: "stay:7:50117".into(),
            cause: "duplicate_mark".into(),
            arrival: "2026-11-22".parse().ok(),
            detail: json!({"entity": "deal", "ids": [5, 9]}),
        };
        let code = HotelCode::parse("GRAND").expect("a code");
        let line = Drift::of(row, &code, Lang::En).line();
        assert!(line.starts_with("GRAND:50117,,,2026-11-22,duplicate_mark,"), "{line}");
        assert!(line.ends_with(",yes,deal,5 9\r\n"), "{line}");
    }
}
