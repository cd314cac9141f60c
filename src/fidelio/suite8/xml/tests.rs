use proptest::prelude::*;

use super::*;

const ANSWER: &str = r#"<?xml version="1.0" encoding="utf-8" ?><fidelio Version="1.1.0"><response ID="r-1" Status="OK">
<queryResponse Name="n1"><rows><row><fields><field name="GuestNum">60017</field><field name="GuestName">Ёжикова &amp; Co &lt;тест&gt;</field><field name="Notes" attr="NF" addData="0" noteID="7">Тихий номер.
Поздно &#x2014; очень<![CDATA[ <b>]]></field><field name="Birthday"/></fields></row><row><fields></fields></row></rows></queryResponse>
<queryResponse Name="n2"><rows></rows></queryResponse>
</response></fidelio>"#;

fn read_in(chunks: &[&[u8]], limits: Limits) -> Result<Vec<Item>, XmlError> {
    let mut reader = Reader::new(limits);
    let mut out = Vec::new();
    for chunk in chunks {
        reader.feed(chunk, &mut out)?;
    }
    reader.finish(&mut out)?;
    Ok(out)
}

fn read(text: &str) -> Result<Vec<Item>, XmlError> {
    read_in(&[text.as_bytes()], Limits::default())
}

fn rows(items: &[Item]) -> Vec<&Row> {
    items.iter().filter_map(|item| if let Item::Row(row) = item { Some(row) } else { None }).collect()
}

#[test]
fn s1_an_answer_becomes_its_rows() {
    let items = read(ANSWER).expect("well-formed");
    assert_eq!(items[0], Item::Head { id: "r-1".into(), status: "OK".into(), message: String::new() });
    assert_eq!(items[1], Item::Block { name: "n1".into() });
    assert_eq!(items.last(), Some(&Item::Block { name: "n2".into() }));
    let rows = rows(&items);
    assert_eq!(rows.len(), 1, "a row without fields is nothing");
    let fields = &rows[0].fields;
    assert_eq!(fields[1].text, "Ёжикова & Co <тест>");
    assert_eq!(fields[2].text, "Тихий номер.\nПоздно — очень <b>");
    assert_eq!(fields[2].attribute("NOTEid"), Some("7"));
    assert_eq!((fields[3].name.as_str(), fields[3].text.as_str()), ("Birthday", ""));
    assert!(!rows[0].is_garbled());
}

#[test]
fn s10_a_mark_of_byte_order_amid_an_answer_is_nothing_wherever_it_is_cut() {
    let expected = read(ANSWER).expect("well-formed");
    let marked = ANSWER
        .replace("?><", "?>\u{FEFF}\u{FEFF}<")
        .replace("Тихий", "\u{FEFF}Тихий")
        .replace("</row>", "</row>\u{FEFF}");
    let bytes = marked.as_bytes();
    for at in 0..bytes.len() {
        let (first, rest) = bytes.split_at(at);
        assert_eq!(read_in(&[first, rest], Limits::default()).as_ref(), Ok(&expected), "cut at {at}");
    }
}

#[test]
fn s1_every_spelling_of_nothing_is_nothing() {
    for body in [
        "<queryResponse Name='d'><rows></rows></queryResponse>",
        "<queryResponse Name='d'><rows><row><fields></fields></row></rows></queryResponse>",
        "<queryResponse Name='d'><rows><row/></rows></queryResponse>",
        "<queryResponse Name='d'/>",
        "",
    ] {
        let items = read(&format!("<fidelio><response ID='' Status='OK'>{body}</response></fidelio>")).expect(body);
        assert!(rows(&items).is_empty(), "{body}");
    }
    assert!(read("<fidelio Version='1.1.0'><response ID='x' Status='OK'/></fidelio>").is_ok());
}

#[test]
fn s1_a_refusal_carries_status_and_message_in_one_line() {
    let items = read(
        "<f:fidelio xmlns:f='V8XMLInterface'><f:response id='e3' status='NG' MESSAGE='Guest not found\n  GuestNum=77 &quot;A&quot; &lt;b&gt;'/></f:fidelio>",
    );
    let head =
        Item::Head { id: "e3".into(), status: "NG".into(), message: "Guest not found GuestNum=77 \"A\" <b>".into() };
    assert_eq!(items, Ok(vec![head]));
}

#[test]
fn s1_answers_to_writes_may_stay_unparsed() {
    for body in [
        "<insertResponse Name='i'><rows><ProfileID>70430</ProfileID><Addresses><Address initID='0' newID='8'/></Addresses></rows></insertResponse>",
        "<updateResponse Name='u'><rows><row><fields><field name='Note' newID='1603'/></fields></row></rows></updateResponse>",
    ] {
        assert!(read(&format!("<fidelio><response ID='w' Status='OK'>{body}</response></fidelio>")).is_ok(), "{body}");
    }
}

#[test]
fn s1_careless_writers_are_read() {
    // A lone ampersand, a stray control character, an attribute without quotes, an unknown element.
    let text = "<fidelio><response Status=OK ID='1'><extra/><queryResponse><rows><row><fields><field name='A'>Fish & Chips\u{1} &</field></fields></row></rows></queryResponse></response></fidelio>\0\n";
    let items = read(text).expect("tolerated");
    assert_eq!(rows(&items)[0].fields[0].text, "Fish & Chips &");
}

