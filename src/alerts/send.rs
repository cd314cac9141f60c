//! Notices on their way: tried by a schedule, given up after it.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::json;

use super::texts::words;
use super::{Alerts, Notice, To};
use crate::bitrix::{Call, Class, Priority};
use crate::domain::PortalId;
use crate::mail::{self, Letter, MailError};
use crate::portal::PortalError;
use crate::store::StoreError;
use crate::store::alerts::{self, NoticeRow};
use crate::store::leases::Lease;

/// Seconds until the next try; who could not be reached after the last one is not told any more.
const RETRY_SECONDS: [i64; 5] = [60, 300, 1_800, 7_200, 21_600];
/// Notices of one look: the others come with the next.
const AT_A_LOOK: i64 = 64;
/// People told at once.
const AT_ONCE: usize = 16;
/// A try that takes longer is given up for now: well within the lease.
const PATIENCE: Duration = Duration::from_secs(45);

/// How a try ended.
enum Tried {
    Arrived,
    Again(String),
    Never(String),
}

impl Alerts {
    /// Many people at once: a portal or a mail server that hangs holds up its own. To one person the words come in order.
    pub(super) async fn send(&self, lease: &Lease) -> Result<usize, StoreError> {
        let mut people: BTreeMap<(PortalId, String), Vec<(NoticeRow, Notice)>> = BTreeMap::new();
        for row in alerts::due(self.db(), self.clock.now_ms(), AT_A_LOOK).await? {
            match self.read(&row).await {
                Ok(Some(notice)) => {
                    let person = format!("{:?}", notice.to);
                    people.entry((row.portal, person)).or_default().push((row, notice));
                }
                Ok(None) => alerts::done(self.db(), row.portal, row.id).await?,
                Err(error) if error.is_transient() => return Err(error),
                Err(error) => {
                    tracing::error!(portal = %row.portal, notice = row.id, %error, "a notice cannot be read");
                    alerts::done(self.db(), row.portal, row.id).await?;
                }
            }
        }
        let told = people.into_values().map(|notices| self.tell_one(lease, notices));
        let told: Vec<Result<usize, StoreError>> = stream::iter(told).buffer_unordered(AT_ONCE).collect().await;
        told.into_iter().sum()
    }

    /// `None`: the tenant's key was destroyed, and what was to be said with it.
    async fn read(&self, row: &NoticeRow) -> Result<Option<Notice>, StoreError> {
        match self.directory.key(row.portal).await {
            Err(StoreError::KeyDestroyed) => Ok(None),
            key => row.open(&key?).map(Some),
        }
    }

    async fn tell_one(&self, lease: &Lease, notices: Vec<(NoticeRow, Notice)>) -> Result<usize, StoreError> {
        let mut arrived = 0;
        for (row, notice) in notices {
            // Renewed before each: a server that hangs must not let two nodes say the same.
            match self.lease().await? {
                Some(renewed) if renewed.fence == lease.fence => {}
                _ => break,
            }
            self.pulse.beat();
            let told = async {
                match &notice.to {
                    To::Mail(address) => Ok(self.mail(&row, address, &notice).await),
                    To::User(user) => self.tell(row.portal, *user, &notice).await,
                }
            };
            let tried = match tokio::time::timeout(PATIENCE, told).await {
                Ok(tried) => tried?,
                Err(_) => Tried::Again("no answer in time".to_owned()),
            };
            match tried {
                Tried::Arrived => {
                    arrived += 1;
                    alerts::done(self.db(), row.portal, row.id).await?;
                }
                // What comes after it waits for it.
                Tried::Again(reason) => {
                    self.put_off(&row, &reason).await?;
                    break;
                }
                Tried::Never(reason) => {
                    tracing::warn!(portal = %row.portal, kind = notice.kind.word(), reason, "somebody cannot be told");
                    alerts::done(self.db(), row.portal, row.id).await?;
                }
            }
        }
        Ok(arrived)
    }

    async fn put_off(&self, row: &NoticeRow, reason: &str) -> Result<(), StoreError> {
        match usize::try_from(row.attempts).ok().and_then(|tries| RETRY_SECONDS.get(tries)) {
            Some(seconds) => {
                tracing::info!(portal = %row.portal, reason, seconds, "somebody is told later");
                alerts::again(self.db(), row.portal, row.id, self.clock.now_ms() + seconds * 1_000).await
            }
            None => {
                tracing::warn!(portal = %row.portal, reason, "somebody could not be told in time");
                alerts::done(self.db(), row.portal, row.id).await
            }
        }
    }

    async fn mail(&self, row: &NoticeRow, address: &str, notice: &Notice) -> Tried {
        let Some(mailer) = &self.mailer else { return Tried::Never("no mail server is set".to_owned()) };
        let Some(to) = mail::address(address) else { return Tried::Never("no address".to_owned()) };
        let words = words(notice);
        let text = format!("{}\n\n{}", words.text, words.footer);
        let letter = Letter { id: format!("fb24-notice-{}", row.id), to, subject: words.title, text, thread: None };
        match mailer.send(&letter).await {
            Ok(()) => Tried::Arrived,
            Err(error @ (MailError::Later(_) | MailError::Away)) => Tried::Again(error.to_string()),
            Err(error) => Tried::Never(error.to_string()),
        }
    }

    /// A notice of the same tag takes the place of the one before it: a try whose answer was lost is repeated without
    /// harm, and the all-clear stands where the alert stood.
    async fn tell(&self, portal: PortalId, user: i64, notice: &Notice) -> Result<Tried, StoreError> {
        let client = match self.directory.client(portal).await {
            Ok(client) => client,
            Err(PortalError::Store(error)) => return Err(error),
            Err(error) => return Ok(Tried::Again(error.to_string())),
        };
        let words = words(notice);
        let hotel = notice.hotel.as_ref().map_or(0, |hotel| hotel.id.0);
        let params = json!({
            "USER_ID": user,
            "MESSAGE": format!("[b]{}[/b]\n{}", plain(&words.title), plain(&words.text)),
            "TAG": format!("FB24|{}|{hotel}", notice.kind.word()),
        });
        Ok(match client.call(Priority::Live, &Call::new("im.notify.system.add", params)).await {
            Ok(_) => Tried::Arrived,
            Err(error) if error.class == Class::Permanent => Tried::Never(error.to_string()),
            Err(error) => Tried::Again(error.to_string()),
        })
    }
}

/// The portal reads BB codes in a message; a hotel's name is none.
fn plain(text: &str) -> String {
    text.replace('[', "(").replace(']', ")")
}
