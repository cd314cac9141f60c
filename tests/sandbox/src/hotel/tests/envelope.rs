use std::time::Duration;

use base64::Engine as _;

use super::super::answer::{pack, unpack};
use super::super::{EmptySpelling, Fault, Hotel, HotelOptions, Knobs, Licence, Packing, TextEncoding};
use super::*;

#[tokio::test]
async fn s48_real_bytes_of_an_answer() {
    let hotel = demo(Knobs::default()).await;
    let body = reservations(&only("GuestNum", "eq", "50117"), &["GuestNum"]);
    let text = send(&hotel, body).await.text().await.unwrap();
    assert_eq!(
        text,
        "<?xml version=\"1.0\" encoding=\"utf-8\" ?><fidelio Version=\"1.1.0\"><response ID=\"r-1\" Status=\"OK\">\n\
         <queryResponse Name=\"q\"><rows><row><fields><field name=\"GuestNum\">50117</field></fields></row></rows></queryResponse>\n\
         </response></fidelio>"
    );
}

#[tokio::test]
async fn s48_credentials_vendor_and_broken_documents() {
    let hotel = demo(Knobs::default()).await;
    let good = query("ReqType=\"SystemDate\"/>");
    assert_eq!(status(&ask(&hotel, &good).await), "OK");
    let wrong = ask(&hotel, &good.replace("sandbox-5", "x")).await;
    assert_eq!(status(&wrong), "IC");
    assert_eq!(wrong.child("response").unwrap().attribute("ID"), Some(""));
    for broken in [
        "not xml",
        "<fidelio Version=\"1.1.0\">",
        "<other/>",
        &good.replace(" Version=\"1.1.0\"", ""),
        &good.replace("<?xml version=\"1.0\" encoding=\"utf-8\"?>", "<!DOCTYPE a [<!ENTITY b \"c\">]>"),
        &envelope("<query ReqType=\"Notes\"><fields><field name=\"a\"/></fields></query>"),
        &envelope("<query ReqType=\"Reservation\"/>"),
        &envelope("<import TableName=\"X\"/>"),
    ] {
        assert_eq!(status(&ask(&hotel, broken).await), "IR", "{broken}");
    }
    hotel.with(|s| s.vendor = Some("DEMO".into()));
    assert_eq!(status(&ask(&hotel, &good).await), "AD");
    let named = good.replace("<request ", "<request Vendor=\"DEMO\" ");
    assert_eq!(status(&ask(&hotel, &named).await), "OK");
    hotel.with(|s| {
        s.knobs.licences.insert(Licence::Crs);
    });
    assert_eq!(status(&ask(&hotel, &good).await), "IR");
}

#[tokio::test]
async fn s48_packed_both_ways_and_independently() {
    let hotel = demo(Knobs { wrap_base64: true, ..Knobs::default() }).await;
    let plain = query("ReqType=\"SystemDate\"/>");
    let packed = pack(plain.as_bytes(), &Knobs { deflate: false, ..Knobs::default() }).unwrap();
    let post = || client().post(hotel.url());
    let answer = post().header("Content-Type", "V8/ZIP").body(packed).send().await.unwrap();
    assert!(answer.text().await.unwrap().contains("05.03.2026"));
    let answer = post().header("V8-supported", "Zip/Msg").body(plain.clone()).send().await.unwrap();
    assert_eq!(answer.headers().get("Content-Type").unwrap(), "V8/ZIP");
    let body = answer.bytes().await.unwrap();
    assert!(body.contains(&b'\r'), "wrapped lines");
    assert!(String::from_utf8(unpack(&body).unwrap()).unwrap().contains("05.03.2026"));
    let zip: Vec<u8> = body.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    let zip = base64::engine::general_purpose::STANDARD.decode(zip).unwrap();
    assert!(zip.windows(3).any(|w| w == b"MSG"));
    hotel.with(|s| s.knobs.packing = Packing::Never);
    let answer = post().header("V8-supported", "Zip/Msg").body(plain).send().await.unwrap();
    assert_eq!(answer.headers().get("Content-Type").unwrap(), "text/xml");
    let seen = hotel.requests();
    assert!(seen.first().unwrap().packed);
    assert!(seen.iter().all(|s| !s.body.contains("sandbox-5")), "passwords are masked");
}

