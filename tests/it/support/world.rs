//! A portal, a hotel and what joins them: the acts of an admin, and the comparison of both truths.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fb24_sandbox::hotel::Hotel;
use fb24_sandbox::portal::{Entity, Portal, Record};
use serde_json::{Value, json};

use super::truth::{Difference, Hands, compare};

/// Asks until the answer is `Some`, or the time is up. Waiting for another process has no other way.
pub async fn until<T, F>(what: &str, seconds: u64, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "not seen within {seconds} s: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// An admin in front of the application.
pub struct Admin {
    http: reqwest::Client,
    base: String,
    session: String,
}

impl Admin {
    /// Installs the application in the portal and waits until its set-up is done.
    pub async fn install(portal: &Portal, base: &str) -> Self {
        let answer = portal.install(base).await.expect("the installer answers");
        assert_eq!(answer.status, 200, "{}", answer.body);
        let admin = Self::open(portal, base).await;
        until("the set-up is ready", 30, || async {
            let (_, installation) = admin.get("/api/v1/installation").await;
            assert_ne!(installation["state"], "failed", "{installation}");
            (installation["state"] == "ready").then_some(())
        })
        .await;
        admin
    }

    /// Opens the main page as the portal's admin.
    pub async fn open(portal: &Portal, base: &str) -> Self {
        Self::open_as(portal, base, 1).await
    }

    /// The same as another user.
    pub async fn open_as(portal: &Portal, base: &str, user: i64) -> Self {
        Self::open_at(portal, base, user, "app", "DEFAULT").await
    }

    /// The contact tab, which is open to everybody whom the portal knows.
    pub async fn open_tab_as(portal: &Portal, base: &str, user: i64) -> Self {
        Self::open_at(portal, base, user, "widgets/contact-guest", "CRM_CONTACT_DETAIL_TAB").await
    }

    async fn open_at(portal: &Portal, base: &str, user: i64, page: &str, placement: &str) -> Self {
        let form = portal.frame_form(user, placement, &json!([]));
        let answer = portal.open_frame(&format!("{base}/bitrix/{page}"), &form).await.expect("the page answers");
        let boot = answer.boot().unwrap_or_else(|| panic!("no boot block: {} {}", answer.status, answer.body));
        let session = boot["session"].as_str().unwrap_or_else(|| panic!("no session: {boot}")).to_owned();
        Self { http: reqwest::Client::new(), base: base.to_owned(), session }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        let answer = request.bearer_auth(&self.session).send().await.expect("the API answers");
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or(Value::Null))
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.send(self.http.get(format!("{}{path}", self.base))).await
    }

    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send(self.http.post(format!("{}{path}", self.base)).json(&body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> (u16, Value) {
        self.send(self.http.put(format!("{}{path}", self.base)).json(&body)).await
    }

    pub async fn delete(&self, path: &str) -> (u16, Value) {
        self.send(self.http.delete(format!("{}{path}", self.base))).await
    }

    /// Connects the hotel and gives new records to the portal's admin.
    pub async fn connect(&self, hotel: &Hotel, code: &str) {
        let (status, body) = self.get("/api/v1/settings").await;
        assert_eq!(status, 200, "{body}");
        let (status, body) =
            self.put("/api/v1/settings", json!({"owner_rule": {"kind": "person", "user_id": 1}})).await;
        assert_eq!(status, 200, "{body}");
        let hotel = json!({
            "code": code, "name": "Гранд", "timezone": "Europe/Moscow", "currency": "RUB",
            "sources": [{"kind": "suite8_xml", "via": "direct", "url": hotel.url(),
                         "username": hotel.username(), "password": hotel.password()}],
        });
        let (status, body) = self.post("/api/v1/hotels", hotel).await;
        assert_eq!(status, 201, "{body}");
    }

    /// Starts an import from 90 days back and answers its id.
    pub async fn start_import(&self, code: &str) -> String {
        self.try_import(code).await.expect("an import is started")
    }

    /// The same; what the refusal says while another one is under way.
    pub async fn try_import(&self, code: &str) -> Result<String, Value> {
        let from = chrono::Utc::now().date_naive() - chrono::Days::new(90);
        let range = json!({"from": from, "dry_run": false});
        match self.post(&format!("/api/v1/hotels/{code}/imports"), range).await {
            (202, body) => Ok(body["id"].as_str().expect("an id").to_owned()),
            (409, body) => Err(body),
            (status, body) => panic!("{status} {body}"),
        }
    }

    pub async fn wait_for_import(&self, id: &str, seconds: u64) -> Value {
        until("the import ends", seconds, || async {
            let (_, import) = self.get(&format!("/api/v1/imports/{id}")).await;
            assert!(!["failed", "cancelled"].contains(&import["state"].as_str().unwrap_or_default()), "{import}");
            if std::env::var("FB24_TEST_LOG").is_ok() {
                println!("{import}");
            }
            (import["state"] == "completed").then_some(import)
        })
        .await
    }
}

/// Deals of the portal by the reservation they carry in their mark.
pub fn deals_by_mark(portal: &Portal) -> BTreeMap<String, Vec<Record>> {
    let mut deals: BTreeMap<String, Vec<Record>> = BTreeMap::new();
    for deal in portal.records(Entity::Deal) {
        deals.entry(deal.text("originId")).or_default().push(deal);
    }
    deals
}

/// What is wrong between the hotel's truth and the portal, where nobody edits anything; empty when all is well.
pub fn differences(portal: &Portal, hotel: &Hotel, code: &str) -> Vec<Difference> {
    compare(portal, hotel, code, &Hands::default())
}
