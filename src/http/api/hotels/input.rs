//! What a person may say of a hotel, checked before anything is stored.

use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use super::super::input::{Bad, Object, authority, boolean, secret, text};
use crate::domain::phone::is_country;
use crate::domain::{Currency, HotelCode};
use crate::fidelio::demo;
use crate::store::hotels::HotelFacts;
use crate::store::sources::Dialect;

/// A hotel as posted. With `PUT` the code may be repeated, but not changed.
#[derive(Debug)]
pub struct HotelInput {
    pub code: Option<HotelCode>,
    pub facts: HotelFacts,
    pub sources: Vec<SourceInput>,
}

#[derive(Debug)]
pub struct SourceInput {
    pub kind: &'static str,
    pub via: &'static str,
    /// The demo hotel needs none.
    pub way: Option<WayInput>,
}

/// How an interface is reached.
#[derive(Debug)]
pub struct WayInput {
    pub url: Url,
    pub username: String,
    /// Missing: the stored one stays (only where the address and the user name stay as well).
    pub password: Option<SecretString>,
    pub vendor: Option<String>,
    pub dialect: DialectInput,
}

/// What is said of the interface's dialect; of what is missing, the stored value stays.
#[derive(Debug, Default)]
pub struct DialectInput {
    pub packed: Option<bool>,
    pub password_encrypted: Option<bool>,
    pub country: Option<Option<String>>,
    pub ca_pem: Option<Option<String>>,
}

/// A hotel has few ways in; more is a mistake or an attack.
const SOURCES: usize = 8;

impl HotelInput {
    pub fn read(body: &mut Object) -> Option<Self> {
        let code = body
            .optional("code", |value| HotelCode::parse(value.as_str().unwrap_or_default()).map_err(|_| "hotel_code"));
        let name = body.required("name", text(120));
        let timezone = body.required("timezone", timezone);
        let currency = body.required("currency", currency);
        let sources = body.objects("sources", SOURCES, SourceInput::read);
        let sources = sources.filter(|sources| {
            let twice = sources.len() > 1;
            if twice {
                // One interface is polled once, and a demo hotel has nothing of a real one.
                body.reject("sources", "source_twice");
            }
            !twice
        });
        let facts = HotelFacts { name: name?, timezone: timezone?, currency: currency? };
        Some(Self { code, facts, sources: sources? })
    }

    /// The hotel of the demo source.
    pub fn is_demo(&self) -> bool {
        self.sources.iter().any(|source| source.kind == demo::KIND)
    }
}

impl SourceInput {
    fn read(source: &mut Object) -> Option<Self> {
        let kind = source.required("kind", kind);
        let via = source.required("via", via);
        // What `GET` shows may come back with `PUT`; it says nothing.
        let _ = source.optional("password_set", boolean);
        let _ = source.optional("ca_pem_set", boolean);
        let way = if kind == Some(demo::KIND) { None } else { Some(WayInput::read(source)?) };
        Some(Self { kind: kind?, via: via?, way })
    }
}

impl WayInput {
    fn read(source: &mut Object) -> Option<Self> {
        let url = source.required("url", address);
        let username = source.required("username", text(64));
        let password = source.optional("password", secret(256));
        let vendor = source.optional("vendor", text(64));
        let dialect = DialectInput {
            packed: source.optional("packed", boolean),
            password_encrypted: source.optional("password_encrypted", boolean),
            country: source.told("country", country),
            ca_pem: source.told("ca_pem", authority).map(Option::flatten),
        };
        Some(Self { url: url?, username: username?, password: password.map(SecretString::from), vendor, dialect })
    }
}

impl DialectInput {
    /// What it makes of the stored one.
    pub fn over(&self, stored: Option<&Dialect>) -> Dialect {
        let stored = stored.cloned().unwrap_or_default();
        Dialect {
            packed: self.packed.unwrap_or(stored.packed),
            password_encrypted: self.password_encrypted.unwrap_or(stored.password_encrypted),
            country: self.country.clone().unwrap_or(stored.country),
            ca_pem: self.ca_pem.clone().unwrap_or(stored.ca_pem),
        }
    }
}

fn country(value: &Value) -> Result<String, Bad> {
    let code = value.as_str().unwrap_or_default().to_ascii_uppercase();
    if is_country(&code) { Ok(code) } else { Err("country".into()) }
}

fn kind(value: &Value) -> Result<&'static str, Bad> {
    match value.as_str() {
        Some("suite8_xml") => Ok("suite8_xml"),
        Some(demo::KIND) => Ok(demo::KIND),
        Some("fias") => Err("source_not_yet".into()),
        _ => Err("source_kind".into()),
    }
}

fn via(value: &Value) -> Result<&'static str, Bad> {
    match value.as_str() {
        Some("direct") => Ok("direct"),
        Some(agent) if agent.starts_with("agent:") => Err("agent_not_yet".into()),
        _ => Err("source_via".into()),
    }
}

