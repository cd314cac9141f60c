//! The page shown where a portal's certificate is not trusted. If an unknown authority signed it, as many boxes have it,
//! the admin may name that authority here: the same frame is posted once more with it, and goes on where it stopped. It
//! is kept only if the portal, reached through it, confirms him as its admin (`portal/verify.rs`).
//!
//! It works without the frontend: nothing is verified yet but whose token it is, so no script gets to run beside it.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};

use super::boot::origin;
use super::lang::Lang;
use crate::bitrix::Form;
use crate::portal::Untrusted;

/// The fields of a frame that stand in its body, to be posted again.
const FIELDS: &[&str] = &[
    "DOMAIN",
    "PROTOCOL",
    "LANG",
    "APP_SID",
    "AUTH_ID",
    "AUTH_EXPIRES",
    "REFRESH_ID",
    "SERVER_ENDPOINT",
    "APPLICATION_TOKEN",
    "APPLICATION_SCOPE",
    "member_id",
    "status",
    "PLACEMENT",
    "PLACEMENT_OPTIONS",
];

const STYLE: &str = "body{margin:0;padding:24px;font:15px/1.5 system-ui,sans-serif;color:#333;background:#fff}\
    main{max-width:680px}h1{font-size:21px;line-height:1.3;margin:0 0 12px}label{display:block;font-weight:600;margin:20px 0 6px}\
    textarea{box-sizing:border-box;width:100%;height:220px;padding:8px;font:13px/1.4 ui-monospace,monospace;border:1px solid #767676;\
    border-radius:6px}button{margin-top:16px;padding:10px 20px;font:inherit;color:#fff;background:#0b66c3;border:0;border-radius:6px;\
    cursor:pointer}button:focus,textarea:focus{outline:3px solid #8cc4ff}.fault{padding:10px 14px;border-left:4px solid #b3261e;\
    background:#fdecea}.note{color:#525c69}";

/// What is the matter with the certificate: what it is, and what to do.
fn words(fault: &str, lang: Lang) -> (&'static str, &'static str) {
    let (ru, en) = match fault {
        "certificate_issuer" | "authority" => (
            (
                "Сертификат портала подписан неизвестным удостоверяющим центром",
                "Приложение не может проверить портал по защищённому соединению: центр, который подписал сертификат \
                 портала, не входит в число общеизвестных. Так бывает на коробочных порталах с собственным \
                 удостоверяющим центром.",
            ),
            (
                "An unknown authority signed the portal's certificate",
                "The app cannot verify the portal over a secure connection: the authority that signed the portal's \
                 certificate is none of the publicly known ones. Boxed portals with an authority of their own have it so.",
            ),
        ),
        "certificate_expired" => (
            (
                "Срок действия сертификата портала истёк",
                "Администратору сервера портала нужно обновить сертификат; после этого откройте приложение ещё раз.",
            ),
            (
                "The portal's certificate has expired",
                "The administrator of the portal's server must renew it; then open the app again.",
            ),
        ),
        "certificate_name" => (
            (
                "Сертификат портала выдан на другое имя",
                "Администратору сервера портала нужно установить сертификат на адрес, по которому портал открывается; \
                 после этого откройте приложение ещё раз.",
            ),
            (
                "The portal's certificate is for another name",
                "The administrator of the portal's server must install a certificate for the address at which the \
                 portal opens; then open the app again.",
            ),
        ),
        _ => (
            (
                "Защищённое соединение с порталом не установлено",
                "Администратору сервера портала нужно проверить настройку HTTPS и сертификат; после этого откройте \
                 приложение ещё раз.",
            ),
            (
                "No secure connection to the portal",
                "The administrator of the portal's server must check HTTPS and the certificate; then open the app again.",
            ),
        ),
    };
    if lang == Lang::Ru { ru } else { en }
}

/// Why what was offered did not help.
fn fault(untrusted: &Untrusted, lang: Lang) -> &'static str {
    match untrusted.fault {
        "authority" => lang.pick(
            "Это не сертификат в формате PEM. Вставьте текст целиком, от строки BEGIN CERTIFICATE до строки END CERTIFICATE.",
            "This is no certificate in PEM form. Paste the whole text, from the line BEGIN CERTIFICATE to the line END CERTIFICATE.",
        ),
        _ => lang.pick(
            "Сертификат портала подписан другим центром. Ничего не сохранено: проверьте, тот ли сертификат вставлен.",
            "Another authority signed the portal's certificate. Nothing was saved: check whether this is the right one.",
        ),
    }
}

/// The page; `body` is the frame as it was posted.
pub fn ask(untrusted: &Untrusted, body: &[u8], lang: Lang) -> HttpResponse {
    let nonce = uuid::Uuid::new_v4().simple().to_string();
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; form-action 'self'; frame-ancestors {}",
        origin(&untrusted.endpoint)
    );
    // As other states that a person can mend: the vendor's cabinet takes a page for working only with 200.
    HttpResponse::build(StatusCode::OK)
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_SECURITY_POLICY, policy))
        .insert_header(("X-Content-Type-Options", "nosniff"))
        .insert_header(("Referrer-Policy", "no-referrer"))
        .body(document(untrusted, body, lang, &nonce))
}

