//! Files of requests: handed in, kept sealed, shown to whom they are meant for, and gone when nothing holds them.

use std::io::Cursor;
use std::path::PathBuf;
use std::time::Duration;

use fidelio_bitrix24::domain::PortalId;
use fidelio_bitrix24::domain::support::Role;
use fidelio_bitrix24::http::auth::Role as Given;
use fidelio_bitrix24::store::desk::outbox;
use fidelio_bitrix24::store::{keys, purge};
use fidelio_bitrix24::support::Watch;
use fidelio_bitrix24::support::outgoing::Outgoing;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{actor, report};
use crate::on_both_engines;
use crate::support::api::{Api, Caller, Got, send};
use crate::support::db::TestDb;

async fn started(db: TestDb) -> (Api, TempDir, PortalId) {
    let folder = TempDir::new().expect("a folder");
    let url = format!("file://{}", folder.path().display());
    let api = Api::with(db, |config| config.storage.url = url).await;
    let portal = api.portal("m1").await;
    (api, folder, portal)
}

pub(super) fn picture() -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    image::RgbImage::from_pixel(4, 4, image::Rgb([1, 2, 3]))
        .write_to(&mut out, image::ImageFormat::Png)
        .expect("a picture");
    [out.into_inner().as_slice(), b"hidden behind it"].concat()
}

pub(super) fn lying(folder: &TempDir) -> Vec<PathBuf> {
    fn below(folder: PathBuf, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.path().is_dir() {
                true => below(entry.path(), found),
                false => found.push(entry.path()),
            }
        }
    }
    let mut found = Vec::new();
    below(folder.path().to_owned(), &mut found);
    found
}

async fn handed(who: &Caller<'_>, at: &str, name: &str, bytes: &[u8]) -> Got {
    let name: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let disposition = format!("attachment; filename*=UTF-8''{name}");
    send(who.request("POST", at).header("Content-Disposition", disposition).body(bytes.to_vec())).await
}

async fn requested(who: &Caller<'_>) -> String {
    let body = json!({"subject": "Нет броней", "description": "Не приходят брони."});
    format!("/api/v1/requests/{}", who.post("/api/v1/requests", &body).await.body["number"].as_str().expect("a number"))
}

/// What an address hands out.
async fn fetched(api: &Api, told: &Value, range: Option<&str>) -> reqwest::Response {
    let (_, query) = told["url"].as_str().expect("an address").split_once('?').expect("a query");
    let request = api.client.get(format!("{}/support/file?{query}", api.url));
    let request = match range {
        Some(range) => request.header("Range", range),
        None => request,
    };
    request.send().await.expect("an answer")
}

