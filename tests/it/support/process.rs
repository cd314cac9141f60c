//! The real binary as its own process: started as an operator starts it, killed as a power cut kills it.

#![allow(dead_code, reason = "tests and benchmarks share it; each uses its part")]

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Environment of one product process.
#[derive(Clone, Debug)]
pub struct Settings(Vec<(String, String)>);

pub struct Process {
    child: Child,
    log: std::path::PathBuf,
    _folder: tempfile::TempDir,
    pub url: String,
    pub ops: String,
}

pub fn free_port() -> u16 {
    fb24_sandbox::ports::free().expect("a free port")
}

fn binary() -> Command {
    Command::new(env!("CARGO_BIN_EXE_fidelio-bitrix24"))
}

impl Settings {
    pub fn new(database: &str, portal: &fb24_sandbox::portal::Portal) -> Self {
        let key = "k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
        Self(Vec::new())
            .with("database.url", database)
            .with("secrets.master_key", key)
            .with("bitrix.client_id", &portal.client_id())
            .with("bitrix.client_secret", &portal.client_secret())
            .with("bitrix.oauth_hosts", &portal.oauth_url())
            .with("bitrix.allow_private", "*=127.0.0.0/8")
            .with("pms.allow_private", "*=127.0.0.0/8")
            .with("pms.poll_seconds", "1")
            .with("pms.settle_seconds", "0")
    }

    pub fn with(mut self, key: &str, value: &str) -> Self {
        let name = format!("FB24__{}", key.to_uppercase().replace('.', "__"));
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, value.to_owned()));
        self
    }

    /// What the product itself does not read, but what it is made of does.
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The whole environment, for processes other than the product.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    fn apply<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.envs(self.0.iter().map(|(key, value)| (key.as_str(), value.as_str())))
    }

    /// `fidelio-bitrix24 migrate`, and any other command that ends by itself.
    pub fn run(&self, command: &str) -> std::process::Output {
        self.run_at(command, "http://127.0.0.1:1")
    }

    /// The same under another public address.
    pub fn run_at(&self, command: &str, public_url: &str) -> std::process::Output {
        let public = self.clone().with("http.public_url", public_url);
        let mut binary = binary();
        let command = public.apply(&mut binary).arg(command).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let end = Instant::now() + Duration::from_secs(60);
        // One that does not end by itself is stopped, and has no exit code then.
        while child.try_wait().expect("the child can be asked").is_none() {
            if Instant::now() > end {
                child.kill().expect("the child can be killed");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        child.wait_with_output().expect("its output")
    }
}

impl Process {
    /// Starts `serve` on free ports and waits until it is ready.
    pub async fn start(settings: &Settings) -> Self {
        Self::start_as(settings, free_port()).await
    }

    /// Starts `serve` where an earlier process was, as a service manager does after a crash.
    pub async fn start_as(settings: &Settings, port: u16) -> Self {
        Self::start_behind(settings, port, &format!("http://127.0.0.1:{port}")).await
    }

    /// Starts `serve` as one of several nodes behind a common address.
    pub async fn start_behind(settings: &Settings, port: u16, public_url: &str) -> Self {
        let mut process = Self::spawn(settings, port, public_url);
        process.wait_until_ready().await;
        process
    }

    /// The same, without waiting until it is ready.
    pub fn spawn(settings: &Settings, port: u16, public_url: &str) -> Self {
        let url = format!("http://127.0.0.1:{port}");
        let ops_port = free_port();
        let settings = settings
            .clone()
            .with("http.listen", &format!("127.0.0.1:{port}"))
            .with("http.public_url", public_url)
            .with("ops.listen", &format!("127.0.0.1:{ops_port}"));
        let loud = std::env::var("FB24_TEST_LOG").is_ok();
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("log");
        let file = std::fs::File::create(&log).expect("a log file");
        let child = settings
            .apply(&mut binary())
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(if loud { Stdio::inherit() } else { Stdio::from(file) })
            .spawn()
            .expect("the binary starts");
        Self { child, log, _folder: folder, url, ops: format!("http://127.0.0.1:{ops_port}") }
    }

    pub async fn wait_until_ready(&mut self) {
        let http = reqwest::Client::new();
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            if let Ok(answer) = http.get(format!("{}/health/ready", self.ops)).send().await
                && answer.status().is_success()
            {
                return;
            }
            if let Some(status) = self.child.try_wait().expect("the child can be asked") {
                panic!("the product ended with {status} before it was ready; FB24_TEST_LOG=1 shows its log");
            }
            assert!(Instant::now() < end, "the product is not ready after 30 s; FB24_TEST_LOG=1 shows its log");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn port(&self) -> u16 {
        self.url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: nothing is finished, nothing is flushed.
    pub fn kill(mut self) {
        self.strike();
    }

    /// The same, to be replaced by another one.
    pub fn strike(&mut self) {
        self.child.kill().expect("the child can be killed");
        self.child.wait().expect("the child ends");
    }

    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("the child can be asked").is_none()
    }

    /// SIGTERM, and its exit code.
    pub fn terminate(self) -> Option<i32> {
        self.end().0
    }

    /// SIGTERM; its exit code and everything it logged.
    pub fn end(mut self) -> (Option<i32>, String) {
        let done = Command::new("kill").arg(self.child.id().to_string()).status().expect("kill runs");
        assert!(done.success());
        let code = self.child.wait().expect("the child ends").code();
        (code, self.log())
    }

    /// What it calls itself in leases; nothing while `FB24_TEST_LOG` shows its log instead.
    pub fn node(&self) -> Option<String> {
        let log = self.log();
        let line = log.lines().find(|line| line.contains("\"serving\""))?;
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        line["node"].as_str().map(str::to_owned)
    }

    /// What it has logged so far, a JSON object a line; empty while `FB24_TEST_LOG` shows it.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).expect("the log can be read")
    }

    pub async fn metrics(&self) -> String {
        reqwest::get(format!("{}/metrics", self.ops)).await.expect("metrics").text().await.expect("text")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
