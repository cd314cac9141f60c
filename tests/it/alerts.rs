//! People are told of troubles: in the portal and by mail, once, not in quiet hours, and once more when they are over.

use std::time::Duration;

use chrono::FixedOffset;
use fb24_sandbox::hotel::{Fault as HotelFault, HotelOptions};
use fb24_sandbox::mail::{MailServer, Mood, Received};
use fb24_sandbox::portal::PortalOptions;
use fidelio_bitrix24::alerts::Alerts;
use fidelio_bitrix24::domain::alert::{Alert, AlertKind, AlertSettings};
use fidelio_bitrix24::mail::Mailer;
use fidelio_bitrix24::store::alerts::{self, AlertKey};
use fidelio_bitrix24::store::hotels;
use fidelio_bitrix24::store::jobs::{self, JobKind, JobRow};
use fidelio_bitrix24::store::outbox::{self, Intent, NewIntent};
use fidelio_bitrix24::store::reconciliations::{self, DriftRow};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::on_both_engines;
use crate::support::db::TestDb;
use crate::support::town::{Crew, House, Town};
use crate::support::world::Admin;

const MINUTE: Duration = Duration::from_secs(60);

struct Scene {
    town: Town,
    crew: Crew,
    admin: Admin,
    mail: MailServer,
    alerts: Alerts,
}

impl Scene {
    /// A hotel at work and a person who asked to be told.
    async fn open(db: &TestDb, settings: Value) -> Self {
        let hotel = HotelOptions { reservations: 3, rooms: 10, ..HotelOptions::default() };
        let town = Town::open(&db.db, vec![House::build(PortalOptions::default(), hotel)]);
        let mut crew = town.crew(None);
        town.move_in(&town.houses[0], "GRAND", &mut crew).await;
        let mail = MailServer::start();
        let alerts = worker(&town, &mail);
        let admin = Admin::open(&town.houses[0].portal, &town.node.url).await;
        let (status, body) = admin.put("/api/v1/alerts", settings).await;
        assert_eq!(status, 200, "{body}");
        Self { town, crew, admin, mail, alerts }
    }

    fn house(&self) -> &House {
        &self.town.houses[0]
    }

    /// So many minutes of work, with a look for troubles in each.
    async fn minutes(&mut self, count: u32) {
        for _ in 0..count {
            self.town.pass(MINUTE);
            self.town.work(&mut self.crew).await;
            self.town.patiently(self.alerts.tick()).await.expect("a look");
        }
    }

    /// A job of the hotel that came to its end so.
    async fn ended(&self, kind: JobKind, state: &str) -> String {
        let portal = self.town.portal(self.house()).await.id;
        let db = self.town.node.directory.db();
        let hotel = hotels::list(db, portal).await.expect("hotels").remove(0).id;
        let (now, day) = (self.town.now.now_ms(), self.town.now.now().date_naive());
        let id = format!("{}-{now}", kind as u8);
        let job = JobRow {
            id: id.clone(),
            hotel,
            state: "queued".into(),
            kind,
            from: day,
            to: day,
            progress: json!({}),
            estimate: None,
            created_at: now,
            updated_at: now,
        };
        let tx = db.begin().await.expect("a transaction");
        assert!(jobs::create(&tx, portal, &job, 0).await.expect("a job"));
        tx.commit().await.expect("kept");
        assert!(jobs::step(db, portal, &id, &["queued"], state, now).await.expect("ended"));
        id
    }

    fn titles(&self) -> Vec<String> {
        self.mail.letters().iter().map(subject).collect()
    }

    fn notices(&self) -> Vec<(i64, String)> {
        self.house().portal.notices().into_iter().map(|notice| (notice.user, notice.message)).collect()
    }
}

fn worker(town: &Town, mail: &MailServer) -> Alerts {
    let mailer = Mailer::new(&mail.url(), "", &SecretString::from(""), "app@fidelio.example").expect("settings");
    Alerts::new(town.node.directory.clone(), mailer, town.now.clone())
}

/// The subject as a person reads it.
fn subject(letter: &Received) -> String {
    let parsed = letter.data.lines().skip_while(|line| !line.starts_with("Subject:"));
    let mut folded = String::new();
    for (n, line) in parsed.enumerate() {
        if n > 0 && !line.starts_with(' ') {
            break;
        }
        folded.push_str(line.strip_prefix("Subject: ").unwrap_or(line));
    }
    decode(&folded)
}

