//! A hotel as the API shows it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::store::hotels::HotelRow;
use crate::store::sources::SourceRow;

#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Hotel)]
pub struct HotelView {
    /// `[A-Z0-9-]{1,16}`, given once and for ever.
    #[schema(example = "GRAND")]
    pub code: String,
    pub name: String,
    /// IANA time zone.
    #[schema(example = "Europe/Moscow")]
    pub timezone: String,
    /// ISO 4217.
    #[schema(example = "RUB")]
    pub currency: String,
    pub sources: Vec<SourceView>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Source)]
pub struct SourceView {
    /// `suite8_xml`, `demo`; `fias` comes later.
    #[schema(example = "suite8_xml")]
    pub kind: String,
    /// `direct`; `agent:<id>` comes later.
    #[schema(example = "direct")]
    pub via: String,
    /// This and what follows: not of the demo hotel, which has no address.
    #[serde(flatten)]
    pub way: Option<WayView>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Way)]
pub struct WayView {
    pub url: String,
    pub username: String,
    pub vendor: Option<String>,
    /// Passwords are write-only.
    pub password_set: bool,
    pub packed: bool,
    pub password_encrypted: bool,
    pub country: Option<String>,
    pub ca_pem_set: bool,
}

impl HotelView {
    pub fn of(hotel: &HotelRow, sources: &[SourceRow]) -> Self {
        Self {
            code: hotel.code.to_string(),
            name: hotel.name.clone(),
            timezone: hotel.timezone.clone(),
            currency: hotel.currency.to_string(),
            sources: sources.iter().filter(|source| source.hotel == hotel.id).map(SourceView::of).collect(),
        }
    }
}

impl SourceView {
    fn of(source: &SourceRow) -> Self {
        use secrecy::ExposeSecret;
        Self {
            kind: source.kind.clone(),
            via: source.via.clone(),
            way: source.config.as_ref().map(|config| WayView {
                url: config.url.to_string(),
                username: config.username.clone(),
                vendor: config.vendor.clone(),
                password_set: !config.password.expose_secret().is_empty(),
                packed: config.dialect.packed,
                password_encrypted: config.dialect.password_encrypted,
                country: config.dialect.country.clone(),
                ca_pem_set: config.dialect.ca_pem.is_some(),
            }),
        }
    }
}

/// What `POST` and `PUT` take. Only for the document: the body is read member by member.
#[derive(ToSchema)]
#[schema(as = HotelInput)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
pub struct HotelBody {
    /// Required with `POST`; with `PUT` it may be repeated, but not changed.
    #[schema(pattern = "^[A-Z0-9-]{1,16}$")]
    code: Option<String>,
    #[schema(max_length = 120)]
    name: String,
    timezone: String,
    currency: String,
    #[schema(max_items = 8)]
    sources: Vec<SourceBody>,
}

#[derive(ToSchema)]
#[schema(as = SourceInput)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
pub struct SourceBody {
    /// `suite8_xml`, or `demo`: a built-in hotel for trying things out, without everything that follows `via`.
    kind: String,
    via: String,
    url: Option<String>,
    #[schema(max_length = 64)]
    username: Option<String>,
    /// May be left out with `PUT` while address, user name and `ca_pem` stay.
    #[schema(write_only, max_length = 256)]
    password: Option<String>,
    vendor: Option<String>,
    /// Messages go packed (`V8/ZIP`). This and what follows: left out with `PUT`, what was saved stays.
    packed: Option<bool>,
    /// The password is the output of the vendor's encryption tool.
    password_encrypted: Option<bool>,
    /// ISO 3166 alpha-2, for phones without a country code; `null`: by the currency.
    #[schema(example = "RU")]
    country: Option<String>,
    /// PEM of the authority that the interface's certificate is of, trusted besides the public ones; `null` forgets it.
    #[schema(write_only, max_length = 32768)]
    ca_pem: Option<String>,
}
