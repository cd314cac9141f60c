//! Messages to the interface (facts §2.1-2.3).

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::conditions::Chain;
use super::fields;
use super::xml::is_allowed;

/// Version of the message grammar; statuses mean something else below it (facts §5.2).
pub const VERSION: &str = "1.1.0";

/// Who asks. The password is written into the message only and never shown.
#[derive(Clone)]
pub struct Login {
    pub username: String,
    pub password: SecretString,
    /// The value was made by the vendor's own encryption tool (`PasswordEncrypted`).
    pub encrypted: bool,
    pub vendor: Option<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).field("vendor", &self.vendor).finish_non_exhaustive()
    }
}

/// One `query` of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    pub req_type: &'static str,
    pub conditions: Option<Chain>,
    pub fields: Vec<&'static str>,
}

impl Query {
    pub fn new(req_type: &'static str) -> Self {
        Self { req_type, conditions: None, fields: Vec::new() }
    }

    pub fn only(mut self, conditions: Chain) -> Self {
        self.conditions = Some(conditions);
        self
    }

    pub fn fields(mut self, fields: impl IntoIterator<Item = &'static str>) -> Self {
        for field in fields {
            // Card, passport and login fields are never asked for, whoever adds them to a list (facts §10.20).
            if !fields::is_denied(field) && !self.fields.contains(&field) {
                self.fields.push(field);
            }
        }
        self
    }
}

/// Name of the query at `index`: unique in its message, so that answers are told apart (facts §2.3).
pub fn name(index: usize) -> String {
    format!("q{}", index + 1)
}

/// The message as bytes.
pub fn write(login: &Login, id: &str, queries: &[Query]) -> String {
    let mut xml = Writer(String::with_capacity(512 + queries.len() * 1024));
    xml.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?><fidelio");
    xml.attribute("Version", VERSION);
    xml.raw("><request");
    xml.attribute("ID", id);
    xml.attribute("UserName", &login.username);
    xml.attribute("Password", login.password.expose_secret());
    if login.encrypted {
        xml.attribute("PasswordEncrypted", "true");
    }
    if let Some(vendor) = &login.vendor {
        xml.attribute("Vendor", vendor);
    }
    xml.raw(">");
    for (index, query) in queries.iter().enumerate() {
        xml.raw("<query");
        xml.attribute("ReqType", query.req_type);
        xml.attribute("Name", &name(index));
        xml.raw(">");
        if let Some(chain) = &query.conditions {
            xml.raw("<conditions>");
            xml.chain(chain);
            xml.raw("</conditions>");
        }
        if !query.fields.is_empty() {
            xml.raw("<fields>");
            for field in &query.fields {
                xml.raw("<field");
                xml.attribute("name", field);
                xml.raw("/>");
            }
            xml.raw("</fields>");
        }
        xml.raw("</query>");
    }
    xml.raw("</request></fidelio>");
    xml.0
}

/// A message without login and without a question: whatever the interface says to it, it is the interface that speaks.
pub fn of_nobody(id: &str) -> String {
    let mut xml = Writer(String::with_capacity(128));
    xml.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?><fidelio");
    xml.attribute("Version", VERSION);
    xml.raw("><request");
    xml.attribute("ID", id);
    xml.raw("></request></fidelio>");
    xml.0
}

struct Writer(String);

impl Writer {
    fn raw(&mut self, text: &str) {
        self.0.push_str(text);
    }

    fn attribute(&mut self, name: &str, value: &str) {
        self.raw(" ");
        self.raw(name);
        self.raw("=\"");
        self.escaped(value);
        self.raw("\"");
    }

