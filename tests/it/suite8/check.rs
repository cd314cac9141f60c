//! The layered check.

use super::*;

async fn layers(settings: Settings) -> Vec<(String, bool, String)> {
    let layers = source(settings).check().await;
    layers.into_iter().map(|layer| (layer.name, layer.ok, layer.code)).collect()
}

fn told(layers: &[(String, bool, String)]) -> Vec<(&str, bool, &str)> {
    layers.iter().map(|(name, ok, code)| (name.as_str(), *ok, code.as_str())).collect()
}

#[tokio::test]
async fn s3_a_good_connection_passes_every_layer() {
    let hotel = Hotel::start(HotelOptions { reservations: 20, ..HotelOptions::default() });
    assert_eq!(
        told(&layers(settings(&hotel)).await),
        [
            ("dns", true, "ok"),
            ("tcp", true, "ok"),
            ("tls", true, "plain"),
            ("http", true, "ok"),
            ("login", true, "ok"),
            ("read", true, "ok"),
            ("clock", true, "ok"),
            ("licence", true, "ok"),
        ]
    );
}

#[tokio::test]
async fn s3_the_failing_layer_is_named_and_ends_the_list() {
    let hotel = Hotel::start(HotelOptions { reservations: 5, ..HotelOptions::default() });
    let last = |layers: Vec<(String, bool, String)>| {
        let (name, ok, code) = layers.last().cloned().expect("some");
        assert!(!ok && layers.iter().filter(|(_, ok, _)| !ok).count() == 1);
        format!("{name} {code}")
    };
    let mut wrong = settings(&hotel);
    wrong.password = SecretString::from("wrong");
    assert_eq!(last(layers(wrong).await), "login credentials");

    let mut closed = settings(&hotel);
    let free = fb24_sandbox::ports::free().expect("port");
    closed.url.set_port(Some(free)).expect("port");
    assert_eq!(last(layers(closed).await), "tcp no_connection");

    let mut tls = settings(&hotel);
    tls.url.set_scheme("https").expect("scheme");
    assert!(last(layers(tls).await).starts_with("tls "));

    let mut other = settings(&hotel);
    other.url.set_path("/nowhere");
    assert_eq!(last(layers(other).await), "http http_status");

    hotel.faults().push(Fault::Html(200));
    assert_eq!(last(layers(settings(&hotel)).await), "http not_the_interface");

    hotel.with(|truth| truth.knobs.denied = ["Reservation".to_owned()].into());
    assert_eq!(last(layers(settings(&hotel)).await), "read not_licensed");
}

#[tokio::test]
async fn s3_what_lacks_or_lies_is_said_without_failing() {
    let hotel = Hotel::start(HotelOptions { reservations: 5, ..HotelOptions::default() });
    hotel.with(|truth| {
        truth.knobs.denied = ["Profile".to_owned()].into();
        truth.system_date -= chrono::Duration::days(5);
    });
    let layers = source(settings(&hotel)).check().await;
    let clock = layers.iter().find(|layer| layer.name == "clock").expect("clock");
    assert_eq!((clock.ok, clock.code.as_str(), &clock.params["days"]), (true, "business_date_off", &Value::from(-5)));
    let licence = layers.iter().find(|layer| layer.name == "licence").expect("licence");
    assert_eq!((licence.ok, licence.code.as_str()), (true, "lacking"));
    assert_eq!(licence.params["lacking"], serde_json::json!(["Profile"]));
}

/// Nothing the far side says is echoed (product §9).
#[tokio::test]
async fn s3_no_bytes_of_an_answer_are_shown() {
    let hotel = Hotel::start(HotelOptions::empty());
    for fault in [
        Fault::Garbage("SECRET-BYTES".into()),
        Fault::Garbage("<html>SECRET-BYTES</html>".into()),
        Fault::Status("ZZ".into(), "SECRET-BYTES".into()),
        Fault::Status("SECRET-BYTES".into(), "x".into()),
        Fault::Garbage("<fidelio><response ID='' Status='OK'><queryResponse Name='q1'><rows><row><fields><field name='Version'>SECRET-BYTES</field></fields></row></rows></queryResponse></response></fidelio>".into()),
    ] {
        hotel.faults().clear();
        hotel.faults().always(fault);
        let layers = source(settings(&hotel)).check().await;
        let shown = serde_json::to_string(&layers).expect("json");
        assert!(!shown.contains("SECRET-BYTES"), "{shown}");
    }
}

/// A TLS front of the hotel with a certificate of an authority that no system knows.
pub fn tls_front(hotel: &Hotel) -> u16 {
    let plain = hotel.url().split('/').nth(2).and_then(|address| address.parse().ok()).expect("an address");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(fb24_sandbox::portal::tls::run(
            listener,
            plain,
            tokio::sync::watch::Sender::new(false).subscribe(),
        ));
    });
    port
}

