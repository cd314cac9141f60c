//! What keeps a row from its task keeps no other, and none is given up or sent twice.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::DateTime;
use fb24_sandbox::portal::{Edition, Fault, Step as Button};
use fidelio_bitrix24::bitrix::Priority;
use fidelio_bitrix24::domain::support::{RequestNumber, State};
use fidelio_bitrix24::store::desk::{outbox, undelivered};
use fidelio_bitrix24::support::deliver::{DeliverError, StepObserver};
use fidelio_bitrix24::support::outgoing::Outgoing;
use tokio::task::JoinHandle;

use super::{Bench, CHANNEL, DESK, came_to, opened, word};
use crate::on_both_engines;
use crate::support::world::until;

/// People who are before it for longer than any hold: the bucket gives 48 at once, then two a second.
async fn crowd(bench: &Bench, size: usize) -> Vec<JoinHandle<()>> {
    let wait = || {
        let client = bench.place.client.clone();
        tokio::spawn(async move { drop(client.permit(Priority::Person).await) })
    };
    let people: Vec<_> = (0..size).map(|_| wait()).collect();
    let served = || people.iter().filter(|one| one.is_finished()).count();
    until("the bucket is empty", 30, || async { (served() >= 48).then_some(()) }).await;
    people
}

on_both_engines! {
    s39_what_waits_for_its_turn_is_marked_as_sent_when_it_goes_and_not_before(db) {
        let bench = Bench::at(db, Edition::Box);
        let request = bench.request(1, &[opened(1)]).await;
        let begun = bench.clock.now_ms();
        // Others are before it for longer than any hold: two requests a second.
        let ahead = crowd(&bench, 200).await;
        let node = bench.node_for(Duration::from_secs(3_600), None);
        let work = tokio::spawn(async move { node.deliver(CHANNEL, DESK).await });
        until("it had its turn", 60, || async {
            bench.hand.advance(Duration::from_secs(2));
            work.is_finished().then_some(())
        }).await;
        assert_eq!(work.await.expect("joined").expect("a round"), 1);
        let row = bench.rows(request).await.remove(0);
        assert!(row.sent_at - begun > 65_000, "held since {} ms before it left", row.sent_at - begun);
        assert_eq!((row.state, bench.portal.tasks().len()), (outbox::DONE, 1));
        drop(ahead);
    }

    s39_each_request_is_sent_once_under_a_mark_of_its_own(db) {
        let mut bench = Bench::at(db, Edition::Box);
        // Taken for a portal with REST 3.0, which it is not; and its token goes stale.
        Arc::get_mut(&mut bench.place).expect("the only one").v3 = true;
        bench.portal.fault(Fault::expired_token("task.commentitem.add"));
        let marked = Arc::new(Mutex::new(0));
        let count = marked.clone();
        let observer: StepObserver = Arc::new(move |step| {
            *count.lock().expect("a count") += i32::from(step == "desk.marked");
            true
        });
        let reason = came_to(State::InProgress, Some("two"));
        let request = bench.request(1, &[opened(1), word("one"), reason]).await;
        bench.node(Some(observer)).deliver(CHANNEL, DESK).await.expect("a round");
        assert_eq!(bench.states(request).await, [outbox::DONE; 3]);
        let methods = ["api/tasks.task.add", "tasks.task.add", "task.commentitem.add", "tasks.task.start"];
        let sent = methods.map(|method| bench.portal.requests_of(method).len());
        assert_eq!((sent, *marked.lock().expect("a count")), ([1, 1, 3, 1], 6));
        assert_eq!(bench.said(1), ["one", "two"]);
    }

    s39_a_lost_lease_ends_the_work_that_had_not_left(db) {
        let bench = Bench::at(db, Edition::Box);
        bench.request(1, &[opened(1)]).await;
        let ahead = crowd(&bench, 2_000).await;
        let node = bench.node(None);
        let work = tokio::spawn(async move { node.deliver(CHANNEL, DESK).await });
        // Time jumps further than a lease is long: nobody can renew it.
        until("it ends", 30, || async {
            bench.hand.advance(Duration::from_secs(25));
            work.is_finished().then_some(())
        }).await;
        let ended = work.await.expect("joined");
        assert!(matches!(ended, Err(DeliverError::Elsewhere(_))), "{ended:?}");
        assert!(bench.portal.tasks().is_empty());
        drop(ahead);
    }

    s48_a_portal_that_is_away_for_days_gets_everything_when_it_is_back(db) {
        let bench = Bench::at(db, Edition::Box);
        let request = bench.request(1, &[opened(1), word("one")]).await;
        bench.portal.fault(Fault::error("tasks.task.add", 503, "CONNECTION_ERROR").times(20));
        let mut tries = 0;
        while bench.states(request).await != [outbox::DONE; 2] {
            let _ = bench.node(None).deliver(CHANNEL, DESK).await;
            bench.pass(21_600);
            tries += 1;
            assert!(tries < 40, "{:?}", bench.states(request).await);
            if tries == 10 {
                assert_eq!(bench.told().await, [("request:FB-2026-000001".to_owned(), "failed".to_owned())], "people know");
            }
        }
        assert!(tries > 20);
        assert_eq!((bench.portal.tasks().len(), bench.said(1)), (1, vec!["one".to_owned()]));
        assert_eq!(bench.told().await, [], "it is over");
    }

    s48_what_failed_is_told_and_tried_again_from_there(db) {
        let bench = Bench::at(db, Edition::Box);
        let request = bench.request(1, &[opened(1), word("one")]).await;
        bench.portal.fault(Fault::error("tasks.task.add", 400, "100"));
        bench.node(None).deliver(CHANNEL, DESK).await.expect("a round");
        let subject = "request:FB-2026-000001".to_owned();
        assert_eq!(bench.told().await, [(subject.clone(), "failed".to_owned())]);
        let again = async || {
            let tx = bench.db.db.begin().await.expect("a transaction");
            undelivered::retry(&tx, DESK, &subject, bench.clock.now_ms()).await.expect("once more");
            tx.commit().await.expect("committed");
        };
        again().await;
        bench.portal.fault(Fault::error("task.commentitem.add", 400, "100"));
        bench.node(None).deliver(CHANNEL, DESK).await.expect("a round");
        assert_eq!(bench.states(request).await, [outbox::DONE, outbox::REJECTED]);
        assert_eq!(bench.told().await, [(subject.clone(), "rejected".to_owned())]);
        again().await;
        bench.until_quiet(request).await;
        assert_eq!(bench.states(request).await, [outbox::DONE; 2]);
        assert_eq!((bench.said(1), bench.told().await), (vec!["one".to_owned()], vec![]));
    }

    s48_a_task_that_cannot_be_read_keeps_no_other_waiting(db) {
        let bench = Bench::at(db, Edition::Box);
        let number = RequestNumber::new(2026, 1).expect("a number");
        let bad = bench.request(1, &[opened(1), word("one")]).await;
        bench.until_quiet(bad).await;
        let good = bench.request(2, &[opened(2)]).await;
        bench.until_quiet(good).await;
        // It is sent without an answer, and cannot be looked up.
        bench.portal.fault(Fault::before("task.commentitem.add"));
        bench.leave(bad, number, &[word("two")]).await;
        let _ = bench.node(None).deliver(CHANNEL, DESK).await;
        bench.pass(70);
        bench.portal.fault(Fault::error("tasks.task.get", 403, "ACCESS_DENIED"));
        bench.leave(good, RequestNumber::new(2026, 2).expect("a number"), &[word("good")]).await;
        bench.node(None).deliver(CHANNEL, DESK).await.expect("a round");
        assert_eq!(bench.said(2), ["good"]);
        assert_eq!(bench.states(bad).await.last(), Some(&outbox::SENT), "never sent again unseen");
        assert_eq!(bench.told().await.len(), 1);
        bench.portal.clear_faults();
        bench.pass(21_600);
        bench.until_quiet(bad).await;
        assert_eq!((bench.said(1), bench.told().await), (vec!["one".to_owned(), "two".to_owned()], vec![]));
    }

    s44_a_move_that_is_refused_takes_no_deadline_with_it(db) {
        for anew in [false, true] {
            let bench = Arc::new(Bench::at(db.another().await, Edition::Box));
            let request = bench.request(1, &[opened(1)]).await;
            bench.until_quiet(request).await;
            let deadline = DateTime::from_timestamp(1_790_500_000, 0);
            let number = RequestNumber::new(2026, 1).expect("a number");
            let state = Outgoing::State { state: State::InProgress, resolution: None, reason: None, deadline };
            bench.leave(request, number, &[state]).await;
            bench.portal.fault(Fault::error("tasks.task.start", 400, "100"));
            let updates = bench.portal.requests_of("tasks.task.update").len();
            let node = bench.node(anew.then(|| {
                // Somebody presses the button himself, between our look and our move.
                let (bench, pressed) = (bench.clone(), Mutex::new(false));
                let observer: StepObserver = Arc::new(move |step| {
                    let mut pressed = pressed.lock().expect("a flag");
                    if step == "desk.marked" && !std::mem::replace(&mut *pressed, true) {
                        bench.portal.step_task_as(2, 1, Button::Start).expect("pressed");
                    }
                    true
                });
                observer
            }));
            node.deliver(CHANNEL, DESK).await.expect("a round");
            let ended = if anew { outbox::DONE } else { outbox::REJECTED };
            assert_eq!(bench.states(request).await, [outbox::DONE, ended]);
            assert_eq!(bench.portal.requests_of("tasks.task.update").len(), updates + 1, "the deadline is moved");
            assert_eq!(bench.told().await.len(), usize::from(!anew));
        }
    }
}
