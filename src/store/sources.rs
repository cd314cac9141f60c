//! Ways into a hotel's PMS. What it takes to log in is sealed under the tenant's key.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::source_reading::{Health, Notes, Recheck};
use super::{Db, Row, StoreError, Tx, args};
use crate::crypto::TenantKey;
use crate::domain::{HotelId, PortalId};

const CONFIG: &str = "source.config";

/// How a Suite 8 XML interface is reached (contract, "The API that automation relies on").
#[derive(Debug, Clone)]
pub struct SourceConfig {
    pub url: Url,
    pub username: String,
    pub password: SecretString,
    pub vendor: Option<String>,
    pub dialect: Dialect,
}

/// What few interfaces need said of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Dialect {
    /// Messages go packed (`V8/ZIP`), and packed answers are asked for.
    pub packed: bool,
    /// The password is what the vendor's encryption tool made of it.
    pub password_encrypted: bool,
    /// ISO 3166 alpha-2: of phones without a country code.
    pub country: Option<String>,
    /// A certificate authority of the hotel's own, trusted besides the public ones.
    pub ca_pem: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    url: Url,
    username: String,
    password: String,
    vendor: Option<String>,
    dialect: Dialect,
}

impl SourceConfig {
    /// Host, port and path: what stays the same when only the account changes.
    pub fn address(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port_or_known_default().unwrap_or_default();
        format!("{host}:{port}{}", self.url.path())
    }

    fn seal(config: Option<&Self>, key: &TenantKey) -> Result<Vec<u8>, StoreError> {
        let plain = config.map(|config| Sealed {
            url: config.url.clone(),
            username: config.username.clone(),
            password: config.password.expose_secret().to_owned(),
            vendor: config.vendor.clone(),
            dialect: config.dialect.clone(),
        });
        let plain = zeroize::Zeroizing::new(serde_json::to_vec(&plain).map_err(|_| StoreError::Corrupt(CONFIG))?);
        Ok(key.seal(CONFIG, &plain)?)
    }

    fn open(key: &TenantKey, sealed: &[u8]) -> Result<Option<Self>, StoreError> {
        let plain = zeroize::Zeroizing::new(key.open(CONFIG, sealed)?);
        let plain: Option<Sealed> = serde_json::from_slice(&plain).map_err(|_| StoreError::Corrupt(CONFIG))?;
        Ok(plain.map(|plain| Self {
            url: plain.url,
            username: plain.username,
            password: SecretString::from(plain.password),
            vendor: plain.vendor,
            dialect: plain.dialect,
        }))
    }
}

/// One source as stored, its configuration opened.
#[derive(Debug, Clone)]
pub struct SourceRow {
    pub id: i64,
    pub portal: PortalId,
    pub hotel: HotelId,
    /// `suite8_xml`, `demo`.
    pub kind: String,
    /// `direct`.
    pub via: String,
    /// A demo hotel is reached without any.
    pub config: Option<SourceConfig>,
    /// Grows with each change of the configuration and when the hotel is stopped.
    pub version: i64,
    /// The source's own position; `null` before its first read.
    pub state: serde_json::Value,
    pub health: Health,
    /// Findings about the PMS as a whole, by code, and since when each holds.
    pub notes: Notes,
    pub last_ok_at: Option<i64>,
    /// When a record was last new or changed.
    pub last_record_at: Option<i64>,
    /// Since when it has been quiet: the last new record, the first answer, the end of a trouble.
    pub active_at: i64,
    pub next_poll_at: i64,
    pub failures: i32,
    pub recheck: Recheck,
    pub site: Site,
}

/// What a link must know of where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The portal, as `allow_private` names it.
    pub member_id: String,
    /// IANA name.
    pub timezone: String,
    /// ISO 4217.
    pub currency: String,
}

/// A source is never read without its site: a link needs the hotel's clock and the portal's name.
const SELECT: &str = "SELECT source.id, source.portal_id, source.hotel_id, source.kind, source.via, source.config_sealed, \
     source.version, source.state, source.health, source.health_detail, source.notes, source.last_ok_at, \
     source.last_record_at, source.active_at, source.next_poll_at, source.failures, source.recheck, \
     hotel.timezone, hotel.currency, portal.member_id \
     FROM source JOIN hotel ON hotel.id = source.hotel_id AND hotel.portal_id = source.portal_id \
     JOIN portal ON portal.id = source.portal_id";

fn json<T: serde::de::DeserializeOwned>(row: &Row, column: &'static str) -> Result<T, StoreError> {
    serde_json::from_str(&row.get::<String>(column)?).map_err(|_| StoreError::Corrupt(column))
}

