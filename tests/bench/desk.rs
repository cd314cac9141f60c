//! The support desk with a long past: what a list and a search take, how many forms are taken in, and what a flood of forms
//! without a solved puzzle costs everybody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fb24_sandbox::portal::{Portal, PortalOptions};
use futures_util::{StreamExt, stream};
use serde_json::json;

use crate::database::{self, Fresh};
use crate::support::process::{Process, Settings};
use crate::support::world::Admin;
use crate::table::{Table, median, quantile};

const AT_ONCE: usize = 16;
const REQUESTS: usize = 10_000;
/// Of each request; ten in full.
const MESSAGES: usize = 1;
const SAMPLES: usize = 5;
const FLOOD_SECONDS: u64 = 10;
const FLOOD_EACH: u64 = 1_000;

struct Desk {
    product: Process,
    admin: Admin,
    http: reqwest::Client,
    /// Gone with it.
    _portal: Portal,
}

impl Desk {
    async fn open(fresh: &Fresh, captcha: bool) -> Self {
        let portal = Portal::start(PortalOptions::default());
        let settings = Settings::new(&fresh.url, &portal)
            .with("support.portal", &portal.member_id())
            .with("support.captcha", &captcha.to_string())
            .with("http.trusted_proxies", "127.0.0.1/32");
        let product = Process::start(&settings).await;
        let admin = Admin::install(&portal, &product.url).await;
        Self { product, admin, http: reqwest::Client::new(), _portal: portal }
    }

    /// One form, from an address and a phone of its own; whether it was taken.
    async fn form(&self, number: usize, captcha: &str) -> u16 {
        let address = format!("10.{}.{}.{}", number >> 16 & 255, number >> 8 & 255, number & 255);
        let body = json!({"name": "Анна", "phone": format!("+7916{number:07}"), "question": "Не видно броней",
            "consent": {"document_version": "1"}, "captcha": captcha});
        let url = format!("{}/support/callbacks", self.product.url);
        let answer = self.http.post(url).header("X-Forwarded-For", address).json(&body).send().await;
        let answer = answer.expect("an answer");
        let status = answer.status().as_u16();
        drop(answer.bytes().await);
        status
    }

    /// Milliseconds that one page took.
    async fn took(&self, path: &str) -> f64 {
        let begin = Instant::now();
        let (status, body) = self.admin.get(path).await;
        assert_eq!(status, 200, "{path}: {body}");
        begin.elapsed().as_secs_f64() * 1_000.0
    }
}

/// Forms a second, each committed before its answer; the requests are there afterwards.
async fn intake(desk: &Desk, engine: &str, table: &mut Table) {
    let begin = Instant::now();
    let taken = AtomicUsize::new(0);
    stream::iter(0..REQUESTS)
        .for_each_concurrent(AT_ONCE, |number| {
            let taken = &taken;
            async move {
                taken.fetch_add(usize::from(desk.form(number, "off").await == 201), Ordering::Relaxed);
            }
        })
        .await;
    let rate = REQUESTS as f64 / begin.elapsed().as_secs_f64();
    let case = format!("desk on {engine}, {REQUESTS} call-back forms");
    table.add(&case, "taken", taken.into_inner().to_string(), &REQUESTS.to_string());
    table.add(&case, "a second, committed", format!("{rate:.0}"), "≥ 500");
}

