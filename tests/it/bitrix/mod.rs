//! The Bitrix24 room.

mod client;
mod listing;
mod portal;
mod redirect;
mod scripted;
mod store;
