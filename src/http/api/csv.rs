//! Tables for spreadsheets (RFC 4180).

use actix_web::HttpRequest;
use actix_web::http::header::ACCEPT;

/// Without the mark a spreadsheet takes UTF-8 for its own old encoding.
pub const BOM: &str = "\u{feff}";

/// Whether a table is asked for.
pub fn wanted(request: &HttpRequest) -> bool {
    let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.split(',').any(|range| range.trim().starts_with("text/csv"))
}

/// A cell that no spreadsheet takes for a formula.
pub fn cell(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t']) { "'" } else { "" };
    if text.contains(['"', ',', '\n', '\r']) || !guard.is_empty() {
        format!("\"{guard}{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_no_cell_is_a_formula_and_none_breaks_its_line() {
        assert_eq!(cell("GRAND:7"), "GRAND:7");
        assert_eq!(cell("=HYPERLINK(1)"), "\"'=HYPERLINK(1)\"");
        assert_eq!(cell("a,\"b\"\n"), "\"a,\"\"b\"\"\n\"");
    }
}
