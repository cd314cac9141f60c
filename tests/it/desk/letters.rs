//! Letters to and from submitters (E-15): the hook on a real socket, and a mail server that takes, refuses and hangs up.

use std::time::Duration;

use fb24_sandbox::mail::{MailServer, Mood, Received};
use fidelio_bitrix24::domain::PortalId;
use fidelio_bitrix24::domain::support::life::Action;
use fidelio_bitrix24::domain::support::{RequestNumber, Role, State};
use fidelio_bitrix24::http::auth::Role as Given;
use fidelio_bitrix24::mail::Mailer;
use fidelio_bitrix24::mail::incoming::{self, ReplyToken};
use fidelio_bitrix24::store::desk::outbox::{self, Channel, OutboxRow};
use fidelio_bitrix24::store::desk::requests::{self, RequestRow};
use fidelio_bitrix24::store::problems;
use fidelio_bitrix24::support::act::Deed;
use fidelio_bitrix24::support::deliver::{Deps, Places, Post, TaskDelivery};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::sync::Arc;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{actor, report};
use crate::on_both_engines;
use crate::support::api::{Api, Got, send};
use crate::support::db::TestDb;
use crate::support::world::until;

pub(super) const ANNA: &str = "anna@example.com";

pub(super) struct Bench {
    pub api: Api,
    pub desk: PortalId,
    pub mail: MailServer,
    delivery: TaskDelivery,
    pub folder: TempDir,
}

impl Bench {
    pub async fn start(db: TestDb) -> Self {
        let folder = TempDir::new().expect("a folder");
        let storage = format!("file://{}", folder.path().display());
        let mail = MailServer::start();
        let url = mail.url();
        let api = Api::with(db, |config| {
            config.support.portal = "vendor".into();
            config.support.mail_hook_secret = SecretString::from("hook-secret");
            config.support.address = "support@vendor.example".into();
            config.storage.url = storage;
            config.mail.smtp_url = url.clone();
            config.mail.from = "Support <app@vendor.example>".into();
        })
        .await;
        let desk = api.portal("vendor").await;
        let mailer = Mailer::new(&url, "", &SecretString::from(""), "Support <app@vendor.example>").expect("settings");
        let delivery = TaskDelivery::new(Deps {
            db: api.db.clone(),
            clock: api.now.clone(),
            portals: Arc::new(Places { directory: api.directory.clone(), request_cap_seconds: 60 }),
            post: mailer.map(|mailer| Post::new(mailer, "support@vendor.example")),
            lease: Duration::from_secs(20),
            observer: None,
        });
        Self { api, desk, mail, delivery, folder }
    }

    pub async fn hand(&self, raw: impl Into<Vec<u8>>) -> Got {
        let request = self.api.client.post(format!("{}/support/mail", self.api.url)).bearer_auth("hook-secret");
        send(request.header("Content-Type", "message/rfc822").body(raw.into())).await
    }

    pub async fn deliver(&self) {
        // A server that is away ends a delivery early.
        drop(self.delivery.deliver(Channel::Mail, PortalId(0)).await);
    }

    /// What reached the mail server since, taken from it in order.
    pub async fn sent(&self) -> Vec<Received> {
        self.deliver().await;
        self.mail.letters()
    }

    pub async fn row(&self, got: &Got) -> RequestRow {
        let number: RequestNumber = got.body["number"].as_str().expect("a number").parse().expect("a number");
        requests::of_desk(&self.api.db, self.desk, number).await.expect("rows").expect("a request")
    }

    pub async fn history(&self, number: &Value) -> Vec<Value> {
        let operator = self.api.with_role(self.desk, Given::SupportOperator).await;
        let page = operator.get(&format!("/api/v1/requests/{}", number.as_str().expect("a number"))).await.body;
        page["history"].as_array().expect("a history").clone()
    }

    pub async fn count(&self) -> usize {
        let operator = self.api.with_role(self.desk, Given::SupportOperator).await;
        operator.get("/api/v1/requests").await.body["items"].as_array().expect("a list").len()
    }

    pub async fn rows(&self, row: &RequestRow, channel: Channel) -> Vec<OutboxRow> {
        let rows = outbox::of_request(&self.api.db, self.desk, row.id).await.expect("rows");
        rows.into_iter().filter(|row| row.channel == channel).collect()
    }

    pub async fn act(&self, row: &RequestRow, action: Action, text: Option<&str>) -> RequestRow {
        let deed = Deed::Step { action, text: text.map(str::to_owned) };
        self.api.desk.act(&actor(&[Role::Operator], 5), row, &deed).await.expect("done")
    }

