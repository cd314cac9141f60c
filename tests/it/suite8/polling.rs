//! Polling: what changed, once, whatever the desk does.

use super::*;

fn statuses(desk: &Desk, number: i64) -> Option<&'static str> {
    desk.disk.stays.get(&number.to_string()).and_then(|stay| stay.status.get()).map(|status| status.word())
}

#[tokio::test]
async fn s1_every_step_at_the_desk_is_seen_by_the_next_poll() {
    for hides in [false, true] {
        let mut desk = Desk::open(HotelOptions {
            reservations: 80,
            knobs: Knobs { plain_includes_all: !hides, ..Knobs::default() },
            ..HotelOptions::default()
        });
        desk.read(wide()).await.expect("read");
        desk.poll().await;
        let number = desk.hotel.book_new_guest(0, 2).expect("booked");
        desk.poll().await;
        assert_eq!(statuses(&desk, number), Some("confirmed"));
        let guest = desk.disk.stays[&number.to_string()].main_guest.get().expect("guest").to_string();
        assert!(desk.disk.profiles.contains_key(&guest), "a new guest comes with his stay");
        desk.hotel.with(|truth| truth.advance(chrono::Duration::seconds(2)));
        desk.hotel.check_in(number).expect("checked in");
        desk.poll().await;
        assert_eq!(statuses(&desk, number), Some("in_house"));
        desk.hotel.with(|truth| truth.advance(chrono::Duration::seconds(2)));
        desk.hotel.check_out(number).expect("checked out");
        desk.poll().await;
        assert_eq!(statuses(&desk, number), Some("checked_out"));
        let other = desk.hotel.book_new_guest(5, 2).expect("booked");
        desk.poll().await;
        desk.hotel.with(|truth| truth.advance(chrono::Duration::seconds(2)));
        desk.hotel.cancel(other).expect("cancelled");
        desk.poll().await;
        assert_eq!(statuses(&desk, other), Some("cancelled"), "hides: {hides}");
        let third = desk.hotel.book_new_guest(0, 2).expect("booked");
        desk.poll().await;
        desk.hotel.with(|truth| truth.advance(chrono::Duration::seconds(2)));
        desk.hotel.with(|truth| truth.no_show(third)).expect("no-show");
        desk.poll().await;
        assert_eq!(statuses(&desk, third), Some("no_show"), "hides: {hides}");
        desk.assert_complete();
    }
}

#[tokio::test]
async fn s1_an_unchanged_poll_hands_nothing_over_and_asks_little() {
    let mut desk = Desk::open(HotelOptions { reservations: 200, ..HotelOptions::default() });
    desk.read(wide()).await.expect("read");
    desk.poll().await;
    desk.poll().await;
    let before = desk.hotel.requests().len();
    desk.disk.full_after = Some(0);
    let report = desk.poll().await;
    assert_eq!(report.records, 0);
    let asked = desk.hotel.requests().len() - before;
    assert!(asked <= 6, "{asked} requests");
}

#[tokio::test]
async fn s1_a_changed_guest_is_read_without_his_stays() {
    let mut desk = Desk::open(HotelOptions { reservations: 50, ..HotelOptions::default() });
    desk.read(wide()).await.expect("read");
    desk.poll().await;
    let guest = desk.disk.stays.values().next().and_then(|s| s.main_guest.get()).expect("guest").to_string();
    desk.hotel.edit_profile(guest.parse().expect("number"), |profile| profile.name = "Переименованная".into());
    desk.poll().await;
    assert_eq!(desk.disk.profiles[&guest].last_name, Known::Is("Переименованная".to_owned()));
    assert_eq!(desk.disk.order, [format!("profile {guest}")]);
}

