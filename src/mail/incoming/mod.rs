//! Incoming mail: a raw letter becomes what the desk can judge, whatever strangers put into it. Pure; never fails, because a
//! letter that cannot be read was written by somebody all the same.

mod header;
mod html;
mod mime;
mod quote;
#[cfg(test)]
mod tests;
mod token;

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use header::{Headers, Value};
use mime::Part;

pub use quote::{REPLY_ABOVE_EN, REPLY_ABOVE_RU};
pub use token::{NoToken, ReplyToken};

/// Of a longer letter the beginning is taken: its headers and its words stand there.
pub const MOST: usize = 32 << 20;

/// Every letter of ours bears it.
pub const OWN_MARK: &str = "X-FB24-Letter";

/// Characters of a text that are kept, of a subject, of a file's name.
const LONGEST_TEXT: usize = 20_000;
const LONGEST_SUBJECT: usize = 200;
const LONGEST_NAME: usize = 120;
/// A letter that went through more servers goes round in a circle (RFC 5321, 6.3: at least 100; no honest one sees 30).
const HOPS: usize = 50;

/// A letter as the desk sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// Its own id without brackets, if it has one that can be answered.
    pub id: String,
    /// The same for every copy of the letter, whatever way it came; another one for a forgery under its id.
    pub digest: String,
    /// Whose it is, in lower case: none where it names nobody, or several.
    pub sender: Option<String>,
    /// The sender's name, or what stands there instead.
    pub name: String,
    /// Of requests that it says it answers: what was answered to first, then ids, the nearest first.
    pub tokens: Vec<ReplyToken>,
    pub nature: Nature,
    pub subject: String,
    /// Without what it quotes.
    pub text: String,
    pub files: Vec<File>,
    /// There was more than is kept of it.
    pub cut: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub name: String,
    pub bytes: Vec<u8>,
    /// Its end is there.
    pub whole: bool,
}

/// Who speaks (RFC 3834).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Nature {
    Person,
    /// A robot answers, or tells of something.
    Auto,
    /// A mailing to many.
    Bulk,
    /// A letter did not reach these addresses.
    Bounce {
        failed: Vec<String>,
    },
    /// It is ours, or goes round in a circle.
    Loop,
}

impl Nature {
    pub fn word(&self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Auto => "auto_reply",
            Self::Bulk => "bulk",
            Self::Bounce { .. } => "bounce",
            Self::Loop => "loop",
        }
    }
}

/// Reads a letter; `cut`: it was longer than anybody took in.
pub fn read(raw: &[u8], cut: bool) -> Incoming {
    let (headers, body) = Headers::split(raw);
    // What has no header at all is text.
    let body = if headers.is_empty() { raw } else { body };
    let sender = sender(&headers);
    let id = id(&headers);
    let name = name(&headers);
    let subject = line(&header::words(headers.get("subject").unwrap_or_default()), LONGEST_SUBJECT);
    let date = headers.get("date").unwrap_or_default().to_owned();
    let mut tokens = tokens(&headers);
    let top = Value::read(headers.get("content-type").unwrap_or_default());
    let nature = nature(&headers, &top, sender.as_deref());
    let (parts, more) = mime::parts(headers, body);
    let nature = match nature {
        Nature::Bounce { mut failed } => {
            let (addresses, ids) = returned(&parts);
            failed.extend(addresses);
            tokens.extend(ids);
            Nature::Bounce { failed }
        }
        nature => nature,
    };
    let whole = said(&parts);
    // Where the letter was cut off, what came last was.
    let cut_at = cut.then(|| parts.len().saturating_sub(1));
    let file = |(nth, part)| file(nth, part, cut_at != Some(nth));
    let files: Vec<File> = parts.into_iter().enumerate().filter_map(file).collect();
    let mut hash = Sha256::new();
    for part in [&id, &date, &subject, &name, sender.as_deref().unwrap_or_default(), &whole] {
        hash.update(part);
        hash.update([0]);
    }
    for file in &files {
        hash.update(&file.name);
        hash.update(Sha256::digest(&file.bytes));
    }
    let text = quote::own(&whole);
    let (text, longer) = shortened(&text, LONGEST_TEXT);
    tokens.dedup();
    tokens.truncate(token::MOST);
    Incoming {
        id,
        digest: hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
        sender,
        name,
        tokens,
        nature,
        subject,
        text,
        files,
        cut: cut || more || longer,
    }
}

/// The one who is named, by an address that can be answered.
fn sender(headers: &Headers) -> Option<String> {
    let mut named = headers.all("from").flat_map(header::mailboxes);
    let (_, address) = named.next()?;
    // Of several one may be known and another one write.
    if named.next().is_some() {
        return None;
    }
    super::address(&address).map(|address| address.to_string().to_lowercase())
}

fn name(headers: &Headers) -> String {
    let from = headers.get("from").unwrap_or_default();
    let named = header::mailboxes(from).into_iter().next().map(|(name, _)| name).filter(|name| !name.trim().is_empty());
    line(&named.unwrap_or_else(|| header::words(from)), LONGEST_SUBJECT)
}

fn id(headers: &Headers) -> String {
    let id = headers.get("message-id").unwrap_or_default().trim();
    let id = id.trim_start_matches('<').split('>').next().unwrap_or_default();
    let fits = id.len() <= 250 && id.contains('@') && id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'<');
    if fits { id.to_owned() } else { String::new() }
}

