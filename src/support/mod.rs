//! The support desk at work: what comes in becomes a request with a number at once, what people do moves it, and each step is
//! one transaction of row, history and what leaves for tasks, cards and people.

pub mod act;
mod attach;
pub mod cards;
pub mod content;
pub mod deliver;
pub mod erase;
pub mod forms;
mod gate;
mod hear;
mod ledger;
mod letter_files;
pub mod letters;
mod links;
pub mod listen;
pub mod mailbox;
pub mod mask;
pub mod outgoing;
mod register;
mod releases;
pub mod settings;
mod silence;
mod split;
mod step;
mod terms;
pub mod view;
mod watch;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeZone, Utc};

use crate::clock::Clock;
use crate::config::calendars;
use crate::config::{self, Config};
use crate::crypto::{Keyring, TenantKey};
use crate::domain::PortalId;
use crate::domain::support::life::Refusal;
use crate::domain::support::{Holidays, RequestNumber, Role};
use crate::files::{FileError, Settings, Store};
use crate::portal::{Directory, Portal, PortalError};
use crate::store::desk::outbox::Channel;
use crate::store::desk::remotes;
use crate::store::desk::requests::{self, RequestRow};
use crate::store::{Db, StoreError};

pub use attach::{Granted, Upload, file_name};
pub use gate::Gate;
pub use links::Opened;
pub use register::{Evidence, Registered, Submission};
pub use watch::Watch;

