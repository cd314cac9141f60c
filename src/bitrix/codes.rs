//! The one table of error codes (facts §2.4, §3.3, §3.5). Codes are compared in lower case, and before the status:
//! sources disagree on statuses.

use std::time::Duration;

use super::error::Class;

/// Who answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    Portal,
    /// The pinned OAuth host.
    OAuth,
}

/// What a code means for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Means {
    /// Not carried out; may be repeated after so many seconds.
    Later(u64),
    /// Perhaps carried out; a write is settled by look-up first.
    Unclear(u64),
    No,
    Reauthorise,
    Suspend,
    Gone,
}

use Means::{Gone, Later, No, Reauthorise, Suspend, Unclear};

struct Row {
    code: &'static str,
    at: Option<At>,
    /// Only for this HTTP status.
    status: Option<u16>,
    /// Only where the description has this (lower case).
    says: Option<&'static str>,
    means: Means,
}

const fn row(code: &'static str, means: Means) -> Row {
    Row { code, at: None, status: None, says: None, means }
}

const fn oauth(code: &'static str, means: Means) -> Row {
    Row { at: Some(At::OAuth), ..row(code, means) }
}

/// The first row that fits counts.
const TABLE: &[Row] = &[
    // limits
    row("query_limit_exceeded", Later(1)),
    row("operation_time_limit", Later(10)),
    // A block by hand at Bitrix24: hourly probes are all that is decent.
    row("overload_limit", Later(3600)),
    row("ratelimitexception", Later(1)),
    // faults of the portal
    row("internal_server_error", Unclear(30)),
    row("error_unexpected_answer", Unclear(30)),
    row("connection_error", Later(60)),
    // tokens
    // Still expired after a refresh: a clock is wrong somewhere, which passes.
    row("expired_token", Later(60)),
    row("invalid_token", Reauthorise),
    row("no_auth_found", Reauthorise),
    row("authorization_error", Reauthorise),
    row("user_access_error", Reauthorise),
    // payment and plan
    row("payment_required", Suspend),
    Row { says: Some("commercial plans"), ..row("access_denied", Suspend) },
    // removed
    row("application_not_found", Gone),
    row("error_oauth", Gone),
    row("not_installed", Gone),
    // A box with its site closed answers so with 403.
    Row { status: Some(403), ..row("portal_deleted", Later(3600)) },
    row("portal_deleted", Gone),
    // an admin must confirm the method first
    row("method_confirm_waiting", Later(3600)),
    row("method_confirm_denied", No),
    // rights and requests
    row("invalid_credentials", No),
    row("insufficient_scope", No),
    row("access_denied", No),
    row("wrong_auth_type", No),
    row("wrong_license", No),
    row("allowed_only_intranet_user", No),
    row("error_method_not_found", No),
    row("error_manifest_is_not_available", No),
    row("error_batch_method_not_allowed", No),
    row("error_batch_length_exceeded", No),
    row("invalid_request", No),
    row("wrong_encoding", No),
    row("error_argument", No),
    row("error_core", No),
    row("not_found", No),
    row("error_not_found", No),
    row("invalid_arg_value", No),
    row("100", No),
    row("0", No),
    row("", No),
    // REST 3.0, without its prefix
    row("validation_requestvalidationexception", No),
    row("validation_dtovalidationexception", No),
    row("invalidjsonexception", No),
    row("unknowndtopropertyexception", No),
    row("unknownfilteroperatorexception", No),
    row("entitynotfoundexception", No),
    row("invalidselectexception", No),
    row("accessdeniedexception", No),
    row("insufficientscopeexception", No),
    row("methodnotfoundexception", No),
    row("idempotencykeyreusedexception", No),
    // the OAuth host
    oauth("invalid_client", No),
    oauth("wrong_client", No),
    oauth("invalid_grant", Reauthorise),
    oauth("bad_verification_code", Reauthorise),
    oauth("invalid_scope", No),
];

const V3: &str = "bitrix_rest_v3_exception_";

