//! The layered connection check (product §6): each layer with its time and a code; a failing one ends the list.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::net::TcpStream;

use super::conditions::{Chain, Cond, Op};
use super::dates::{Stamp, write_day};
use super::error::{Status, WireError};
use super::hotel::Hotel;
use super::packing::PackError;
use super::request::Query;
use super::xml::{Row, XmlError};
use crate::fidelio::Layer;
use crate::net::{self, Guard, Refused, tls_fault};

const CONNECT: Duration = Duration::from_secs(10);

/// More than this between the hotel's clock and ours is worth a word.
const CLOCK_TOLERANCE_SECONDS: i64 = 120;

struct Check<'a> {
    hotel: &'a Hotel,
    layers: Vec<Layer>,
    started: i64,
}

/// Runs every layer; the list ends with the first that fails.
pub async fn check(hotel: &Hotel, guard: &Guard, member_id: &str) -> Vec<Layer> {
    let mut check = Check { hotel, layers: Vec::new(), started: hotel.clock.now_ms() };
    // The list itself is the result; `None` only cuts it short.
    let _ = check.run(guard, member_id).await;
    check.layers
}

impl Check<'_> {
    async fn run(&mut self, guard: &Guard, member_id: &str) -> Option<()> {
        let url = &self.hotel.settings.url;
        let port = url.port_or_known_default().unwrap_or_default();
        let addresses = match guard.vet_url(member_id, url).await {
            Ok(addresses) => addresses,
            Err(refused) => {
                let code = match refused {
                    Refused::Scheme(_) => "scheme",
                    Refused::Private { .. } => "private",
                    _ => "no_address",
                };
                return self.fail("dns", code, json!({"host": url.host_str(), "port": port}));
            }
        };
        self.pass("dns", "ok", json!({"addresses": addresses.len()}));
        let mut connected = None;
        for address in &addresses {
            if let Ok(Ok(stream)) = tokio::time::timeout(CONNECT, TcpStream::connect(address)).await {
                connected = Some(stream);
                break;
            }
        }
        let Some(stream) = connected else {
            return self.fail("tcp", "no_connection", json!({"host": url.host_str(), "port": port}));
        };
        self.pass("tcp", "ok", json!({"port": port}));
        self.tls(stream).await?;
        self.http().await?;
        self.read().await?;
        self.clock().await;
        self.licences().await;
        Some(())
    }

    async fn tls(&mut self, stream: TcpStream) -> Option<()> {
        let settings = &self.hotel.settings;
        if settings.url.scheme() != "https" {
            self.pass("tls", "plain", json!({}));
            return Some(());
        }
        let handshake = net::handshake(stream, &settings.url, settings.ca_pem.as_deref());
        match tokio::time::timeout(CONNECT, handshake).await {
            Err(_) => self.fail("tls", "timeout", json!({})),
            Ok(Err(error)) => self.fail("tls", tls_fault(&error).unwrap_or("handshake"), json!({})),
            Ok(Ok(())) => {
                self.pass("tls", "ok", json!({}));
                Some(())
            }
        }
    }

    /// The web server and the interface behind it first, without a login: a password is shown only to what speaks like
    /// the interface. Then the login, with the one try that a wrong one may cost.
    async fn http(&mut self) -> Option<()> {
        let reached = self.hotel.exchange.reach().await;
        let packed = json!({"packed": self.hotel.settings.packed});
        match &reached {
            Ok(()) => self.pass("http", "ok", packed.clone()),
            Err(error) if !may_dislike_nobody(error) => {
                let (code, params) = finding(error);
                return self.fail("http", code, params);
            }
            Err(_) => {}
        }
        let info = Query::new("SystemInfo").fields(["LicenseName", "LicenseNoOfRooms", "Version"]);
        let first = self.hotel.rows(&[info]).await;
        if let Err(error) = &first
            && !matches!(error, WireError::Status { .. })
        {
            let (code, params) = finding(error);
            return self.fail(reached.as_ref().map_or("http", |()| "login"), code, params);
        }
        if reached.is_err() {
            self.pass("http", "ok", packed);
        }
        match &first {
            Err(WireError::Status { status: Status::Credentials, .. }) => {
                return self.fail("login", "credentials", json!({}));
            }
            Ok(rows) => self.pass("login", "ok", json!({"version": text(rows, "Version")})),
            // The login was taken; only this question was not.
            Err(_) => self.pass("login", "ok", json!({})),
        }
        Some(())
    }

    async fn read(&mut self) -> Option<()> {
        let today = self.hotel.local_now().date();
        let condition = Cond::is("GuestArrival", Op::Eq, write_day(today));
        let fields = ["GuestNum", "ReservationState", "ReservationStatus", "GuestArrival", "LastUpdateTime"];
        match self.ask("Reservation", Some(condition), &fields).await {
            Ok(rows) => {
                self.pass("read", "ok", json!({"rows": rows}));
                Some(())
            }
            Err(error) if error.is_not_found() => {
                self.pass("read", "ok", json!({"rows": 0}));
                Some(())
            }
            Err(error) => {
                let (code, params) = finding(&error);
                self.fail("read", code, params)
            }
        }
    }

    /// The hotel's web server against our clock, its business date against its calendar.
    async fn clock(&mut self) {
        let ahead = self.hotel.web_ahead_ms().map(|ahead| ahead / 1000);
        let rows = self.hotel.rows(&[Query::new("SystemDate").fields(["SystemDate"])]).await.unwrap_or_default();
        let business = text(&rows, "SystemDate").and_then(|text| Stamp::parse(&text).ok().flatten());
        let business = business.map(|stamp| stamp.date);
        let local = self.hotel.local_now().date();
        let days = business.map(|date| (date - local).num_days());
        let params = json!({"ahead_seconds": ahead, "business_date": business.map(|d| d.to_string()), "days": days});
        let code = if ahead.is_some_and(|ahead| ahead.abs() > CLOCK_TOLERANCE_SECONDS) {
            "clock_off"
        } else if days.is_some_and(|days| !(-1..=1).contains(&days)) {
            "business_date_off"
        } else if ahead.is_none() {
            "no_clock"
        } else {
            "ok"
        };
        // A wrong clock is read around, but somebody should mend it; a late night audit mends itself.
        self.push("clock", code != "clock_off", code, params);
    }

    /// Areas beside reservations: a missing licence switches off its area only (facts §8).
    async fn licences(&mut self) {
        let areas: [(&'static str, Option<Cond>, &[&'static str]); 3] = [
            ("Profile", Some(Cond::is("ProfileID", Op::Eq, "1")), &["ProfileID", "GuestName", "LastUpdateTime"]),
            ("CurrencyList", None, &["CurrencyShortdesc", "CurrencyISO3"]),
            ("NoteCategory", None, &["NoteCategoryID", "NoteCategoryShortDescription"]),
        ];
        let mut lacking = Vec::new();
        for (area, condition, fields) in areas {
            if let Err(error) = self.ask(area, condition, fields).await
                && error.is_refusal()
            {
                lacking.push(area);
            }
        }
        let code = if lacking.is_empty() { "ok" } else { "lacking" };
        self.pass("licence", code, json!({"lacking": lacking}));
    }

    async fn ask(&self, kind: &'static str, only: Option<Cond>, fields: &[&'static str]) -> Result<usize, WireError> {
        let mut query = Query::new(kind).fields(fields.iter().copied());
        if let Some(condition) = only {
            query = query.only(Chain::build(&condition).map_err(|_| WireError::Request("condition"))?);
        }
        self.hotel.rows(&[query]).await.map(|rows| rows.len())
    }

    fn pass(&mut self, name: &str, code: &str, params: Value) {
        self.push(name, true, code, params);
    }

    fn fail(&mut self, name: &str, code: &str, params: Value) -> Option<()> {
        self.push(name, false, code, params);
        None
    }

    fn push(&mut self, name: &str, ok: bool, code: &str, params: Value) {
        let now = self.hotel.clock.now_ms();
        let ms = u64::try_from(now.saturating_sub(self.started)).unwrap_or_default();
        self.started = now;
        let params = if let Value::Object(params) = params { params } else { Map::new() };
        self.layers.push(Layer { name: name.to_owned(), ok, code: code.to_owned(), params, ms });
    }
}

