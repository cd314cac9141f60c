//! Requests to Kaiten: to one host, which the guard vets at each connection; the token travels in a header and nowhere else.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Method, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use url::Url;

use super::error::{Error, ErrorKind};
use super::limit::Limit;
use super::wire::{self, RawCard, RawColumn, RawComment, Whose};
use super::{Card, CardChange, Cards, Comment, NewCard, PAGE};
use crate::clock::Clock;
use crate::domain::support::card_moves::Column;
use crate::net::Guard;

/// Requests that Kaiten takes in a second (facts A4).
pub const PER_SECOND: usize = 5;
/// Half of the time after which a request is held to be over.
const TIMEOUT: Duration = Duration::from_secs(30);
const LONGEST: usize = 16 * 1024 * 1024;
/// Who this host is for the guard: an entry `kaiten=<CIDR>` of `bitrix.allow_private` allows one of the own network.
const MEMBER: &str = "kaiten";
const API: &str = "api/latest";

/// `support.kaiten_*`.
pub struct Settings<'a> {
    pub url: &'a str,
    pub token: &'a SecretString,
    pub board: &'a str,
    /// Requests of a second; `None`: as many as are wanted.
    pub rate: Option<usize>,
}

pub struct Client {
    http: reqwest::Client,
    base: Url,
    token: SecretString,
    board: i64,
    limit: Limit,
    me: OnceCell<i64>,
}

/// The address of the API: the company's own, or the API's as it was given.
fn base(url: &str) -> Result<Url, Error> {
    let bad = |why: &str| Error::address(why.to_owned());
    let mut url = Url::parse(url.trim()).map_err(|_| bad("support.kaiten_url is no address"))?;
    if url.cannot_be_a_base() || !url.username().is_empty() || url.password().is_some() {
        return Err(bad("support.kaiten_url must be an address like https://company.kaiten.ru"));
    }
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().trim_matches('/').to_owned();
    url.set_path(&format!("/{}/", if path.is_empty() { API } else { &path }));
    Ok(url)
}

