//! Where a portal stands, and whether it is worked for.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortalStatus {
    /// Known, nothing set up yet.
    New,
    /// Fields, pipeline, placements and events are being made.
    Ensuring,
    Active,
    /// The stored pair is dead: any admin who opens the app brings a new one.
    NeedsAuth,
    /// The app's payment or the portal's plan has run out; the data waits.
    Suspended,
    /// Another server of ours works for this portal.
    Foreign,
    /// An uninstall event came and is being proven.
    Uninstalling,
    /// Uninstalled without `CLEAN`: kept sealed for a while.
    Uninstalled,
    /// The portal answers that the app, or the portal itself, is no more.
    Gone,
}

impl PortalStatus {
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Ensuring => "ensuring",
            Self::Active => "active",
            Self::NeedsAuth => "needs_auth",
            Self::Suspended => "suspended",
            Self::Foreign => "foreign",
            Self::Uninstalling => "uninstalling",
            Self::Uninstalled => "uninstalled",
            Self::Gone => "gone",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        [
            Self::New,
            Self::Ensuring,
            Self::Active,
            Self::NeedsAuth,
            Self::Suspended,
            Self::Foreign,
            Self::Uninstalling,
            Self::Uninstalled,
            Self::Gone,
        ]
        .into_iter()
        .find(|status| status.word() == word)
    }

    /// Whether people may look at what we hold: an uninstalled app shows nothing.
    pub fn open(self) -> bool {
        !matches!(self, Self::Uninstalling | Self::Uninstalled | Self::Gone)
    }

    /// Whether the portal may be called with the system pair.
    pub fn callable(self) -> bool {
        matches!(self, Self::New | Self::Ensuring | Self::Active)
    }
}
