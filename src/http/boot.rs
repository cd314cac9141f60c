//! The frame page: the frontend's page with a boot block, or a sentence that explains why there is nothing to show.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use serde_json::{Value, json};
use url::Url;

use super::assets;
use super::lang::Lang;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    Install,
    App,
    DealStay,
    ContactGuest,
    TaskRequest,
    None,
}

impl Page {
    pub fn word(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::App => "app",
            Self::DealStay => "deal-stay",
            Self::ContactGuest => "contact-guest",
            Self::TaskRequest => "task-request",
            Self::None => "none",
        }
    }
}

/// Why a page cannot be shown (product §6: pages that explain themselves).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cannot {
    OutsideFrame,
    Unverified,
    /// The OAuth host or the portal did not answer: the same page, another status.
    VerifyLater,
    /// Refused so often that this caller waits.
    TooMany,
    NoAuth,
    NoAccess,
    RestUnavailable,
    NotInstalled,
    Suspended,
    WrongServer,
}

impl Cannot {
    pub fn code(self) -> &'static str {
        match self {
            Self::OutsideFrame => "outside_frame",
            Self::Unverified | Self::VerifyLater | Self::TooMany => "unverified",
            Self::NoAuth => "no_auth",
            Self::NoAccess => "no_access",
            Self::RestUnavailable => "rest_unavailable",
            Self::NotInstalled => "not_installed",
            Self::Suspended => "suspended",
            Self::WrongServer => "wrong_server",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::Unverified | Self::NoAccess => StatusCode::FORBIDDEN,
            Self::VerifyLater => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            // The vendor cabinet takes a page for working only with 200 (facts §1.2), and these are ordinary states.
            _ => StatusCode::OK,
        }
    }

    fn sentence(self, lang: Lang) -> &'static str {
        let (ru, en) = match self {
            Self::OutsideFrame => (
                "Эта страница открывается внутри портала Битрикс24: найдите приложение в меню портала.",
                "This page opens inside a Bitrix24 portal: look for the app in the portal's menu.",
            ),
            Self::Unverified => (
                "Портал не подтвердил, что эту страницу открыли вы. Закройте её и откройте приложение в портале ещё раз.",
                "The portal did not confirm that it was you who opened this page. Close it and open the app in the portal again.",
            ),
            Self::VerifyLater => (
                "Битрикс24 сейчас не отвечает, поэтому вход не удалось проверить. Откройте приложение ещё раз через минуту.",
                "Bitrix24 does not answer now, so the sign-in could not be checked. Open the app again in a minute.",
            ),
            Self::TooMany => (
                "Вход слишком часто не подтверждался. Подождите минуту и откройте приложение в портале ещё раз.",
                "The sign-in was refused too often. Wait a minute and open the app in the portal again.",
            ),
            Self::NoAuth => (
                "У вас нет доступа к приложению. Попросите администратора портала открыть его для вас.",
                "You have no access to the app. Ask the portal's administrator to open it for you.",
            ),
            Self::NoAccess => (
                "Эта страница доступна администратору портала и тем, кому он дал роль в приложении.",
                "This page is for the portal's administrator and those to whom he gave a role in the app.",
            ),
            Self::RestUnavailable => (
                "Тариф портала не включает REST, без него приложение не работает. Выберите коммерческий тариф или пробный период.",
                "The portal's plan does not include REST, and the app cannot work without it. Choose a commercial plan or a trial.",
            ),
            Self::NotInstalled => (
                "Приложение ещё не установлено. Установить его может администратор портала.",
                "The app is not installed yet. The portal's administrator can install it.",
            ),
            Self::Suspended => (
                "Срок оплаты приложения или тарифа портала истёк. Данные сохранены; работа продолжится после оплаты.",
                "The payment for the app or the portal's plan has run out. The data is kept; work goes on after payment.",
            ),
            Self::WrongServer => (
                "С этим порталом работает другой сервер приложения. Решить, какой из них остаётся, может администратор портала.",
                "Another server of the app works for this portal. The portal's administrator can decide which one stays.",
            ),
        };
        lang.pick(ru, en)
    }

    pub fn block(self, page: Page, lang: Lang) -> Value {
        json!({
            "page": page.word(),
            "error": {"code": self.code()},
            "lang": lang.word(),
            "version": env!("CARGO_PKG_VERSION"),
        })
    }
}

/// A page with a session, shown in the frame of this portal only.
pub fn show(block: &Value, lang: Lang, portal: &Url) -> HttpResponse {
    html(StatusCode::OK, block, lang, "", Some(portal))
}

/// A page without any data. `portal`: the verified one, where there is one.
pub fn explain(cannot: Cannot, page: Page, lang: Lang, portal: Option<&Url>) -> HttpResponse {
    html(cannot.status(), &cannot.block(page, lang), lang, cannot.sentence(lang), portal)
}

