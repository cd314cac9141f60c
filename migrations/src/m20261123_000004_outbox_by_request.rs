//! What leaves a request is looked up by request: for its problem, and for another try.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const STATEMENTS: &[&str] = &["CREATE INDEX desk_outbox_by_request ON desk_outbox (portal_id, request_id, id)"];

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
