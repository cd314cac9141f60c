//! Portals whose imports have nothing to do before a moment: what waits needs a method whose limit is used up.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::domain::PortalId;

#[derive(Debug, Default)]
pub(super) struct Lulls(Mutex<HashMap<PortalId, i64>>);

impl Lulls {
    pub fn begin(&self, portal: PortalId, until: i64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(portal, until);
    }

    pub fn is_on(&self, portal: PortalId, now: i64) -> bool {
        let mut lulls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lulls.retain(|_, until| *until > now);
        lulls.contains_key(&portal)
    }
}
