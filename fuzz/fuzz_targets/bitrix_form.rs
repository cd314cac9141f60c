//! Form bodies of a portal: events and frames. No panic, and what decodes is shown the same way twice.
#![no_main]

use fidelio_bitrix24::bitrix::events::{FramePost, PortalEvent};
use fidelio_bitrix24::bitrix::form::Form;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(form) = Form::decode(bytes) {
        assert_eq!(Form::decode(bytes).map(|again| again.to_json()).ok(), Some(form.to_json()));
    }
    let _ = PortalEvent::parse(bytes);
    let (query, body) = bytes.split_at(bytes.len() / 2);
    if let Ok(query) = std::str::from_utf8(query) {
        let _ = FramePost::parse(query, body);
    }
});
