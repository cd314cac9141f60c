use chrono::Duration;

use super::super::model::Note;
use super::super::{DateSpelling, HotelOptions, Knobs, UnknownField};
use super::*;

const CODES: &[&str] = &["GuestNum", "ReservationState", "ReservationStatus", "NoAvailReason", "ResStatusPriorCXL"];

#[tokio::test]
async fn s49_state_status_and_reason_of_every_status() {
    let hotel = demo(Knobs::default()).await;
    hotel.with(|s| {
        for (i, status) in Status::ALL.into_iter().enumerate() {
            book(s, 100 + i64::try_from(i).unwrap(), 4, 8, status);
        }
        s.edit(104, |r| r.checked_in = Some(at(4, 15, 12))).unwrap();
        s.edit(105, |r| (r.checked_in, r.checked_out) = (Some(at(3, 15, 0)), Some(at(4, 11, 0)))).unwrap();
        s.edit(106, |r| r.status_before_cancel = Some(Status::Confirmed)).unwrap();
        book(s, 108, 5, 8, Status::Confirmed);
        s.check_in(108).unwrap();
        book(s, 109, 4, 5, Status::InHouse);
        s.check_out(109).unwrap();
    });
    let answer = ask(&hotel, &reservations(&only("GuestNum", "lt", "200"), CODES)).await;
    let found: Vec<Vec<String>> =
        rows(&answer).iter().map(|row| CODES.iter().map(|c| plain(row, c).unwrap()).collect()).collect();
    let expected = [
        ["100", "5", "3", "2", ""],
        ["101", "0", "0", "0", ""],
        ["102", "0", "3", "1", ""],
        ["103", "0", "1", "0", ""],
        // In house since yesterday: 0, not 1.
        ["104", "0", "1", "0", ""],
        ["105", "2", "1", "0", ""],
        ["106", "3", "3", "3", "1"],
        ["107", "4", "3", "4", ""],
        ["108", "1", "1", "0", ""],
        ["109", "2", "1", "0", ""],
    ];
    assert_eq!(found, expected);
    // As a condition, 2 finds only today's check-outs.
    let answer = ask(&hotel, &reservations(&only("ReservationState", "eq", "2"), &["GuestNum"])).await;
    assert_eq!(column(&answer, "GuestNum"), ["109"]);
    // Before 1.1.0 the status condition means something else and the state is unknown.
    let old = reservations(&only("ReservationStatus", "eq", "3"), CODES).replace("1.1.0", "1.0.7");
    let answer = ask(&hotel, &old).await;
    assert_eq!(column(&answer, "GuestNum"), ["106"]);
    assert!(column(&answer, "ReservationState").is_empty());
    assert_eq!(answer.attribute("Version"), Some("1.0.7"));
}

#[tokio::test]
async fn s49_a_plain_query_may_hide_what_is_over() {
    let hotel = demo(Knobs { plain_includes_all: false, ..Knobs::default() }).await;
    hotel.with(|s| {
        book(s, 50118, 12, 14, Status::Cancelled);
        book(s, 50119, 12, 14, Status::Offer);
    });
    let plain_query = ask(&hotel, &reservations("", &["GuestNum"])).await;
    assert_eq!(column(&plain_query, "GuestNum"), ["50117"]);
    let cancelled = ask(&hotel, &reservations(&only("ReservationState", "eq", "3"), &["GuestNum"])).await;
    assert_eq!(column(&cancelled, "GuestNum"), ["50118"]);
    let by_number = ask(&hotel, &reservations(&only("GuestNum", "eq", "50119"), &["GuestNum"])).await;
    assert_eq!(column(&by_number, "GuestNum"), ["50119"]);
}

#[tokio::test]
async fn s49_dates_money_and_the_servers_own_order() {
    let hotel = demo(Knobs { stay_dates: DateSpelling::Mixed, ..Knobs::default() }).await;
    hotel.with(|s| {
        book(s, 50118, 12, 15, Status::Confirmed);
        s.edit(50118, |r| r.total = 2_220_050).unwrap();
    });
    let asked =
        ["TotalStay", "RateValue", "CurrencyCode", "GuestArrival", "GuestNum", "GuestName", "Nonsense", "GuestNum"];
    let answer = ask(&hotel, &reservations("", &asked)).await;
    assert_eq!(column(&answer, "GuestArrival"), ["12.03.2026 00:00:00.000 UTC-180", "12.03.2026"]);
    assert_eq!(column(&answer, "TotalStay"), ["22200", "22200.5"]);
    let order: Vec<_> = rows(&answer)[0].iter().map(|f| f.attribute("name").unwrap().to_owned()).collect();
    assert_eq!(order, ["GuestName", "GuestNum", "GuestArrival", "RateValue", "TotalStay", "CurrencyCode"]);
    hotel.with(|s| s.knobs.unknown_field = UnknownField::Refuse);
    assert_eq!(status(&ask(&hotel, &reservations("", &asked)).await), "IR");
}

