//! The first schema. Plain SQL that both engines read; `{id}` and `{blob}` are the only differences.
//!
//! Times are milliseconds since the Unix epoch, stay dates are `YYYY-MM-DD` text, columns that end in
//! `_sealed` hold bytes sealed under a key (see `crypto/`), `hash` columns are keyed hashes.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseBackend};

#[derive(DeriveMigrationName)]
pub struct Migration;

const TABLES: &[&str] = &[
    // --- tenants ---------------------------------------------------------------------------------
    "CREATE TABLE portal (
        id {id},
        member_id TEXT NOT NULL UNIQUE,
        domain TEXT NOT NULL,
        client_endpoint TEXT NOT NULL,
        oauth_host TEXT NOT NULL,
        status TEXT NOT NULL,
        status_detail TEXT NOT NULL DEFAULT '',
        installed BOOLEAN NOT NULL DEFAULT FALSE,
        boxed BOOLEAN NOT NULL DEFAULT FALSE,
        generation BIGINT NOT NULL DEFAULT 1,
        language TEXT NOT NULL DEFAULT 'ru',
        scope TEXT NOT NULL DEFAULT '',
        license TEXT NOT NULL DEFAULT '',
        installer_user_id BIGINT NOT NULL DEFAULT 0,
        paired_at BIGINT NOT NULL DEFAULT 0,
        paid_until BIGINT,
        application_token_sealed {blob},
        ensured_version TEXT NOT NULL DEFAULT '',
        settings TEXT NOT NULL DEFAULT '{}',
        installation TEXT NOT NULL DEFAULT '{}',
        uninstall_clean BOOLEAN,
        uninstall_at BIGINT,
        refuted_at BIGINT,
        inbound_at BIGINT,
        check_at BIGINT,
        created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL
    )",
    // What this deployment is to the portals: its name in their `app.option`.
    "CREATE TABLE deployment (
        name TEXT NOT NULL PRIMARY KEY,
        value TEXT NOT NULL
    )",
    // The system pair. `refresh_owner`/`refresh_until` make refreshing single-flight across nodes
    // without a transaction open across the network.
    "CREATE TABLE portal_token (
        portal_id BIGINT NOT NULL PRIMARY KEY,
        access_sealed {blob} NOT NULL,
        refresh_sealed {blob} NOT NULL,
        expires_at BIGINT NOT NULL,
        version BIGINT NOT NULL,
        refresh_owner TEXT,
        refresh_until BIGINT NOT NULL DEFAULT 0,
        updated_at BIGINT NOT NULL
    )",
    // Installation events that could not be verified when they came; sealed, for an hour at most.
    "CREATE TABLE late_install (
        id {id},
        member_id TEXT NOT NULL,
        event_sealed {blob} NOT NULL,
        received_at BIGINT NOT NULL,
        due_at BIGINT NOT NULL
    )",
    // Wrapped data keys; kept apart from data backups, so that a destroyed key stays destroyed.
    "CREATE TABLE tenant_key (
        portal_id BIGINT NOT NULL,
        purpose TEXT NOT NULL,
        master_key_id TEXT NOT NULL,
        wrapped {blob} NOT NULL,
        created_at BIGINT NOT NULL,
        PRIMARY KEY (portal_id, purpose)
    )",
    "CREATE TABLE destroyed_key (
        portal_id BIGINT NOT NULL,
        purpose TEXT NOT NULL,
        destroyed_at BIGINT NOT NULL,
        PRIMARY KEY (portal_id, purpose)
    )",
    "CREATE TABLE portal_role (
        portal_id BIGINT NOT NULL,
        user_id BIGINT NOT NULL,
        role TEXT NOT NULL,
        grants TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (portal_id, user_id, role)
    )",
    "CREATE TABLE api_key (
        id TEXT NOT NULL PRIMARY KEY,
        portal_id BIGINT NOT NULL,
        hash TEXT NOT NULL,
        label TEXT NOT NULL,
        grants TEXT NOT NULL,
        hotels TEXT NOT NULL,
        made_by BIGINT NOT NULL,
        maker TEXT NOT NULL DEFAULT 'admin',
        created_at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL
    )",
    "CREATE TABLE idempotency (
        portal_id BIGINT NOT NULL,
        principal TEXT NOT NULL,
        route TEXT NOT NULL,
        key TEXT NOT NULL,
        body_hash TEXT NOT NULL,
        status INTEGER,
        body_sealed {blob},
        created_at BIGINT NOT NULL,
        PRIMARY KEY (portal_id, principal, route, key)
    )",
    // How often something may be asked for, over all nodes.
    "CREATE TABLE gate (
        name TEXT NOT NULL PRIMARY KEY,
        free_at BIGINT NOT NULL
    )",
    // --- who works on what -----------------------------------------------------------------------
    "CREATE TABLE lease (
        name TEXT NOT NULL PRIMARY KEY,
        owner TEXT NOT NULL,
        fence BIGINT NOT NULL,
        until BIGINT NOT NULL
    )",
    // The request bucket of one portal as one number (GCRA): the moment at which it will be empty again.
    "CREATE TABLE portal_bucket (
        portal_id BIGINT NOT NULL PRIMARY KEY,
        full_at BIGINT NOT NULL
    )",
    "CREATE TABLE portal_method (
        portal_id BIGINT NOT NULL,
        method TEXT NOT NULL,
        operating DOUBLE PRECISION NOT NULL,
        reset_at BIGINT NOT NULL,
        blocked_until BIGINT NOT NULL,
        banned BOOLEAN NOT NULL,
        row_seconds DOUBLE PRECISION NOT NULL,
        row_cost DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (portal_id, method)
    )",
    "CREATE TABLE request_log (
        id {id},
        portal_id BIGINT NOT NULL,
        at BIGINT NOT NULL,
        method TEXT NOT NULL,
        status INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        ms BIGINT NOT NULL,
        detail_sealed {blob} NOT NULL,
        expires_at BIGINT NOT NULL
    )",
    // --- hotels ----------------------------------------------------------------------------------
    "CREATE TABLE hotel (
        id {id},
        portal_id BIGINT NOT NULL,
        code TEXT NOT NULL,
        name TEXT NOT NULL,
        timezone TEXT NOT NULL,
        currency TEXT NOT NULL,
        settings TEXT NOT NULL DEFAULT '{}',
        clock_ahead_ms BIGINT NOT NULL DEFAULT 0,
        created_at BIGINT NOT NULL,
        removed_at BIGINT,
        UNIQUE (portal_id, code)
    )",
    "CREATE TABLE source (
        id {id},
        portal_id BIGINT NOT NULL,
        hotel_id BIGINT NOT NULL,
        kind TEXT NOT NULL,
        via TEXT NOT NULL,
        config_sealed {blob} NOT NULL,
        version BIGINT NOT NULL DEFAULT 1,
        state TEXT NOT NULL DEFAULT 'null',
        health TEXT NOT NULL DEFAULT 'new',
        health_detail TEXT NOT NULL DEFAULT '',
        notes TEXT NOT NULL DEFAULT '{}',
        last_ok_at BIGINT,
        last_record_at BIGINT,
        active_at BIGINT NOT NULL DEFAULT 0,
        next_poll_at BIGINT NOT NULL DEFAULT 0,
        failures INTEGER NOT NULL DEFAULT 0,
        recheck TEXT NOT NULL DEFAULT '{}'
    )",
    // --- inbox: what came in, before anything is decided -------------------------------------------
    // `state`: 0 waiting, 1 decided (kept for replay), 2 cannot be decided. `hash` is of the content, stamps apart.
    "CREATE TABLE inbox (
        id {id},
        portal_id BIGINT NOT NULL,
        hotel_id BIGINT NOT NULL DEFAULT 0,
        kind TEXT NOT NULL,
        subject TEXT NOT NULL,
        priority INTEGER NOT NULL,
        payload_sealed {blob} NOT NULL,
        hash TEXT NOT NULL DEFAULT '',
        state INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0,
        received_at BIGINT NOT NULL,
        not_before BIGINT NOT NULL DEFAULT 0
    )",
    // --- what we hold of hotels ----------------------------------------------------------------------
    "CREATE TABLE stay (
        portal_id BIGINT NOT NULL,
        hotel_id BIGINT NOT NULL,
        number TEXT NOT NULL,
        status TEXT NOT NULL,
        arrival TEXT NOT NULL,
        departure TEXT NOT NULL,
        main_guest TEXT NOT NULL DEFAULT '',
        group_number TEXT NOT NULL DEFAULT '',
        hash TEXT NOT NULL,
        facts_sealed {blob} NOT NULL,
        total_sealed {blob},
        source TEXT NOT NULL DEFAULT '',
        pms_time TEXT,
        received_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL,
        PRIMARY KEY (portal_id, hotel_id, number)
    )",
    "CREATE TABLE profile (
        portal_id BIGINT NOT NULL,
        hotel_id BIGINT NOT NULL,
        number TEXT NOT NULL,
        kind TEXT NOT NULL,
        hash TEXT NOT NULL,
        facts_sealed {blob} NOT NULL,
        source TEXT NOT NULL DEFAULT '',
        pms_time TEXT,
        received_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL,
        PRIMARY KEY (portal_id, hotel_id, number)
    )",
    // Who is erased: never taken in again, by the number alone. `act` names nobody.
    "CREATE TABLE erasure (
        portal_id BIGINT NOT NULL,
        hotel_id BIGINT NOT NULL,
        profile TEXT NOT NULL,
        stage TEXT NOT NULL DEFAULT 'asked',
        asked_by BIGINT NOT NULL,
        by_pms BOOLEAN NOT NULL,
        act TEXT NOT NULL DEFAULT '{}',
        asked_at BIGINT NOT NULL,
        due_at BIGINT NOT NULL DEFAULT 0,
        done_at BIGINT,
        PRIMARY KEY (portal_id, hotel_id, profile)
    )",
    // Which stays name which profile, so that a change of a guest finds his stays.
    "CREATE TABLE stay_profile (
        portal_id BIGINT NOT NULL,
        hotel_id BIGINT NOT NULL,
        stay TEXT NOT NULL,
        profile TEXT NOT NULL,
        role TEXT NOT NULL,
        PRIMARY KEY (portal_id, hotel_id, stay, profile, role)
    )",
    // Guests whom stays have left for `successor`, until it was looked whether the PMS still has them. `asked`: 0 not yet,
    // 1 it had him no more, once; 2 the inbox says so.
    "CREATE TABLE guest_left (
        portal_id BIGINT NOT NULL,
        hotel_id BIGINT NOT NULL,
        profile TEXT NOT NULL,
        successor TEXT NOT NULL,
        asked INTEGER NOT NULL DEFAULT 0,
        due_at BIGINT NOT NULL,
        PRIMARY KEY (portal_id, hotel_id, profile, successor)
    )",
    // Profiles that the PMS merged into `successor`, by the inbox row that told it: what came in before it says nothing of
    // them any more. `entity`, `crm_id`: the record that stood for such a one until then, and for nobody since; 0: none.
    "CREATE TABLE profile_merge (
        portal_id BIGINT NOT NULL,
        hotel_id BIGINT NOT NULL,
        profile TEXT NOT NULL,
        successor TEXT NOT NULL,
        inbox_id BIGINT NOT NULL,
        entity INTEGER NOT NULL,
        crm_id BIGINT NOT NULL,
        merged_at BIGINT NOT NULL,
        PRIMARY KEY (portal_id, hotel_id, profile)
    )",
    // What happened to a stay, as decided: steps of its status, moves of its dates. No guest's data.
    "CREATE TABLE stay_step (
        id {id},
        portal_id BIGINT NOT NULL,
        hotel_id BIGINT NOT NULL,
        stay TEXT NOT NULL,
        kind TEXT NOT NULL,
        old_value TEXT NOT NULL,
        new_value TEXT NOT NULL,
        pms_time TEXT,
        received_at BIGINT NOT NULL
    )",
    // --- what stands in the portal ---------------------------------------------------------------------
    // A subject is a stay or a profile; it is linked to at most one CRM record, ever.
    "CREATE TABLE link (
        portal_id BIGINT NOT NULL,
        subject TEXT NOT NULL,
        entity INTEGER NOT NULL,
        crm_id BIGINT NOT NULL,
        origin TEXT NOT NULL,
        marked BOOLEAN NOT NULL,
        created_at BIGINT NOT NULL,
        PRIMARY KEY (portal_id, subject)
    )",
    // When records that people or robots deleted were made again.
    "CREATE TABLE recreation (
        portal_id BIGINT NOT NULL,
        subject TEXT NOT NULL,
        made_at BIGINT NOT NULL,
        PRIMARY KEY (portal_id, subject, made_at)
    )",
    // The last state of a CRM record that the portal confirmed to us.
    "CREATE TABLE crm_record (
        portal_id BIGINT NOT NULL,
        entity INTEGER NOT NULL,
        crm_id BIGINT NOT NULL,
        hash TEXT NOT NULL,
        fields_sealed {blob} NOT NULL,
        updated_time TEXT NOT NULL DEFAULT '',
        updated_by BIGINT NOT NULL DEFAULT 0,
        closed_by_person BOOLEAN NOT NULL DEFAULT FALSE,
        edited BOOLEAN NOT NULL DEFAULT FALSE,
        deleted BOOLEAN NOT NULL DEFAULT FALSE,
        putbacks_sealed {blob},
        edits_sealed {blob},
        synced_at BIGINT NOT NULL,
        PRIMARY KEY (portal_id, entity, crm_id)
    )",
    // The portal's contacts, companies and deals by mark, phone and e-mail: keyed hashes only.
    "CREATE TABLE crm_index (
        portal_id BIGINT NOT NULL,
        entity INTEGER NOT NULL,
        kind TEXT NOT NULL,
        hash TEXT NOT NULL,
        crm_id BIGINT NOT NULL,
        name_hash TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (portal_id, entity, kind, hash, crm_id)
    )",
    // The portal's own fields, pipelines and stages as it last told them, for mappings to be checked against.
    "CREATE TABLE crm_schema (
        portal_id BIGINT NOT NULL PRIMARY KEY,
        document TEXT NOT NULL,
        read_at BIGINT NOT NULL
    )",
    // How far each delta scan of a portal came.
    "CREATE TABLE crm_scan (
        portal_id BIGINT NOT NULL,
        entity INTEGER NOT NULL,
        phase TEXT NOT NULL,
        after_id BIGINT NOT NULL DEFAULT 0,
        upto BIGINT NOT NULL DEFAULT 0,
        watermark TEXT NOT NULL DEFAULT '',
        started TEXT NOT NULL DEFAULT '',
        next_at BIGINT NOT NULL DEFAULT 0,
        looked_at BIGINT NOT NULL DEFAULT 0,
        PRIMARY KEY (portal_id, entity)
    )",
    // Since when a portal's events are bound, and when the queue that it keeps for us is read.
    "CREATE TABLE event_feed (
        portal_id BIGINT NOT NULL PRIMARY KEY,
        bound_at BIGINT NOT NULL,
        queue BOOLEAN NOT NULL,
        read_at BIGINT NOT NULL DEFAULT 0,
        next_at BIGINT NOT NULL DEFAULT 0
    )",
    // Changes that were found without waiting for their events. `verdict`: 0 open, 1 an event told of it in time, 2 none did.
    "CREATE TABLE found_change (
        portal_id BIGINT NOT NULL,
        subject TEXT NOT NULL,
        changed_at BIGINT NOT NULL,
        verdict INTEGER NOT NULL,
        PRIMARY KEY (portal_id, subject)
    )",
    // --- outbox: one row a subject that differs from what the portal confirmed ------------------------------
    // `state`: 0 waiting, 1 sent (its outcome is not known yet), 2 rejected by the portal, 3 failed for good.
    // `seq` grows with each change: a row is done only if nothing changed since it was read. `rank` puts records
    // before those that name them; `entity` and `target` say which record an open write goes to.
    "CREATE TABLE outbox (
        id {id},
        portal_id BIGINT NOT NULL,
        subject TEXT NOT NULL,
        intent TEXT NOT NULL,
        priority INTEGER NOT NULL,
        came_with INTEGER NOT NULL DEFAULT 0,
        rank INTEGER NOT NULL DEFAULT 0,
        seq BIGINT NOT NULL DEFAULT 1,
        state INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0,
        spoilt INTEGER NOT NULL DEFAULT 0,
        not_before BIGINT NOT NULL DEFAULT 0,
        seen_at BIGINT NOT NULL,
        fence BIGINT NOT NULL DEFAULT 0,
        sent_at BIGINT,
        hold_until BIGINT,
        entity INTEGER NOT NULL DEFAULT 0,
        target BIGINT NOT NULL DEFAULT 0,
        write_kind TEXT NOT NULL DEFAULT '',
        write_sealed {blob},
        UNIQUE (portal_id, subject)
    )",
    "CREATE TABLE problem (
        id {id},
        portal_id BIGINT NOT NULL,
        hotel_id BIGINT NOT NULL DEFAULT 0,
        subject TEXT NOT NULL,
        cause TEXT NOT NULL,
        kind TEXT NOT NULL,
        detail_sealed {blob} NOT NULL,
        count INTEGER NOT NULL DEFAULT 1,
        state TEXT NOT NULL DEFAULT 'open',
        note TEXT NOT NULL DEFAULT '',
        first_at BIGINT NOT NULL,
        last_at BIGINT NOT NULL,
        UNIQUE (portal_id, subject, cause)
    )",
    // What people said of all problems of a cause (of a hotel; 0: of the portal); goes with the last of them.
    "CREATE TABLE remedy (
        portal_id BIGINT NOT NULL,
        hotel_id BIGINT NOT NULL DEFAULT 0,
        kind TEXT NOT NULL,
        cause TEXT NOT NULL,
        action TEXT NOT NULL,
        note TEXT NOT NULL,
        asked_at BIGINT NOT NULL,
        asked_by BIGINT NOT NULL,
        PRIMARY KEY (portal_id, hotel_id, kind, cause)
    )",
    // What people are told about without having asked: troubles held between looks, who is told, notices on their way.
    "CREATE TABLE alert (
        portal_id BIGINT NOT NULL,
        hotel_id BIGINT NOT NULL,
        kind TEXT NOT NULL,
        since BIGINT NOT NULL,
        seen_at BIGINT NOT NULL,
        told_at BIGINT,
        PRIMARY KEY (portal_id, hotel_id, kind)
    )",
    "CREATE TABLE alert_settings (
        portal_id BIGINT NOT NULL PRIMARY KEY,
        settings_sealed {blob} NOT NULL
    )",
    "CREATE TABLE notice (
        id {id},
        portal_id BIGINT NOT NULL,
        notice_sealed {blob} NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        not_before BIGINT NOT NULL DEFAULT 0,
        created_at BIGINT NOT NULL
    )",
    // `crm_ids`: who may be the same, empty when nobody is left; `apart`: who is somebody else, as a person said.
    "CREATE TABLE merge_hint (
        id {id},
        portal_id BIGINT NOT NULL,
        subject TEXT NOT NULL,
        entity INTEGER NOT NULL,
        crm_ids TEXT NOT NULL,
        apart TEXT NOT NULL DEFAULT '',
        reason TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        UNIQUE (portal_id, subject)
    )",
    // Who is somebody else, as a person said: a profile that was taken off a record (`other` = `crm:<entity>:<id>`), and every
    // profile that stayed behind there (both ways). `asked_by`: -1: nobody said so, the PMS merged or parted them. `mark`: what the record is yet to lose of him; empty: it has.
    // `there`, `here`: the timelines of that record and of his own are yet to tell it.
    "CREATE TABLE split (
        portal_id BIGINT NOT NULL,
        subject TEXT NOT NULL,
        other TEXT NOT NULL,
        mark TEXT NOT NULL,
        there BOOLEAN NOT NULL,
        here BOOLEAN NOT NULL,
        asked_by BIGINT NOT NULL,
        asked_at BIGINT NOT NULL,
        PRIMARY KEY (portal_id, subject, other)
    )",
    "CREATE TABLE provenance (
        portal_id BIGINT NOT NULL,
        subject TEXT NOT NULL,
        fields_sealed {blob} NOT NULL,
        updated_at BIGINT NOT NULL,
        PRIMARY KEY (portal_id, subject)
    )",
    // Fields of a stay's deal where people took our write back: theirs until they are released. `written`: the former value
    // stands there again.
    "CREATE TABLE pin (
        portal_id BIGINT NOT NULL,
        subject TEXT NOT NULL,
        field TEXT NOT NULL,
        value_sealed {blob} NOT NULL,
        written BOOLEAN NOT NULL,
        asked_by BIGINT NOT NULL,
        asked_at BIGINT NOT NULL,
        PRIMARY KEY (portal_id, subject, field)
    )",
    "CREATE TABLE mapping (
        portal_id BIGINT NOT NULL,
        hotel_id BIGINT NOT NULL,
        version BIGINT NOT NULL,
        document TEXT NOT NULL,
        active BOOLEAN NOT NULL,
        made_by BIGINT NOT NULL,
        created_at BIGINT NOT NULL,
        PRIMARY KEY (portal_id, hotel_id, version)
    )",
    // Records taken along to another version of a mapping.
    "CREATE TABLE mapping_job (
        portal_id BIGINT NOT NULL,
        hotel_id BIGINT NOT NULL,
        version BIGINT NOT NULL,
        phase TEXT NOT NULL,
        after_key TEXT NOT NULL,
        total BIGINT NOT NULL,
        raised BIGINT NOT NULL,
        started_by BIGINT NOT NULL,
        started_at BIGINT NOT NULL,
        PRIMARY KEY (portal_id, hotel_id)
    )",
    // `kind`: `import`, `estimate` of one, `reconciliation`, `replay`.
    "CREATE TABLE job (
        id TEXT NOT NULL PRIMARY KEY,
        portal_id BIGINT NOT NULL,
        hotel_id BIGINT NOT NULL,
        state TEXT NOT NULL,
        kind TEXT NOT NULL,
        from_date TEXT NOT NULL,
        to_date TEXT NOT NULL,
        progress TEXT NOT NULL DEFAULT '{}',
        estimate TEXT,
        started_by BIGINT NOT NULL,
        created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL
    )",
    // What reconciliations found. No guest's data.
    "CREATE TABLE drift (
        portal_id BIGINT NOT NULL,
        job TEXT NOT NULL,
        subject TEXT NOT NULL,
        cause TEXT NOT NULL,
        arrival TEXT NOT NULL,
        detail TEXT NOT NULL,
        found_at BIGINT NOT NULL,
        PRIMARY KEY (portal_id, job, subject, cause)
    )",
    // What reconciliations counted, by day of arrival.
    "CREATE TABLE reconciled_day (
        portal_id BIGINT NOT NULL,
        job TEXT NOT NULL,
        arrival TEXT NOT NULL,
        pms BIGINT NOT NULL,
        store BIGINT NOT NULL,
        crm BIGINT NOT NULL,
        PRIMARY KEY (portal_id, job, arrival)
    )",
    // What an estimate that is under way has met.
    "CREATE TABLE estimated (
        portal_id BIGINT NOT NULL,
        job TEXT NOT NULL,
        kind TEXT NOT NULL,
        number TEXT NOT NULL,
        PRIMARY KEY (portal_id, job, kind, number)
    )",
];

