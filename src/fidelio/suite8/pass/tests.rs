use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::Value;

use super::super::client::{Answer, Exchange};
use super::super::error::WireError;
use super::super::request::Query;
use super::super::xml::{Field, Row};
use super::super::{Settings, Suite8};
use crate::clock::Clock;
use crate::domain::{Change, Currency, Entity};
use crate::fidelio::{Read, Sink, Source, SourceError};

const ROWS: usize = 50_000;

/// A hotel whose every arrival falls into the first slice: 50,000 rows in one answer.
#[derive(Default)]
struct Crowded {
    asked: AtomicUsize,
    open: Arc<AtomicUsize>,
}

struct Rows {
    kind: &'static str,
    next: usize,
    last: usize,
    open: Arc<AtomicUsize>,
}

impl Drop for Rows {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Exchange for Crowded {
    async fn ask(&self, queries: &[Query]) -> Result<Box<dyn Answer>, WireError> {
        assert_eq!(self.open.fetch_add(1, Ordering::SeqCst), 0, "an answer is still being read");
        let query = &queries[0];
        let names_state = format!("{:?}", query.conditions).contains("ReservationSta");
        let last = match query.req_type {
            "Reservation" if !names_state && self.asked.fetch_add(1, Ordering::SeqCst) == 0 => ROWS,
            _ => 0,
        };
        Ok(Box::new(Rows { kind: query.req_type, next: 0, last, open: Arc::clone(&self.open) }))
    }
}

#[async_trait]
impl Answer for Rows {
    async fn next(&mut self) -> Result<Option<Vec<(usize, Row)>>, WireError> {
        assert!(self.last == 0 || self.kind == "Reservation");
        let lot: Vec<_> = (self.next..self.last.min(self.next + 100)).map(|i| (0, row(i))).collect();
        self.next += lot.len();
        Ok((!lot.is_empty()).then_some(lot))
    }

    fn served_at(&self) -> Option<DateTime<Utc>> {
        None
    }
}

fn row(index: usize) -> Row {
    let number = (index + 1).to_string();
    let fields = [
        ("GuestNum", number.as_str()),
        ("ReservationType", "RES"),
        ("ReservationState", "0"),
        ("ReservationStatus", "1"),
        ("GuestArrival", "12.03.2026"),
        ("GuestDeparture", "15.03.2026"),
        ("ProfileID", number.as_str()),
    ];
    let field = |(name, text): (&str, &str)| Field { name: name.into(), text: text.into(), attributes: Vec::new() };
    Row { fields: fields.into_iter().map(field).collect() }
}

/// Keeps counts only, as a disk would.
#[derive(Default)]
struct Counting {
    stays: usize,
    largest: usize,
}

#[async_trait]
impl Sink for Counting {
    async fn take(&mut self, changes: Vec<Change>, _: Option<Value>) -> Result<(), SourceError> {
        self.largest = self.largest.max(changes.len());
        self.stays += changes.iter().filter(|change| matches!(change.entity, Entity::Stay(_))).count();
        Ok(())
    }
}

/// However many rows one answer brings, only a few are held before they are on disk.
#[tokio::test]
async fn s1_fifty_thousand_rows_are_never_held_together() {
    let settings = Settings::new(
        "https://hotel.example/handler".parse().expect("url"),
        "B24".into(),
        SecretString::from("x"),
        chrono_tz::Europe::Moscow,
        Currency::parse("RUB").expect("iso"),
    );
    let source = Suite8::with_exchange(settings, Arc::new(Crowded::default()), Clock::system());
    let mut sink = Counting::default();
    let day = |text: &str| text.parse().expect("date");
    let what = Read::Arrivals { from: day("2026-03-12"), to: day("2026-03-18") };
    source.read(&what, &Value::Null, &mut sink).await.expect("read");
    assert_eq!(sink.stays, ROWS);
    assert!(sink.largest <= 1200, "{} records at once", sink.largest);
}
