//! `/api/v1`: what the frontend and integrators use (contract, "The API that automation relies on").
//!
//! A handler says which right it asks for, reads its input whole, and calls the room that knows; rules live there.

mod alerts;
mod attach;
pub(super) mod body;
mod contacts;
mod csv;
mod deals;
mod desk_persons;
mod desk_report;
mod desk_settings;
mod event_light;
mod hints;
mod hotels;
mod imports;
mod input;
mod installation;
mod keys;
mod letters;
mod log;
mod mapping;
mod once;
mod openapi;
mod page;
mod persons;
mod problem_causes;
mod problems;
mod provenance;
mod public;
mod reconciliation_light;
mod reconciliations;
mod refuse;
mod replays;
mod request_acts;
mod request_files;
mod request_may;
mod request_views;
mod requests;
mod roles;
mod settings;
mod status;
mod stays;
mod time;
mod undo;
mod users;

use actix_web::dev::HttpServiceFactory;
use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::{HttpResponse, Resource, Route, web};

use super::problem::{Kind, Problem, localise};

pub use openapi::document;
pub use public::routes as public_routes;

/// A path with its methods; any other method is refused, naming these.
fn path(path: &str, methods: Vec<(Method, Route)>) -> Resource {
    let allowed = methods.iter().map(|(method, _)| method.as_str().to_owned()).collect::<Vec<_>>().join(", ");
    let refuse = move || {
        let problem = Problem::from(Kind::MethodNotAllowed).allowing(allowed.clone());
        async move { Err::<HttpResponse, Problem>(problem) }
    };
    methods
        .into_iter()
        .fold(Resource::new(path.to_owned()), |resource, (_, route)| resource.route(route))
        .default_service(web::to(refuse))
}

async fn no_such_path() -> Result<HttpResponse, Problem> {
    Err(refuse::not_found())
}

macro_rules! get {
    ($handler:path) => {
        (Method::GET, web::get().to($handler))
    };
}
macro_rules! post {
    ($handler:path) => {
        (Method::POST, web::post().to($handler))
    };
}
macro_rules! put {
    ($handler:path) => {
        (Method::PUT, web::put().to($handler))
    };
}
macro_rules! delete {
    ($handler:path) => {
        (Method::DELETE, web::delete().to($handler))
    };
}

