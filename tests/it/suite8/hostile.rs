//! What a hotel's side may send by mistake or malice, over real sockets: refused by name, in bounded memory.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fidelio_bitrix24::fidelio::suite8::client::{Client, Exchange};
use fidelio_bitrix24::fidelio::suite8::error::WireError;
use fidelio_bitrix24::fidelio::suite8::packing::pack;
use fidelio_bitrix24::fidelio::suite8::request::{Login, Query};
use fidelio_bitrix24::fidelio::suite8::xml::{Limits, XmlError};

use super::*;

const OPENING: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?><fidelio><response ID=\"\" Status=\"OK\"><queryResponse Name=\"q1\"><rows>";
const CLOSING: &str = "</rows></queryResponse></response></fidelio>";

/// A server that answers every request by `answer` and hangs up; counts the bytes it could send.
struct Raw {
    port: u16,
    sent: Arc<AtomicU64>,
}

impl Raw {
    fn start(headers: &str, answer: impl Fn(&mut dyn FnMut(&[u8]) -> bool) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let sent = Arc::new(AtomicU64::new(0));
        let (counter, headers) = (Arc::clone(&sent), headers.to_owned());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { break };
                if !asked(&mut stream) {
                    continue;
                }
                let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{headers}\r\n");
                let _ = stream.write_all(head.as_bytes());
                answer(&mut |bytes| {
                    let whole = stream.write_all(bytes).is_ok();
                    counter.fetch_add(u64::try_from(bytes.len()).expect("small"), Ordering::SeqCst);
                    whole
                });
            }
        });
        Self { port, sent }
    }

    fn of(headers: &str, body: Vec<u8>) -> Self {
        Self::start(headers, move |send| {
            send(&body);
        })
    }

    fn client(&self, limits: Limits) -> Client {
        let url: url::Url = format!("http://127.0.0.1:{}/handler", self.port).parse().expect("url");
        let guard = Guard::parse(&["*=127.0.0.0/8".to_owned()]).expect("guard");
        Client {
            http: guard.client("m", &url, None).expect("client"),
            url,
            login: Login { username: "u".into(), password: SecretString::from("p"), encrypted: false, vendor: None },
            packed: false,
            timeout: Duration::from_secs(30),
            limits,
            gate: Arc::default(),
        }
    }
}

/// Reads one request whole: a server that hangs up on an unread request resets the connection.
fn asked(stream: &mut TcpStream) -> bool {
    let mut seen = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return false,
            Ok(count) => seen.extend_from_slice(&piece[..count]),
        }
        if seen.ends_with(b"</fidelio>") {
            return true;
        }
    }
}

/// Reads an answer to its end; the rows and the most that came at once.
async fn read(client: &Client) -> Result<(usize, usize), WireError> {
    let mut answer = client.ask(&[Query::new("Reservation").fields(["GuestNum"])]).await?;
    let (mut rows, mut most) = (0, 0);
    while let Some(lot) = answer.next().await? {
        rows += lot.len();
        most = most.max(lot.len());
    }
    Ok((rows, most))
}

fn row(number: usize) -> String {
    format!("<row><fields><field name=\"GuestNum\">{number}</field></fields></row>")
}

/// A hotel that sends a gibibyte and more: reading ends at the cap, and a few rows at a time is all that is ever held.
#[tokio::test(flavor = "multi_thread")]
async fn s10_a_gibibyte_is_refused_at_the_cap() {
    let endless = Raw::start("Content-Type: text/xml\r\n", |send| {
        let filler = format!("{}<!--{}-->", row(7), "x".repeat(60 << 10)).repeat(16);
        let mut left = 1_u64 << 30;
        let mut go_on = send(OPENING.as_bytes());
        while go_on && left > 0 {
            go_on = send(filler.as_bytes());
            left = left.saturating_sub(u64::try_from(filler.len()).expect("small"));
        }
        send(CLOSING.as_bytes());
    });
    let limits = Limits::default();
    assert!(limits.total <= 256 << 20, "what one answer may cost");
    let client = endless.client(limits);
    let mut answer = client.ask(&[Query::new("Reservation").fields(["GuestNum"])]).await.expect("it begins well");
    let mut most = 0;
    let error = loop {
        match answer.next().await {
            Ok(Some(lot)) => most = most.max(lot.len()),
            Ok(None) => panic!("a gibibyte was taken"),
            Err(error) => break error,
        }
    };
    assert_eq!(error, WireError::Xml(XmlError::TooBig("bytes")));
    assert!(error.is_too_much(), "a smaller question may pass");
    assert!(most <= 16, "{most} rows held at once");
    drop(answer);
    // What the sockets held besides.
    let sent = endless.sent.load(Ordering::SeqCst);
    assert!(sent <= limits.total + (32 << 20), "{sent} bytes were sent before the connection ended");
}

