//! How a portal behaves from the start; most of it can be changed while it runs.

use std::time::Duration;

use super::clock::PortalClock;

/// Where the portal runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Edition {
    /// A commercial cloud plan: bucket 50, drain 2 per second.
    #[default]
    Cloud,
    /// The cloud's Enterprise plan: bucket 250, drain 5 per second.
    Enterprise,
    /// Boxed (on-premise): older modules, fewer fields in frames, no operating limit.
    Box,
    /// Free plan: REST refuses every call.
    Free,
}

/// How people talk about a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskCard {
    /// Comments; no REST 3.0 (modules before `tasks 25.700`).
    Comments,
    /// A chat.
    Chat,
}

/// The two ways `crm.item.update` is said to treat keyed multifields (facts §7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum MultifieldMode {
    /// Keyed objects add, change and delete.
    #[default]
    Keyed,
    /// Only adds; changing needs `crm.contact.update` / `crm.company.update`.
    AddOnly,
}

/// Price of work, in time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Charged to the method's operating counter per row read or written.
    pub operating_per_row: Duration,
    /// Charged per call.
    pub operating_per_call: Duration,
    /// Really waited per row.
    pub latency_per_row: Duration,
    /// Really waited per call.
    pub latency_per_call: Duration,
    /// Really waited per HTTP request.
    pub latency_per_request: Duration,
}

/// Limits of facts §5.
#[derive(Clone, Copy, Debug)]
pub struct LimitOptions {
    /// Requests that may be outstanding in the leaky bucket; `None` follows the edition.
    pub bucket: Option<f64>,
    /// Drain per second; `None` follows the edition.
    pub drain: Option<f64>,
    /// Operating seconds a method may use in ten minutes.
    pub operating: Duration,
    /// One HTTP request may take this long.
    pub request_cap: Duration,
    /// Off: nothing is ever refused.
    pub enforced: bool,
}

impl Default for LimitOptions {
    fn default() -> Self {
        Self {
            bucket: None,
            drain: None,
            operating: Duration::from_secs(480),
            request_cap: Duration::from_secs(60),
            enforced: true,
        }
    }
}

/// Options of [`super::Portal::start`].
#[derive(Clone, Debug)]
pub struct PortalOptions {
    /// The portal (not the OAuth host) speaks TLS with a certificate of its own authority, as many boxes do; see
    /// [`super::Portal::ca_pem`].
    pub tls: bool,
    /// Address to bind.
    pub host: String,
    /// Port of the portal; 0 takes a free one.
    pub port: u16,
    /// Port of the OAuth host; 0 takes a free one.
    pub oauth_port: u16,
    /// Edition.
    pub edition: Edition,
    /// Multifield reading.
    pub multifields: MultifieldMode,
    /// The installing admin may import.
    pub import_right: bool,
    /// Import refuses every given date, even one newer than all records.
    pub import_dates_refused: bool,
    /// The app's key at the vendor cabinet.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// The permanent portal id; `None` makes one up.
    pub member_id: Option<String>,
    /// The plan lets an app read its pull queue by reserving rows.
    pub offline_extended: bool,
    /// Scopes of the version card.
    pub scope: String,
    /// Language of frames and events.
    pub lang: String,
    /// The portal's base currency; it is the first of `currencies`.
    pub currencies: Vec<String>,
    /// Lifetime of access tokens in seconds.
    pub token_seconds: i64,
    /// Limits.
    pub limits: LimitOptions,
    /// Price of work.
    pub cost: Cost,
    /// Clock.
    pub clock: PortalClock,
    /// First id of new records.
    pub first_id: i64,
    /// Pipelines the plan allows, the default one included.
    pub max_categories: usize,
    /// Where the app lives, for the buttons of the portal's pages.
    pub app_url: Option<String>,
    /// The task card; `None`: comments in a box, a chat elsewhere.
    pub task_card: Option<TaskCard>,
    /// Numeric ids of `crm.item.*` answers become strings, as some portals have it.
    pub string_ids: bool,
}

impl Default for PortalOptions {
    fn default() -> Self {
        Self {
            tls: false,
            host: "127.0.0.1".into(),
            port: 0,
            oauth_port: 0,
            edition: Edition::Cloud,
            multifields: MultifieldMode::Keyed,
            import_right: true,
            import_dates_refused: false,
            client_id: "app.5f3a9c7e1b2d48.12345678".into(),
            client_secret: "sandbox-client-secret".into(),
            member_id: None,
            offline_extended: true,
            scope: "crm,task,tasks,placement,user_brief,im,disk".into(),
            lang: "ru".into(),
            currencies: vec!["RUB".into(), "USD".into(), "EUR".into()],
            token_seconds: 3600,
            limits: LimitOptions::default(),
            cost: Cost::default(),
            clock: PortalClock::default(),
            first_id: 1,
            max_categories: 50,
            app_url: None,
            string_ids: false,
            task_card: None,
        }
    }
}

impl PortalOptions {
    /// The task card as it is.
    pub fn task_card(&self) -> TaskCard {
        let own = if self.edition == Edition::Box { TaskCard::Comments } else { TaskCard::Chat };
        self.task_card.unwrap_or(own)
    }
}
