//! First reads: every stay and everybody it names, whatever the site's habits.

use super::*;

#[tokio::test]
async fn s1_a_hotel_is_read_whole_people_before_their_stays() {
    let mut desk = Desk::open(HotelOptions { reservations: 300, awkward: true, ..HotelOptions::default() });
    let report = desk.read(wide()).await.expect("read");
    desk.assert_complete();
    assert_eq!(report.unreadable, []);
    assert!(report.records >= 300);
    let mut seen = std::collections::HashSet::new();
    for record in &desk.disk.order {
        match record.split_once(' ').expect("kind") {
            ("profile", number) => {
                seen.insert(number.to_owned());
            }
            (_, number) => {
                let guests = desk.disk.stays[number].guests().into_iter().map(ToString::to_string);
                assert!(guests.into_iter().all(|guest| seen.contains(&guest)), "{number} came before its guests");
            }
        }
    }
    assert_eq!(desk.hotel.most_at_once(), 1);
}

/// Profiles are asked for in lots: far fewer requests than people.
#[tokio::test]
async fn s1_people_are_read_in_lots() {
    let mut desk = Desk::open(HotelOptions { reservations: 500, ..HotelOptions::default() });
    desk.read(wide()).await.expect("read");
    let requests = desk.hotel.requests();
    let profiles = requests.iter().filter(|seen| seen.types.contains(&"Profile".to_owned())).count();
    assert!(profiles * 20 < desk.disk.profiles.len(), "{profiles} requests for {} people", desk.disk.profiles.len());
    assert!(requests.len() < 120, "{} requests", requests.len());
}

#[tokio::test]
async fn s1_every_habit_of_a_site_is_read() {
    let all = Knobs::default();
    for (name, knobs, packed) in [
        ("windows-1251", Knobs { encoding: TextEncoding::Windows1251, ..all.clone() }, false),
        ("packed", Knobs { deflate: false, wrap_base64: true, entry_name: "Msg".into(), ..all.clone() }, true),
        ("packed 1251", Knobs { encoding: TextEncoding::Windows1251, packing: Packing::Always, ..all.clone() }, false),
        ("asks packed, gets plain", Knobs { packing: Packing::Never, ..all.clone() }, true),
        ("dates with time", Knobs { stay_dates: DateSpelling::DateTime, suffix_minutes: -60, ..all.clone() }, false),
        (
            "shuffled, no id, lower case",
            Knobs { shuffle_fields: true, echo_id: false, lower_case_status: true, ..all.clone() },
            false,
        ),
        ("hides states", Knobs { plain_includes_all: false, ..all.clone() }, false),
        ("empty row", Knobs { empty: EmptySpelling::EmptyRow, ..all.clone() }, false),
        ("empty nothing", Knobs { empty: EmptySpelling::Nothing, ..all.clone() }, false),
        ("empty NG", Knobs { empty: EmptySpelling::NotFound, ..all.clone() }, false),
        ("strict fields", Knobs { unknown_field: UnknownField::Refuse, ..all.clone() }, false),
        ("no stamps", Knobs { last_update_selectable: false, ..all.clone() }, false),
        (
            "no stamps, strict",
            Knobs { last_update_selectable: false, unknown_field: UnknownField::Refuse, ..all.clone() },
            false,
        ),
        ("dirty notes", Knobs { dirty_notes: true, ..all.clone() }, false),
    ] {
        let options = HotelOptions { reservations: 60, knobs, ..HotelOptions::default() };
        let mut desk = Desk::open_with(options, |settings| settings.packed = packed);
        let report = desk.read(wide()).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(report.unreadable, [], "{name}");
        desk.assert_complete();
        let cyrillic = desk.disk.profiles.values().filter_map(|p| p.last_name.get());
        assert!(cyrillic.clone().any(|name| name.chars().any(|c| ('а'..='я').contains(&c))), "{name}");
    }
}

