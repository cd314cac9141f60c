//! Looking at a hotel: how often, and what is told of what a look found.

use std::time::Duration;

use fb24_sandbox::portal::PortalOptions;
use fidelio_bitrix24::domain::{Known, StayStatus};
use fidelio_bitrix24::fidelio::{Read, ReadReport, RecordKind, SourceError, Unread};
use fidelio_bitrix24::store::source_reading;
use fidelio_bitrix24::store::sources::{self, SourceRow};
use fidelio_bitrix24::sync::Engine;
use fidelio_bitrix24::sync::views::{ProblemFilter, ProblemView};

use super::world::World;
use crate::on_both_engines;

async fn source(world: &World) -> SourceRow {
    sources::by_id(&world.db, world.id, &world.key, world.source).await.unwrap().expect("the source")
}

/// Polls; answers the seconds until the next look.
async fn poll(world: &World, engine: &Engine) -> i64 {
    engine.poll_source(world.id, world.source).await.unwrap();
    (source(world).await.next_poll_at - world.clock.now_ms()) / 1_000
}

/// Polls as the loop would, for so long; answers how often.
async fn live(world: &World, engine: &Engine, seconds: i64) -> usize {
    let end = world.clock.now_ms() + seconds * 1_000;
    let mut looks = 0;
    loop {
        let wait = poll(world, engine).await;
        looks += 1;
        if world.clock.now_ms() + wait * 1_000 > end {
            world.pass(Duration::from_millis(u64::try_from(end - world.clock.now_ms()).unwrap()));
            return looks;
        }
        world.pass(Duration::from_secs(u64::try_from(wait).unwrap()));
    }
}

async fn problems(world: &World, engine: &Engine, state: &str) -> Vec<ProblemView> {
    let filter = ProblemFilter { state: Some(state.into()), ..ProblemFilter::default() };
    engine.problems(world.id, &filter, None, 50).await.unwrap().items
}

