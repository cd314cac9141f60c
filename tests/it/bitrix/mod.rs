//! The Bitrix24 room.

mod client;
mod listing;
pub mod portal;
mod redirect;
pub mod scripted;
mod store;
mod talk;
mod tasks;
pub mod tls;
