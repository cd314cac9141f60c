//! What a portal posts to us: events and frames (facts §1.3, §1.6, §6.2). Everything here is a claim, not a fact: whoever
//! reads it verifies it at the pinned OAuth host or by the stored application token before he acts.

use secrecy::SecretString;
use serde_json::Value;

use super::form::{Form, FormError};

/// Why a post is no event and no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    #[error(transparent)]
    Form(#[from] FormError),
    #[error("the form names no event")]
    NoEvent,
    #[error("the form names no portal (member_id)")]
    NoMember,
}

/// The `auth` part of an event. Tokens of events are never used (product §7), except to verify an installation.
#[derive(Debug, Clone, Default)]
pub struct EventAuth {
    pub member_id: String,
    pub domain: String,
    pub client_endpoint: String,
    pub server_endpoint: String,
    pub scope: Vec<String>,
    pub status: String,
    pub user_id: Option<i64>,
    pub expires_in: Option<i64>,
    pub application_token: Option<SecretString>,
    pub access_token: Option<SecretString>,
    pub refresh_token: Option<SecretString>,
}

#[derive(Debug, Clone)]
pub struct PortalEvent {
    /// Upper case: `ONCRMDEALUPDATE`.
    pub event: String,
    /// Unix seconds of the portal's clock.
    pub ts: Option<i64>,
    pub data: Form,
    pub auth: EventAuth,
}

/// A change of a CRM record, as an event names it: a hint to read the record again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrmHint {
    pub entity_type_id: i32,
    pub id: i64,
    pub deleted: bool,
}

/// Entities whose events carry `data[FIELDS][ID]`, and their `entityTypeId`.
const CRM_EVENTS: &[(&str, i32)] = &[("ONCRMDEAL", 2), ("ONCRMCONTACT", 3), ("ONCRMCOMPANY", 4)];

/// Tells that the pull queue has something.
pub const ONOFFLINEEVENT: &str = "ONOFFLINEEVENT";

/// The record that an event of this name and this `FIELDS[ID]` is about.
pub(super) fn crm_hint(event: &str, id: Option<i64>) -> Option<CrmHint> {
    let (action, entity_type_id) =
        CRM_EVENTS.iter().find_map(|(prefix, entity)| Some((event.strip_prefix(prefix)?, *entity)))?;
    // `MOVETOCATEGORY` comes instead of `UPDATE` (facts §6.5).
    if !matches!(action, "ADD" | "UPDATE" | "DELETE" | "MOVETOCATEGORY") {
        return None;
    }
    Some(CrmHint { entity_type_id, id: id.filter(|id| *id > 0)?, deleted: action == "DELETE" })
}

fn owned(form: Option<&Form>, key: &str) -> String {
    form.and_then(|form| form.text(key)).unwrap_or_default().trim().to_owned()
}

fn secret(form: Option<&Form>, key: &str) -> Option<SecretString> {
    form.and_then(|form| form.text(key)).map(str::trim).filter(|text| !text.is_empty()).map(SecretString::from)
}

fn number(form: Option<&Form>, key: &str) -> Option<i64> {
    form.and_then(|form| form.text(key)).and_then(|text| text.trim().parse().ok())
}

/// A comma on the wire, spaces in the documents (facts §1.6, §16).
fn scope(text: &str) -> Vec<String> {
    text.split([',', ' ']).map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect()
}

impl PortalEvent {
    pub fn parse(body: &[u8]) -> Result<Self, PostError> {
        let form = Form::decode(body)?;
        let event = owned(Some(&form), "event").to_uppercase();
        if event.is_empty() || event.len() > 100 {
            return Err(PostError::NoEvent);
        }
        let auth = form.form("auth");
        let member_id = owned(auth, "member_id");
        if member_id.is_empty() {
            return Err(PostError::NoMember);
        }
        Ok(Self {
            event,
            ts: number(Some(&form), "ts"),
            data: form.form("data").cloned().unwrap_or_default(),
            auth: EventAuth {
                member_id,
                domain: owned(auth, "domain"),
                client_endpoint: owned(auth, "client_endpoint"),
                server_endpoint: owned(auth, "server_endpoint"),
                scope: scope(&owned(auth, "scope")),
                status: owned(auth, "status"),
                user_id: number(auth, "user_id"),
                expires_in: number(auth, "expires_in"),
                application_token: secret(auth, "application_token"),
                access_token: secret(auth, "access_token"),
                refresh_token: secret(auth, "refresh_token"),
            },
        })
    }

