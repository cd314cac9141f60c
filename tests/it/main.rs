//! Every integration test, linked once. Tests drive the real product over real sockets; `support` boots its parts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    clippy::large_futures,
    clippy::print_stdout,
    reason = "a test that cannot go on panics"
)]

/// As in the program itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod alerts;
mod api_access;
mod api_attach;
mod api_guests;
mod api_hotels;
mod api_input;
mod api_mapping;
mod api_openapi;
mod api_reconciliations;
mod api_sources;
mod api_store;
mod api_texts;
mod api_views;
mod assets;
mod big_import;
mod bitrix;
mod cards;
mod chaos;
mod desk;
mod echo;
mod end_to_end;
mod files;
mod final_state;
mod kill;
mod layers;
mod loops;
mod lost_events;
mod operations;
mod portal;
mod soak;
mod stop;
mod store;
mod suite8;
mod support;
mod sync;
mod takeover;
mod task_delivery;
mod task_words;
