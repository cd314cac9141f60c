//! Connects the hotel PMS Fidelio Suite 8 with Bitrix24 CRM. `ARCHITECTURE.md` is the map of the rooms.

pub mod alerts;
pub mod app;
pub mod bitrix;
pub mod clock;
pub mod config;
pub mod domain;
pub mod fidelio;
pub mod files;
pub mod http;
pub mod kaiten;
pub mod mail;
pub mod net;
pub mod portal;
pub mod store;
pub mod support;
pub mod sync;
pub mod telemetry;

pub use fb24_crypto as crypto;
