//! A tenant's life: verified, installed, set up, working, suspended, healed, uninstalled, erased.
//!
//! Nothing that a frame or an event carries is believed before the pinned OAuth host confirmed it (product §7, §9).

pub mod allowance;
mod clients;
mod currencies;
mod directory;
mod ensure;
mod error;
mod events;
mod gate;
mod install;
pub mod installation;
mod late;
mod lifecycle;
mod makers;
mod reading;
pub mod roles;
pub mod settings;
mod status;
mod tokens;
mod turns;
mod uninstall;
mod users;
mod verify;

pub use directory::{Directory, Parts, Portal};
pub use ensure::plan;
pub use error::{PortalError, Untrusted};
pub use events::is_about_the_app;
pub use gate::Admitted;
pub use install::Opened;
pub use installation::{Installation, InstallationState, Lack, Step, StepState};
pub use lifecycle::Lifecycle;
pub use makers::Maker;
pub use reading::Reader;
pub use roles::{Assignment, Grant, Role};
pub use settings::{MultifieldMode, OwnerRule, Pipeline, PortalSettings};
pub use status::PortalStatus;
pub use users::Employee;
pub use verify::{Presented, Verified};

use crate::domain::Lang;

/// What a release makes of a portal: portals set up by another one are looked over again.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The same for the support portal, where more is set up.
pub const DESK_VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "+desk");

/// `status_detail` of a portal whose admin decided that this server works for it.
const TAKE_OVER: &str = "take_over";

/// The language a new portal is kept in.
fn language(code: &str) -> &'static str {
    Lang::of_portal(code).word()
}
