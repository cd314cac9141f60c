//! Exchanges with one hotel's interface over HTTP (facts §1): one in flight, answers streamed.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use reqwest::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, DATE};
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc};
use url::Url;
use uuid::Uuid;

use crate::net::refusal;

use super::error::{Status, WireError, masked};
use super::packing::{Collector, PACKED, PackError, SUPPORTED, pack, unpack};
use super::request::{Login, Query, name, of_nobody, write};
use super::xml::{Item, Limits, PIECE, Reader, Row};

/// Bytes of a packed answer before unpacking.
const PACKED_CAP: usize = 32 << 20;

/// One exchange: what readers of a hotel stand on, so that they can be tested against a hotel in memory.
#[async_trait]
pub trait Exchange: Send + Sync {
    /// Sends the queries as one message. An error means no rows at all, also when one query of several failed.
    async fn ask(&self, queries: &[Query]) -> Result<Box<dyn Answer>, WireError>;

    /// Whether the interface is what answers at its address. Nothing of the login is sent.
    async fn reach(&self) -> Result<(), WireError> {
        Ok(())
    }
}

/// Rows as they arrive.
#[async_trait]
pub trait Answer: Send {
    /// The next lot with the index of the query each row answers; `None` when the answer ended whole.
    async fn next(&mut self) -> Result<Option<Vec<(usize, Row)>>, WireError>;

    /// The server's own clock when it answered.
    fn served_at(&self) -> Option<DateTime<Utc>>;
}

/// The interface of one hotel.
pub struct Client {
    pub http: reqwest::Client,
    pub url: Url,
    pub login: Login,
    /// Send packed, ask for packed answers. Packed answers are understood in any case.
    pub packed: bool,
    /// Longest silence: before the answer begins, and between two pieces of it.
    pub timeout: Duration,
    pub limits: Limits,
    /// One exchange at a time, its answer included: an interface serves one user at a time.
    pub gate: Arc<Mutex<()>>,
}

impl Client {
    async fn send(&self, body: String) -> Result<reqwest::Response, WireError> {
        let mut request = self.http.post(self.url.clone()).header(CACHE_CONTROL, "no-cache");
        request = if self.packed {
            request.header(CONTENT_TYPE, PACKED).header(SUPPORTED.0, SUPPORTED.1).body(body)
        } else {
            request.header(CONTENT_TYPE, "application/xml").header(ACCEPT, "application/xml").body(body)
        };
        match tokio::time::timeout(self.timeout, request.send()).await {
            Err(_) => Err(WireError::Timeout),
            Ok(Err(error)) => Err(transport(&error)),
            Ok(Ok(response)) => Ok(response),
        }
    }

    /// Sends one message and reads its answer up to the header.
    async fn exchange(&self, id: String, message: String, names: Vec<String>) -> Result<HttpAnswer, WireError> {
        let gate = Arc::clone(&self.gate).lock_owned().await;
        let body = if self.packed { pack(message.as_bytes())? } else { message };
        let response = match self.send(body.clone()).await {
            // A kept connection may be closed under our hands; a query may be sent twice (facts §1 "Keep-alive").
            Err(WireError::Broken) => self.send(body).await?,
            other => other?,
        };
        if response.status() != reqwest::StatusCode::OK {
            return Err(WireError::Http(response.status().as_u16()));
        }
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let served_at = header(DATE).and_then(|text| DateTime::parse_from_rfc2822(&text).ok()).map(|at| at.to_utc());
        let is_packed = header(CONTENT_TYPE).is_some_and(|text| text.to_ascii_uppercase().contains(PACKED));
        let mut pieces = Pieces { response, timeout: self.timeout };
        let body = if is_packed { Body::Packed(unpacked(&mut pieces).await?) } else { Body::Plain(pieces) };
        let mut answer = HttpAnswer {
            body,
            reader: Some(Reader::new(self.limits)),
            names,
            block: None,
            blocks: 0,
            lot: Vec::new(),
            id,
            opened: false,
            served_at,
            _gate: gate,
        };
        answer.open().await?;
        Ok(answer)
    }
}

#[async_trait]
impl Exchange for Client {
    async fn ask(&self, queries: &[Query]) -> Result<Box<dyn Answer>, WireError> {
        let id = Uuid::new_v4().to_string();
        let message = write(&self.login, &id, queries);
        Ok(Box::new(self.exchange(id, message, (0..queries.len()).map(name).collect()).await?))
    }

