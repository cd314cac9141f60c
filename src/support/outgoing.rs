//! What leaves a request, as it stands sealed in the outbox: the agreement between the desk and its deliverers.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::PortalId;
use crate::domain::support::life::Resolution;
use crate::domain::support::{Kind, Priority, RequestNumber, Scope, State};
use crate::store::StoreError;
use crate::store::desk::outbox::{Channel, Kind as RowKind, NewRow};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Outgoing {
    Open(Box<Task>),
    State {
        state: State,
        resolution: Option<Resolution>,
        /// Of a dispute or a withdrawal.
        reason: Option<String>,
        deadline: Option<DateTime<Utc>>,
    },
    Say {
        from: Side,
        text: String,
        /// Of the desk among itself: never told the customer.
        internal: bool,
    },
    /// It can be read on the request's page.
    File {
        from: Side,
        name: String,
        /// Bytes.
        length: u64,
        internal: bool,
    },
    Deadline {
        deadline: Option<DateTime<Utc>>,
    },
    Assign {
        responsible: Option<i64>,
    },
    /// Told the desk among itself, in its task.
    Note {
        about: News,
        /// In which times are told.
        zone: String,
    },
    Tell(Tell),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    Customer,
    Desk,
}

/// The task or card as it is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// With the number in front, by which it is looked up.
    pub title: String,
    pub kind: Kind,
    pub scope: Scope,
    pub priority: Priority,
    /// Of the solution.
    pub deadline: Option<DateTime<Utc>>,
    /// User of the support portal.
    pub responsible: Option<i64>,
    pub channel: String,
    pub app_version: String,
    /// Domain of the customer's portal.
    pub customer: Option<String>,
    pub parent: Option<RequestNumber>,
    pub description: String,
    pub conditions: String,
    pub login: String,
    pub portal: String,
    pub name: String,
    pub phone: String,
    pub email: String,
}

/// A person is told, in his language; put into words when it is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tell {
    /// User of the portal that is the row's target.
    pub user: Option<i64>,
    /// Mail address.
    pub email: Option<String>,
    /// `ru` or `en`.
    pub lang: String,
    /// Of the request.
    #[serde(default)]
    pub subject: String,
    /// Id of the letter that the request came by.
    #[serde(default)]
    pub letter: String,
    pub news: News,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "news", rename_all = "snake_case")]
pub enum News {
    Registered {
        link: Option<String>,
    },
    Said {
        text: String,
        /// Where the request went by it.
        #[serde(default)]
        moved: Option<State>,
    },
    Moved {
        state: State,
    },
    /// It is the customer's turn for days: then it is closed if he says nothing.
    Reminder {
        state: State,
        closes_at: DateTime<Utc>,
    },
    /// Which release fixes it.
    Fixed {
        release: String,
    },
    /// The release that fixes it runs on the customer's portal.
    Live {
        release: String,
    },
    /// A clock is about to run out, or has.
    Clock {
        clock: String,
        deadline: DateTime<Utc>,
        breached: bool,
    },
    /// Nobody of the queues has room.
    Overflow,
    /// The task was deleted; the request goes on without it.
    TaskGone,
}

impl Outgoing {
    fn kind(&self) -> RowKind {
        match self {
            Self::Open(_) => RowKind::Open,
            Self::State { .. } => RowKind::State,
            Self::Say { .. } | Self::File { .. } | Self::Note { .. } => RowKind::Say,
            Self::Deadline { .. } => RowKind::Deadline,
            Self::Assign { .. } => RowKind::Assign,
            Self::Tell(_) => RowKind::Tell,
        }
    }

    pub fn row(&self, channel: Channel, target: PortalId) -> Result<NewRow, StoreError> {
        let payload = serde_json::to_vec(self).map_err(|_| StoreError::Corrupt("desk_outbox.payload_sealed"))?;
        Ok(NewRow { channel, target, kind: self.kind(), payload })
    }

    pub fn read(payload: &[u8]) -> Result<Self, StoreError> {
        serde_json::from_slice(payload).map_err(|_| StoreError::Corrupt("desk_outbox.payload_sealed"))
    }

    /// Whether a customer may see it in a task of his own portal.
    pub fn is_internal(&self) -> bool {
        matches!(
            self,
            Self::Say { internal: true, .. }
                | Self::File { internal: true, .. }
                | Self::Note { .. }
                | Self::Assign { .. }
        )
    }
}
