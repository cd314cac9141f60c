//! Writes an answer: envelope, rows, money and dates in the interface's spelling, encoding, packing.

use std::fmt::Write as _;
use std::io::{Cursor, Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{NaiveDate, NaiveDateTime};

use super::knobs::{DateSpelling, Knobs, TextEncoding};

/// Anything but `OK`: the whole message is answered with it and carries no data (facts §2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub id: String,
    pub status: &'static str,
    pub message: String,
}

impl Refusal {
    pub fn new(status: &'static str, message: &str) -> Self {
        Self { id: String::new(), status, message: message.to_owned() }
    }

    /// `IR`: invalid request or unsupported type.
    pub fn invalid(message: &str) -> Self {
        Self::new("IR", message)
    }

    /// `AD`: no right, not licensed.
    pub fn denied(message: &str) -> Self {
        Self::new("AD", message)
    }

    /// `UR`: cannot be processed, no retry.
    pub fn unprocessable(message: &str) -> Self {
        Self::new("UR", message)
    }

    pub fn to_xml(&self, knobs: &Knobs, version: &str) -> String {
        let mut out = head(knobs, version);
        let status = if knobs.lower_case_status { "status" } else { "Status" };
        let id = if knobs.echo_id { self.id.as_str() } else { "" };
        let _ = write!(
            out,
            "<response ID=\"{}\" {status}=\"{}\" Message=\"{}\"/></fidelio>",
            escape(id),
            self.status,
            // A raw line break inside the attribute, as the real server writes it.
            escape(&self.message)
        );
        out
    }
}

pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// Declaration and root, without a line break between them as in the real answer (facts §1).
pub fn head(knobs: &Knobs, version: &str) -> String {
    let encoding = match knobs.encoding {
        TextEncoding::Utf8 => "utf-8",
        TextEncoding::Windows1251 => "windows-1251",
    };
    format!("<?xml version=\"1.0\" encoding=\"{encoding}\" ?><fidelio Version=\"{}\">", escape(version))
}

/// The opening of an `OK` response.
pub fn open(knobs: &Knobs, id: &str) -> String {
    let status = if knobs.lower_case_status { "status" } else { "Status" };
    let id = if knobs.echo_id { id } else { "" };
    format!("<response ID=\"{}\" {status}=\"OK\">\n", escape(id))
}

pub const TAIL: &str = "</response></fidelio>";

/// Hundredths as the server prints money: `7400`, `22200.5`.
pub fn money(hundredths: i64) -> String {
    let sign = if hundredths < 0 { "-" } else { "" };
    let (whole, part) = (hundredths.unsigned_abs() / 100, hundredths.unsigned_abs() % 100);
    let text = format!("{sign}{whole}.{part:02}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

pub fn date(day: NaiveDate) -> String {
    day.format("%d.%m.%Y").to_string()
}

/// `13.07.2026 22:24:15.000 UTC-60`: the wall clock with a constant that is not the offset in force (facts §4).
pub fn date_time(at: NaiveDateTime, knobs: &Knobs) -> String {
    format!("{}.000 UTC{:+}", at.format("%d.%m.%Y %H:%M:%S"), knobs.suffix_minutes)
}

/// A date-named field, which may come in either form.
pub fn stay_date(day: NaiveDate, row: i64, knobs: &Knobs) -> String {
    let long = match knobs.stay_dates {
        DateSpelling::Date => false,
        DateSpelling::DateTime => true,
        DateSpelling::Mixed => row % 2 != 0,
    };
    match day.and_hms_opt(0, 0, 0) {
        Some(midnight) if long => date_time(midnight, knobs),
        _ => date(day),
    }
}

/// Fields of one row, appended to the answer.
#[derive(Debug)]
pub struct Row<'a>(pub &'a mut String);

impl Row<'_> {
    pub fn field(&mut self, name: &str, text: impl AsRef<str>) {
        let _ = write!(self.0, "<field name=\"{name}\">{}</field>", escape(text.as_ref()));
    }

    pub fn number(&mut self, name: &str, value: i64) {
        let _ = write!(self.0, "<field name=\"{name}\">{value}</field>");
    }

    pub fn with(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        let _ = write!(self.0, "<field name=\"{name}\"");
        for (key, value) in attributes {
            let _ = write!(self.0, " {key}=\"{}\"", escape(value));
        }
        let _ = write!(self.0, ">{}</field>", escape(text));
    }
}

/// Text as bytes of the site's encoding; what the table lacks becomes `?` (facts §10.10).
pub fn encode(text: &str, encoding: TextEncoding) -> Vec<u8> {
    match encoding {
        TextEncoding::Utf8 => text.as_bytes().to_vec(),
        TextEncoding::Windows1251 => {
            let (bytes, _, unmappable) = encoding_rs::WINDOWS_1251.encode(text);
            if !unmappable {
                return bytes.into_owned();
            }
            let mut out = Vec::with_capacity(text.len());
            let mut buffer = [0_u8; 4];
            for c in text.chars() {
                let (bytes, _, unmappable) = encoding_rs::WINDOWS_1251.encode(c.encode_utf8(&mut buffer));
                if unmappable { out.push(b'?') } else { out.extend_from_slice(&bytes) }
            }
            out
        }
    }
}

/// BASE64 of a ZIP with one entry (facts §1).
pub fn pack(plain: &[u8], knobs: &Knobs) -> Result<Vec<u8>, zip::result::ZipError> {
    let method = if knobs.deflate { zip::CompressionMethod::Deflated } else { zip::CompressionMethod::Stored };
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(&*knobs.entry_name, zip::write::SimpleFileOptions::default().compression_method(method))?;
    zip.write_all(plain)?;
    let text = STANDARD.encode(zip.finish()?.into_inner());
    if !knobs.wrap_base64 {
        return Ok(text.into_bytes());
    }
    let mut wrapped = Vec::with_capacity(text.len() + text.len() / 38);
    for line in text.as_bytes().chunks(76) {
        wrapped.extend_from_slice(line);
        wrapped.extend_from_slice(b"\r\n");
    }
    Ok(wrapped)
}

/// The single entry of a packed request, whatever its name.
pub fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    let text: Vec<u8> = packed.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    let bytes = STANDARD.decode(text).ok()?;
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).ok()?;
    let mut plain = Vec::new();
    zip.by_index(0).ok()?.take(64 << 20).read_to_end(&mut plain).ok()?;
    Some(plain)
}
