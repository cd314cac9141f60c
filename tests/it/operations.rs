//! What an operator does: migrate, doctor, a start that is refused with a reason.

use std::time::Duration;

use fb24_sandbox::portal::{Portal, PortalOptions};
use fidelio_bitrix24::clock::Clock;
use fidelio_bitrix24::http::ops::{self, OpsState};
use fidelio_bitrix24::store::testing;
use fidelio_bitrix24::telemetry::Pulse;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::on_both_engines;
use crate::support::db;
use crate::support::process::{Process, Settings};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn s50_serve_waits_for_migrate_and_doctor_says_what_lacks() {
    let portal = Portal::start(PortalOptions::default());
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let settings = Settings::new(&format!("sqlite://{}", at("new.db")), &portal)
        .with("storage.url", &format!("file://{}", at("files")));

    let early = settings.run("serve");
    assert_eq!(early.status.code(), Some(1));
    assert!(text(&early.stderr).contains("migrate"), "{}", text(&early.stderr));
    let doctor = settings.run("doctor");
    assert_eq!(doctor.status.code(), Some(1));
    assert!(text(&doctor.stdout).contains("FAIL database"), "{}", text(&doctor.stdout));

    assert_eq!(settings.run("migrate").status.code(), Some(0));
    let doctor = settings.run("doctor");
    assert_eq!(doctor.status.code(), Some(0), "{}", text(&doctor.stdout));
    let said = text(&doctor.stdout);
    assert!(said.lines().all(|line| line.starts_with("ok ")), "{said}");
    for what in ["settings", "database", "OAuth host", "clock", "storage"] {
        assert!(said.contains(&format!("ok   {what}")), "{what}: {said}");
    }

    let wrong = settings.clone().with("bitrix.oauth_hosts", "http://127.0.0.1:9");
    let doctor = wrong.run("doctor");
    assert_eq!(doctor.status.code(), Some(1));
    assert!(text(&doctor.stdout).contains("FAIL OAuth host"), "{}", text(&doctor.stdout));

    let write = |name: &str, pem: &str| std::fs::write(at(name), pem).expect("a file");
    write("ca.pem", portal.ca_pem());
    write("notes.txt", "no certificate");
    let entries = ["good=ca.pem", "bad=notes.txt", "none=nothing.pem"]
        .map(|entry| entry.replace('=', &format!("={}/", folder.path().display())));
    let doctor = settings.clone().with("bitrix.portal_ca", &entries.join(",")).run("doctor");
    assert_eq!(doctor.status.code(), Some(1));
    let said = text(&doctor.stdout);
    for line in ["ok   bitrix.portal_ca good", "FAIL bitrix.portal_ca bad", "FAIL bitrix.portal_ca none"] {
        assert!(said.contains(line), "{line}: {said}");
    }
}

#[tokio::test]
async fn s48_serve_refuses_what_is_unsafe_in_public_and_an_agent_that_is_not_there() {
    let portal = Portal::start(PortalOptions::default());
    let settings = Settings::new("sqlite://unused.db", &portal).with("http.listen", "0.0.0.0:0");
    let refused = settings.run("serve");
    assert_eq!(refused.status.code(), Some(1));
    let why = text(&refused.stderr);
    assert!(why.contains("bitrix.allow_private") && why.contains("bitrix.oauth_hosts"), "{why}");
    let agent = settings.run("agent");
    assert_eq!(agent.status.code(), Some(1));
    assert!(text(&agent.stderr).contains("not part of this release"));
    let unknown = settings.with("pms.pol_seconds", "1").run("doctor");
    assert!(text(&unknown.stderr).contains("pms.poll_seconds"), "{}", text(&unknown.stderr));
}

#[tokio::test]
async fn s48_serve_refuses_a_database_sealed_under_a_key_it_does_not_have() {
    let portal = Portal::start(PortalOptions::default());
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}", folder.path().join("fb24.db").display());
    let first = "k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    let settings = Settings::new(&url, &portal).with("secrets.master_key", first);
    assert_eq!(settings.run("migrate").status.code(), Some(0));
    let process = Process::start(&settings).await;
    assert_eq!(portal.install(&process.url).await.expect("an answer").status, 200);
    assert_eq!(process.terminate(), Some(0));

    let renewed = settings.with("secrets.master_key", "k2:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=");
    let refused = renewed.run("serve");
    let why = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{why}");
    assert!(why.contains("not configured: k1.") && why.contains("secrets.previous_keys"), "{why}");
    assert!(!why.contains("AQEB") && !why.contains("AgIC"), "no key is shown");
    let both = renewed.with("secrets.previous_keys", first);
    assert_eq!(Process::start(&both).await.terminate(), Some(0), "with the old key beside the new one it starts");
}

/// What `/health/ready` answers.
async fn ready(state: &OpsState) -> (u16, String) {
    let state = state.clone();
    let app = actix_web::test::init_service(actix_web::App::new().configure(|cfg| ops::configure(cfg, state))).await;
    let request = actix_web::test::TestRequest::get().uri("/health/ready").to_request();
    let answer = actix_web::test::call_service(&app, request).await;
    let status = answer.status().as_u16();
    (status, text(&actix_web::test::read_body(answer).await))
}

