//! The life of an installation (issue: `portal/`; product §7, §8), against an emulated portal.

mod ensure;
mod events;
mod forged;
mod install;
mod states;
mod uninstall;
