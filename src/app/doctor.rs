//! `doctor`: is everything there that `serve` needs? One plain line each; nothing secret is printed.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use chrono::{DateTime, Utc};
use url::Url;

use crate::clock::Clock;
use crate::config::{self, Config};
use crate::domain::support::card_moves::Stage;
use crate::files::FileError;
use crate::kaiten::{self, Cards};
use crate::mail::mailbox::MailboxError;
use crate::net::Authorities;
use crate::store::{Db, Schema, StoreError};

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub ok: bool,
    pub what: String,
    pub detail: String,
}

impl Line {
    fn new(what: impl Into<String>, outcome: Result<String, String>) -> Self {
        let ok = outcome.is_ok();
        Self { ok, what: what.into(), detail: outcome.unwrap_or_else(|detail| detail) }
    }
}

/// Prints the report; fails when a line failed.
#[expect(clippy::print_stdout, reason = "the report is the command's output")]
pub async fn run(config: &Config) -> ExitCode {
    let lines = examine(config).await;
    for line in &lines {
        println!("{} {}: {}", if line.ok { "ok  " } else { "FAIL" }, line.what, line.detail);
    }
    if lines.iter().all(|line| line.ok) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

pub async fn examine(config: &Config) -> Vec<Line> {
    let mut lines: Vec<Line> =
        config.findings().into_iter().map(|found| Line::new(found.key, Err(found.text))).collect();
    if lines.is_empty() {
        lines.push(Line::new("settings", Ok("complete, and safe for the addresses they name".to_owned())));
    }
    lines.push(Line::new("database", database(config).await));
    let mut skew = None;
    for host in &config.bitrix.oauth_hosts {
        let name = format!("OAuth host {}", host.host_str().unwrap_or_default());
        let answer = oauth_host(host).await;
        skew = skew.or(answer.as_ref().ok().copied().flatten());
        lines.push(Line::new(name, answer.map(|_| "answers".to_owned())));
    }
    lines.push(Line::new("clock", clock(skew)));
    lines.extend(authorities(&config.bitrix.portal_ca));
    lines.push(Line::new("storage", storage(&config.storage).await));
    lines.push(Line::new("mail", mail(&config.mail).await));
    lines.push(Line::new("mailbox", mailbox(&config.support).await));
    lines.push(Line::new("support portal", Ok(support(config))));
    if config.support.kaiten() {
        lines.push(Line::new("Kaiten", kaiten(config).await));
    }
    lines
}

async fn database(config: &Config) -> Result<String, String> {
    let db = Db::connect_with(&config.database).await.map_err(plain)?;
    db.ping().await.map_err(plain)?;
    match db.schema().await.map_err(plain)? {
        Schema::Current => {}
        Schema::Behind => return Err("answers, but the schema is older than this release: run `migrate`".to_owned()),
        Schema::Newer => return Err(StoreError::NewerSchema.to_string()),
    }
    let ring = config.keyring().map_err(|error| error.to_string())?;
    let unknown = crate::store::keys::unknown_key_ids(&db, &ring).await.map_err(plain)?;
    if unknown.is_empty() {
        Ok(format!("{:?} answers, the schema is this release's", db.engine()))
    } else {
        Err(format!(
            "rows are sealed under master keys that are not configured: {}; add them to secrets.previous_keys",
            unknown.join(", ")
        ))
    }
}

/// A database error without the address it was tried at: it may hold a user name.
fn plain(error: StoreError) -> String {
    match error {
        StoreError::Database(_) => "does not answer: check database.url, user and password".to_owned(),
        other => other.to_string(),
    }
}

/// Any answer shows that the host is reached. Answers how many seconds our clock is before the host's `Date`.
async fn oauth_host(host: &Url) -> Result<Option<i64>, String> {
    let client = crate::net::operator_client().map_err(|error| error.to_string())?;
    let url = host.join("/oauth/token/").map_err(|_| "is no usable address".to_owned())?;
    let answer = client
        .get(url)
        .timeout(Duration::from_secs(10))
        .send()
        .await
        .map_err(|error| format!("does not answer ({}): let this machine call it by HTTPS", error.without_url()))?;
    Ok(answer
        .headers()
        .get("date")
        .and_then(|value| value.to_str().ok())
        .and_then(|text| DateTime::parse_from_rfc2822(text).ok())
        .map(|theirs| (Utc::now() - theirs.with_timezone(&Utc)).num_seconds()))
}

/// Nodes share leases and the portal's allowance by the clock (decision 0003).
fn clock(skew: Option<i64>) -> Result<String, String> {
    match skew {
        Some(skew) if skew.abs() > 60 => Err(format!("is {skew} s off the OAuth host's: set up NTP on this machine")),
        Some(_) => Ok("agrees with the OAuth host's".to_owned()),
        None => Err("cannot be compared, no OAuth host tells the time: mend the lines above first".to_owned()),
    }
}

/// A line for each file; entries that cannot be read at all are a finding of their own.
fn authorities(entries: &[String]) -> Vec<Line> {
    let files = Authorities::parse(entries).unwrap_or_default();
    let line = |(member, path): (String, PathBuf)| {
        let read = Authorities::file(&path).map(|_| format!("{} holds certificates", path.display()));
        Line::new(format!("bitrix.portal_ca {member}"), read)
    };
    files.into_iter().map(line).collect()
}

async fn storage(storage: &config::Storage) -> Result<String, String> {
    let store = crate::support::open_files(storage).map_err(|error| error.to_string())?;
    match store.check().await {
        Ok(()) => Ok("a file can be written, read and removed".to_owned()),
        Err(error @ FileError::Refused(_)) => Err(format!("{error}: check storage.* and what its user may do")),
        Err(error) => Err(format!("{error}: let the service's user write there, or name another place in storage.url")),
    }
}

async fn mail(settings: &config::Mail) -> Result<String, String> {
    match super::serve::mailer(settings).map_err(|error| error.to_string())? {
        None => Ok("not set: people are told of troubles in the portal only".to_owned()),
        Some(mailer) => match mailer.check().await {
            Ok(()) => Ok("the server answers and lets us in".to_owned()),
            Err(error) => Err(format!("{error}: check mail.smtp_url, mail.smtp_user and mail.smtp_password")),
        },
    }
}

async fn mailbox(settings: &config::Support) -> Result<String, String> {
    let told =
        |error: MailboxError| format!("{error}: check support.imap_url, support.imap_user and support.imap_password");
    match super::serve::mailbox(settings).map_err(|error| error.to_string())? {
        None => Ok("not set: letters come by the hook only, if by anything".to_owned()),
        Some(mailbox) => {
            mailbox.open().await.map_err(told)?;
            Ok("the server lets us in and shows the folder".to_owned())
        }
    }
}

/// Whether it is reached, knows the token and shows the board, and whether its columns tell where a request stands.
async fn kaiten(config: &Config) -> Result<String, String> {
    let client = super::serve::kaiten_client(config, Clock::system()).map_err(|error| error.to_string())?;
    let Some(client) = client else { return Ok("no tracker".to_owned()) };
    let told = |what: &'static str| move |error: kaiten::Error| format!("{error}: check {what}");
    client
        .me()
        .await
        .map_err(told("support.kaiten_url and support.kaiten_token, and that this machine may call it"))?;
    let columns = client.columns().await.map_err(told("support.kaiten_board, and that the token's user may see it"))?;
    client.page(None, 0).await.map_err(told("that the token's user may see the board's cards"))?;
    let lacks = |stage| !columns.iter().any(|column| column.stage == stage);
    let stages = [(Stage::Queue, "queue"), (Stage::InProgress, "in progress"), (Stage::Done, "done")];
    let lacking: Vec<&str> = stages.into_iter().filter(|(stage, _)| lacks(*stage)).map(|(_, word)| word).collect();
    if columns.is_empty() {
        return Err("the board has no columns: check support.kaiten_board".to_owned());
    }
    let shown = format!("answers, takes the token, shows the board with {} columns", columns.len());
    Ok(match lacking.is_empty() {
        true => shown,
        false => {
            format!("{shown}, none of type {}: name some in the desk's settings (kaiten_columns)", lacking.join(", "))
        }
    })
}

fn support(config: &Config) -> String {
    if config.support.named().is_none() {
        "not set: requests go to the customer's own portal and public forms are closed".to_owned()
    } else {
        "set".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s50_a_clock_that_is_off_or_cannot_be_compared_fails_with_what_to_do() {
        assert!(clock(Some(0)).is_ok() && clock(Some(-60)).is_ok());
        for off in [61, -7_200] {
            assert!(clock(Some(off)).expect_err("off").contains("NTP"));
        }
        assert!(clock(None).is_err());
    }
}
