//! Speed and memory of the real binary beside an emulated portal and an emulated hotel, as one table: medians and ratios of
//! one run, next to the goal. Nothing here passes or fails but `crash`; it and `thousand` take long and run only when they
//! are asked for. Traffic stays on loopback and ends by itself.
//!
//! `cargo bench --bench bench -- [import|paces|change|slow|thousand|events|desk|memory|crash]…`; `FB24_BENCH_FULL=1` takes the full sizes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::indexing_slicing)]
#![allow(clippy::as_conversions, clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

/// The comparators are served by this program and must not be slower for their allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod change;
mod comparator;
mod crash;
mod database;
mod desk;
mod events;
mod import;
mod load;
mod memory;
mod paces;
mod proc;
mod slow;
mod street;
mod support;
mod table;
mod thousand;

use table::Table;

fn main() {
    fidelio_bitrix24::net::install_crypto();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    if let Ok(kind) = std::env::var(comparator::KIND) {
        runtime.block_on(comparator::serve(&kind));
        return;
    }
    if let Ok(houses) = std::env::var(street::HOUSES) {
        runtime.block_on(street::serve(&houses));
        return;
    }
    // `cargo bench` adds `--bench`.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let full = std::env::var("FB24_BENCH_FULL").is_ok_and(|value| value == "1");
    let is_named = |name: &str| wanted.iter().any(|asked| asked == name);
    let is_wanted = |name: &str| wanted.is_empty() || is_named(name);
    let (mut table, mut clean) = (Table::default(), true);
    runtime.block_on(async {
        if is_wanted("memory") {
            memory::run(&mut table, full).await;
        }
        if is_wanted("events") {
            events::run(&mut table).await;
        }
        if is_wanted("desk") {
            desk::run(&mut table, full).await;
        }
        if is_wanted("change") {
            change::run(&mut table).await;
        }
        if is_wanted("slow") {
            slow::run(&mut table).await;
        }
        if is_named("thousand") {
            thousand::run(&mut table).await;
        }
        if is_wanted("import") {
            import::run(&mut table, full).await;
        }
        if is_wanted("paces") {
            paces::run(&mut table, full).await;
        }
        if is_named("crash") {
            clean = Box::pin(crash::run(&mut table)).await;
        }
    });
    table.print();
    assert!(clean, "something was doubled, lost or wrong");
}