/// What to do about a refusal, and whether the request may have been carried out all the same.
pub(super) fn classify(at: At, code: &str, description: &str, status: u16) -> (Class, bool) {
    let short = code.strip_prefix(V3).unwrap_or(code);
    let says = description.to_lowercase();
    let known = TABLE.iter().find(|row| {
        row.code == short
            && row.at.is_none_or(|own| own == at)
            && row.status.is_none_or(|own| own == status)
            && row.says.is_none_or(|text| says.contains(text))
    });
    let means = known.map_or(if status >= 500 { Unclear(30) } else { No }, |row| row.means);
    match means {
        Later(seconds) => (Class::Retry { after: Duration::from_secs(seconds) }, false),
        Unclear(seconds) => (Class::Retry { after: Duration::from_secs(seconds) }, true),
        No => (Class::Permanent, false),
        Reauthorise => (Class::Reauthorise, false),
        Suspend => (Class::Suspend, false),
        Gone => (Class::Gone, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitrix::Error;

    fn class(at: At, code: &str, description: &str, status: u16) -> (Class, bool) {
        let error = Error::refused(at, code, description, status);
        (error.class, error.outcome_unknown)
    }

    fn later(seconds: u64) -> (Class, bool) {
        (Class::Retry { after: Duration::from_secs(seconds) }, false)
    }

    #[test]
    fn s48_every_row_of_the_facts_is_classified() {
        let portal = |code: &str, status| class(At::Portal, code, "", status);
        assert_eq!(portal("QUERY_LIMIT_EXCEEDED", 503), later(1));
        assert_eq!(portal("OPERATION_TIME_LIMIT", 429), later(10));
        assert_eq!(portal("OVERLOAD_LIMIT", 503), later(3600));
        for code in ["INTERNAL_SERVER_ERROR", "ERROR_UNEXPECTED_ANSWER"] {
            assert_eq!(portal(code, 500), (Class::Retry { after: Duration::from_secs(30) }, true), "{code}");
            assert!(portal(code, 200).1, "inside a batch the outcome is as unclear");
        }
        assert_eq!(portal("CONNECTION_ERROR", 401), later(60));
        assert_eq!(portal("expired_token", 401), later(60));
        for code in ["invalid_token", "NO_AUTH_FOUND", "authorization_error", "user_access_error"] {
            assert_eq!(portal(code, 401), (Class::Reauthorise, false), "{code}");
        }
        assert_eq!(portal("PAYMENT_REQUIRED", 401), (Class::Suspend, false));
        assert_eq!(
            class(At::Portal, "ACCESS_DENIED", "REST is available only on commercial plans.", 403),
            (Class::Suspend, false)
        );
        for code in ["APPLICATION_NOT_FOUND", "ERROR_OAUTH", "NOT_INSTALLED"] {
            assert_eq!(portal(code, 401), (Class::Gone, false), "{code}");
        }
        assert_eq!(portal("PORTAL_DELETED", 410), (Class::Gone, false));
        assert_eq!(portal("PORTAL_DELETED", 500), (Class::Gone, false));
        assert_eq!(portal("PORTAL_DELETED", 403), later(3600), "a closed box may open again");
        assert_eq!(portal("METHOD_CONFIRM_WAITING", 401), later(3600));
        for (code, status) in [
            ("METHOD_CONFIRM_DENIED", 403),
            ("INVALID_CREDENTIALS", 401),
            ("INVALID_CREDENTIALS", 403),
            ("insufficient_scope", 401),
            ("insufficient_scope", 403),
            ("ACCESS_DENIED", 403),
            ("ACCESS_DENIED", 400),
            ("WRONG_AUTH_TYPE", 403),
            ("WRONG_LICENSE", 403),
            ("allowed_only_intranet_user", 403),
            ("ERROR_METHOD_NOT_FOUND", 404),
            ("ERROR_MANIFEST_IS_NOT_AVAILABLE", 404),
            ("ERROR_BATCH_METHOD_NOT_ALLOWED", 405),
            ("ERROR_BATCH_LENGTH_EXCEEDED", 400),
            ("INVALID_REQUEST", 400),
            ("WRONG_ENCODING", 200),
            ("ERROR_ARGUMENT", 400),
            ("ERROR_CORE", 400),
            ("NOT_FOUND", 400),
            ("ERROR_NOT_FOUND", 400),
            ("INVALID_ARG_VALUE", 400),
            ("100", 400),
            ("0", 400),
            ("", 400),
            ("ERROR_PLACEMENT_MAX_COUNT", 200),
            ("Что-то пошло не так", 400),
        ] {
            assert_eq!(portal(code, status), (Class::Permanent, false), "{code}");
        }
    }

    #[test]
    fn s48_answers_of_the_oauth_host_are_classified() {
        let host = |code: &str, status| class(At::OAuth, code, "", status).0;
        for (code, status) in [
            ("invalid_request", 400),
            ("invalid_client", 400),
            ("wrong_client", 200),
            ("invalid_scope", 403),
            ("insufficient_scope", 403),
        ] {
            assert_eq!(host(code, status), Class::Permanent, "{code}");
        }
        assert_eq!(host("invalid_grant", 400), Class::Reauthorise);
        assert_eq!(host("bad_verification_code", 400), Class::Reauthorise);
        assert_eq!(host("PAYMENT_REQUIRED", 401), Class::Suspend);
        assert_eq!(host("NOT_INSTALLED", 401), Class::Gone);
        assert_eq!(host("ERROR_OAUTH", 401), Class::Gone);
    }

    #[test]
    fn s48_codes_of_rest_three_are_classified_without_their_prefix() {
        let code = |short: &str, status| class(At::Portal, &format!("BITRIX_REST_V3_EXCEPTION_{short}"), "", status);
        assert_eq!(code("RATELIMITEXCEPTION", 429), later(1));
        for (short, status) in [
            ("VALIDATION_REQUESTVALIDATIONEXCEPTION", 400),
            ("VALIDATION_DTOVALIDATIONEXCEPTION", 400),
            ("INVALIDJSONEXCEPTION", 400),
            ("UNKNOWNDTOPROPERTYEXCEPTION", 400),
            ("UNKNOWNFILTEROPERATOREXCEPTION", 400),
            ("ENTITYNOTFOUNDEXCEPTION", 400),
            ("INVALIDSELECTEXCEPTION", 400),
            ("ACCESSDENIEDEXCEPTION", 403),
            ("INSUFFICIENTSCOPEEXCEPTION", 403),
            ("METHODNOTFOUNDEXCEPTION", 404),
            ("IDEMPOTENCYKEYREUSEDEXCEPTION", 422),
        ] {
            assert_eq!(code(short, status), (Class::Permanent, false), "{short}");
        }
    }

    #[test]
    fn s48_an_unknown_code_is_final_unless_the_server_broke() {
        assert_eq!(class(At::Portal, "NEW_CODE", "", 400), (Class::Permanent, false));
        assert_eq!(class(At::Portal, "NEW_CODE", "", 502), (Class::Retry { after: Duration::from_secs(30) }, true));
    }

    #[test]
    fn s48_no_row_hides_another() {
        for (i, row) in TABLE.iter().enumerate() {
            assert_eq!(row.code, row.code.to_lowercase(), "codes are lower case");
            let hidden = TABLE.iter().take(i).any(|earlier| {
                earlier.code == row.code && earlier.status.is_none() && earlier.says.is_none() && earlier.at.is_none()
            });
            assert!(!hidden, "{}", row.code);
        }
    }
}
