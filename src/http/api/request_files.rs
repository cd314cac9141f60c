//! Files of a request: handed in as they are, read at an address that lives for minutes (product §5, "Links and files").

use actix_web::body::SizedStream;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, Charset,
    ContentDisposition, DispositionParam, DispositionType, ExtendedValue, Header, Range, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::input::At;
use super::once::named;
use super::page::Query;
use super::refuse::{invalid_at, not_found};
use super::request_views::RequestPage;
use super::requests::find;
use super::time::at;
use crate::files::Type;
use crate::http::HttpState;
use crate::http::auth::Principal;
use crate::http::problem::Problem;
use crate::store::desk::requests::RequestRow;
use crate::support::{Actor, Upload, file_name};

#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = RequestFileAddress)]
pub struct AddressView {
    /// Of one file, for whoever has it.
    pub url: String,
    pub expires_at: DateTime<Utc>,
}

/// What comes with the bytes: `Content-Disposition: attachment; filename*=UTF-8''…`.
pub fn upload(request: &HttpRequest) -> Result<Upload, Problem> {
    let query = Query::read(request, &["internal"])?;
    let internal = query.parsed("internal", "boolean", |text| text.parse::<bool>().ok())?.unwrap_or(false);
    let header = ContentDisposition::parse(request);
    let told = header.as_ref().ok().and_then(|header| match header.get_filename_ext() {
        Some(name) => String::from_utf8(name.value.clone()).ok(),
        None => header.get_filename().map(str::to_owned),
    });
    let told = told.ok_or_else(|| invalid_at(At::Header("Content-Disposition"), "file_name"))?;
    Ok(Upload { name: file_name(&told), internal })
}

/// Hands in a file: its bytes are the body, its name stands in `Content-Disposition`
#[utoipa::path(post, path = "/api/v1/requests/{number}/files", tag = "support", operation_id = "attachToRequest",
    params(("number" = String, Path), ("internal" = Option<bool>, Query, description = "of the desk among itself")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, body = RequestPage)))]
pub async fn attach(
    state: Data<HttpState>,
    who: Principal,
    number: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (row, actor) = find(&state, &who, &number).await?;
    let upload = upload(&request)?;
    let name = named(&who, &request, upload.name.as_bytes())?;
    let row = Box::pin(state.desk.attach(&actor, &row, upload, payload, name.as_deref())).await?;
    Ok(HttpResponse::Created().json(RequestPage::of(&actor, state.desk.whole(&actor, &row).await?)))
}

/// An address at which the file can be read for five minutes
#[utoipa::path(post, path = "/api/v1/requests/{number}/files/{file}/url", tag = "support",
    operation_id = "addressOfRequestFile", params(("number" = String, Path), ("file" = i64, Path)),
    responses((status = 200, body = AddressView)))]
pub async fn address(
    state: Data<HttpState>,
    who: Principal,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (number, file) = path.into_inner();
    let (row, actor) = find(&state, &who, &number).await?;
    told(&state, &actor, &row, &file).await
}

/// The address of one of its files.
pub async fn told(state: &HttpState, who: &Actor, row: &RequestRow, file: &str) -> Result<HttpResponse, Problem> {
    let file: i64 = file.parse().map_err(|_| not_found())?;
    let (sealed, until) = state.desk.address(who, row, file).await?;
    let mut url = state.config.http.public_url.clone();
    url.set_path("/support/file");
    url.set_query(Some(&format!("of={sealed}")));
    let view = AddressView { url: url.into(), expires_at: at(until) };
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(view))
}

/// `GET /support/file?of=…`: the bytes, or a part of them. A page of ours shows pictures and recordings; all else is saved.
pub async fn read(state: Data<HttpState>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let query = Query::read(&request, &["of"])?;
    let granted = state.desk.granted(query.get("of").unwrap_or_default()).await?;
    let (length, kind) = (granted.file.length, Type::parse(&granted.file.mime));
    let asked = Range::parse(&request).ok().filter(|_| request.headers().contains_key("range"));
    let part = match asked {
        Some(Range::Bytes(parts)) if parts.len() == 1 => {
            let part = parts.first().and_then(|part| part.to_satisfiable_range(length));
            let Some((first, last)) = part else {
                let none = (CONTENT_RANGE, format!("bytes */{length}"));
                return Ok(HttpResponse::RangeNotSatisfiable().insert_header(none).finish());
            };
            Some((first, last))
        }
        _ => None,
    };
    let (from, to) = part.map_or((0, length), |(first, last)| (first, last + 1));
    let bytes = state.desk.bytes_of(&granted, from, to).await?;
    let shown = matches!(kind, Type::Shown(_));
    let disposition = ContentDisposition {
        disposition: if shown { DispositionType::Inline } else { DispositionType::Attachment },
        parameters: vec![DispositionParam::FilenameExt(ExtendedValue {
            charset: Charset::Ext("UTF-8".to_owned()),
            language_tag: None,
            value: granted.file.name.clone().into_bytes(),
        })],
    };
    let mut answer = HttpResponse::build(if part.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK });
    if let Some((first, last)) = part {
        answer.insert_header((CONTENT_RANGE, format!("bytes {first}-{last}/{length}")));
    }
    answer
        .insert_header((CONTENT_TYPE, kind.mime()))
        .insert_header((CONTENT_DISPOSITION, disposition))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'; frame-ancestors 'none'"))
        .insert_header((CACHE_CONTROL, "private, no-store"))
        .insert_header(("referrer-policy", "no-referrer"))
        .insert_header((ACCEPT_RANGES, "bytes"));
    Ok(answer.body(SizedStream::new(to - from, bytes)))
}
