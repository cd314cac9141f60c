//! Files that come with letters (E-15): kept as every file of a request is, each once; what is refused is said.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fidelio_bitrix24::http::auth::Role as Given;
use fidelio_bitrix24::store::desk::outbox::Channel;
use serde_json::{Value, json};

use super::files::{lying, picture};
use super::letters::{ANNA, Bench, header, letter};
use crate::on_both_engines;

/// A letter with these files.
fn with_files(id: &str, headers: &str, text: &str, files: &[(&str, &[u8])]) -> String {
    let headers = format!("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n{headers}");
    let mut body = format!("--x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n");
    for (name, bytes) in files {
        body.push_str(&format!(
            "--x\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\
             Content-Disposition: attachment; filename=\"{name}\"\r\n\r\n{}\r\n",
            STANDARD.encode(bytes)
        ));
    }
    let raw = letter(ANNA, id, &headers, &format!("{body}--x--"));
    raw.replacen("Content-Type: text/plain; charset=utf-8\r\n", "", 1).replace("\r\r\n", "\r\n")
}

/// Names and types of a request's files.
async fn files(bench: &Bench, number: &Value) -> Vec<(String, String)> {
    let operator = bench.api.with_role(bench.desk, Given::SupportOperator).await;
    let page = operator.get(&format!("/api/v1/requests/{}", number.as_str().expect("a number"))).await.body;
    let word = |file: &Value, name: &str| file[name].as_str().unwrap_or_default().to_owned();
    page["files"].as_array().expect("files").iter().map(|file| (word(file, "name"), word(file, "mime"))).collect()
}

fn kept(names: &[(&str, &str)]) -> Vec<(String, String)> {
    names.iter().map(|(name, mime)| ((*name).to_owned(), (*mime).to_owned())).collect()
}

const SAVED: &str = "application/octet-stream";

on_both_engines! {
    e15_s12_files_of_a_letter_become_files_of_its_request_once(db) {
        let bench = Bench::start(db).await;
        let (row, sent) = bench.begun().await;
        let number = json!(row.number);
        let answers = format!("Delivered-To: {}\n", header(&sent, "Reply-To"));
        let raw = with_files("<2@b>", &answers, "Вот снимок", &[("../экран.png", &picture()), ("log.txt", b"all of it")]);
        let got = bench.hand(raw.clone()).await;
        assert_eq!((got.status, got.body), (200, json!({"became": "comment", "number": number})));
        let both = kept(&[("_экран.png", "image/png"), ("log.txt", SAVED)]);
        assert_eq!(files(&bench, &number).await, both);
        let lies = lying(&bench.folder);
        let open = |bytes: &[u8]| bytes.windows(4).any(|part| part == b"IHDR" || part == b"all ");
        assert!(lies.len() == 2 && !lies.iter().any(|file| open(&std::fs::read(file).expect("a file"))), "sealed");
        assert_eq!(bench.hand(raw).await.status, 200);
        assert_eq!((files(&bench, &number).await, lying(&bench.folder).len()), (both, 2), "each once");

        let new = bench.hand(with_files("<3@b>", "", "Новое", &[("log.txt", b"of a new request")])).await;
        assert_eq!(new.status, 201);
        assert_eq!(files(&bench, &new.body["number"]).await, kept(&[("log.txt", SAVED)]));
        let robot = format!("{answers}Auto-Submitted: auto-replied\n");
        let robot = bench.hand(with_files("<4@b>", &robot, "В отпуске", &[("logo.txt", b"x")])).await;
        assert_eq!(robot.body["became"], "recorded");
        assert_eq!(lying(&bench.folder).len(), 3, "of robots nothing is kept");
    }

    e15_a_refused_file_is_said_and_its_letter_is_a_request_all_the_same(db) {
        let bench = Bench::start(db).await;
        let broken = b"\x89PNG\r\n\x1a\nno picture at all".as_slice();
        let got = bench.hand(with_files("<1@b>", "", "Вот снимок", &[("broken.png", broken), ("log.txt", b"good")])).await;
        assert_eq!((got.status, &got.body["became"]), (201, &json!("request")), "{got:?}");
        let number = got.body["number"].clone();
        assert_eq!(files(&bench, &number).await, kept(&[("log.txt", SAVED)]));
        let mut said = bench.history(&number).await;
        said.retain(|entry| entry["content"]["action"] == "file_refused");
        assert_eq!((said.len(), &said[0]["internal"]), (1, &json!(false)), "{said:?}");
        let text = said[0]["content"]["text"].as_str().unwrap_or_default();
        assert!(text.contains("«broken.png»") && text.contains("картинка не читается"), "{text}");
        // The task is made, and told of the one and of the other.
        assert_eq!(bench.rows(&bench.row(&got).await, Channel::Task).await.len(), 3);
    }

    e15_a_letter_that_comes_again_after_a_failure_goes_on_with_its_files(db) {
        let bench = Bench::start(db).await;
        let path = bench.folder.path().to_owned();
        // No folder, and nowhere to make one.
        std::fs::remove_dir_all(&path).expect("gone");
        std::fs::write(&path, b"").expect("in its place");
        let raw = with_files("<1@b>", "", "Вот", &[("log.txt", b"good"), ("more.txt", b"more")]);
        assert_eq!(bench.hand(raw.clone()).await.status, 503, "its server keeps it");
        assert_eq!(bench.count().await, 1, "its words are in the request already");
        std::fs::remove_file(&path).expect("gone");
        std::fs::create_dir(&path).expect("a folder");
        let got = bench.hand(raw.clone()).await;
        assert_eq!((got.status, bench.count().await), (201, 1), "{got:?}");
        let both = kept(&[("log.txt", SAVED), ("more.txt", SAVED)]);
        assert_eq!(files(&bench, &got.body["number"]).await, both);
        // Long after: it is known how far it was.
        bench.api.clock.advance(std::time::Duration::from_secs(3 * 86_400));
        assert_eq!(bench.hand(raw).await.status, 201);
        assert_eq!(files(&bench, &got.body["number"]).await, both);
    }
}
