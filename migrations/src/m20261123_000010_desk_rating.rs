//! What the customer thinks of a closed request.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::ConnectionTrait;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// 1 to 5; null: nobody said.
const STATEMENT: &str = "ALTER TABLE desk_request ADD COLUMN rating INTEGER";

#[expect(elided_lifetimes_in_paths, reason = "the trait's own signature elides it")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(STATEMENT).await.map(drop)
    }
}
