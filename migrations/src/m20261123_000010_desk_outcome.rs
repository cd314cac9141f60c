//! What becomes of a request beside its life: how it was rated, how long it stood where, which release fixes it.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::ConnectionTrait;

#[derive(DeriveMigrationName)]
pub struct Migration;

const STATEMENTS: &[&str] = &[
    // 1 to 5; null: nobody said.
    "ALTER TABLE desk_request ADD COLUMN rating INTEGER",
    // JSON of `domain::support::times::Times`; null: it was registered before this was kept.
    "ALTER TABLE desk_request ADD COLUMN times TEXT",
    "ALTER TABLE desk_request ADD COLUMN fixed_in TEXT",
    // Since then that release runs, and its submitter is told.
    "ALTER TABLE desk_request ADD COLUMN live_at BIGINT",
    "CREATE INDEX desk_request_fixed ON desk_request (portal_id, fixed_in, created_at, id) WHERE fixed_in IS NOT NULL",
    "CREATE INDEX desk_request_ahead ON desk_request (fixed_in) WHERE fixed_in IS NOT NULL AND live_at IS NULL",
];

#[expect(elided_lifetimes_in_paths, reason = "the trait's own signature elides it")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in STATEMENTS {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }
}