fn read(key: &TenantKey, row: &Row) -> Result<SourceRow, StoreError> {
    Ok(SourceRow {
        id: row.get("id")?,
        portal: PortalId(row.get("portal_id")?),
        hotel: HotelId(row.get("hotel_id")?),
        kind: row.get("kind")?,
        via: row.get("via")?,
        config: SourceConfig::open(key, &row.get::<Vec<u8>>("config_sealed")?)?,
        version: row.get("version")?,
        state: json(row, "state")?,
        health: Health { state: row.get("health")?, detail: row.get("health_detail")? },
        notes: json(row, "notes")?,
        last_ok_at: row.get("last_ok_at")?,
        last_record_at: row.get("last_record_at")?,
        active_at: row.get("active_at")?,
        next_poll_at: row.get("next_poll_at")?,
        failures: row.get("failures")?,
        recheck: json(row, "recheck")?,
        site: Site { member_id: row.get("member_id")?, timezone: row.get("timezone")?, currency: row.get("currency")? },
    })
}

/// The sources of one hotel, oldest first.
pub async fn of_hotel(
    db: &Db,
    portal: PortalId,
    key: &TenantKey,
    hotel: HotelId,
) -> Result<Vec<SourceRow>, StoreError> {
    let sql = format!("{SELECT} WHERE source.portal_id = $1 AND source.hotel_id = $2 ORDER BY source.id");
    db.rows(&sql, args![portal.0, hotel.0]).await?.iter().map(|row| read(key, row)).collect()
}

/// The sources of all hotels of a portal.
pub async fn of_portal(db: &Db, portal: PortalId, key: &TenantKey) -> Result<Vec<SourceRow>, StoreError> {
    let sql = format!("{SELECT} WHERE source.portal_id = $1 ORDER BY source.id");
    db.rows(&sql, args![portal.0]).await?.iter().map(|row| read(key, row)).collect()
}

pub async fn by_id(db: &Db, portal: PortalId, key: &TenantKey, id: i64) -> Result<Option<SourceRow>, StoreError> {
    let sql = format!("{SELECT} WHERE source.portal_id = $1 AND source.id = $2");
    db.rows(&sql, args![portal.0, id]).await?.first().map(|row| read(key, row)).transpose()
}

/// Adds a source, to be read at once.
pub async fn add(
    tx: &Tx,
    portal: PortalId,
    key: &TenantKey,
    hotel: HotelId,
    kind: &str,
    via: &str,
    config: Option<&SourceConfig>,
) -> Result<i64, StoreError> {
    let rows = tx
        .rows(
            "INSERT INTO source (portal_id, hotel_id, kind, via, config_sealed) VALUES ($1, $2, $3, $4, $5) RETURNING id",
            args![portal.0, hotel.0, kind, via, SourceConfig::seal(config, key)?],
        )
        .await?;
    rows.first().ok_or(StoreError::Corrupt("source.id"))?.get("id")
}

/// Whether a hotel of the portal is read from a source of this kind.
pub async fn has_kind(tx: &Tx, portal: PortalId, kind: &str) -> Result<bool, StoreError> {
    let sql = "SELECT 1 AS one FROM source WHERE portal_id = $1 AND kind = $2 LIMIT 1";
    Ok(!tx.rows(sql, args![portal.0, kind]).await?.is_empty())
}

/// A new configuration; whatever stopped the source is forgotten, its position is kept.
pub async fn reconfigure(
    tx: &Tx,
    portal: PortalId,
    key: &TenantKey,
    id: i64,
    config: Option<&SourceConfig>,
) -> Result<bool, StoreError> {
    let touched = tx
        .execute(
            "UPDATE source SET config_sealed = $3, version = version + 1, health = 'new', health_detail = '',
                notes = '{}', failures = 0, next_poll_at = 0
             WHERE portal_id = $1 AND id = $2",
            args![portal.0, id, SourceConfig::seal(config, key)?],
        )
        .await?;
    Ok(touched > 0)
}

pub async fn delete(tx: &Tx, portal: PortalId, id: i64) -> Result<(), StoreError> {
    tx.execute("DELETE FROM source WHERE portal_id = $1 AND id = $2", args![portal.0, id]).await?;
    Ok(())
}

/// Stops all links of a hotel: nothing of how it was reached is kept.
pub async fn delete_of_hotel(tx: &Tx, portal: PortalId, hotel: HotelId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM source WHERE portal_id = $1 AND hotel_id = $2", args![portal.0, hotel.0]).await?;
    Ok(())
}
