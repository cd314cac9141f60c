//! Bytes of an answer → text, piece by piece: byte order mark, declaration, the hotel's code page, stray control
//! characters (facts §1 "Encoding", §10.12).

use encoding_rs::{Decoder as Coder, DecoderResult, Encoding, UTF_8};

use super::XmlError;

/// Stands where bytes did not belong to the declared encoding. XML forbids it in text, so no hotel can mean it.
pub const GARBLED: char = '\u{FFFF}';

/// A declaration longer than this is none.
const MAX_DECLARATION: usize = 512;

enum State {
    /// Waiting for enough bytes to know the encoding.
    Sniffing(Vec<u8>),
    Decoding(Box<Coder>),
}

/// Incremental decoder. The XML declaration is consumed here: what leaves is UTF-8, whatever it said.
pub struct Decoder {
    state: State,
    scratch: String,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { state: State::Sniffing(Vec::new()), scratch: String::new() }
    }
}

impl Decoder {
    /// Appends the text of `bytes` to `out`. `last` says that nothing follows.
    pub fn feed(&mut self, bytes: &[u8], last: bool, out: &mut String) -> Result<(), XmlError> {
        match &mut self.state {
            State::Decoding(coder) => {
                decode(coder, bytes, last, &mut self.scratch, out);
                Ok(())
            }
            State::Sniffing(head) => {
                head.extend_from_slice(bytes);
                let Some((encoding, skip)) = sniff(head, last)? else { return Ok(()) };
                let head = std::mem::take(head);
                let mut coder = Box::new(encoding.new_decoder_without_bom_handling());
                decode(&mut coder, head.get(skip..).unwrap_or_default(), last, &mut self.scratch, out);
                self.state = State::Decoding(coder);
                Ok(())
            }
        }
    }
}

/// The encoding and how many bytes of `head` are its mark or declaration; `None` while more bytes are needed.
fn sniff(head: &[u8], last: bool) -> Result<Option<(&'static Encoding, usize)>, XmlError> {
    if let Some((encoding, length)) = Encoding::for_bom(head) {
        // A declaration behind a mark is read as text and ignored: the mark wins.
        return Ok(Some((encoding, length)));
    }
    if head.len() < 3 && !last {
        return Ok(None);
    }
    let blanks = head.iter().take_while(|b| b.is_ascii_whitespace()).count();
    let rest = head.get(blanks..).unwrap_or_default();
    let opening = b"<?xml";
    let common = rest.iter().zip(opening).take_while(|(a, b)| a == b).count();
    if common < opening.len() {
        let undecided = common == rest.len() && !last && head.len() < MAX_DECLARATION;
        return Ok(if undecided { None } else { Some((UTF_8, 0)) });
    }
    let Some(end) = rest.windows(2).position(|pair| pair == b"?>") else {
        return match (last, rest.len() > MAX_DECLARATION) {
            (true, _) => Err(XmlError::Truncated),
            (false, true) => Err(XmlError::Malformed("an XML declaration without end")),
            (false, false) => Ok(None),
        };
    };
    let declaration = rest.get(..end).unwrap_or_default();
    let encoding = match declared(declaration) {
        None => UTF_8,
        Some(label) => Encoding::for_label(label)
            // A declaration that was readable byte by byte cannot announce a two-byte encoding.
            .filter(|encoding| encoding.is_ascii_compatible())
            .ok_or(XmlError::Encoding)?,
    };
    Ok(Some((encoding, blanks + end + 2)))
}

/// The label in `encoding="…"`.
fn declared(declaration: &[u8]) -> Option<&[u8]> {
    let key = b"encoding";
    let at = declaration.windows(key.len()).position(|window| window == key)? + key.len();
    let rest = declaration.get(at..)?;
    let open = rest.iter().position(|b| matches!(b, b'"' | b'\''))?;
    let quote = *rest.get(open)?;
    let value = rest.get(open + 1..)?;
    let close = value.iter().position(|b| *b == quote)?;
    value.get(..close)
}