/// Why the desk did not do it.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Portal(#[from] PortalError),
    #[error("no such request")]
    NotFound,
    /// Nobody in this role may.
    #[error("not for this role")]
    Forbidden,
    /// The request's life does not allow it.
    #[error("refused: {0:?}")]
    Refused(Refusal),
    /// Its present state does not, for a reason with a stable word.
    #[error("conflict: {0}")]
    Conflict(&'static str),
    /// One member of what was said cannot be taken: its pointer, and a stable word.
    #[error("{0}: {1}")]
    Invalid(String, &'static str),
    /// So much came from there already; seconds to wait.
    #[error("too often")]
    TooMany(u32),
    /// Public channels are closed.
    #[error("no support portal")]
    Closed,
    #[error(transparent)]
    File(#[from] FileError),
}

impl From<Refusal> for DeskError {
    fn from(refusal: Refusal) -> Self {
        if refusal == Refusal::NotForThisRole { Self::Forbidden } else { Self::Refused(refusal) }
    }
}

/// Who acts on a request, and as what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Actor {
    pub roles: BTreeSet<Role>,
    /// User of the portal from which he acts; none behind a link.
    pub user: Option<i64>,
    /// Whence it came, where that was a task or card: it is not told there again.
    pub via: Option<Channel>,
}

impl Actor {
    /// The same person as the desk alone, whatever else he is.
    pub fn at_the_desk(&self) -> Self {
        let roles = self.roles.iter().copied().filter(|role| role.is_desk()).collect();
        Self { roles, ..self.clone() }
    }

    pub fn is_desk(&self) -> bool {
        self.roles.contains(&Role::Operator) || self.roles.contains(&Role::Manager)
    }

    pub fn is_customer(&self) -> bool {
        self.roles.contains(&Role::Submitter) || self.roles.contains(&Role::Representative)
    }
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Desk(Arc<Inner>);

struct Inner {
    db: Db,
    config: Arc<Config>,
    keyring: Arc<Keyring>,
    clock: Clock,
    directory: Directory,
    holidays: Holidays,
    /// Else why there is none: `storage.*` of the settings.
    files: Result<Store, &'static str>,
    /// Numbers of a year that this process took and has not given out yet.
    numbers: Mutex<(u16, std::ops::RangeInclusive<u32>)>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Desk")
    }
}

impl Desk {
    pub fn new(db: Db, config: Arc<Config>, keyring: Arc<Keyring>, clock: Clock, directory: Directory) -> Self {
        let holidays = calendars::russia().unwrap_or_else(|error| {
            tracing::error!(%error, "the calendars of this release cannot be read: no holiday is known");
            Holidays::default()
        });
        let numbers = Mutex::new((0, register::NO_NUMBERS));
        let files = open_store(&config.storage);
        Self(Arc::new(Inner { db, config, keyring, clock, directory, holidays, files, numbers }))
    }

    fn db(&self) -> &Db {
        &self.0.db
    }

    fn now(&self) -> i64 {
        self.0.clock.now_ms()
    }

    fn moment(&self) -> DateTime<Utc> {
        at(self.now())
    }

    /// The portal of the settings, whatever its state: what is meant for it waits for it.
    async fn named_portal(&self) -> Result<Option<Portal>, DeskError> {
        let Some(member) = self.0.config.support.named() else { return Ok(None) };
        self.0.directory.by_member(member).await?.map(Some).ok_or(DeskError::Closed)
    }

    /// The desk of the settings, if its portal is installed and open: public channels need it now.
    pub async fn support_portal(&self) -> Result<Option<PortalId>, DeskError> {
        Ok(self.named_portal().await?.filter(|portal| portal.status.open()).map(|portal| portal.id))
    }

    /// Where requests about this portal become tasks (decision 6): the support portal, else the portal itself.
    /// [`DeskError::Closed`] where one is named that never installed the application.
    pub async fn desk_of(&self, customer: PortalId) -> Result<PortalId, DeskError> {
        Ok(self.named_portal().await?.map_or(customer, |portal| portal.id))
    }

    /// Whether this portal's people work requests: those of the support portal, or everybody's own where none is named.
    pub async fn is_desk(&self, portal: PortalId) -> Result<bool, DeskError> {
        match self.desk_of(portal).await {
            Ok(desk) => Ok(desk == portal),
            Err(DeskError::Closed) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The request key of a portal, made at first use.
    async fn key(&self, portal: PortalId) -> Result<TenantKey, StoreError> {
        self.0.directory.request_key(portal).await
    }

    /// The same for reading: none where it was destroyed.
    async fn key_if_any(&self, portal: PortalId) -> Result<Option<TenantKey>, StoreError> {
        match self.key(portal).await {
            Ok(key) => Ok(Some(key)),
            Err(StoreError::KeyDestroyed) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A request as this portal's people may find it: their desk's, or one about their portal.
    pub async fn find(&self, portal: PortalId, number: RequestNumber) -> Result<RequestRow, DeskError> {
        if let Some(row) = requests::of_desk(self.db(), portal, number).await? {
            return Ok(row);
        }
        requests::of_customer(self.db(), portal, number).await?.ok_or(DeskError::NotFound)
    }

    /// The request that a task of this portal stands for.
    pub async fn of_task(&self, portal: PortalId, task: i64) -> Result<Option<RequestNumber>, DeskError> {
        for channel in [Channel::Task, Channel::Mirror] {
            let found = remotes::request_of(self.db(), channel, portal, "task", &task.to_string()).await?;
            if let Some((desk, id)) = found {
                return Ok(requests::by_id(self.db(), desk, id).await?.map(|row| row.number));
            }
        }
        Ok(None)
    }
}

/// Where files lie.
pub fn open_files(storage: &config::Storage) -> Result<Store, FileError> {
    Store::open(&Settings {
        url: &storage.url,
        endpoint: &storage.endpoint,
        region: &storage.region,
        access_key: &storage.access_key,
        secret_key: &storage.secret_key,
    })
}

fn open_store(storage: &config::Storage) -> Result<Store, &'static str> {
    open_files(storage).map_err(|error| match error {
        FileError::Settings(text) => text,
        _ => "cannot be opened",
    })
}

/// A stored moment.
pub fn at(ms: i64) -> DateTime<Utc> {
    Utc.timestamp_millis_opt(ms).single().unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
