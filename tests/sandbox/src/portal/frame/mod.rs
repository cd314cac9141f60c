//! The portal's pages around the app's frame.

use actix_web::web;

/// Routes.
pub fn configure(_config: &mut web::ServiceConfig) {}
