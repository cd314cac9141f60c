//! The command line: `serve`, `agent`, `migrate`, `doctor` (contract, "Product and binary").

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{self, Config};
use crate::store::Db;
use crate::telemetry;

#[derive(Debug, Parser)]
#[command(name = "fidelio-bitrix24", version, about = "Connects the hotel PMS Fidelio Suite 8 with Bitrix24 CRM")]
struct Cli {
    /// Settings file (TOML); every key is explained in config/reference.toml.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Command {
    /// The application: HTTP, workers, hotel links.
    Serve,
    /// Inside the hotel's network: holds links to Fidelio, talks outbound HTTPS only (not in this release).
    Agent,
    /// Applies migrations and exits.
    Migrate,
    /// Checks settings, database, OAuth hosts, storage and clock; one line each; exit code 1 on a failure.
    Doctor,
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    telemetry::init(telemetry::Format::of_stderr());
    telemetry::log_panics();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error).context("the runtime does not start")),
    };
    runtime.block_on(run(cli)).unwrap_or_else(|error| fail(&error))
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    if matches!(cli.command, Command::Agent) {
        anyhow::bail!("the agent is not part of this release; hotels are reached directly (`via: direct`)");
    }
    let config = config::load(cli.config.as_deref())?;
    crate::net::install_crypto();
    match cli.command {
        Command::Serve => super::serve::serve(config).await?,
        Command::Migrate => migrate(&config).await?,
        Command::Doctor => return Ok(super::doctor::run(&config).await),
        Command::Agent => {}
    }
    Ok(ExitCode::SUCCESS)
}

async fn migrate(config: &Config) -> anyhow::Result<()> {
    let db = Db::connect_with(&config.database).await?;
    db.migrate().await?;
    tracing::info!("the schema is up to date");
    Ok(())
}

#[expect(clippy::print_stderr, reason = "the last word of a command line goes to its user")]
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("fidelio-bitrix24: {error:#}");
    ExitCode::FAILURE
}
