//! Letters as they come: other people's charsets, broken programs, robots and forgers.

use encoding_rs::{IBM866, KOI8_R, WINDOWS_1251};
use proptest::prelude::*;

use super::*;

fn letter(raw: &str) -> Incoming {
    read(raw.replace('\n', "\r\n").as_bytes(), false)
}

fn token() -> ReplyToken {
    ReplyToken::new("FB-2026-000123".parse().expect("a number"), &"0123456789abcdef".repeat(4))
}

#[test]
fn e15_a_letter_is_read_with_its_sender_its_words_and_its_files() {
    let read = letter(
        "From: =?UTF-8?B?0JDQvdC90LA=?= <Anna@Example.com>\nTo: support@vendor.example\nMessage-ID: <1@example.com>\nSubject: \
         =?utf-8?Q?=D0=9D=D0=B5=D1=82_=D0=B1?=\n =?utf-8?Q?=D1=80=D0=BE=D0=BD=D0?=\n =?utf-8?Q?=B5=D0=B9?=\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"b 1\"\n\n\
         preamble\n--b 1\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n=D0=9D=D0=B5=D1=82 =\n=D0=B1\n--b 1\n\
         Content-Type: image/png; name*0*=utf-8''%D1%81%D0%BD; name*1*=%D0%B8%D0%BC; name*2=ok.png\nContent-Disposition: attachment\nContent-Transfer-Encoding: base64\n\n\
         aGVs\nbG8=\n--b 1--\nepilogue\n",
    );
    assert_eq!(
        (read.sender.as_deref(), read.name.as_str(), read.id.as_str()),
        (Some("anna@example.com"), "Анна", "1@example.com")
    );
    assert_eq!(
        (read.subject.as_str(), read.text.as_str()),
        ("Нет броней", "Нет б"),
        "a letter cut in two words is one"
    );
    assert_eq!(read.files, [File { name: "снимok.png".into(), bytes: b"hello".to_vec(), whole: true }]);
    assert_eq!((read.nature, read.cut), (Nature::Person, false));
}

#[test]
fn e15_charsets_of_old_programs_are_read_named_or_not() {
    let words = "Не приходят брони, телефон молчит";
    for (label, encoding) in
        [("koi8-r", KOI8_R), ("windows-1251", WINDOWS_1251), ("CP1251", WINDOWS_1251), ("cp866", IBM866)]
    {
        let mut raw = format!("From: a@b.example\r\nContent-Type: text/plain; charset={label}\r\n\r\n").into_bytes();
        raw.extend(encoding.encode(words).0.iter());
        assert_eq!(read(&raw, false).text, words, "{label}");
    }
    for label in ["", "; charset=us-ascii", "; charset=no-such"] {
        for bytes in [words.as_bytes().to_vec(), WINDOWS_1251.encode(words).0.to_vec()] {
            let mut raw = format!("From: a@b.example\r\nContent-Type: text/plain{label}\r\nSubject: ").into_bytes();
            raw.extend(&bytes);
            raw.extend(b"\r\n\r\n");
            raw.extend(&bytes);
            let read = read(&raw, false);
            assert_eq!((read.subject.as_str(), read.text.as_str()), (words, words), "{label}");
        }
    }
}

#[test]
fn e15_html_is_reduced_to_what_it_says() {
    let html = "<html><head><title>t</title><style>p{}</style></head><body><p>Не работает &laquo;синхронизация&raquo; &amp; тап&#33;<br>Строка\n два</p>\
        <script>alert('<b>x</b>')</script><ul><li>раз<li>два</ul><!-- <p>скрыто --><a title='a>b' href=\"https://x.example/?a=1&amp;b=2\">ссылка</a> \
        <a href='javascript:alert(1)'>нажми</a> 1 < 2<img src=x onerror=alert(1)><table><tr><td>ячейка</td><td>вторая</td></tr></table>\
        <blockquote>старое<br>ещё</blockquote></body></html>";
    let raw = format!("From: a@b.example\nContent-Type: text/html; charset=utf-8\n\n{html}");
    assert_eq!(
        letter(&raw).text,
        "Не работает «синхронизация» & тап!\nСтрока два\n\n- раз\n- два\nссылка (https://x.example/?a=1&b=2) нажми 1 < 2\nячейка вторая",
    );
    // What nobody closed hides nothing.
    for open in ["<!-- ", "<script>", "<a title=\"", "<", "<p title='x"] {
        let raw = format!("From: a@b.example\nContent-Type: text/html; charset=utf-8\n\nдо {open} после");
        let text = letter(&raw).text;
        assert!(text.contains("до") && text.contains("после"), "{open}: {text}");
    }
}

