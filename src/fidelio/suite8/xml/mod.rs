//! Reader of answers (facts §2.4): bytes go in piece by piece, rows come out one by one.
//!
//! A push parser on quick-xml's pull reader: what is complete in the buffer is parsed, the incomplete tail waits for the
//! next piece. No thread, no body in memory; the caller takes the rows of one piece before it feeds the next, so memory
//! is bounded by one piece and one row whatever the size of the answer.

mod assemble;
mod decode;

use quick_xml::Reader as Pull;
use quick_xml::errors::{Error, SyntaxError};
use quick_xml::events::{BytesStart, Event};

use assemble::Assembler;
pub use assemble::{Field, Item, Row};
use decode::Decoder;
pub use decode::allowed as is_allowed;

/// Why an answer cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    #[error("the answer is not a message of the interface")]
    NotTheInterface,
    #[error("the answer is empty")]
    Empty,
    #[error("the answer ends in the middle")]
    Truncated,
    #[error("the answer is not well-formed: {0}")]
    Malformed(&'static str),
    #[error("the answer declares entities or a document type")]
    Entities,
    #[error("the answer declares an encoding that is not supported")]
    Encoding,
    #[error("the answer is larger than allowed: {0}")]
    TooBig(&'static str),
}

/// What an answer may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Nested elements.
    pub depth: usize,
    /// Attributes of one element.
    pub attributes: usize,
    /// Bytes of text in one field, and of one tag.
    pub text: usize,
    /// Bytes of one row.
    pub row: usize,
    /// Bytes of the whole answer, unpacked.
    pub total: u64,
}

impl Default for Limits {
    fn default() -> Self {
        // 50,000 rows of a talkative hotel are 200 MB; what is larger is asked for in smaller parts.
        Self { depth: 32, attributes: 64, text: 1 << 20, row: 4 << 20, total: 256 << 20 }
    }
}

/// Bytes parsed at once; larger pieces are cut, so that rows leave in small lots.
pub const PIECE: usize = 16 << 10;
const MARK: char = '\u{FEFF}';

/// Reads one answer.
pub struct Reader {
    limits: Limits,
    decoder: Decoder,
    /// Decoded text that is not parsed yet: the tail of an unfinished tag or text.
    pending: String,
    /// Do not look at `pending` again before it has this many bytes: keeps a long unfinished text linear.
    retry_at: usize,
    total: u64,
    assembler: Assembler,
}

impl Reader {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            decoder: Decoder::default(),
            pending: String::new(),
            retry_at: 0,
            total: 0,
            assembler: Assembler::new(limits),
        }
    }

    /// Reads the next bytes; what they complete is appended to `out`. At most [`PIECE`] bytes keep `out` small.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<Item>) -> Result<(), XmlError> {
        for piece in bytes.chunks(PIECE) {
            self.total = self.total.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
            if self.total > self.limits.total {
                return Err(XmlError::TooBig("bytes"));
            }
            self.decode(piece, false)?;
            if self.pending.len() >= self.retry_at {
                self.parse(false, out)?;
            }
        }
        Ok(())
    }

    /// Nothing follows: reads what is left and checks that the answer is whole.
    pub fn finish(&mut self, out: &mut Vec<Item>) -> Result<(), XmlError> {
        self.decode(b"", true)?;
        self.parse(true, out)?;
        self.assembler.finish(self.total == 0)
    }

    /// Marks of byte order say nothing amid an answer, and the parser leaves one at the begin of its text out of its count.
    fn decode(&mut self, bytes: &[u8], last: bool) -> Result<(), XmlError> {
        let known = self.pending.len();
        self.decoder.feed(bytes, last, &mut self.pending)?;
        if self.pending.get(known..).is_some_and(|new| new.contains(MARK)) {
            let new = self.pending.split_off(known);
            self.pending.extend(new.split(MARK));
        }
        Ok(())
    }

    /// Text and rows held back, in bytes: what a test watches.
    pub fn held(&self) -> usize {
        self.pending.capacity() + self.assembler.held()
    }

    fn parse(&mut self, last: bool, out: &mut Vec<Item>) -> Result<(), XmlError> {
        let consumed = {
            let mut pull = Pull::from_str(&self.pending);
            let config = pull.config_mut();
            // Names are checked against our own stack, which outlives this reader; a lone `&` of a careless writer is text.
            config.check_end_names = false;
            config.allow_unmatched_ends = true;
            config.allow_dangling_amp = true;
            let end = self.pending.len();
            let mut consumed = 0;
            loop {
                let event = match pull.read_event() {
                    Ok(event) => event,
                    Err(error) if !last && is_unfinished(&error, self.pending.get(consumed..)) => break,
                    Err(error) => return Err(malformed(last && is_unfinished(&error, self.pending.get(consumed..)))),
                };
                let position = usize::try_from(pull.buffer_position()).unwrap_or(end);
                match event {
                    Event::Eof => {
                        consumed = end;
                        break;
                    }
                    // A text that reaches the end of the buffer may go on in the next piece.
                    Event::Text(_) if position >= end && !last => break,
                    event => step(&mut self.assembler, &event, out)?,
                }
                consumed = position;
            }
            consumed
        };
        self.pending.drain(..consumed);
        if self.pending.len() > self.limits.text {
            return Err(XmlError::TooBig("text"));
        }
        if self.pending.is_empty() && self.pending.capacity() > 8 * PIECE {
            self.pending = String::new();
        }
        self.retry_at = self.pending.len() + self.pending.len() / 4;
        Ok(())
    }
}

