//! `fb24-sandbox-portal`: the emulated portal alone, for clients written in other languages.
//!
//! `--port N --oauth-port N --app URL --token-seconds N --installed`; prints one JSON line that says how to reach it,
//! then runs until its standard input ends or Ctrl-C.

use std::io::Write;
use std::process::ExitCode;

use fb24_sandbox::portal::{Portal, PortalOptions};
use serde_json::json;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = PortalOptions::default();
    let mut installed = false;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--port" => options.port = value()?.parse()?,
            "--oauth-port" => options.oauth_port = value()?.parse()?,
            "--app" => options.app_url = Some(value()?),
            "--token-seconds" => options.token_seconds = value()?.parse()?,
            "--installed" => installed = true,
            other => return Err(format!("unknown argument {other}").into()),
        }
    }
    let portal = Portal::try_start(options)?;
    if installed {
        portal.set_installed();
    }
    let pair = portal.tokens(1);
    let line = json!({
        "url": portal.url(), "oauth_url": portal.oauth_url(), "domain": portal.domain(),
        "client_endpoint": portal.client_endpoint(), "server_endpoint": portal.server_endpoint(),
        "member_id": portal.member_id(), "client_id": portal.client_id(), "client_secret": portal.client_secret(),
        "application_token": portal.application_token(), "webhook": portal.webhook(1),
        "access_token": pair.access, "refresh_token": pair.refresh, "expires": pair.expires,
    });
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    out.flush()?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result?,
        () = until_stdin_ends() => {}
    }
    Ok(())
}

/// A parent that dies closes our standard input: nothing is left running behind it.
async fn until_stdin_ends() {
    let (sender, ended) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        drop(sender);
    });
    let _ = ended.await;
}
