//! How records are found again: hashes of marks, profiles, phones and e-mails, and tokens of names.

use std::collections::BTreeSet;

use crate::crypto::TenantKey;
use crate::domain::change_set::bare;
use crate::domain::crm::ORIGINATOR;
use crate::domain::matching::NameWords;
use crate::domain::{CrmEntity, CrmValue, Fields};
use crate::store::crm_index::{IndexKind, IndexRow};

pub(super) fn hash_of(key: &TenantKey, kind: IndexKind, value: &str) -> String {
    let label = match kind {
        IndexKind::Mark => "index.mark",
        IndexKind::Profile => "index.profile",
        IndexKind::Phone => "index.phone",
        IndexKind::Email => "index.email",
    };
    key.hash(label, value.as_bytes())
}

fn text<'a>(fields: &'a Fields, name: &str) -> &'a str {
    match fields.get(name) {
        Some(CrmValue::Text(text)) => text,
        _ => "",
    }
}

/// Tokens of the name that stands in a record's fields.
pub(super) fn name_tokens(key: &TenantKey, entity: CrmEntity, fields: &Fields) -> BTreeSet<String> {
    let words = match entity {
        CrmEntity::Company => NameWords::read(text(fields, "title"), &[]),
        _ => NameWords::read(text(fields, "lastName"), &[text(fields, "name"), text(fields, "secondName")]),
    };
    words.tokens(|word| key.hash("index.name", word.as_bytes()).chars().take(12).collect())
}

pub(super) fn name_text(tokens: &BTreeSet<String>) -> String {
    tokens.iter().map(String::as_str).collect::<Vec<_>>().join(",")
}

pub(super) fn name_read(text: &str) -> BTreeSet<String> {
    text.split(',').filter(|token| !token.is_empty()).map(str::to_owned).collect()
}

/// Phones and e-mails of a record as they are compared.
pub(super) fn comm_keys(key: &TenantKey, fields: &Fields) -> Vec<(IndexKind, String)> {
    let mut keys = Vec::new();
    for (name, kind) in [("PHONE", IndexKind::Phone), ("EMAIL", IndexKind::Email)] {
        if let Some(CrmValue::Comms(comms)) = fields.get(name) {
            for comm in comms {
                let value = bare(comm);
                // Anything shorter is an extension or a slip, and would join strangers.
                if value.chars().count() >= 6 {
                    keys.push((kind, hash_of(key, kind, &value)));
                }
            }
        }
    }
    keys.sort();
    keys.dedup();
    keys
}

/// Everything by which this record can be found.
pub(super) fn index_rows(key: &TenantKey, entity: CrmEntity, crm_id: i64, fields: &Fields) -> Vec<IndexRow> {
    let row = |kind, hash, name: &str| IndexRow { entity, kind, hash, crm_id, name: name.to_owned() };
    let mut rows = Vec::new();
    if text(fields, "originatorId") == ORIGINATOR && !text(fields, "originId").is_empty() {
        rows.push(row(IndexKind::Mark, hash_of(key, IndexKind::Mark, text(fields, "originId")), ""));
    }
    if entity == CrmEntity::Deal {
        let (hotel, number) = (text(fields, "UF_CRM_FB24_HOTEL"), text(fields, "UF_CRM_FB24_RESERVATION"));
        if !hotel.is_empty() && !number.is_empty() {
            let mark = format!("{hotel}:{number}");
            rows.push(row(IndexKind::Profile, hash_of(key, IndexKind::Profile, &mark), ""));
        }
        return rows;
    }
    if let Some(CrmValue::Texts(marks)) = fields.get("UF_CRM_FB24_PROFILE") {
        for mark in marks {
            rows.push(row(IndexKind::Profile, hash_of(key, IndexKind::Profile, mark), ""));
        }
    }
    let name = name_text(&name_tokens(key, entity, fields));
    for (kind, hash) in comm_keys(key, fields) {
        rows.push(row(kind, hash, &name));
    }
    rows
}