#[tokio::test]
async fn s1_an_interrupted_first_read_goes_on_where_it_stood() {
    let mut desk = Desk::open(HotelOptions { reservations: 400, ..HotelOptions::default() });
    let mut rounds = 0;
    loop {
        desk.disk.full_after = Some(3);
        let before = desk.disk.state.clone();
        match desk.read(wide()).await {
            Ok(_) => break,
            Err(error) => assert_eq!(error, SourceError::Sink("full".into())),
        }
        rounds += 1;
        assert_ne!(desk.disk.state, before, "no progress");
        assert!(rounds < 60);
    }
    assert!(rounds >= 2);
    desk.assert_complete();
}

#[tokio::test]
async fn s1_today_is_read_first() {
    let mut desk = Desk::open(HotelOptions { reservations: 400, ..HotelOptions::default() });
    desk.read(wide()).await.expect("read");
    let today = desk.hotel.with(|truth| truth.system_date);
    let arrivals: Vec<_> = desk
        .disk
        .order
        .iter()
        .filter_map(|record| record.strip_prefix("stay "))
        .map(|number| *desk.disk.stays[number].arrival.get().expect("arrival"))
        .collect();
    let next = today + chrono::Duration::days(1);
    let near = arrivals.iter().filter(|date| (today..=next).contains(*date)).count();
    assert!(near > 0);
    assert!(arrivals[..near].iter().all(|date| (today..=next).contains(date)));
}

#[tokio::test]
async fn s1_stays_and_profiles_are_read_by_number() {
    let mut desk = Desk::open(HotelOptions {
        reservations: 50,
        knobs: Knobs { plain_includes_all: false, ..Knobs::default() },
        ..HotelOptions::default()
    });
    let numbers: Vec<_> = desk.hotel.with(|truth| {
        let own = truth.reservations.values().filter(|r| !r.financial_account);
        own.map(|r| r.number.to_string()).collect()
    });
    let mut wanted: Vec<_> = numbers.iter().map(|n| n.parse().expect("number")).collect();
    wanted.push("99999999".parse().expect("number"));
    let report = desk.read(Read::Stays { numbers: wanted }).await.expect("read");
    assert_eq!(report.missing, ["99999999"]);
    desk.assert_complete();
    let profile = desk.disk.profiles.keys().next().cloned().expect("some");
    desk.disk.profiles.clear();
    let numbers = vec![profile.parse().expect("number")];
    desk.read(Read::Profiles { numbers }).await.expect("read");
    assert_eq!(desk.disk.profiles.len(), 1);
}

/// Companions, sharers, groups, notes and own fields reach the model.
#[tokio::test]
async fn s1_what_belongs_to_a_stay_is_read_with_it() {
    let mut desk = Desk::open(HotelOptions { reservations: 300, ..HotelOptions::default() });
    desk.read(wide()).await.expect("read");
    let stays = &desk.disk.stays;
    desk.hotel.with(|truth| {
        let mut checked = [0; 6];
        for (number, stay) in stays {
            let own = &truth.reservations[&number.parse::<i64>().expect("number")];
            let companions: Vec<String> =
                stay.companions.get().into_iter().flatten().map(|c| c.profile.to_string()).collect();
            assert_eq!(companions, own.companions.iter().map(ToString::to_string).collect::<Vec<_>>(), "{number}");
            let notes: Vec<&str> = stay.notes.get().into_iter().flatten().map(|note| note.text.as_str()).collect();
            assert_eq!(notes.len(), own.notes.len(), "{number}");
            assert_eq!(stay.sharers.get().is_some(), own.share != 0, "{number}");
            assert_eq!(
                stay.company.get().map(ToString::to_string),
                (own.company != 0).then(|| own.company.to_string())
            );
            assert_eq!(stay.travel_agent.get().is_some(), own.agent != 0);
            assert_eq!(stay.group.get().is_some(), own.group != 0);
            for (index, had) in [
                !companions.is_empty(),
                !notes.is_empty(),
                own.share != 0,
                own.company != 0,
                own.agent != 0,
                own.group != 0,
            ]
            .into_iter()
            .enumerate()
            {
                checked[index] += usize::from(had);
            }
            if let Some(company) = stay.company.get() {
                assert!(desk.disk.profiles[company.as_str()].kind.get().is_some_and(|kind| kind.is_company()));
            }
        }
        assert!(checked.iter().all(|count| *count > 0), "the hotel has too little of it: {checked:?}");
    });
}