on_both_engines! {
    s48_readiness_tells_a_node_whose_workers_have_died_or_stand_still(db) {
        let (clock, hand) = Clock::manual(chrono::DateTime::UNIX_EPOCH);
        let engine = Pulse::new("engine", Duration::from_secs(30), clock.clone());
        let lifecycle = Pulse::new("lifecycle", Duration::from_secs(900), clock);
        let stopping = CancellationToken::new();
        let state = OpsState::new(db.db.clone(), vec![engine.clone(), lifecycle], stopping.clone());
        assert_eq!(ready(&state).await, (200, "ok".to_owned()));
        hand.advance(Duration::from_secs(31));
        assert_eq!(ready(&state).await, (503, "engine: stands still".to_owned()));
        engine.beat();
        assert_eq!(ready(&state).await, (200, "ok".to_owned()));
        stopping.cancel();
        assert_eq!(ready(&state).await, (503, "stopping".to_owned()));
    }

    s48_readiness_tells_a_schema_of_another_release_from_a_database_that_is_away(db) {
        let state = OpsState::new(db.db.clone(), vec![], CancellationToken::new());
        testing::set_schema(&db.db, &[]).await.expect("a schema");
        let (status, why) = ready(&state).await;
        assert!(status == 503 && why.contains("run migrate"), "{why}");
        testing::set_schema(&db.db, &["m20991231_000001_later"]).await.expect("a schema");
        let (status, why) = ready(&state).await;
        assert!(status == 503 && why.contains("newer"), "{why}");
        db.db.close().await;
        assert_eq!(ready(&state).await, (503, "database: does not answer".to_owned()));
    }
}

#[tokio::test]
async fn s1_s48_an_idle_connection_of_a_proxy_is_kept_and_holds_up_no_end() {
    let portal = Portal::start(PortalOptions::default());
    let db = db::sqlite().await;
    let process = Process::start(&Settings::new(&db.url, &portal)).await;
    let mut proxy = TcpStream::connect(process.url.trim_start_matches("http://")).await.expect("a connection");
    for idle in [Duration::from_secs(6), Duration::ZERO] {
        proxy.write_all(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("it is open");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            assert!(proxy.read_buf(&mut head).await.expect("an answer") > 0, "hung up: {}", text(&head));
        }
        // The time itself is what is tried: by default a server waits five seconds.
        tokio::time::sleep(idle).await;
    }
    assert_eq!(process.terminate(), Some(0));
    assert_eq!(proxy.read(&mut [0]).await.expect("an end"), 0);
}

/// Runs `serve` with these settings and answers why it does not.
fn refused(settings: &Settings, code: i32) -> String {
    let ended = settings.run("serve");
    let said = text(&ended.stderr);
    assert_eq!(ended.status.code(), Some(code), "{said}");
    for inside in ["panicked", "backtrace", "Error {", "ParseError", "Os {", "::"] {
        assert!(!said.contains(inside), "{inside} is not for people: {said}");
    }
    said
}

#[tokio::test]
async fn s50_every_wrong_setting_is_refused_with_a_sentence_for_people() {
    let portal = Portal::start(PortalOptions::default());
    let folder = tempfile::tempdir().expect("a folder");
    let database = format!("sqlite://{}", folder.path().join("new.db").display());
    let right = Settings::new(&database, &portal);
    assert_eq!(right.run("migrate").status.code(), Some(0));
    let busy = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = busy.local_addr().expect("an address").to_string();
    let short = "k1:AQEBAQEBAQEBAQEBAQEBAQ==";
    for (key, value, words) in [
        ("pms.pol_seconds", "1", &["pms.pol_seconds", "did you mean `pms.poll_seconds`"][..]),
        ("pms.poll_seconds", "often", &["pms.poll_seconds", "number"]),
        ("bitrix.client_id", "", &["bitrix.client_id", "FB24__BITRIX__CLIENT_ID"]),
        ("secrets.master_key", "", &["secrets.master_key"]),
        ("secrets.master_key", short, &["secrets.master_key", "32 bytes"]),
        ("secrets.master_key", "no key at all", &["secrets.master_key"]),
        ("bitrix.oauth_hosts", "oauth.bitrix24.tech", &["bitrix.oauth_hosts"]),
        ("bitrix.oauth_hosts", "http://oauth.bitrix24.tech", &["bitrix.oauth_hosts", "must be https"]),
        ("bitrix.allow_private", "everybody", &["bitrix.allow_private"]),
        ("bitrix.portal_ca", "/etc/box.pem", &["bitrix.portal_ca", "member_id"]),
        ("bitrix.portal_ca", "a1=/no/such.pem", &["bitrix.portal_ca", "/no/such.pem cannot be read"]),
        ("http.listen", "everywhere", &["http.listen"]),
        ("http.listen", &taken, &["http.listen", "cannot be listened on"]),
        ("database.url", "mysql://somewhere/db", &["database.url", "postgres:"]),
        ("database.url", "postgres://u:secret@h/db", &["database.url", "credentials"]),
        ("database.url", "postgres://127.0.0.1:9/db", &["database"]),
        ("database.url", "sqlite:///proc/no/such/folder/x.db", &["database.url", "folder"]),
        ("sync.lease_seconds", "300", &["sync.lease_seconds", "1 to 20"]),
        ("bitrix.request_cap_seconds", "0", &["bitrix.request_cap_seconds"]),
        ("storage.url", "", &["storage.url"]),
    ] {
        let settings = right.clone().with(key, value);
        let said = refused(&settings, 1);
        for word in words {
            assert!(said.contains(word), "{key} = {value:?} says nothing of {word}: {said}");
        }
        assert!(!said.contains("secret@") && !said.contains(short), "{key}: a secret is repeated: {said}");
    }
    let public = right.with("http.listen", "127.0.0.1:0");
    let said = text(&public.clone().run_at("serve", "http://fidelio.example.com").stderr);
    assert!(said.contains("http.public_url: must be https"), "{said}");
    let said = text(&public.run_at("serve", "https://fidelio.example.com").stderr);
    assert!(said.contains("bitrix.oauth_hosts: must be https") && said.contains("bitrix.allow_private"), "{said}");
}
