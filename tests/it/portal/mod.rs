//! The life of an installation (issue: `portal/`; product §7, §8), against an emulated portal.

mod authority;
mod ensure;
mod events;
mod forged;
mod install;
mod keys;
mod late;
mod settings;
mod states;
mod uninstall;
