//! What an operator does: migrate, doctor, a start that is refused with a reason.

use fb24_sandbox::portal::{Portal, PortalOptions};

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
    assert!(text(&doctor.stdout).lines().all(|line| line.starts_with("ok ")), "{}", text(&doctor.stdout));

    let wrong = settings.clone().with("bitrix.oauth_hosts", "http://127.0.0.1:9");
    let doctor = wrong.run("doctor");
    assert_eq!(doctor.status.code(), Some(1));
    assert!(text(&doctor.stdout).contains("FAIL OAuth host"), "{}", text(&doctor.stdout));
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
