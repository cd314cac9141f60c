//! `fb24-sandbox`: an emulated portal, an emulated hotel and their pages; with `--product` the real application between
//! them too. Prints one address; Ctrl-C ends everything it started.

mod launch;

use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match launch::run(std::env::args().skip(1)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            launch::say(&format!("\n{error}"));
            ExitCode::FAILURE
        }
    }
}