#[test]
fn e15_of_a_choice_the_plain_words_are_taken_if_there_are_any() {
    let both = |plain: &str| {
        letter(&format!(
            "From: a@b.example\nContent-Type: multipart/alternative; boundary=x\n\n--x\nContent-Type: text/plain\n\n{plain}\n--x\n\
             Content-Type: multipart/related; boundary=y\n\n--y\nContent-Type: text/html\n\n<p>rich</p>\n--y\nContent-Type: image/gif\n\nGIF\n--y--\n--x--\n"
        ))
    };
    assert_eq!((both("plain").text.as_str(), both("plain").files.len()), ("plain", 1));
    assert_eq!(both(" ").text, "rich");
}

#[test]
fn e15_what_a_reply_quotes_is_cut_and_answers_between_the_lines_are_not() {
    let of = |body: &str| letter(&format!("From: a@b.example\nContent-Type: text/plain; charset=utf-8\n\n{body}")).text;
    assert_eq!(of("Спасибо!\n\nпн, 23 нояб. 2026 г., Support <s@v.example> пишет:\n> старое\n> ещё\n"), "Спасибо!");
    assert_eq!(of(&format!("Да.\n\n> {REPLY_ABOVE_RU}\n> FB-2026\nподпись почты")), "Да.");
    assert_eq!(of(&format!("Yes.\n{REPLY_ABOVE_EN}\nold words")), "Yes.");
    let between = "> первый вопрос\nда\n> второй вопрос\nнет";
    assert_eq!(of(between), between);
    assert_eq!(of("> только цитата"), "> только цитата", "nothing would be left");
    assert_eq!(of("Пишу на info@hotel.example 2 раза:"), "Пишу на info@hotel.example 2 раза:", "nothing is quoted");
}

#[test]
fn e15_robots_bounces_mailings_and_our_own_letters_are_known() {
    let of = |headers: &str| letter(&format!("{headers}\n\ntext")).nature;
    let from = "From: a@b.example\n";
    for (headers, nature) in [
        ("", Nature::Person),
        ("Auto-Submitted: no", Nature::Person),
        ("Auto-Submitted: auto-replied (vacation)", Nature::Auto),
        ("Auto-Submitted: Auto-Generated; x=y", Nature::Auto),
        ("X-Autoreply: yes", Nature::Auto),
        ("Precedence: auto_reply", Nature::Auto),
        ("Return-Path: <>", Nature::Auto),
        ("Content-Type: multipart/report; report-type=disposition-notification; boundary=x", Nature::Auto),
        ("Precedence: bulk", Nature::Bulk),
        ("List-Id: <news.b.example>", Nature::Bulk),
        ("List-Unsubscribe: <mailto:x@b.example>", Nature::Person),
        ("X-FB24-Letter: 1", Nature::Loop),
        (&"Received: from x\n".repeat(HOPS + 1), Nature::Loop),
        (&"Received: from x\n".repeat(HOPS), Nature::Person),
        ("X-Failed-Recipients: A@b.example", Nature::Bounce { failed: vec!["a@b.example".into()] }),
    ] {
        assert_eq!(of(&format!("{from}{headers}").trim_end().replace("\n\n", "\n")), nature, "{headers}");
    }
    assert_eq!(of("From: MAILER-DAEMON@b.example"), Nature::Bounce { failed: vec![] });
    let (token, id) = (token(), token().id(7));
    let bounce = letter(&format!(
        "From: Postmaster@b.example\nReturn-Path: <>\nContent-Type: multipart/report; report-type=\"delivery-status\"; boundary=x\n\n--x\n\nIt did not reach.\n--x\n\
         Content-Type: message/delivery-status\n\nReporting-MTA: dns; b.example\n\nFinal-Recipient: rfc822; Anna@example.com\nAction: failed\n--x\n\
         Content-Type: text/rfc822-headers\n\nMessage-ID: <{id}@v.example>\n--x--\n"
    ));
    assert_eq!(
        (bounce.nature, bounce.tokens),
        (Nature::Bounce { failed: vec!["anna@example.com".into()] }, vec![token])
    );
    assert_eq!(bounce.text, "It did not reach.");
}