    /// The record this event is about; `None` for events of another kind and for absurd ids.
    pub fn crm(&self) -> Option<CrmHint> {
        crm_hint(&self.event, self.data.at(&["FIELDS", "ID"])?.trim().parse().ok())
    }

    /// The task this event is about. Since `tasks 25.700` a comment is a message of a chat, without a comment's id (facts §6.5).
    pub fn task(&self) -> Option<i64> {
        let path: [&str; 2] = match self.event.as_str() {
            "ONTASKADD" | "ONTASKUPDATE" => ["FIELDS_AFTER", "ID"],
            "ONTASKDELETE" => ["FIELDS_BEFORE", "ID"],
            "ONTASKCOMMENTADD" | "ONTASKCOMMENTUPDATE" => ["FIELDS_AFTER", "TASK_ID"],
            _ => return None,
        };
        self.data.at(&path)?.trim().parse().ok().filter(|id| *id > 0)
    }

    /// The portal's queue has something for us ([`super::queue`]).
    pub fn is_of_queue(&self) -> bool {
        self.event == ONOFFLINEEVENT
    }

    /// `ONAPPUNINSTALL` with `CLEAN=1`: the admin asked to delete settings and data.
    pub fn wants_clean(&self) -> bool {
        self.data.text("CLEAN").is_some_and(|text| matches!(text.trim(), "1" | "Y" | "y" | "true"))
    }
}

/// What the portal's page posts into our frame. Fields stand in the query or in the body.
#[derive(Debug, Clone, Default)]
pub struct FramePost {
    pub domain: String,
    pub https: bool,
    pub lang: String,
    pub app_sid: String,
    pub member_id: String,
    pub status: String,
    pub server_endpoint: String,
    pub scope: Vec<String>,
    /// Seconds that the access token still lives.
    pub auth_expires: Option<i64>,
    /// `None` where the portal sent it empty: a user without access to the application (facts §1.3).
    pub auth_id: Option<SecretString>,
    pub refresh_id: Option<SecretString>,
    pub application_token: Option<SecretString>,
    /// `CA_PEM`, from our own page only: the authority that signed the certificate of a boxed portal.
    pub authority: Option<String>,
    /// `DEFAULT` on the main page.
    pub placement: String,
    /// An object; empty where the portal sent nothing, `""` or `[]`.
    pub options: serde_json::Map<String, Value>,
}

impl FramePost {
    /// `query` without its question mark. Fields may stand in either; what stands in the body counts.
    pub fn parse(query: &str, body: &[u8]) -> Result<Self, PostError> {
        let query = Form::decode(query.as_bytes())?;
        let body = Form::decode(body)?;
        let either = |key: &str| -> String {
            let own = owned(Some(&body), key);
            if own.is_empty() { owned(Some(&query), key) } else { own }
        };
        let secret_of = |key: &str| secret(Some(&body), key).or_else(|| secret(Some(&query), key));
        let options = match serde_json::from_str(&either("PLACEMENT_OPTIONS")) {
            Ok(Value::Object(map)) => map,
            _ => serde_json::Map::new(),
        };
        let placement = either("PLACEMENT");
        Ok(Self {
            domain: either("DOMAIN"),
            // Without the field: a portal that knows only https.
            https: either("PROTOCOL") != "0",
            lang: either("LANG"),
            app_sid: either("APP_SID"),
            member_id: either("member_id"),
            status: either("status"),
            server_endpoint: either("SERVER_ENDPOINT"),
            scope: scope(&either("APPLICATION_SCOPE")),
            auth_expires: either("AUTH_EXPIRES").parse().ok(),
            auth_id: secret_of("AUTH_ID"),
            refresh_id: secret_of("REFRESH_ID"),
            application_token: secret_of("APPLICATION_TOKEN"),
            authority: Some(owned(Some(&body), "CA_PEM")).filter(|pem| !pem.is_empty()),
            placement: if placement.is_empty() { "DEFAULT".to_owned() } else { placement },
            options,
        })
    }

