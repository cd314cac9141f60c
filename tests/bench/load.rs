//! A small HTTP client that costs little beside the server it drives: keep-alive, one request at a time a connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep_until;

pub const CONNECTIONS: usize = 16;
/// Stands in the body where each event's own id comes; as long as any of them.
pub const PLACE: &str = "999999999";
const FIRST: u64 = 100_000_000;

/// Where events go, and what one looks like.
pub struct Target {
    pub port: u16,
    before: Vec<u8>,
    after: Vec<u8>,
    next: AtomicU64,
}

impl Target {
    pub fn new(port: u16, body: &str) -> Arc<Self> {
        let request = format!(
            "POST /bitrix/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let (before, after) = request.split_once(PLACE).expect("a place for the id");
        Arc::new(Self { port, before: before.into(), after: after.into(), next: AtomicU64::new(FIRST) })
    }

    /// Every event is about another record: repeats would be one hint.
    fn request(&self) -> Vec<u8> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        [self.before.as_slice(), id.to_string().as_bytes(), self.after.as_slice()].concat()
    }

    async fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        stream
    }

    async fn send(&self, stream: &mut TcpStream, buffer: &mut Vec<u8>) {
        stream.write_all(&self.request()).await.expect("written");
        buffer.clear();
        while !buffer.ends_with(b"\r\n\r\n") {
            assert!(stream.read_buf(buffer).await.expect("an answer") > 0, "the connection was closed");
        }
        assert!(buffer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(buffer));
    }
}

/// Events a second as fast as the connections go.
pub async fn flat_out(target: &Arc<Target>, time: Duration) -> f64 {
    let begin = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let target = target.clone();
        tasks.spawn(async move {
            let (mut stream, mut buffer, mut done) = (target.connect().await, Vec::new(), 0_u64);
            while begin.elapsed() < time {
                target.send(&mut stream, &mut buffer).await;
                done += 1;
            }
            done
        });
    }
    let done: u64 = tasks.join_all().await.into_iter().sum();
    done as f64 / begin.elapsed().as_secs_f64()
}

/// `count` events at a fixed pace; milliseconds from the moment each was due to its answer.
pub async fn paced(target: &Arc<Target>, per_second: u32, count: usize) -> Vec<f64> {
    let begin = Instant::now() + Duration::from_millis(50);
    let mut tasks = tokio::task::JoinSet::new();
    for connection in 0..CONNECTIONS {
        let target = target.clone();
        tasks.spawn(async move {
            let (mut stream, mut buffer, mut times) = (target.connect().await, Vec::new(), Vec::new());
            for event in (connection..count).step_by(CONNECTIONS) {
                let due = begin + Duration::from_secs(1) * u32::try_from(event).expect("few") / per_second;
                sleep_until(due.into()).await;
                target.send(&mut stream, &mut buffer).await;
                times.push(due.elapsed().as_secs_f64() * 1e3);
            }
            times
        });
    }
    tasks.join_all().await.into_iter().flatten().collect()
}
