//! The public pages as they are served: what protects the secret that stands behind `#`, and who may frame what.

use serde_json::{Value, json};

use crate::on_both_engines;
use crate::support::api::Api;

const REQUEST: &str = "/support/request";
const FORM: &str = "/support/callback";

struct Page {
    status: u16,
    headers: reqwest::header::HeaderMap,
    text: String,
}

impl Page {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

async fn send(request: reqwest::RequestBuilder) -> Page {
    let answer = request.send().await.expect("an answer");
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    Page { status, headers, text: answer.text().await.expect("text") }
}

async fn get(api: &Api, path: &str, headers: &[(&str, &str)]) -> Page {
    let request = api.client.get(format!("{}{path}", api.url));
    send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

fn directive<'a>(policy: &'a str, name: &str) -> &'a str {
    let found = policy.split(';').map(str::trim).find_map(|one| one.strip_prefix(name));
    found.map_or("", str::trim)
}

/// The block that stands in the page.
fn block(page: &str) -> Value {
    let (_, rest) = page.split_once("id=\"fb24-boot\">").expect("a block");
    let (text, _) = rest.split_once("</script>").expect("its end");
    serde_json::from_str(text).expect("JSON")
}

on_both_engines! {
    s46_the_page_of_a_link_is_there_and_nothing_of_it_is_kept_framed_or_told_onwards(db) {
        let api = Api::with(db, |config| config.support.allowed_sites = vec!["https://vendor.example".into()]).await;
        let link = api.desk.link_url("0123");
        assert!(link.ends_with("/support/request#0123"), "{link}");
        let page = get(&api, REQUEST, &[]).await;
        assert_eq!(page.status, 200);
        for (name, value) in [
            ("content-type", "text/html; charset=utf-8"),
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("x-robots-tag", "noindex"),
        ] {
            assert_eq!(page.header(name), value, "{name}");
        }
        let policy = page.header("content-security-policy");
        for (name, value) in [
            ("default-src", "'none'"),
            ("script-src", "'self'"),
            ("style-src", "'self'"),
            ("connect-src", "'self'"),
            ("base-uri", "'none'"),
            ("form-action", "'none'"),
            ("frame-ancestors", "'none'"),
        ] {
            assert_eq!(directive(policy, name), value, "{name}: {policy}");
        }
        assert_eq!(page.header("set-cookie"), "");
        // Whoever puts the secret where it does not belong gets the same page, without it.
        let secret = "a1b2".repeat(16);
        let wrong = get(&api, &format!("{REQUEST}?secret={secret}&lang=en"), &[]).await;
        assert!(wrong.status == 200 && !wrong.text.contains(&secret));
        assert_eq!(wrong.header("location"), "");
        let posted = send(api.client.post(format!("{}{REQUEST}", api.url)).body("x")).await;
        assert_eq!(posted.status, 405, "the page changes nothing");
        let head = send(api.client.head(format!("{}{REQUEST}", api.url))).await;
        assert_eq!((head.status, head.text.as_str()), (200, ""));
    }

    s54_the_pages_speak_the_reader_s_language_and_name_the_contacts(db) {
        let api = Api::with(db, |config| config.support.address = "help</script>@vendor.example".into()).await;
        for path in [REQUEST, FORM, "/support/consent"] {
            for (query, accepted, lang) in [
                ("", "", "ru"),
                ("", "en-GB,en;q=0.9", "en"),
                ("", "de, ru;q=0.5", "ru"),
                ("?lang=en", "ru", "en"),
                ("?lang=ru", "en", "ru"),
                ("?lang=zz", "en", "en"),
            ] {
                let page = get(&api, &format!("{path}{query}"), &[("Accept-Language", accepted)]).await;
                assert_eq!((page.status, page.header("content-language")), (200, lang), "{path}{query} {accepted}");
                assert!(page.text.contains(&format!("<html lang=\"{lang}\"")), "{path}{query} {accepted}");
                assert_eq!(page.header("vary"), "Accept-Language");
                let contacts = json!({"phone": "+7 495 000-00-00", "address": "help</script>@vendor.example"});
                assert_eq!(block(&page.text), contacts);
            }
        }
    }

    s28_only_the_named_sites_may_frame_the_form(db) {
        let sites = vec!["https://vendor.example/".into(), "http://b.example:8080".into()];
        let api = Api::with(db, |config| config.support.allowed_sites = sites).await;
        let page = get(&api, FORM, &[]).await;
        let policy = page.header("content-security-policy");
        assert_eq!(directive(policy, "frame-ancestors"), "https://vendor.example http://b.example:8080");
        assert_eq!((page.header("x-frame-options"), directive(policy, "worker-src")), ("", "'self'"));
        let consent = get(&api, "/support/consent", &[]).await;
        assert_eq!(directive(consent.header("content-security-policy"), "frame-ancestors"), "'none'");
    }

    s28_without_named_sites_nobody_may_frame_the_form(db) {
        let api = Api::start(db).await;
        let page = get(&api, FORM, &[]).await;
        assert_eq!(directive(page.header("content-security-policy"), "frame-ancestors"), "'none'");
        assert_eq!(page.header("x-frame-options"), "DENY");
    }
}