fn step(assembler: &mut Assembler, event: &Event<'_>, out: &mut Vec<Item>) -> Result<(), XmlError> {
    match event {
        Event::Start(tag) => open(assembler, tag, out),
        Event::Empty(tag) => {
            open(assembler, tag, out)?;
            assembler.close(tag.name().as_ref(), out)
        }
        Event::End(tag) => assembler.close(tag.name().as_ref(), out),
        Event::Text(text) => assembler.text(text),
        Event::CData(text) => assembler.text(text),
        Event::GeneralRef(name) => {
            let mut buffer = [0; 4];
            let resolved = resolve(name)?;
            assembler.text(resolved.map_or("", |c| c.encode_utf8(&mut buffer)))
        }
        // A web page, not an attack.
        Event::DocType(name) if name.trim().eq_ignore_ascii_case("html") => Err(XmlError::NotTheInterface),
        Event::DocType(_) => Err(XmlError::Entities),
        Event::Decl(_) | Event::PI(_) | Event::Comment(_) | Event::Eof => Ok(()),
    }
}

fn open(assembler: &mut Assembler, tag: &BytesStart<'_>, out: &mut Vec<Item>) -> Result<(), XmlError> {
    if tag.attributes_raw().len() > assembler.limits().text {
        return Err(XmlError::TooBig("text"));
    }
    let mut attributes = Vec::new();
    // `html_attributes` takes missing quotes too; duplicates are not checked, the first one counts.
    for attribute in tag.html_attributes().with_checks(false) {
        let attribute = attribute.map_err(|_| XmlError::Malformed("an attribute"))?;
        if attributes.len() >= assembler.limits().attributes {
            return Err(XmlError::TooBig("attributes"));
        }
        let name = local(attribute.key.as_ref());
        if attribute.key.as_ref().starts_with("xmlns") {
            continue;
        }
        attributes.push((name.to_owned(), unescape(attribute.value.as_ref())?));
    }
    assembler.open(tag.name().as_ref(), attributes, out)
}

/// The name without its prefix: real answers carry no namespace, documents do (facts §2.1).
fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// One reference: the five predefined entities and character references; anything else is refused. A reference to a
/// character XML forbids is nothing.
fn resolve(name: &str) -> Result<Option<char>, XmlError> {
    let code = match name {
        "amp" => return Ok(Some('&')),
        "lt" => return Ok(Some('<')),
        "gt" => return Ok(Some('>')),
        "quot" => return Ok(Some('"')),
        "apos" => return Ok(Some('\'')),
        _ => name.strip_prefix('#').ok_or(XmlError::Entities)?,
    };
    let number = match code.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => code.parse(),
    };
    let number = number.map_err(|_| XmlError::Malformed("a character reference"))?;
    Ok(char::from_u32(number).filter(|c| decode::allowed(*c)))
}

fn unescape(value: &str) -> Result<String, XmlError> {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        match after.split_once(';') {
            Some((name, tail)) if is_reference(name) => {
                out.extend(resolve(name)?);
                rest = tail;
            }
            _ => {
                out.push('&');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Looks like the inside of a reference rather than a lone ampersand followed by text.
fn is_reference(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'#' | b'_' | b'-' | b'.' | b':'))
}

/// The error says only that the piece ended in the middle of something.
fn is_unfinished(error: &Error, rest: Option<&str>) -> bool {
    match error {
        // `<!` and too little behind it to know what it opens.
        Error::Syntax(SyntaxError::InvalidBangMarkup) => rest.is_some_and(|rest| rest.len() < "<![CDATA[".len()),
        Error::Syntax(_) => true,
        _ => false,
    }
}

fn malformed(unfinished: bool) -> XmlError {
    if unfinished { XmlError::Truncated } else { XmlError::Malformed("markup") }
}

#[cfg(test)]
mod tests;