/// The gzip member of `plain`, out of the deflated entry of an archive.
fn gzipped(plain: &[u8]) -> Vec<u8> {
    use zip::write::SimpleFileOptions;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    zip.start_file("m", options).expect("entry");
    zip.write_all(plain).expect("bytes");
    let bytes = zip.finish().expect("archive").into_inner();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes.clone())).expect("archive");
    let entry = archive.by_index_raw(0).expect("entry");
    let at = |number: u64| usize::try_from(number).expect("small");
    let start = at(entry.data_start().expect("known"));
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    out.extend_from_slice(&bytes[start..start + at(entry.compressed_size())]);
    out.extend(entry.crc32().to_le_bytes());
    out.extend(u32::try_from(plain.len()).expect("small").to_le_bytes());
    out
}

#[tokio::test]
async fn s10_compressed_bombs_are_counted_as_they_unfold() {
    let limits = Limits { total: 4 << 20, ..Limits::default() };
    let (small, large) = (format!("{OPENING}{}{CLOSING}", row(7)).into_bytes(), {
        let filler = format!("<!--{}-->", "x".repeat(60 << 10)).repeat(200);
        format!("{OPENING}{filler}{}{CLOSING}", row(7)).into_bytes()
    });
    assert!(large.len() > 8 << 20 && gzipped(&large).len() < 64 << 10, "a bomb");
    let gzip = "Content-Encoding: gzip\r\n";
    assert_eq!(read(&Raw::of(gzip, gzipped(&small)).client(limits)).await, Ok((1, 1)));
    let error = read(&Raw::of(gzip, gzipped(&large)).client(limits)).await;
    assert_eq!(error, Err(WireError::Xml(XmlError::TooBig("bytes"))));
    let packed = "Content-Type: V8/ZIP\r\n";
    let text = |plain: &[u8]| pack(plain).expect("packs").into_bytes();
    assert_eq!(read(&Raw::of(packed, text(&small)).client(limits)).await, Ok((1, 1)));
    let error = read(&Raw::of(packed, text(&large)).client(limits)).await;
    assert_eq!(error, Err(WireError::Xml(XmlError::TooBig("bytes"))));
}

/// One record's trouble is that record's: its neighbours are read.
#[tokio::test]
async fn s10_absurd_records_are_named_and_their_neighbours_read() {
    let fields = |number: &str, arrival: &str, departure: &str, more: &str| {
        format!(
            "<row><fields><field name='GuestNum'>{number}</field><field name='ReservationState'>0</field>\
             <field name='ReservationStatus'>1</field><field name='GuestArrival'>{arrival}</field>\
             <field name='GuestDeparture'>{departure}</field>{more}</fields></row>"
        )
    };
    let good = ("12.03.2026", "15.03.2026");
    let rows = [
        fields("1", good.0, good.1, ""),
        fields("2", "01.01.0001", good.1, ""),
        fields("3", good.0, "31.12.9999", ""),
        fields("4", "31.02.2026", good.1, ""),
        fields("5", good.1, good.0, ""),
        fields("6", good.0, "", ""),
        fields("7", good.0, good.1, "<field name='NoAvailReason'>-1</field>"),
        fields("-8", good.0, good.1, ""),
        fields("99999999999999999999999999999999999999", good.0, good.1, ""),
        fields("", good.0, good.1, ""),
        fields(
            "11",
            good.0,
            good.1,
            "<field name='NoOfAdults'>99999999999</field><field name='TotalStay'>1e400</field>",
        ),
        fields("12", good.0, good.1, "<field name='RoomNum'>4\0\u{1}12</field>"),
    ];
    let mut body = "\u{feff}".as_bytes().to_vec();
    body.extend(OPENING.bytes());
    body.extend(rows.concat().into_bytes());
    body.extend(
        b"<row><fields><field name='GuestNum'>13</field><field name='RoomType'>\xd0\xff\xfe</field></fields></row>",
    );
    body.extend(fields("14", good.0, good.1, "").bytes());
    body.extend(CLOSING.bytes());
    let raw = Raw::of("Content-Type: text/xml\r\n", body);
    let mut settings = Settings::new(
        format!("http://127.0.0.1:{}/handler", raw.port).parse().expect("url"),
        "u".into(),
        SecretString::from("p"),
        chrono_tz::Europe::Moscow,
        Currency::parse("RUB").expect("iso"),
    );
    settings.timeout = Duration::from_secs(5);
    let mut disk = Disk::default();
    let numbers = (1..=14).map(|n| n.to_string().parse().expect("number")).collect();
    let report = source(settings).read(&Read::Stays { numbers }, &Value::Null, &mut disk).await.expect("read");
    let read: Vec<&str> = disk.stays.keys().map(String::as_str).collect();
    assert_eq!(read, ["1", "11", "12", "14"]);
    assert_eq!(disk.stays["12"].room, Known::Is("412".to_owned()));
    assert_eq!((disk.stays["11"].adults.clone(), disk.stays["11"].total.clone()), (Known::Absent, Known::Absent));
    let mut unread: Vec<&str> = report.unreadable.iter().map(|record| record.number.as_str()).collect();
    unread.dedup();
    for number in ["2", "3", "4", "5", "6", "7", "13"] {
        assert!(unread.contains(&number), "{number}: {unread:?}");
    }
    assert!(report.unreadable.iter().all(|record| !record.why.is_empty() && !record.why.contains("9999")));
}
