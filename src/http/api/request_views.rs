//! Requests as the API tells them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::request_may::{ActionView, actions};
use super::time::at;
use crate::domain::support::Rating;
use crate::domain::support::clock::{Reading, Standing};
use crate::http::HttpState;
use crate::store::desk::files::FileRow;
use crate::store::desk::outbox::Channel;
use crate::store::desk::remotes::Remote;
use crate::store::desk::requests::RequestRow;
use crate::support::content::Content;
use crate::support::view::{Listed, Whole};
use crate::support::{Actor, Registered};

/// A request in a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Request)]
pub struct RequestView {
    #[schema(example = "FB-2026-000123")]
    pub number: String,
    /// `problem`, `incident`, `service`, `development`, `abuse`.
    pub kind: String,
    /// `user`, `department`, `hotel`.
    pub scope: String,
    /// `low`, `normal`, `high`, `critical`.
    pub priority: String,
    /// `registered`, `in_progress`, `waiting_for_customer`, `answered`, `completed`, `closed`.
    pub state: String,
    /// Of a closed one: `confirmed`, `withdrawn`, `policy`, `customer_gone`.
    pub resolution: Option<String>,
    /// Of a closed one: what the customer thinks of it, from 1 to 5; `null`: he did not say.
    pub rating: Option<u8>,
    /// The release that fixes it …
    #[schema(example = "0.3.0")]
    pub fixed_in: Option<String>,
    /// … and since when the customer's portal runs it; `null`: not yet.
    pub live_at: Option<DateTime<Utc>>,
    /// `app`, `form`, `mail`, `phone`, `crm_form`, `split`.
    pub channel: String,
    /// `null`: erased.
    pub subject: Option<String>,
    pub assigned_id: Option<i64>,
    pub parent: Option<String>,
    pub clocks: Vec<ClockView>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = RequestClock)]
pub struct ClockView {
    /// `first_answer`, `next_update`, `solution`.
    pub clock: String,
    /// `running`, `paused`, `stopped`.
    pub state: String,
    /// Working minutes, pauses left out.
    pub spent_minutes: i64,
    pub deadline: Option<DateTime<Utc>>,
    pub breached: bool,
}

/// A request with everything the caller may see of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RequestPage {
    #[serde(flatten)]
    pub request: RequestView,
    /// `null`: erased.
    pub content: Option<ContentView>,
    /// What it still lacks: `subject`, `description`, `picture`, `conditions`, `login`, `portal`.
    pub missing: Vec<String>,
    pub history: Vec<EntryView>,
    pub offers: Vec<OfferView>,
    /// The oldest first.
    pub files: Vec<FileView>,
    /// Its task, chat and card; told the desk only.
    pub remotes: Vec<RemoteView>,
    /// What the caller is here: `submitter`, `representative`, `operator`, `manager`.
    pub roles: Vec<String>,
    /// What the caller may do now.
    pub actions: Vec<ActionView>,
    /// What the customer's invoice covers; told the desk only.
    pub entitlement: String,
    /// Its description, cut where it can be split; told the desk only.
    pub sentences: Vec<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = RequestContent)]
pub struct ContentView {
    pub subject: String,
    pub description: String,
    pub conditions: String,
    pub login: String,
    pub portal: String,
    pub name: String,
    pub phone: String,
    pub email: String,
    pub app_version: String,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = RequestEntry)]
pub struct EntryView {
    pub place: u64,
    pub at: DateTime<Utc>,
    /// `action`, `message`, `file`, `state`, `clock`.
    pub kind: String,
    /// Not shown to the customer.
    pub internal: bool,
    /// `null`: erased.
    #[schema(value_type = Option<Object>)]
    pub content: Option<Value>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = RequestFile)]
pub struct FileView {
    pub id: i64,
    /// Empty: it cannot be read any more.
    pub name: String,
    /// What its own bytes say: `image/png`, `image/jpeg`, `image/webp`, `video/mp4`, `video/webm`, else
    /// `application/octet-stream`.
    pub mime: String,
    /// Bytes.
    pub length: u64,
    /// Of the desk.
    pub by_desk: bool,
    /// Not shown to the customer.
    pub internal: bool,
    pub at: DateTime<Utc>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = RequestOffer)]
pub struct OfferView {
    pub offer: i32,
    pub options: Vec<String>,
    pub offered_at: DateTime<Utc>,
    /// Place of the chosen one, from 0.
    pub chosen: Option<i32>,
    pub chosen_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = RequestRemote)]
pub struct RemoteView {
    /// `task`, `mirror`, `kaiten`.
    pub channel: String,
    /// `task`, `chat`, `card`.
    pub kind: String,
    pub id: String,
}