fn decode(coder: &mut Coder, mut bytes: &[u8], last: bool, scratch: &mut String, out: &mut String) {
    loop {
        scratch.clear();
        let room = coder.max_utf8_buffer_length_without_replacement(bytes.len()).unwrap_or(bytes.len()).max(16);
        scratch.reserve(room);
        let (result, read) = coder.decode_to_string_without_replacement(bytes, scratch, last);
        push_clean(scratch, out);
        bytes = bytes.get(read..).unwrap_or_default();
        match result {
            DecoderResult::InputEmpty => return,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(..) => out.push(GARBLED),
        }
    }
}

/// Characters XML 1.0 forbids are left out: hotels' notes contain them.
fn push_clean(text: &str, out: &mut String) {
    if text.chars().all(allowed) {
        out.push_str(text);
    } else {
        out.extend(text.chars().filter(|c| allowed(*c)));
    }
}

/// What XML 1.0 allows in a document.
pub fn allowed(c: char) -> bool {
    !matches!(c, '\u{0}'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(chunks: &[&[u8]]) -> Result<String, XmlError> {
        let mut decoder = Decoder::default();
        let mut out = String::new();
        for chunk in chunks {
            decoder.feed(chunk, false, &mut out)?;
        }
        decoder.feed(b"", true, &mut out)?;
        Ok(out)
    }

    fn bytewise(bytes: &[u8]) -> Result<String, XmlError> {
        let chunks: Vec<&[u8]> = bytes.chunks(1).collect();
        read(&chunks)
    }

    #[test]
    fn s1_cyrillic_is_read_in_every_code_page() {
        for label in ["utf-8", "windows-1251", "ISO-8859-5", "koi8-r"] {
            let encoding = Encoding::for_label(label.as_bytes()).expect("known");
            let text = format!("<?xml version='1.0' encoding='{label}' ?>\n<a>Пробная, ёлка</a>");
            let (bytes, _, lossy) = encoding.encode(&text);
            assert!(!lossy);
            assert_eq!(read(&[&bytes]).expect(label), "\n<a>Пробная, ёлка</a>");
            assert_eq!(bytewise(&bytes).expect(label), "\n<a>Пробная, ёлка</a>");
        }
        assert_eq!(bytewise(b"<?xml encoding=\"iso-8859-1\"?><a>\xe9</a>").as_deref(), Ok("<a>é</a>"));
    }

    #[test]
    fn s1_a_byte_order_mark_is_believed() {
        assert_eq!(bytewise("\u{feff}<a>ё</a>".as_bytes()).as_deref(), Ok("<a>ё</a>"));
        let mut wide = vec![0xff, 0xfe];
        wide.extend("<a>ё</a>".encode_utf16().flat_map(u16::to_le_bytes));
        assert_eq!(bytewise(&wide).as_deref(), Ok("<a>ё</a>"));
    }

    #[test]
    fn s1_bytes_of_another_encoding_are_marked_not_guessed() {
        assert_eq!(bytewise(b"<a>\xcf\xf0</a>").as_deref(), Ok("<a>\u{FFFF}\u{FFFF}</a>"));
        assert_eq!(bytewise(b"<a>\xd0").as_deref(), Ok("<a>\u{FFFF}"));
    }

    #[test]
    fn s1_stray_control_characters_vanish() {
        assert_eq!(bytewise(b"<a>x\x00\x1b\x0by\t\r\n</a>").as_deref(), Ok("<a>xy\t\r\n</a>"));
        assert_eq!(bytewise("<a>\u{FFFF}</a>".as_bytes()).as_deref(), Ok("<a></a>"));
    }

    #[test]
    fn s1_an_unknown_or_endless_declaration_is_refused() {
        assert_eq!(bytewise(b"<?xml encoding=\"ebcdic\"?><a/>"), Err(XmlError::Encoding));
        assert_eq!(bytewise(b"<?xml encoding=\"utf-16\"?><a/>"), Err(XmlError::Encoding));
        assert!(bytewise(&[b"<?xml ".as_slice(), &[b'x'; 600]].concat()).is_err());
        assert_eq!(bytewise(b"<?xml version"), Err(XmlError::Truncated));
        assert_eq!(bytewise(b"").as_deref(), Ok(""));
        assert_eq!(bytewise(b"<").as_deref(), Ok("<"));
    }
}