on_both_engines! {
    s1_a_quiet_hotel_is_looked_at_less_often_and_activity_snaps_back(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        world.book("1", "7");
        assert_eq!(poll(&world, &engine).await, 15);
        let busy = live(&world, &engine, 150).await;
        assert_eq!(busy, 11, "at the set pace while anything happened lately");
        let quiet = live(&world, &engine, 3_600).await;
        assert!((60..75).contains(&quiet), "{quiet} looks in a quiet hour, not 240");
        assert_eq!(poll(&world, &engine).await, 60);
        world.edit_stay("1", |stay| stay.status = Known::Is(StayStatus::InHouse));
        assert_eq!(poll(&world, &engine).await, 15, "something happened");
        assert_eq!(poll(&world, &engine).await, 15);
    }

    s1_what_settles_is_looked_at_as_soon_as_it_has(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        poll(&world, &engine).await;
        live(&world, &engine, 3_600).await;
        world.hotel.truth.lock().unwrap().said.next_in = Some(Duration::from_secs(2));
        assert_eq!(poll(&world, &engine).await, 2);
        world.hotel.truth.lock().unwrap().said.next_in = Some(Duration::from_secs(500));
        assert_eq!(poll(&world, &engine).await, 60, "a source may hurry us, not hold us up");
    }

    s1_trouble_backs_off_and_its_end_brings_the_pace_back(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        poll(&world, &engine).await;
        live(&world, &engine, 3_600).await;
        world.hotel.truth.lock().unwrap().trouble = Some(SourceError::Unreachable("no answer".into()));
        let mut pauses = Vec::new();
        for _ in 0..7 {
            pauses.push(poll(&world, &engine).await);
        }
        assert_eq!(pauses, [15, 30, 60, 120, 240, 300, 300]);
        assert_eq!(source(&world).await.health.state, "failing");
        world.hotel.truth.lock().unwrap().trouble = None;
        assert_eq!(poll(&world, &engine).await, 15);
        world.hotel.truth.lock().unwrap().trouble = Some(SourceError::Credentials);
        poll(&world, &engine).await;
        let due = source_reading::due(&world.db, world.clock.now_ms() + 86_400_000, 10).await.unwrap();
        assert!(due.is_empty(), "a wrong password is never tried again by itself");
    }

    s1_what_is_odd_about_the_pms_is_kept_and_shown_until_it_is_over(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        let said = |notes: &[&str]| {
            let notes = notes.iter().map(|note| (*note).to_owned()).collect();
            world.hotel.truth.lock().unwrap().said = ReadReport { notes, ..ReadReport::default() };
        };
        said(&["no_delta", "pms_time_back"]);
        poll(&world, &engine).await;
        let began = world.clock.now_ms();
        world.pass(Duration::from_secs(3_600));
        said(&["no_delta"]);
        poll(&world, &engine).await;
        let notes = source(&world).await.notes;
        assert_eq!(notes, [("no_delta".to_owned(), began), ("pms_time_back".to_owned(), began)].into());
        world.hotel.truth.lock().unwrap().trouble = Some(SourceError::Unreachable("no answer".into()));
        poll(&world, &engine).await;
        assert_eq!(source(&world).await.notes, notes, "a hotel that does not answer says nothing new");
        world.hotel.truth.lock().unwrap().trouble = None;
        world.pass(Duration::from_secs(86_400));
        said(&[]);
        poll(&world, &engine).await;
        assert!(source(&world).await.notes.is_empty());
    }

    s1_a_reservation_that_is_gone_is_told_and_nothing_is_guessed(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        world.book("1", "7");
        world.book("2", "8");
        world.round(&engine).await;
        let fields = || world.deals().iter().map(|deal| deal.fields.clone()).collect::<Vec<_>>();
        let deals = fields();
        let gone = world.hotel.truth.lock().unwrap().stays.remove("1").expect("booked");
        world.pass(Duration::from_secs(6 * 3_600 + 1));
        world.round(&engine).await;
        assert!(problems(&world, &engine, "open").await.is_empty(), "once is not enough");
        world.pass(Duration::from_secs(61));
        world.round(&engine).await;
        let told = problems(&world, &engine, "open").await;
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].cause.as_str(), told[0].kind.as_str()), ("pms.missing", "doubtful"));
        assert_eq!(told[0].subject, format!("stay:{}:1", world.hotel_id));
        assert!(fields() == deals, "the deal stays as it is");

        // Who has dealt with it is not told again.
        engine.dismiss_problem(world.id, told[0].id, "deleted by mistake").await.unwrap();
        for pause in [6 * 3_600 + 1, 61] {
            world.pass(Duration::from_secs(pause));
            world.round(&engine).await;
        }
        assert!(problems(&world, &engine, "open").await.is_empty());
        assert_eq!(problems(&world, &engine, "dismissed").await.len(), 1);
        // And when it is back, that is over.
        world.hotel.truth.lock().unwrap().stays.insert("1".into(), gone);
        world.pass(Duration::from_secs(6 * 3_600 + 1));
        world.round(&engine).await;
        assert!(problems(&world, &engine, "dismissed").await.is_empty());
    }

    s1_a_hotel_that_lost_everything_is_one_problem(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        for n in 1..=30 {
            world.book(&n.to_string(), "7");
        }
        world.round(&engine).await;
        let all = std::mem::take(&mut world.hotel.truth.lock().unwrap().stays);
        for pause in [6 * 3_600 + 1, 61] {
            world.pass(Duration::from_secs(pause));
            world.round(&engine).await;
        }
        let told = problems(&world, &engine, "open").await;
        assert_eq!(told.iter().map(|p| (p.cause.as_str(), &p.params["count"])).collect::<Vec<_>>(), [("pms.missing_many", &30.into())]);
        world.hotel.truth.lock().unwrap().stays = all;
        world.pass(Duration::from_secs(6 * 3_600 + 1));
        world.round(&engine).await;
        assert!(problems(&world, &engine, "open").await.is_empty());
    }

    s1_a_record_nobody_understands_is_told_once_with_its_field(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        let unread = |number: &str, why: &str| Unread { kind: RecordKind::Stay, number: number.into(), why: why.into() };
        let unreadable = vec![unread("50117", "GuestArrival: not a date"), unread("", "GuestNum: missing")];
        world.hotel.truth.lock().unwrap().said.unreadable = unreadable;
        poll(&world, &engine).await;
        poll(&world, &engine).await;
        let mut told = problems(&world, &engine, "open").await;
        told.sort_by(|a, b| a.subject.cmp(&b.subject));
        let of: Vec<_> = told.iter().map(|p| (p.cause.as_str(), p.params["why"].as_str().unwrap(), p.count)).collect();
        assert_eq!(of, [("pms.unreadable", "GuestNum: missing", 1), ("pms.unreadable", "GuestArrival: not a date", 1)]);
        assert_eq!(told[1].subject, format!("stay:{}:50117", world.hotel_id));
    }

    s1_a_record_that_is_understood_at_last_is_no_problem_any_more(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        world.book("1", "7");
        world.round(&engine).await;
        let unread = |kind, number: &str| Unread { kind, number: number.into(), why: "GuestArrival: not a date".into() };
        let hide = |number: &str| world.hotel.truth.lock().unwrap().stays.remove(number).unwrap();
        let before = hide("1");
        world.hotel.truth.lock().unwrap().said.unreadable =
            vec![unread(RecordKind::Stay, "1"), unread(RecordKind::Stay, "2"), unread(RecordKind::Profile, "7")];
        poll(&world, &engine).await;
        assert_eq!(problems(&world, &engine, "open").await.len(), 3);
        // One is put back as it was known, one was never seen, one was looked at by a person.
        world.hotel.truth.lock().unwrap().said.unreadable = Vec::new();
        poll(&world, &engine).await;
        let told = problems(&world, &engine, "open").await;
        assert_eq!(told.len(), 3, "not read again, not understood");
        let guest = told.iter().find(|problem| problem.subject.starts_with("profile")).unwrap();
        engine.dismiss_problem(world.id, guest.id, "known").await.unwrap();
        world.hotel.truth.lock().unwrap().stays.insert("1".into(), before);
        let taken = engine.poll_source(world.id, world.source).await.unwrap();
        assert_eq!(taken, 0, "nothing to write");
        let told = problems(&world, &engine, "open").await;
        assert_eq!(told.iter().map(|problem| problem.subject.as_str()).collect::<Vec<_>>(), [format!("stay:{}:2", world.hotel_id)]);
        assert!(problems(&world, &engine, "dismissed").await.is_empty(), "would be told again");
    }

    s1_more_unreadable_records_than_one_can_read_are_one_problem(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        let say = |numbers: std::ops::Range<usize>| {
            let record = |n: usize| Unread { kind: RecordKind::Stay, number: n.to_string(), why: "GuestArrival: not a date".into() };
            world.hotel.truth.lock().unwrap().said.unreadable = numbers.map(record).collect();
        };
        let told = async |cause: &str| {
            let filter = ProblemFilter { state: Some("open".into()), cause: Some(cause.into()), ..ProblemFilter::default() };
            engine.problems(world.id, &filter, None, 500).await.unwrap().items
        };
        say(1..71);
        poll(&world, &engine).await;
        assert_eq!(told("pms.unreadable").await.len(), 50);
        let many = told("pms.unreadable_many").await;
        assert_eq!(many.iter().map(|p| (p.subject.clone(), &p.params["count"])).collect::<Vec<_>>(), [(format!("hotel:{}", world.hotel_id), &20.into())]);
        say(1000..1001);
        poll(&world, &engine).await;
        assert_eq!(told("pms.unreadable").await.len(), 51, "one that comes later is told like any other");
        say(0..0);
        poll(&world, &engine).await;
        assert_eq!(told("pms.unreadable_many").await.len(), 1, "nothing was read that says it is over");
        for n in (1..51).chain([1000]) {
            world.book(&n.to_string(), "7");
        }
        poll(&world, &engine).await;
        assert!(told("pms.unreadable").await.is_empty());
        assert_eq!(told("pms.unreadable_many").await.len(), 1, "those that were not named are still what they were");
        // One of them is met again, and named now; the others are understood one after the other.
        say(70..71);
        poll(&world, &engine).await;
        let left = async || told("pms.unreadable_many").await.first().map(|p| (p.params["count"].clone(), p.count));
        assert_eq!((told("pms.unreadable").await.len(), left().await), (1, Some((19.into(), 1))));
        say(0..0);
        for n in 51..69 {
            world.book(&n.to_string(), "7");
        }
        poll(&world, &engine).await;
        assert_eq!(left().await, Some((1.into(), 1)), "told once");
        world.book("69", "7");
        poll(&world, &engine).await;
        assert_eq!(left().await, None);
        assert_eq!(told("pms.unreadable").await.len(), 1, "the one that is named has its own");
    }

    s1_known_stays_are_looked_for_a_lot_a_poll_and_a_failed_read_loses_one_lot(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        let number = |n: usize| format!("{}", 1_000 + n);
        for n in 0..450 {
            world.book(&number(n), "7");
        }
        poll(&world, &engine).await;
        engine.decide(world.id).await.unwrap();
        for n in [3, 444] {
            world.hotel.truth.lock().unwrap().stays.remove(&number(n)).expect("booked");
        }
        let asked = || -> Vec<(String, usize)> {
            let asked = std::mem::take(&mut world.hotel.truth.lock().unwrap().asked);
            let lot = |read| match read {
                Read::Stays { numbers } => Some((numbers[0].to_string(), numbers.len())),
                _ => None,
            };
            asked.into_iter().filter_map(lot).collect()
        };
        asked();
        world.pass(Duration::from_secs(6 * 3_600 + 1));
        poll(&world, &engine).await;
        assert_eq!(asked(), [(number(0), 200)], "polls stay short");
        world.hotel.truth.lock().unwrap().trouble_by_number = Some(SourceError::Unreachable("gone".into()));
        poll(&world, &engine).await;
        world.hotel.truth.lock().unwrap().trouble_by_number = None;
        assert_eq!(asked(), [(number(200), 200)]);
        poll(&world, &engine).await;
        assert!(asked().is_empty(), "later");
        world.pass(Duration::from_secs(601));
        // Whoever begins anew goes on where the last one was.
        let engine = world.engine();
        for _ in 0..3 {
            poll(&world, &engine).await;
        }
        assert_eq!(asked(), [(number(200), 200), (number(400), 50)], "then a minute's pause");
        assert!(problems(&world, &engine, "open").await.is_empty(), "once is not enough");
        world.pass(Duration::from_secs(61));
        poll(&world, &engine).await;
        assert_eq!(asked(), [(number(3), 2)]);
        let told = problems(&world, &engine, "open").await;
        assert_eq!(told.iter().filter(|problem| problem.cause == "pms.missing").count(), 2);
    }
}