#[test]
fn e15_a_reply_is_known_by_its_address_and_by_ids_of_ours_and_by_nothing_else() {
    let token = token();
    let of = |headers: &str| letter(&format!("From: a@b.example\n{headers}\n\ntext")).tokens;
    let mailbox = token.mailbox("support");
    for headers in [
        format!("To: Support <{mailbox}@v.example>"),
        format!("To: x@y.example, {}@V.EXAMPLE", mailbox.to_uppercase()),
        format!("Delivered-To: {mailbox}@v.example"),
        format!("In-Reply-To: <{}@v.example>", token.id(5)),
        format!("References: <a@b>\n <{}@v.example> <c@d>", token.id(0)),
    ] {
        assert_eq!(of(&headers), std::slice::from_ref(&token), "{headers}");
    }
    for headers in [
        "Subject: Re: [FB-2026-000123] Нет броней".to_owned(),
        "To: support+fb-2026-000123@v.example".to_owned(),
        format!("To: support+{}@v.example", token.to_string().replace("0123", "zzzz")),
        format!("Subject: {mailbox}@v.example"),
        format!("To: \"{mailbox}@v.example\" <x@y.example>"),
    ] {
        assert_eq!(of(&headers), [], "{headers}");
    }
    let many = format!("References: {}", format!("<{}@v.example>\n ", token.id(1)).repeat(500));
    assert!(of(&many).len() <= token::MOST);
}

#[test]
fn e15_a_sender_who_is_several_or_none_is_nobody() {
    let of = |from: &str| letter(&format!("{from}Subject: x\n\ntext")).sender;
    assert_eq!(of("From: \"anna@example.com\" <evil@b.example>\n").as_deref(), Some("evil@b.example"));
    assert_eq!(of("From: \"Last, First\" <A@b.example>\n").as_deref(), Some("a@b.example"));
    for from in
        ["", "From: \n", "From: nobody\n", "From: a@b.example, c@d.example\n", "From: a@b.example\nFrom: c@d.example\n"]
    {
        assert_eq!(of(from), None, "{from}");
    }
}

#[test]
fn e15_copies_of_a_letter_are_one_and_forgeries_under_its_id_are_none() {
    let letter = |received: &str, text: &str, from: &str| {
        letter(&format!(
            "Received: {received}\nFrom: {from}\nMessage-ID: <1@b>\nDate: Mon, 23 Nov 2026 10:00:00 +0300\n\n{text}"
        ))
        .digest
    };
    let one = letter("from x", "hello", "a@b.example");
    assert_eq!(one, letter("from y", "hello", "a@b.example"));
    assert_ne!(one, letter("from x", "bye", "a@b.example"));
    assert_ne!(one, letter("from x", "hello", "c@b.example"));
}

#[test]
fn e15_broken_and_nasty_letters_are_read_as_far_as_they_go() {
    assert_eq!(read(b"", false).text, "");
    assert_eq!(read("просто текст".as_bytes(), false).text, "просто текст");
    assert_eq!(letter("From: a@b.example\nSubject: x\nno colon here\nmore").text, "no colon here\nmore");
    let lost = letter("From: a@b.example\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\nlast words");
    assert_eq!(lost.text, "last words", "its end never came");
    let none = letter("From: a@b.example\nContent-Type: multipart/mixed; boundary=x\n\nno parts at all");
    assert_eq!(none.text, "no parts at all");
    let tnef = letter(
        "From: a@b.example\nContent-Type: application/ms-tnef; name=\"winmail.dat\"\nContent-Transfer-Encoding: base64\n\neJ8+Ig==\n",
    );
    assert_eq!(tnef.files, [File { name: "winmail.dat".into(), bytes: vec![0x78, 0x9f, 0x3e, 0x22], whole: true }]);
    let evil = letter(
        "From: a@b.example\nContent-Type: image/png\nContent-Disposition: attachment; filename=\"../..\\\\x\u{202e}gnp.exe\"\n\nx",
    );
    assert_eq!(evil.files.first().map(|file| file.name.as_str()), Some(".._.._xgnp.exe"));
    assert_eq!(letter("From: a@b.example\n\na\u{0}b\u{1b}[31mc\u{202e}d").text, "ab[31mcd");
    let long = letter(&format!("From: a@b.example\n\n{}", "ж".repeat(LONGEST_TEXT + 1)));
    assert!(long.cut && long.text.chars().count() <= LONGEST_TEXT + 1);
}