/// Every route of the API.
pub fn routes() -> impl HttpServiceFactory + 'static {
    web::scope("/api")
        .wrap(from_fn(localise))
        .service(path("/openapi.json", vec![get!(openapi::serve)]))
        .service(path("/v1/session", vec![post!(super::session::renew)]))
        .service(path("/v1/status", vec![get!(status::get)]))
        .service(path("/v1/installation", vec![get!(installation::get)]))
        .service(path("/v1/installation/retry", vec![post!(installation::retry)]))
        .service(path("/v1/installation/take-over", vec![post!(installation::take_over)]))
        .service(path("/v1/settings", vec![get!(settings::get), put!(settings::put)]))
        .service(path("/v1/alerts", vec![get!(alerts::get), put!(alerts::put)]))
        .service(path("/v1/users", vec![get!(users::find)]))
        .service(path("/v1/roles", vec![get!(roles::get), put!(roles::put)]))
        .service(path("/v1/hotels", vec![get!(hotels::list), post!(hotels::create)]))
        .service(path("/v1/hotels/{code}", vec![get!(hotels::get), put!(hotels::put), delete!(hotels::delete)]))
        .service(path("/v1/hotels/{code}/check", vec![post!(hotels::check::run)]))
        .service(path("/v1/hotels/{code}/imports", vec![get!(imports::of_hotel), post!(imports::create)]))
        .service(path(
            "/v1/hotels/{code}/reconciliations",
            vec![get!(reconciliations::of_hotel), post!(reconciliations::create)],
        ))
        .service(path("/v1/hotels/{code}/reconciliations/{id}", vec![get!(reconciliations::get)]))
        .service(path("/v1/hotels/{code}/replays", vec![get!(replays::of_hotel), post!(replays::create)]))
        .service(path("/v1/hotels/{code}/replays/{id}", vec![get!(replays::get)]))
        .service(path("/v1/imports/{id}", vec![get!(imports::get)]))
        .service(path("/v1/imports/{id}/pause", vec![post!(imports::pause)]))
        .service(path("/v1/imports/{id}/resume", vec![post!(imports::resume)]))
        .service(path("/v1/imports/{id}/cancel", vec![post!(imports::cancel)]))
        .service(path("/v1/stays", vec![get!(stays::list)]))
        .service(path("/v1/stays/{stay}", vec![get!(stays::get)]))
        .service(path("/v1/stays/{stay}/attach", vec![post!(attach::attach)]))
        .service(path("/v1/stays/{stay}/detach", vec![post!(attach::detach)]))
        .service(path("/v1/stays/{stay}/fields/{field}/undo", vec![post!(undo::undo)]))
        .service(path("/v1/stays/{stay}/fields/{field}/release", vec![post!(undo::release)]))
        .service(path("/v1/persons/{person}/export", vec![post!(persons::export)]))
        .service(path("/v1/persons/{person}/erase", vec![get!(persons::erasure), post!(persons::erase)]))
        .service(path("/v1/persons/{person}/split", vec![post!(persons::split)]))
        .service(path("/v1/deals/{id}/stay", vec![get!(deals::stay)]))
        .service(path("/v1/contacts/{id}/guest", vec![get!(contacts::guest)]))
        .service(path("/v1/contacts/{id}/provenance", vec![get!(provenance::contact)]))
        .service(path("/v1/contacts/{id}/fields/{field}/undo", vec![post!(undo::of_contact)]))
        .service(path("/v1/contacts/{id}/fields/{field}/release", vec![post!(undo::release_contact)]))
        .service(path("/v1/companies/{id}/provenance", vec![get!(provenance::company)]))
        .service(path("/v1/companies/{id}/fields/{field}/undo", vec![post!(undo::of_company)]))
        .service(path("/v1/companies/{id}/fields/{field}/release", vec![post!(undo::release_company)]))
        .service(path("/v1/problems", vec![get!(problems::list)]))
        .service(path("/v1/problems/causes", vec![get!(problem_causes::list)]))
        .service(path("/v1/problems/causes/{cause}/retry", vec![post!(problem_causes::retry)]))
        .service(path("/v1/problems/causes/{cause}/dismiss", vec![post!(problem_causes::dismiss)]))
        .service(path("/v1/problems/{id}/retry", vec![post!(problems::retry)]))
        .service(path("/v1/problems/{id}/dismiss", vec![post!(problems::dismiss)]))
        .service(path("/v1/log", vec![get!(log::list)]))
        .service(path("/v1/mapping", vec![get!(mapping::get), put!(mapping::put)]))
        .service(path("/v1/mapping/preview", vec![post!(mapping::preview::preview)]))
        .service(path("/v1/mapping/application", vec![get!(mapping::apply::get), post!(mapping::apply::begin)]))
        .service(path("/v1/mapping/fields", vec![get!(mapping::fields::list)]))
        .service(path("/v1/mapping/fields/refresh", vec![post!(mapping::fields::look)]))
        .service(path("/v1/mapping/versions", vec![get!(mapping::versions)]))
        .service(path("/v1/mapping/versions/{version}/activate", vec![post!(mapping::activate)]))
        .service(path("/v1/merge-hints", vec![get!(hints::list)]))
        .service(path("/v1/merge-hints/{id}/dismiss", vec![post!(hints::dismiss)]))
        .service(path("/v1/keys", vec![get!(keys::list_all), post!(keys::create)]))
        .service(path("/v1/requests", vec![get!(requests::list), post!(requests::create)]))
        .service(path("/v1/requests/{number}", vec![get!(requests::get)]))
        .service(path("/v1/requests/{number}/history", vec![get!(requests::history)]))
        .service(path("/v1/requests/{number}/comments", vec![post!(request_acts::comments)]))
        .service(path("/v1/requests/{number}/options", vec![post!(request_acts::offer_or_choose)]))
        .service(path("/v1/requests/{number}/take", vec![post!(request_acts::take)]))
        .service(path("/v1/requests/{number}/resume", vec![post!(request_acts::resume)]))
        .service(path("/v1/requests/{number}/assign", vec![post!(request_acts::assign)]))
        .service(path("/v1/requests/{number}/deadline", vec![post!(request_acts::deadline)]))
        .service(path("/v1/requests/{number}/confirm", vec![post!(request_acts::confirm)]))
        .service(path("/v1/requests/{number}/dispute", vec![post!(request_acts::disputed)]))
        .service(path("/v1/requests/{number}/withdraw", vec![post!(request_acts::withdrawn)]))
        .service(path("/v1/requests/{number}/close", vec![post!(request_acts::close)]))
        .service(path("/v1/requests/{number}/fix", vec![post!(request_acts::fixed)]))
        .service(path("/v1/requests/{number}/rate", vec![post!(request_acts::rated)]))
        .service(path("/v1/requests/{number}/split", vec![post!(request_acts::split)]))
        .service(path("/v1/requests/{number}/files", vec![post!(request_files::attach)]))
        .service(path("/v1/requests/{number}/files/{file}/url", vec![post!(request_files::address)]))
        .service(path("/v1/requests/{number}/links", vec![post!(request_acts::link), delete!(request_acts::revoke)]))
        .service(path("/v1/support/settings", vec![get!(desk_settings::get), put!(desk_settings::put)]))
        .service(path("/v1/support/report", vec![get!(desk_report::get)]))
        .service(path("/v1/support/persons/export", vec![post!(desk_persons::export)]))
        .service(path("/v1/support/persons/erase", vec![post!(desk_persons::erase)]))
        .service(path("/v1/keys/{id}", vec![delete!(keys::delete)]))
        .default_service(web::to(no_such_path))
}