async fn lists(desk: &Desk, engine: &str, messages: usize, table: &mut Table) {
    let (_, first) = desk.admin.get("/api/v1/requests?limit=100").await;
    let numbers: Vec<String> = every_number(desk).await;
    stream::iter(numbers.iter().flat_map(|number| (0..messages).map(move |_| number)))
        .for_each_concurrent(AT_ONCE, |number| async move {
            let note = json!({"text": "Смотрели журнал: связи нет с утра.", "internal": true});
            let (status, body) = desk.admin.post(&format!("/api/v1/requests/{number}/comments"), note).await;
            assert!(status == 200 || status == 409, "{status} {body}");
        })
        .await;
    let number = first["items"][0]["number"].as_str().expect("a number");
    let case = format!("desk on {engine}, {} requests, {} messages", numbers.len(), numbers.len() * messages);
    for (what, path) in [
        ("list, first page", "/api/v1/requests?limit=50".to_owned()),
        ("list, open incidents", "/api/v1/requests?state=registered&kind=incident&limit=50".to_owned()),
        ("search by number", format!("/api/v1/requests?number={number}")),
        ("search by phone", "/api/v1/requests?phone=%2B79160005000".to_owned()),
        ("one request", format!("/api/v1/requests/{number}")),
    ] {
        let mut samples = Vec::new();
        for _ in 0..SAMPLES {
            samples.push(desk.took(&path).await);
        }
        table.add(&case, &format!("{what}, ms (median)"), format!("{:.1}", median(&mut samples)), "≤ 50");
    }
}

async fn every_number(desk: &Desk) -> Vec<String> {
    let (mut numbers, mut after) = (Vec::new(), String::new());
    loop {
        let (_, page) = desk.admin.get(&format!("/api/v1/requests?limit=200{after}")).await;
        let items = page["items"].as_array().expect("a list");
        numbers.extend(items.iter().filter_map(|item| item["number"].as_str().map(str::to_owned)));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return numbers,
        }
    }
}

/// Others' pages with and without the flood.
async fn flood(desk: &Arc<Desk>, engine: &str, table: &mut Table) {
    let pages = async |time: Duration| {
        let (begin, mut samples) = (Instant::now(), Vec::new());
        while begin.elapsed() < time {
            samples.push(desk.took("/api/v1/requests?limit=50").await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        quantile(&mut samples, 0.95)
    };
    let calm = pages(Duration::from_secs(5)).await;
    let refused = Arc::new(AtomicUsize::new(0));
    let (bots, counted) = (Arc::clone(desk), Arc::clone(&refused));
    let flood = tokio::spawn(async move {
        let mut posts = tokio::task::JoinSet::new();
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        for round in 0..FLOOD_SECONDS * 100 {
            tick.tick().await;
            for post in 0..FLOOD_EACH / 100 {
                let (desk, counted) = (Arc::clone(&bots), Arc::clone(&counted));
                let number = usize::try_from(round * 10 + post).expect("a number");
                posts.spawn(async move {
                    let status = desk.form(number, "eyJzYWx0IjoieCJ9").await;
                    counted.fetch_add(usize::from((400..500).contains(&status)), Ordering::Relaxed);
                });
            }
            while posts.try_join_next().is_some() {}
        }
        while posts.join_next().await.is_some() {}
    });
    let under = pages(Duration::from_secs(FLOOD_SECONDS)).await;
    flood.await.expect("the flood ends");
    let case = format!("desk on {engine}, {} forms of robots at {FLOOD_EACH} a second", FLOOD_SECONDS * FLOOD_EACH);
    let (_, list) = desk.admin.get("/api/v1/requests?limit=50").await;
    table.add(&case, "refused", refused.load(Ordering::Relaxed).to_string(), &(FLOOD_SECONDS * FLOOD_EACH).to_string());
    table.add(&case, "requests made", list["items"].as_array().map_or(0, Vec::len).to_string(), "0");
    table.add(&case, "others' p95, × without them", format!("{:.2}", under / calm), "≤ 1.5");
}

pub async fn run(table: &mut Table, full: bool) {
    let messages = if full { 10 * MESSAGES } else { MESSAGES };
    let mut engines = vec![("SQLite", database::sqlite().await, database::sqlite().await)];
    if let (Some(one), Some(two)) = (database::postgres().await, database::postgres().await) {
        engines.push(("PostgreSQL", one, two));
    }
    for (engine, fresh, another) in engines {
        let desk = Desk::open(&fresh, false).await;
        intake(&desk, engine, table).await;
        lists(&desk, engine, messages, table).await;
        drop(desk);
        flood(&Arc::new(Desk::open(&another, true).await), engine, table).await;
    }
}
