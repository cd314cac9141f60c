//! Forward-only migrations for SQLite and PostgreSQL. The old release must run on the new schema (expand, then contract).

pub use sea_orm_migration::prelude::*;

mod m20261121_000001_foundation;
mod m20261123_000002_support_desk;
mod m20261123_000003_task_words;

pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_foundation::Migration),
            Box::new(m20261123_000002_support_desk::Migration),
            Box::new(m20261123_000003_task_words::Migration),
        ]
    }
}
