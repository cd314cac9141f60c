//! One hotel's interface with what is known of it in this process.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;
use secrecy::SecretString;
use url::Url;

use super::client::Exchange;
use super::dates;
use super::error::WireError;
use super::request::Query;
use super::values;
use super::xml::Row;
use crate::clock::Clock;
use crate::domain::Currency;

/// How a hotel is reached and read.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The whole address, query string included.
    pub url: Url,
    pub username: String,
    pub password: SecretString,
    /// The password is the output of the vendor's encryption tool.
    pub password_encrypted: bool,
    pub vendor: Option<String>,
    pub timezone: Tz,
    pub currency: Currency,
    /// ISO 3166 alpha-2 for phones without a country code.
    pub country: Option<String>,
    /// Speak `V8/ZIP`.
    pub packed: bool,
    /// Age under which a changed record waits.
    pub settle: Duration,
    /// How far windows of changes overlap.
    pub overlap: Duration,
    /// Longest silence of the interface.
    pub timeout: Duration,
    /// Arrivals of so many days ahead are read again...
    pub near_days: u32,
    /// ...this often: what does not touch a reservation's stamp shows only there (facts §6).
    pub near_every: Duration,
    /// A certificate authority of the hotel's own.
    pub ca_pem: Option<String>,
}

impl Settings {
    pub fn new(url: Url, username: String, password: SecretString, timezone: Tz, currency: Currency) -> Self {
        Self {
            url,
            username,
            password,
            password_encrypted: false,
            vendor: None,
            timezone,
            currency,
            country: None,
            packed: false,
            settle: Duration::from_secs(3),
            overlap: Duration::from_secs(600),
            timeout: Duration::from_secs(60),
            near_days: 14,
            near_every: Duration::from_secs(1800),
            ca_pem: None,
        }
    }

    /// The country of phones: set, or plain from the currency.
    pub fn phone_country(&self) -> Option<&str> {
        let by_currency = match self.currency.as_str() {
            "RUB" => Some("RU"),
            "BYN" => Some("BY"),
            "KZT" => Some("KZ"),
            _ => None,
        };
        self.country.as_deref().or(by_currency)
    }
}

/// Rows known by content; beyond it they are forgotten and handed over once more. Enough for the arrivals of two weeks and
/// the guests of a large hotel, and half a megabyte where a thousand hotels are read.
const DIGESTS: usize = 16_384;
/// A list of currencies is fetched again after this.
const CURRENCIES_FOR_MS: i64 = 24 * 3600 * 1000;
const CURRENCIES_RETRY_MS: i64 = 3600 * 1000;

/// Whether the hotel's licence covers an area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Licensed {
    Yes,
    No,
}

#[derive(Default)]
struct Currencies {
    /// When to fetch it again.
    until_ms: i64,
    /// The licence does not cover the list.
    denied: bool,
    iso: Arc<HashMap<String, Currency>>,
}

pub struct Hotel {
    pub settings: Settings,
    pub exchange: Arc<dyn Exchange>,
    pub clock: Clock,
    currencies: Mutex<Currencies>,
    /// Content of rows handed over, by keyed hashes of this process; good while no other process moves the position.
    digests: Mutex<HashMap<u64, u64>>,
    /// The position as this process left it.
    position: Mutex<Option<u64>>,
    hasher: RandomState,
    /// Milliseconds the hotel's web server is ahead of us, by its `Date` header.
    web_ahead_ms: AtomicI64,
    tells_time: AtomicBool,
}

impl Hotel {
    pub fn new(settings: Settings, exchange: Arc<dyn Exchange>, clock: Clock) -> Self {
        Self {
            settings,
            exchange,
            clock,
            currencies: Mutex::default(),
            digests: Mutex::default(),
            position: Mutex::default(),
            hasher: RandomState::new(),
            web_ahead_ms: AtomicI64::new(0),
            tells_time: AtomicBool::new(false),
        }
    }

    /// The hotel's web server told its time.
    pub fn served_at(&self, at: Option<DateTime<Utc>>) {
        self.tells_time.store(at.is_some(), Ordering::Relaxed);
        if let Some(at) = at {
            let ahead = at.timestamp_millis().saturating_sub(self.clock.now_ms());
            // The header has whole seconds: a smaller difference is none.
            self.web_ahead_ms.store(if ahead.abs() < 2000 { 0 } else { ahead }, Ordering::Relaxed);
        }
    }

