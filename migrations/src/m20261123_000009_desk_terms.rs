//! How long a request waits for its customer, and how long it is kept after its end.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::ConnectionTrait;

#[derive(DeriveMigrationName)]
pub struct Migration;

const STATEMENTS: &[&str] = &[
    // JSON of `domain::support::silence::Silence`; null: it is not the customer's turn.
    "ALTER TABLE desk_request ADD COLUMN silence TEXT",
    "ALTER TABLE desk_request ADD COLUMN closed_at BIGINT",
    "ALTER TABLE desk_request ADD COLUMN erased_at BIGINT",
    "UPDATE desk_request SET closed_at = updated_at WHERE state = 'closed'",
    "CREATE INDEX desk_request_to_erase ON desk_request (portal_id, closed_at)
        WHERE erased_at IS NULL AND closed_at IS NOT NULL",
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
