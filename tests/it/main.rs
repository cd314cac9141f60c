//! Every integration test, linked once. Tests drive the real product over real sockets; `support` boots its parts.

mod api_store;
mod bitrix_store;
mod layers;
mod store;
mod support;
