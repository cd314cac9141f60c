//! How the desk did (issue: volume, promises, what came back, what is left), as figures or as a table of its requests.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::csv::{BOM, cell, wanted};
use super::page::Query;
use super::refuse::conflict;
use super::time::at;
use crate::domain::support::clock::{Reading, Standing};
use crate::domain::support::report::{AGES, Attainment, Case, Report, Volume};
use crate::http::HttpState;
use crate::http::auth::{Principal, Right, require};
use crate::http::problem::Problem;
use crate::store::desk::requests::RequestRow;

/// Requests of one report.
const MOST: usize = 50_000;
/// Where no time is named.
const DAYS: i64 = 30;

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeskReport)]
pub struct ReportView {
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    pub all: VolumeView,
    pub kinds: Vec<KindVolume>,
    pub states: Vec<StateCount>,
    /// How long requests stood in each state, by the clock on the wall.
    pub times: Vec<StateTime>,
    /// What is open of it, by the time since it came.
    pub backlog: Vec<AgeCount>,
    /// There were more requests than one report reads; the newest are counted.
    pub cut: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeskVolume)]
pub struct VolumeView {
    pub registered: u32,
    pub closed: u32,
    /// Answered at least once.
    pub answered: u32,
    /// Of those: whose answer was disputed.
    pub reopened: u32,
    pub first_answer: AttainmentView,
    pub solution: AttainmentView,
    /// How many customers said what they think of it.
    pub rated: u32,
    /// The mean of what they said, from 1 to 5, to the hundredth; `null`: nobody did.
    pub rating: Option<f64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeskAttainment)]
pub struct AttainmentView {
    pub kept: u32,
    pub broken: u32,
    /// Its time is not over.
    pub open: u32,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeskKindVolume)]
pub struct KindVolume {
    pub kind: String,
    #[serde(flatten)]
    pub volume: VolumeView,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeskStateCount)]
pub struct StateCount {
    pub state: String,
    pub count: u32,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeskStateTime)]
pub struct StateTime {
    pub state: String,
    /// Requests that stood in it.
    pub requests: u32,
    /// The mean of them.
    pub minutes: i64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeskAgeCount)]
pub struct AgeCount {
    /// Younger than so many days and not in the row before; `null`: older.
    pub below_days: Option<i64>,
    pub count: u32,
}

impl From<Attainment> for AttainmentView {
    fn from(Attainment { kept, broken, open }: Attainment) -> Self {
        Self { kept, broken, open }
    }
}

impl From<Volume> for VolumeView {
    fn from(volume: Volume) -> Self {
        let Volume { registered, closed, answered, reopened, first_answer, solution, rated, scores } = volume;
        let mean = || (f64::from(scores) / f64::from(rated) * 100.0).round() / 100.0;
        Self {
            registered,
            closed,
            answered,
            reopened,
            first_answer: first_answer.into(),
            solution: solution.into(),
            rated,
            rating: (rated > 0).then(mean),
        }
    }
}

/// How the desk did; with `Accept: text/csv` the requests themselves
#[utoipa::path(get, path = "/api/v1/support/report", tag = "support", operation_id = "getDeskReport",
    params(("from" = Option<String>, Query, description = "registered since then; thirty days before `to` where left out"),
        ("to" = Option<String>, Query, description = "registered before then; now where left out")),
    responses((status = 200, content((ReportView = "application/json"), (String = "text/csv")))))]
pub async fn get(state: Data<HttpState>, who: Principal, request: HttpRequest) -> Result<HttpResponse, Problem> {
    require(&who, Right::WorkRequests)?;
    if !state.desk.is_desk(who.portal).await? {
        return Err(conflict("desk_elsewhere"));
    }
    let query = Query::read(&request, &["from", "to"])?;
    let time = |text: &str| DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc());
    let now = state.clock.now();
    let to = query.parsed("to", "time", time)?.unwrap_or(now);
    let from = query.parsed("from", "time", time)?.unwrap_or(to - TimeDelta::days(DAYS));
    let cases = state.desk.cases(who.portal, from.timestamp_millis(), to.timestamp_millis(), MOST).await?;
    if wanted(&request) {
        return Ok(table(&cases, from, to));
    }
    let mut report = Report::default();
    for (_, case) in &cases {
        report.count(case, now);
    }
    let ages = AGES.into_iter().map(Some).chain([None]);
    Ok(HttpResponse::Ok().json(ReportView {
        from,
        to,
        all: report.all.into(),
        kinds: report
            .kinds
            .into_iter()
            .map(|(kind, volume)| KindVolume { kind: kind.word().to_owned(), volume: volume.into() })
            .collect(),
        states: report
            .states
            .into_iter()
            .map(|(state, count)| StateCount { state: state.word().to_owned(), count })
            .collect(),
        times: report
            .times
            .into_iter()
            .map(|(state, (requests, sum))| StateTime {
                state: state.word().to_owned(),
                requests,
                minutes: sum.num_minutes() / i64::from(requests.max(1)),
            })
            .collect(),
        backlog: ages.zip(report.backlog).map(|(below_days, count)| AgeCount { below_days, count }).collect(),
        cut: cases.len() >= MOST,
    }))
}

/// What a promise came to, as a cell.
fn kept(reading: &Reading) -> &'static str {
    match (reading.breached, reading.standing) {
        (true, _) => "broken",
        (false, Standing::Stopped) => "kept",
        (false, _) => "open",
    }
}

fn table(cases: &[(RequestRow, Case)], from: DateTime<Utc>, to: DateTime<Utc>) -> HttpResponse {
    let mut text = format!(
        "{BOM}number,registered,kind,scope,priority,state,resolution,channel,assigned,first_answer,solution,deadline,disputes,rating\r\n"
    );
    for (row, case) in cases {
        let deadline = case.solution.deadline.map(|at| at.to_rfc3339()).unwrap_or_default();
        let cells = [
            row.number.to_string(),
            at(row.created_at).to_rfc3339(),
            row.kind.word().to_owned(),
            row.scope.word().to_owned(),
            row.priority.word().to_owned(),
            row.state.word().to_owned(),
            row.resolution.map(|resolution| resolution.word().to_owned()).unwrap_or_default(),
            row.channel.clone(),
            row.assigned.map(|user| user.to_string()).unwrap_or_default(),
            kept(&case.first_answer).to_owned(),
            kept(&case.solution).to_owned(),
            deadline,
            case.disputes.to_string(),
            case.rating.map(|rating| rating.score().to_string()).unwrap_or_default(),
        ];
        text.push_str(&cells.map(|text| cell(&text)).join(","));
        text.push_str("\r\n");
    }
    let name = format!("requests-{}-{}.csv", from.format("%Y%m%d"), to.format("%Y%m%d"));
    HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(text)
}
