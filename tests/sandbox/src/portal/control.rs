//! JSON control API under `/_sandbox/portal/` for pages and browser tests.

use actix_web::web;

/// Routes.
pub fn configure(_config: &mut web::ServiceConfig) {}
