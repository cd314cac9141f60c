//! Evidence of consents (S-25, decision 7): which document, when, and sealed under a key of its own what proves it.

use crate::crypto::TenantKey;
use crate::domain::PortalId;
use crate::domain::support::RequestNumber;
use crate::store::{Db, StoreError, Tx, args};

const EVIDENCE: &str = "desk_consent.evidence";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    pub number: RequestNumber,
    pub document_version: String,
    pub document_hash: String,
    pub form: String,
    /// JSON: address, user agent, phone.
    pub evidence: Vec<u8>,
    pub at: i64,
}

pub async fn add(tx: &Tx, desk: PortalId, key: &TenantKey, consent: &Consent) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO desk_consent (portal_id, number, document_version, document_hash, form, evidence_sealed, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        args![
            desk.0,
            consent.number.to_string(),
            consent.document_version.as_str(),
            consent.document_hash.as_str(),
            consent.form.as_str(),
            key.seal(EVIDENCE, &consent.evidence)?,
            consent.at
        ],
    )
    .await?;
    Ok(())
}

/// Of a desk, the oldest first.
pub async fn list(db: &Db, desk: PortalId, key: &TenantKey, limit: i64) -> Result<Vec<Consent>, StoreError> {
    let sql = "SELECT number, document_version, document_hash, form, evidence_sealed, at FROM desk_consent
         WHERE portal_id = $1 ORDER BY at, id LIMIT $2";
    let rows = db.rows(sql, args![desk.0, limit]).await?;
    rows.iter()
        .map(|row| {
            Ok(Consent {
                number: row.get::<String>("number")?.parse().map_err(|_| StoreError::Corrupt("desk_consent.number"))?,
                document_version: row.get("document_version")?,
                document_hash: row.get("document_hash")?,
                form: row.get("form")?,
                evidence: key.open(EVIDENCE, &row.get::<Vec<u8>>("evidence_sealed")?)?,
                at: row.get("at")?,
            })
        })
        .collect()
}

/// Forgets evidence that is older, unless the request it belongs to still has its words.
pub async fn purge(db: &Db, desk: PortalId, before: i64, limit: i64) -> Result<u64, StoreError> {
    let sql = "DELETE FROM desk_consent WHERE id IN (SELECT c.id FROM desk_consent c
            WHERE c.portal_id = $1 AND c.at < $2 AND NOT EXISTS
                (SELECT 1 FROM desk_request r WHERE r.number = c.number AND r.erased_at IS NULL)
            ORDER BY c.at LIMIT $3)";
    db.execute(sql, args![desk.0, before, limit]).await
}
