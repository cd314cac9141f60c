//! The desk's mailbox (E-15), on a real IMAP server.

use std::time::Duration;

use fb24_sandbox::portal::{Portal, PortalOptions};
use fidelio_bitrix24::domain::PortalId;
use fidelio_bitrix24::http::auth::Role as Given;
use fidelio_bitrix24::mail::mailbox::{Mailbox, MailboxError};
use fidelio_bitrix24::store::{leases, testing};
use fidelio_bitrix24::support::mailbox::{MailReader, ReadError};
use secrecy::SecretString;

use super::letters::{ANNA, Bench, actions, letter, reply};
use crate::on_both_engines;
use crate::support::db;
use crate::support::dovecot::{Dovecot, PASSWORD, USER};
use crate::support::process::{Process, Settings, free_port};
use crate::support::world::{Admin, until};

struct Reading {
    bench: Bench,
    imap: Dovecot,
    reader: MailReader,
}

impl Reading {
    async fn start(db: db::TestDb) -> Option<Self> {
        let imap = Dovecot::start().await?;
        let bench = Bench::start(db).await;
        let reader = MailReader::new(bench.api.desk.clone(), imap.mailbox());
        Some(Self { bench, imap, reader })
    }

    /// How many requests there are after a look.
    async fn look(&self) -> usize {
        assert!(self.reader.look().await.expect("a look"), "this node reads");
        self.bench.count().await
    }

    fn from(&self, sender: &str, number: usize) {
        self.imap.deliver(letter(sender, &format!("<{number}@{sender}>"), "", &format!("Нет броней, случай {number}")));
    }
}

on_both_engines! {
    e15_letters_of_the_mailbox_become_requests_and_replies_once_and_nothing_changes_there(db) {
        let Some(reading) = Reading::start(db).await else { return };
        reading.from(ANNA, 0);
        assert_eq!(reading.look().await, 0, "what lay there before is nobody's request");
        reading.from(ANNA, 1);
        assert_eq!(reading.look().await, 1);
        assert_eq!(reading.look().await, 1, "it is not read twice");
        let again = reading.bench.hand(letter(ANNA, &format!("<1@{ANNA}>"), "", "Нет броней, случай 1")).await;
        assert_eq!((again.status, reading.bench.count().await), (201, 1), "nor taken twice when the hook has it, too");
        let sent = reading.bench.sent().await;
        reading.imap.deliver(reply(&sent[0], ANNA, "<2@example.com>", "Ещё и вчера"));
        assert_eq!(reading.look().await, 1, "a reply is no request");
        let history = reading.bench.history(&again.body["number"]).await;
        assert!(actions(&history).contains(&"say"), "{history:?}");
        assert_eq!(reading.imap.changed(), 0, "no letter is marked as read");
    }

    e15_letters_that_the_desk_does_not_take_now_hold_up_no_other_and_are_tried_again(db) {
        let Some(reading) = Reading::start(db).await else { return };
        assert_eq!(reading.look().await, 0);
        for number in 0..13 {
            reading.from("robot@example.com", number);
        }
        reading.from(ANNA, 1);
        assert_eq!(reading.look().await, 11, "ten of one sender in an hour, and hers");
        reading.bench.api.clock.advance(Duration::from_secs(3_601));
        assert_eq!(reading.look().await, 14, "none is lost");
        assert_eq!(reading.look().await, 14);
    }

    e15_a_folder_that_was_made_anew_is_read_again_and_nothing_is_taken_twice(db) {
        let Some(reading) = Reading::start(db).await else { return };
        assert_eq!(reading.look().await, 0);
        for number in 1..=3 {
            reading.from(ANNA, number);
        }
        assert_eq!(reading.look().await, 3);
        let before = reading.imap.mailbox().open().await.expect("open").validity;
        reading.imap.empty();
        // The server makes a folder's number of the time, in seconds.
        until("the folder has another number", 10, || async {
            let now = reading.imap.mailbox().open().await.expect("open").validity;
            if now == before {
                reading.imap.empty();
            }
            (now != before).then_some(())
        })
        .await;
        for number in [3, 2, 4] {
            reading.from(ANNA, number);
        }
        assert_eq!(reading.look().await, 4);
        assert_eq!(reading.look().await, 4);
    }

    e15_s48_one_node_reads_and_the_next_goes_on_where_it_stopped(db) {
        let Some(reading) = Reading::start(db).await else { return };
        assert_eq!(reading.look().await, 0);
        let (api, other) = (&reading.bench.api, "another node");
        api.clock.advance(Duration::from_secs(200));
        let now = api.now.now_ms();
        assert!(leases::acquire(&api.db, "mailbox", other, now, now + 150_000).await.expect("a lease").is_some());
        reading.from(ANNA, 1);
        assert!(!reading.reader.look().await.expect("a look"), "another one reads");
        assert_eq!(reading.bench.count().await, 0);
        api.clock.advance(Duration::from_secs(151));
        assert_eq!(reading.look().await, 1, "it was killed");
    }
}

