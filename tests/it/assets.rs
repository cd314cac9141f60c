//! The frontend's files as a browser gets them: the smallest form it takes, kept for ever or asked about again, and
//! nothing beside them.

use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::api::Api;
use crate::support::db;

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }
}

/// A request as it stands on the wire: no client that tidies the path or unpacks the body.
async fn ask(api: &Api, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let address = api.url.trim_start_matches("http://");
    let mut socket = TcpStream::connect(address).await.expect("a connection");
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n");
    socket.write_all(request.as_bytes()).await.expect("sent");
    let mut raw = Vec::new();
    socket.read_to_end(&mut raw).await.expect("an answer");
    let end = raw.windows(4).position(|part| part == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(raw[..end].to_vec()).expect("text");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    Answer { status, head, body: raw[end + 4..].to_vec() }
}

/// The largest script of the build; `None`, said aloud, where the frontend was not built (`make test` always does).
fn script() -> Option<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("frontend/dist/assets");
    let files = std::fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok);
    let scripts = files.filter(|file| file.file_name().to_string_lossy().ends_with(".js"));
    let largest = scripts.max_by_key(|file| file.metadata().map_or(0, |data| data.len()));
    let Some(file) = largest else {
        assert!(std::env::var("CI").is_err(), "frontend/dist is not built");
        println!("skipped: frontend/dist is not built (see scripts/frontend)");
        return None;
    };
    let bytes = std::fs::read(file.path()).expect("readable");
    Some((format!("/app/assets/{}", file.file_name().to_string_lossy()), bytes))
}

#[tokio::test]
async fn s49_a_browser_gets_the_smallest_form_it_takes() {
    let api = Api::start(db::sqlite().await).await;
    let Some((path, plain)) = script() else { return };
    let on_disk = |ending: &str| {
        let name = path.trim_start_matches("/app/");
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("frontend/dist").join(format!("{name}{ending}")))
            .expect("there")
    };
    for (accepted, coding, bytes) in [
        ("gzip, deflate, br", "br", on_disk(".br")),
        ("br;q=0.1, gzip", "br", on_disk(".br")),
        ("GZIP", "gzip", on_disk(".gz")),
        ("br;q=0, gzip;q=1.0", "gzip", on_disk(".gz")),
        ("gzip;q=0", "", plain.clone()),
        ("identity", "", plain.clone()),
        ("brotli, x-gzip", "", plain.clone()),
        ("", "", plain.clone()),
    ] {
        let answer = ask(&api, "GET", &path, &[("Accept-Encoding", accepted)]).await;
        assert_eq!((answer.status, answer.header("content-encoding")), (200, coding), "{accepted:?}");
        assert!(answer.body == bytes, "{accepted:?}: {} bytes", answer.body.len());
        assert_eq!(answer.header("content-type"), "text/javascript; charset=utf-8", "of the file, not of its packing");
        assert_eq!(answer.header("vary"), "Accept-Encoding");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    let none = ask(&api, "GET", &path, &[]).await;
    assert!(none.body == plain && none.header("content-encoding").is_empty());
}

#[tokio::test]
async fn s49_what_carries_a_hash_is_kept_for_ever_and_the_rest_is_asked_about_again() {
    let api = Api::start(db::sqlite().await).await;
    let Some((path, plain)) = script() else { return };
    let first = ask(&api, "GET", &path, &[("Accept-Encoding", "br")]).await;
    assert_eq!(first.header("cache-control"), "public, max-age=31536000, immutable");
    let tag = first.header("etag").to_owned();
    assert!(tag.len() > 10 && tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    for known in [tag.clone(), format!("\"other\", {tag}"), format!("W/{tag}"), "*".to_owned()] {
        let again = ask(&api, "GET", &path, &[("Accept-Encoding", "br"), ("If-None-Match", &known)]).await;
        assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, tag.as_str()), "{known}");
    }
    let other = ask(&api, "GET", &path, &[("Accept-Encoding", "br"), ("If-None-Match", "\"other\"")]).await;
    assert_eq!(other.status, 200);
    // Another packing is another content: a cache must not answer for it.
    let packed = ask(&api, "GET", &path, &[("Accept-Encoding", "gzip"), ("If-None-Match", &tag)]).await;
    assert_eq!(packed.status, 200);
    let head = ask(&api, "HEAD", &path, &[]).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), plain.len().to_string());
    for path in ["/bitrix/install", "/bitrix/app"] {
        let page = ask(&api, "GET", path, &[]).await;
        assert_eq!((page.status, page.header("cache-control")), (200, "no-store"), "{path}");
    }
}

