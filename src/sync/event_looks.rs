//! Events → looks at records: which of them are worth one.

use std::collections::HashSet;

use super::chunk::Chunk;
use super::decide::RANK_REREAD;
use super::events::CrmEvent;
use super::owned::portal_time;
use crate::domain::{CrmEntity, Subject};
use crate::store::crm_records::RecordRow;
use crate::store::inbox::{InboxKind, InboxRow};
use crate::store::outbox::{Intent, NewIntent};
use crate::store::{StoreError, Tx, crm_records, links};

/// Our own writes come back as events: a short wait lets a burst of them become one look.
const EVENT_PAUSE_MS: i64 = 2_000;

impl Chunk<'_> {
    pub(super) async fn event_intents(&self, tx: &Tx) -> Result<Vec<NewIntent>, StoreError> {
        let mut intents = Vec::new();
        for entity in CrmEntity::ALL {
            let events: Vec<&(InboxRow, CrmEvent)> =
                self.events.iter().filter(|(_, event)| event.entity == entity.type_id()).collect();
            let ids: Vec<i64> = events.iter().map(|(_, event)| event.crm_id).collect();
            let linked: HashSet<i64> =
                links::of_records(tx, self.portal, entity, &ids).await?.into_iter().map(|link| link.crm_id).collect();
            let records = crm_records::load(tx, self.portal, self.key, entity, &ids).await?;
            for (row, event) in events {
                let gone = event.is_deletion();
                let at = event.ts.saturating_mul(1_000);
                let known = |record: &RecordRow| match row.kind {
                    // Nothing of ours, and perhaps looked at since for another reason; within a second nobody can tell.
                    InboxKind::Found => portal_time(&record.updated_time).is_some_and(|updated| updated > at),
                    _ => at <= record.synced_at,
                };
                let echo = !gone && records.get(&event.crm_id).is_some_and(known);
                // What is not ours is the delta scan's; what we wrote ourselves a moment ago needs no second look.
                if gone || (linked.contains(&event.crm_id) && !echo) {
                    intents.push(NewIntent {
                        subject: Subject::Crm(entity, event.crm_id).to_string(),
                        intent: Intent::Reread,
                        priority: row.priority,
                        rank: RANK_REREAD,
                        not_before: self.now + EVENT_PAUSE_MS,
                        seen_at: row.received_at,
                    });
                }
            }
        }
        Ok(intents)
    }
}