const INDEXES: &[&str] = &[
    "CREATE INDEX request_log_by_portal ON request_log (portal_id, id)",
    "CREATE INDEX request_log_by_expiry ON request_log (expires_at)",
    "CREATE INDEX portal_due ON portal (check_at)",
    "CREATE INDEX notice_due ON notice (not_before)",
    "CREATE INDEX source_by_poll ON source (next_poll_at)",
    "CREATE INDEX source_by_hotel ON source (portal_id, hotel_id)",
    "CREATE UNIQUE INDEX source_demo_once ON source (portal_id) WHERE kind = 'demo'",
    "CREATE INDEX inbox_waiting ON inbox (portal_id, state, priority, id)",
    "CREATE INDEX inbox_by_subject ON inbox (portal_id, subject, state)",
    "CREATE UNIQUE INDEX inbox_event_once ON inbox (portal_id, subject) WHERE state = 0 AND kind = 'event'",
    "CREATE INDEX inbox_by_age ON inbox (state, received_at)",
    "CREATE INDEX erasure_open ON erasure (due_at) WHERE stage <> 'done'",
    "CREATE INDEX stay_by_arrival ON stay (portal_id, hotel_id, arrival)",
    "CREATE INDEX stay_by_group ON stay (portal_id, hotel_id, group_number)",
    "CREATE INDEX stay_profile_by_profile ON stay_profile (portal_id, hotel_id, profile)",
    "CREATE INDEX profile_merge_by_successor ON profile_merge (portal_id, hotel_id, successor)",
    "CREATE INDEX stay_step_by_stay ON stay_step (portal_id, hotel_id, stay, id)",
    "CREATE INDEX link_by_record ON link (portal_id, entity, crm_id)",
    "CREATE INDEX split_by_other ON split (portal_id, other)",
    "CREATE INDEX crm_index_by_record ON crm_index (portal_id, entity, crm_id)",
    "CREATE INDEX outbox_waiting ON outbox (portal_id, state, priority, rank, id)",
    "CREATE INDEX found_change_by_time ON found_change (portal_id, changed_at)",
    "CREATE INDEX problem_open ON problem (portal_id, state, last_at)",
    "CREATE INDEX job_by_portal ON job (portal_id, created_at)",
    "CREATE INDEX job_by_hotel ON job (portal_id, hotel_id, kind, created_at)",
    "CREATE INDEX job_open ON job (portal_id) WHERE state IN ('queued', 'running')",
    "CREATE INDEX idempotency_by_age ON idempotency (created_at)",
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
