//! REST: from an HTTP request to a method and back.

pub mod auth;
pub mod batch;
pub mod call;
pub mod commands;
pub mod incoming;
pub mod late;
pub mod methods;
pub mod perform;
pub mod v3;
