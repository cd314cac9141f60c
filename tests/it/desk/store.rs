//! What the desk keeps, on both engines.

use std::collections::BTreeSet;

use fidelio_bitrix24::domain::PortalId;
use fidelio_bitrix24::domain::support::clock::Standing;
use fidelio_bitrix24::domain::support::life::{Refusal, Resolution};
use fidelio_bitrix24::domain::support::{Kind, Priority, State};
use fidelio_bitrix24::store::desk::outbox::{self, Channel, Outcome};
use fidelio_bitrix24::store::desk::search::{Filter, Whose};
use fidelio_bitrix24::store::desk::{consents, limits, numbers, remotes, requests};
use fidelio_bitrix24::store::{Db, keys, purge, testing};
use fidelio_bitrix24::support::act::Deed;
use fidelio_bitrix24::support::outgoing::Outgoing;
use fidelio_bitrix24::support::{DeskError, Evidence};
use serde_json::json;

use super::{actor, report};
use crate::on_both_engines;
use crate::support::api::Api;

on_both_engines! {
    s37_e19_two_nodes_never_give_out_the_same_number(db) {
        let other = Db::connect(&db.url).await.unwrap();
        let taken = futures_util::future::join_all((0..20).map(|n| {
            let db = if n % 2 == 0 { db.db.clone() } else { other.clone() };
            async move { numbers::take(&db, 2026, 3).await.unwrap() }
        })).await;
        let all: Vec<u32> = taken.iter().flat_map(|(first, last)| *first..=*last).collect();
        let once: BTreeSet<u32> = all.iter().copied().collect();
        assert_eq!((all.len(), once.len(), once.first(), once.last()), (60, 60, Some(&1), Some(&60)));
        assert_eq!(numbers::take(&db.db, 2027, 2).await.unwrap(), (1, 2), "a year begins anew");
    }

    s39_e21_what_leaves_a_request_leaves_in_order_and_is_marked_before(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let (desk, db) = (&api.desk, &api.db);
        let one = desk.register(portal, report(portal, 5)).await.unwrap().row;
        let two = desk.register(portal, report(portal, 5)).await.unwrap().row;
        for row in [&one, &two] {
            desk.act(&actor(&[fidelio_bitrix24::domain::support::Role::Operator], 9), row, &Deed::Note("x".into()))
                .await.unwrap();
        }
        let due = async |at: i64| outbox::due(db, Channel::Task, portal, at, 10).await.unwrap();
        let now = api.now.now_ms();
        let first = due(now).await;
        assert_eq!(first.iter().map(|row| row.kind).collect::<Vec<_>>(), [outbox::Kind::Open, outbox::Kind::Open]);
        assert!(outbox::targets(db).await.unwrap().contains(&(Channel::Task, portal)));
        let key = keys::obtain_for(db, &api.keyring, portal, keys::REQUESTS, now).await.unwrap();
        let Outgoing::Open(task) = Outgoing::read(&first[0].open(&key).unwrap()).unwrap() else { panic!("a task") };
        assert_eq!(task.title, format!("[{}] Нет броней", one.number));

        let tx = db.begin().await.unwrap();
        assert!(outbox::mark_sent(&tx, &first[0], 7, now, now + 65_000).await.unwrap());
        assert!(!outbox::mark_sent(&tx, &first[0], 8, now, now + 65_000).await.unwrap(), "somebody has it");
        tx.commit().await.unwrap();
        assert_eq!(due(now).await.len(), 1, "its next row waits for it, another request's does not");
        assert!(outbox::to_settle(db, Channel::Task, portal, now + 64_999, 10).await.unwrap().is_empty());
        assert_eq!(outbox::to_settle(db, Channel::Task, portal, now + 65_000, 10).await.unwrap().len(), 1);

        let tx = db.begin().await.unwrap();
        assert!(!outbox::settle(&tx, &first[0], 6, &Outcome::Done, now).await.unwrap(), "an older fence decides nothing");
        let again = Outcome::Again { not_before: now + 5, cause: "busy".into(), counts: true };
        assert!(outbox::settle(&tx, &first[0], 7, &again, now).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(due(now).await.len(), 1);
        assert_eq!(due(now + 5).await.len(), 2);

        let tx = db.begin().await.unwrap();
        outbox::mark_sent(&tx, &first[0], 7, now, now).await.unwrap();
        assert!(outbox::settle(&tx, &first[0], 7, &Outcome::Failed("gone".into()), now).await.unwrap());
        assert!(outbox::settle(&tx, &first[1], 7, &Outcome::Rejected("no".into()), now).await.unwrap());
        tx.commit().await.unwrap();
        let left = due(now + 5).await;
        assert_eq!(left.iter().map(|row| (row.request, row.kind)).collect::<Vec<_>>(), [(two.id, outbox::Kind::Say)],
            "what failed holds what is behind it, what was rejected does not");
        let tx = db.begin().await.unwrap();
        assert_eq!(outbox::retry(&tx, portal, one.id, now).await.unwrap(), 1);
        tx.commit().await.unwrap();
        let row = due(now).await.into_iter().find(|row| row.request == one.id).expect("due again");
        assert_eq!((row.id, row.attempts, row.state), (first[0].id, 0, outbox::WAITING));
        let tx = db.begin().await.unwrap();
        remotes::set(&tx, portal, one.id,
            &remotes::Remote { channel: Channel::Task, kind: "task".into(), target: portal, id: "77".into() }, now).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(remotes::request_of(db, Channel::Task, portal, "task", "77").await.unwrap(), Some((portal, one.id)));
        assert_eq!(remotes::request_of(db, Channel::Task, PortalId(99), "task", "77").await.unwrap(), None);
    }

    s37_every_list_is_read_along_an_index(db) {
        let db = db.db;
        let (desk, hash) = (PortalId(1), || Some("h".to_owned()));
        let filters = [
            Filter::default(),
            Filter { state: Some(State::Registered), ..Filter::default() },
            Filter { kind: Some(Kind::Problem), ..Filter::default() },
            Filter { priority: Some(Priority::High), ..Filter::default() },
            Filter { customer: Some(PortalId(2)), ..Filter::default() },
            Filter { phone: hash(), ..Filter::default() },
            Filter { email: hash(), ..Filter::default() },
            Filter { login: hash(), ..Filter::default() },
            Filter { from: Some(1), to: Some(2), after: Some((2, 7)), ..Filter::default() },
        ];
        for filter in filters {
            for whose in [Whose::Desk(desk), Whose::Customer(desk), Whose::Submitter(desk, 5)] {
                let plan = testing::request_list_plan(&db, whose, &filter).await.unwrap();
                let upper = plan.to_uppercase();
                assert!(upper.contains("INDEX"), "{whose:?} {filter:?}\n{plan}");
                for slow in ["SCAN DESK_REQUEST", "SEQ SCAN", "TEMP B-TREE"] {
                    let index = upper.replace("INDEX SCAN", "INDEX").replace("HEAP SCAN", "").replace("BITMAP INDEX SCAN", "");
                    assert!(!index.contains(slow), "{whose:?} {filter:?}\n{plan}");
                }
            }
        }
    }

    s25_a_customer_s_end_leaves_his_words_unreadable_and_the_evidence_of_consent(db) {
        let api = Api::start(db).await;
        let (desk, customer) = (api.portal("vendor").await, api.portal("m1").await);
        let mut told = report(customer, 5);
        told.consent = Some(Evidence {
            document_version: "1".into(), document_hash: "abc".into(), form: "x".into(), proof: json!({"address": "198.51.100.1"}),
        });
        let row = api.desk.register(desk, told).await.unwrap().row;
        let now = api.now.now_ms();
        for portal in [customer, desk] {
            let tx = api.db.begin().await.unwrap();
            keys::destroy(&tx, portal, now).await.unwrap();
            purge::work_of(&tx, portal, now).await.unwrap();
            tx.commit().await.unwrap();
            let refused = keys::obtain_for(&api.db, &api.keyring, portal, keys::REQUESTS, now).await;
            assert!(refused.is_err(), "no new key takes its place");
            if portal == customer {
                let role = actor(&[fidelio_bitrix24::domain::support::Role::Operator], 9);
                let whole = api.desk.whole(&role, &row).await.unwrap();
                assert!(whole.content.is_none() && whole.history.iter().all(|told| told.content.is_none()));
                assert!(outbox::of_request(&api.db, desk, row.id).await.unwrap().is_empty(), "nothing of it leaves any more");
                let held = requests::by_id(&api.db, desk, row.id).await.unwrap().expect("kept");
                assert_eq!((held.state, held.resolution, held.look_at), (State::Closed, Some(Resolution::CustomerGone), None));
                assert_eq!(api.desk.export(&role, &held).await.unwrap()["proof"]["whole"], true, "its end stands in the chain");
                let whole = api.desk.whole(&role, &held).await.unwrap();
                assert!(whole.clocks.iter().all(|(_, reading)| reading.standing == Standing::Stopped));
                let deed = Deed::Note("x".into());
                assert!(matches!(api.desk.act(&role, &held, &deed).await, Err(DeskError::Refused(Refusal::Closed))));
            }
        }
        let key = keys::obtain_for(&api.db, &api.keyring, desk, keys::CONSENT, now).await.unwrap();
        let kept = consents::list(&api.db, desk, &key, 10).await.unwrap();
        assert_eq!((kept.len(), kept[0].number), (1, row.number));
        assert!(String::from_utf8(kept[0].evidence.clone()).unwrap().contains("198.51.100.1"));
    }

    s23_what_comes_too_often_is_counted_over_all_nodes_and_forgotten(db) {
        let db = db.db;
        for n in 0..3 {
            assert_eq!(limits::count(&db, "a", 2, 1_000, 10 + n).await.unwrap(), n < 2);
        }
        assert!(limits::count(&db, "b", 2, 1_000, 10).await.unwrap(), "another one's");
        assert!(limits::count(&db, "a", 2, 1_000, 1_010).await.unwrap(), "the span is over");
        assert!(limits::spend(&db, "c", 100, 10).await.unwrap());
        assert!(!limits::spend(&db, "c", 100, 99).await.unwrap());
        assert!(limits::is_spent(&db, "c", 99).await.unwrap() && !limits::is_spent(&db, "c", 100).await.unwrap());
        assert!(limits::spend(&db, "c", 200, 100).await.unwrap(), "its end has come");
        assert_eq!(limits::purge(&db, 5_000, 10).await.unwrap(), 3);
    }
}
