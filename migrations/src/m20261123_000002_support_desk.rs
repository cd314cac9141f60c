//! The support desk: requests with their history, what leaves for tasks, cards and people, and what a public form is held to.
//!
//! `portal_id` is the tenant whose desk owns a request; `customer_id` the portal it is about, where one is known; `key_portal`
//! the portal under whose request key its words are sealed, so that a customer's end makes them unreadable in any desk.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseBackend};

#[derive(DeriveMigrationName)]
pub struct Migration;

const TABLES: &[&str] = &[
    "CREATE TABLE desk_request (
        id {id},
        portal_id BIGINT NOT NULL,
        customer_id BIGINT,
        key_portal BIGINT NOT NULL,
        number TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        scope TEXT NOT NULL,
        priority TEXT NOT NULL,
        state TEXT NOT NULL,
        resolution TEXT,
        channel TEXT NOT NULL,
        app_version TEXT NOT NULL DEFAULT '',
        language TEXT NOT NULL,
        submitter_id BIGINT,
        assigned_id BIGINT,
        parent TEXT,
        content_sealed {blob} NOT NULL,
        phone_hash TEXT,
        email_hash TEXT,
        login_hash TEXT,
        clocks TEXT NOT NULL,
        breaches TEXT NOT NULL DEFAULT '',
        look_at BIGINT,
        once_hash TEXT,
        revision BIGINT NOT NULL DEFAULT 1,
        head_place BIGINT NOT NULL,
        head_hash {blob} NOT NULL,
        created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL
    )",
    // The last number of a year, of all desks: numbers are taken a few at a time and never given back.
    "CREATE TABLE desk_number (
        year INTEGER NOT NULL PRIMARY KEY,
        last BIGINT NOT NULL
    )",
    // `content_sealed`: the salt and what it commits to; NULL once erased.
    "CREATE TABLE desk_history (
        portal_id BIGINT NOT NULL,
        request_id BIGINT NOT NULL,
        place BIGINT NOT NULL,
        at BIGINT NOT NULL,
        kind TEXT NOT NULL,
        internal BOOLEAN NOT NULL,
        commitment {blob} NOT NULL,
        hash {blob} NOT NULL,
        content_sealed {blob},
        PRIMARY KEY (portal_id, request_id, place)
    )",
    "CREATE TABLE desk_link (
        token_hash TEXT NOT NULL PRIMARY KEY,
        portal_id BIGINT NOT NULL,
        request_id BIGINT NOT NULL,
        role TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL,
        revoked_at BIGINT
    )",
    "CREATE TABLE desk_offer (
        portal_id BIGINT NOT NULL,
        request_id BIGINT NOT NULL,
        offer INTEGER NOT NULL,
        options_sealed {blob} NOT NULL,
        offered_at BIGINT NOT NULL,
        chosen INTEGER,
        chosen_at BIGINT,
        PRIMARY KEY (portal_id, request_id, offer)
    )",
    // Evidence under a key of its own, which the end of an installation spares until its term.
    "CREATE TABLE desk_consent (
        id {id},
        portal_id BIGINT NOT NULL,
        number TEXT NOT NULL,
        document_version TEXT NOT NULL,
        document_hash TEXT NOT NULL,
        form TEXT NOT NULL,
        evidence_sealed {blob} NOT NULL,
        at BIGINT NOT NULL
    )",
    "CREATE TABLE desk_settings (
        portal_id BIGINT NOT NULL,
        version BIGINT NOT NULL,
        document TEXT NOT NULL,
        made_by BIGINT NOT NULL,
        made_at BIGINT NOT NULL,
        PRIMARY KEY (portal_id, version)
    )",
    // Who of a queue had the last turn.
    "CREATE TABLE desk_turn (
        portal_id BIGINT NOT NULL,
        queue TEXT NOT NULL,
        user_id BIGINT NOT NULL,
        PRIMARY KEY (portal_id, queue)
    )",
    "CREATE TABLE desk_outbox (
        id {id},
        portal_id BIGINT NOT NULL,
        request_id BIGINT NOT NULL,
        number TEXT NOT NULL,
        channel TEXT NOT NULL,
        target_id BIGINT NOT NULL,
        kind TEXT NOT NULL,
        key_portal BIGINT NOT NULL,
        payload_sealed {blob},
        state INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0,
        not_before BIGINT NOT NULL,
        fence BIGINT NOT NULL DEFAULT 0,
        sent_at BIGINT NOT NULL DEFAULT 0,
        hold_until BIGINT NOT NULL DEFAULT 0,
        cause TEXT NOT NULL DEFAULT '',
        created_at BIGINT NOT NULL,
        done_at BIGINT
    )",
    // What stands for a request elsewhere: its task, the task's chat, its card.
    "CREATE TABLE desk_remote (
        portal_id BIGINT NOT NULL,
        request_id BIGINT NOT NULL,
        channel TEXT NOT NULL,
        kind TEXT NOT NULL,
        target_id BIGINT NOT NULL,
        remote_id TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        PRIMARY KEY (portal_id, request_id, channel, kind)
    )",
    // Captchas that were solved and used.
    "CREATE TABLE desk_spent (
        id TEXT NOT NULL PRIMARY KEY,
        expires_at BIGINT NOT NULL
    )",
    // How often something came within its span of time.
    "CREATE TABLE desk_count (
        name TEXT NOT NULL PRIMARY KEY,
        used BIGINT NOT NULL,
        until BIGINT NOT NULL
    )",
];