#[tokio::test]
async fn e15_a_letter_longer_than_is_kept_becomes_a_request_with_its_words() {
    let Some(reading) = Reading::start(db::sqlite().await).await else { return };
    assert_eq!(reading.look().await, 0);
    let part = |kind: &str, body: &str| format!("--b\r\nContent-Type: {kind}\r\n\r\n{body}\r\n");
    let (words, film) =
        (part("text/plain; charset=utf-8", "Фильм во вложении"), part("video/mp4", &"0".repeat(40 << 20)));
    let head = format!("From: {ANNA}\r\nMessage-ID: <9@b>\r\nSubject: x\r\nMIME-Version: 1.0\r\n");
    reading.imap.deliver(format!("{head}Content-Type: multipart/mixed; boundary=b\r\n\r\n{words}{film}--b--\r\n"));
    assert_eq!(reading.look().await, 1);
    let operator = reading.bench.api.with_role(reading.bench.desk, Given::SupportOperator).await;
    let number = operator.get("/api/v1/requests").await.body["items"][0]["number"].clone();
    let page = operator.get(&format!("/api/v1/requests/{}", number.as_str().expect("a number"))).await.body;
    assert!(page.to_string().contains("Фильм во вложении"), "{page}");
}

#[tokio::test]
async fn e15_s50_a_mailbox_that_cannot_be_read_is_named_for_what_it_lacks() {
    let Some(imap) = Dovecot::start().await else { return };
    let of = |url: &str, password: &str| {
        Mailbox::new(url, USER, &SecretString::from(password)).expect("settings").expect("a mailbox")
    };
    let refused = async |mailbox: Mailbox| mailbox.open().await.err();
    assert_eq!(refused(imap.mailbox_of("wrong")).await, Some(MailboxError::Login));
    assert_eq!(refused(imap.mailbox_of("a\r\nLOGOUT")).await, Some(MailboxError::Login), "no second command");
    assert_eq!(refused(of(&format!("{}/Nowhere", imap.url()), PASSWORD)).await, Some(MailboxError::Folder));
    let nobody = format!("imap://127.0.0.1:{}", free_port());
    assert_eq!(refused(of(&nobody, PASSWORD)).await, Some(MailboxError::Away));
    assert_eq!(refused(of(&imap.tls_url(), PASSWORD)).await, Some(MailboxError::Tls), "an authority nobody trusts");
    let bench = Bench::start(db::sqlite().await).await;
    let reader = MailReader::new(bench.api.desk.clone(), imap.mailbox_of("wrong"));
    let error = reader.look().await.expect_err("no look");
    assert!(matches!(error, ReadError::Mailbox(MailboxError::Login)), "{error}");
}

/// The whole program, over TLS, told of a letter by the server.
#[tokio::test]
async fn e15_s48_a_letter_to_the_mailbox_is_a_request_in_the_portal_by_itself() {
    let Some(imap) = Dovecot::start().await else { return };
    let (portal, db, folder) =
        (Portal::start(PortalOptions::default()), db::sqlite().await, tempfile::tempdir().expect("a folder"));
    let authority = folder.path().join("ca.pem");
    std::fs::write(&authority, portal.ca_pem()).expect("an authority");
    let settings = Settings::new(&db.url, &portal)
        .with("support.portal", &portal.member_id())
        .with("support.imap_url", &imap.tls_url())
        .with("support.imap_user", USER)
        .with("support.imap_password", PASSWORD)
        .environment("SSL_CERT_FILE", &authority.display().to_string());
    let checked = settings.run("doctor");
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(said.contains("shows the folder"), "{said}");
    let process = Process::start(&settings).await;
    let admin = Admin::install(&portal, &process.url).await;
    // The first look tells old letters from new ones.
    let desk = PortalId(1);
    until("the mailbox is looked at", 60, || async {
        let rows = testing::tenant_rows(&db.db, desk).await.expect("rows");
        rows.contains(&("desk_mailbox".to_owned(), 1)).then_some(())
    })
    .await;
    imap.deliver(letter(ANNA, "<1@first>", "", "Нет броней"));
    until("the letter is a request", 60, || async {
        let (_, list) = admin.get("/api/v1/requests").await;
        list["items"].as_array().is_some_and(|items| items.len() == 1).then_some(())
    })
    .await;
    assert_eq!(process.terminate(), Some(0), "waiting for letters holds up no end");
}