    /// A registered letter of Anna's, and what she was written.
    pub async fn begun(&self) -> (RequestRow, Received) {
        let got = self.hand(letter(ANNA, "<1@example.com>", "", "Нет броней с утра")).await;
        assert_eq!((got.status, &got.body["became"]), (201, &json!("request")), "{got:?}");
        let mut sent = self.sent().await;
        assert_eq!(sent.len(), 1, "{sent:?}");
        (self.row(&got).await, sent.remove(0))
    }
}

pub(super) fn letter(from: &str, id: &str, headers: &str, text: &str) -> String {
    let raw = format!(
        "From: Anna <{from}>\nTo: support@vendor.example\nMessage-ID: {id}\nSubject: Нет броней\nContent-Type: text/plain; charset=utf-8\n{headers}\n{text}\n"
    );
    raw.replace('\n', "\r\n")
}

/// One header of a letter of ours, unfolded.
pub(super) fn header(letter: &Received, name: &str) -> String {
    let mut lines = letter.data.lines().skip_while(|line| !line.starts_with(&format!("{name}: ")));
    let first = lines.next().unwrap_or_default().to_owned();
    let folded = lines.take_while(|line| line.starts_with(' ')).map(str::trim);
    let whole = folded.fold(first, |whole, line| format!("{whole} {line}"));
    whole.split_once(": ").map(|(_, value)| value.to_owned()).unwrap_or_default()
}

pub(super) fn text(letter: &Received) -> String {
    incoming::read(letter.data.as_bytes(), false).text
}

/// As a mail program answers.
pub(super) fn reply(to: &Received, from: &str, id: &str, text: &str) -> String {
    let headers = format!("Delivered-To: {}\nIn-Reply-To: {}\n", header(to, "Reply-To"), header(to, "Message-ID"));
    letter(from, id, &headers, &format!("{text}\n\nпн, 23 нояб. 2026, Support <app@vendor.example>:\n> старое"))
}

pub(super) fn actions(history: &[Value]) -> Vec<&str> {
    history.iter().filter_map(|entry| entry["content"]["action"].as_str()).collect()
}

