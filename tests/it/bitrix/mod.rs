//! The Bitrix24 room.

mod client;
mod listing;
mod redirect;
mod scripted;
mod store;
