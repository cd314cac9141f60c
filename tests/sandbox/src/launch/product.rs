//! The application as a child process: migrate, serve, watch, stop. No orphan is left, whatever ends first.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::{LaunchError, io};

const READY_WITHIN: Duration = Duration::from_secs(60);
const STOP_WITHIN: Duration = Duration::from_secs(15);

pub struct Product {
    binary: PathBuf,
    log: PathBuf,
    settings: Vec<(&'static str, String)>,
    serving: Option<Child>,
}

impl Product {
    pub fn new(binary: &Path, run_dir: &Path, settings: Vec<(&'static str, String)>) -> Self {
        Self { binary: binary.to_owned(), log: run_dir.join("product.log"), settings, serving: None }
    }

    /// The command with its settings; where the system can, it ends with us even if we are killed.
    fn command(&self, what: &str) -> Result<Command, LaunchError> {
        let guard = Path::new("/usr/bin/setpriv");
        let mut command = if guard.exists() {
            let mut command = Command::new(guard);
            command.args(["--pdeathsig", "TERM", "--"]).arg(&self.binary);
            command
        } else {
            Command::new(&self.binary)
        };
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&self.log).map_err(io("open the log"))?;
        let errors = log.try_clone().map_err(io("open the log"))?;
        command.arg(what).envs(self.settings.iter().map(|(k, v)| (k, v))).stdin(Stdio::null());
        // Its own process group: Ctrl-C reaches us, and we stop it in order.
        command.stdout(log).stderr(errors).process_group(0).kill_on_drop(true);
        Ok(command)
    }

    fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(15);
        lines.iter().skip(from).map(|line| format!("  {line}\n")).collect()
    }

    fn failed(&self, step: &'static str, status: ExitStatus) -> LaunchError {
        LaunchError::Product { step, status: status.to_string(), log: self.last_words(), path: self.log.clone() }
    }

    /// Migrates, serves, says when it is ready, and returns only when the application has ended by itself.
    pub async fn work(&mut self, ready: &str, say_ready: impl FnOnce()) -> Result<(), LaunchError> {
        std::fs::write(&self.log, "").map_err(io("open the log"))?;
        let migrated = self.command("migrate")?.status().await.map_err(io("start the application"))?;
        if !migrated.success() {
            return Err(self.failed("migrate", migrated));
        }
        let mut child = self.command("serve")?.spawn().map_err(io("start the application"))?;
        let outcome = tokio::select! {
            status = child.wait() => Err(self.failed("serve", status.map_err(io("watch the application"))?)),
            ready = self.until_ready(ready) => ready,
        };
        let child = self.serving.insert(child);
        outcome?;
        say_ready();
        let status = child.wait().await.map_err(io("watch the application"))?;
        self.serving = None;
        Err(self.failed("go on serving", status))
    }

    async fn until_ready(&self, url: &str) -> Result<(), LaunchError> {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build();
        let client = client.map_err(|error| io("make a client")(std::io::Error::other(error)))?;
        let until = Instant::now() + READY_WITHIN;
        while Instant::now() < until {
            if client.get(url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            sleep(Duration::from_millis(150)).await;
        }
        Err(LaunchError::NotReady { seconds: READY_WITHIN.as_secs(), log: self.last_words(), path: self.log.clone() })
    }

    /// Asks the application to end, then makes it.
    pub async fn stop(&mut self) {
        let Some(mut child) = self.serving.take() else { return };
        if let Some(pid) = child.id() {
            // Already gone: then there is nobody to ask.
            let _ = Command::new("kill").args(["-TERM", &pid.to_string()]).stderr(Stdio::null()).status().await;
        }
        if timeout(STOP_WITHIN, child.wait()).await.is_err() {
            let _ = child.kill().await;
        }
    }
}
