//! An answer of the Suite 8 interface: no panic, bounded memory, and the same rows however its bytes are split.
#![no_main]

use fidelio_bitrix24::fidelio::suite8::packing::{Collector, unpack};
use fidelio_bitrix24::fidelio::suite8::xml::{Item, Limits, Reader, XmlError};
use libfuzzer_sys::fuzz_target;

fn read(pieces: &[&[u8]]) -> Result<Vec<Item>, XmlError> {
    let limits = Limits { total: 1 << 20, text: 1 << 14, row: 1 << 16, ..Limits::default() };
    let mut reader = Reader::new(limits);
    let mut out = Vec::new();
    for piece in pieces {
        reader.feed(piece, &mut out)?;
        assert!(reader.held() < 1 << 20);
    }
    reader.finish(&mut out)?;
    Ok(out)
}

fuzz_target!(|input: (u16, &[u8])| {
    let (at, bytes) = input;
    let at = usize::from(at).min(bytes.len());
    let (head, tail) = bytes.split_at(at);
    match (read(&[bytes]), read(&[head, tail])) {
        (Ok(whole), Ok(split)) => assert_eq!(whole, split),
        (whole, split) => assert_eq!(whole.is_err(), split.is_err()),
    }
    let mut collector = Collector::new(1 << 16);
    if collector.feed(bytes).is_ok()
        && let Ok(archive) = collector.finish()
    {
        let mut left = 1 << 20;
        let _ = unpack(archive, 4096, |piece| {
            left -= piece.len().min(left);
            left > 0
        });
    }
});
