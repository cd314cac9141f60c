//! The store's own promises, on both engines.

use std::task::Poll;
use std::time::Duration;

use fidelio_bitrix24::domain::{CrmEntity, HotelId, PortalId};
use fidelio_bitrix24::store::crm_index::{self, ScanRow};
use fidelio_bitrix24::store::inbox::{InboxKind, NewRow};
use fidelio_bitrix24::store::outbox::{self, Blame, Intent, NewIntent, Sending, Setback};
use fidelio_bitrix24::store::{Db, event_feed, inbox, leases};

use crate::on_both_engines;

/// Dropped when it has been waited for so often.
async fn given_up(work: impl Future, times: usize) {
    let (mut work, mut waits) = (std::pin::pin!(work), 0);
    std::future::poll_fn(|cx| {
        let done = work.as_mut().poll(cx).is_ready();
        waits += 1;
        if done || waits >= times { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

on_both_engines! {
    s48_a_lease_has_one_holder_and_a_fence_that_grows(db) {
        let db = db.db;
        let first = leases::acquire(&db, "portal:1", "a", 1_000, 2_000).await.unwrap().expect("free");
        assert_eq!(leases::acquire(&db, "portal:1", "b", 1_500, 2_500).await.unwrap(), None, "held by a");
        let renewed = leases::acquire(&db, "portal:1", "a", 1_900, 2_900).await.unwrap().expect("ours");
        assert_eq!(renewed.fence, first.fence, "a renewal keeps the fence");
        let taken = leases::acquire(&db, "portal:1", "b", 2_900, 3_900).await.unwrap().expect("run out");
        assert!(taken.fence > first.fence);
        let tx = db.begin().await.unwrap();
        assert!(!leases::holds(&tx, &renewed, 2_950).await.unwrap());
        assert!(leases::holds(&tx, &taken, 2_950).await.unwrap());
        tx.commit().await.unwrap();
        // Renewals that come too late: after it was given back, and after it went to another.
        assert!(leases::renew(&db, &taken, 2_960, 3_960).await.unwrap());
        assert!(!leases::renew(&db, &renewed, 2_960, 3_960).await.unwrap());
        leases::release(&db, &taken).await.unwrap();
        assert!(!leases::renew(&db, &taken, 2_970, 3_970).await.unwrap(), "what was given back stays free");
        assert!(leases::acquire(&db, "portal:1", "a", 2_980, 3_980).await.unwrap().is_some());
        assert!(!leases::renew(&db, &renewed, 5_000, 6_000).await.unwrap(), "nor is one revived that ran out");
        // Taken by a node whose clock was a day ahead, which has died since.
        let day = 86_400_000;
        leases::acquire(&db, "portal:2", "ahead", day, day + 1_000).await.unwrap().expect("free");
        let mended = leases::acquire(&db, "portal:2", "b", 5_000, 6_000).await.unwrap().expect("nobody holds for a day");
        assert_eq!((mended.owner.as_str(), mended.fence), ("b", 2));
    }

    s1_s48_whoever_gives_up_while_a_transaction_begins_leaves_none_open(db) {
        let others = Db::connect(&db.url).await.unwrap();
        for given_up_at in 1..12 {
            given_up(db.db.begin(), given_up_at).await;
            // Whichever connection these get: what they wrote is there for everybody, and no lock stays behind.
            for nth in 0..14 {
                let name = format!("{given_up_at}.{nth}");
                leases::acquire(&db.db, &name, "a", 1_000, 2_000).await.unwrap().expect("free");
                let asked = leases::acquire(&others, &name, "b", 1_500, 2_500);
                let held = tokio::time::timeout(Duration::from_secs(20), asked).await.expect("nobody holds a lock");
                assert_eq!(held.unwrap(), None, "{name}");
            }
        }
    }

    s2_a_queue_that_was_refused_is_left_alone_whatever_the_portal_says_of_it(db) {
        let db = db.db;
        event_feed::bound(&db, PORTAL, true, true, 0).await.unwrap();
        // Whether it is due, before and at that moment; nothing is, before the first look at the portal's records ended.
        let tx = db.begin().await.unwrap();
        let scanned = ScanRow { complete: true, ..ScanRow::default() };
        crm_index::save_scan(&tx, PORTAL, CrmEntity::Deal, &scanned).await.unwrap();
        tx.commit().await.unwrap();
        let due_at = async |at: i64| {
            let at_once = event_feed::is_due(&db, PORTAL, at).await.unwrap();
            (event_feed::is_due(&db, PORTAL, at - 1).await.unwrap(), at_once)
        };
        event_feed::read(&db, PORTAL, 1_000, 121_000).await.unwrap();
        event_feed::soon(&db, PORTAL, 6_000, 10_000).await.unwrap();
        assert_eq!(due_at(11_000).await, (false, true), "when it says so, but not at once again");
        event_feed::later(&db, PORTAL, 600_000, 10_000).await.unwrap();
        event_feed::soon(&db, PORTAL, 20_000, 10_000).await.unwrap();
        assert_eq!(due_at(600_000).await, (false, true));
    }

    s1_what_could_not_be_decided_hides_nothing_once_something_newer_was(db) {
        let db = db.db;
        let row = |hash: &str| NewRow {
            hotel: HotelId(7),
            kind: InboxKind::Stay,
            subject: "stay:7:1".into(),
            priority: 1,
            payload: vec![1],
            hash: hash.into(),
        };
        let known = async || inbox::undecided_hashes(&db, PORTAL, &["stay:7:1".to_owned()]).await.unwrap();
        let tx = db.begin().await.unwrap();
        inbox::add(&tx, PORTAL, vec![row("x")], 10).await.unwrap();
        let failed = inbox::claim(&tx, PORTAL, 10, 1).await.unwrap().remove(0);
        inbox::set_failed(&tx, PORTAL, &[failed.id]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(known().await["stay:7:1"], "x", "it is not taken in again and again");
        let tx = db.begin().await.unwrap();
        inbox::add(&tx, PORTAL, vec![row("y")], 20).await.unwrap();
        inbox::claim(&tx, PORTAL, 20, 1).await.unwrap();
        tx.commit().await.unwrap();
        assert!(known().await.is_empty(), "what the hotel says again is news");
    }

    s1_a_refusal_of_what_was_sent_does_not_bury_what_changed_since(db) {
        let db = db.db;
        change(&db).await;
        let sent = outbox::due(&db, PORTAL, (0, 9), &[], 10, 10).await.unwrap();
        let tx = db.begin().await.unwrap();
        let sending = Sending { id: sent[0].id, seq: sent[0].seq, entity: 2, target: 7, kind: "update", write: vec![1] };
        assert_eq!(outbox::mark_sent(&tx, PORTAL, 1, 10, 75, vec![sending]).await.unwrap(), [sent[0].id]);
        tx.commit().await.unwrap();

        change(&db).await;
        assert!(outbox::due(&db, PORTAL, (0, 9), &[], 20, 10).await.unwrap().is_empty(), "its outcome is still open");
        let tx = db.begin().await.unwrap();
        let refused = Setback { id: sent[0].id, seq: sent[0].seq, state: 2, not_before: 20, blame: Blame::Own };
        outbox::set_back(&tx, PORTAL, 1, &[refused]).await.unwrap();
        tx.commit().await.unwrap();

        let waiting = outbox::due(&db, PORTAL, (0, 9), &[], 20, 10).await.unwrap();
        assert_eq!(waiting.len(), 1, "the newer change goes out");
        assert_eq!((waiting[0].attempts, waiting[0].target), (0, 0));
    }

    s1_a_newer_change_is_tried_at_once_whatever_the_older_one_waited_for(db) {
        let db = db.db;
        change(&db).await;
        let first = outbox::due(&db, PORTAL, (0, 9), &[], 10, 10).await.unwrap().remove(0);
        let six_hours = 6 * 3_600_000;
        let tx = db.begin().await.unwrap();
        let sending =
            Sending { id: first.id, seq: first.seq, entity: 2, target: 7, kind: "update", write: vec![1] };
        outbox::mark_sent(&tx, PORTAL, 1, 10, 75, vec![sending]).await.unwrap();
        let failed = Setback { id: first.id, seq: first.seq, state: 0, not_before: six_hours, blame: Blame::Own };
        outbox::set_back(&tx, PORTAL, 1, &[failed]).await.unwrap();
        tx.commit().await.unwrap();
        assert!(outbox::due(&db, PORTAL, (0, 9), &[], 20, 10).await.unwrap().is_empty(), "tried again by the schedule");

        change(&db).await;
        let due = outbox::due(&db, PORTAL, (0, 9), &[], 20, 10).await.unwrap();
        assert_eq!(due.len(), 1, "the newer change does not wait for the older one's schedule");
        assert_eq!(due[0].attempts, 1, "and gets no further tries by it");

        // What was sent and not heard of stays held, however much changes.
        let tx = db.begin().await.unwrap();
        let sending = Sending { id: due[0].id, seq: due[0].seq, entity: 2, target: 7, kind: "update", write: vec![1] };
        outbox::mark_sent(&tx, PORTAL, 1, 20, 85, vec![sending]).await.unwrap();
        tx.commit().await.unwrap();
        change(&db).await;
        assert!(outbox::due(&db, PORTAL, (0, 9), &[], 84, 10).await.unwrap().is_empty());
        assert_eq!(outbox::to_settle(&db, PORTAL, 85, 10).await.unwrap().len(), 1);
    }
}

const PORTAL: PortalId = PortalId(1);

async fn change(db: &Db) {
    let tx = db.begin().await.unwrap();
    let intent = NewIntent {
        subject: "stay:1:50117".into(),
        intent: Intent::Sync,
        priority: 1,
        rank: 3,
        not_before: 0,
        seen_at: 5,
    };
    outbox::add(&tx, PORTAL, vec![intent]).await.unwrap();
    tx.commit().await.unwrap();
}
