use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::domain::{Profile, ProfileKind, Stay, StayStatus};
use crate::fidelio::suite8::fields::{PROFILE, RESERVATION};
use crate::fidelio::suite8::xml::{Item, Limits, Reader};

/// The rows of `fields`, each a row's inside.
fn rows(insides: &[&str]) -> Vec<Row> {
    let rows: String = insides.iter().map(|inside| format!("<row><fields>{inside}</fields></row>")).collect();
    let text = format!(
        "<fidelio><response Status='OK'><queryResponse><rows>{rows}</rows></queryResponse></response></fidelio>"
    );
    let mut out = Vec::new();
    let mut reader = Reader::new(Limits::default());
    reader.feed(text.as_bytes(), &mut out).expect("well-formed");
    reader.finish(&mut out).expect("whole");
    out.into_iter().filter_map(|item| if let Item::Row(row) = item { Some(clean(row)) } else { None }).collect()
}

fn with<T>(off: &[&str], read: impl FnOnce(&Context<'_>) -> T) -> T {
    let rub = Currency::parse("RUB").expect("iso");
    read(&Context {
        currencies: &|code| match code {
            "РУБ" => Currency::parse("RUB").ok(),
            "EU" => Currency::parse("EUR").ok(),
            _ => None,
        },
        currency: &rub,
        country: Some("RU"),
        groups: &|group| !off.contains(&group),
    })
}

fn read_stay(inside: &str, off: &[&str]) -> Result<ReadStay, Unreadable> {
    let rows = rows(&[inside]);
    with(off, |context| stay(&rows[0], context))
}

const BASE: &str = r#"<field name="GuestNum">0060017</field><field name="ReservationType">RES</field><field name="ReservationState">0</field><field name="ReservationStatus">1</field><field name="NoAvailReason">0</field><field name="GuestArrival">12.03.2026 00:00:00.000 UTC-180</field><field name="GuestDeparture">15.03.2026</field><field name="CheckinDateTime"></field><field name="CheckoutDateTime"></field>"#;

fn good(more: &str) -> (Stay, Vec<String>) {
    match read_stay(&format!("{BASE}{more}"), &[]).expect("readable") {
        ReadStay::Stay { stay, remarks } => (*stay, remarks),
        ReadStay::FinancialAccount => panic!("a stay"),
    }
}

fn read_profile(inside: &str) -> (Profile, Vec<String>) {
    let rows = rows(&[inside]);
    with(&[], |context| profile(&rows[0], context)).expect("readable")
}

#[test]
fn s1_a_reservation_becomes_a_stay() {
    let (stay, remarks) = good(
        r#"<field name="ProfileID">80412</field><field name="RoomType">TWN</field><field name="RoomNum"></field><field name="NoOfAdults">2</field><field name="NoOfRooms">1</field><field name="Child" attr="JUN">1</field><field name="Child" attr="BABY">0</field><field name="RateCode">HB_LONG</field><field name="TotalStay">31800.5</field><field name="CurrencyCode">РУБ</field><field name="CompanyID">0</field><field name="TravelAgentID">80500</field><field name="GroupID">0</field><field name="GroupName"></field><field name="ReservationComment1">поздний заезд</field><field name="ReservationComment2"></field><field name="CrsResNumber">D-204</field><field name="LastUpdateTime">05.03.2026 09:58:41.000 UTC-180</field><field name="CreationTime">01.03.2026 18:20:05.000 UTC-180</field>"#,
    );
    assert_eq!(remarks, Vec::<String>::new());
    assert_eq!(stay.number.as_str(), "60017");
    assert_eq!(stay.status, Known::Is(StayStatus::Confirmed));
    assert_eq!((stay.nights(), stay.rooms, stay.adults), (Some(3), Known::Is(1), Known::Is(2)));
    assert_eq!(stay.children, Known::Is(BTreeMap::from([("JUN".to_owned(), 1)])));
    assert_eq!(stay.main_guest.get().map(|id| id.as_str()), Some("80412"));
    assert_eq!((stay.company, stay.travel_agent.get().map(|id| id.as_str())), (Known::Empty, Some("80500")));
    assert_eq!((stay.room, stay.group), (Known::Empty, Known::Empty));
    let total = stay.total.get().expect("known");
    assert_eq!((total.amount.to_string().as_str(), total.currency.as_str()), ("31800.5", "RUB"));
    assert_eq!(stay.comments, Known::Is(vec!["поздний заезд".to_owned()]));
    assert_eq!(stay.crs_number, Known::Is("D-204".to_owned()));
    assert_eq!(stay.booked_on.get().map(ToString::to_string).as_deref(), Some("2026-03-01"));
    assert_eq!(stay.updated_at.get().map(ToString::to_string).as_deref(), Some("2026-03-05 09:58:41"));
    // Lists that were asked for and did not come have no entries; fields that did not come are not told.
    assert_eq!(
        (stay.companions, stay.sharers, stay.notes, stay.custom),
        (Known::Empty, Known::Empty, Known::Empty, Known::Empty)
    );
    assert_eq!((stay.market, stay.option_until, stay.balance), (Known::Absent, Known::Absent, Known::Absent));
}

#[test]
fn s1_what_was_not_asked_for_is_not_told() {
    let off = ["Notes", "AccompanyingGuests", "Share", "CustomField"];
    let ReadStay::Stay { stay, .. } = read_stay(BASE, &off).expect("readable") else { panic!("a stay") };
    assert_eq!(
        (stay.companions, stay.sharers, stay.notes, stay.custom),
        (Known::Absent, Known::Absent, Known::Absent, Known::Absent)
    );
}

#[test]
fn s1_people_notes_and_own_fields_of_a_stay_are_read() {
    let (stay, remarks) = good(
        r#"<field name="AccompanyingGuest" name1="Тестов" name2="Ильич" name3="Лев" BedGuestNum="0">80413</field><field name="AccompanyingGuest" name1="" name3="">0</field><field name="HasShare">1</field><field name="Share" profileID="80420" name1="Соседкин" name2="" name3="Пётр">60021</field><field name="PartyID">310</field><field name="PartyName">Юбилей</field><field name="Notes"></field><field name="Notes" attr="NF" addData="0" noteID="1601">Тихий номер.
После 22:00 &amp; без завтрака</field><field name="Notes" attr="RES" addData="1" noteID="1602">Добро пожаловать!</field><field name="CustomField" attr="DEAL" addData="String">D-204</field><field name="CustomField" attr="FREE" addData="String"></field>"#,
    );
    assert_eq!(remarks, Vec::<String>::new());
    let companions = stay.companions.get().expect("known");
    assert_eq!((companions.len(), companions[0].name.as_str()), (1, "Тестов Лев Ильич"));
    let sharer = &stay.sharers.get().expect("known")[0];
    assert_eq!((sharer.profile.as_str(), sharer.stay.as_ref().map(|s| s.as_str())), ("80420", Some("60021")));
    assert_eq!(stay.party.get().map(|party| party.name.as_str()), Some("Юбилей"));
    let notes = stay.notes.get().expect("known");
    assert_eq!(notes.len(), 2);
    assert_eq!((notes[0].text.as_str(), notes[0].guest_may_see), ("Тихий номер.\nПосле 22:00 & без завтрака", false));
    assert_eq!((notes[1].category.as_str(), notes[1].guest_may_see), ("RES", true));
    assert_eq!(stay.custom, Known::Is(BTreeMap::from([("DEAL".to_owned(), "D-204".to_owned())])));
}

#[test]
fn s1_every_role_and_group_of_a_stay_is_read() {
    let (stay, remarks) = good(
        r#"<field name="CompanyID">80501</field><field name="CompanyName">ООО Пример</field><field name="TravelAgentID">80502</field><field name="SourceID">80503</field><field name="BookerID">80504</field><field name="GroupID">77</field><field name="GroupName">Конгресс</field><field name="BlockCode">KONGR</field><field name="MarketCode">CORP</field><field name="SourceCode">WEB</field><field name="ChannelCode">OTA</field><field name="Guarantee">CC</field><field name="HasShare">0</field><field name="OptionDate">10.03.2026</field><field name="CustomField" attr="TRANSFER_AT" addData="Date">12.03.2026 13:40:00.000 UTC-180</field><field name="CustomField" attr="PAX" addData="Integer">3</field>"#,
    );
    assert_eq!(remarks, Vec::<String>::new());
    let number = |role: &Known<crate::domain::ProfileNumber>| role.get().map(ToString::to_string).unwrap_or_default();
    let roles = [&stay.company, &stay.travel_agent, &stay.source_profile, &stay.booker].map(number);
    assert_eq!(roles, ["80501", "80502", "80503", "80504"]);
    assert_eq!(stay.group.get().map(|group| (group.number.as_str(), group.name.as_str())), Some(("77", "Конгресс")));
    let text = |fact: &Known<String>| fact.get().cloned().unwrap_or_default();
    let codes = [&stay.block, &stay.market, &stay.source, &stay.channel, &stay.guarantee].map(text);
    assert_eq!(codes, ["KONGR", "CORP", "WEB", "OTA", "CC"]);
    assert_eq!((stay.sharers, stay.party), (Known::Empty, Known::Absent));
    assert_eq!(stay.option_until.get().map(ToString::to_string).as_deref(), Some("2026-03-10"));
    let custom = stay.custom.get().expect("known");
    let kept = [("PAX", "3"), ("TRANSFER_AT", "12.03.2026 13:40:00.000 UTC-180")];
    assert_eq!(custom.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>(), kept);
}

#[test]
fn s1_money_in_an_unknown_currency_is_left_out_and_named() {
    let total = |more: &str| {
        let (stay, remarks) = good(more);
        (stay.total.map(|money| format!("{} {}", money.amount, money.currency)), remarks)
    };
    let field = |name: &str, text: &str| format!("<field name='{name}'>{text}</field>");
    let unknown = total(&(field("TotalStay", "100") + &field("CurrencyCode", "RUB")));
    assert_eq!(unknown, (Known::Absent, vec!["TotalStay: its currency is not in the hotel's list".to_owned()]));
    // Without a code it is the hotel's own currency.
    assert_eq!(total(&(field("TotalStay", "100") + &field("CurrencyCode", ""))).0, Known::Is("100 RUB".to_owned()));
    // In a foreign currency there is an amount of its own.
    let foreign = field("TotalStay", "9000") + &field("ForeignTotalStay", "90.10") + &field("CurrencyCode", "EU");
    assert_eq!(total(&foreign).0, Known::Is("90.10 EUR".to_owned()));
    assert_eq!(total(&(field("TotalStay", "") + &field("CurrencyCode", "EU"))).0, Known::Empty);
    assert_eq!(total(&field("TotalStay", "1,5")), (Known::Absent, vec!["TotalStay: not a number".to_owned()]));
}

#[test]
fn s1_financial_accounts_are_no_stays() {
    let account = BASE.replace(">RES<", ">FA<");
    assert_eq!(read_stay(&account, &[]), Ok(ReadStay::FinancialAccount));
}

#[test]
fn s1_what_cannot_be_understood_is_named_not_guessed() {
    for (from, to, number, why) in [
        ("0060017", "", "", "GuestNum: missing"),
        ("0060017", "0", "", "GuestNum: missing"),
        ("0060017", "A-1", "", "GuestNum: not a number"),
        ("12.03.2026 00", "31.02.2026 00", "60017", "GuestArrival: not a date"),
        ("15.03.2026", "15.03.9026", "60017", "GuestDeparture: a date outside 1900-2199"),
        ("15.03.2026", "11.03.2026", "60017", "GuestDeparture: before the arrival"),
        ("15.03.2026", "", "60017", "GuestArrival, GuestDeparture: missing"),
        (
            "<field name=\"ReservationStatus\">1",
            "<field name=\"ReservationStatus\">3",
            "60017",
            "status: no known status",
        ),
        ("<field name=\"NoAvailReason\">0", "<field name=\"NoAvailReason\">x", "60017", "NoAvailReason: not a number"),
        ("15.03.2026", "15.03.2026\u{FFFF}", "60017", "bytes that do not belong"),
    ] {
        // The mark of a broken encoding is put in as the decoder puts it, behind the parser's back.
        let plain = BASE.replacen(from, &to.replace('\u{FFFF}', "&#63;"), 1);
        let mut rows = rows(&[&plain]);
        for field in &mut rows[0].fields {
            if to.contains('\u{FFFF}') {
                field.text = field.text.replace('?', "\u{FFFF}");
            }
        }
        let unreadable = with(&[], |context| stay(&rows[0], context)).expect_err(why);
        assert_eq!(unreadable.number, number, "{why}");
        assert!(unreadable.why.starts_with(why), "{why}: {}", unreadable.why);
    }
    // A slip in a lesser field costs that field only.
    let (stay, remarks) = good("<field name='OptionDate'>99.99.2026</field><field name='NoOfAdults'>two</field>");
    assert_eq!((stay.option_until, stay.adults), (Known::Absent, Known::Absent));
    assert_eq!(remarks.len(), 2);
}

#[test]
fn s1_an_erased_guest_is_an_order_to_erase_not_blanks() {
    let row = r#"<field name="GuestNum">59001</field><field name="ProfileID">70001</field><field name="GuestName"></field><field name="privacyMessage">Profile information no longer available</field><field name="privacyRemoved">Yes</field>"#;
    let Ok(ReadStay::Stay { stay, .. }) = read_stay(row, &[]) else { panic!("a stay") };
    assert_eq!(stay.privacy_removed, Known::Is(true));
    assert_eq!((stay.status, stay.arrival, stay.companions), (Known::Absent, Known::Absent, Known::Absent));
    let (profile, _) = read_profile(
        r#"<field name="ProfileID">70001</field><field name="GuestName"></field><field name="privacyRemoved">Yes</field>"#,
    );
    assert_eq!((profile.privacy_removed, profile.last_name), (Known::Is(true), Known::Absent));
}

const GUEST: &str = r#"<field name="GuestFirstname">Вера</field><field name="GuestName">Образцова</field><field name="ProfileID">80412</field><field name="ProfileType">2</field><field name="ProfileCategory">4</field><field name="City">Тверь</field><field name="Email">vera.obraztsova@example.com</field><field name="Fax"></field><field name="Street1">ул. Первая, 7</field><field name="Street2"></field><field name="Telephone">+7 900 000-00-01</field><field name="ZIP">170000</field><field name="DeleteCode">0</field><field name="CountryISO2">ru</field><field name="NoMailing">1</field><field name="Birthday"></field><field name="PrimaryAddr" attr="ADR" addData="81001">111</field><field name="City" attr="ADR" addData="81001">Тверь</field><field name="PrimaryAddr" attr="BIL" addData="81002">0</field><field name="City" attr="BIL" addData="81002">Клин</field><field name="Email" attr="EPR" addData="91001" CommType="1" PhoneRole="0" Primary="1">vera.obraztsova@example.com</field><field name="Email" attr="EBD" addData="91002" Primary="0">office@example.org; OFFICE@example.org, not-an-address</field><field name="Telephone" attr="PHO" addData="91004" Primary="0">8 (4822) 32-00-02</field><field name="Telephone" attr="PBM" addData="91003" Primary="1">+7 900 000-00-01</field><field name="Telephone" attr="PBM" addData="91009" Primary="0">8 900 000 00 01</field>"#;

#[test]
fn s1_a_profile_keeps_every_phone_and_address_of_a_person() {
    let (guest, remarks) = read_profile(GUEST);
    assert_eq!(remarks, ["Email: not an address"]);
    assert_eq!(guest.kind, Known::Is(ProfileKind::Guest));
    assert_eq!(guest.display_name(), "Образцова Вера");
    assert_eq!((guest.active, guest.no_mailing), (Known::Is(true), Known::Is(true)));
    assert_eq!((guest.birth_date, guest.middle_name, guest.vip), (Known::Empty, Known::Absent, Known::Absent));
    let phones = guest.phones.get().expect("known");
    let shown: Vec<_> = phones.iter().map(|p| (p.kind.as_str(), p.primary, p.phone.e164.as_deref())).collect();
    assert_eq!(shown, [("PBM", true, Some("+79000000001")), ("PHO", false, Some("+74822320002"))]);
    let emails = guest.emails.get().expect("known");
    let shown: Vec<_> = emails.iter().map(|e| (e.kind.as_str(), e.primary, e.address.as_str())).collect();
    assert_eq!(shown, [("EPR", true, "vera.obraztsova@example.com"), ("EBD", false, "office@example.org")]);
    let address = guest.address.get().expect("known");
    assert_eq!((address.city.as_deref(), address.country.as_deref()), (Some("Тверь"), Some("RU")));
    assert_eq!(address.street, ["ул. Первая, 7"]);
}

#[test]
fn s1_what_a_guest_prefers_is_kept_with_the_sites_own_code() {
    let (profile, remarks) = read_profile(
        r#"<field name="ProfileID">1</field><field name="ProfilePreference" attr="NSM">Номер для некурящих</field><field name="ProfilePreference" attr="HFL"></field><field name="ProfilePreference" attr=" "></field>"#,
    );
    assert_eq!(remarks, Vec::<String>::new());
    let liked = profile.preferences.get().into_iter().flatten().map(|one| (one.code.as_str(), one.text.as_str()));
    assert_eq!(liked.collect::<Vec<_>>(), [("NSM", "Номер для некурящих"), ("HFL", "HFL")]);
    let row = rows(&["<field name='ProfileID'>1</field>"]);
    let read = |off: &[&str]| with(off, |context| super::profile(&row[0], context)).expect("readable").0.preferences;
    assert_eq!((read(&[]), read(&["ProfilePreferences"])), (Known::Empty, Known::Absent), "untold is not none");
}

#[test]
fn s1_empty_lists_of_a_profile_are_empty_and_missing_ones_untold() {
    let (guest, _) = read_profile("<field name='ProfileID'>1</field><field name='Telephone'></field>");
    assert_eq!((guest.phones, guest.emails, guest.address), (Known::Empty, Known::Absent, Known::Absent));
    let (guest, _) = read_profile("<field name='ProfileID'>1</field><field name='City'></field><field name='ZIP'/>");
    assert_eq!(guest.address, Known::Empty);
}

#[test]
fn s1_a_primary_value_outside_the_list_joins_it() {
    let (guest, _) = read_profile(
        "<field name='ProfileID'>1</field><field name='Email'>main@example.com</field><field name='Email' attr='EBD' addData='2' Primary='0'>second@example.com</field>",
    );
    let emails = guest.emails.get().expect("known");
    assert_eq!(
        emails.iter().map(|e| (e.address.as_str(), e.primary)).collect::<Vec<_>>(),
        [("main@example.com", true), ("second@example.com", false)]
    );
}

#[test]
fn s1_every_kind_of_profile_is_told_apart() {
    for (type_, category, kind) in [
        ("1", "1", Known::Is(ProfileKind::Company)),
        ("1", "2", Known::Is(ProfileKind::TravelAgent)),
        ("1", "3", Known::Is(ProfileKind::Source)),
        ("2", "4", Known::Is(ProfileKind::Guest)),
        ("1", "5", Known::Is(ProfileKind::Other)),
        ("3", "4", Known::Is(ProfileKind::Other)),
        ("2", "", Known::Is(ProfileKind::Guest)),
        ("2", "9", Known::Absent),
        ("", "", Known::Absent),
    ] {
        let (profile, _) = read_profile(&format!(
            "<field name='ProfileID'>1</field><field name='ProfileType'>{type_}</field><field name='ProfileCategory'>{category}</field>"
        ));
        assert_eq!(profile.kind, kind, "{type_} {category}");
    }
}

#[test]
fn s1_denied_fields_are_dropped_even_when_a_server_sends_them() {
    let rows = rows(&[
        "<field name='ProfileID'>1</field><field name='CreditCardNo'>4111</field><field name='personaldocument' attr='P'>45</field>",
    ]);
    assert_eq!(rows[0].fields.len(), 1);
}

proptest! {
    /// Whatever stands in whatever field: a record, or its name and a reason; and no reason repeats what stood there.
    #[test]
    fn s10_no_row_panics_and_no_reason_tells_its_content(
        fields in prop::collection::vec((0usize..200, 0usize..12, any::<bool>()), 0..30),
    ) {
        const TEXTS: [&str; 12] = [
            "", "0", "1", "60017", "-1", "99999999999999999999999999999999999999999", "01.01.0001", "31.12.9999 99:99:99",
            "12.03.2026", "1e309", "СЕКРЕТ \u{FFFF} <>&", "15.03.2026 10:00:00.000 UTC-180",
        ];
        let names: Vec<&str> = [RESERVATION, PROFILE]
            .iter()
            .flat_map(|kind| kind.core.iter().chain(kind.optional.iter().flat_map(|group| group.fields)))
            .copied()
            .collect();
        let field = |(name, text, entry): &(usize, usize, bool)| Field {
            name: names[name % names.len()].to_owned(),
            text: TEXTS[*text].to_owned(),
            attributes: if *entry { vec![("attr".into(), TEXTS[*text].into()), ("addData".into(), "1".into())] } else { Vec::new() },
        };
        let row = Row { fields: fields.iter().map(field).collect() };
        let reasons = with(&[], |context| {
            let mut reasons = match stay(&row, context) {
                Ok(ReadStay::Stay { remarks, .. }) => remarks,
                Ok(ReadStay::FinancialAccount) => Vec::new(),
                Err(unreadable) => vec![unreadable.why],
            };
            reasons.extend(match profile(&row, context) {
                Ok((_, remarks)) => remarks,
                Err(unreadable) => vec![unreadable.why],
            });
            reasons
        });
        prop_assert!(reasons.iter().all(|reason| !reason.contains("СЕКРЕТ") && !reason.contains("9999999")));
    }
}