fn document(untrusted: &Untrusted, body: &[u8], lang: Lang, nonce: &str) -> String {
    let (title, text) = words(untrusted.fault, lang);
    let host = escape(untrusted.endpoint.host_str().unwrap_or_default());
    let rest = match untrusted.fault {
        _ if untrusted.may_offer => form(untrusted, body, lang),
        "certificate_issuer" | "authority" => paragraph(lang.pick(
            "Указать доверенный удостоверяющий центр может администратор портала, который установил приложение. Если его \
             больше нет, это сделает администратор сервера приложения (настройка bitrix.portal_ca).",
            "The portal's administrator who installed the app can name the authority to trust. If he is gone, the operator \
             of the app's server can (setting bitrix.portal_ca).",
        )),
        _ => String::new(),
    };
    format!(
        "<!doctype html>\n<html lang=\"{}\">\n<head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title>\
         <style nonce=\"{nonce}\">{STYLE}</style></head>\n\
         <body><main><h1>{title}</h1><p class=\"note\">{host}</p>{}{rest}</main></body>\n</html>\n",
        lang.word(),
        paragraph(text),
    )
}

fn form(untrusted: &Untrusted, body: &[u8], lang: Lang) -> String {
    let said = if untrusted.offered {
        format!("<p class=\"fault\" role=\"alert\" id=\"fault\">{}</p>", fault(untrusted, lang))
    } else {
        String::new()
    };
    let label = lang.pick("Сертификат удостоверяющего центра (PEM)", "Certificate of the authority (PEM)");
    let button = lang.pick("Проверить и продолжить", "Check and go on");
    let note = lang.pick(
        "Его выдаст администратор сервера портала. Приложение будет доверять этому центру только при обращении к \
         вашему порталу и сохранит его, только если портал подтвердит, что вы его администратор.",
        "The administrator of the portal's server has it. The app will trust this authority for your portal only, and \
         keeps it only if the portal confirms that you are its administrator.",
    );
    // No action: the form goes to the address of this very page, query included.
    format!(
        "{said}<form method=\"post\">{}<label for=\"pem\">{label}</label>\
         <textarea id=\"pem\" name=\"CA_PEM\" required spellcheck=\"false\" autocomplete=\"off\" aria-describedby=\"note\" \
         placeholder=\"-----BEGIN CERTIFICATE-----\"></textarea><p class=\"note\" id=\"note\">{note}</p>\
         <button type=\"submit\">{button}</button></form>",
        hidden(body)
    )
}

fn hidden(body: &[u8]) -> String {
    let Ok(form) = Form::decode(body) else { return String::new() };
    FIELDS
        .iter()
        .filter_map(|name| Some((name, form.text(name)?)))
        .map(|(name, value)| format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(value)))
        .collect()
}

fn paragraph(text: &str) -> String {
    format!("<p>{text}</p>")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    fn untrusted(fault: &'static str, may_offer: bool, offered: bool) -> Untrusted {
        let endpoint = Url::parse("https://box.example:8443/rest/").expect("a URL");
        Untrusted { fault, endpoint, may_offer, offered }
    }

    #[test]
    fn s3_a_frame_is_posted_again_as_it_came_and_cannot_break_out_of_the_page() {
        let body =
            b"AUTH_ID=a%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E&member_id=m1&evil=1&CA_PEM=outworn&PLACEMENT=DEFAULT";
        let page = document(&untrusted("certificate_issuer", true, false), body, Lang::Ru, "n");
        assert!(!page.contains("<script") && !page.contains("evil") && !page.contains("outworn"), "{page}");
        assert!(page.contains("name=\"AUTH_ID\" value=\"a&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;\""), "{page}");
        assert!(page.contains("name=\"member_id\" value=\"m1\"") && page.contains("name=\"CA_PEM\""));
        assert!(page.contains("lang=\"ru\"") && !page.contains("role=\"alert\""));
    }

    #[test]
    fn s49_each_fault_is_told_in_both_languages_and_only_an_unknown_authority_may_be_named() {
        for fault in ["certificate_issuer", "authority", "certificate_expired", "certificate_name", "handshake"] {
            let ru = document(&untrusted(fault, false, false), b"AUTH_ID=secret-token", Lang::Ru, "n");
            let en = document(&untrusted(fault, false, false), b"AUTH_ID=secret-token", Lang::En, "n");
            assert!(!ru.contains("<form") && !ru.contains("secret-token"), "{fault}");
            assert!(words(fault, Lang::Ru).0 != words(fault, Lang::En).0 && en.is_ascii(), "{fault}");
        }
        let again = document(&untrusted("certificate_issuer", true, true), b"", Lang::En, "n");
        assert!(again.contains("role=\"alert\"") && again.contains("Nothing was saved"));
        let unreadable = document(&untrusted("authority", true, true), b"", Lang::En, "n");
        assert!(unreadable.contains("no certificate in PEM form"));
    }
}
