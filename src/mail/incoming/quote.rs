//! What a reply quotes of the letter before it is cut off, and nothing else: whoever answers between the lines is kept whole.

/// Our letters begin with this, and whatever stands behind it in a reply is ours.
pub const REPLY_ABOVE_RU: &str = "--- Ответьте выше этой черты ---";
pub const REPLY_ABOVE_EN: &str = "--- Reply above this line ---";

/// The words of the reply's own; the whole text where they cannot be told.
pub(super) fn own(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let above = |line: &&str| line.contains(REPLY_ABOVE_RU) || line.contains(REPLY_ABOVE_EN);
    let ours = lines.iter().position(above);
    let kept = lines.get(..ours.unwrap_or(lines.len())).unwrap_or_default();
    let aside = |line: &&str| line.trim().is_empty() || line.starts_with('>');
    let end = kept.iter().rposition(|line| !aside(line)).map_or(0, |last| last + 1);
    let (mut own, tail) = kept.split_at_checked(end).unwrap_or((kept, &[]));
    let quotes = ours.is_some() || tail.iter().any(|line| line.starts_with('>'));
    if quotes && let Some((_, before)) = own.split_last().filter(|(last, _)| names_whom(last)) {
        own = before;
    }
    let own = if own.iter().all(|line| line.trim().is_empty()) { lines.as_slice() } else { own };
    own.join("\n").trim_end().to_owned()
}

/// «пн, 23 нояб. 2026 г., Support <support@example.com> пишет:»
fn names_whom(line: &str) -> bool {
    let line = line.trim();
    line.ends_with(':') && line.contains('@') && line.chars().any(|c| c.is_ascii_digit())
}