    /// Text or attribute value: markup escaped, forbidden characters left out, blanks that an attribute would lose kept.
    fn escaped(&mut self, text: &str) {
        for c in text.chars().filter(|c| is_allowed(*c)) {
            match c {
                '&' => self.raw("&amp;"),
                '<' => self.raw("&lt;"),
                '>' => self.raw("&gt;"),
                '"' => self.raw("&quot;"),
                '\'' => self.raw("&apos;"),
                '\t' => self.raw("&#9;"),
                '\n' => self.raw("&#10;"),
                '\r' => self.raw("&#13;"),
                c => self.0.push(c),
            }
        }
    }

    fn chain(&mut self, chain: &Chain) {
        self.raw("<condition");
        self.attribute("name", &chain.first.name);
        self.attribute("operation", chain.first.op.word());
        self.raw(">");
        self.escaped(&chain.first.value);
        self.raw("</condition>");
        if let Some((join, rest)) = &chain.rest {
            self.raw("<link");
            self.attribute("operator", join.word());
            self.raw("><condition>");
            self.chain(rest);
            self.raw("</condition></link>");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quick_xml::events::Event;

    use super::super::conditions::{Cond, Op};
    use super::*;

    fn login() -> Login {
        Login {
            username: "B24".into(),
            password: SecretString::from("p\"<&>'\u{1}ы"),
            encrypted: false,
            vendor: Some("DEMO".into()),
        }
    }

    #[test]
    fn s1_a_message_reads_like_the_documents_one() {
        let chain = Chain::build(&Cond::is("LastUpdateTime", Op::Ge, "05.03.2026 09:50:00.000 UTC-180").and(Cond::is(
            "LastUpdateTime",
            Op::Lt,
            "05.03.2026 10:10:00.000 UTC-180",
        )))
        .expect("sayable");
        let query = Query::new("Reservation").only(chain).fields(["GuestNum", "LastUpdateTime", "GuestNum"]);
        let text = write(&login(), "r-1", &[query, Query::new("SystemDate")]);
        assert_eq!(
            text,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><fidelio Version=\"1.1.0\"><request ID=\"r-1\" UserName=\"B24\" \
             Password=\"p&quot;&lt;&amp;&gt;&apos;ы\" Vendor=\"DEMO\"><query ReqType=\"Reservation\" Name=\"q1\">\
             <conditions><condition name=\"LastUpdateTime\" operation=\"ge\">05.03.2026 09:50:00.000 UTC-180</condition>\
             <link operator=\"AND\"><condition><condition name=\"LastUpdateTime\" operation=\"lt\">05.03.2026 \
             10:10:00.000 UTC-180</condition></condition></link></conditions><fields><field name=\"GuestNum\"/>\
             <field name=\"LastUpdateTime\"/></fields></query><query ReqType=\"SystemDate\" Name=\"q2\"></query>\
             </request></fidelio>"
        );
    }

    #[test]
    fn s1_a_password_is_never_shown() {
        let shown = format!("{:?}", login());
        assert!(shown.contains("B24") && !shown.contains('ы'), "{shown}");
    }

    #[test]
    fn s1_card_passport_and_login_fields_are_never_asked_for() {
        let query = Query::new("Profile").fields(["ProfileID", "CreditCardNo", "PersonalDocument", "loginpassword"]);
        assert_eq!(query.fields, ["ProfileID"]);
    }

    proptest! {
        #[test]
        fn s1_any_text_arrives_as_it_was(text in "[\\PC\t\n\r<>&\"']{0,40}") {
            let mut login = login();
            login.username = text.clone();
            let message = write(&login, "1", &[]);
            let mut reader = quick_xml::Reader::from_str(&message);
            let mut read = None;
            loop {
                match reader.read_event().expect("well-formed") {
                    Event::Start(tag) if tag.name().as_ref() == "request" => {
                        let value = tag.try_get_attribute("UserName").expect("read").expect("present");
                        read = Some(quick_xml::escape::unescape(&value.value).expect("escaped").into_owned());
                    }
                    Event::Eof => break,
                    _ => {}
                }
            }
            prop_assert_eq!(read.expect("request"), text.chars().filter(|c| is_allowed(*c)).collect::<String>());
        }
    }
}