    async fn reach(&self) -> Result<(), WireError> {
        let id = Uuid::new_v4().to_string();
        match self.exchange(id.clone(), of_nobody(&id), Vec::new()).await {
            // It wants a login and a question; that is for the next layer.
            Ok(_) | Err(WireError::Status { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Which layer a failed request broke at.
fn transport(error: &reqwest::Error) -> WireError {
    if let Some(refused) = refusal(error) {
        return match refused {
            crate::net::Refused::NoAddress { .. } => WireError::Dns,
            refused => WireError::Address(refused),
        };
    }
    if let Some(tls) = crate::net::tls_fault(error) {
        return WireError::Tls(tls);
    }
    if error.is_timeout() {
        WireError::Timeout
    } else if error.is_connect() {
        WireError::Connect
    } else {
        WireError::Broken
    }
}

struct Pieces {
    response: reqwest::Response,
    timeout: Duration,
}

impl Pieces {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, WireError> {
        match tokio::time::timeout(self.timeout, self.response.chunk()).await {
            Err(_) => Err(WireError::Timeout),
            Ok(Err(error)) if error.is_timeout() => Err(WireError::Timeout),
            Ok(Err(_)) => Err(WireError::Broken),
            Ok(Ok(chunk)) => Ok(chunk.map(|chunk| chunk.to_vec())),
        }
    }
}

/// Collects a packed body and unpacks it beside us: the archive's directory stands at its end, so the compressed bytes
/// must be there first; what comes out of them leaves piece by piece.
async fn unpacked(pieces: &mut Pieces) -> Result<mpsc::Receiver<Result<Vec<u8>, PackError>>, WireError> {
    let mut collector = Collector::new(PACKED_CAP);
    while let Some(chunk) = pieces.next().await? {
        collector.feed(&chunk)?;
    }
    let archive = collector.finish()?;
    let (send, receive) = mpsc::channel(2);
    tokio::task::spawn_blocking(move || {
        if let Err(error) = unpack(archive, PIECE, |piece| send.blocking_send(Ok(piece)).is_ok()) {
            // Nobody listens any more: the reader stopped first.
            let _ = send.blocking_send(Err(error));
        }
    });
    Ok(receive)
}

enum Body {
    Plain(Pieces),
    Packed(mpsc::Receiver<Result<Vec<u8>, PackError>>),
}

struct HttpAnswer {
    body: Body,
    /// Gone when the answer has ended.
    reader: Option<Reader>,
    names: Vec<String>,
    /// Which query the current block answers.
    block: Option<usize>,
    blocks: usize,
    /// Rows read and not handed over yet.
    lot: Vec<(usize, Row)>,
    id: String,
    opened: bool,
    served_at: Option<DateTime<Utc>>,
    _gate: OwnedMutexGuard<()>,
}

impl HttpAnswer {
    /// Reads up to the header, so that a refusal is known before any row.
    async fn open(&mut self) -> Result<(), WireError> {
        while !self.opened && self.reader.is_some() {
            self.step().await?;
        }
        Ok(())
    }

    /// Reads one piece of the body.
    async fn step(&mut self) -> Result<(), WireError> {
        let piece = match &mut self.body {
            Body::Plain(pieces) => pieces.next().await?,
            Body::Packed(pieces) => pieces.recv().await.transpose()?,
        };
        let Some(reader) = self.reader.as_mut() else { return Ok(()) };
        let mut items = Vec::new();
        match piece {
            Some(bytes) => reader.feed(&bytes, &mut items)?,
            None => {
                reader.finish(&mut items)?;
                self.reader = None;
            }
        }
        for item in items {
            self.take(item)?;
        }
        Ok(())
    }

    fn take(&mut self, item: Item) -> Result<(), WireError> {
        match item {
            Item::Head { id, status, message } => {
                self.opened = true;
                // Some installations answer with an empty ID (facts §2.1).
                if !id.is_empty() && !id.eq_ignore_ascii_case(&self.id) {
                    return Err(WireError::Foreign);
                }
                match Status::read(&status) {
                    Status::Ok => {}
                    status => return Err(WireError::Status { status, message: masked(&message) }),
                }
            }
            Item::Block { name } => {
                let known = self.names.iter().position(|own| *own == name);
                // Without its name a block is told by its place.
                let by_place = (name.is_empty() && self.blocks < self.names.len()).then_some(self.blocks);
                self.block = known.or(by_place);
                self.blocks += 1;
            }
            Item::Row(row) => {
                if let Some(block) = self.block {
                    self.lot.push((block, row));
                }
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Answer for HttpAnswer {
    async fn next(&mut self) -> Result<Option<Vec<(usize, Row)>>, WireError> {
        while self.lot.is_empty() && self.reader.is_some() {
            self.step().await?;
        }
        if self.lot.is_empty() {
            return Ok(None);
        }
        Ok(Some(std::mem::take(&mut self.lot)))
    }

    fn served_at(&self) -> Option<DateTime<Utc>> {
        self.served_at
    }
}