#[tokio::test]
async fn s49_nothing_beside_the_frontend_s_files_is_served() {
    let api = Api::start(db::sqlite().await).await;
    for path in [
        "/app/",
        "/app/assets/",
        "/app/assets",
        "/app/assets/no-such-file.js",
        // The page comes with a boot block only, packed copies are forms of an answer.
        "/app/index.html",
        "/app/request.html",
        "/app/callback.html",
        "/app/consent.html",
        "/app/index.html.br",
        "/app/.vite/manifest.json",
        "/app/../Cargo.toml",
        "/app/../../Cargo.toml",
        "/app/assets/../../../Cargo.toml",
        "/app/assets/../index.html",
        "/app/%2e%2e/Cargo.toml",
        "/app/..%2fCargo.toml",
        "/app/%2e%2e%2f%2e%2e%2fCargo.toml",
        "/app/..%5cCargo.toml",
        "/app//etc/passwd",
        "/app/%2fetc%2fpasswd",
        "/app/assets/%00",
        "/app/%ff",
    ] {
        let answer = ask(&api, "GET", path, &[("Accept-Encoding", "br, gzip")]).await;
        assert!(matches!(answer.status, 400 | 404), "{path}: {}", answer.head);
        let text = String::from_utf8_lossy(&answer.body);
        assert!(!text.contains("fb24-boot"), "{path}: a page without its block");
        assert!(!text.contains("[package]") && !text.contains("root:") && !text.contains("<div id"), "{path}: {text}");
    }
    if let Some((path, _)) = script() {
        for packed in [format!("{path}.br"), format!("{path}.gz")] {
            assert_eq!(ask(&api, "GET", &packed, &[]).await.status, 404, "{packed}");
        }
        assert_eq!(ask(&api, "POST", &path, &[("Content-Length", "0")]).await.status, 404);
    }
}

#[tokio::test]
async fn s28_the_script_for_other_sites_has_a_name_that_stays_and_is_asked_about_again() {
    let api = Api::start(db::sqlite().await).await;
    if script().is_none() {
        return;
    }
    let path = "/support/callback.js";
    let answer = ask(&api, "GET", path, &[("Accept-Encoding", "br"), ("Origin", "https://vendor.example")]).await;
    assert_eq!((answer.status, answer.header("content-encoding")), (200, "br"));
    assert_eq!(answer.header("content-type"), "text/javascript; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "no-cache");
    let tag = answer.header("etag").to_owned();
    assert_eq!(ask(&api, "GET", path, &[("Accept-Encoding", "br"), ("If-None-Match", &tag)]).await.status, 304);
    let plain = String::from_utf8(ask(&api, "GET", path, &[]).await.body).expect("text");
    // An ordinary script: it names nothing in the site it stands in, and imports nothing.
    assert!(plain.trim().starts_with("(()=>{") && plain.trim().ends_with("})();"), "{plain}");
    assert!(!plain.contains("import ") && !plain.contains("export"), "{plain}");
    for page in ["/support/request", "/support/callback", "/support/consent"] {
        let page = String::from_utf8(ask(&api, "GET", page, &[]).await.body).expect("text");
        assert!(page.contains("<script type=\"module\"") && page.contains("/app/assets/"), "{page}");
        assert!(!page.contains("style="), "nothing that the policy refuses: {page}");
        let scripts = page.matches("<script").count();
        assert_eq!(scripts, page.matches("src=\"/app/assets/").count() + 1, "the block, and files of ours: {page}");
    }
}
