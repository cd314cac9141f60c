//! The layered connection check (product §6): DNS, TCP, TLS, HTTP, login, one read, clock.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::body::Body;
use super::find;
use crate::fidelio::{Layer, SourceError};
use crate::http::HttpState;
use crate::http::auth::{Principal, Right, require};
use crate::http::lang::Lang;
use crate::http::problem::{Kind, Problem};
use crate::http::texts;
use crate::store::sources::SourceRow;
use crate::store::{gates, sources};

/// One check in this many milliseconds and portal, after a burst: the check must not become a port scanner.
const INTERVAL_MS: i64 = 6_000;
const BURST: i64 = 10;

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Check {
    pub layers: Vec<CheckLayer>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CheckLayer {
    /// The kind of the source.
    pub source: String,
    /// `dns`, `tcp`, `tls`, `http`, `login`, `read`, `licence`, `clock`.
    pub name: String,
    pub ok: bool,
    /// Stable code of the finding.
    pub code: String,
    /// A sentence in the caller's language.
    pub detail: String,
    pub ms: u64,
}

/// Tests how the hotel is reached, layer by layer; a failing layer is an answer, not an error
#[utoipa::path(post, path = "/api/v1/hotels/{code}/check", tag = "hotels", operation_id = "checkHotel",
    params(("code" = String, Path)), responses((status = 200, body = Check)))]
pub async fn run(
    state: Data<HttpState>,
    who: Principal,
    code: Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    require(&who, Right::CheckHotel)?;
    let hotel = find(&state, &who, &code).await?;
    Body::none(&request, payload).await?;
    let now = state.clock.now_ms();
    if let Err(free_at) = gates::pass(&state.db, &format!("check:{}", who.portal), now, INTERVAL_MS, BURST).await? {
        let seconds = u32::try_from((free_at - now).max(0) / 1000 + 1).unwrap_or(1);
        return Err(Problem::from(Kind::TooMany).retry_after(seconds));
    }
    let key = state.directory.key(who.portal).await?;
    let mut layers = Vec::new();
    for source in sources::of_hotel(&state.db, who.portal, &key, hotel.id).await? {
        let found = match (state.sources)(&source) {
            Ok(way) => way.check().await,
            Err(error) => vec![refused(&error)],
        };
        layers.extend(found.iter().map(|layer| show(&source, layer, who.lang)));
    }
    Ok(HttpResponse::Ok().json(Check { layers }))
}

fn show(source: &SourceRow, layer: &Layer, lang: Lang) -> CheckLayer {
    CheckLayer {
        source: source.kind.clone(),
        name: layer.name.clone(),
        ok: layer.ok,
        code: layer.code.clone(),
        detail: texts::layer(lang, &layer.name, &layer.code, &layer.params),
        ms: layer.ms,
    }
}

/// The source could not even be made: its address is refused by the deployment.
fn refused(error: &SourceError) -> Layer {
    let code = if matches!(error, SourceError::Address(_)) { "address_refused" } else { "source_broken" };
    Layer { name: "dns".into(), ok: false, code: code.into(), params: serde_json::Map::new(), ms: 0 }
}
