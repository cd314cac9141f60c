//! Shared with the integration tests: the real binary, and an admin in front of it.

#![allow(dead_code)]

#[path = "../it/support/process.rs"]
pub mod process;
#[path = "../it/support/world.rs"]
pub mod world;