/// Encoded words (RFC 2047), base64 only: the sender writes no others.
fn decode(text: &str) -> String {
    use base64::Engine;
    let mut out = Vec::new();
    for (n, part) in text.split("=?utf-8?b?").enumerate() {
        if n == 0 {
            out.extend_from_slice(part.as_bytes());
            continue;
        }
        let (word, rest) = part.split_once("?=").expect("an encoded word");
        out.extend(base64::engine::general_purpose::STANDARD.decode(word).expect("base64"));
        // Between two encoded words the space is none.
        if !rest.trim().is_empty() {
            out.extend_from_slice(rest.as_bytes());
        }
    }
    String::from_utf8(out).expect("utf-8")
}

fn header<'a>(letter: &'a Received, name: &str) -> &'a str {
    letter
        .data
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap_or_else(|| panic!("{name}: {}", letter.data))
        .trim()
}

on_both_engines! {
    s48_a_link_that_is_down_is_told_once_and_its_return_once(db) {
        let mut scene = Scene::open(&db, json!({"emails": ["director@example.com"], "user_ids": [1]})).await;
        scene.minutes(2).await;
        assert!(scene.titles().is_empty() && scene.notices().is_empty());
        scene.house().hotel.faults().always(HotelFault::DropBefore);
        scene.minutes(6).await;
        assert!(scene.titles().is_empty(), "a link breaks and comes back by itself");
        let (_, open) = scene.admin.get("/api/v1/alerts").await;
        assert_eq!((&open["open"][0]["kind"], &open["open"][0]["told_at"]), (&json!("link_down"), &Value::Null), "{open}");

        scene.minutes(8).await;
        let letters = scene.mail.letters();
        assert_eq!(letters.len(), 1, "{:?}", scene.titles());
        assert_eq!(letters[0].to, ["director@example.com"]);
        assert_eq!(header(&letters[0], "Auto-Submitted:"), "auto-generated");
        assert!(scene.titles()[0].starts_with("Нет связи с Fidelio") && scene.titles()[0].contains("GRAND"));
        let notices = scene.notices();
        assert_eq!(notices.len(), 1, "{notices:?}");
        assert!(notices[0].0 == 1 && notices[0].1.contains("Проверить связь"), "{notices:?}");

        scene.house().hotel.faults().clear();
        scene.minutes(12).await;
        assert_eq!(scene.titles().len(), 2, "{:?}", scene.titles());
        assert!(scene.titles()[1].starts_with("Связь с Fidelio восстановлена"));
        let notices = scene.notices();
        assert!(notices.len() == 1 && notices[0].1.contains("восстановлена"), "the all-clear takes its place: {notices:?}");
        let admin = Admin::open(&scene.house().portal, &scene.town.node.url).await;
        let (_, open) = admin.get("/api/v1/alerts").await;
        assert_eq!(open["open"], json!([]));
    }

    s48_nobody_is_woken_and_what_passed_by_the_morning_is_not_told(db) {
        let mut scene = Scene::open(&db, json!({"emails": ["director@example.com"]})).await;
        // The hotel's hours: quiet from now on, for forty minutes.
        let now = scene.town.now.now().with_timezone(&FixedOffset::east_opt(3 * 3600).expect("Moscow"));
        let hours = json!({"from": now.format("%H:%M").to_string(),
            "to": (now + chrono::Duration::minutes(40)).format("%H:%M").to_string()});
        let (status, body) = scene.admin.put("/api/v1/alerts", json!({"quiet_hours": hours})).await;
        assert_eq!((status, &body["emails"]), (200, &json!(["director@example.com"])), "{body}");

        scene.house().hotel.faults().always(HotelFault::DropBefore);
        scene.minutes(12).await;
        scene.house().hotel.faults().clear();
        scene.minutes(8).await;
        scene.house().hotel.faults().always(HotelFault::DropBefore);
        scene.minutes(14).await;
        assert!(scene.titles().is_empty(), "{:?}", scene.titles());
        scene.minutes(10).await;
        assert_eq!(scene.titles().len(), 1, "what lasts is told when the hours end: {:?}", scene.titles());
        assert_eq!(scene.notices().len(), 1, "and whoever installed the app by a notice");
    }

    s48_a_busy_mail_server_is_tried_again_and_a_lost_answer_doubles_nothing_a_person_sees(db) {
        let emails = json!({"emails": ["a@example.com", "gone@example.com", "z@example.com"]});
        let mut scene = Scene::open(&db, emails).await;
        scene.mail.mood("a@example.com", Mood::Busy);
        scene.mail.mood("gone@example.com", Mood::Refuses);
        scene.mail.mood("z@example.com", Mood::HangsUp);
        scene.house().hotel.faults().always(HotelFault::DropBefore);
        scene.minutes(16).await;
        let letters = scene.mail.letters();
        let to = |who: &str| letters.iter().filter(|letter| letter.to == [who]).collect::<Vec<_>>();
        assert_eq!(to("a@example.com").len(), 1);
        assert!(to("gone@example.com").is_empty(), "a refusal for good is not repeated");
        let twice = to("z@example.com");
        assert_eq!(twice.len(), 2, "its outcome was not known");
        assert_eq!(header(twice[0], "Message-ID:"), header(twice[1], "Message-ID:"), "a mail program shows one");
    }

    s48_two_nodes_tell_once_and_a_node_that_died_is_followed(db) {
        let mut scene = Scene::open(&db, json!({"emails": ["director@example.com"]})).await;
        let second = worker(&scene.town, &scene.mail);
        scene.house().hotel.faults().always(HotelFault::DropBefore);
        for _ in 0..15 {
            scene.town.pass(MINUTE);
            scene.town.work(&mut scene.crew).await;
            let both = async { tokio::join!(scene.alerts.tick(), second.tick()) };
            let (one, other) = scene.town.patiently(both).await;
            assert!(one.expect("a look") + other.expect("a look") <= 2, "one letter, one notice");
        }
        assert_eq!(scene.titles().len(), 1, "{:?}", scene.titles());
        // The first one is no more: the second goes on when its lease is over.
        scene.house().hotel.faults().clear();
        for _ in 0..12 {
            scene.town.pass(MINUTE);
            scene.town.work(&mut scene.crew).await;
            scene.town.patiently(second.tick()).await.expect("a look");
        }
        assert_eq!(scene.titles().len(), 2, "{:?}", scene.titles());
    }

    s48_a_lost_access_is_told_by_mail_and_payment_before_it_ends(db) {
        let mut scene = Scene::open(&db, json!({"emails": ["director@example.com"]})).await;
        scene.house().portal.set_paid(true, 30);
        scene.town.pass(Duration::from_secs(3_700));
        scene.town.live().await;
        scene.minutes(2).await;
        assert!(scene.titles().is_empty(), "a month is left: {:?}", scene.titles());
        scene.house().portal.set_paid(true, 5);
        scene.town.pass(Duration::from_secs(3_700));
        scene.town.live().await;
        scene.minutes(2).await;
        assert_eq!(scene.titles().len(), 1, "{:?}", scene.titles());
        assert!(scene.titles()[0].starts_with("Заканчивается оплата"));

        scene.house().hotel.faults().always(HotelFault::DropBefore);
        scene.minutes(14).await;
        assert!(scene.titles()[1].starts_with("Нет связи с Fidelio"), "{:?}", scene.titles());
        scene.house().portal.revoke_tokens();
        scene.town.pass(Duration::from_secs(3_700));
        scene.town.live().await;
        scene.minutes(12).await;
        let titles = scene.titles();
        assert!(titles.iter().any(|title| title.starts_with("Портал закрыл нам доступ")), "{titles:?}");
        assert_eq!(titles.len(), 3, "nothing is said to be over while nothing can be seen: {titles:?}");
    }

    s48_what_nobody_could_be_told_is_told_once_somebody_can_be(db) {
        let mut scene = Scene::open(&db, json!({})).await;
        scene.house().portal.revoke_tokens();
        scene.town.pass(Duration::from_secs(3_700));
        scene.town.live().await;
        scene.minutes(3).await;
        let portal = scene.town.portal(scene.house()).await.id;
        let held = || async { alerts::of_portal(&db.db, portal).await.expect("alerts") };
        let lost = |held: Vec<(AlertKey, Alert)>| held.into_iter().find(|(about, _)| about.kind == AlertKind::TokenLost);
        let (_, alert) = lost(held().await).expect("the access is lost");
        assert_eq!(alert.told_at, None, "a notice in the portal would reach nobody, and no address was given");
        let key = scene.town.node.directory.key(portal).await.expect("a key");
        let told = AlertSettings { emails: vec!["director@example.com".to_owned()], ..AlertSettings::default() };
        alerts::set_settings(&db.db, portal, &key, &told).await.expect("saved");
        scene.minutes(1).await;
        assert!(scene.titles()[0].starts_with("Портал закрыл нам доступ"), "{:?}", scene.titles());
    }

    s48_an_import_that_gave_up_is_told_and_that_it_goes_on_too(db) {
        let mut scene = Scene::open(&db, json!({"emails": ["director@example.com"]})).await;
        let job = scene.ended(JobKind::Import, "failed").await;
        scene.minutes(2).await;
        assert!(scene.titles()[0].starts_with("Импорт броней не завершён") && scene.titles()[0].contains("GRAND"), "{:?}", scene.titles());
        scene.minutes(8).await;
        assert_eq!(scene.titles().len(), 1, "once");
        let portal = scene.town.portal(scene.house()).await.id;
        assert!(jobs::step(&db.db, portal, &job, &["failed"], "completed", scene.town.now.now_ms()).await.unwrap());
        scene.minutes(8).await;
        assert!(scene.titles()[1].starts_with("Импорт броней снова идёт"), "{:?}", scene.titles());
    }

    s48_a_reconciliation_that_is_missed_or_fails_is_told_once_it_was_not_made_up_for(db) {
        let scene = Scene::open(&db, json!({"emails": ["director@example.com"]})).await;
        let look = async |hours: u64, minutes: u64| {
            scene.town.pass(Duration::from_secs(hours * 3_600 + minutes * 60));
            scene.alerts.tick().await.expect("a look");
        };
        // Nothing works meanwhile: a night and a half are missed.
        look(37, 0).await;
        let told = |begin: &str| scene.titles().iter().filter(|title| title.starts_with(begin)).count();
        assert_eq!(told("Сверка не выполняется"), 0, "the next hours may bring it");
        look(3, 1).await;
        assert_eq!(told("Сверка не выполняется"), 1, "{:?}", scene.titles());
        scene.ended(JobKind::Reconciliation, "completed").await;
        look(0, 6).await;
        assert_eq!(told("Сверка снова выполнена"), 1, "{:?}", scene.titles());
        scene.ended(JobKind::Reconciliation, "failed").await;
        look(0, 1).await;
        look(2, 0).await;
        assert_eq!(told("Сверка не выполняется"), 1, "it is tried again after two hours");
        look(1, 1).await;
        assert_eq!(told("Сверка не выполняется"), 2, "{:?}", scene.titles());
    }

    s48_a_clock_measured_to_be_off_is_told_whichever_way_it_is(db) {
        let scene = Scene::open(&db, json!({"emails": ["director@example.com"]})).await;
        let portal = scene.town.portal(scene.house()).await.id;
        let hotel = hotels::list(&db.db, portal).await.expect("hotels").remove(0).id;
        let clock = async |ahead_ms: i64, minutes: u64| {
            hotels::set_clock(&db.db, portal, hotel, ahead_ms).await.expect("kept");
            scene.town.pass(Duration::from_secs(minutes * 60));
            scene.alerts.tick().await.expect("a look");
            scene.titles()
        };
        assert!(clock(200_000, 1).await.is_empty(), "windows of reading overlap by more");
        let told = clock(-400_000, 1).await;
        assert!(told[0].starts_with("Часы Fidelio идут неверно") && told[0].contains("GRAND"), "{told:?}");
        assert_eq!(clock(400_000, 1).await.len(), 1, "still off");
        let told = clock(0, 6).await;
        assert!(told[1].starts_with("Часы Fidelio снова верны"), "{told:?}");
    }

    s48_a_queue_that_stands_is_told_of_its_hotel_and_of_the_portal_where_it_is_nobodys(db) {
        let mut scene = Scene::open(&db, json!({"emails": ["director@example.com"]})).await;
        scene.minutes(3).await;
        let portal = scene.town.portal(scene.house()).await.id;
        let hotel = hotels::list(&db.db, portal).await.expect("hotels").remove(0).id;
        let waits = async |subject: String, priority: i32| {
            let seen_at = scene.town.now.now_ms();
            let intent = NewIntent { subject, intent: Intent::Sync, priority, rank: 0, not_before: 0, seen_at };
            let tx = db.db.begin().await.expect("a transaction");
            outbox::add(&tx, portal, vec![intent]).await.expect("kept");
            tx.commit().await.expect("kept");
        };
        let look = async |minutes: u64| {
            scene.town.pass(Duration::from_secs(minutes * 60));
            scene.alerts.tick().await.expect("a look");
            scene.titles()
        };
        let through = async || {
            let due = outbox::due(&db.db, portal, (0, 9), &[], i64::MAX, 50).await.expect("rows");
            let rows: Vec<(i64, i64)> = due.iter().map(|row| (row.id, row.seq)).collect();
            let tx = db.db.begin().await.expect("a transaction");
            outbox::drop_unsent(&tx, portal, &rows).await.expect("dropped");
            tx.commit().await.expect("kept");
        };
        let stay = format!("stay:{hotel}:900001");
        waits(stay.clone(), 2).await;
        assert!(look(61).await.is_empty(), "an import may take hours");
        through().await;
        waits(stay.clone(), 1).await;
        assert!(look(59).await.is_empty());
        waits("crm:2:77".to_owned(), 1).await;
        let told = look(2).await;
        assert!(told.len() == 1 && told[0].starts_with("Изменения ждут больше часа") && told[0].contains("GRAND"), "{told:?}");
        assert_eq!(look(60).await.len(), 1, "its hotel's queue says it already");
        through().await;
        let told = look(6).await;
        assert!(told[1].starts_with("Очередь изменений разобрана"), "{told:?}");
        waits("crm:2:77".to_owned(), 1).await;
        let told = look(61).await;
        assert!(told[2].starts_with("Изменения ждут больше часа") && !told[2].contains("GRAND"), "{told:?}");
    }

    s48_what_the_last_reconciliation_found_is_told_until_one_finds_nothing(db) {
        let scene = Scene::open(&db, json!({"emails": ["director@example.com"]})).await;
        let portal = scene.town.portal(scene.house()).await.id;
        let job = scene.ended(JobKind::Reconciliation, "completed").await;
        let look = async |minutes: u64| {
            scene.town.pass(Duration::from_secs(minutes * 60));
            scene.alerts.tick().await.expect("a look");
            let drift = |title: &String| title.contains("расхождени") || title.contains("Расхождени");
            scene.titles().into_iter().filter(drift).collect::<Vec<_>>()
        };
        assert!(look(1).await.is_empty());
        let cause = "differs_in_store".to_owned();
        let drift = DriftRow { subject: "stay:1:1".into(), cause, arrival: None, detail: json!({}) };
        let tx = db.db.begin().await.expect("a transaction");
        reconciliations::note(&tx, portal, &job, &[drift], scene.town.now.now_ms()).await.expect("noted");
        tx.commit().await.expect("kept");
        let told = look(1).await;
        assert!(told.len() == 1 && told[0].starts_with("Сверка нашла расхождения") && told[0].contains("GRAND"), "{told:?}");
        assert_eq!(look(10).await.len(), 1, "once");
        scene.ended(JobKind::Reconciliation, "completed").await;
        assert!(look(6).await[1].starts_with("Расхождений больше нет"));
    }

    s48_who_is_told_works_at_the_portal_and_only_who_may_changes_it(db) {
        let scene = Scene::open(&db, json!({})).await;
        let (status, body) = scene.admin.put("/api/v1/alerts", json!({"user_ids": [1, 4_321]})).await;
        assert_eq!((status, &body["errors"][0]["pointer"]), (422, &json!("/user_ids/1")), "{body}");
        let (_, body) = scene.admin.get("/api/v1/alerts").await;
        assert_eq!(body, json!({"emails": [], "user_ids": [], "quiet_hours": null, "mail": false, "open": []}));
    }
}
