//! Errors of the API as RFC 9457 documents: a stable `type`, a title in the caller's language, pointers to fields.

use std::borrow::Cow;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use actix_web::middleware::Next;
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;

pub use super::kind::Kind;
use super::lang::{self, Lang};
use crate::bitrix;
use crate::portal::PortalError;
use crate::store::StoreError;

/// The content type of every error of `/api`.
pub const CONTENT: &str = "application/problem+json";

/// A sentence in both languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    pub ru: Cow<'static, str>,
    pub en: Cow<'static, str>,
}

impl Sentence {
    pub fn new(ru: impl Into<Cow<'static, str>>, en: impl Into<Cow<'static, str>>) -> Self {
        Self { ru: ru.into(), en: en.into() }
    }

    pub fn pick(&self, lang: Lang) -> &str {
        lang.pick(&self.ru, &self.en)
    }
}

/// One field that needs attention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// JSON pointer into the body, or `?name` for a query parameter.
    pub pointer: String,
    /// A stable word.
    pub code: &'static str,
    pub message: Sentence,
}

/// An answer that says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .kind.slug())]
pub struct Problem {
    pub kind: Kind,
    /// A stable word that tells apart cases of one kind.
    pub code: Option<&'static str>,
    pub detail: Option<Box<Sentence>>,
    pub errors: Vec<FieldError>,
    pub retry_after_seconds: Option<u32>,
    /// Methods of `Allow` (RFC 9110 asks for it with 405).
    pub allow: Option<String>,
}

impl From<Kind> for Problem {
    fn from(kind: Kind) -> Self {
        Self { kind, code: None, detail: None, errors: Vec::new(), retry_after_seconds: None, allow: None }
    }
}

impl Problem {
    pub fn with_detail(mut self, ru: impl Into<Cow<'static, str>>, en: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(Box::new(Sentence::new(ru, en)));
        self
    }

    pub fn with_code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// One field that needs attention; more by [`Problem::and_field`].
    pub fn field(
        pointer: impl Into<String>,
        code: &'static str,
        ru: impl Into<Cow<'static, str>>,
        en: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::from(Kind::Validation).and_field(pointer, code, ru, en)
    }

    pub fn and_field(
        mut self,
        pointer: impl Into<String>,
        code: &'static str,
        ru: impl Into<Cow<'static, str>>,
        en: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.errors.push(FieldError { pointer: pointer.into(), code, message: Sentence::new(ru, en) });
        self
    }

    pub fn allowing(mut self, methods: String) -> Self {
        self.allow = Some(methods);
        self
    }

    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// The document in one language.
    pub fn document(&self, lang: Lang) -> serde_json::Value {
        let mut document = json!({
            "type": format!("/problems/{}", self.kind.slug()),
            "title": self.kind.title(lang),
            "status": self.kind.status().as_u16(),
        });
        let Some(object) = document.as_object_mut() else { return document };
        if let Some(code) = self.code {
            object.insert("code".into(), code.into());
        }
        if let Some(detail) = &self.detail {
            object.insert("detail".into(), detail.pick(lang).into());
        }
        if !self.errors.is_empty() {
            let errors = self
                .errors
                .iter()
                .map(|e| json!({"pointer": e.pointer, "code": e.code, "detail": e.message.pick(lang)}))
                .collect();
            object.insert("errors".into(), errors);
        }
        document
    }

    fn response(&self, lang: Lang) -> HttpResponse {
        let mut response = HttpResponse::build(self.kind.status());
        response.insert_header((CONTENT_TYPE, CONTENT)).insert_header(("Content-Language", lang.word()));
        if let Some(seconds) = self.retry_after_seconds {
            response.insert_header((RETRY_AFTER, HeaderValue::from(seconds)));
        }
        if let Some(methods) = &self.allow {
            response.insert_header((ALLOW, methods.as_str()));
        }
        response.body(self.document(lang).to_string())
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.kind.status()
    }

    fn error_response(&self) -> HttpResponse {
        self.response(Lang::default())
    }
}

/// Middleware of `/api`: every refusal leaves in the caller's language, those of the framework's own extractors too.
pub async fn localise(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    Ok(localised(next.call(req).await?))
}

/// A refusal becomes the answer that is sent; any other answer stays.
pub fn localised(answer: ServiceResponse<impl MessageBody + 'static>) -> ServiceResponse<BoxBody> {
    let answer = answer.map_into_boxed_body();
    let Some(problem) = answer.response().error().map(from_error) else { return answer };
    let lang = lang::of_request(answer.request());
    answer.into_response(problem.response(lang))
}

/// What a framework's error says to a caller of ours.
fn from_error(error: &actix_web::Error) -> Problem {
    if let Some(problem) = error.as_error::<Problem>() {
        return problem.clone();
    }
    match error.as_response_error().status_code() {
        StatusCode::NOT_FOUND => Kind::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => Kind::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => Kind::TooLarge,
        status if status.is_client_error() => Kind::Malformed,
        _ => Kind::Internal,
    }
    .into()
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::KeyDestroyed => Kind::NotFound.into(),
            StoreError::Database(error) => {
                tracing::error!(%error, "the database failed a request");
                Self::from(Kind::Unavailable).retry_after(5)
            }
            error => {
                tracing::error!(%error, "a request failed");
                Kind::Internal.into()
            }
        }
    }
}

impl From<bitrix::Error> for Problem {
    fn from(error: bitrix::Error) -> Self {
        match error.class {
            bitrix::Class::Retry { after } => Self::from(Kind::PortalUnavailable)
                .retry_after(u32::try_from(after.as_secs()).unwrap_or(u32::MAX).max(1)),
            bitrix::Class::Suspend => Kind::PortalSuspended.into(),
            bitrix::Class::Reauthorise => Kind::PortalNotReady.into(),
            bitrix::Class::Gone => Kind::PortalNotReady.into(),
            bitrix::Class::Permanent => {
                tracing::warn!(%error, "the portal refused a call");
                Kind::PortalUnavailable.into()
            }
        }
    }
}

impl From<PortalError> for Problem {
    fn from(error: PortalError) -> Self {
        match error {
            PortalError::Unknown => Kind::NotFound.into(),
            PortalError::Unverified(_) => Kind::Unverified.into(),
            PortalError::NotAdmin => Kind::Forbidden.into(),
            PortalError::NotCallable("suspended") => Kind::PortalSuspended.into(),
            PortalError::NotCallable(_) => Kind::PortalNotReady.into(),
            PortalError::TooMany => Self::from(Kind::TooMany).retry_after(5),
            PortalError::Untrusted(_) => Self::from(Kind::PortalUnavailable).retry_after(60),
            PortalError::Unreachable(_) => Self::from(Kind::Unavailable).retry_after(5),
            PortalError::Bitrix(error) => error.into(),
            PortalError::Store(error) => error.into(),
            PortalError::Internal(error) => {
                tracing::error!(%error, "a request failed");
                Kind::Internal.into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s51_a_field_is_pointed_at_in_the_callers_language() {
        let problem = Problem::field("/code", "format", "Только A-Z", "Only A-Z");
        let ru = problem.document(Lang::Ru);
        assert_eq!(ru["type"], "/problems/validation");
        assert_eq!(ru["errors"][0]["pointer"], "/code");
        assert_eq!(ru["errors"][0]["detail"], "Только A-Z");
        assert_eq!(problem.document(Lang::En)["errors"][0]["detail"], "Only A-Z");
    }
}