/// A note need not touch the stamp: arrivals near today are read again.
#[tokio::test]
async fn s1_a_note_without_a_stamp_is_found_near_the_arrival() {
    let knobs = Knobs { notes_touch: false, ..Knobs::default() };
    let mut desk = Desk::open_with(HotelOptions { reservations: 50, knobs, ..HotelOptions::default() }, |settings| {
        settings.near_every = Duration::ZERO
    });
    desk.read(wide()).await.expect("read");
    let number = desk.hotel.book_new_guest(3, 2).expect("booked");
    desk.poll().await;
    desk.hotel.with(|truth| truth.add_note(number, "NF", "Просит тихий номер", false)).expect("noted");
    desk.poll().await;
    let note = desk.disk.stays[&number.to_string()].notes.get().and_then(|notes| notes.first().cloned());
    assert_eq!(note.map(|note| note.text).as_deref(), Some("Просит тихий номер"));
    assert_eq!(desk.disk.order.len(), 2, "only that stay and its guest: {:?}", desk.disk.order);
}

/// Reads as a dry run does, and as a look at who stands behind known numbers.
struct Glance;

#[async_trait]
impl Sink for Glance {
    async fn take(&mut self, _: Vec<Change>, _: Option<Value>) -> Result<(), SourceError> {
        Ok(())
    }