/// A message of nobody is nothing a client sends: what may have come of that decides nothing yet.
fn may_dislike_nobody(error: &WireError) -> bool {
    match error {
        WireError::Http(status) => *status >= 500,
        WireError::Broken | WireError::Foreign => true,
        WireError::Xml(XmlError::NotTheInterface) => false,
        WireError::Xml(_) | WireError::Pack(_) => true,
        _ => false,
    }
}

fn finding(error: &WireError) -> (&'static str, Value) {
    let code = match error {
        WireError::Address(_) => "private",
        WireError::Dns => "no_address",
        WireError::Connect => "no_connection",
        WireError::Tls(code) => code,
        WireError::Timeout => "timeout",
        WireError::Broken => "broken",
        WireError::Http(status) => return ("http_status", json!({"status": status})),
        WireError::Xml(XmlError::NotTheInterface) => "not_the_interface",
        WireError::Xml(XmlError::Empty) => "empty",
        WireError::Xml(XmlError::TooBig(_)) | WireError::Pack(PackError::TooBig) => "too_big",
        WireError::Xml(XmlError::Encoding) => "encoding",
        WireError::Xml(_) | WireError::Pack(_) | WireError::Foreign | WireError::Request(_) => "unreadable",
        WireError::Status { status: Status::Credentials, .. } => "credentials",
        WireError::Status { status: Status::Denied, .. } => "not_licensed",
        WireError::Status { status, .. } => return ("refused", json!({"status": status.word()})),
    };
    (code, json!({}))
}

/// A short plain value of the first row that has it: numbers, dots, dashes and letters only.
fn text(rows: &[(usize, Row)], name: &str) -> Option<String> {
    let field = rows.iter().flat_map(|(_, row)| &row.fields).find(|field| field.name.eq_ignore_ascii_case(name))?;
    let text: String =
        field.text.chars().filter(|c| c.is_ascii_digit() || matches!(c, '.' | ' ' | ':')).take(32).collect();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
