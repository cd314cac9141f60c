//! The portal seen through HTTP.

mod crm;
mod life;
mod rest;
mod tasks;
mod volume;

use serde_json::{Value, json};

use super::*;

/// A client with a token, as thin as can be.
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    pub fn new(portal: &Portal, user: i64) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        Self { http, base: portal.client_endpoint(), token: portal.tokens(user).access }
    }

    pub async fn raw(&self, method: &str, mut params: Value) -> Result<(u16, Value), reqwest::Error> {
        params["auth"] = json!(self.token);
        let answer = self.http.post(format!("{}{method}", self.base)).json(&params).send().await?;
        let status = answer.status().as_u16();
        Ok((status, answer.json().await.unwrap_or(Value::Null)))
    }

    pub async fn call(&self, method: &str, params: Value) -> Value {
        let (status, body) = self.raw(method, params).await.expect("an answer");
        assert_eq!(status, 200, "{method}: {body}");
        body["result"].clone()
    }

    pub async fn refused(&self, method: &str, params: Value) -> (u16, String) {
        let (status, body) = self.raw(method, params).await.expect("an answer");
        (status, body["error"].as_str().unwrap_or_else(|| panic!("{method} was not refused: {body}")).to_owned())
    }
}

pub fn started(options: PortalOptions) -> Portal {
    let portal = Portal::start(options);
    portal.set_installed();
    portal
}