    /// The hotel's wall clock, as its web server has it.
    pub fn local_now(&self) -> NaiveDateTime {
        let ahead = chrono::Duration::milliseconds(self.web_ahead_ms.load(Ordering::Relaxed));
        dates::local(self.clock.now() + ahead, self.settings.timezone)
    }

    /// How far the web server's clock is ahead of ours; `None` when its latest answer told no time.
    pub fn web_ahead_ms(&self) -> Option<i64> {
        self.tells_time.load(Ordering::Relaxed).then(|| self.web_ahead_ms.load(Ordering::Relaxed))
    }

    /// Fetches the hotel's codes of currencies → ISO when they are old (facts §10.9). `Err` only for what ends the whole
    /// read.
    pub async fn currencies(&self) -> Result<Licensed, WireError> {
        let now = self.clock.now_ms();
        let told = |denied: bool| if denied { Licensed::No } else { Licensed::Yes };
        {
            let known = self.currencies.lock().unwrap_or_else(PoisonError::into_inner);
            if known.until_ms > now {
                return Ok(told(known.denied));
            }
        }
        let query = Query::new("CurrencyList").fields(["CurrencyShortdesc", "CurrencyISO3"]);
        let (iso, keep, denied) = match self.rows(&[query]).await {
            Ok(rows) => (rows.iter().filter_map(|(_, row)| currency(row)).collect(), CURRENCIES_FOR_MS, false),
            // Without the list amounts are left out and reported; everything else goes on.
            Err(error) if error.is_refusal() || error.is_not_found() => {
                (HashMap::new(), CURRENCIES_RETRY_MS, error.is_denied())
            }
            Err(error) => return Err(error),
        };
        let mut known = self.currencies.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Currencies { until_ms: now.saturating_add(keep), denied, iso: Arc::new(iso) };
        Ok(told(denied))
    }

    /// The currencies as fetched last.
    pub fn known_currencies(&self) -> Arc<HashMap<String, Currency>> {
        Arc::clone(&self.currencies.lock().unwrap_or_else(PoisonError::into_inner).iso)
    }

    /// A small answer whole.
    pub async fn rows(&self, queries: &[Query]) -> Result<Vec<(usize, Row)>, WireError> {
        let mut answer = self.exchange.ask(queries).await?;
        self.served_at(answer.served_at());
        let mut rows = Vec::new();
        while let Some(lot) = answer.next().await? {
            rows.extend(lot);
        }
        Ok(rows)
    }

    pub fn digest<T: Hash>(&self, what: &T) -> u64 {
        self.hasher.hash_one(what)
    }

    /// A read begins at this position. Where another process read meanwhile, what was handed over here may since have been
    /// handed over otherwise.
    pub fn found_at(&self, position: u64) {
        let mut known = self.position.lock().unwrap_or_else(PoisonError::into_inner);
        if known.replace(position) != Some(position) {
            *self.digests.lock().unwrap_or_else(PoisonError::into_inner) = HashMap::new();
        }
    }

    pub fn left_at(&self, position: u64) {
        *self.position.lock().unwrap_or_else(PoisonError::into_inner) = Some(position);
    }

    pub fn forget(&self, number: &str) {
        self.digests.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.hasher.hash_one(number));
    }

    /// Whether exactly this content of the record was handed over before.
    pub fn is_known(&self, number: &str, digest: u64) -> bool {
        let digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        digests.get(&self.hasher.hash_one(number)) == Some(&digest)
    }

    pub fn now_known(&self, rows: impl IntoIterator<Item = (String, u64)>) {
        let mut digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        if digests.len() > DIGESTS {
            *digests = HashMap::new();
        }
        for (number, digest) in rows {
            digests.insert(self.hasher.hash_one(number.as_str()), digest);
        }
    }
}

fn currency(row: &Row) -> Option<(String, Currency)> {
    let field = |name: &str| {
        let field = row.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))?;
        values::text(&field.text)
    };
    let iso = Currency::parse(&field("CurrencyISO3")?.to_ascii_uppercase()).ok()?;
    Some((field("CurrencyShortdesc")?, iso))
}