#[tokio::test]
async fn s49_everything_with_several_elements() {
    let hotel = demo(Knobs::default()).await;
    hotel.with(|s| {
        for (id, last, first) in [(70413, "Пробный", "Лев"), (70420, "Соседов", "Илья")] {
            let mut p =
                super::super::people::blank_profile(id, super::super::model::ProfileKind::Individual, at(1, 1, 1));
            (p.name, p.first_name) = (last.into(), first.into());
            s.profiles.insert(id, p);
        }
        book(s, 50121, 12, 15, Status::Confirmed);
        s.parties.insert(310, "Свадьба демо".into());
        s.edit(50121, |r| (r.profile, r.share, r.party) = (70420, 1, 310)).unwrap();
        s.edit(50117, |r| {
            (r.share, r.party) = (1, 310);
            r.companions = vec![70413];
            r.children = vec![("JUN".into(), 1)];
            r.packages = vec![("SPA".into(), 150_000, false)];
            r.notes = vec![Note {
                id: 1601,
                category: "NF".into(),
                text: "Тихий номер.\nПосле 22:00 & <уточнить>".into(),
                guest_may_see: false,
            }];
            r.custom = vec![super::super::model::CustomField {
                name: "TRANSFER_AT".into(),
                kind: "Date".into(),
                value: "2026-03-12T13:40:00".into(),
            }];
        })
        .unwrap();
    });
    let asked = [
        "AccompanyingGuests",
        "Share",
        "HasShare",
        "PartyID",
        "PartyName",
        "PartyReservation",
        "PartyMember",
        "Notes",
        "NotesList",
        "CustomField",
        "Child",
        "Package",
    ];
    let text = send(&hotel, reservations(&only("GuestNum", "eq", "50117"), &asked)).await.text().await.unwrap();
    for part in [
        "<field name=\"HasShare\">1</field>",
        "<field name=\"PartyName\">Свадьба демо</field>",
        "<field name=\"AccompanyingGuest\" name1=\"Пробный\" name2=\"\" name3=\"Лев\" BedGuestNum=\"0\">70413</field>",
        "<field name=\"Share\" profileID=\"70420\" name1=\"Соседов\" name2=\"\" name3=\"Илья\">50121</field>",
        "<field name=\"PartyReservation\">50121</field>",
        "<field name=\"PartyMember\" resID=\"50121\" name1=\"Соседов\" name2=\"\" name3=\"Илья\">70420</field>",
        "<field name=\"Notes\"></field>",
        "<field name=\"Notes\" attr=\"NF\" addData=\"0\" noteID=\"1601\">Тихий номер.\nПосле 22:00 &amp; &lt;уточнить&gt;</field>",
        "<field name=\"CustomField\" attr=\"TRANSFER_AT\" addData=\"Date\">12.03.2026 13:40:00.000 UTC-180</field>",
        "<field name=\"Child\" attr=\"JUN\">1</field>",
        "<field name=\"Package\" attr=\"SPA\" Included=\"0\">1500</field>",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert_eq!(text.matches("name=\"Notes\"").count(), 2, "duplicate names are harmless");
}

#[tokio::test]
async fn s49_phones_and_addresses_need_their_switch() {
    let hotel = demo(Knobs::default()).await;
    let bare = ["ProfileID", "Email", "Telephone", "City"];
    let answer = ask(&hotel, &profiles("", &bare)).await;
    assert_eq!(rows(&answer)[0].len(), 4);
    assert_eq!(column(&answer, "Email"), ["vera.probnaya@example.com"]);
    let full = ["Communications", "Addresses", "Email", "Telephone", "City"];
    let text = send(&hotel, profiles("", &full)).await.text().await.unwrap();
    for part in [
        "<field name=\"City\">Тверь</field>",
        "<field name=\"PrimaryAddr\" attr=\"ADR\" addData=\"81001\">1</field>",
        "<field name=\"City\" attr=\"ADR\" addData=\"81001\">Тверь</field>",
        "<field name=\"Email\" attr=\"EBD\" addData=\"91002\" CommType=\"1\" PhoneRole=\"0\" Primary=\"0\">office@example.org</field>",
        "<field name=\"Telephone\" attr=\"PBM\" addData=\"91003\" CommType=\"0\" PhoneRole=\"1\" Primary=\"1\">+7 900 000-00-01</field>",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!text.contains("Street1"), "only what was asked");
    let by_mail = ask(&hotel, &profiles(&only("EMail", "eq", "office@example.org"), &["ProfileID"])).await;
    assert_eq!(column(&by_mail, "ProfileID"), ["70412"]);
}

#[tokio::test]
async fn s49_a_new_booking_is_half_built_for_a_moment() {
    let hotel = demo(Knobs { half_built: std::time::Duration::from_secs(2), ..Knobs::default() }).await;
    let number = hotel.book_new_guest(3, 2).unwrap();
    let body = reservations(&only("GuestNum", "eq", &number.to_string()), &["RoomType", "TotalStay", "LastUpdateTime"]);
    let answer = ask(&hotel, &body).await;
    assert_eq!(column(&answer, "RoomType"), [""]);
    assert_eq!(column(&answer, "LastUpdateTime"), ["05.03.2026 10:30:00.000 UTC-180"]);
    hotel.with(|s| s.advance(Duration::seconds(2)));
    let answer = ask(&hotel, &body).await;
    assert_ne!(column(&answer, "RoomType"), [""]);
    assert_eq!(column(&answer, "LastUpdateTime"), ["05.03.2026 10:30:02.000 UTC-180"]);
}

#[tokio::test]
async fn s49_rows_multiply_by_night_only_when_both_are_asked() {
    let hotel = demo(Knobs::default()).await;
    assert_eq!(rows(&ask(&hotel, &reservations("", &["GuestNum", "ReservationDetails"])).await).len(), 1);
    let nights = ask(&hotel, &reservations("", &["GuestNum", "ReservationDetails", "DetailDate"])).await;
    assert_eq!(rows(&nights).len(), 3);
}

#[tokio::test]
async fn s49_a_forgotten_guest_says_so() {
    let hotel = demo(Knobs::default()).await;
    hotel.with(|s| s.de_identify(70412));
    let answer = ask(&hotel, &reservations("", &["GuestNum", "GuestName"])).await;
    assert_eq!(column(&answer, "privacyRemoved"), ["Yes"]);
    assert_eq!(column(&answer, "GuestName"), [""]);
    assert!(column(&ask(&hotel, &profiles("", &["ProfileID"])).await, "privacyRemoved").is_empty());
    let answer = ask(&hotel, &profiles("", &["ProfileID", "IncludeNotCommited"])).await;
    assert_eq!(column(&answer, "privacyRemoved"), ["Yes"]);
}

#[tokio::test]
async fn s49_code_tables() {
    let hotel = demo(Knobs::default()).await;
    for (what, field, count) in [
        ("CurrencyList", "CurrencyISO3", 3),
        ("RoomType", "RoomTypeShortDesc", 6),
        ("Country", "CountryISO2", 10),
        ("NoteCategory", "NoteCategoryShortDescription", 3),
        ("Market", "MarketShortdesc", 5),
        ("Source", "SourceCode", 5),
        ("Channel", "ChannelCode", 4),
        ("Department", "DepartmentCode", 5),
    ] {
        let answer = ask(&hotel, &query(&format!("ReqType=\"{what}\">{}</query>", fields(&[field])))).await;
        assert_eq!(column(&answer, field).len(), count, "{what}");
    }
    let one = format!(
        "ReqType=\"CurrencyList\">{}{}</query>",
        only("CurrencyShortdesc", "eq", "РУБ"),
        fields(&["CurrencyShortdesc", "CurrencyISO3", "CurrencyDigits"])
    );
    assert_eq!(column(&ask(&hotel, &query(&one)).await, "CurrencyISO3"), ["RUB"]);
    assert_eq!(column(&ask(&hotel, &query("ReqType=\"SystemInfo\"/>")).await, "LicenseNoOfRooms"), ["96"]);
}

#[tokio::test]
async fn s49_the_same_seed_gives_the_same_hotel_and_its_day_goes_on() {
    let options = || HotelOptions { now: Some(at(5, 10, 30)), ..HotelOptions::default() };
    let (mut one, other) = (super::super::build(&options()), super::super::build(&options()));
    assert_eq!(one.reservations, other.reservations);
    assert_eq!(one.profiles, other.profiles);
    for status in Status::ALL {
        assert!(one.reservations.values().filter(|r| r.status == status).count() >= 3, "{status:?}");
    }
    let today = one.system_date;
    let arrivals = |s: &super::super::HotelState| {
        s.reservations.values().filter(|r| r.arrival == today && r.status == Status::Confirmed).count()
    };
    assert!(arrivals(&one) >= 10);
    let taken: Vec<&str> = one
        .reservations
        .values()
        .filter(|r| r.status == Status::InHouse && r.share == 0)
        .map(|r| r.room.as_str())
        .collect();
    let distinct: std::collections::BTreeSet<&str> = taken.iter().copied().collect();
    assert_eq!(taken.len(), distinct.len(), "one room, one stay");
    let mut dice = super::super::dice::Dice::new(7);
    let happened = (0..300).filter(|_| super::super::day::tick(&mut one, &mut dice).is_some()).count();
    assert!(happened > 250, "{happened}");
    let kinds: std::collections::BTreeSet<_> = one.journal.iter().map(|h| h.what).collect();
    assert!(kinds.len() >= 7, "{kinds:?}");
    let missed = one.night_audit();
    assert_eq!(one.system_date, today.succ_opt().unwrap());
    assert!(one.reservations.values().filter(|r| r.status == Status::NoShow).count() >= missed);
}
