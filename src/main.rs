use std::process::ExitCode;

/// A fifth of an import's processor time was the system's allocator (docs/benchmarks.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    fidelio_bitrix24::app::cli::main()
}
