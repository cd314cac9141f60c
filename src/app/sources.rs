//! Makes the way into a hotel that a stored source describes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono_tz::Tz;

use crate::clock::Clock;
use crate::config::Pms;
use crate::domain::Currency;
use crate::fidelio::demo::{self, Demo};
use crate::fidelio::suite8::{Settings, Suite8};
use crate::fidelio::{Source, SourceError};
use crate::net::Guard;
use crate::store::sources::SourceRow;
use crate::sync::SourceFactory;

/// A source keeps what it learned (currencies, rows seen) from poll to poll, until its settings change.
type Kept = Mutex<HashMap<i64, (i64, Arc<dyn Source>)>>;

/// Sources kept at once; a node that serves more starts some of them afresh.
const KEPT: usize = 4_096;

/// The kinds of this release; every other is refused when it is entered.
pub fn factory(settings: &Pms, guard: Arc<Guard>, clock: Clock) -> SourceFactory {
    let settings = settings.clone();
    let kept = Kept::default();
    Arc::new(move |row: &SourceRow| {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((version, source)) = kept.get(&row.id)
            && *version == row.version
        {
            return Ok(Arc::clone(source));
        }
        let source = make(&settings, row, &guard, &clock)?;
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(row.id, (row.version, Arc::clone(&source)));
        Ok(source)
    })
}

fn make(pms: &Pms, row: &SourceRow, guard: &Guard, clock: &Clock) -> Result<Arc<dyn Source>, SourceError> {
    let unusable = |what: &str| SourceError::Refused { status: "settings".to_owned(), message: what.to_owned() };
    let timezone: Tz = row.site.timezone.parse().map_err(|_| unusable("the hotel's time zone is unknown"))?;
    let currency = Currency::parse(&row.site.currency).map_err(|error| unusable(&error.to_string()))?;
    let config = match (row.kind.as_str(), row.via.as_str(), &row.config) {
        (demo::KIND, "direct", _) => {
            let site = format!("{}:{}", row.site.member_id, row.hotel);
            return Ok(Arc::new(Demo::new(&site, timezone, currency, clock.clone())));
        }
        ("suite8_xml", "direct", Some(config)) => config,
        _ => return Err(unusable("this release reaches Suite 8 directly, or a demo hotel")),
    };
    let mut settings =
        Settings::new(config.url.clone(), config.username.clone(), config.password.clone(), timezone, currency);
    settings.vendor.clone_from(&config.vendor);
    settings.packed = config.dialect.packed;
    settings.password_encrypted = config.dialect.password_encrypted;
    settings.country.clone_from(&config.dialect.country);
    settings.ca_pem.clone_from(&config.dialect.ca_pem);
    settings.settle = Duration::from_secs(pms.settle_seconds.into());
    Ok(Arc::new(Suite8::new(settings, &row.site.member_id, guard.clone(), clock.clone())?))
}
