//! A server that answers as a script says, byte by byte: for what a well-behaved portal never does. And the least that a
//! client needs around it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use fidelio_bitrix24::bitrix::{
    AllowanceStore, Client, Error, LogEntry, MethodState, OAuthHosts, PortalAddress, PortalClient, RequestLog, Take,
    TokenSource,
};
use fidelio_bitrix24::clock::Clock;
use fidelio_bitrix24::net::Guard;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[derive(Debug, Clone)]
pub struct Seen {
    /// `POST /rest/profile`
    pub line: String,
    pub headers: String,
    pub body: String,
}

impl Seen {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    pub fn header(&self, name: &str) -> Option<String> {
        let lines = self.headers.lines();
        lines
            .filter_map(|line| line.split_once(": "))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_owned())
    }
}

#[derive(Debug, Clone)]
pub enum Reply {
    Json(u16, Value),
    Html(u16, &'static str),
    Redirect(String),
    /// The request is read, then the connection is closed.
    Vanish,
    /// No answer for as long as the client waits.
    Hang,
}

pub fn ok(result: Value) -> Reply {
    Reply::Json(200, json!({"result": result, "time": {}}))
}

pub fn refuse(status: u16, code: &str) -> Reply {
    Reply::Json(status, json!({"error": code, "error_description": "no"}))
}

pub struct Server {
    pub url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub async fn start(handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (log, handler) = (seen.clone(), Arc::new(handler));
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, handler.clone(), log.clone()));
            }
        });
        Self { url, seen, task }
    }

    /// Answers each request with the next of these; repeats the last one.
    pub async fn script(replies: Vec<Reply>) -> Self {
        let queue = Mutex::new(VecDeque::from(replies));
        Self::start(move |_| {
            let mut queue = queue.lock().expect("the script");
            if queue.len() > 1 { queue.pop_front() } else { queue.front().cloned() }.expect("a reply")
        })
        .await
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("the log").clone()
    }
}

async fn serve(mut socket: TcpStream, handler: Arc<dyn Fn(&Seen) -> Reply + Send + Sync>, log: Arc<Mutex<Vec<Seen>>>) {
    let mut buffer = Vec::new();
    loop {
        let (head, length) = loop {
            if let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
                let length =
                    head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                break (head, end + 4 + length.unwrap_or(0_usize));
            }
            if socket.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                return;
            }
        };
        while buffer.len() < length {
            if socket.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let rest = buffer.split_off(length);
        let body = String::from_utf8_lossy(&buffer[head.len() + 4..]).into_owned();
        buffer = rest;
        let (line, headers) = head.split_once("\r\n").unwrap_or((&head, ""));
        let seen = Seen { line: line.trim_end_matches(" HTTP/1.1").to_owned(), headers: headers.to_owned(), body };
        let reply = handler(&seen);
        log.lock().expect("the log").push(seen);
        let (status, extra, kind, body) = match reply {
            Reply::Json(status, json) => (status, String::new(), "application/json", json.to_string()),
            Reply::Html(status, text) => (status, String::new(), "text/html", text.to_owned()),
            Reply::Redirect(to) => (302, format!("Location: {to}\r\n"), "text/html", String::new()),
            Reply::Vanish => return,
            Reply::Hang => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                return;
            }
        };
        let answer = format!(
            "HTTP/1.1 {status} x\r\nContent-Type: {kind}\r\n{extra}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        if socket.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Tokens in memory; each renewal makes the next one.
#[derive(Default)]
pub struct Tokens {
    renewals: AtomicI64,
    pub moved: Mutex<Vec<String>>,
}

impl Tokens {
    pub fn renewals(&self) -> i64 {
        self.renewals.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl TokenSource for Tokens {
    async fn current(&self) -> Result<SecretString, Error> {
        Ok(format!("token-{}", self.renewals()).into())
    }
    async fn renewed(&self, stale: &SecretString) -> Result<SecretString, Error> {
        assert_eq!(stale.expose_secret(), format!("token-{}", self.renewals()));
        self.renewals.fetch_add(1, Ordering::SeqCst);
        self.current().await
    }
    async fn moved(&self, client_endpoint: &str) -> Result<(), Error> {
        self.moved.lock().expect("moves").push(client_endpoint.to_owned());
        Ok(())
    }
}

/// An allowance without end that counts.
#[derive(Default)]
pub struct Counter {
    pub taken: AtomicI64,
    pub drained: AtomicI64,
    pub methods: Mutex<Vec<MethodState>>,
}

#[async_trait]
impl AllowanceStore for Counter {
    async fn take_request(&self, _: i64, _: u32, _: u32) -> Result<Take, Error> {
        self.taken.fetch_add(1, Ordering::SeqCst);
        Ok(Take::Granted)
    }
    async fn drain(&self, _: i64, _: u32, _: u32) -> Result<(), Error> {
        self.drained.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
    async fn methods(&self) -> Result<Vec<MethodState>, Error> {
        Ok(vec![])
    }
    async fn save_method(&self, state: &MethodState) -> Result<(), Error> {
        self.methods.lock().expect("methods").push(state.clone());
        Ok(())
    }
}

#[derive(Default)]
pub struct Log(pub Mutex<Vec<LogEntry>>);

#[async_trait]
impl RequestLog for Log {
    async fn record(&self, entry: LogEntry) {
        self.0.lock().expect("the log").push(entry);
    }
}

/// A client of one portal and everything around it.
pub struct Bench {
    pub client: PortalClient,
    pub tokens: Arc<Tokens>,
    pub allowance: Arc<Counter>,
    pub log: Arc<Log>,
}

pub fn oauth(url: &str) -> OAuthHosts {
    OAuthHosts::new(vec![url.parse().expect("a URL")], "app.test", "secret-of-ours".to_owned().into()).expect("hosts")
}

/// `oauth_url`: any address where nobody listens will do for most.
pub fn bench(portal_url: &str, oauth_url: &str, clock: Clock) -> Bench {
    let guard = Guard::parse(&["m1=127.0.0.0/8".to_owned()]).expect("a guard");
    let (tokens, allowance, log) =
        (Arc::new(Tokens::default()), Arc::new(Counter::default()), Arc::new(Log::default()));
    let address = PortalAddress {
        member_id: "m1".into(),
        client_endpoint: format!("{portal_url}/rest/").parse().expect("a URL"),
        ca_pem: None,
        burst: 50,
        per_second: 2,
        operating_seconds: 480,
        request_cap: Duration::from_millis(300),
    };
    let client =
        Client::new(guard, oauth(oauth_url)).portal(address, tokens.clone(), allowance.clone(), log.clone(), clock);
    Bench { client, tokens, allowance, log }
}

impl Bench {
    pub fn to(server: &Server) -> Self {
        bench(&server.url, "http://127.0.0.1:9", Clock::system())
    }

    pub fn log(&self) -> Vec<LogEntry> {
        self.log.0.lock().expect("the log").clone()
    }
}
