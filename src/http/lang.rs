//! Which language a request is answered in.

use actix_web::HttpMessage;
use actix_web::http::header::ACCEPT_LANGUAGE;

pub use crate::domain::Lang;

/// The session's language (left there by the extractor), else the browser's.
pub fn of_request(req: &impl HttpMessage) -> Lang {
    if let Some(lang) = req.extensions().get::<Lang>() {
        return *lang;
    }
    req.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).map(Lang::of_header).unwrap_or_default()
}
