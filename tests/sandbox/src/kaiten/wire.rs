//! HTTP by hand, one request a connection: what is to be broken is broken where it hurts.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use super::{Kaiten, Op};

const API: &str = "/api/latest/";
const LONGEST: u64 = 1024 * 1024;

#[derive(Debug, Clone)]
pub(super) struct Request {
    pub op: Op,
    pub card: Option<i64>,
    pub query: BTreeMap<String, String>,
    pub token: Option<String>,
    pub body: Value,
}

pub(super) struct Answer {
    status: u16,
    headers: String,
    body: String,
}

impl Answer {
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push_str(&format!("{name}: {value}\r\n"));
        self
    }
}

pub(super) fn json(status: u16, body: &Value) -> Answer {
    Answer { status, headers: "Content-Type: application/json\r\n".into(), body: body.to_string() }
}

pub(super) fn html(status: u16) -> Answer {
    Answer {
        status,
        headers: "Content-Type: text/html\r\n".into(),
        body: "<html><body>Bad gateway</body></html>".into(),
    }
}

/// One connection. Whatever goes wrong ends it.
pub(super) fn talk(stream: TcpStream, kaiten: &Kaiten) -> Option<()> {
    let mut out = stream.try_clone().ok()?;
    let request = read(BufReader::new(stream.take(LONGEST)))?;
    let answer = kaiten.meet(&request)?;
    let (status, headers, body) = (answer.status, &answer.headers, &answer.body);
    let head = format!("HTTP/1.1 {status} x\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    out.write_all(format!("{head}{body}").as_bytes()).ok()
}

fn read(mut lines: impl BufRead) -> Option<Request> {
    let mut line = || {
        let mut line = String::new();
        lines.read_line(&mut line).ok().filter(|read| *read > 0).map(|_| line.trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (mut token, mut length) = (None, 0);
    loop {
        let header = line()?;
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(':')?;
        match name.to_ascii_lowercase().as_str() {
            "authorization" => token = value.trim().strip_prefix("Bearer ").map(str::to_owned),
            "content-length" => length = value.trim().parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    lines.read_exact(&mut body).ok()?;
    let url = url::Url::parse(&format!("http://kaiten{target}")).ok()?;
    let path: Vec<&str> = url.path().strip_prefix(API)?.split('/').collect();
    let card = path.get(1).and_then(|id| id.parse().ok());
    let op = match (method.as_str(), path.as_slice()) {
        ("GET", ["users", "current"]) => Op::Me,
        ("GET", ["boards", _, "columns"]) => Op::Columns,
        ("GET", ["cards"]) => Op::List,
        ("POST", ["cards"]) => Op::Make,
        ("GET", ["cards", _]) => Op::Read,
        ("PATCH", ["cards", _]) => Op::Change,
        ("GET", ["cards", _, "comments"]) => Op::Comments,
        ("POST", ["cards", _, "comments"]) => Op::Comment,
        _ => return None,
    };
    let query = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    Some(Request { op, card, query, token, body: serde_json::from_slice(&body).unwrap_or(Value::Null) })
}
