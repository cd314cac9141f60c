use super::super::{Knobs, Licence, OverLength};
use super::*;

fn update(number: &str, fields: &str) -> String {
    let conditions = only("GuestNum", "eq", number);
    envelope(&format!("<update ReqType=\"Reservation\" Name=\"u\">{conditions}<fields>{fields}</fields></update>"))
}

#[tokio::test]
async fn s48_comment_and_note_in_one_update() {
    let hotel = demo(Knobs::default()).await;
    hotel.with(|s| s.set_clock(at(5, 11, 0)));
    let fields = "<field name=\"ReservationComment1\">Сделка D-204</field><field name=\"Notes\" attr=\"NF\">Гость подтвердил</field>";
    let text = send(&hotel, update("50117", fields)).await.text().await.unwrap();
    assert!(text.contains("<updateResponse Name=\"u\"><rows><row><fields><field name=\"GuestNum\">50117</field><field name=\"Note\" newID="), "{text}");
    hotel.with(|s| {
        let r = &s.reservations[&50117];
        assert_eq!((r.comments[0].as_str(), r.notes.len(), r.updated), ("Сделка D-204", 1, at(5, 11, 0)));
    });
    let unknown = update("50117", "<field name=\"Notes\" attr=\"QQ\">x</field>");
    assert_eq!(status(&ask(&hotel, &unknown).await), "UR");
}

#[tokio::test]
async fn s48_notes_need_not_touch_the_update_time() {
    let hotel = demo(Knobs { notes_touch: false, ..Knobs::default() }).await;
    let before = hotel.with(|s| s.reservations[&50117].updated);
    ask(&hotel, &update("50117", "<field name=\"Notes\" attr=\"NF\">x</field>")).await;
    assert_eq!(hotel.with(|s| s.reservations[&50117].updated), before);
}

#[tokio::test]
async fn s48_changes_are_all_or_nothing() {
    let hotel = demo(Knobs::default()).await;
    let good = "<update ReqType=\"Reservation\"><conditions><condition name=\"GuestNum\" operation=\"eq\">50117</condition></conditions><fields><field name=\"ReservationComment1\">one</field></fields></update>";
    let bad = good.replace("50117", "1");
    assert_eq!(status(&ask(&hotel, &envelope(&format!("{good}{bad}"))).await), "NG");
    assert_eq!(hotel.with(|s| s.reservations[&50117].comments[0].clone()), "");
}

#[tokio::test]
async fn s48_over_length_and_batch_updates() {
    let hotel = demo(Knobs::default()).await;
    let long = update("50117", &format!("<field name=\"ReservationComment1\">{}</field>", "ы".repeat(130)));
    assert_eq!(status(&ask(&hotel, &long).await), "OK");
    assert_eq!(hotel.with(|s| s.reservations[&50117].comments[0].chars().count()), 100);
    hotel.with(|s| {
        (s.knobs.over_length, s.knobs.batch_updates) = (OverLength::Refuse, false);
        book(s, 50118, 12, 15, Status::Confirmed);
    });
    assert_eq!(status(&ask(&hotel, &long).await), "UR");
    let batch = update("0", "<field name=\"NoOfAdults\">1</field>").replace("\"eq\"", "\"ge\"");
    assert_eq!(status(&ask(&hotel, &batch).await), "AD");
}

#[tokio::test]
async fn s48_cancel_needs_its_licence() {
    let hotel = demo(Knobs::default()).await;
    let cancel =
        envelope("<command Name=\"c1\"><cancel><GuestNum>50117</GuestNum><Reason>x</Reason></cancel></command>");
    assert_eq!(status(&ask(&hotel, &cancel).await), "AD");
    hotel.with(|s| {
        s.knobs.licences.insert(Licence::Advanced);
    });
    let answer = ask(&hotel, &cancel).await;
    assert!(answer.child("response").unwrap().children.is_empty(), "a command has no body of its own");
    assert_eq!(hotel.with(|s| s.reservations[&50117].status), Status::Cancelled);
    let unknown = cancel.replace("50117", "1");
    assert_eq!(status(&ask(&hotel, &unknown).await), "NG");
}

#[tokio::test]
async fn s48_profile_insert_is_idempotent_by_external_id() {
    let hotel = demo(Knobs::default()).await;
    let insert = envelope(
        "<insert ReqType=\"Profile\" Name=\"pi\"><fields><field name=\"ProfileType\">2</field>\
         <field name=\"ProfileCategory\">4</field><field name=\"GuestName\">Новая</field>\
         <field name=\"GuestFirstname\">Дарья</field><field name=\"City\">Тверь</field>\
         <field name=\"Email\">d.novaya@example.com</field><field name=\"ProfileExternalID\">5512</field></fields></insert>",
    );
    let text = send(&hotel, insert.clone()).await.text().await.unwrap();
    assert!(
        text.contains("<insertResponse Name=\"pi\"><rows><ProfileID>70413</ProfileID><Addresses><Address initID=\"0\""),
        "{text}"
    );
    let again = send(&hotel, insert).await.text().await.unwrap();
    assert!(again.contains("<rows><ProfileID>70413</ProfileID></rows>"), "{again}");
}