fn tokens(headers: &Headers) -> Vec<ReplyToken> {
    const TO: [&str; 6] = ["to", "cc", "delivered-to", "x-original-to", "envelope-to", "x-envelope-to"];
    let addresses = TO.iter().flat_map(|name| headers.all(name)).flat_map(header::mailboxes);
    let mut tokens: Vec<ReplyToken> = addresses.filter_map(|(_, address)| token::of_address(&address)).collect();
    tokens.extend(headers.all("in-reply-to").flat_map(token::in_text));
    let mut before: Vec<ReplyToken> = headers.all("references").flat_map(token::in_text).collect();
    before.reverse();
    tokens.extend(before);
    tokens
}

fn nature(headers: &Headers, top: &Value, sender: Option<&str>) -> Nature {
    let word = |name: &str| headers.get(name).map(|value| Value::read(value).value).unwrap_or_default();
    if headers.get(&OWN_MARK.to_ascii_lowercase()).is_some() || headers.all("received").count() > HOPS {
        return Nature::Loop;
    }
    let report = (top.value == "multipart/report").then(|| top.param("report-type").unwrap_or_default());
    let nobody = headers.get("return-path").is_some_and(|path| path.trim() == "<>");
    let local = sender.and_then(|sender| sender.split_once('@')).map(|(local, _)| local).unwrap_or_default();
    let system = matches!(local, "mailer-daemon" | "postmaster");
    let failed: Vec<String> = headers
        .all("x-failed-recipients")
        .flat_map(header::mailboxes)
        .map(|(_, address)| address.to_lowercase())
        .collect();
    let delivery = report.as_ref().is_some_and(|kind| kind.eq_ignore_ascii_case("delivery-status"));
    if delivery || !failed.is_empty() || system && (nobody || report.is_some()) || local == "mailer-daemon" {
        return Nature::Bounce { failed };
    }
    let submitted = word("auto-submitted");
    let precedence = word("precedence");
    let answers = ["x-autoreply", "x-autorespond", "x-autoresponse", "x-auto-reply"];
    if report.is_some()
        || nobody
        || !matches!(submitted.as_str(), "" | "no")
        || precedence == "auto_reply"
        || answers.iter().any(|name| headers.get(name).is_some())
    {
        return Nature::Auto;
    }
    let many = matches!(precedence.as_str(), "bulk" | "list" | "junk") || headers.get("list-id").is_some();
    if many { Nature::Bulk } else { Nature::Person }
}

/// Of a letter that came back: whom it did not reach, and what it was known by.
fn returned(parts: &[Part]) -> (Vec<String>, Vec<ReplyToken>) {
    let (mut failed, mut ids) = (Vec::new(), Vec::new());
    for part in parts {
        let report = part.kind == "message/delivery-status" || part.kind == "message/global-delivery-status";
        let letter = matches!(part.kind.as_str(), "message/rfc822" | "text/rfc822-headers" | "message/global");
        if !report && !letter {
            continue;
        }
        let head = part.bytes.get(..part.bytes.len().min(65_536)).unwrap_or_default();
        let head = header::guessed(head);
        if letter {
            ids.extend(token::in_text(&head).take(token::MOST));
            continue;
        }
        for line in head.lines().take(500) {
            let Some((name, value)) = line.split_once(':') else { continue };
            if matches!(name.trim().to_ascii_lowercase().as_str(), "final-recipient" | "original-recipient") {
                let address = value.rsplit(';').next().unwrap_or_default().trim();
                failed.push(address.trim_matches(['<', '>']).to_lowercase());
            }
        }
    }
    (failed, ids)
}

/// What its sender wrote: of each choice the plain one, if that says anything.
fn said(parts: &[Part]) -> String {
    let texts: Vec<(&Part, String)> = parts
        .iter()
        .filter(|part| part.is_said())
        .map(|part| (part, clean(&if part.kind == "text/html" { html::text(&part.text()) } else { part.text() })))
        .filter(|(_, text)| !text.trim().is_empty())
        .collect();
    let plain: BTreeSet<usize> =
        texts.iter().filter(|(part, _)| part.kind == "text/plain").filter_map(|(part, _)| part.choice).collect();
    let chosen = |part: &Part| part.kind == "text/plain" || part.choice.is_none_or(|choice| !plain.contains(&choice));
    let texts: Vec<String> = texts.into_iter().filter(|(part, _)| chosen(part)).map(|(_, text)| text).collect();
    texts.join("\n\n")
}

fn file(nth: usize, part: Part, whole: bool) -> Option<File> {
    if part.is_said() {
        return None;
    }
    let name = part.name.as_deref().map(|name| line(&name.replace(['/', '\\'], "_"), LONGEST_NAME));
    let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| match part.kind.as_str() {
        "message/rfc822" => format!("{nth}.eml"),
        kind => format!("{nth}.{}", line(&kind.replace(['/', '\\'], "_"), 40)),
    });
    Some(File { name, bytes: part.bytes, whole })
}

/// What steers a screen and says nothing: controls, and signs that turn the direction of what follows.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{200e}' | '\u{200f}')
}

/// Text as people may be shown it: lines without ends of spaces, never more than one empty one together.
fn clean(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut out = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.lines() {
        let line: String = line.chars().map(|c| if c == '\t' { ' ' } else { c }).filter(|c| !steers(*c)).collect();
        let line = line.trim_end();
        empty = if line.is_empty() { empty + 1 } else { 0 };
        if empty < 2 {
            out.push_str(line);
            out.push('\n');
        }
    }
    out.trim_matches('\n').to_owned()
}

/// One line of it.
fn line(text: &str, most: usize) -> String {
    let line: String = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| !steers(*c)).collect();
    shortened(line.trim(), most).0
}

/// At most so many characters, and whether there were more.
fn shortened(text: &str, most: usize) -> (String, bool) {
    match text.char_indices().nth(most) {
        Some((end, _)) => (format!("{}…", text.get(..end).unwrap_or_default().trim_end()), true),
        None => (text.to_owned(), false),
    }
}