impl Client {
    pub fn new(guard: &Guard, settings: &Settings<'_>, clock: Clock) -> Result<Self, Error> {
        let base = base(settings.url)?;
        let board = settings.board.trim().parse().ok().filter(|board| *board > 0);
        let board = board.ok_or_else(|| Error::address("support.kaiten_board must be the board's number"))?;
        let http = guard.client(MEMBER, &base, None).map_err(|refused| Error::address(refused.to_string()))?;
        let limit = Limit::new(clock, settings.rate);
        Ok(Self { http, base, token: settings.token.clone(), board, limit, me: OnceCell::new() })
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> Result<T, Error> {
        self.limit.turn().await?;
        let url = self.base.join(path).map_err(|_| Error::address("no path of the API"))?;
        let mut request = self
            .http
            .request(method, url)
            .bearer_auth(self.token.expose_secret())
            .header("Accept", "application/json")
            .query(query)
            .timeout(TIMEOUT);
        if let Some(body) = body {
            request = request.json(body);
        }
        self.limit.leaves();
        let response = request.send().await;
        self.limit.is_over();
        let response = response.map_err(|error| transport(&error))?;
        self.heed(&response);
        let status = response.status().as_u16();
        if status == 429 {
            return Err(Error::allowance(self.told_to_wait(&response).unwrap_or(Duration::from_secs(1))));
        }
        if !response.status().is_success() {
            return Err(Error::status(status));
        }
        let body = read(response).await?;
        serde_json::from_slice(&body).map_err(|_| Error::unreadable(status))
    }

    /// What the answer says of the requests that are left.
    fn heed(&self, response: &Response) {
        let used_up = header(response, "x-ratelimit-remaining").is_some_and(|left| left.trim() == "0");
        if response.status().as_u16() == 429 || used_up {
            self.limit.hold(self.told_to_wait(response).unwrap_or(Duration::from_secs(1)));
        }
    }

    fn told_to_wait(&self, response: &Response) -> Option<Duration> {
        let after =
            header(response, "retry-after").and_then(|value| value.trim().parse().ok()).map(Duration::from_secs);
        after.or_else(|| header(response, "x-ratelimit-reset").and_then(|value| self.limit.reset(value)))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> Result<T, Error> {
        self.ask(Method::GET, path, query, None).await
    }

    async fn found(&self, external_id: &str, title: &str, condition: i64) -> Result<Vec<Card>, Error> {
        let query = [
            ("external_id", external_id.to_owned()),
            ("condition", condition.to_string()),
            ("limit", PAGE.to_string()),
        ];
        let raw: Vec<RawCard> = self.get("cards", &query).await?;
        let found: Vec<Card> = raw.into_iter().map(Card::from).collect();
        // A search that does not know the filter answers with whatever there is.
        let title = title.trim_end();
        let asked_for = |card: &Card| match &card.external_id {
            Some(own) => own == external_id,
            None => card.title.starts_with(title),
        };
        if !found.iter().all(asked_for) {
            return Err(Error::new(ErrorKind::NoLookup, Duration::from_secs(300), false));
        }
        Ok(found)
    }
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

async fn read(mut response: Response) -> Result<Vec<u8>, Error> {
    let (status, mut body) = (response.status().as_u16(), Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(|_| Error::lost("the answer broke off"))? {
        if body.len() + chunk.len() > LONGEST {
            return Err(Error::unreadable(status));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Whether the request can have left: not if no connection was made.
fn transport(error: &reqwest::Error) -> Error {
    if let Some(refused) = crate::net::refusal(error) {
        return Error::address(refused.to_string());
    }
    if error.is_builder() {
        return Error::address("the request cannot be made");
    }
    if error.is_connect() {
        return match crate::net::tls_fault(error) {
            Some(fault) => Error::unsent(format!("no secure connection: {fault}")),
            None => Error::unsent("no connection"),
        };
    }
    Error::lost(if error.is_timeout() { "not in time" } else { "the connection broke" })
}

#[async_trait]
impl Cards for Client {
    async fn turn(&self) -> Result<(), Error> {
        self.limit.turn().await
    }

    fn taken_over(&self) {
        self.limit.fill();
    }

    async fn me(&self) -> Result<i64, Error> {
        let me = self.me.get_or_try_init(|| async {
            let me: Whose = self.get("users/current", &[]).await?;
            Ok(me.id)
        });
        me.await.copied()
    }

    async fn columns(&self) -> Result<Vec<Column>, Error> {
        let raw: Vec<RawColumn> = self.get(&format!("boards/{}/columns", self.board), &[]).await?;
        Ok(wire::columns(raw))
    }

    async fn find(&self, external_id: &str, title: &str) -> Result<Vec<Card>, Error> {
        let mut found = self.found(external_id, title, 1).await?;
        // Whether a search shows archived cards by itself is nowhere said [facts: INF].
        if found.is_empty() {
            found = self.found(external_id, title, 2).await?;
        }
        found.sort_by_key(|card| card.id);
        Ok(found)
    }

    async fn card(&self, id: i64) -> Result<Option<Card>, Error> {
        match self.get::<RawCard>(&format!("cards/{id}"), &[]).await {
            Ok(raw) => Ok(Some(Card::from(raw)).filter(|card| !card.deleted)),
            Err(error) if matches!(error.kind, ErrorKind::Refused(403 | 404 | 410)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn page(&self, changed_after: Option<i64>, offset: usize) -> Result<Vec<Card>, Error> {
        let mut query = vec![
            ("board_id", self.board.to_string()),
            ("condition", "1".to_owned()),
            ("limit", PAGE.to_string()),
            ("offset", offset.to_string()),
        ];
        query.extend(changed_after.map(|after| ("updated_after", wire::timestamp(after))));
        let raw: Vec<RawCard> = self.get("cards", &query).await?;
        Ok(raw.into_iter().map(Card::from).collect())
    }

    async fn comments(&self, card: i64) -> Result<Vec<Comment>, Error> {
        let raw: Vec<RawComment> = self.get(&format!("cards/{card}/comments"), &[]).await?;
        Ok(wire::comments(raw))
    }

    async fn make(&self, new: &NewCard) -> Result<Card, Error> {
        let body = wire::new_card(self.board, new);
        self.ask::<RawCard>(Method::POST, "cards", &[], Some(&body)).await.map(Card::from)
    }

    async fn change(&self, id: i64, change: CardChange) -> Result<Card, Error> {
        let body = wire::change(change);
        self.ask::<RawCard>(Method::PATCH, &format!("cards/{id}"), &[], Some(&body)).await.map(Card::from)
    }

    async fn comment(&self, card: i64, text: &str) -> Result<(), Error> {
        let body = json!({"text": text});
        self.ask::<Whose>(Method::POST, &format!("cards/{card}/comments"), &[], Some(&body)).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e19_the_companys_address_is_enough_and_one_with_secrets_is_none() {
        let of = |url: &str| base(url).map(|url| url.to_string()).ok();
        assert_eq!(of("https://a.kaiten.ru").as_deref(), Some("https://a.kaiten.ru/api/latest/"));
        assert_eq!(of(" https://a.kaiten.ru/api/v1/ ").as_deref(), Some("https://a.kaiten.ru/api/v1/"));
        assert_eq!((of("https://u:p@a.kaiten.ru"), of("a.kaiten.ru"), of("mailto:a@b")), (None, None, None));
    }

    #[test]
    fn s48_an_address_of_the_own_network_needs_its_operators_word() {
        let token = SecretString::from("secret".to_owned());
        let settings = Settings { url: "http://127.0.0.1:8080", token: &token, board: "1", rate: Some(PER_SECOND) };
        let made = |allowed: &[String]| {
            Client::new(&Guard::parse(allowed).expect("ranges"), &settings, Clock::system()).map(drop)
        };
        assert!(matches!(made(&[]).expect_err("private").kind, ErrorKind::Address(_)));
        assert!(made(&["m1=127.0.0.1/32".into()]).is_err(), "another's exception");
        assert!(made(&["kaiten=127.0.0.1/32:8080".into()]).is_ok());
    }
}
