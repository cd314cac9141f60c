//! Bad input (foundation §10): the right status, a clear problem in the caller's language, nothing written.

use fidelio_bitrix24::store::hotels;
use serde_json::json;

use super::api_hotels::hotel;
use crate::on_both_engines;
use crate::support::api::{Api, send};

on_both_engines! {
    s51_a_body_that_is_no_json_of_ours_is_refused_clearly_and_writes_nothing(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let admin = api.admin(portal).await;
        let post = |content: &'static str, body: Vec<u8>| {
            send(admin.request("POST", "/api/v1/hotels").header("content-type", content).body(body))
        };
        let json = "application/json";
        let deep = [b"{\"a\":".repeat(5000), b"1".to_vec(), b"}".repeat(5000)].concat();
        let mut cut = hotel("GRAND").to_string().into_bytes();
        cut.truncate(20);
        let huge = format!("{{\"name\":\"{}\"}}", "x".repeat(100_000)).into_bytes();
        for (content, body, status, problem, code) in [
            (json, b"".to_vec(), 400, "malformed", "json"),
            (json, b"{".to_vec(), 400, "malformed", "json"),
            (json, cut, 400, "malformed", "json"),
            (json, b"\xff\xfe{}".to_vec(), 400, "malformed", "utf8"),
            (json, b"\xef\xbb\xbf{}".to_vec(), 400, "malformed", "json"),
            (json, deep, 400, "malformed", "depth"),
            (json, b"{\"name\": 1e999999}".to_vec(), 400, "malformed", "json"),
            (json, huge, 413, "too-large", ""),
            ("text/plain", b"{}".to_vec(), 415, "unsupported-media-type", ""),
            ("application/json; charset=windows-1251", b"{}".to_vec(), 415, "unsupported-media-type", ""),
            ("application/x-www-form-urlencoded", b"code=GRAND".to_vec(), 415, "unsupported-media-type", ""),
            (json, b"[]".to_vec(), 422, "validation", ""),
            (json, b"null".to_vec(), 422, "validation", ""),
            ("Application/JSON; charset=\"UTF-8\"", b"{}".to_vec(), 422, "validation", ""),
        ] {
            let name = String::from_utf8_lossy(&body).chars().take(30).collect::<String>();
            let refused = post(content, body).await;
            assert_eq!((refused.status, refused.problem()), (status, problem), "{content} {name}");
            assert_eq!(refused.body["code"].as_str().unwrap_or_default(), code, "{content} {name}");
            assert_eq!(refused.header("content-type"), "application/problem+json");
            assert_eq!(refused.header("content-language"), "ru");
        }
        assert!(hotels::list(&api.db, portal).await.unwrap().is_empty());
    }

    s51_every_wrong_member_is_told_at_once_in_the_callers_language(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let admin = api.admin(portal).await;
        let wrong = json!({
            "code": "grand", "name": "", "timezone": "Moscow", "currency": "RUBLE", "stars": 5, "a/b~c": 1,
            "sources": [{"kind": "suite8_xml", "via": "direct", "url": "ftp://x", "username": "u\u{0}", "port": 1}]
        });
        let refused = admin.post("/api/v1/hotels", &wrong).await;
        assert_eq!((refused.status, refused.problem()), (422, "validation"));
        let mut errors = refused.errors();
        errors.sort_unstable();
        assert_eq!(errors, [
            ("/a~1b~0c", "unknown"), ("/code", "hotel_code"), ("/currency", "currency"), ("/name", "required"),
            ("/sources/0/port", "unknown"), ("/sources/0/url", "url"), ("/sources/0/username", "control_characters"),
            ("/stars", "unknown"), ("/timezone", "timezone"),
        ]);
        assert_eq!(refused.body["title"], "Проверьте заполнение полей");
        assert!(refused.body["errors"].as_array().expect("errors").iter().all(|e| !e["detail"].as_str().unwrap_or_default().is_empty()));
    }

    s51_unknown_callers_paths_and_methods_are_problems_too(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let admin = api.admin(portal).await;
        let unknown = send(api.client.get(format!("{}/api/v1/hotels", api.url)).header("accept-language", "en-GB,en;q=0.9")).await;
        assert_eq!((unknown.status, unknown.problem(), unknown.header("content-language")), (401, "unauthenticated", "en"));
        for token in ["", "x", "fb24_", "fb24_0000000000000000_0000000000000000000000000000000000000000000000000000000000000000"] {
            assert_eq!(api.bearer(token).get("/api/v1/status").await.status, 401, "{token}");
        }
        assert_eq!((admin.get("/api/v1/no-such").await.status, admin.get("/api/nothing").await.problem()), (404, "not-found"));
        let refused = send(admin.request("PATCH", "/api/v1/hotels")).await;
        assert_eq!((refused.status, refused.problem(), refused.header("allow")), (405, "method-not-allowed", "GET, POST"));
        for path in ["/api/v1/hotels/..%2F..%2Fetc", "/api/v1/hotels/%00", "/api/v1/hotels/GRAND%27--", "/api/v1/keys/%FF"] {
            let answer = send(admin.request(if path.contains("keys") { "DELETE" } else { "GET" }, path)).await;
            assert_eq!(answer.status, 404, "{path}");
        }
        for (path, pointer, code) in [
            ("/api/v1/stays?limit=0", "?limit", "range"),
            ("/api/v1/stays?limit=1000000", "?limit", "range"),
            ("/api/v1/stays?status=asleep", "?status", "status"),
            ("/api/v1/stays?arrival_from=2026-13-01", "?arrival_from", "date"),
            ("/api/v1/stays?colour=red", "?colour", "unknown"),
            ("/api/v1/stays?limit=1&limit=2", "?limit", "unknown"),
            ("/api/v1/problems?state=burning", "?state", "problem_state"),
        ] {
            let refused = admin.get(path).await;
            assert_eq!((refused.status, refused.errors()), (422, vec![(pointer, code)]), "{path}");
        }
    }

    e4_a_repeated_post_is_answered_again_and_not_carried_out_again(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let admin = api.admin(portal).await;
        let first = admin.once("/api/v1/hotels", "k-1", &hotel("GRAND")).await;
        let again = admin.once("/api/v1/hotels", "k-1", &hotel("GRAND")).await;
        assert_eq!((first.status, again.status), (201, 201));
        assert_eq!((&first.body, first.header("location")), (&again.body, again.header("location")));
        assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"));
        let other = admin.once("/api/v1/hotels", "k-1", &hotel("PLAZA")).await;
        assert_eq!((other.status, other.problem()), (422, "idempotency-key-reused"));
        // Without the key it is another request; so it is for another person and on another portal.
        assert_eq!(admin.post("/api/v1/hotels", &hotel("GRAND")).await.status, 409);
        let colleague = api.bearer(&api.session(portal, 2, true, &[], &[]).await).once("/api/v1/hotels", "k-1", &hotel("PLAZA")).await;
        assert_eq!((colleague.status, colleague.header("idempotency-replayed")), (201, ""));
        let elsewhere = api.portal("m2").await;
        assert_eq!(api.admin(elsewhere).await.once("/api/v1/hotels", "k-1", &hotel("GRAND")).await.header("idempotency-replayed"), "");
        // A refusal is no answer to keep: the corrected request goes through under the same key.
        assert_eq!(admin.once("/api/v1/hotels", "k-2", &hotel("GRAND")).await.status, 409);
        assert_eq!(admin.delete("/api/v1/hotels/GRAND").await.status, 204);
        assert_eq!(admin.once("/api/v1/hotels", "k-2", &hotel("GRAND")).await.status, 201);
        // After a day the key is free.
        api.clock.advance(std::time::Duration::from_secs(24 * 3600 + 1));
        let admin = api.admin(portal).await;
        assert_eq!(admin.once("/api/v1/hotels", "k-1", &hotel("GRAND")).await.status, 409);
        for bad in ["", "a\tb", &"x".repeat(256)] {
            let request = admin.request("POST", "/api/v1/hotels").header("idempotency-key", bad).json(&hotel("NEW"));
            let refused = send(request).await;
            assert_eq!((refused.status, refused.errors()), (422, vec![("#Idempotency-Key", "idempotency_key")]));
        }
    }

    e4_of_eight_concurrent_posts_one_is_carried_out(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let admin = api.admin(portal).await;
        let body = hotel("GRAND");
        let tries = (0..8).map(|_| admin.once("/api/v1/hotels", "same", &body));
        let answers = futures_util::future::join_all(tries).await;
        let fresh = answers.iter().filter(|a| a.status == 201 && a.header("idempotency-replayed").is_empty()).count();
        assert_eq!(fresh, 1, "{answers:?}");
        for answer in &answers {
            let busy = answer.status == 409 && answer.problem() == "in-progress" && !answer.header("retry-after").is_empty();
            assert!(answer.status == 201 || busy, "{answer:?}");
        }
        assert_eq!(hotels::list(&api.db, portal).await.unwrap().len(), 1);
    }
}