fn timezone(value: &Value) -> Result<String, Bad> {
    let name = value.as_str().ok_or("timezone")?;
    name.parse::<chrono_tz::Tz>().map(|zone| zone.name().to_owned()).map_err(|_| "timezone".into())
}

fn currency(value: &Value) -> Result<Currency, Bad> {
    let currency = Currency::parse(value.as_str().unwrap_or_default()).map_err(|_| "currency")?;
    if currency.is_in_use() { Ok(currency) } else { Err("currency".into()) }
}

fn address(value: &Value) -> Result<Url, Bad> {
    let text = text(500)(value)?;
    let url = Url::parse(&text).map_err(|_| "url")?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err("url".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("url_credentials".into());
    }
    // A query is part of the address: hosted installations name the property there (`?ic=…`, facts Suite 8 §1).
    if url.fragment().is_some() {
        return Err("url_fragment".into());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(body: Value) -> Result<HotelInput, Vec<(String, &'static str)>> {
        Object::read(body, HotelInput::read).map_err(|bad| bad.into_iter().map(crate::http::api::input::pair).collect())
    }

    fn hotel() -> Value {
        json!({"code": "GRAND", "name": "Гранд Отель", "timezone": "Europe/Moscow", "currency": "RUB", "sources": [
            {"kind": "suite8_xml", "via": "direct", "url": "https://pms.example/x", "username": "u", "password": " p "}
        ]})
    }

    #[test]
    fn s1_a_hotel_is_read_whole() {
        use secrecy::ExposeSecret;
        let read = read(hotel()).expect("valid");
        assert_eq!(read.code.as_ref().map(HotelCode::as_str), Some("GRAND"));
        assert_eq!(read.facts.name, "Гранд Отель");
        assert_eq!(
            read.sources[0].way.as_ref().and_then(|way| way.password.as_ref()).map(|p| p.expose_secret().to_owned()),
            Some(" p ".into())
        );
    }

    #[test]
    fn s1_what_is_not_built_yet_and_what_is_wrong_is_refused_by_its_pointer() {
        for (pointer, value, code) in [
            ("/code", json!("grand"), "hotel_code"),
            ("/code", json!(7), "hotel_code"),
            ("/name", json!("   "), "required"),
            ("/timezone", json!("Moscow"), "timezone"),
            ("/timezone", json!("+03:00"), "timezone"),
            ("/currency", json!("rub"), "currency"),
            ("/currency", json!("XXX"), "currency"),
            ("/sources", json!({}), "list"),
            ("/sources/0/kind", json!("fias"), "source_not_yet"),
            ("/sources/0/kind", json!("oxi"), "source_kind"),
            ("/sources/0/via", json!("agent:7"), "agent_not_yet"),
            ("/sources/0/via", json!("pigeon"), "source_via"),
            ("/sources/0/url", json!("pms.example/x"), "url"),
            ("/sources/0/url", json!("file:///etc/passwd"), "url"),
            ("/sources/0/url", json!("https://u:p@pms.example/x"), "url_credentials"),
            ("/sources/0/url", json!("https://pms.example/x?ic=1#top"), "url_fragment"),
            ("/sources/0/username", json!(""), "required"),
            ("/sources/0/password", json!("a\nb"), "control_characters"),
            ("/sources/0/packed", json!("yes"), "boolean"),
            ("/sources/0/password_encrypted", json!(1), "boolean"),
            ("/sources/0/country", json!("XX"), "country"),
            ("/sources/0/country", json!("Russia"), "country"),
            ("/sources/0/ca_pem", json!("hello"), "pem"),
            ("/sources/0/ca_pem", json!("-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----"), "pem"),
            ("/sources/0/ca_pem", json!("x".repeat(32 * 1024 + 1)), "too_long"),
            ("/sources/0/port", json!(1), "unknown"),
        ] {
            let mut body = hotel();
            match body.pointer_mut(pointer) {
                Some(member) => *member = value.clone(),
                None => body["sources"][0][pointer.rsplit('/').next().expect("a name")] = value.clone(),
            }
            assert_eq!(read(body).expect_err("wrong"), [(pointer.to_owned(), code)], "{value}");
        }
    }

    #[test]
    fn s1_a_demo_hotel_is_connected_without_an_address() {
        let mut body = hotel();
        body["sources"] = json!([{"kind": "demo", "via": "direct"}]);
        assert!(read(body.clone()).expect("valid").is_demo());
        body["sources"][0]["url"] = json!("https://pms.example/x");
        assert_eq!(read(body).expect_err("wrong"), [("/sources/0/url".to_owned(), "unknown")]);
    }

    #[test]
    fn s1_one_interface_is_connected_once() {
        let mut body = hotel();
        let again = body["sources"][0].clone();
        body["sources"].as_array_mut().expect("list").push(again);
        assert_eq!(read(body).expect_err("wrong"), [("/sources".to_owned(), "source_twice")]);
    }
}