impl From<&Remote> for RemoteView {
    fn from(remote: &Remote) -> Self {
        let channel = remote.channel.word().to_owned();
        Self { channel, kind: remote.kind.clone(), id: remote.id.clone() }
    }
}

/// A request just registered.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RegisteredRequest {
    pub number: String,
    pub state: String,
    pub priority: String,
    pub missing: Vec<String>,
    /// The text seems to hold a second problem: one request is for one.
    pub second_problem: bool,
    /// Of a request taken by phone: its page for the customer, told this once.
    pub link: Option<String>,
}

impl ClockView {
    fn of((name, reading): &(&'static str, Reading)) -> Self {
        let state = match reading.standing {
            Standing::Running => "running",
            Standing::Paused => "paused",
            Standing::Stopped => "stopped",
        };
        Self {
            clock: (*name).to_owned(),
            state: state.to_owned(),
            spent_minutes: reading.spent.num_minutes(),
            deadline: reading.deadline,
            breached: reading.breached,
        }
    }
}

impl RequestView {
    pub fn of(row: &RequestRow, content: Option<&Content>, clocks: &[(&'static str, Reading)]) -> Self {
        Self {
            number: row.number.to_string(),
            kind: row.kind.word().to_owned(),
            scope: row.scope.word().to_owned(),
            priority: row.priority.word().to_owned(),
            state: row.state.word().to_owned(),
            resolution: row.resolution.map(|resolution| resolution.word().to_owned()),
            rating: row.rating.map(Rating::score),
            fixed_in: row.fixed_in.map(|release| release.to_string()),
            live_at: row.live_at.map(at),
            channel: row.channel.clone(),
            subject: content.map(|content| content.subject.clone()),
            assigned_id: row.assigned,
            parent: row.parent.map(|parent| parent.to_string()),
            clocks: clocks.iter().map(ClockView::of).collect(),
            created_at: at(row.created_at),
            updated_at: at(row.updated_at),
        }
    }

    pub fn listed(listed: &Listed) -> Self {
        Self::of(&listed.row, listed.content.as_ref(), &listed.clocks)
    }
}

impl RequestPage {
    pub fn of(who: &Actor, whole: Whole) -> Self {
        let word = |role: &crate::domain::support::Role| {
            serde_json::to_value(role).ok().and_then(|word| word.as_str().map(str::to_owned))
        };
        let sentences = whole.content.as_ref().filter(|_| who.is_desk()).map(crate::support::Desk::sentences);
        Self {
            actions: actions(who, &whole),
            request: RequestView::of(&whole.row, whole.content.as_ref(), &whole.clocks),
            content: whole.content.map(|content| ContentView {
                subject: content.subject,
                description: content.description,
                conditions: content.conditions,
                login: content.login,
                portal: content.portal,
                name: content.name,
                phone: content.phone,
                email: content.email,
                app_version: whole.row.app_version.clone(),
            }),
            missing: whole.missing.iter().map(|item| item.word().to_owned()).collect(),
            history: whole
                .history
                .into_iter()
                .map(|told| EntryView {
                    place: told.place,
                    at: told.at,
                    kind: told.kind.to_owned(),
                    internal: told.internal,
                    content: told.content,
                })
                .collect(),
            offers: whole
                .offers
                .into_iter()
                .map(|offer| OfferView {
                    offer: offer.offer,
                    options: offer.options,
                    offered_at: at(offer.offered_at),
                    chosen: offer.chosen,
                    chosen_at: offer.chosen_at.map(at),
                })
                .collect(),
            files: whole.files.into_iter().map(FileView::of).collect(),
            remotes: whole
                .remotes
                .into_iter()
                .filter(|remote| matches!(remote.channel, Channel::Task | Channel::Mirror | Channel::Kaiten))
                .map(|remote| RemoteView::from(&remote))
                .collect(),
            roles: who.roles.iter().filter_map(word).collect(),
            entitlement: whole.entitlement,
            sentences: sentences.unwrap_or_default(),
        }
    }
}

impl FileView {
    fn of(file: FileRow) -> Self {
        Self {
            id: file.id,
            name: file.name,
            mime: file.mime,
            length: file.length,
            by_desk: file.by_desk,
            internal: file.internal,
            at: at(file.created_at),
        }
    }
}

impl RegisteredRequest {
    pub fn of(state: &HttpState, made: &Registered, missing: Vec<String>, second_problem: bool) -> Self {
        Self {
            number: made.row.number.to_string(),
            state: made.row.state.word().to_owned(),
            priority: made.row.priority.word().to_owned(),
            missing,
            second_problem,
            link: made.secret.as_ref().map(|secret| state.desk.link_url(secret)),
        }
    }
}
