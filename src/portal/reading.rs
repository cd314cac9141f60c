//! What the portal lets a user read, by his own token (product §7): asked once in a session.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use secrecy::SecretString;
use serde_json::json;

use super::{Directory, PortalError};
use crate::bitrix::crm::{self, Entity};
use crate::bitrix::{Class, PAGE, Priority, de};
use crate::domain::PortalId;

/// Answers kept at once; a session's few records are asked again when there are more.
const KEPT: usize = 20_000;

/// Session, kind, record.
type Asked = (u64, Entity, i64);

/// May he, and until when the answer counts.
#[derive(Default)]
pub(super) struct Readings(Mutex<HashMap<Asked, (bool, i64)>>);

/// Somebody with a token of his own.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    pub session: u64,
    pub access: &'a SecretString,
    /// The end of his session.
    pub until: i64,
}

impl Readings {
    fn get(&self, session: u64, entity: Entity, id: i64, now: i64) -> Option<bool> {
        let readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        readings.get(&(session, entity, id)).filter(|(_, until)| *until > now).map(|(may, _)| *may)
    }

    fn put(&self, session: u64, entity: Entity, told: &[(i64, bool)], until: i64, now: i64) {
        let mut readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if readings.len() + told.len() > KEPT {
            readings.retain(|_, (_, until)| *until > now);
        }
        for (id, may) in told {
            if readings.len() < KEPT {
                readings.insert((session, entity, *id), (*may, until));
            }
        }
    }
}

impl Directory {
    /// Which of these records the portal lets this user read; at most a page of them is asked for at once.
    pub async fn user_reads(
        &self,
        portal: PortalId,
        reader: Reader<'_>,
        entity: Entity,
        ids: &[i64],
    ) -> Result<BTreeSet<i64>, PortalError> {
        let now = self.now();
        let known = |id: &i64| self.0.readings.get(reader.session, entity, *id, now);
        let mut readable: BTreeSet<i64> = ids.iter().copied().filter(|id| known(id) == Some(true)).collect();
        let unknown: Vec<i64> = ids.iter().copied().filter(|id| known(id).is_none()).collect();
        for some in unknown.chunks(PAGE) {
            let client = self.client_as(portal, reader.access.clone()).await?;
            let find = crm::item_find(entity, &["id"], json!({"@id": some}));
            let there: BTreeSet<i64> = match client.call(Priority::Person, &find).await {
                Ok(answer) => crm::items_of(&answer).into_iter().filter_map(|item| de::id(item.get("id")?)).collect(),
                // No right, an extranet user: it is not his to see, whichever it is.
                Err(error) if error.class == Class::Permanent => BTreeSet::new(),
                Err(error) if error.class == Class::Reauthorise => {
                    return Err(PortalError::Unverified("the user's token has ended"));
                }
                Err(error) => return Err(error.into()),
            };
            let told: Vec<(i64, bool)> = some.iter().map(|id| (*id, there.contains(id))).collect();
            readable.extend(told.iter().filter(|(_, may)| *may).map(|(id, _)| *id));
            self.0.readings.put(reader.session, entity, &told, reader.until, now);
        }
        Ok(readable)
    }
}
