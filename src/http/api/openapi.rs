//! The OpenAPI 3.1 document: made from the handlers, held by a snapshot (requirement S-51).

use actix_web::HttpResponse;
use serde_json::json;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{
    Content, ContentBuilder, ObjectBuilder, OpenApi as Document, Ref, RefOr, Response, ResponseBuilder,
    SecurityRequirement, Type,
};
use utoipa::{Modify, OpenApi, ToSchema};

use super::{
    alerts, attach, contacts, deals, desk_persons, desk_report, desk_settings, hints, hotels, imports, installation,
    keys, log, mapping, persons, problem_causes, problems, provenance, reconciliations, replays, request_acts,
    request_files, requests, roles, settings, status, stays, undo, users,
};
use crate::http::lang::Lang;
use crate::http::problem::Kind;

/// An error (RFC 9457). `type` is one of the listed problems; `code` tells apart cases of one of them.
#[derive(ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
struct ProblemBody {
    /// `/problems/<slug>`
    r#type: ProblemType,
    /// In the caller's language.
    title: String,
    status: u16,
    code: Option<String>,
    detail: Option<String>,
    errors: Option<Vec<FieldProblem>>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
struct FieldProblem {
    /// JSON pointer into the body; `?name` for a parameter of the query, `#name` for a header.
    pointer: String,
    code: String,
    detail: String,
}

/// Filled by [`Finish`] from the one list of problems.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
struct ProblemType(String);

/// Goes on under a fresh session: verified again like a frame
#[utoipa::path(post, path = "/api/v1/session", tag = "session", operation_id = "renewSession",
    request_body = SessionBody, responses((status = 200, body = Boot)))]
#[expect(dead_code, reason = "describes the session's route, whose handler is another room's")]
fn renew_session() {}

#[derive(ToSchema)]
#[schema(as = SessionInput)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
struct SessionBody {
    /// The frame's access token.
    #[schema(write_only)]
    auth_id: String,
    /// The portal's domain: compared, never called.
    domain: String,
}

/// What a frame page's boot block carries.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
struct Boot {
    page: String,
    session: String,
    /// Seconds.
    expires_in: i64,
    portal: BootPortal,
    user: BootUser,
    /// `ru` or `en`.
    lang: String,
    #[schema(value_type = Object)]
    placement: serde_json::Value,
    version: String,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
struct BootPortal {
    domain: String,
    member_id: String,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
struct BootUser {
    id: i64,
    admin: bool,
    roles: Vec<String>,
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Fidelio × Bitrix24", description = "What hotels' records become in a Bitrix24 portal, and how it is run.",
        license(name = "MIT", identifier = "MIT")),
    paths(
        status::get,
        installation::get, installation::retry, installation::take_over,
        settings::get, settings::put, alerts::get, alerts::put, users::find, roles::get, roles::put,
        hotels::list, hotels::create, hotels::get, hotels::put, hotels::delete, hotels::check::run,
        imports::of_hotel, imports::create, imports::get, imports::pause, imports::resume, imports::cancel,
        reconciliations::of_hotel, reconciliations::create, reconciliations::get,
        replays::of_hotel, replays::create, replays::get,
        stays::list, stays::get, attach::attach, attach::detach, undo::undo, undo::release, undo::of_contact, undo::release_contact, undo::of_company, undo::release_company, deals::stay, contacts::guest, provenance::contact, provenance::company, persons::export, persons::erase, persons::erasure, persons::split,
        problems::list, problems::retry, problems::dismiss,
        problem_causes::list, problem_causes::retry, problem_causes::dismiss,
        hints::list, hints::dismiss, log::list, mapping::get, mapping::put,
        mapping::fields::list, mapping::fields::look, mapping::versions, mapping::activate,
        mapping::preview::preview, mapping::apply::get, mapping::apply::begin, renew_session,
        keys::list_all, keys::create, keys::delete,
        requests::list, requests::create, requests::get, requests::history,
        request_acts::comments, request_acts::offer_or_choose, request_acts::take, request_acts::resume,
        request_acts::assign, request_acts::deadline, request_acts::confirm, request_acts::disputed,
        request_acts::withdrawn, request_acts::close, request_acts::fixed, request_acts::rated, request_acts::split, request_acts::link, request_acts::revoke,
        request_files::attach, request_files::address,
        desk_settings::get, desk_settings::put, desk_persons::export, desk_persons::erase, desk_report::get,
    ),
    components(schemas(ProblemBody, FieldProblem, ProblemType)),
    modifiers(&Finish),
)]
struct Api;

/// What holds for every operation: who may call it, and how it refuses.
struct Finish;

impl Modify for Finish {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        let session = Http::builder()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A frame's session (at most 15 minutes), or an integrator's key `fb24_<id>_<secret>`."));
        components.add_security_scheme("bearer", SecurityScheme::Http(session.build()));
        components.schemas.insert("ProblemType".into(), problem_types());
        for (path, item) in &mut document.paths.paths {
            // Neither creates nor sends anything: there is nothing to do only once.
            let looks = ["/api/v1/hotels/{code}/check", "/api/v1/session", "/api/v1/persons/{person}/export"];
            let only_looks = looks.contains(&path.as_str());
            if let Some(post) = item.post.as_mut().filter(|_| !only_looks) {
                add_idempotency(post);
            }
            for operation in [&mut item.get, &mut item.put, &mut item.post, &mut item.delete].into_iter().flatten() {
                finish(operation);
                if path == "/api/v1/session" {
                    operation.security = None; // whoever opens a session has none yet
                }
            }
        }
    }
}

fn problem_types() -> RefOr<utoipa::openapi::Schema> {
    let types = Kind::ALL.iter().map(|kind| format!("/problems/{}", kind.slug()));
    let texts = Kind::ALL
        .iter()
        .map(|kind| format!("- `/problems/{}` ({}): {}", kind.slug(), kind.status().as_u16(), kind.title(Lang::En)));
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(types))
        .description(Some(texts.collect::<Vec<_>>().join("\n")));
    schema.build().into()
}

fn finish(operation: &mut Operation) {
    let problem: Content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let refusal: Response = ResponseBuilder::new()
        .description("A refusal: see `type`.")
        .content("application/problem+json", problem.clone())
        .build();
    operation.responses.responses.insert("default".into(), refusal.into());
    operation.security = Some(vec![SecurityRequirement::new("bearer", Vec::<String>::new())]);
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            response.description = "Done.".into();
        }
    }
}

fn add_idempotency(operation: &mut Operation) {
    let header = utoipa::openapi::path::ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(utoipa::openapi::path::ParameterIn::Header)
        .required(utoipa::openapi::Required::False)
        .description(Some("The same key with the same body is answered again for 24 hours, not carried out again."))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).max_length(Some(255)).min_length(Some(1))));
    operation.parameters.get_or_insert_default().push(header.build().into());
}

/// The document as served and as held by the snapshot.
pub fn document() -> serde_json::Value {
    serde_json::to_value(Api::openapi()).unwrap_or_else(|_| json!({}))
}

/// `GET /api/openapi.json`
pub async fn serve() -> HttpResponse {
    HttpResponse::Ok().json(document())
}
