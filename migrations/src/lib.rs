//! Forward-only migrations for SQLite and PostgreSQL. The old release must run on the new schema (expand, then contract).

pub use sea_orm_migration::prelude::*;

mod m20261121_000001_foundation;
mod m20261123_000002_support_desk;
mod m20261123_000003_task_words;
mod m20261123_000004_outbox_by_request;
mod m20261123_000005_cards;
mod m20261123_000006_letters;
mod m20261123_000007_desk_files;
mod m20261123_000009_desk_terms;
mod m20261123_000010_desk_outcome;
mod m20261124_000011_desk_mailbox;

pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_foundation::Migration),
            Box::new(m20261123_000002_support_desk::Migration),
            Box::new(m20261123_000003_task_words::Migration),
            Box::new(m20261123_000004_outbox_by_request::Migration),
            Box::new(m20261123_000005_cards::Migration),
            Box::new(m20261123_000006_letters::Migration),
            Box::new(m20261123_000007_desk_files::Migration),
            Box::new(m20261123_000009_desk_terms::Migration),
            Box::new(m20261123_000010_desk_outcome::Migration),
            Box::new(m20261124_000011_desk_mailbox::Migration),
        ]
    }
}