const INDEXES: &[&str] = &[
    "CREATE INDEX desk_request_by_age ON desk_request (portal_id, created_at, id)",
    "CREATE INDEX desk_request_by_state ON desk_request (portal_id, state, created_at, id)",
    "CREATE INDEX desk_request_by_kind ON desk_request (portal_id, kind, created_at, id)",
    "CREATE INDEX desk_request_by_customer ON desk_request (customer_id, created_at, id)",
    "CREATE INDEX desk_request_of_desk_by_customer ON desk_request (portal_id, customer_id, created_at, id)",
    "CREATE INDEX desk_request_by_submitter ON desk_request (customer_id, submitter_id, created_at, id)",
    "CREATE INDEX desk_request_by_phone ON desk_request (portal_id, phone_hash, created_at, id)",
    "CREATE INDEX desk_request_by_email ON desk_request (portal_id, email_hash, created_at, id)",
    "CREATE INDEX desk_request_by_login ON desk_request (portal_id, login_hash, created_at, id)",
    "CREATE INDEX desk_request_open ON desk_request (portal_id, assigned_id) WHERE state <> 'closed'",
    "CREATE INDEX desk_request_to_look ON desk_request (look_at) WHERE look_at IS NOT NULL",
    "CREATE INDEX desk_request_by_key ON desk_request (key_portal)",
    "CREATE UNIQUE INDEX desk_request_once ON desk_request (portal_id, once_hash) WHERE once_hash IS NOT NULL",
    "CREATE INDEX desk_link_by_request ON desk_link (portal_id, request_id)",
    "CREATE INDEX desk_consent_by_age ON desk_consent (portal_id, at)",
    "CREATE INDEX desk_outbox_waiting ON desk_outbox (channel, target_id, not_before, id) WHERE state = 0",
    "CREATE INDEX desk_outbox_sent ON desk_outbox (channel, target_id, hold_until) WHERE state = 1",
    "CREATE INDEX desk_outbox_order ON desk_outbox (request_id, channel, id) WHERE state IN (0, 1, 3)",
    "CREATE INDEX desk_outbox_done ON desk_outbox (done_at) WHERE done_at IS NOT NULL",
    "CREATE INDEX desk_outbox_by_key ON desk_outbox (key_portal)",
    "CREATE INDEX desk_remote_by_id ON desk_remote (channel, target_id, kind, remote_id)",
    "CREATE INDEX desk_spent_by_age ON desk_spent (expires_at)",
    "CREATE INDEX desk_count_by_age ON desk_count (until)",
];

#[expect(elided_lifetimes_in_paths, reason = "the trait's own signature elides it")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let (id, blob) = match manager.get_database_backend() {
            DatabaseBackend::Postgres => ("BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "BYTEA"),
            _ => ("INTEGER PRIMARY KEY AUTOINCREMENT", "BLOB"),
        };
        let db = manager.get_connection();
        for statement in TABLES.iter().chain(INDEXES) {
            db.execute_unprepared(&statement.replace("{id}", id).replace("{blob}", blob)).await?;
        }
        Ok(())
    }
}
