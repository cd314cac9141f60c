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
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("port").port();
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