#[test]
fn e15_no_depth_and_no_number_of_parts_harms() {
    let mut deep = String::from("From: a@b.example\n");
    for level in 0..20_000 {
        deep.push_str(&format!("Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n"));
    }
    assert_eq!(letter(&deep).sender.as_deref(), Some("a@b.example"));
    let nested = format!("From: a@b.example\n{}", "Content-Type: message/rfc822\n\n".repeat(50_000));
    assert_eq!(letter(&nested).files.len(), 1);
    let wide =
        format!("From: a@b.example\nContent-Type: multipart/mixed; boundary=x\n\n{}", "--x\n\nwords\n".repeat(5_000));
    let read = letter(&wide);
    assert!(read.cut && read.text.starts_with("words"));
    for html in ["<", "<a href=\"", "<script>", "<!--", "&", "</", "<blockquote>"] {
        letter(&format!("From: a@b.example\nContent-Type: text/html\n\n{}", html.repeat(100_000)));
    }
    letter(&format!("Subject: {}\n\n", "=?utf-8?q?".repeat(20_000)));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn e15_whatever_bytes_come_they_are_read(raw in prop::collection::vec(any::<u8>(), 0..2_000)) {
        read(&raw, false);
    }

    #[test]
    fn e15_whatever_stands_between_the_signs_of_mail_it_is_read(pieces in prop::collection::vec(prop_oneof![
        Just("From: "), Just("Content-Type: "), Just("multipart/mixed; boundary=x"), Just("text/html"), Just("\r\n"), Just("\n\n"), Just("--x"),
        Just("--x--"), Just("=?utf-8?B?"), Just("?="), Just("=?koi8-r?q?=D"), Just("<"), Just(">"), Just("\""), Just("(("), Just("name*0*=utf-8''%D"),
        Just("<a href="), Just("&#x"), Just("ж"), Just("message/delivery-status"), Just("fb24.1.fb-2026-000123-"), Just(": "), Just("base64\r\n\r\nA"),
    ], 0..60)) {
        read(pieces.concat().as_bytes(), false);
    }

    #[test]
    fn e15_words_come_back_from_every_encoding(text in "[а-яА-Яa-z0-9 .,!]{1,60}[а-яa-z]") {
        use base64::Engine as _;
        let text = text.trim().to_owned();
        let base64 = base64::engine::general_purpose::STANDARD.encode(&text);
        let quoted: String = text.bytes().map(|byte| format!("={byte:02X}")).collect();
        for (encoding, body) in [("base64", &base64), ("quoted-printable", &quoted), ("8bit", &text)] {
            let raw = format!("From: a@b.example\r\nSubject: =?UTF-8?B?{base64}?=\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{body}");
            let read = read(raw.as_bytes(), false);
            prop_assert_eq!((&read.subject, &read.text), (&line(&text, 200), &clean(&text)));
        }
    }

    #[test]
    fn e15_a_token_survives_its_way_through_addresses_and_ids(serial in 1_u32..999_999, secret in "[0-9a-f]{64}", row in 0_i64..i64::MAX) {
        let token = ReplyToken::new(crate::domain::support::RequestNumber::new(2026, serial).expect("a number"), &secret);
        prop_assert_eq!(token.to_string().parse(), Ok(token.clone()));
        let address = format!("{}@v.example", token.mailbox("support"));
        prop_assert_eq!(super::token::of_address(&address.to_uppercase()), Some(token.clone()));
        let id = format!("<{}@v.example>", token.id(row));
        prop_assert_eq!(super::token::in_text(&id).collect::<Vec<_>>(), vec![token]);
    }
}
