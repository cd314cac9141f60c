//! `POST /support/mail` (contract): raw letters, handed over by whatever takes mail for the support address.

use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::StreamExt;
use secrecy::ExposeSecret;
use serde_json::json;
use subtle::ConstantTimeEq;

use super::public::bearer;
use super::refuse::{internal, malformed, not_found};
use crate::http::HttpState;
use crate::http::problem::{Kind, Problem};
use crate::mail::incoming::{self, MOST};
use crate::support::letters::Became;

/// What is longer than anything a mail server passes on is refused whole.
const LONGEST: usize = 256 << 20;

/// 2xx only when the letter is on disk: until then it is its server's to keep and to send again.
pub async fn take(state: Data<HttpState>, request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let secret = state.config.support.mail_hook_secret.expose_secret().as_bytes();
    if secret.is_empty() {
        return Err(not_found());
    }
    if !bool::from(bearer(&request)?.as_bytes().ct_eq(secret)) {
        return Err(Kind::Unauthenticated.into());
    }
    state.desk.public_desk().await?;
    let (raw, cut) = beginning(payload).await?;
    if raw.is_empty() {
        return Err(malformed("body", "Письмо пустое.", "The letter is empty."));
    }
    let desk = state.desk.clone();
    let taken = actix_web::rt::spawn(async move {
        let letter = web::block(move || incoming::read(&raw, cut)).await.map_err(|error| internal(&error))?;
        Ok::<_, Problem>(desk.letter(&letter).await?)
    });
    let taken = taken.await.map_err(|error| internal(&error))??;
    let status = if taken.became == Became::Request { StatusCode::CREATED } else { StatusCode::OK };
    Ok(HttpResponse::build(status).json(json!({"became": taken.became.word(), "number": taken.number})))
}

/// As much of a letter as is kept, and whether there was more.
async fn beginning(mut payload: Payload) -> Result<(Vec<u8>, bool), Problem> {
    let (mut raw, mut came) = (Vec::new(), 0_usize);
    while let Some(chunk) = payload.next().await {
        let chunk =
            chunk.map_err(|_| malformed("body", "Письмо пришло не целиком.", "The letter did not arrive whole."))?;
        came = came.saturating_add(chunk.len());
        if came > LONGEST {
            return Err(Kind::TooLarge.into());
        }
        let room = MOST.saturating_sub(raw.len()).min(chunk.len());
        raw.extend_from_slice(chunk.get(..room).unwrap_or_default());
    }
    Ok((raw, came > MOST))
}