on_both_engines! {
    e15_the_hook_opens_to_its_secret_alone(db) {
        let api = Api::start(db).await;
        let post = || api.client.post(format!("{}/support/mail", api.url)).body(letter(ANNA, "<1@b>", "", "x"));
        assert_eq!(send(post().bearer_auth("")).await.status, 404, "there is no such door");
    }

    e15_the_hook_is_closed_to_strangers_and_while_there_is_no_support_portal(db) {
        let api = Api::with(db, |config| {
            config.support.portal = "vendor".into();
            config.support.mail_hook_secret = SecretString::from("hook-secret");
        }).await;
        let post = || api.client.post(format!("{}/support/mail", api.url)).body(letter(ANNA, "<1@b>", "", "x"));
        for wrong in [post(), post().bearer_auth("other"), post().header("Authorization", "Basic hook-secret")] {
            assert_eq!(send(wrong).await.status, 401);
        }
        assert_eq!(send(post().bearer_auth("hook-secret")).await.status, 503, "its server keeps it and sends it again");
        api.portal("vendor").await;
        assert_eq!(send(post().bearer_auth("hook-secret")).await.status, 201);
        assert_eq!(send(post().bearer_auth("hook-secret").body("")).await.status, 400);
    }

    e15_s37_a_letter_becomes_a_request_whose_number_is_returned_and_mailed(db) {
        let bench = Bench::start(db).await;
        let (row, sent) = bench.begun().await;
        assert_eq!((row.channel.as_str(), row.customer, row.language.as_str()), ("mail", None, "ru"));
        assert_eq!(sent.to, [ANNA]);
        let said = text(&sent);
        assert!(said.contains(&row.number.to_string()) && said.contains("/support/request#"), "{said}");
        let read = incoming::read(sent.data.as_bytes(), false);
        assert_eq!(read.subject, format!("[{}] Нет броней", row.number));
        assert_eq!(header(&sent, "Auto-Submitted"), "auto-generated");
        assert_eq!(header(&sent, "In-Reply-To"), "<1@example.com>", "it stands in the customer's thread");
        let token: ReplyToken = header(&sent, "Reply-To").trim_start_matches("support+").split('@').next().unwrap().parse().expect("a token");
        assert_eq!(token.number, row.number);
        assert_eq!(header(&sent, "References"), format!("<1@example.com> <{}@vendor.example>", token.id(0)));

        // The same letter again, by whatever way: the same answer, and nobody is written to twice.
        let again = bench.hand(letter(ANNA, "<1@example.com>", "Received: by another.example\n", "Нет броней с утра")).await;
        assert_eq!((again.body["became"].as_str(), again.body["number"].as_str()), (Some("request"), Some(row.number.to_string().as_str())));
        assert_eq!((bench.count().await, bench.sent().await.len()), (1, 1));
        let forged = bench.hand(letter("evil@b.example", "<1@example.com>", "", "совсем другое")).await;
        assert_ne!(forged.body["number"], again.body["number"], "an id that is taken hides nobody's letter");
        assert_eq!(bench.count().await, 2);
    }

    e15_the_worker_sends_letters_by_itself(db) {
        let bench = Bench::start(db).await;
        assert_eq!(bench.hand(letter(ANNA, "<1@b>", "", "x")).await.status, 201);
        let (node, stop) = (bench.delivery.clone(), CancellationToken::new());
        let token = stop.clone();
        let work = tokio::spawn(async move { node.run(token).await });
        until("the letter is sent", 30, || async { (!bench.mail.letters().is_empty()).then_some(()) }).await;
        stop.cancel();
        work.await.expect("it ends");
    }

    e15_the_submitters_reply_goes_on_with_his_request_and_is_told_its_task(db) {
        let bench = Bench::start(db).await;
        let (row, first) = bench.begun().await;
        let row = bench.act(&row, Action::Take, None).await;
        let row = bench.act(&row, Action::Ask, Some("Какой отель?")).await;
        let sent = bench.sent().await;
        assert_eq!(sent.len(), 2, "that work began is told nobody by mail: {sent:?}");
        assert!(text(&sent[1]).contains("Какой отель?") && text(&sent[1]).contains("после вашего ответа"), "{}", text(&sent[1]));
        assert_eq!(header(&sent[1], "References"), header(&first, "References"), "one thread");
        assert_ne!(header(&sent[1], "Message-ID"), header(&first, "Message-ID"));
        let got = bench.hand(reply(&sent[1], "Anna@Example.com", "<2@example.com>", "Отель «Гранд»")).await;
        assert_eq!((got.status, got.body), (200, json!({"became": "comment", "number": row.number})));
        let row = requests::by_id(&bench.api.db, bench.desk, row.id).await.unwrap().unwrap();
        assert_eq!(row.state, State::InProgress);
        let history = bench.history(&json!(row.number)).await;
        let said = history.iter().rfind(|entry| entry["content"]["action"] == "say").expect("a message");
        assert_eq!((&said["content"]["text"], &said["content"]["role"], &said["internal"]), (&json!("Отель «Гранд»"), &json!("submitter"), &json!(false)));
        assert_eq!(bench.rows(&row, Channel::Task).await.last().map(|row| row.kind.word()), Some("state"));
        // By ids alone, too, where a mail system knows no plus addresses.
        let by_id = letter(ANNA, "<3@example.com>", &format!("References: {}\n", header(&sent[1], "Message-ID")), "и ещё");
        assert_eq!(bench.hand(by_id.clone()).await.body["became"], "comment");
        let entries = bench.history(&json!(row.number)).await.len();
        assert_eq!(bench.hand(by_id).await.body, json!({"became": "comment", "number": row.number}), "told again");
        assert_eq!(bench.history(&json!(row.number)).await.len(), entries, "and said once");
        assert_eq!((bench.count().await, bench.sent().await.len()), (1, 2), "his own words are not told him");
        let row = bench.act(&requests::by_id(&bench.api.db, bench.desk, row.id).await.unwrap().unwrap(), Action::Answer, Some("Готово")).await;
        assert_eq!(row.state, State::Answered);
        let sent = bench.sent().await;
        assert_eq!(sent.len(), 3, "an answer is one letter");
        assert!(text(&sent[2]).contains("Готово") && text(&sent[2]).contains("Подтвердите"), "{}", text(&sent[2]));
    }

    e15_nothing_is_joined_to_a_strangers_request(db) {
        let bench = Bench::start(db).await;
        let (row, sent) = bench.begun().await;
        let number = row.number.to_string();
        let token = header(&sent, "Reply-To").trim_start_matches("support+").split('@').next().unwrap().to_owned();
        let last = if token.ends_with('0') { '1' } else { '0' };
        let wrong = format!("{}{last}", &token[..token.len() - 1]);
        let mut seen = vec![number.clone()];
        for (nth, raw) in [
            // Who holds the token and is somebody else, and who knows the number and the sender's address.
            reply(&sent, "evil@b.example", "<a@b>", "я тоже"),
            letter(ANNA, "<b@b>", &format!("Subject: Re: [{number}] Нет броней\n"), "по номеру"),
            letter(ANNA, "<c@b>", &format!("Delivered-To: support+{wrong}@vendor.example\n"), "по чужому ключу"),
            letter(ANNA, "<d@b>", &format!("Delivered-To: support+{}@vendor.example\n", number.to_lowercase()), "без ключа"),
            letter("x@b.example", "<e@b>", &format!("Reply-To: {ANNA}\nSender: {ANNA}\nDelivered-To: support+{token}@vendor.example\n"), "под именем"),
            reply(&sent, &format!("x@b.example>, <{ANNA}"), "<f@b>", "вдвоём"),
        ].into_iter().enumerate() {
            let got = bench.hand(raw).await;
            assert_eq!((got.status, &got.body["became"]), (201, &json!("request")), "{nth}: {got:?}");
            let made = got.body["number"].as_str().unwrap().to_owned();
            assert!(!seen.contains(&made), "{nth}");
            seen.push(made);
        }
        assert_eq!(actions(&bench.history(&json!(number)).await), ["register"]);
        let told = bench.row(&Got { status: 0, body: json!({"number": seen[1]}), headers: Default::default() }).await;
        let operator = bench.api.with_role(bench.desk, Given::SupportOperator).await;
        let page = operator.get(&format!("/api/v1/requests/{}", told.number)).await.body;
        assert!(page["content"]["conditions"].as_str().unwrap_or_default().contains(&number), "the desk sees what it answers: {page}");
        // What is closed stays closed.
        let withdrawn = Action::Withdraw(fidelio_bitrix24::domain::support::life::Reason::parse("не нужно").unwrap());
        bench.api.desk.act(&actor(&[Role::Submitter], 0), &row, &Deed::Step { action: withdrawn, text: None }).await.unwrap();
        let got = bench.hand(reply(&sent, ANNA, "<g@b>", "снова")).await;
        assert_eq!((got.status, &got.body["became"]), (201, &json!("request")));
    }

    e15_robots_are_written_down_and_never_answered(db) {
        let bench = Bench::start(db).await;
        let (row, sent) = bench.begun().await;
        for (nth, raw) in [
            letter("robot@b.example", "<a@b>", "Auto-Submitted: auto-generated\n", "отчёт"),
            letter("news@b.example", "<b@b>", "Precedence: bulk\n", "рассылка"),
            letter("MAILER-DAEMON@b.example", "<c@b>", "Return-Path: <>\n", "не дошло"),
            letter("support@vendor.example", "<d@b>", "", "сами себе"),
            letter("App@vendor.example", "<d2@b>", "", "сами себе"),
            sent.data.replace('\n', "\r\n"),
        ].into_iter().enumerate() {
            let got = bench.hand(raw).await;
            assert_eq!((got.status, got.body), (200, json!({"became": "recorded", "number": null})), "{nth}");
        }
        assert_eq!(actions(&bench.history(&json!(row.number)).await), ["register"]);
        let vacation = reply(&sent, ANNA, "<e@b>", "Я в отпуске").replace("Content-Type", "Auto-Submitted: auto-replied\r\nContent-Type");
        assert_eq!(bench.hand(vacation).await.body, json!({"became": "recorded", "number": row.number}));
        let bounce = |failed: &str| format!(
            "From: MAILER-DAEMON@b.example\nReturn-Path: <>\nMessage-ID: <{failed}>\nContent-Type: multipart/report; report-type=delivery-status; boundary=x\n\n--x\n\nNo such box.\n--x\n\
             Content-Type: message/delivery-status\n\nFinal-Recipient: rfc822; {failed}\nStatus: 5.1.1\n--x\nContent-Type: message/rfc822\n\nMessage-ID: {}\n\nold\n--x--\n",
            header(&sent, "Message-ID"));
        assert_eq!(bench.hand(bounce("evil@b.example")).await.body, json!({"became": "recorded", "number": null}), "it reached her");
        let tasks = bench.rows(&row, Channel::Task).await.len();
        assert_eq!(bench.hand(bounce("Anna@example.com")).await.body, json!({"became": "recorded", "number": row.number}));
        let history = bench.history(&json!(row.number)).await;
        assert_eq!(actions(&history), ["register", "auto_reply", "bounce"]);
        assert!(history.iter().skip(3).all(|entry| entry["internal"] == json!(true)), "the customer is not shown it: {history:?}");
        assert_eq!(bench.rows(&row, Channel::Task).await.len(), tasks + 1, "whoever works it learns that she is not reached");
        assert_eq!((bench.count().await, bench.sent().await.len()), (1, 1));
    }

    e15_what_cannot_be_answered_or_is_too_long_is_taken_all_the_same(db) {
        let bench = Bench::start(db).await;
        let none = bench.hand("From: someone unreadable\r\n\r\nпомогите").await;
        assert_eq!(none.status, 201, "{none:?}");
        let nothing = bench.hand(vec![0xff, 0, 0xfe]).await;
        assert_eq!(nothing.status, 201, "{nothing:?}");
        let mut long = letter(ANNA, "<1@b>", "Content-Type: multipart/mixed; boundary=x\n", "").replacen("Content-Type: text/plain; charset=utf-8\r\n", "", 1);
        long.push_str("--x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nСм. вложение\r\n--x\r\nContent-Type: application/ms-tnef; name=winmail.dat\r\n\r\n");
        long.push_str(&"x".repeat(34 << 20));
        let got = bench.hand(long).await;
        assert_eq!(got.status, 201, "{got:?}");
        let operator = bench.api.with_role(bench.desk, Given::SupportOperator).await;
        let page = operator.get(&format!("/api/v1/requests/{}", got.body["number"].as_str().unwrap())).await.body;
        let said = page["content"]["description"].as_str().unwrap_or_default();
        assert!(said.contains("См. вложение") && said.contains("winmail.dat") && said.contains("конец отброшен"), "{said}");
        assert_eq!(page["files"], json!([]), "what was cut off is no file");
        let refused = page["history"].as_array().unwrap().iter().find(|entry| entry["content"]["action"] == "file_refused").unwrap();
        assert!(refused["content"]["text"].as_str().unwrap_or_default().contains("пришло не целиком"), "{refused}");
        assert_eq!(bench.sent().await.len(), 1, "there is no address to write to");
    }

    e15_one_sender_opens_so_many_requests_an_hour_and_the_rest_comes_again(db) {
        let bench = Bench::start(db).await;
        for nth in 0..10 {
            assert_eq!(bench.hand(letter(ANNA, &format!("<{nth}@b>"), "", &format!("{nth}"))).await.status, 201);
        }
        let more = letter(ANNA, "<11@b>", "", "11");
        assert_eq!(bench.hand(more.clone()).await.status, 429);
        assert_eq!(bench.hand(letter("oleg@example.com", "<12@b>", "", "12")).await.status, 201, "others go on");
        bench.api.clock.advance(Duration::from_secs(3600));
        assert_eq!(bench.hand(more).await.status, 201);
    }

    s48_letters_keep_their_id_over_tries_and_what_is_refused_is_a_problem(db) {
        let bench = Bench::start(db).await;
        let customer = bench.api.portal("m2").await;
        let submit = async |email: &str, user: i64| {
            let mut submission = report(customer, user);
            submission.content.email = email.to_owned();
            bench.api.desk.register(bench.desk, submission).await.expect("registered").row
        };
        bench.mail.mood("lost@example.com", Mood::HangsUp);
        submit("lost@example.com", 1).await;
        bench.deliver().await;
        bench.api.clock.advance(Duration::from_secs(10));
        let sent = bench.sent().await;
        assert_eq!(sent.len(), 2, "whether it arrived was never said");
        assert_eq!(header(&sent[0], "Message-ID"), header(&sent[1], "Message-ID"), "shown once");

        bench.mail.mood("busy@example.com", Mood::Busy);
        bench.mail.mood("none@example.com", Mood::Refuses);
        let (_, refused) = (submit("busy@example.com", 2).await, submit("none@example.com", 3).await);
        submit("good@example.com", 4).await;
        assert_eq!(bench.sent().await.last().map(|letter| letter.to.clone()), Some(vec!["good@example.com".to_owned()]));
        bench.api.clock.advance(Duration::from_secs(10));
        let sent = bench.sent().await;
        assert_eq!((sent.len(), sent[3].to.as_slice()), (4, ["busy@example.com".to_owned()].as_slice()));
        let key = bench.api.directory.key(bench.desk).await.unwrap();
        let told = problems::page(&bench.api.db, bench.desk, &key, &problems::ListOf::default(), 10).await.unwrap();
        let told: Vec<_> = told.into_iter().map(|problem| problem.subject).collect();
        assert_eq!(told, [format!("request:{}", refused.number)]);
        assert!(text(&sent[3]).contains("зарегистрировано") && !text(&sent[3]).contains("/support/request#"), "he has his own page");
    }
}
