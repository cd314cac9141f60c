//! Pages that a portal opens in a frame: installer, main page, widgets (contract, "HTTP").

use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{self, Bytes, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::Value;

use super::boot::{self, Cannot, Page};
use super::lang::{self, Lang};
use super::{HttpState, authority, peer, session};
use crate::bitrix::{Class, FramePost};
use crate::portal::{Opened, PortalError, PortalStatus, Untrusted};

/// The longest honest frame is a few kilobytes; `PLACEMENT_OPTIONS` may carry a page's whole query.
const MOST: usize = 256 * 1024;

const WIDGETS: &[(&str, Page)] = &[
    ("/bitrix/widgets/deal-stay", Page::DealStay),
    ("/bitrix/widgets/contact-guest", Page::ContactGuest),
    ("/bitrix/widgets/task-request", Page::TaskRequest),
    // Their pages come with later releases; the addresses answer already.
    ("/bitrix/widgets/room-board", Page::None),
    ("/bitrix/widgets/call-card", Page::None),
];

pub fn routes(cfg: &mut ServiceConfig) {
    let pages = [("/bitrix/install", Page::Install), ("/bitrix/app", Page::App)];
    for (path, page) in pages.into_iter().chain(WIDGETS.iter().copied()) {
        cfg.service(
            web::resource(path)
                .app_data(web::PayloadConfig::new(MOST))
                .route(web::head().to(head))
                .route(web::get().to(move |req: HttpRequest| outside(req, page)))
                .route(web::post().to(move |state, req, body| open(state, req, body, page))),
        );
    }
}

/// The vendor cabinet asks by HEAD whether a page is there (facts §1.2).
async fn head() -> HttpResponse {
    HttpResponse::Ok().insert_header((CONTENT_TYPE, "text/html; charset=utf-8")).finish()
}

async fn outside(req: HttpRequest, page: Page) -> HttpResponse {
    boot::explain(Cannot::OutsideFrame, page, lang::of_request(&req), None)
}

async fn open(state: web::Data<HttpState>, req: HttpRequest, body: Bytes, page: Page) -> HttpResponse {
    let Ok(frame) = FramePost::parse(req.query_string(), &body) else {
        return HttpResponse::BadRequest().content_type("text/plain; charset=utf-8").body("The form cannot be read.\n");
    };
    let lang = if frame.lang.is_empty() { lang::of_request(&req) } else { Lang::of_portal(&frame.lang) };
    if frame.auth_id.is_none() {
        let nothing = frame.member_id.is_empty() && frame.domain.is_empty();
        let cannot = if nothing { Cannot::OutsideFrame } else { Cannot::NoAuth };
        return boot::explain(cannot, page, lang, None);
    }
    let from = peer::of(&req, &state.config.http.trusted_proxies);
    match state.directory.open_frame(&frame, page == Page::Install, from).await {
        Ok(opened) => answer(&state, &frame, &opened, page, lang).await,
        Err(PortalError::Untrusted(untrusted)) => {
            tracing::info!(fault = untrusted.fault, page = page.word(), "a portal's certificate is not trusted");
            let may_offer = untrusted.may_offer && matches!(page, Page::Install | Page::App);
            authority::ask(&Untrusted { may_offer, ..*untrusted }, &body, lang)
        }
        Err(error) => {
            let cannot = cannot(&error);
            tracing::info!(%error, page = page.word(), "a frame was not let in");
            boot::explain(cannot, page, lang, None)
        }
    }
}

fn cannot(error: &PortalError) -> Cannot {
    match error {
        PortalError::Unknown => Cannot::NotInstalled,
        PortalError::Unverified(_) | PortalError::NotAdmin | PortalError::NotCallable(_) => Cannot::Unverified,
        PortalError::Unreachable(_) | PortalError::Untrusted(_) => Cannot::VerifyLater,
        PortalError::TooMany => Cannot::TooMany,
        PortalError::Bitrix(error) => match (error.class, error.code()) {
            (Class::Suspend, "access_denied") => Cannot::RestUnavailable,
            (Class::Suspend, _) => Cannot::Suspended,
            (_, "user_access_error") => Cannot::NoAccess,
            (Class::Retry { .. }, _) => Cannot::VerifyLater,
            _ => Cannot::Unverified,
        },
        PortalError::Store(error) => {
            tracing::error!(%error, "a frame could not be answered");
            Cannot::VerifyLater
        }
        PortalError::Internal(error) => {
            tracing::error!(error, "a frame could not be answered");
            Cannot::VerifyLater
        }
    }
}

/// Whether somebody verified may see this page at all. What it may show him is decided by each call it makes.
fn refused(opened: &Opened, page: Page, has_role: bool) -> Option<Cannot> {
    let admin = opened.user.admin;
    match opened.portal.status {
        // An admin gets his page: it shows the state and the way back.
        _ if admin => None,
        PortalStatus::New | PortalStatus::Ensuring => Some(Cannot::NotInstalled),
        PortalStatus::Uninstalling | PortalStatus::Uninstalled | PortalStatus::Gone => Some(Cannot::NotInstalled),
        PortalStatus::Suspended => Some(Cannot::Suspended),
        PortalStatus::Foreign => Some(Cannot::WrongServer),
        PortalStatus::Active | PortalStatus::NeedsAuth => {
            let open_to_all = matches!(page, Page::DealStay | Page::ContactGuest | Page::TaskRequest);
            (!open_to_all && !has_role).then_some(Cannot::NoAccess)
        }
    }
}

async fn answer(state: &HttpState, frame: &FramePost, opened: &Opened, page: Page, lang: Lang) -> HttpResponse {
    let portal = &opened.user.info.client_endpoint;
    let Some(access) = &frame.auth_id else { return boot::explain(Cannot::NoAuth, page, lang, None) };
    let begun = match session::begin(state, opened, access, lang).await {
        Ok(begun) => begun,
        Err(problem) => {
            tracing::error!(%problem, "a session could not begin");
            return boot::explain(Cannot::VerifyLater, page, lang, None);
        }
    };
    if let Some(cannot) = refused(opened, page, !begun.roles.is_empty()) {
        return boot::explain(cannot, page, lang, Some(portal));
    }
    let mut block = begun.block;
    if let Some(object) = block.as_object_mut() {
        object.insert("page".into(), page.word().into());
        object.insert("placement".into(), placement(frame));
    }
    boot::show(&block, lang, portal)
}

fn placement(frame: &FramePost) -> Value {
    serde_json::json!({"code": frame.placement, "options": frame.options})
}
