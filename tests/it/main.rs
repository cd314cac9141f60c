//! Every integration test, linked once. Tests drive the real product over real sockets; `support` boots its parts.

mod api_access;
mod api_hotels;
mod api_input;
mod api_openapi;
mod api_store;
mod api_views;
mod bitrix;
mod end_to_end;
mod kill;
mod layers;
mod portal;
mod store;
mod suite8;
mod support;
mod sync;
