//! A customer's silence where letters remind him (S-45): who was reminded is closed, whom no letter reached is not.

use std::time::Duration;

use fb24_sandbox::mail::Mood;
use fidelio_bitrix24::domain::support::State;
use fidelio_bitrix24::domain::support::life::Action;
use fidelio_bitrix24::domain::support::silence::AutoClose;
use fidelio_bitrix24::store::desk::requests::{self, RequestRow};
use fidelio_bitrix24::support::Watch;

use super::letters::{ANNA, Bench, header, text};
use crate::on_both_engines;

const DAY: Duration = Duration::from_secs(86_400);

/// A request of Anna's that waits for her.
async fn asked(bench: &Bench) -> RequestRow {
    let (mut settings, _) = bench.api.desk.settings(bench.desk).await.expect("settings");
    settings.auto_close = Some(AutoClose { remind_after_days: vec![3], close_after_days: 7 });
    bench.api.desk.save_settings(bench.desk, 0, settings, 1).await.expect("saved").expect("right");
    let (row, _) = bench.begun().await;
    let row = bench.act(&row, Action::Take, None).await;
    let row = bench.act(&row, Action::Ask, Some("Какой отель?")).await;
    assert_eq!(bench.sent().await.len(), 2);
    row
}

async fn days(bench: &Bench, days: u32) {
    let watch = Watch::new(bench.api.desk.clone());
    for _ in 0..days {
        bench.api.clock.advance(DAY);
        watch.tick().await.expect("a look");
        bench.deliver().await;
    }
}

async fn found(bench: &Bench, row: &RequestRow) -> RequestRow {
    requests::by_id(&bench.api.db, bench.desk, row.id).await.expect("rows").expect("a request")
}

on_both_engines! {
    s45_who_was_reminded_by_letter_and_is_silent_is_closed(db) {
        let bench = Bench::start(db).await;
        let row = asked(&bench).await;
        days(&bench, 4).await;
        let sent = bench.sent().await;
        assert_eq!(sent.len(), 3);
        assert!(text(&sent[2]).contains("Напоминаем") && text(&sent[2]).contains("по московскому времени"), "{}", text(&sent[2]));
        assert_eq!(header(&sent[2], "References"), header(&sent[0], "References"));
        days(&bench, 5).await;
        assert_eq!(found(&bench, &row).await.state, State::Closed);
        assert!(text(&bench.sent().await[3]).contains("закрыто"));
    }

    s45_whose_reminder_was_refused_or_came_back_stays_open(db) {
        let bench = Bench::start(db).await;
        let refused = asked(&bench).await;
        bench.mail.mood(ANNA, Mood::Refuses);
        days(&bench, 12).await;
        let refused = found(&bench, &refused).await;
        assert_eq!((refused.state, refused.silence.as_ref()), (State::WaitingForCustomer, None));

        // A word of the desk sets it going again, and its reminder is taken by her server, which sends it back.
        let row = bench.act(&found(&bench, &refused).await, Action::Say, Some("Ждём вас")).await;
        assert!(row.silence.is_some());
        days(&bench, 4).await;
        let sent = bench.sent().await;
        let reminder = sent.last().expect("a letter");
        assert!(text(reminder).contains("Напоминаем"));
        let bounce = format!(
            "From: MAILER-DAEMON@b.example\nReturn-Path: <>\nX-Failed-Recipients: {ANNA}\nIn-Reply-To: {}\n\nNo such box.\n",
            header(reminder, "Message-ID")
        );
        assert_eq!(bench.hand(bounce).await.body["became"], "recorded");
        days(&bench, 12).await;
        let row = found(&bench, &row).await;
        assert_eq!((row.state, row.silence), (State::WaitingForCustomer, None));
    }
}
