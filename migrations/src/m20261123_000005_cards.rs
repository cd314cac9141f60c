//! What is known of a request's card: how far it was read, how it stood, and whether it may have changed since.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const STATEMENTS: &[&str] = &[
    // As `desk_heard` for tasks. A card's number is one of its Kaiten company's: after a change of the company two may be equal.
    "CREATE TABLE desk_card (
        portal_id BIGINT NOT NULL,
        request_id BIGINT NOT NULL,
        card_id BIGINT NOT NULL,
        hints BIGINT NOT NULL DEFAULT 1,
        heeded BIGINT NOT NULL DEFAULT 0,
        not_before BIGINT NOT NULL DEFAULT 0,
        failures INTEGER NOT NULL DEFAULT 0,
        revision BIGINT NOT NULL DEFAULT 1,
        status TEXT NOT NULL DEFAULT '',
        status_at BIGINT,
        last_said BIGINT NOT NULL DEFAULT 0,
        active_at BIGINT NOT NULL DEFAULT 0,
        active_seen_at BIGINT NOT NULL DEFAULT 0,
        read_at BIGINT NOT NULL DEFAULT 0,
        gone BOOLEAN NOT NULL DEFAULT FALSE,
        PRIMARY KEY (portal_id, request_id)
    )",
    "CREATE INDEX desk_card_by_card ON desk_card (card_id)",
    "CREATE INDEX desk_card_due ON desk_card (not_before) WHERE hints <> heeded",
    // How far a board was looked through: for changes by its clock, and whole, for what is no change of a card there.
    "CREATE TABLE desk_board (
        board TEXT NOT NULL PRIMARY KEY,
        asked_at BIGINT NOT NULL,
        seen_to BIGINT NOT NULL,
        walked_at BIGINT NOT NULL,
        place BIGINT NOT NULL
    )",
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
