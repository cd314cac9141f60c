//! Files of requests: what was handed in, by whom, and where its sealed bytes lie (`files`).

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseBackend};

#[derive(DeriveMigrationName)]
pub struct Migration;

const STATEMENTS: &[&str] = &[
    // `state`: 0 on its way in, 1 kept, 2 to be taken out of the store. Its object lies with `key_portal`, under whose request
    // key it is sealed.
    "CREATE TABLE desk_file (
        id {id},
        portal_id BIGINT NOT NULL,
        request_id BIGINT NOT NULL,
        key_portal BIGINT NOT NULL,
        object TEXT NOT NULL UNIQUE,
        state INTEGER NOT NULL DEFAULT 0,
        internal BOOLEAN NOT NULL,
        by_desk BOOLEAN NOT NULL,
        name_sealed {blob} NOT NULL,
        mime TEXT NOT NULL DEFAULT '',
        length BIGINT NOT NULL DEFAULT 0,
        created_at BIGINT NOT NULL
    )",
    "CREATE INDEX desk_file_by_request ON desk_file (portal_id, request_id, id)",
    "CREATE INDEX desk_file_by_key ON desk_file (key_portal)",
    "CREATE INDEX desk_file_to_remove ON desk_file (created_at) WHERE state <> 1",
];

#[expect(elided_lifetimes_in_paths, reason = "the trait's own signature elides it")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let (id, blob) = match manager.get_database_backend() {
            DatabaseBackend::Postgres => ("BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "BYTEA"),
            _ => ("INTEGER PRIMARY KEY AUTOINCREMENT", "BLOB"),
        };
        for statement in STATEMENTS {
            let statement = statement.replace("{id}", id).replace("{blob}", blob);
            manager.get_connection().execute_unprepared(&statement).await?;
        }
        Ok(())
    }
}