fn header(answer: &reqwest::Response, name: &str) -> String {
    answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

on_both_engines! {
    s12_s33_a_picture_is_handed_in_kept_sealed_and_shown_by_an_address_of_minutes(db) {
        let (api, folder, portal) = started(db).await;
        let user = api.nobody(portal).await;
        let at = requested(&user).await;
        assert!(user.get(&at).await.body["missing"].to_string().contains("picture"));
        let made = handed(&user, &format!("{at}/files"), "экран.png", &picture()).await;
        assert_eq!(made.status, 201, "{made:?}");
        assert!(!made.body["missing"].to_string().contains("picture"));
        let file = made.body["files"][0].clone();
        assert_eq!((&file["name"], &file["mime"], &file["by_desk"]), (&json!("экран.png"), &json!("image/png"), &json!(false)));
        let entry = made.body["history"].as_array().unwrap().iter().find(|entry| entry["kind"] == "file").unwrap();
        assert_eq!(entry["content"]["name"], "экран.png");
        let kept = lying(&folder);
        assert_eq!(kept.len(), 1);
        assert!(!std::fs::read(&kept[0]).unwrap().windows(4).any(|part| part == b"IHDR"), "sealed");
        // Its task is told where it is.
        let row = api.desk.find(portal, at.rsplit('/').next().unwrap().parse().unwrap()).await.unwrap();
        let key = keys::obtain_for(&api.db, &api.keyring, portal, keys::REQUESTS, 0).await.unwrap();
        let leaves = outbox::of_request(&api.db, portal, row.id).await.unwrap();
        let told = leaves.iter().map(|row| Outgoing::read(&row.open(&key).unwrap()).unwrap());
        assert_eq!(told.filter(|what| matches!(what, Outgoing::File { internal: false, .. })).count(), 1);
        // An address without the caller's session, for five minutes.
        let told = user.post(&format!("{at}/files/{}/url", file["id"]), &json!({})).await.body;
        let shown = fetched(&api, &told, None).await;
        assert_eq!(shown.status(), 200);
        for (name, value) in [
            ("content-type", "image/png"),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "private, no-store"),
            ("content-disposition", "inline; filename*=UTF-8''%D1%8D%D0%BA%D1%80%D0%B0%D0%BD.png"),
        ] {
            assert_eq!(header(&shown, name), value, "{name}");
        }
        assert!(header(&shown, "content-security-policy").starts_with("sandbox"));
        let bytes = shown.bytes().await.unwrap();
        assert_eq!(u64::try_from(bytes.len()).unwrap(), file["length"].as_u64().unwrap());
        assert!(bytes.starts_with(b"\x89PNG") && !bytes.windows(6).any(|part| part == b"hidden"), "made anew");
        let part = fetched(&api, &told, Some("bytes=1-3")).await;
        assert_eq!((part.status().as_u16(), header(&part, "content-range")), (206, format!("bytes 1-3/{}", bytes.len())));
        assert_eq!(&part.bytes().await.unwrap()[..], b"PNG");
        assert_eq!(fetched(&api, &told, Some("bytes=999999-")).await.status(), 416);
        let mut forged = told.clone();
        forged["url"] = json!(format!("{}A", told["url"].as_str().unwrap()));
        assert_eq!(fetched(&api, &forged, None).await.status(), 404);
        api.clock.advance(Duration::from_secs(301));
        assert_eq!(fetched(&api, &told, None).await.status(), 404, "it is over");
    }

    s12_a_file_of_any_kind_is_handed_out_to_be_saved_and_a_false_picture_is_none(db) {
        let (api, folder, portal) = started(db).await;
        let user = api.nobody(portal).await;
        let at = requested(&user).await;
        let page = b"<html><script>alert(1)</script></html>";
        let made = handed(&user, &format!("{at}/files"), "../../screen.png", page).await;
        assert_eq!((made.status, &made.body["files"][0]["name"]), (201, &json!("screen.png")));
        let told = user.post(&format!("{at}/files/{}/url", made.body["files"][0]["id"]), &json!({})).await.body;
        let shown = fetched(&api, &told, None).await;
        assert_eq!(header(&shown, "content-type"), "application/octet-stream");
        assert!(header(&shown, "content-disposition").starts_with("attachment;"));
        assert_eq!(&shown.bytes().await.unwrap()[..], page);
        let broken = handed(&user, &format!("{at}/files"), "x.png", &picture()[..40]).await;
        assert_eq!(broken.status, 422, "{broken:?}");
        let unnamed = send(user.request("POST", &format!("{at}/files")).body("x")).await;
        assert_eq!(unnamed.errors(), [("#Content-Disposition", "file_name")]);
        Watch::new(api.desk.clone()).tick().await.unwrap();
        assert_eq!((user.get(&at).await.body["files"].as_array().unwrap().len(), lying(&folder).len()), (1, 1), "nothing is left of it");
    }

    s33_the_desk_s_own_files_are_not_the_customer_s_and_strangers_hand_in_nothing(db) {
        let (api, folder, portal) = started(db).await;
        let (user, operator) = (api.nobody(portal).await, api.with_role(portal, Given::SupportOperator).await);
        let at = requested(&user).await;
        let own = handed(&operator, &format!("{at}/files?internal=true"), "trace.txt", b"inside").await;
        assert_eq!(own.status, 201, "{own:?}");
        let id = own.body["files"][0]["id"].clone();
        assert!(user.get(&at).await.body["files"].as_array().unwrap().is_empty());
        assert_eq!(user.post(&format!("{at}/files/{id}/url"), &json!({})).await.status, 404);
        assert_eq!(operator.post(&format!("{at}/files/{id}/url"), &json!({})).await.status, 200);
        assert_eq!(handed(&user, &format!("{at}/files?internal=true"), "a.txt", b"x").await.status, 403);
        let stranger = Caller { api: &api, token: api.session(portal, 77, false, &[], &[]).await };
        assert_eq!(handed(&stranger, &format!("{at}/files"), "a.txt", b"x").await.status, 404);
        user.post(&format!("{at}/withdraw"), &json!({"reason": "не нужно"})).await;
        assert_eq!(handed(&user, &format!("{at}/files"), "a.txt", b"x").await.status, 409, "it is closed");
        assert_eq!(lying(&folder).len(), 1);
    }

    s41_what_was_asked_for_comes_as_a_file_and_the_clock_goes_on(db) {
        let (api, _folder, portal) = started(db).await;
        let (user, operator) = (api.nobody(portal).await, api.with_role(portal, Given::SupportOperator).await);
        let at = requested(&user).await;
        operator.post(&format!("{at}/take"), &json!({})).await;
        let asked = operator.post(&format!("{at}/comments"), &json!({"text": "Пришлите снимок", "intent": "ask"})).await;
        assert_eq!(asked.body["state"], "waiting_for_customer");
        let made = handed(&user, &format!("{at}/files"), "a.png", &picture()).await;
        assert_eq!((made.status, &made.body["state"]), (201, &json!("in_progress")));
        let words = made.body["history"].as_array().unwrap().iter().filter(|entry| entry["kind"] == "message");
        assert_eq!(words.count(), 0, "no message without words");
    }

    s37_a_file_that_is_sent_again_is_kept_once_and_a_request_holds_so_many(db) {
        let (api, folder, portal) = started(db).await;
        let user = api.nobody(portal).await;
        let at = requested(&user).await;
        let again = || {
            user.request("POST", &format!("{at}/files"))
                .header("Content-Disposition", "attachment; filename=\"a.txt\"")
                .header("Idempotency-Key", "k")
                .body("x")
        };
        for _ in 0..2 {
            let made = send(again()).await;
            assert_eq!((made.status, made.body["files"].as_array().unwrap().len()), (201, 1));
        }
        for n in 1..50 {
            assert_eq!(handed(&user, &format!("{at}/files"), "b.txt", b"x").await.status, 201, "{n}");
        }
        let full = handed(&user, &format!("{at}/files"), "b.txt", b"x").await;
        assert_eq!((full.status, &full.body["code"]), (409, &json!("files_full")));
        Watch::new(api.desk.clone()).tick().await.unwrap();
        assert_eq!(lying(&folder).len(), 50);
    }

    s42_who_holds_a_link_hands_in_and_reads_by_it(db) {
        let (api, _folder, portal) = started(db).await;
        let row = api.desk.register(portal, report(portal, 5)).await.unwrap().row;
        let link = api.desk.make_link(&actor(&[Role::Manager], 9), &row, Role::Submitter).await.unwrap();
        let holder = Caller { api: &api, token: link.split_once('#').expect("a secret").1.to_owned() };
        let made = handed(&holder, "/support/link/files", "a.png", &picture()).await;
        assert_eq!((made.status, &made.body["files"][0]["name"]), (200, &json!("a.png")), "{made:?}");
        let told = holder.post(&format!("/support/link/files/{}/url", made.body["files"][0]["id"]), &json!({})).await;
        assert_eq!(fetched(&api, &told.body, None).await.status(), 200);
        let wrong = Caller { api: &api, token: "0".repeat(64) };
        assert_eq!(handed(&wrong, "/support/link/files", "a.png", &picture()).await.status, 401);
    }

    s25_files_go_with_their_customer(db) {
        let (api, folder, portal) = started(db).await;
        let user = api.nobody(portal).await;
        let at = requested(&user).await;
        let made = handed(&user, &format!("{at}/files"), "a.png", &picture()).await;
        let told = user.post(&format!("{at}/files/{}/url", made.body["files"][0]["id"]), &json!({})).await.body;
        let now = api.now.now_ms();
        let tx = api.db.begin().await.unwrap();
        keys::destroy(&tx, portal, now).await.unwrap();
        purge::work_of(&tx, portal, now).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(fetched(&api, &told, None).await.status(), 404);
        Watch::new(api.desk.clone()).tick().await.unwrap();
        assert!(lying(&folder).is_empty());
    }
}
