//! Injected failures: what the client sees, and whether the work was done before, after or much later.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::error::RestError;
use super::php::Params;

/// What became of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultWhen {
    /// Nothing was done.
    Before,
    /// Everything was done; only the answer differs.
    AfterCommit,
    /// Done this long after the client was turned away, by the portal's clock.
    CommitLater(Duration),
}

/// What the client sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultAnswer {
    /// The connection ends without a byte.
    Drop,
    /// Nothing for so long (wall time), then the connection ends.
    Hang(Duration),
    /// An HTML page with this status.
    Html(u16),
    /// A JSON error. Inside a batch it hits only the matching command.
    Error {
        /// HTTP status.
        status: u16,
        /// Code.
        code: String,
        /// Text.
        description: String,
    },
    /// 302 to this address.
    Redirect(String),
    /// The right answer, but late (wall time).
    Slow(Duration),
    /// The right answer, but not before the test lets it go.
    Held(Hold),
    /// Status 200 and no body.
    Empty,
    /// The first half of the right answer.
    Truncated,
}

/// Keeps answers back until they are released; clones are the same hold.
#[derive(Clone, Debug)]
pub struct Hold(Arc<(Semaphore, Semaphore)>);

impl Default for Hold {
    fn default() -> Self {
        Self(Arc::new((Semaphore::new(0), Semaphore::new(0))))
    }
}

impl PartialEq for Hold {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Hold {}

impl Hold {
    /// Waits until one more answer is kept back.
    pub async fn reached(&self) {
        take(&self.0.0).await;
    }

    /// Lets one answer go.
    pub fn release(&self) {
        self.0.1.add_permits(1);
    }

    pub(super) async fn pass(&self) {
        self.0.0.add_permits(1);
        take(&self.0.1).await;
    }
}

async fn take(permits: &Semaphore) {
    // They are never closed.
    if let Ok(permit) = permits.acquire().await {
        permit.forget();
    }
}

/// One planned failure.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Method in lower case; `*` is any; a batch matches by `batch` and by what is inside.
    /// The OAuth host is `oauth/token` and `oauth/app.info`.
    pub method: String,
    /// Matches let through first.
    pub skip: u32,
    /// How often it strikes.
    pub times: u32,
    /// Fate of the work.
    pub when: FaultWhen,
    /// Sight of the client.
    pub answer: FaultAnswer,
    /// Only a request that carries this text, whatever else is in it.
    pub bearing: Option<String>,
}

impl Fault {
    fn make(method: &str, when: FaultWhen) -> Self {
        Self { method: method.to_ascii_lowercase(), skip: 0, times: 1, when, answer: FaultAnswer::Drop, bearing: None }
    }

    /// The connection breaks before anything is done.
    pub fn before(method: &str) -> Self {
        Self::make(method, FaultWhen::Before)
    }

    /// The work is done and the answer lost.
    pub fn after_commit(method: &str) -> Self {
        Self::make(method, FaultWhen::AfterCommit)
    }

    /// The connection breaks now, the work is done later.
    pub fn commit_later(method: &str, delay: Duration) -> Self {
        Self::make(method, FaultWhen::CommitLater(delay))
    }

    /// The call is refused with a code.
    pub fn error(method: &str, status: u16, code: &str) -> Self {
        Self::before(method).answering(FaultAnswer::Error { status, code: code.into(), description: "Injected".into() })
    }

    /// The access token is called expired though it is not.
    pub fn expired_token(method: &str) -> Self {
        Self::error(method, 401, "expired_token")
    }

    /// Changes what the client sees.
    #[must_use]
    pub fn answering(mut self, answer: FaultAnswer) -> Self {
        self.answer = answer;
        self
    }

    /// Strikes so often.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// Lets so many matches pass first.
    #[must_use]
    pub fn after(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }

    /// Strikes whole requests that carry this text.
    #[must_use]
    pub fn bearing(mut self, text: &str) -> Self {
        self.bearing = Some(text.to_owned());
        self
    }

    fn fits(&self, method: &str) -> bool {
        self.method == "*" || self.method == method
    }

    /// Whether it answers one command rather than the whole request.
    pub fn inner(&self) -> bool {
        let whole = self.method == "*" || self.method == "batch" || self.bearing.is_some();
        matches!(self.answer, FaultAnswer::Error { .. }) && !whole
    }

    /// The error it answers with.
    pub fn rest_error(&self) -> Option<RestError> {
        match &self.answer {
            FaultAnswer::Error { status, code, description } => {
                Some(RestError::new(*status, code, description.clone()))
            }
            _ => None,
        }
    }
}

/// Planned failures in order.
#[derive(Debug, Default)]
pub struct Faults {
    planned: Vec<Fault>,
    /// How many struck.
    pub struck: u64,
}

impl Faults {
    /// Plans one more.
    pub fn push(&mut self, fault: Fault) {
        self.planned.push(fault);
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.planned.clear();
    }

    /// Still to strike.
    pub fn pending(&self) -> Vec<Fault> {
        self.planned.clone()
    }

    /// The failure of a whole request, if one is due.
    pub fn for_request(&mut self, method: &str, commands: &[String], params: &Params) -> Option<Fault> {
        let bears = |text: &String| params.0.values().any(|value| value.to_string().contains(text.as_str()));
        self.take(|fault| {
            (method != "batch" || !fault.inner())
                && fault.bearing.as_ref().is_none_or(bears)
                && (fault.fits(method) || commands.iter().any(|inner| fault.fits(inner)))
        })
    }

    /// The failure of one command inside a batch.
    pub fn for_command(&mut self, method: &str) -> Option<Fault> {
        self.take(|fault| fault.inner() && fault.fits(method))
    }

    fn take(&mut self, fits: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let at = self.planned.iter().position(&fits)?;
        let fault = self.planned.get_mut(at)?;
        if fault.skip > 0 {
            fault.skip -= 1;
            return None;
        }
        let struck = fault.clone();
        fault.times = fault.times.saturating_sub(1);
        if fault.times == 0 {
            self.planned.remove(at);
        }
        self.struck += 1;
        Some(struck)
    }
}