fn html(status: StatusCode, block: &Value, lang: Lang, sentence: &str, portal: Option<&Url>) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_SECURITY_POLICY, policy(portal)))
        .insert_header(("X-Content-Type-Options", "nosniff"))
        .insert_header(("Referrer-Policy", "no-referrer"))
        .body(document(block, lang, sentence))
}

/// Nobody may frame a page with data but the verified portal; a page without data may say its sentence anywhere.
fn policy(portal: Option<&Url>) -> String {
    let origin = portal.map(origin);
    let (connect, ancestors) = match &origin {
        Some(origin) => (format!("'self' {origin}"), origin.as_str()),
        None => ("'self'".to_owned(), "*"),
    };
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         font-src 'self' data:; connect-src {connect}; base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}"
    )
}

/// The portal's origin as a directive may name it. An address is the OAuth host's word, but a box's owner chose it:
/// whatever could end a directive stays out, and then nobody may frame the page.
pub fn origin(portal: &Url) -> String {
    let origin = portal.origin().ascii_serialization();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b":/.-_[]".contains(&b);
    if origin.bytes().all(plain) && origin != "null" { origin } else { "'none'".to_owned() }
}

/// JSON that cannot end the element it stands in.
fn embedded(block: &Value) -> String {
    block.to_string().replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// A page of the frontend with its block.
pub fn page(name: &str, block: &Value, lang: Lang) -> String {
    let page = assets::page(name).unwrap_or_else(|| BARE.to_owned());
    let page = page.replacen("lang=\"en\"", &format!("lang=\"{}\"", lang.word()), 1);
    put_block(&page, &embedded(block))
}

fn document(block: &Value, lang: Lang, sentence: &str) -> String {
    let page = page("index.html", block, lang);
    if sentence.is_empty() {
        return page;
    }
    // The sentence is there without any script; the frontend puts its own page in its place.
    page.replacen(
        "<div id=\"app\" class=\"isolate\"></div>",
        &format!("<div id=\"app\" class=\"isolate\"><p>{sentence}</p></div>"),
        1,
    )
}

fn put_block(page: &str, block: &str) -> String {
    let marker = "id=\"fb24-boot\">";
    let parts = page.split_once(marker).and_then(|(head, rest)| Some((head, rest.split_once("</script>")?.1)));
    match parts {
        Some((head, tail)) => format!("{head}{marker}{block}</script>{tail}"),
        None => page.to_owned(),
    }
}

/// For builds without the frontend: the boot block and the sentence still come.
const BARE: &str = "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\
    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Fidelio</title>\
    <script type=\"application/json\" id=\"fb24-boot\">null</script></head>\n\
    <body><div id=\"app\" class=\"isolate\"></div></body>\n</html>\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s49_a_block_cannot_leave_its_element() {
        let hostile = json!({"placement": {"options": {"x": "</script><script>alert(1)</script>"}}});
        let page = document(&hostile, Lang::Ru, "");
        assert!(!page.contains("<script>alert"));
        let (_, rest) = page.split_once("id=\"fb24-boot\">").expect("the block");
        let (text, _) = rest.split_once("</script>").expect("its end");
        assert_eq!(serde_json::from_str::<Value>(text).expect("JSON"), hostile);
        assert!(page.contains("lang=\"ru\""));
    }

    #[test]
    fn s49_only_the_verified_portal_may_frame_a_page_with_data() {
        let portal = Url::parse("https://hotel.bitrix24.ru/rest/").expect("url");
        let policy = policy(Some(&portal));
        assert!(policy.ends_with("frame-ancestors https://hotel.bitrix24.ru"), "{policy}");
        assert!(
            policy.contains("script-src 'self';") && policy.contains("connect-src 'self' https://hotel.bitrix24.ru;")
        );
        for hostile in ["https://evil.example;sandbox/rest/", "https://a,b.example/", "https://a'b.example/", "data:x"]
        {
            // The parser may refuse it before we do.
            let Ok(url) = Url::parse(hostile) else { continue };
            assert_eq!(origin(&url), "'none'", "{hostile}");
        }
        let boxed = Url::parse("https://[2001:db8::1]:8443/rest/").expect("url");
        assert_eq!(origin(&boxed), "https://[2001:db8::1]:8443");
    }

    #[test]
    fn s49_every_cannot_show_page_says_why_in_both_languages() {
        for cannot in [
            Cannot::OutsideFrame,
            Cannot::Unverified,
            Cannot::VerifyLater,
            Cannot::TooMany,
            Cannot::NoAuth,
            Cannot::NoAccess,
            Cannot::RestUnavailable,
            Cannot::NotInstalled,
            Cannot::Suspended,
            Cannot::WrongServer,
        ] {
            let page = document(&cannot.block(Page::App, Lang::Ru), Lang::Ru, cannot.sentence(Lang::Ru));
            assert!(page.contains(cannot.sentence(Lang::Ru)) && page.contains(cannot.code()));
            assert!(cannot.sentence(Lang::En).is_ascii());
        }
    }
}
