//! Whether the portal tells of what changes in it, as the status shows it.

use serde::Serialize;
use utoipa::ToSchema;

use super::status::Light;
use crate::domain::PortalId;
use crate::domain::event_loss::EventLoss;
use crate::store::event_feed::EventFeed;
use crate::store::{Db, StoreError, event_feed, found_changes};

/// Changes of people and robots of the last day (the newest hundred), found without waiting for the portal's events.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct EventsLight {
    /// The portal also keeps what changed in a queue for us; else it is found by looking every few minutes.
    pub queue: bool,
    pub changes: i64,
    /// Those that no event told of within five minutes. They come minutes later; none is lost.
    pub missed: i64,
    /// Grey while nothing changed, yellow when the portal is to be looked after.
    pub light: Light,
}

impl EventsLight {
    pub async fn of(db: &Db, portal: PortalId, now: i64) -> Result<Self, StoreError> {
        let feed = event_feed::of_portal(db, portal).await?;
        Ok(Self::new(feed, found_changes::loss(db, portal, now).await?))
    }

    fn new(feed: Option<EventFeed>, loss: EventLoss) -> Self {
        let light = match loss {
            EventLoss { changes: 0, .. } => Light::Grey,
            loss if loss.is_grave() => Light::Yellow,
            _ => Light::Green,
        };
        Self { queue: feed.is_some_and(|feed| feed.queue), changes: loss.changes, missed: loss.missed, light }
    }
}
