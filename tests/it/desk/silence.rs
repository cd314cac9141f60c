//! The customer's silence (decision 2): reminded by mail, closed by policy, and nobody who was not reached.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fb24_sandbox::mail::{Mood, Received};
use fidelio_bitrix24::domain::support::State;
use fidelio_bitrix24::domain::support::life::{Action, Resolution};
use fidelio_bitrix24::domain::support::silence::AutoClose;
use fidelio_bitrix24::store::desk::requests::RequestRow;
use fidelio_bitrix24::support::Watch;

use super::letters::{ANNA, Bench, actions, reply, text};
use crate::on_both_engines;
use crate::support::db::TestDb;

const DAY: Duration = Duration::from_secs(86_400);

struct Silent {
    bench: Bench,
    watch: Watch,
    row: RequestRow,
    /// Letters that were read.
    read: AtomicUsize,
}

impl Silent {
    /// Asked, and silent since; reminded on days 3 and 7, closed on day 10.
    async fn start(db: TestDb) -> Self {
        let bench = Bench::start(db).await;
        let desk = &bench.api.desk;
        let (mut settings, _) = desk.settings(bench.desk).await.unwrap();
        settings.auto_close = Some(AutoClose { remind_after_days: vec![3, 7], close_after_days: 10 });
        desk.save_settings(bench.desk, 0, settings, 1).await.unwrap().unwrap();
        let (row, _) = bench.begun().await;
        let row = bench.act(&row, Action::Take, None).await;
        let row = bench.act(&row, Action::Ask, Some("Какой отель?")).await;
        let read = AtomicUsize::new(bench.sent().await.len());
        let watch = Watch::new(desk.clone());
        Self { bench, watch, row, read }
    }

    /// What was written to the customer since this was last asked.
    async fn written(&self) -> Vec<Received> {
        let letters = self.bench.sent().await;
        letters[self.read.swap(letters.len(), Ordering::Relaxed)..].to_vec()
    }

    /// Days go by, each with its look and its mail; what was written to the customer.
    async fn days(&self, days: u32) -> Vec<String> {
        let mut written = Vec::new();
        for _ in 0..days {
            self.bench.api.clock.advance(DAY);
            self.watch.tick().await.unwrap();
            written.extend(self.written().await.iter().map(text));
        }
        written
    }

    async fn now(&self) -> RequestRow {
        self.bench.api.desk.find(self.bench.desk, self.row.number).await.unwrap()
    }
}

on_both_engines! {
    s45_who_is_silent_on_his_turn_is_reminded_and_then_closed_by_policy(db) {
        let silent = Silent::start(db).await;
        assert_eq!(silent.days(2).await, Vec::<String>::new());
        let written = silent.days(7).await;
        assert_eq!(written.len(), 2, "{written:?}");
        assert!(written.iter().all(|text| text.contains("Если ответа не будет")), "{written:?}");
        assert_eq!(silent.now().await.state, State::WaitingForCustomer);
        let written = silent.days(1).await;
        assert!(written.iter().any(|text| text.contains("Обращение закрыто")), "{written:?}");
        let row = silent.now().await;
        assert_eq!((row.state, row.resolution), (State::Closed, Some(Resolution::Policy)));
        let history = silent.bench.history(&serde_json::json!(row.number)).await;
        assert_eq!(actions(&history)[3..], ["remind", "remind", "close_by_silence"]);
        assert_eq!(silent.days(30).await, Vec::<String>::new(), "it is over");
    }

    s45_an_answer_ends_the_silence(db) {
        let silent = Silent::start(db).await;
        let bench = &silent.bench;
        silent.days(2).await;
        bench.api.clock.advance(DAY);
        silent.watch.tick().await.unwrap();
        let reminded = silent.written().await.remove(0);
        bench.hand(reply(&reminded, ANNA, "<2@example.com>", "GRAND")).await;
        assert_eq!((silent.now().await.state, silent.now().await.silence), (State::InProgress, None));
        bench.act(&silent.now().await, Action::Answer, Some("Готово")).await;
        silent.written().await;
        assert_eq!(silent.days(2).await, Vec::<String>::new(), "counted from the answer on");
        assert_eq!(silent.days(7).await.len(), 2);
    }

    s45_nobody_is_closed_whose_reminder_waits_in_our_mail(db) {
        let silent = Silent::start(db).await;
        for _ in 0..12 {
            silent.bench.mail.mood(ANNA, Mood::Busy);
        }
        assert_eq!(silent.days(12).await, Vec::<String>::new());
        let mut waited = 0;
        while silent.days(1).await.is_empty() {
            waited += 1;
            assert!(waited < 20, "letters go when the server is back");
        }
        assert_eq!(silent.now().await.state, State::WaitingForCustomer);
        silent.days(2).await;
        assert_eq!(silent.now().await.state, State::WaitingForCustomer, "he has his three days from then on");
        silent.days(4).await;
        assert_eq!(silent.now().await.state, State::Closed);
    }
}
