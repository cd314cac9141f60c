//! Five requests a second, what Kaiten says of waiting, the token, and what `doctor` says.

use std::io::Write;

use fidelio_bitrix24::app::doctor;

use super::*;
use crate::support::api::settings;
use crate::support::db::sqlite;

on_both_engines! {
    e19_kaiten_never_has_to_refuse_for_its_limit(db) {
        let bench = Bench::with(db, Some(5)).await;
        bench.kaiten.limited();
        let mut numbers = Vec::new();
        for _ in 0..3 {
            let number = bench.register().await;
            bench.says(number, "one").await;
            numbers.push(number);
        }
        // A node that takes over knows nothing of what the one before it used.
        for number in numbers {
            bench.until_quiet(number).await;
        }
        assert!(bench.kaiten.request_count() > 10);
        assert_eq!((bench.kaiten.refused(), bench.kaiten.cards().len()), (0, 3));
    }

    e19_who_is_told_to_wait_waits_and_nothing_is_lost(db) {
        let bench = Bench::start(db).await;
        bench.kaiten.limited();
        let number = bench.register().await;
        for word in ["one", "two", "three", "four"] {
            bench.says(number, word).await;
        }
        bench.until_quiet(number).await;
        bench.pass(70);
        let refused = bench.kaiten.refused();
        assert!(refused >= 1, "nobody asked too often");
        assert!(refused * 4 <= bench.kaiten.request_count(), "{refused} of {}", bench.kaiten.request_count());
        assert_eq!(bench.said(), ["one", "two", "three", "four"]);
    }
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("a sink").extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn s48_the_token_of_kaiten_is_in_no_log() {
    let sink = Sink::default();
    let writer = sink.clone();
    let log = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
    let _logging = tracing::subscriber::set_default(log.with_writer(move || writer.clone()).finish());
    let bench = Bench::start(sqlite().await).await;
    let number = bench.register().await;
    for fate in [Fate::Status(401), Fate::Html(502), Fate::LostAfter] {
        bench.kaiten.fault(Op::Make, fate);
    }
    for _ in 0..6 {
        if let Err(error) = bench.node(None).visit().await {
            assert!(!format!("{error} {error:?}").contains(TOKEN));
        }
        bench.pass(400);
    }
    bench.until_quiet(number).await;
    let log = String::from_utf8_lossy(&sink.0.lock().expect("a sink")).into_owned();
    assert!(log.contains(&number.to_string()), "something is logged");
    assert!(!log.contains(TOKEN), "the token is not");
}

#[tokio::test]
async fn e19_doctor_says_what_kaiten_lacks() {
    let kaiten = Kaiten::start(start_time());
    let mut config = settings();
    config.bitrix.oauth_hosts.clear();
    let folder = tempfile::tempdir().expect("a temporary folder");
    config.database.url = format!("sqlite://{}", folder.path().join("none.db").display());
    config.storage.url = format!("file://{}", folder.path().display());
    config.support.tracker = vec!["kaiten".into()];
    let line = |lines: Vec<doctor::Line>, what: &str| lines.into_iter().find(|line| line.what == what);
    let lines = doctor::examine(&config).await;
    for key in ["support.kaiten_url", "support.kaiten_token", "support.kaiten_board"] {
        assert!(line(lines.clone(), key).is_some_and(|line| !line.ok), "{key}");
    }
    config.support.kaiten_url = kaiten.url();
    config.support.kaiten_token = SecretString::from("wrong".to_owned());
    config.support.kaiten_board = BOARD.to_string();
    let refused = line(doctor::examine(&config).await, "Kaiten").expect("a line");
    assert!(!refused.ok && refused.detail.contains("allow"), "an address of the own network: {refused:?}");
    config.bitrix.allow_private = vec![format!("kaiten=127.0.0.1/32:{}", kaiten.port())];
    let refused = line(doctor::examine(&config).await, "Kaiten").expect("a line");
    assert!(!refused.ok && refused.detail.contains("support.kaiten_token"), "{refused:?}");
    config.support.kaiten_token = SecretString::from(TOKEN.to_owned());
    let fine = line(doctor::examine(&config).await, "Kaiten").expect("a line");
    assert!(fine.ok && fine.detail.contains("4 columns"), "{fine:?}");
    assert!(!fine.detail.contains(TOKEN));
}