#[tokio::test]
async fn s48_windows_1251_with_a_question_mark_for_what_it_lacks() {
    let hotel = demo(Knobs { encoding: TextEncoding::Windows1251, ..Knobs::default() }).await;
    hotel.edit_profile(70412, |p| p.name = "Пробная ё ₽ 🙂".into());
    let body = profiles("", &["GuestName"]);
    let bytes = send(&hotel, body).await.bytes().await.unwrap();
    let text = encoding_rs::WINDOWS_1251.decode(&bytes).0.into_owned();
    assert!(text.starts_with("<?xml version=\"1.0\" encoding=\"windows-1251\" ?>"), "{text}");
    assert!(text.contains(">Пробная ё ? ?<"), "{text}");
    // A request in that encoding is read by its declaration.
    let body = profiles(&only("GuestName", "like", "Пробная%"), &["ProfileID"]).replace("utf-8", "windows-1251");
    let bytes = encoding_rs::WINDOWS_1251.encode(&body).0.into_owned();
    assert!(send(&hotel, bytes).await.text().await.unwrap().contains("70412"));
}

#[tokio::test]
async fn s48_empty_results_in_four_spellings() {
    let hotel = demo(Knobs::default()).await;
    let body = reservations(&only("GuestNum", "eq", "1"), &["GuestNum"]);
    for (spelling, text) in [
        (EmptySpelling::Rows, "<queryResponse Name=\"q\"><rows></rows></queryResponse>"),
        (EmptySpelling::EmptyRow, "<rows><row><fields></fields></row></rows>"),
        (EmptySpelling::Nothing, "Status=\"OK\">\n</response>"),
        (EmptySpelling::NotFound, "Status=\"NG\""),
    ] {
        hotel.with(|s| s.knobs.empty = spelling);
        let answer = send(&hotel, body.clone()).await.text().await.unwrap();
        assert!(answer.contains(text), "{answer}");
    }
}

#[tokio::test]
async fn s48_one_failing_query_leaves_no_data_at_all() {
    let hotel = demo(Knobs::default()).await;
    let two = "<query ReqType=\"SystemDate\" Name=\"a\"/><query ReqType=\"BlockHeader\" Name=\"b\"><fields/></query>";
    let answer = ask(&hotel, &envelope(two)).await;
    assert_eq!(status(&answer), "AD");
    assert!(answer.child("response").unwrap().children.is_empty());
    let two = "<query ReqType=\"SystemDate\" Name=\"a\"/><query ReqType=\"SystemInfo\" Name=\"b\"/>";
    let answer = ask(&hotel, &envelope(two)).await;
    let names: Vec<_> = answer.child("response").unwrap().children.iter().map(|c| c.attribute("Name")).collect();
    assert_eq!(names, [Some("a"), Some("b")]);
}

#[tokio::test]
async fn s48_licences_and_rights_by_area() {
    let hotel = demo(Knobs::default()).await;
    let notes =
        query("ReqType=\"NoteCategory\"><fields><field name=\"NoteCategoryShortDescription\"/></fields></query>");
    assert_eq!(status(&ask(&hotel, &notes).await), "OK");
    hotel.with(|s| s.knobs.denied = ["NoteCategory".to_owned()].into());
    assert_eq!(status(&ask(&hotel, &notes).await), "AD");
    hotel.with(|s| s.knobs.unsupported = ["NoteCategory".to_owned()].into());
    assert_eq!(status(&ask(&hotel, &notes).await), "IR");
    let third_party = reservations("", &["GuestNum", "Guest3rdPartyID"]);
    assert_eq!(status(&ask(&hotel, &third_party).await), "AD");
    hotel.with(|s| s.knobs.lower_case_status = true);
    let text = send(&hotel, third_party).await.text().await.unwrap();
    assert!(text.contains(" status=\"AD\""), "{text}");
}

