//! How far the desk's mailbox was read.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::ConnectionTrait;

#[derive(DeriveMigrationName)]
pub struct Migration;

const STATEMENT: &str = "CREATE TABLE desk_mailbox (
        portal_id BIGINT NOT NULL,
        name TEXT NOT NULL,
        validity BIGINT NOT NULL,
        next BIGINT NOT NULL,
        held TEXT NOT NULL,
        PRIMARY KEY (portal_id, name)
    )";

#[expect(elided_lifetimes_in_paths, reason = "the trait's own signature elides it")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(STATEMENT).await?;
        Ok(())
    }
}
