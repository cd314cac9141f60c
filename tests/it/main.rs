//! Every integration test, linked once. Tests drive the real product over real sockets; `support` boots its parts.

mod store;
mod support;
