//! Letters of strangers: no panic, and the same letter is read the same way twice.
#![no_main]

use fidelio_bitrix24::mail::incoming;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    assert_eq!(incoming::read(bytes, false), incoming::read(bytes, false));
});
