//! The frontend's files, embedded in the binary, compressed beforehand; names of the bundle change with its content.

use std::borrow::Cow;

use actix_web::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use actix_web::{HttpRequest, HttpResponse, web};
use rust_embed::{EmbeddedFile, RustEmbed};

/// `frontend/dist`; a build without it serves its pages without a frontend.
#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/frontend/dist"]
#[allow_missing = true]
struct Dist;

/// A page as it was built, before its boot block is put in.
pub fn page(name: &str) -> Option<String> {
    match Dist::get(name)?.data {
        Cow::Borrowed(bytes) => String::from_utf8(bytes.to_vec()).ok(),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok(),
    }
}

/// Files whose names carry a hash of their content.
fn is_immutable(path: &str) -> bool {
    path.starts_with("assets/")
}

/// A file's own name and nothing that leads elsewhere: a build that reads the files from disk would follow it.
fn is_plain(path: &str) -> bool {
    !path.contains('\\') && path.split('/').all(|part| !part.is_empty() && !part.starts_with('.'))
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("webp") => "image/webp",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("woff") => "font/woff",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// The smallest form of a file that the browser takes.
fn find(path: &str, accepted: &str) -> Option<(EmbeddedFile, Option<&'static str>)> {
    let takes = |coding: &str| {
        accepted.split(',').map(str::trim).any(|one| {
            let (name, weight) = one.split_once(';').unwrap_or((one, ""));
            name.trim().eq_ignore_ascii_case(coding) && !matches!(weight.trim(), "q=0" | "q=0.0")
        })
    };
    for (coding, ending) in [("br", ".br"), ("gzip", ".gz")] {
        if takes(coding)
            && let Some(file) = Dist::get(&format!("{path}{ending}"))
        {
            return Some((file, Some(coding)));
        }
    }
    Dist::get(path).map(|file| (file, None))
}

/// `GET` and `HEAD /app/…`
pub async fn serve(req: HttpRequest, path: web::Path<String>) -> HttpResponse {
    answer(&req, &path)
}

/// A file of the build, in the form this browser takes.
pub fn answer(req: &HttpRequest, path: &str) -> HttpResponse {
    // Pages come with a boot block only; the compressed copies are answers, not files.
    let hidden = [".html", ".br", ".gz"].iter().any(|ending| path.ends_with(ending));
    if hidden || !is_plain(path) {
        return HttpResponse::NotFound().finish();
    }
    let accepted = req.headers().get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some((file, coding)) = find(path, accepted) else { return HttpResponse::NotFound().finish() };
    let hash = file.metadata.sha256_hash();
    let tag: String = hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{tag}\"");
    let known = req.headers().get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // RFC 9110 §13.1.2: compared weakly, for a proxy that packs or unpacks makes a tag weak.
    let same = |one: &str| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag;
    let unchanged = known.split(',').map(str::trim).any(same);
    let mut response = if unchanged { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((ETAG, tag))
        .insert_header((VARY, "Accept-Encoding"))
        .insert_header(("X-Content-Type-Options", "nosniff"))
        .insert_header((
            CACHE_CONTROL,
            if is_immutable(path) { "public, max-age=31536000, immutable" } else { "no-cache" },
        ))
        .insert_header((CONTENT_TYPE, media_type(path)));
    if let Some(coding) = coding {
        response.insert_header((CONTENT_ENCODING, coding));
    }
    if unchanged {
        return response.finish();
    }
    match file.data {
        Cow::Borrowed(bytes) => response.body(bytes),
        Cow::Owned(bytes) => response.body(bytes),
    }
}