    fn keeps(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn s1_what_was_only_looked_at_is_still_news() {
    let mut desk = Desk::open(HotelOptions { reservations: 20, ..HotelOptions::default() });
    desk.read(wide()).await.expect("read");
    let number = desk.hotel.book_new_guest(0, 2).expect("booked");
    desk.poll().await;
    desk.hotel.with(|truth| truth.advance(chrono::Duration::seconds(2)));
    desk.hotel.check_in(number).expect("checked in");
    desk.source.read(&wide(), &Value::Null, &mut Glance).await.expect("looked");
    desk.poll().await;
    assert_eq!(statuses(&desk, number), Some("in_house"));
}

#[tokio::test]
async fn s1_what_another_process_took_meanwhile_is_not_taken_for_known() {
    let knobs = Knobs { notes_touch: false, ..Knobs::default() };
    let mut desk = Desk::open_with(HotelOptions { reservations: 20, knobs, ..HotelOptions::default() }, |settings| {
        settings.near_every = Duration::ZERO
    });
    let notes = |desk: &Desk, number: i64| desk.disk.stays[&number.to_string()].notes.get().map_or(0, Vec::len);
    desk.read(wide()).await.expect("read");
    let number = desk.hotel.book_new_guest(3, 2).expect("booked");
    desk.poll().await;
    let mut other = settings(&desk.hotel);
    other.near_every = Duration::ZERO;
    let first = std::mem::replace(&mut desk.source, Arc::new(source(other)));
    desk.hotel.with(|truth| truth.add_note(number, "NF", "Просит тихий номер", false)).expect("noted");
    desk.poll().await;
    assert_eq!(notes(&desk, number), 1);
    desk.source = first;
    desk.hotel.with(|truth| truth.reservations.get_mut(&number).expect("booked").notes.clear());
    desk.poll().await;
    assert_eq!(notes(&desk, number), 0, "as the first process knew it");
}

#[tokio::test]
async fn s1_a_record_changed_seconds_ago_waits_until_it_has_settled() {
    let mut desk = Desk::open_with(HotelOptions { reservations: 20, ..HotelOptions::default() }, |settings| {
        settings.settle = Duration::from_secs(3600);
    });
    desk.poll().await;
    let number = desk.hotel.book_new_guest(40, 2).expect("booked");
    let report = desk.poll().await;
    assert_eq!(statuses(&desk, number), None);
    assert!(report.next_in.is_some());
    // An hour passes at the hotel.
    desk.hotel.with(|truth| {
        let at = truth.now() - chrono::Duration::hours(2);
        let own = truth.reservations.get_mut(&number).expect("booked");
        (own.updated, own.created) = (at, at);
    });
    desk.poll().await;
    assert_eq!(statuses(&desk, number), Some("confirmed"));
}

#[tokio::test]
async fn s1_every_way_of_asking_for_stamps_is_found_out() {
    for (times, form) in
        [(ConditionTimes::Any, "full"), (ConditionTimes::NoSuffix, "seconds"), (ConditionTimes::DateOnly, "day")]
    {
        let knobs = Knobs { condition_times: times, ..Knobs::default() };
        let mut desk = Desk::open(HotelOptions { reservations: 30, knobs, ..HotelOptions::default() });
        desk.hotel.book_new_guest(2, 1).expect("booked");
        desk.poll().await;
        assert_eq!(desk.disk.state["form"], form);
        let number = desk.hotel.book_new_guest(1, 1).expect("booked");
        desk.poll().await;
        assert_eq!(statuses(&desk, number), Some("confirmed"), "{form}");
    }
}

#[tokio::test]
async fn s1_without_readable_stamps_changes_are_still_found() {
    for unknown_field in [UnknownField::Ignore, UnknownField::Refuse] {
        let knobs = Knobs { last_update_selectable: false, unknown_field, ..Knobs::default() };
        let mut desk = Desk::open(HotelOptions { reservations: 30, knobs, ..HotelOptions::default() });
        desk.poll().await;
        let number = desk.hotel.book_new_guest(1, 1).expect("booked");
        desk.poll().await;
        assert_eq!(statuses(&desk, number), Some("confirmed"), "{unknown_field:?}");
        desk.hotel.check_in(number).ok();
        desk.poll().await;
        let report = desk.poll().await;
        assert_eq!(report.records, 0, "what is unchanged is not handed over again");
    }
}

/// The PMS is put back to yesterday's backup: said once, and polling goes on from there.
#[tokio::test]
async fn s1_a_restored_pms_is_reported_and_followed() {
    let mut desk = Desk::open(HotelOptions { reservations: 30, ..HotelOptions::default() });
    let backup = desk.hotel.with(|truth| truth.reservations.clone());
    desk.hotel.book_new_guest(2, 1).expect("booked");
    desk.poll().await;
    desk.poll().await;
    desk.hotel.with(|truth| truth.reservations = backup);
    let report = desk.poll().await;
    assert_eq!(report.notes, ["pms_time_back"]);
    let report = desk.poll().await;
    assert_eq!(report.notes, Vec::<String>::new());
    let number = desk.hotel.book_new_guest(1, 1).expect("booked");
    desk.poll().await;
    assert_eq!(statuses(&desk, number), Some("confirmed"));
}

/// A hotel whose clock is months from ours is read by its own stamps.
#[tokio::test]
async fn s1_a_clock_months_off_loses_nothing() {
    for months in [-9, 7] {
        let today = chrono::Utc::now().date_naive() + chrono::Duration::days(30 * months);
        let mut desk = Desk::open(HotelOptions { reservations: 40, today: Some(today), ..HotelOptions::default() });
        desk.hotel.book_new_guest(1, 1).expect("booked");
        desk.poll().await;
        let number = desk.hotel.book_new_guest(1, 1).expect("booked");
        desk.poll().await;
        assert_eq!(statuses(&desk, number), Some("confirmed"), "{months} months");
    }
}

/// A clock that ran ahead for a while and was put right: what happens afterwards is not hidden behind it.
#[tokio::test]
async fn s1_a_clock_that_was_ahead_and_put_right_hides_nothing() {
    let mut desk = Desk::open(HotelOptions { reservations: 20, ..HotelOptions::default() });
    desk.hotel.with(|truth| truth.set_skew(chrono::Duration::days(2)));
    desk.hotel.book_new_guest(3, 1).expect("booked");
    let report = desk.poll().await;
    assert_eq!(report.notes, ["pms_clock_ahead"]);
    desk.hotel.with(|truth| truth.set_skew(chrono::Duration::zero()));
    let number = desk.hotel.book_new_guest(1, 1).expect("booked");
    desk.poll().await;
    assert_eq!(statuses(&desk, number), Some("confirmed"));
}

#[tokio::test]
async fn s1_a_crash_between_two_lots_loses_nothing() {
    let mut desk = Desk::open(HotelOptions { reservations: 100, ..HotelOptions::default() });
    desk.poll().await;
    desk.hotel.with(|truth| {
        let numbers: Vec<i64> = truth.reservations.keys().copied().collect();
        for number in numbers {
            truth.edit(number, |own| own.comments[0] = "изменено".into()).expect("edited");
        }
    });
    let mut rounds = 0;
    loop {
        desk.disk.full_after = Some(1);
        desk.restart();
        if desk.read(Read::Changes).await.is_ok() {
            break;
        }
        rounds += 1;
        assert!(rounds < 50);
    }
    desk.assert_complete();
    let marked = desk
        .disk
        .stays
        .values()
        .filter(|stay| stay.comments.get().is_some_and(|comments| comments.contains(&"изменено".to_owned())));
    assert_eq!(marked.count(), desk.disk.stays.len());
}

#[tokio::test]
async fn s1_an_erased_guest_is_told_as_an_order_to_erase() {
    let mut desk = Desk::open(HotelOptions { reservations: 40, ..HotelOptions::default() });
    desk.read(wide()).await.expect("read");
    desk.poll().await;
    let (number, stay) = desk.disk.stays.iter().next().expect("some");
    let (number, guest) = (number.clone(), stay.main_guest.get().expect("guest").to_string());
    desk.hotel.with(|truth| {
        truth.de_identify(guest.parse().expect("number"));
        truth.edit(number.parse().expect("number"), |_| {}).expect("touched");
    });
    desk.poll().await;
    assert_eq!(desk.disk.stays[&number].privacy_removed, Known::Is(true));
    assert_eq!(desk.disk.profiles[&guest].privacy_removed, Known::Is(true));
}

#[tokio::test]
async fn s1_a_living_day_is_followed_to_the_last_status() {
    let mut desk = Desk::open(HotelOptions { reservations: 150, rooms: 60, ..HotelOptions::default() });
    desk.read(wide()).await.expect("read");
    for round in 0..25 {
        for _ in 0..4 {
            desk.hotel.tick();
        }
        desk.hotel.with(|truth| truth.advance(chrono::Duration::seconds(40)));
        if round == 12 {
            desk.hotel.with(|truth| truth.night_audit());
            desk.restart();
        }
        desk.poll().await;
    }
    desk.hotel.with(|truth| truth.advance(chrono::Duration::seconds(40)));
    desk.poll().await;
    desk.assert_complete();
}

#[test]
fn s1_statuses_of_the_hotel_and_ours_have_the_same_words() {
    let theirs: Vec<_> = Status::ALL.iter().map(|status| status.word()).collect();
    let ours: Vec<_> = fidelio_bitrix24::domain::StayStatus::ALL.iter().map(|status| status.word()).collect();
    assert_eq!(theirs, ours);
}

#[tokio::test]
async fn s3_a_profile_that_was_merged_is_gone_or_inactive_and_its_stays_name_the_other() {
    for merges_remove in [false, true] {
        let mut desk = Desk::open(HotelOptions {
            reservations: 20,
            knobs: Knobs { merges_remove, ..Knobs::default() },
            ..HotelOptions::default()
        });
        desk.read(wide()).await.expect("read");
        desk.poll().await;
        let stays =
            [desk.hotel.book_new_guest(1, 2).expect("booked"), desk.hotel.book_new_guest(3, 2).expect("booked")];
        desk.poll().await;
        let guest =
            |desk: &Desk, stay: i64| desk.disk.stays[&stay.to_string()].main_guest.get().expect("guest").clone();
        let [from, into] = stays.map(|stay| guest(&desk, stay));
        desk.hotel.with(|truth| {
            truth.advance(chrono::Duration::seconds(2));
            let [from, into] = [&from, &into].map(|number| number.as_str().parse().expect("a number"));
            truth.merge_profiles(from, into);
        });
        desk.poll().await;
        assert_eq!(guest(&desk, stays[0]), into);
        desk.disk.profiles.remove(from.as_str());
        desk.read(Read::Profiles { numbers: vec![from.clone()] }).await.expect("read");
        let active = desk.disk.profiles.get(from.as_str()).map(|profile| profile.active.get().copied());
        assert_eq!(active, if merges_remove { None } else { Some(Some(false)) });
    }
}