#[tokio::test]
async fn s48_note_insert_posting_and_profile_update() {
    let hotel = demo(Knobs::default()).await;
    let note = envelope(
        "<insert ReqType=\"Note\" Name=\"n\"><fields><field name=\"NoteTableLinkedTo\">Reservation</field>\
         <field name=\"NoteTableID\">50117</field><field name=\"NoteCategoryCode\">NF</field>\
         <field name=\"NoteGuestViewable\">0</field><field name=\"NoteDescription\">Нужен трансфер</field></fields></insert>",
    );
    assert!(send(&hotel, note).await.text().await.unwrap().contains("<NoteID>"));
    let post = envelope(
        "<command><post><crm_posting><GuestNum>50117</GuestNum><Quantity>1</Quantity><Price>350.00</Price>\
         <DepartmentCode>410</DepartmentCode></crm_posting></post></command>",
    );
    assert_eq!(status(&ask(&hotel, &post).await), "OK");
    let read = format!("ReqType=\"Posting\">{}{}</query>", only("GuestNum", "eq", "50117"), fields(&["PostingPrice"]));
    assert_eq!(column(&ask(&hotel, &query(&read)).await, "PostingPrice"), ["350"]);
    let conditions = only("ProfileID", "eq", "70412");
    let change = envelope(&format!(
        "<update ReqType=\"Profile\">{conditions}<fields><field name=\"Email\" attr=\"EPR\" addData=\"91001\" Primary=\"1\">vera2@example.com</field>\
         <field name=\"Telephone\" attr=\"DELETE\" addData=\"91003\"/></fields></update>"
    ));
    assert_eq!(status(&ask(&hotel, &change).await), "OK");
    hotel.with(|s| {
        let p = &s.profiles[&70412];
        assert_eq!(p.communications.len(), 2);
        assert_eq!(p.communications[0].value, "vera2@example.com");
    });
}

fn change_profile(fields: &str) -> String {
    let conditions = only("ProfileID", "eq", "70412");
    envelope(&format!("<update ReqType=\"Profile\" Name=\"pu\">{conditions}<fields>{fields}</fields></update>"))
}

/// Sample E16 of the facts: a further phone, a changed e-mail, a further address, each answered by its new id.
#[tokio::test]
async fn s48_addresses_are_added_changed_and_deleted_by_their_numbers() {
    let hotel = demo(Knobs::default()).await;
    let sample = "<field name=\"Telephone\" attr=\"PBM\" Primary=\"0\">+7 900 000-00-09</field>\
        <field name=\"Email\" attr=\"EPR\" addData=\"91001\" Primary=\"1\">vera2@example.com</field>\
        <field name=\"Telephone\" attr=\"DELETE\" addData=\"91003\"/>\
        <field name=\"PrimaryAddr\" attr=\"BIL\" addData=\"-1\">0</field>\
        <field name=\"Street1\" attr=\"BIL\" addData=\"-1\">ул. Вторая, 2</field>";
    let text = send(&hotel, change_profile(sample)).await.text().await.unwrap();
    let begins = "<updateResponse Name=\"pu\"><rows><row><fields><field name=\"ProfileID\">70412</field><field name=\"Communication\" newID=";
    assert!(text.contains(begins) && text.contains("<field name=\"Address\" initID=\"-1\" newID=\""), "{text}");
    let added = hotel.with(|s| s.profiles[&70412].addresses[1].clone());
    assert_eq!((added.code.as_str(), added.primary, added.street.as_str()), ("BIL", false, "ул. Вторая, 2"));
    assert!(text.contains(&format!("newID=\"{}\"", added.id)), "{text}");

    let of = |id: i64, name: &str, value: &str| {
        format!("<field name=\"{name}\" attr=\"BIL\" addData=\"{id}\">{value}</field>")
    };
    let moved =
        of(added.id, "CountryISO2", "RU") + &of(added.id, "State", "Тверская") + &of(added.id, "PrimaryAddr", "111");
    assert_eq!(status(&ask(&hotel, &change_profile(&moved)).await), "OK");
    hotel.with(|s| {
        let primary: Vec<bool> = s.profiles[&70412].addresses.iter().map(|address| address.primary).collect();
        assert_eq!(primary, [false, true], "one is primary");
    });
    let gone = format!("<field name=\"Address\" attr=\"DELETE\" addData=\"{}\"/>", added.id);
    assert_eq!(status(&ask(&hotel, &change_profile(&gone)).await), "OK");
    assert_eq!(hotel.with(|s| s.profiles[&70412].addresses.len()), 1);

    for (refused, code) in [
        (gone, "UR"),
        (of(1, "City", "Клин"), "UR"),
        ("<field name=\"City\" addData=\"-1\">Клин</field>".to_owned(), "IR"),
        ("<field name=\"State\" attr=\"BIL\" addData=\"-1\">x</field>".to_owned(), "UR"),
    ] {
        assert_eq!(status(&ask(&hotel, &change_profile(&refused)).await), code, "{refused}");
    }
    assert_eq!(hotel.with(|s| s.profiles[&70412].addresses.len()), 1, "what is refused leaves nothing behind");
}
