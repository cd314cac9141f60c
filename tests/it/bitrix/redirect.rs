//! A portal that moved, and one that pretends to have (facts §2.5); tokens and their owner by the OAuth host's word.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex, mpsc};

use fidelio_bitrix24::bitrix::{Call, Class, ErrorKind, Priority};
use fidelio_bitrix24::clock::Clock;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::scripted::{Reply, Server, bench, oauth, ok, refuse};

fn app_info(member_id: &str, endpoint: &str) -> Value {
    json!({"client_id": "app.test", "scope": "crm", "expires": "2026-11-21T20:00:00+03:00", "user_id": "1",
        "install": {"installed": true, "version": 1, "status": "L", "scope": "crm,placement", "domain": "x", "uri": "x",
            "client_endpoint": format!("{endpoint}/rest/"), "member_id": member_id, "member_type": "x"}})
}

fn profile() -> Call {
    Call::new("profile", json!({}))
}

#[tokio::test]
async fn s48_a_renamed_portal_is_followed_once_it_is_verified() {
    let new = Server::script(vec![ok(json!({"ID": 1}))]).await;
    let old = Server::script(vec![Reply::Redirect(format!("{}/rest/profile", new.url))]).await;
    let info = app_info("m1", &new.url);
    let host = Server::start(move |_| ok(info.clone())).await;
    let bench = bench(&old.url, &host.url, Clock::system());
    assert!(bench.client.call(Priority::Live, &profile()).await.is_ok());
    assert!(bench.client.call(Priority::Live, &profile()).await.is_ok());
    assert_eq!((old.seen().len(), new.seen().len(), host.seen().len()), (1, 2, 1), "the new host is remembered");
    assert_eq!(new.seen()[0].line, "POST /rest/profile", "posted again, not turned into GET");
    assert_eq!(*bench.tokens.moved.lock().expect("moves"), [format!("{}/rest/", new.url)]);
    assert_eq!(host.seen()[0].line, "POST /rest/app.info", "the token is in the body");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s7_s48_a_request_that_was_under_way_when_another_followed_the_move_goes_on_too() {
    let (followed, known) = mpsc::channel();
    let new = Server::start(move |_| {
        let _ = followed.send(());
        ok(json!({"ID": 1}))
    })
    .await;
    // Both are here before the first is answered; the second hears of the move when the first has long followed it.
    let (both, first, known) = (Barrier::new(2), AtomicUsize::new(0), Mutex::new(known));
    let target = format!("{}/rest/profile", new.url);
    let old = Server::start(move |_| {
        both.wait();
        if first.fetch_add(1, Ordering::SeqCst) == 1 {
            known.lock().expect("the channel").recv().expect("the first is followed");
        }
        Reply::Redirect(target.clone())
    })
    .await;
    let info = app_info("m1", &new.url);
    let host = Server::start(move |_| ok(info.clone())).await;
    let bench = bench(&old.url, &host.url, Clock::system());
    let calls = [profile(), profile()];
    let (a, b) =
        tokio::join!(bench.client.call(Priority::Live, &calls[0]), bench.client.call(Priority::Live, &calls[1]));
    assert!(a.is_ok() && b.is_ok(), "{a:?}, {b:?}");
    assert_eq!((old.seen().len(), new.seen().len(), host.seen().len()), (2, 2, 1), "verified once");
}

#[tokio::test]
async fn s48_a_redirect_to_a_stranger_is_not_followed() {
    let thief = Server::script(vec![ok(json!(1))]).await;
    let old = Server::script(vec![Reply::Redirect(format!("{}/rest/profile", thief.url))]).await;
    for (member, endpoint) in [("m1", old.url.as_str()), ("m2", thief.url.as_str())] {
        let info = app_info(member, endpoint);
        let host = Server::start(move |_| ok(info.clone())).await;
        let bench = bench(&old.url, &host.url, Clock::system());
        let error = bench.client.call(Priority::Live, &profile()).await.expect_err("not followed");
        assert!(matches!(error.kind, ErrorKind::Address(_)) && !error.outcome_unknown, "{error:?}");
        assert!(bench.tokens.moved.lock().expect("moves").is_empty());
    }
    assert!(thief.seen().is_empty(), "no token reached it");
    let looping = Server::start(|seen| Reply::Redirect(seen.line.trim_start_matches("POST ").to_owned())).await;
    let info = app_info("m1", &looping.url);
    let host = Server::start(move |_| ok(info.clone())).await;
    assert!(bench(&looping.url, &host.url, Clock::system()).client.call(Priority::Live, &profile()).await.is_err());
    assert_eq!(looping.seen().len(), 1);
    let inward = Server::script(vec![Reply::Redirect("http://169.254.169.254/rest/".into())]).await;
    let error = bench(&inward.url, &host.url, Clock::system())
        .client
        .call(Priority::Live, &profile())
        .await
        .expect_err("refused");
    assert!(matches!(error.kind, ErrorKind::Address(_)));
}

#[tokio::test]
async fn s48_a_portal_that_moves_twice_within_one_request_is_not_chased() {
    let third = Server::script(vec![ok(json!({"ID": 1}))]).await;
    let second = Server::script(vec![Reply::Redirect(format!("{}/rest/profile", third.url))]).await;
    let first = Server::script(vec![Reply::Redirect(format!("{}/rest/profile", second.url))]).await;
    // Whatever is asked about, the OAuth host confirms: each move by itself is honest.
    let (infos, asked) = ([app_info("m1", &second.url), app_info("m1", &third.url)], AtomicUsize::new(0));
    let host = Server::start(move |_| ok(infos[asked.fetch_add(1, Ordering::SeqCst).min(1)].clone())).await;
    let bench = bench(&first.url, &host.url, Clock::system());
    let error = bench.client.call(Priority::Live, &profile()).await.expect_err("one move is enough for a request");
    assert!(matches!(error.kind, ErrorKind::Address(_)) && !error.outcome_unknown, "{error:?}");
    assert_eq!((first.seen().len(), second.seen().len(), third.seen().len()), (1, 1, 0));
    assert_eq!(first.seen()[0].body, second.seen()[0].body, "the same request, posted once more");
    assert!(bench.client.call(Priority::Live, &profile()).await.is_ok(), "the next request goes on from there");
}

fn secret(text: &str) -> SecretString {
    text.to_owned().into()
}

#[tokio::test]
async fn s48_a_pair_is_refreshed_by_a_form_with_no_secret_in_the_url() {
    let host = Server::script(vec![Reply::Json(200, json!({"access_token": "a2", "refresh_token": "r2", "expires": 1, "expires_in": "3600",
        "scope": "crm,im", "domain": "oauth.example", "client_endpoint": "https://p.example/rest/", "server_endpoint": "x", "status": "L",
        "member_id": "m1", "user_id": 7}))])
    .await;
    let hosts = oauth(&host.url);
    let url = hosts.default_host().expect("a host").clone();
    let pair = hosts.refresh(&url, &secret("r1")).await.expect("a pair");
    assert_eq!((pair.access_token.expose_secret(), pair.refresh_token.expose_secret()), ("a2", "r2"));
    assert_eq!((pair.expires_in, pair.user_id, pair.member_id.as_str()), (3600, Some(7), "m1"));
    assert_eq!(
        (pair.client_endpoint.map(String::from).as_deref(), pair.scope.len()),
        (Some("https://p.example/rest/"), 2)
    );
    let seen = &host.seen()[0];
    assert_eq!(seen.line, "POST /oauth/token/");
    for part in ["grant_type=refresh_token", "refresh_token=r1", "client_id=app.test", "client_secret=secret-of-ours"] {
        assert!(seen.body.contains(part), "{part} in {}", seen.body);
    }
    assert!(!seen.headers.to_lowercase().contains("authorization"));
    assert!(!format!("{hosts:?}").contains("secret-of-ours"));
}

#[tokio::test]
async fn s48_refusals_of_the_oauth_host_are_seen_whatever_their_status() {
    for (reply, class, unknown) in [
        (Reply::Json(200, json!({"error": "wrong_client"})), Class::Permanent, false),
        (refuse(400, "invalid_grant"), Class::Reauthorise, false),
        (refuse(401, "PAYMENT_REQUIRED"), Class::Suspend, false),
        (refuse(401, "NOT_INSTALLED"), Class::Gone, false),
        (
            Reply::Json(200, json!({"access_token": "a"})),
            Class::Retry { after: std::time::Duration::from_secs(5) },
            true,
        ),
        (Reply::Html(502, "<html>"), Class::Retry { after: std::time::Duration::from_secs(5) }, true),
        (Reply::Vanish, Class::Retry { after: std::time::Duration::from_secs(5) }, true),
    ] {
        let host = Server::script(vec![reply.clone()]).await;
        let hosts = oauth(&host.url);
        let error = hosts.refresh(hosts.default_host().expect("a host"), &secret("r1")).await.expect_err("refused");
        assert_eq!((error.class, error.outcome_unknown), (class, unknown), "{reply:?}");
        assert!(!error.to_string().contains("r1"));
    }
}

#[tokio::test]
async fn s48_only_listed_hosts_are_asked_and_only_our_own_tokens_taken() {
    let host = Server::start(|seen| match seen.body.as_str() {
        "auth=ours" => ok(app_info("m1", "https://p.example:8443")),
        "auth=theirs" => {
            let mut info = app_info("m1", "https://p.example");
            info["client_id"] = json!("app.other");
            ok(info)
        }
        "auth=long" => Reply::Json(200, json!({"result": "x".repeat(300_000)})),
        _ => refuse(401, "invalid_client"),
    })
    .await;
    let hosts = oauth(&host.url);
    let url = hosts.default_host().expect("a host").clone();
    let info = hosts.app_info(&url, &secret("ours")).await.expect("known");
    assert_eq!(
        (info.member_id.as_str(), info.user_id, info.installed, info.domain.as_str()),
        ("m1", 1, true, "p.example:8443")
    );
    assert_eq!((info.client_endpoint.as_str(), info.scope.len()), ("https://p.example:8443/rest/", 2));
    assert_eq!(hosts.app_info(&url, &secret("theirs")).await.expect_err("foreign").code(), "foreign_client");
    assert_eq!(hosts.app_info(&url, &secret("junk")).await.expect_err("junk").code(), "invalid_client");
    assert!(matches!(
        hosts.app_info(&url, &secret("long")).await.expect_err("too long").kind,
        ErrorKind::Unreadable { .. }
    ));
    let stranger = "http://127.0.0.1:1".parse().expect("a URL");
    assert!(matches!(
        hosts.refresh(&stranger, &secret("r")).await.expect_err("not listed").kind,
        ErrorKind::Address(_)
    ));
    assert_eq!(hosts.choose("http://evil.example/rest/").expect("the default").as_str(), url.as_str());
    assert_eq!(hosts.choose(&format!("{}/rest/", host.url)).expect("listed").as_str(), url.as_str());
    let open = fidelio_bitrix24::bitrix::OAuthHosts::new(
        vec!["http://oauth.example".parse().expect("a URL")],
        "c",
        secret("s"),
    );
    assert!(open.is_err(), "the secret travels over http on loopback only");
}
