//! Wiring: builds the rooms from settings, starts and stops them, and the command line around it.

pub mod cli;
pub mod doctor;
mod portals;
pub mod serve;
mod sources;
