//! The support desk's public pages: a request behind its link, the call-back form, the consent it asks for, and the script that
//! puts the form into another site. They hold no data: what they show they ask the API for.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::lang::{self, Lang};
use super::{HttpState, assets, boot};

/// The name of the script in the build and under `/support/`.
pub const SCRIPT: &str = "callback.js";

#[derive(Deserialize)]
pub struct Wanted {
    lang: Option<String>,
}

impl Wanted {
    /// What the page was asked in; else the browser's.
    fn lang(&self, request: &HttpRequest) -> Lang {
        match self.lang.as_deref() {
            Some("ru") => Lang::Ru,
            Some("en") => Lang::En,
            _ => lang::of_request(request),
        }
    }
}

/// `GET /support/request`: the page that a link names. The link's secret stays in the browser, behind `#`.
pub async fn request(state: Data<HttpState>, request: HttpRequest, wanted: Query<Wanted>) -> HttpResponse {
    show(&state, "request.html", wanted.lang(&request), "'none'")
}

/// `GET /support/callback`: the form of S-21…S-29, also inside the sites of `support.allowed_sites`.
pub async fn call_back(state: Data<HttpState>, request: HttpRequest, wanted: Query<Wanted>) -> HttpResponse {
    show(&state, "callback.html", wanted.lang(&request), &ancestors(&state.config.support.allowed_sites))
}

/// `GET /support/consent`: the document behind the form's box, on a page of its own (S-25).
pub async fn consent(state: Data<HttpState>, request: HttpRequest, wanted: Query<Wanted>) -> HttpResponse {
    show(&state, "consent.html", wanted.lang(&request), "'none'")
}

/// `GET /support/callback.js`
pub async fn script(request: HttpRequest) -> HttpResponse {
    assets::answer(&request, SCRIPT)
}

/// Sites as `frame-ancestors` names them.
fn ancestors(sites: &[String]) -> String {
    let origins = sites.iter().filter_map(|site| Url::parse(site).ok()).map(|site| boot::origin(&site));
    let named: Vec<String> = origins.filter(|origin| origin != "'none'").collect();
    if named.is_empty() { "'none'".to_owned() } else { named.join(" ") }
}

fn show(state: &HttpState, page: &str, lang: Lang, ancestors: &str) -> HttpResponse {
    let support = &state.config.support;
    let block = json!({"phone": support.phone, "address": support.address});
    let mut answer = HttpResponse::Ok();
    answer
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CONTENT_LANGUAGE, lang.word()))
        .insert_header((VARY, "Accept-Language"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_SECURITY_POLICY, policy(ancestors)))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header(("Referrer-Policy", "no-referrer"))
        .insert_header(("Cross-Origin-Opener-Policy", "same-origin"))
        .insert_header(("X-Robots-Tag", "noindex"));
    if ancestors == "'none'" {
        // For browsers that do not know the directive; it cannot name several sites.
        answer.insert_header((X_FRAME_OPTIONS, "DENY"));
    }
    answer.body(boot::page(page, &block, lang))
}

fn policy(ancestors: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s28_only_the_named_sites_stand_in_the_policy() {
        let sites = ["https://vendor.example/", "https://a.example;script-src *", "nonsense", "http://b.example:8080"];
        let sites = sites.map(str::to_owned);
        assert_eq!(ancestors(&sites), "https://vendor.example http://b.example:8080");
        assert_eq!(ancestors(&[]), "'none'");
    }
}
