//! A tenant's life: verified, installed, set up, working, suspended, healed, uninstalled, erased.
//!
//! Nothing that a frame or an event carries is believed before the pinned OAuth host confirmed it (product §7, §9).

pub mod allowance;
mod directory;
mod error;
pub mod installation;
pub mod pinned;
pub mod roles;
pub mod settings;
mod status;

pub use directory::{Directory, Parts, Portal};
pub use error::PortalError;
pub use installation::{Installation, InstallationState, Lack, Step, StepState};
pub use pinned::{AppInfo, OAuthHosts, TokenPair};
pub use roles::{Assignment, Grant, Role};
pub use settings::{MultifieldMode, OwnerRule, Pipeline, PortalSettings};
pub use status::PortalStatus;
