//! Shared with the integration tests: the real binary, and an admin in front of it.

#![allow(dead_code)]

#[path = "../it/support/crash.rs"]
pub mod crash;
#[path = "../it/support/load.rs"]
pub mod load;
#[path = "../it/support/process.rs"]
pub mod process;
#[path = "../it/support/still.rs"]
pub mod still;
#[path = "../it/support/truth.rs"]
pub mod truth;
#[path = "../it/support/wants.rs"]
pub mod wants;
#[path = "../it/support/world.rs"]
pub mod world;
