//! One method call and its answer.

use serde_json::Value;

use crate::portal::crm::save::Actor;
use crate::portal::error::{RestError, RestResult};
use crate::portal::php::Params;
use crate::portal::state::State;
use crate::portal::users::User;

/// Who calls.
#[derive(Clone, Debug)]
pub struct Caller {
    /// User of the token.
    pub user: i64,
    /// An app's token, not a webhook.
    pub app: bool,
    /// Hops of an event's token.
    pub hops: u32,
}

/// A method call with everything it may touch.
pub struct Call<'a> {
    /// The portal.
    pub state: &'a mut State,
    /// User of the token.
    pub user: i64,
    /// An app's token, not a webhook.
    pub app: bool,
    /// Hops of an event's token.
    pub hops: u32,
    /// Parameters.
    pub params: &'a Params,
    /// Lower-case method name.
    pub method: &'static str,
}

impl Call<'_> {
    /// The caller as a writer.
    pub fn actor(&self) -> Actor {
        Actor {
            user: self.user,
            app: self.app,
            connector: self.params.text("auth_connector").unwrap_or_default(),
            robot: false,
            hops: self.hops,
        }
    }

    /// The caller's record.
    pub fn caller(&self) -> RestResult<&User> {
        self.state
            .users
            .get(&self.user)
            .ok_or_else(|| RestError::new(401, "authorization_error", "Unable to authorize user"))
    }

    /// Whether the caller is an admin.
    pub fn admin(&self) -> bool {
        self.state.users.get(&self.user).is_some_and(|user| user.admin)
    }

    /// Refuses anyone but an admin, the way CRM settings methods do.
    pub fn need_crm_admin(&self) -> RestResult<()> {
        if self.admin() { Ok(()) } else { Err(RestError::denied()) }
    }

    /// Refuses webhooks.
    pub fn need_app(&self) -> RestResult<()> {
        if self.app {
            Ok(())
        } else {
            Err(RestError::new(403, "WRONG_AUTH_TYPE", "Current authorization type is denied for this method"))
        }
    }
}

/// A successful answer.
#[derive(Debug, Default)]
pub struct Answer {
    /// `result`.
    pub result: Value,
    /// `total`.
    pub total: Option<i64>,
    /// `next`.
    pub next: Option<i64>,
    /// Rows read or written, for the price.
    pub rows: usize,
}

impl Answer {
    /// An answer that touched no rows.
    pub fn new(result: impl Into<Value>) -> Self {
        Self { result: result.into(), ..Self::default() }
    }

    /// An answer that touched rows.
    pub fn rows(result: Value, rows: usize) -> Self {
        Self { result, rows, ..Self::default() }
    }

    /// With a total.
    pub fn total(mut self, total: usize) -> Self {
        self.total = i64::try_from(total).ok();
        self
    }
}
