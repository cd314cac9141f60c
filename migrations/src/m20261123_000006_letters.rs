//! Letters that came in: each is taken once, whatever way it comes again.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseBackend};

#[derive(DeriveMigrationName)]
pub struct Migration;

const STATEMENTS: &[&str] = &[
    // `name`: a keyed hash of the letter. `files_done`: of its files, in their order. `content_sealed`: of what became no words
    // of a request.
    "CREATE TABLE desk_letter (
        portal_id BIGINT NOT NULL,
        name TEXT NOT NULL,
        nature TEXT NOT NULL,
        became TEXT NOT NULL,
        number TEXT,
        files_done BIGINT NOT NULL DEFAULT 0,
        content_sealed {blob},
        at BIGINT NOT NULL,
        PRIMARY KEY (portal_id, name)
    )",
    "CREATE INDEX desk_letter_by_age ON desk_letter (at)",
];

#[expect(elided_lifetimes_in_paths, reason = "the trait's own signature elides it")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let blob = match manager.get_database_backend() {
            DatabaseBackend::Postgres => "BYTEA",
            _ => "BLOB",
        };
        for statement in STATEMENTS {
            manager.get_connection().execute_unprepared(&statement.replace("{blob}", blob)).await?;
        }
        Ok(())
    }
}
