//! What is known of a request's task: how far it was read, how it stood, and whether it may have changed since.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const STATEMENTS: &[&str] = &[
    // `hints` grows with each sign of a change, `heeded` follows when the task was read whole. `said_from`: what was said up to
    // then was read where the task's conversation stood before.
    "CREATE TABLE desk_heard (
        portal_id BIGINT NOT NULL,
        request_id BIGINT NOT NULL,
        task_id BIGINT NOT NULL,
        hints BIGINT NOT NULL DEFAULT 1,
        heeded BIGINT NOT NULL DEFAULT 0,
        not_before BIGINT NOT NULL DEFAULT 0,
        failures INTEGER NOT NULL DEFAULT 0,
        revision BIGINT NOT NULL DEFAULT 1,
        status TEXT NOT NULL DEFAULT '',
        status_at BIGINT,
        chat_id BIGINT NOT NULL DEFAULT 0,
        last_said BIGINT NOT NULL DEFAULT 0,
        said_from BIGINT NOT NULL DEFAULT 0,
        active_at BIGINT NOT NULL DEFAULT 0,
        active_seen_at BIGINT NOT NULL DEFAULT 0,
        read_at BIGINT NOT NULL DEFAULT 0,
        gone BOOLEAN NOT NULL DEFAULT FALSE,
        PRIMARY KEY (portal_id, request_id)
    )",
    "CREATE UNIQUE INDEX desk_heard_by_task ON desk_heard (portal_id, task_id)",
    "CREATE INDEX desk_heard_due ON desk_heard (portal_id, not_before) WHERE hints <> heeded",
    // How far a desk's tasks were looked through for changes that nobody told of.
    "CREATE TABLE desk_hearing (
        portal_id BIGINT NOT NULL PRIMARY KEY,
        scanned_at BIGINT NOT NULL,
        seen_to BIGINT NOT NULL,
        newest BIGINT NOT NULL,
        place BIGINT NOT NULL
    )",
    "INSERT INTO desk_heard (portal_id, request_id, task_id)
        SELECT portal_id, request_id, CAST(remote_id AS BIGINT) FROM desk_remote WHERE channel = 'task' AND kind = 'task'",
];

#[expect(elided_lifetimes_in_paths, reason = "the trait's own signature elides it")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        for statement in STATEMENTS {
            db.execute_unprepared(statement).await?;
        }
        Ok(())
    }
}
