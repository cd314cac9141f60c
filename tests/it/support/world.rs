//! A portal, a hotel and what joins them: the acts of an admin, and the comparison of the two truths.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fb24_sandbox::hotel::Hotel;
use fb24_sandbox::hotel::model::Status;
use fb24_sandbox::portal::{Entity, Portal, Record};
use serde_json::{Value, json};

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
        let from = chrono::Utc::now().date_naive() - chrono::Days::new(90);
        let range = json!({"from": from, "dry_run": false});
        let (status, body) = self.post(&format!("/api/v1/hotels/{code}/imports"), range).await;
        assert_eq!(status, 202, "{body}");
        body["id"].as_str().expect("an id").to_owned()
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

/// What is wrong between the hotel's truth and the portal's deals and contacts; empty when all is well.
pub fn differences(portal: &Portal, hotel: &Hotel, code: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let deals = deals_by_mark(portal);
    let mut contacts: BTreeMap<String, usize> = BTreeMap::new();
    for contact in portal.records(Entity::Contact) {
        *contacts.entry(contact.text("originId")).or_default() += 1;
    }
    wrong.extend(contacts.iter().filter(|(_, n)| **n != 1).map(|(mark, n)| format!("{n} contacts of {mark}")));
    wrong.extend(deals.iter().filter(|(_, found)| found.len() != 1).map(|(m, f)| format!("{} deals of {m}", f.len())));
    hotel.with(|state| {
        for stay in state.reservations.values().filter(|stay| !stay.financial_account) {
            let mark = format!("{code}:{}", stay.number);
            let Some(deal) = deals.get(&mark).and_then(|found| found.first()) else {
                wrong.push(format!("no deal of {mark}"));
                continue;
            };
            let arrival = deal.text("UF_CRM_FB24_ARRIVAL");
            if !arrival.starts_with(&stay.arrival.to_string()) {
                wrong.push(format!("{mark}: arrival {arrival} instead of {}", stay.arrival));
            }
            let departure = deal.text("UF_CRM_FB24_DEPARTURE");
            if !departure.starts_with(&stay.departure.to_string()) {
                wrong.push(format!("{mark}: departure {departure} instead of {}", stay.departure));
            }
            let status = deal.text("UF_CRM_FB24_STATUS");
            if status != word(stay.status) {
                wrong.push(format!("{mark}: status {status} instead of {}", word(stay.status)));
            }
            if !deal.text("stageId").ends_with(stage(stay.status)) {
                wrong.push(format!("{mark}: stage {} instead of {}", deal.text("stageId"), stage(stay.status)));
            }
        }
    });
    wrong
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Offer => "offer",
        Status::Tentative => "tentative",
        Status::Waitlisted => "waitlisted",
        Status::Confirmed => "confirmed",
        Status::InHouse => "in_house",
        Status::CheckedOut => "checked_out",
        Status::Cancelled => "cancelled",
        Status::NoShow => "no_show",
    }
}

/// The contract's stages, written again here so that a slip in the product is seen.
pub fn stage(status: Status) -> &'static str {
    match status {
        Status::Offer => "FB24_OFFER",
        Status::Tentative => "FB24_TENTATIVE",
        Status::Waitlisted => "FB24_WAITLIST",
        Status::Confirmed => "FB24_CONFIRMED",
        Status::InHouse => "FB24_IN_HOUSE",
        Status::CheckedOut => "WON",
        Status::Cancelled => "LOSE",
        Status::NoShow => "FB24_NO_SHOW",
    }
}
