//! What goes wrong: said with its right name, nothing lost, nothing half taken.

use super::*;

async fn failing(fault: Fault) -> SourceError {
    let mut desk = Desk::open(HotelOptions { reservations: 20, ..HotelOptions::default() });
    desk.hotel.faults().always(fault);
    let error = desk.read(Read::Changes).await.expect_err("a fault");
    assert!(desk.disk.stays.is_empty() && desk.disk.profiles.is_empty());
    assert_eq!(desk.disk.state, Value::Null);
    // And when the trouble is over, everything is there.
    desk.hotel.faults().clear();
    desk.read(wide()).await.expect("read");
    desk.assert_complete();
    error
}

#[tokio::test]
async fn s1_transport_trouble_is_unreachable() {
    for fault in [Fault::DropBefore, Fault::Html(500), Fault::Html(503), Fault::Html(401), Fault::Broken] {
        let error = failing(fault.clone()).await;
        assert!(matches!(error, SourceError::Unreachable(_)), "{fault:?}: {error}");
    }
}

#[tokio::test]
async fn s10_what_is_no_answer_is_unreadable() {
    for fault in [
        Fault::Truncated,
        Fault::Empty,
        Fault::Html(200),
        Fault::Garbage("<!DOCTYPE a [<!ENTITY b \"bb\"><!ENTITY c \"&b;&b;\">]><fidelio>&c;</fidelio>".into()),
        Fault::Garbage("<fidelio><response ID='another' Status='OK'/></fidelio>".into()),
        Fault::Garbage("\u{0}\u{1}\u{2}".into()),
        Fault::Garbage(format!("<fidelio>{}", "<a>".repeat(10_000))),
    ] {
        let error = failing(fault.clone()).await;
        assert!(matches!(error, SourceError::Unreadable(_)), "{fault:?}: {error}");
    }
}

#[tokio::test]
async fn s1_a_wrong_password_stops_at_once() {
    let mut desk = Desk::open(HotelOptions { reservations: 5, ..HotelOptions::default() });
    desk.hotel.with(|truth| truth.password = "changed".into());
    assert_eq!(desk.read(Read::Changes).await, Err(SourceError::Credentials));
    assert_eq!(desk.hotel.requests().len(), 1, "one try: more would lock the account");
}

#[tokio::test]
async fn s1_an_unlicensed_area_is_off_and_the_rest_goes_on() {
    let deny = |what: &str| Knobs { denied: [what.to_owned()].into(), ..Knobs::default() };
    let mut desk = Desk::open(HotelOptions { reservations: 30, knobs: deny("Profile"), ..HotelOptions::default() });
    let report = desk.read(wide()).await.expect("stays go on");
    assert_eq!(report.not_licensed, ["Profile"]);
    assert!(!desk.disk.stays.is_empty() && desk.disk.profiles.is_empty());
    let report = desk.poll().await;
    assert_eq!(report.not_licensed, ["Profile"]);

    let mut desk =
        Desk::open(HotelOptions { reservations: 30, knobs: deny("CurrencyList"), ..HotelOptions::default() });
    let report = desk.read(wide()).await.expect("stays go on");
    assert!(!desk.disk.stays.is_empty() && !desk.disk.profiles.is_empty());
    assert!(report.not_licensed.contains(&"CurrencyList".to_owned()), "{:?}", report.not_licensed);
    assert!(report.remarks.iter().any(|(_, why)| why.starts_with("TotalStay")), "amounts are left out and named");

    let mut desk = Desk::open(HotelOptions { reservations: 30, knobs: deny("Reservation"), ..HotelOptions::default() });
    let error = desk.read(Read::Changes).await.expect_err("nothing to read");
    assert_eq!(error, SourceError::NotLicensed { area: "Reservation".into() });
}

#[tokio::test]
async fn s1_a_slow_hotel_is_asked_for_less() {
    let mut desk = Desk::open_with(HotelOptions { reservations: 60, ..HotelOptions::default() }, |settings| {
        settings.timeout = Duration::from_millis(700);
    });
    // The first questions for arrivals take too long; smaller ones pass.
    for _ in 0..3 {
        desk.hotel.faults().push_for("Reservation", Fault::Delay(Duration::from_secs(3)));
    }
    desk.read(wide()).await.expect("read");
    desk.assert_complete();
}

#[tokio::test]
async fn s1_one_broken_connection_is_not_even_noticed() {
    let mut desk = Desk::open(HotelOptions { reservations: 20, ..HotelOptions::default() });
    desk.hotel.faults().push(Fault::DropBefore);
    desk.read(wide()).await.expect("read");
    desk.assert_complete();
}

#[tokio::test]
async fn s1_an_address_that_is_not_allowed_is_never_called() {
    let hotel = Hotel::start(HotelOptions::empty());
    let guard = Guard::parse(&[]).expect("guard");
    let error = Suite8::new(settings(&hotel), "m", guard, Clock::system()).err().expect("refused");
    assert!(matches!(error, SourceError::Address(_)), "{error}");
    assert!(hotel.requests().is_empty());
}

/// Two readers of one hotel share its one line.
#[tokio::test]
async fn s1_one_request_is_in_flight_whoever_asks() {
    let desk = Desk::open(HotelOptions { reservations: 100, ..HotelOptions::default() });
    let other = Arc::clone(&desk.source);
    let import = tokio::spawn(async move {
        let mut disk = Disk::default();
        other.read(&wide(), &Value::Null, &mut disk).await.map(|_| disk.stays.len())
    });
    let mut disk = Disk::default();
    desk.source.read(&Read::Changes, &Value::Null, &mut disk).await.expect("polled");
    assert!(import.await.expect("joined").expect("read") > 0);
    assert_eq!(desk.hotel.most_at_once(), 1);
}