    /// The record a CRM tab stands on: `ID`, on some placements `ENTITY_ID` (facts §9.1).
    pub fn record_id(&self) -> Option<i64> {
        ["ID", "ENTITY_ID"].iter().find_map(|key| super::de::id(self.options.get(*key)?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    const EVENT: &str = "event=ONCRMDEALUPDATE&event_handler_id=3&data%5BFIELDS%5D%5BID%5D=77&ts=1763730000\
        &auth%5Baccess_token%5D=aaa&auth%5Bexpires_in%5D=3600&auth%5Bscope%5D=crm%2Cplacement&auth%5Bdomain%5D=p.example\
        &auth%5Bmember_id%5D=m1&auth%5Buser_id%5D=1&auth%5Bapplication_token%5D=ttt";

    #[test]
    fn s48_an_event_is_read_and_names_its_record() {
        let event = PortalEvent::parse(EVENT.as_bytes()).expect("event");
        assert_eq!(
            (event.event.as_str(), event.ts, event.auth.member_id.as_str()),
            ("ONCRMDEALUPDATE", Some(1_763_730_000), "m1")
        );
        assert_eq!(event.crm(), Some(CrmHint { entity_type_id: 2, id: 77, deleted: false }));
        assert_eq!(event.auth.scope, ["crm", "placement"]);
        assert_eq!(event.auth.application_token.as_ref().map(ExposeSecret::expose_secret), Some("ttt"));
        assert!(event.auth.refresh_token.is_none());
        assert!(
            !format!("{event:?}").contains("ttt") && !format!("{event:?}").contains("aaa"),
            "no token in a debug print"
        );
    }

    #[test]
    fn s48_events_of_every_crm_entity_are_hints_and_others_are_not() {
        let hint = |event: &str, id: &str| {
            PortalEvent::parse(format!("event={event}&data[FIELDS][ID]={id}&auth[member_id]=m").as_bytes())
                .expect("event")
                .crm()
        };
        assert_eq!(hint("onCrmContactAdd", "5"), Some(CrmHint { entity_type_id: 3, id: 5, deleted: false }));
        assert_eq!(hint("ONCRMCOMPANYDELETE", "6"), Some(CrmHint { entity_type_id: 4, id: 6, deleted: true }));
        assert_eq!(hint("ONCRMDEALMOVETOCATEGORY", "7"), Some(CrmHint { entity_type_id: 2, id: 7, deleted: false }));
        for (event, id) in [
            ("ONCRMDEALUPDATE", "0"),
            ("ONCRMDEALUPDATE", "-1"),
            ("ONCRMDEALUPDATE", "99999999999999999999"),
            ("ONCRMDEALUPDATE", "x"),
            ("ONCRMDEALUSERFIELDADD", "1"),
            ("ONTASKADD", "1"),
            ("ONAPPUPDATE", "1"),
        ] {
            assert_eq!(hint(event, id), None, "{event} {id}");
        }
    }

    #[test]
    fn s39_an_event_of_a_task_names_it_in_both_dialects() {
        let task = |event: &str, data: &str| {
            PortalEvent::parse(format!("event={event}{data}&auth[member_id]=m").as_bytes()).expect("event").task()
        };
        let both = "&data[FIELDS_BEFORE][ID]=7&data[FIELDS_AFTER][ID]=7";
        assert_eq!(task("onTaskUpdate", both), Some(7));
        assert_eq!(task("ONTASKDELETE", "&data[FIELDS_BEFORE][ID]=8&data[FIELDS_AFTER]=undefined"), Some(8));
        let chat = "&data[FIELDS_BEFORE]=undefined&data[FIELDS_AFTER][ID]=0&data[FIELDS_AFTER][TASK_ID]=9&data[FIELDS_AFTER][MESSAGE_ID]=5";
        assert_eq!(task("ONTASKCOMMENTADD", chat), Some(9));
        assert_eq!(task("ONTASKCOMMENTADD", "&data[FIELDS_AFTER][ID]=4&data[FIELDS_AFTER][TASK_ID]=10"), Some(10));
        assert_eq!(task("ONTASKUPDATE", "&data[FIELDS_AFTER]=undefined"), None);
        assert_eq!(task("ONCRMDEALUPDATE", both), None);
    }

    #[test]
    fn s48_an_event_without_data_or_tokens_is_legal_one_without_member_is_not() {
        let event = PortalEvent::parse(b"event=ONOFFLINEEVENT&auth[member_id]=m").expect("event");
        assert!(event.data.is_empty() && event.auth.access_token.is_none() && event.crm().is_none());
        assert!(matches!(PortalEvent::parse(b"event=ONAPPTEST"), Err(PostError::NoMember)));
        assert!(matches!(PortalEvent::parse(b"auth[member_id]=m"), Err(PostError::NoEvent)));
        assert!(matches!(PortalEvent::parse(b"event=\xff"), Err(PostError::Form(FormError::NotUtf8))));
        assert!(
            PortalEvent::parse(b"event=ONAPPUNINSTALL&auth[member_id]=m&data[CLEAN]=1").expect("event").wants_clean()
        );
        assert!(
            !PortalEvent::parse(b"event=ONAPPUNINSTALL&auth[member_id]=m&data[CLEAN]=0").expect("event").wants_clean()
        );
    }

    #[test]
    fn s48_a_frame_is_read_from_query_and_body() {
        let frame = FramePost::parse(
            "DOMAIN=p.example%3A8443&PROTOCOL=1&LANG=ru&APP_SID=abc",
            b"AUTH_ID=aaa&AUTH_EXPIRES=3600&REFRESH_ID=rrr&APPLICATION_TOKEN=ttt&APPLICATION_SCOPE=crm,im&member_id=m1&status=L\
              &PLACEMENT=CRM_DEAL_DETAIL_TAB&PLACEMENT_OPTIONS=%7B%22ID%22%3A%228061%22%7D",
        )
        .expect("frame");
        assert_eq!((frame.domain.as_str(), frame.https, frame.lang.as_str()), ("p.example:8443", true, "ru"));
        assert_eq!((frame.member_id.as_str(), frame.record_id(), frame.auth_expires), ("m1", Some(8061), Some(3600)));
        assert_eq!(frame.scope, ["crm", "im"]);
        assert!(frame.auth_id.is_some() && frame.refresh_id.is_some() && frame.application_token.is_some());
        let stray = FramePost::parse("AUTH_ID=aaa&member_id=m1", b"AUTH_ID=bbb").expect("frame");
        assert_eq!(stray.auth_id.as_ref().map(ExposeSecret::expose_secret), Some("bbb"), "the body counts");
        let all = FramePost::parse("AUTH_ID=aaa&member_id=m1", b"").expect("frame");
        assert!(all.auth_id.is_some() && all.member_id == "m1");
    }

    #[test]
    fn s48_empty_auth_and_every_form_of_placement_options_are_read() {
        for options in ["", "&PLACEMENT_OPTIONS=", "&PLACEMENT_OPTIONS=%5B%5D", "&PLACEMENT_OPTIONS=nonsense"] {
            let frame = FramePost::parse("PROTOCOL=0", format!("AUTH_ID=&REFRESH_ID=&member_id=m{options}").as_bytes())
                .expect("frame");
            assert!(frame.options.is_empty() && frame.auth_id.is_none() && frame.refresh_id.is_none(), "{options}");
            assert_eq!((frame.placement.as_str(), frame.https), ("DEFAULT", false));
        }
    }

    proptest! {
        #[test]
        fn s48_any_bytes_are_an_event_a_frame_or_a_clear_error(query in any::<String>(), body in proptest::collection::vec(any::<u8>(), 0..2048)) {
            let _ = PortalEvent::parse(&body).map(|event| event.crm());
            let _ = FramePost::parse(&query, &body).map(|frame| frame.record_id());
        }
    }
}