#[tokio::test]
async fn s48_faults_of_transport() {
    let hotel = demo(Knobs::default()).await;
    let body = query("ReqType=\"SystemDate\"/>");
    let post = || client().post(hotel.url()).timeout(Duration::from_secs(5)).body(body.clone()).send();
    hotel.faults().push(Fault::DropBefore);
    assert!(post().await.is_err());
    hotel.faults().push(Fault::Html(500));
    let page = post().await.unwrap();
    assert_eq!(page.status(), 500);
    assert!(page.text().await.unwrap().contains("<html>"));
    hotel.faults().push(Fault::Truncated);
    assert!(parse(&post().await.unwrap().text().await.unwrap()).is_err());
    hotel.faults().push(Fault::Broken);
    // Whether the head still gets out is the network's business.
    if let Ok(answer) = post().await {
        assert!(answer.text().await.is_err());
    }
    hotel.faults().push(Fault::Empty);
    assert_eq!(post().await.unwrap().text().await.unwrap(), "");
    hotel.faults().push_for("Profile", Fault::DropBefore);
    assert!(post().await.is_ok(), "meant for another type");
    hotel.faults().clear();
    hotel.faults().push(Fault::Status("UR".into(), "ORA-00060".into()));
    assert!(post().await.unwrap().text().await.unwrap().contains("Status=\"UR\" Message=\"ORA-00060\""));
    assert_eq!(hotel.most_at_once(), 1);
}

#[tokio::test]
async fn s48_a_dropped_answer_leaves_the_change_done() {
    let hotel = demo(Knobs { licences: [Licence::Basic, Licence::Advanced].into(), ..Knobs::default() }).await;
    hotel.faults().push(Fault::DropAfter);
    let cancel = envelope("<command><cancel><GuestNum>50117</GuestNum></cancel></command>");
    assert!(client().post(hotel.url()).body(cancel).send().await.is_err());
    assert_eq!(hotel.with(|s| s.reservations[&50117].status), Status::Cancelled);
}

#[tokio::test]
async fn s48_big_answers_are_streamed_whole() {
    let options = HotelOptions { reservations: 3_000, past_days: 20, future_days: 200, ..HotelOptions::default() };
    let hotel = Hotel::start(options);
    let known = hotel.with(|s| s.reservations.len());
    let answer = ask(&hotel, &reservations("", &["GuestNum", "GuestArrival", "LastUpdateTime"])).await;
    assert_eq!(rows(&answer).len(), known);
    let two = format!(
        "<query ReqType=\"Reservation\" Name=\"a\">{0}</query><query ReqType=\"Reservation\" Name=\"b\">{0}</query>",
        fields(&["GuestNum"])
    );
    let answer = ask(&hotel, &envelope(&two)).await;
    assert_eq!(answer.child("response").unwrap().children.len(), 2);
}

/// The address names a property; a wrapper does not answer for one it does not serve.
#[tokio::test]
async fn s48_another_propertys_address_is_not_the_interface() {
    let hotel = demo(Knobs::default()).await;
    let own = hotel.url();
    for (url, expected) in [
        (own.clone(), 200),
        (own.replace("ic=DEMO", "IC=demo"), 200),
        (own.replace("ic=DEMO", "ic=OTHER"), 500),
        (own.replace("?ic=DEMO", ""), 500),
    ] {
        let answer = client().post(&url).body(query("ReqType=\"SystemDate\"/>")).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), expected, "{url}");
        assert_eq!(answer.text().await.unwrap().contains("<fidelio"), expected == 200, "{url}");
    }
}
