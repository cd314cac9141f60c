//! Single values of the interface (facts §4): numbers, amounts, yes and no.

use rust_decimal::Decimal;

/// An identifier: digits, leading zeros ignored, `0` means "none" (facts §4, §10.14).
pub fn id(text: &str) -> Result<Option<String>, NotANumber> {
    let text = text.trim();
    if !text.bytes().all(|b| b.is_ascii_digit()) || text.len() > 32 {
        return Err(NotANumber);
    }
    let text = text.trim_start_matches('0');
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// A text that is no number of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a number")]
pub struct NotANumber;

/// No stay costs as much in any currency; sums of what is less cannot overflow.
const LARGEST: i64 = 1_000_000_000_000_000;

/// An exact amount: a point, a sign, nothing else. Anything that would have to be guessed (a comma, a thousands
/// separator, an exponent) is refused.
pub fn amount(text: &str) -> Result<Option<Decimal>, NotANumber> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !plain(whole) || !plain(fraction) {
        return Err(NotANumber);
    }
    // `from_str_exact` refuses what it cannot hold instead of rounding it.
    let amount = Decimal::from_str_exact(text).map_err(|_| NotANumber)?;
    if amount.abs() < Decimal::from(LARGEST) { Ok(Some(amount)) } else { Err(NotANumber) }
}

/// A count.
pub fn count(text: &str) -> Result<Option<u16>, NotANumber> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NotANumber);
    }
    text.parse().map(Some).map_err(|_| NotANumber)
}

/// Yes or no: any non-zero number (`PrimaryAddr` is printed as `1` and as `111`), `Yes`, `true`.
pub fn flag(text: &str) -> Option<bool> {
    let text = text.trim();
    match text.to_ascii_lowercase().as_str() {
        "" => None,
        "yes" | "true" | "y" => Some(true),
        "no" | "false" | "n" => Some(false),
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => Some(digits.bytes().any(|b| b != b'0')),
        _ => None,
    }
}

/// A text of a person or a code: line ends unified, outer blanks cut.
pub fn text(raw: &str) -> Option<String> {
    let raw = raw.trim();
    if raw.is_empty() {
        None
    } else if raw.contains('\r') {
        Some(raw.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Some(raw.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_zero_is_no_identifier() {
        assert_eq!(id("0"), Ok(None));
        assert_eq!(id(""), Ok(None));
        assert_eq!(id("000"), Ok(None));
        assert_eq!(id(" 00050117 "), Ok(Some("50117".into())));
        assert_eq!(id("-1"), Err(NotANumber));
        assert_eq!(id("5 OR 1"), Err(NotANumber));
    }

    #[test]
    fn s1_amounts_are_exact_or_refused() {
        assert_eq!(amount("22200.5").ok().flatten().map(|d| d.to_string()).as_deref(), Some("22200.5"));
        assert_eq!(amount("-7400").ok().flatten().map(|d| d.to_string()).as_deref(), Some("-7400"));
        assert_eq!(amount("0.10").ok().flatten().map(|d| d.to_string()).as_deref(), Some("0.10"));
        assert_eq!(amount(" "), Ok(None));
        for bad in [
            "1,5",
            "1 000",
            "1e3",
            "NaN",
            ".",
            "-",
            "1.2.3",
            "12345678901234567890123456789012345",
            "1000000000000000",
            "0x1",
        ] {
            assert_eq!(amount(bad), Err(NotANumber), "{bad}");
        }
    }

    #[test]
    fn s1_yes_has_many_spellings() {
        for yes in ["1", "111", "Yes", "true"] {
            assert_eq!(flag(yes), Some(true), "{yes}");
        }
        for no in ["0", "No", "false", "000"] {
            assert_eq!(flag(no), Some(false), "{no}");
        }
        assert_eq!(flag(""), None);
        assert_eq!(flag("maybe"), None);
    }

    #[test]
    fn s1_line_ends_of_notes_are_unified() {
        assert_eq!(text("  a\r\nb\rc ").as_deref(), Some("a\nb\nc"));
        assert_eq!(text("   "), None);
    }
}