#[test]
fn s1_bytes_of_another_encoding_mark_their_row_only() {
    let row =
        |name: &[u8]| [b"<row><fields><field name='GuestName'>".as_slice(), name, b"</field></fields></row>"].concat();
    let bytes = [
        b"<?xml version='1.0' encoding='utf-8'?><fidelio><response Status='OK'><queryResponse><rows>".as_slice(),
        &row(b"\xcf\xf0\xee"),
        &row("Про".as_bytes()),
        b"</rows></queryResponse></response></fidelio>",
    ]
    .concat();
    let items = read_in(&[&bytes], Limits::default()).expect("readable");
    assert_eq!(rows(&items).iter().map(|row| row.is_garbled()).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn s1_hostile_answers_are_refused() {
    let inside = |text: &str| {
        format!(
            "<fidelio><response Status='OK'><queryResponse><rows><row><fields><field name='A'>{text}</field></fields></row></rows></queryResponse></response></fidelio>"
        )
    };
    for (text, error) in [
        ("<!DOCTYPE a [<!ENTITY b 'cc'>]><fidelio/>".to_owned(), XmlError::Entities),
        ("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><fidelio/>".to_owned(), XmlError::Entities),
        (inside("&lol;"), XmlError::Entities),
        (inside("&#xffffffffff;"), XmlError::Malformed("a character reference")),
        ("<!DOCTYPE html><html></html>".to_owned(), XmlError::NotTheInterface),
        ("<html><body>500</body></html>".to_owned(), XmlError::NotTheInterface),
        ("Service unavailable".to_owned(), XmlError::NotTheInterface),
        ("{\"a\":1}".to_owned(), XmlError::NotTheInterface),
        (String::new(), XmlError::Empty),
        ("  \n ".to_owned(), XmlError::Empty),
        ("<fidelio/>".to_owned(), XmlError::NotTheInterface),
        ("<fidelio><response Status='OK'></fidelio>".to_owned(), XmlError::Malformed("tags that do not match")),
        ("<fidelio><response/></fidelio><fidelio/>".to_owned(), XmlError::Malformed("text behind the end")),
        ("<fidelio><response/></fidelio>trailer".to_owned(), XmlError::Malformed("text behind the end")),
        ("<fidelio><response/><response/></fidelio>".to_owned(), XmlError::Malformed("two responses")),
        ("<a>".repeat(40), XmlError::NotTheInterface),
        (format!("<fidelio>{}", "<a>".repeat(40)), XmlError::TooBig("depth")),
        (
            format!("<fidelio {}/>", (0..65).map(|i| format!("a{i}='1' ")).collect::<String>()),
            XmlError::TooBig("attributes"),
        ),
        (inside(&"x".repeat((1 << 20) + 1)), XmlError::TooBig("text")),
        (format!("<fidelio a='{}'/>", "x".repeat((1 << 20) + 9)), XmlError::TooBig("text")),
        (inside("<!nonsense>"), XmlError::Malformed("markup")),
    ] {
        let shown: String = text.chars().take(60).collect();
        assert_eq!(read(&text), Err(error), "{shown}");
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(7).collect();
        assert_eq!(read_in(&pieces, Limits::default()), Err(error), "in pieces: {shown}");
    }
}

#[test]
fn s1_a_row_has_a_size_too() {
    let field = format!("<field name='A'>{}</field>", "x".repeat(1000));
    let text = format!("<fidelio><response><queryResponse><rows><row><fields>{}", field.repeat(5));
    let limits = Limits { row: 4096, ..Limits::default() };
    assert_eq!(read_in(&[text.as_bytes()], limits), Err(XmlError::TooBig("row")));
}

#[test]
fn s1_every_truncation_is_noticed() {
    let bytes = ANSWER.as_bytes();
    let end = ANSWER.trim_end().len();
    for cut in 1..end {
        let result = read_in(&[&bytes[..cut]], Limits::default());
        assert!(
            matches!(result, Err(XmlError::Truncated | XmlError::Empty | XmlError::NotTheInterface)),
            "cut at {cut}: {result:?}"
        );
    }
}

/// An endless answer, generated; the reader refuses at the cap and never holds more than a piece and a row.
#[test]
fn s1_an_endless_answer_is_refused_at_the_cap_in_bounded_memory() {
    let limits = Limits { total: 4 << 20, ..Limits::default() };
    let row =
        "<row><fields><field name='GuestNum'>1</field><field name='Notes' attr='NF'>0123456789</field></fields></row>"
            .repeat(64);
    let mut reader = Reader::new(limits);
    let mut out = Vec::new();
    reader.feed(b"<fidelio><response Status='OK'><queryResponse><rows>", &mut out).expect("opening");
    let (mut most_rows, mut most_bytes, mut fed) = (0, 0, 0u64);
    let error = loop {
        out.clear();
        fed += u64::try_from(row.len()).expect("small");
        if let Err(error) = reader.feed(row.as_bytes(), &mut out) {
            break error;
        }
        most_rows = most_rows.max(out.len());
        most_bytes = most_bytes.max(reader.held());
        assert!(fed < 1 << 30, "the cap was passed");
    };
    assert_eq!(error, XmlError::TooBig("bytes"));
    assert!(fed <= limits.total + (1 << 20));
    assert!(most_rows <= 2 * 64, "{most_rows} rows held");
    assert!(most_bytes <= 8 * PIECE, "{most_bytes} bytes held");
}

/// A million of anything small passes through without being kept.
#[test]
fn s10_a_million_elements_are_not_held() {
    for element in ["<row/>", "<extra/>", "<row><fields><field/></fields></row>"] {
        let mut reader = Reader::new(Limits::default());
        let mut out = Vec::new();
        reader.feed(b"<fidelio><response Status='OK'><queryResponse Name='q1'><rows>", &mut out).expect("opening");
        let lot = element.repeat(1_000);
        for _ in 0..200 {
            out.clear();
            reader.feed(lot.as_bytes(), &mut out).expect("tolerated");
            assert!(out.is_empty() && reader.held() <= 8 * PIECE, "{element}");
        }
    }
    // Inside one row they are a row too large.
    let mut reader = Reader::new(Limits::default());
    let mut out = Vec::new();
    let fields = "<field name='A'/>".repeat(1_000);
    reader.feed(b"<fidelio><response Status='OK'><queryResponse><rows><row><fields>", &mut out).expect("opening");
    let error = (0..1_000).find_map(|_| reader.feed(fields.as_bytes(), &mut out).err());
    assert_eq!(error, Some(XmlError::TooBig("row")));
    assert!(reader.held() <= 5 << 20);
}

/// One endless text, tag, comment or prologue: refused early.
#[test]
fn s1_an_endless_text_is_refused_early() {
    for opening in [
        "<fidelio><response><queryResponse><rows><row><fields><field name='A'>",
        "<fidelio><!--",
        "<fidelio a='",
        "<fidelio><![CDATA[",
        "<fidelio><?x ",
        "<!DOCTYPE x [",
        "",
    ] {
        let mut reader = Reader::new(Limits::default());
        let mut out = Vec::new();
        reader.feed(opening.as_bytes(), &mut out).expect("opening");
        let mut fed = 0usize;
        while reader.feed(&[b'x'; 32 << 10], &mut out).is_ok() {
            fed += 32 << 10;
            assert!(fed < 4 << 20, "{opening:?} goes on for ever");
            assert!(reader.held() < 4 << 20);
        }
    }
}

proptest! {
    #[test]
    fn s1_any_split_of_the_bytes_gives_the_same_rows(cuts in prop::collection::vec(0usize..ANSWER.len(), 0..12)) {
        let mut cuts = cuts;
        cuts.extend([0, ANSWER.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|w| &ANSWER.as_bytes()[w[0]..w[1]]).collect();
        prop_assert_eq!(read_in(&pieces, Limits::default()), read(ANSWER));
    }

    /// A code page of one byte, a mark of the byte order, a declaration cut in the middle: the split changes nothing.
    #[test]
    fn s1_any_split_gives_the_same_rows_in_every_encoding(
        cuts in prop::collection::vec(0usize..2_000, 0..12),
        label in prop::sample::select(vec!["windows-1251", "iso-8859-5", "utf-8", "mark", "utf-16"]),
    ) {
        let bytes = match label {
            "mark" => format!("\u{feff}{ANSWER}").into_bytes(),
            "utf-16" => [&[0xff, 0xfe][..], &ANSWER.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()].concat(),
            label => {
                let encoding = encoding_rs::Encoding::for_label(label.as_bytes()).expect("known");
                encoding.encode(&ANSWER.replace("utf-8", label)).0.into_owned()
            }
        };
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
        prop_assert_eq!(read_in(&pieces, Limits::default()), read(ANSWER));
    }

    #[test]
    fn s1_no_bytes_panic_or_depend_on_their_split(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0usize..200) {
        let at = at.min(bytes.len());
        let whole = read_in(&[&bytes], Limits::default());
        let split = read_in(&[&bytes[..at], &bytes[at..]], Limits::default());
        prop_assert_eq!(whole, split);
    }

    #[test]
    fn s1_no_markup_panics_or_depends_on_its_split(parts in prop::collection::vec(prop::sample::select(vec!["<fidelio>", "<response Status='OK'>", "<row>", "<field name='a'>", "</field>", "</row>", "</response>", "</fidelio>", "&amp;", "&", ";", "<", ">", "<!--", "-->", "<![CDATA[", "]]>", "<?", "?>", "x", "'", "\"", "/", "!", " "]), 0..24), at in 0usize..200) {
        let text = parts.concat();
        let at = at.min(text.len());
        let whole = read(&text);
        let split = read_in(&[&text.as_bytes()[..at], &text.as_bytes()[at..]], Limits::default());
        match (whole, split) {
            // What came before an error may differ in its name, not in being one.
            (Err(_), Err(_)) => {}
            (whole, split) => prop_assert_eq!(whole, split),
        }
    }
}
