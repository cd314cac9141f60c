//! Wiring: builds the rooms from settings, starts and stops them, and the command line around it.

pub mod cli;
pub mod doctor;
pub mod portals;
pub mod serve;
pub mod sources;