#[tokio::test]
async fn s3_a_certificate_is_judged_at_its_own_layer() {
    let hotel = Hotel::start(HotelOptions { reservations: 5, ..HotelOptions::default() });
    let port = tls_front(&hotel);
    let mut unknown = settings(&hotel);
    unknown.url.set_scheme("https").expect("scheme");
    unknown.url.set_port(Some(port)).expect("port");
    let found = layers(unknown.clone()).await;
    assert_eq!(told(&found), [("dns", true, "ok"), ("tcp", true, "ok"), ("tls", false, "certificate_issuer")]);
    assert!(hotel.requests().is_empty(), "nothing is said to whom nobody vouches for");

    let mut known = unknown;
    known.ca_pem = Some(fb24_sandbox::portal::tls::ca(false).to_owned());
    let found = layers(known).await;
    assert_eq!(told(&found)[2], ("tls", true, "ok"));
    assert!(found.len() == 8 && found.iter().all(|(_, ok, _)| *ok), "{found:?}");
}

#[tokio::test]
async fn s3_a_name_is_judged_before_anything_is_called() {
    let hotel = Hotel::start(HotelOptions::empty());
    let mut nowhere = settings(&hotel);
    nowhere.url.set_host(Some("hotel.invalid")).expect("host");
    assert_eq!(told(&layers(nowhere).await), [("dns", false, "no_address")]);
    let mut private = settings(&hotel);
    private.url = "https://localhost/handler".parse().expect("url");
    let guard = Guard::parse(&[]).expect("guard");
    let found =
        Suite8::new(private, "m", guard, Clock::system()).expect("a name is judged when it is resolved").check().await;
    assert_eq!((found.len(), found[0].name.as_str(), found[0].code.as_str()), (1, "dns", "private"));
}

/// The login is shown only to what has spoken like the interface, and a wrong one costs one try.
#[tokio::test]
async fn s3_a_password_is_sent_to_the_interface_only_and_once() {
    let hotel = Hotel::start(HotelOptions { reservations: 5, ..HotelOptions::default() });
    for fault in [Fault::Html(200), Fault::Html(404), Fault::Html(401), Fault::Garbage("{}".into())] {
        hotel.faults().clear();
        hotel.faults().always(fault.clone());
        let found = layers(settings(&hotel)).await;
        let last = found.last().expect("some");
        assert_eq!((last.0.as_str(), last.1), ("http", false), "{fault:?}");
    }
    assert!(hotel.requests().iter().all(|seen| !seen.body.contains("UserName")), "no login was sent");
    hotel.faults().clear();
    let mut wrong = settings(&hotel);
    wrong.password = SecretString::from("wrong");
    layers(wrong).await;
    assert_eq!(hotel.requests().iter().filter(|seen| seen.body.contains("UserName")).count(), 1);
}

/// A server that chokes on a message without a login is still tried with one.
#[tokio::test]
async fn s3_a_server_error_decides_nothing_before_the_login_was_tried() {
    let hotel = Hotel::start(HotelOptions { reservations: 5, ..HotelOptions::default() });
    hotel.faults().push(Fault::Html(500));
    let found = layers(settings(&hotel)).await;
    assert!(found.len() == 8 && found.iter().all(|(_, ok, _)| *ok), "{found:?}");
    hotel.faults().always(Fault::Html(503));
    let found = layers(settings(&hotel)).await;
    assert_eq!(told(&found).last(), Some(&("http", false, "http_status")));
    hotel.faults().clear();
    hotel.faults().push_for("SystemInfo", Fault::Html(503));
    let found = layers(settings(&hotel)).await;
    assert_eq!(told(&found)[3..], [("http", true, "ok"), ("login", false, "http_status")]);
}

#[tokio::test]
async fn s3_each_layer_has_its_own_time() {
    let hotel = Hotel::start(HotelOptions { reservations: 5, ..HotelOptions::default() });
    hotel.faults().push_for("SystemInfo", Fault::Delay(Duration::from_millis(400)));
    let found = source(settings(&hotel)).check().await;
    let ms = |name: &str| found.iter().find(|layer| layer.name == name).map(|layer| layer.ms).expect("the layer");
    assert!(ms("login") >= 400, "what was slow was slow at its layer");
}

#[tokio::test]
async fn s3_a_wrong_clock_fails_at_the_clock_and_stops_nothing() {
    let hotel = Hotel::start(HotelOptions { reservations: 5, ..HotelOptions::default() });
    for minutes in [-10, 10] {
        let (clock, _hand) = Clock::manual(chrono::Utc::now() + chrono::Duration::minutes(minutes));
        let guard = Guard::parse(&["*=127.0.0.0/8".to_owned()]).expect("guard");
        let found = Suite8::new(settings(&hotel), "m", guard, clock).expect("source").check().await;
        let told: Vec<_> = found.iter().map(|layer| (layer.name.as_str(), layer.ok, layer.code.as_str())).collect();
        assert_eq!(told[6..], [("clock", false, "clock_off"), ("licence", true, "ok")]);
        let ahead = found[6].params["ahead_seconds"].as_i64().expect("seconds");
        assert!((-10 * 60 - 60..=10 * 60 + 60).contains(&ahead) && ahead.signum() == -minutes.signum(), "{ahead}");
    }
}
