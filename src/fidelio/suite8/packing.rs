//! `V8/ZIP` bodies (facts §1): base64 text of a ZIP with exactly one entry, both ways.

use std::io::{Cursor, Read, Write};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// Content type of a packed body, and what an answer's content type must contain to be one.
pub const PACKED: &str = "V8/ZIP";
/// Header that asks for a packed answer, and its value.
pub const SUPPORTED: (&str, &str) = ("V8-supported", "Zip/Msg");
/// Name of the entry we write: what the interface is known to accept. Readers take the only entry, whatever its name.
const ENTRY: &str = "MSG";

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Why a packed body cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    #[error("the packed answer is not base64 text")]
    Base64,
    #[error("the packed answer is not a whole archive")]
    Archive,
    #[error("the packed answer holds {0} entries instead of one")]
    Entries(usize),
    #[error("the packed answer is larger than allowed")]
    TooBig,
    #[error("the message could not be packed")]
    Write,
}

/// Packs a message.
pub fn pack(message: &[u8]) -> Result<String, PackError> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    zip.start_file(ENTRY, options).map_err(|_| PackError::Write)?;
    zip.write_all(message).map_err(|_| PackError::Write)?;
    let bytes = zip.finish().map_err(|_| PackError::Write)?.into_inner();
    Ok(BASE64.encode(bytes))
}

/// Collects the base64 text of a packed body as it arrives. Windows encoders wrap lines, so blanks are skipped.
pub struct Collector {
    archive: Vec<u8>,
    /// Characters that do not make a group of four yet.
    group: Vec<u8>,
    ended: bool,
    cap: usize,
}

impl Collector {
    /// `cap`: bytes of the archive, still compressed.
    pub fn new(cap: usize) -> Self {
        Self { archive: Vec::new(), group: Vec::new(), ended: false, cap }
    }

    pub fn feed(&mut self, text: &[u8]) -> Result<(), PackError> {
        self.group.extend(text.iter().copied().filter(|b| !b.is_ascii_whitespace()));
        let whole = self.group.len() / 4 * 4;
        self.decode(whole)
    }

    /// The archive, decoded.
    pub fn finish(mut self) -> Result<Vec<u8>, PackError> {
        self.decode(self.group.len())?;
        Ok(self.archive)
    }

    fn decode(&mut self, length: usize) -> Result<(), PackError> {
        if length == 0 {
            return Ok(());
        }
        if self.ended {
            return Err(PackError::Base64);
        }
        let group: Vec<u8> = self.group.drain(..length).collect();
        self.ended = group.ends_with(b"=");
        if self.archive.len() + length / 4 * 3 > self.cap {
            return Err(PackError::TooBig);
        }
        BASE64.decode_vec(&group, &mut self.archive).map_err(|_| PackError::Base64)
    }
}

/// Unpacks the only entry of `archive` piece by piece. `take` answers whether it wants more.
///
/// The sizes an archive declares are not believed: the reader behind `take` counts what really comes.
pub fn unpack(archive: Vec<u8>, piece: usize, mut take: impl FnMut(Vec<u8>) -> bool) -> Result<(), PackError> {
    let mut archive = ZipArchive::new(Cursor::new(archive)).map_err(|_| PackError::Archive)?;
    if archive.len() != 1 {
        return Err(PackError::Entries(archive.len()));
    }
    let mut entry = archive.by_index(0).map_err(|_| PackError::Archive)?;
    loop {
        let mut buffer = vec![0; piece];
        let read = entry.read(&mut buffer).map_err(|_| PackError::Archive)?;
        if read == 0 {
            return Ok(());
        }
        buffer.truncate(read);
        if !take(buffer) {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn zipped(entries: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in entries {
            zip.start_file(*name, SimpleFileOptions::default().compression_method(method)).expect("entry");
            zip.write_all(bytes).expect("bytes");
        }
        zip.finish().expect("archive").into_inner()
    }

    fn open(text: &[u8]) -> Result<Vec<u8>, PackError> {
        let mut collector = Collector::new(1 << 20);
        collector.feed(text)?;
        let mut out = Vec::new();
        unpack(collector.finish()?, 64, |piece| {
            out.extend(piece);
            true
        })?;
        Ok(out)
    }

    #[test]
    fn s1_stored_and_deflated_entries_of_any_name_are_read() {
        for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
            for name in ["MSG", "Msg", "answer.xml"] {
                let text = BASE64.encode(zipped(&[(name, "Ёлка ".repeat(50).as_bytes())], method));
                assert_eq!(open(text.as_bytes()).expect(name), "Ёлка ".repeat(50).as_bytes());
            }
        }
    }

    #[test]
    fn s1_lines_and_missing_padding_do_not_matter() {
        let text = BASE64.encode(zipped(&[("MSG", b"hello")], CompressionMethod::Stored));
        let lines: String =
            text.as_bytes().chunks(76).map(|line| format!("{}\r\n", String::from_utf8_lossy(line))).collect();
        assert_eq!(open(lines.as_bytes()), Ok(b"hello".to_vec()));
        assert_eq!(open(text.trim_end_matches('=').as_bytes()), Ok(b"hello".to_vec()));
    }

    #[test]
    fn s1_what_is_no_packed_answer_is_refused() {
        assert_eq!(open(b"<fidelio/>"), Err(PackError::Base64));
        assert_eq!(open(b"aGVsbG8="), Err(PackError::Archive));
        assert_eq!(open(b""), Err(PackError::Archive));
        assert_eq!(open(b"aGVsbG8=aGVsbG8="), Err(PackError::Base64));
        let two = BASE64.encode(zipped(&[("A", b"1"), ("B", b"2")], CompressionMethod::Stored));
        assert_eq!(open(two.as_bytes()), Err(PackError::Entries(2)));
        let none = BASE64.encode(zipped(&[], CompressionMethod::Stored));
        assert_eq!(open(none.as_bytes()), Err(PackError::Entries(0)));
        let mut small = Collector::new(16);
        assert_eq!(small.feed(two.as_bytes()), Err(PackError::TooBig));
    }

    #[test]
    fn s1_a_truncated_archive_is_an_error_not_a_short_answer() {
        let text = pack(b"<fidelio>long enough to lose something</fidelio>").expect("packs");
        for cut in (0..text.len().saturating_sub(4)).step_by(4) {
            assert!(open(&text.as_bytes()[..cut]).is_err(), "cut at {cut}");
        }
    }

    /// A thousand to one: the taker stops it, nothing is held.
    #[test]
    fn s1_a_bomb_leaves_in_pieces() {
        let archive = zipped(&[("MSG", &vec![b'x'; 8 << 20])], CompressionMethod::Deflated);
        assert!(archive.len() < 16 << 10);
        let mut taken = 0;
        unpack(archive, 4096, |piece| {
            assert!(piece.len() <= 4096);
            taken += piece.len();
            taken < 1 << 20
        })
        .expect("stopped by the taker");
        assert!(taken <= (1 << 20) + 4096);
    }

    proptest! {
        #[test]
        fn s1_packing_is_undone_by_unpacking(message in prop::collection::vec(any::<u8>(), 0..300), cut in 1usize..40) {
            let text = pack(&message).expect("packs");
            let mut collector = Collector::new(1 << 20);
            for part in text.as_bytes().chunks(cut) {
                collector.feed(part).expect("base64");
            }
            let mut out = Vec::new();
            unpack(collector.finish().expect("base64"), 7, |piece| { out.extend(piece); true }).expect("archive");
            prop_assert_eq!(out, message);
        }

        #[test]
        fn s1_no_archive_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = unpack(bytes, 16, |_| true);
        }
    }
}
