//! Text of cards: ours is Markdown, people's may be Markdown or HTML, by the editor that they write with.

/// Somebody's words among Markdown: a bracket of his opens neither a link nor a tag.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '\\' | '[' | ']' | '<' | '`') {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

/// What people read of a comment.
pub fn plain(text: &str) -> String {
    let text = if is_html(text) { without_tags(text) } else { text.to_owned() };
    text.replace("**", "").replace("__", "").trim().to_owned()
}

const BLOCKS: [&str; 6] = ["p", "div", "br", "li", "ul", "ol"];
const TAGS: [&str; 20] = [
    "p",
    "div",
    "br",
    "li",
    "ul",
    "ol",
    "b",
    "i",
    "u",
    "s",
    "a",
    "em",
    "strong",
    "span",
    "code",
    "pre",
    "blockquote",
    "img",
    "h1",
    "h2",
];

fn name(tag: &str) -> String {
    let tag = tag.strip_prefix('/').unwrap_or(tag);
    tag.chars().take_while(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

fn tag_at(text: &str) -> Option<(String, &str)> {
    let (tag, behind) = text.strip_prefix('<')?.split_once('>')?;
    let name = name(tag);
    TAGS.contains(&name.as_str()).then_some((name, behind))
}

fn is_html(text: &str) -> bool {
    text.trim_start().starts_with('<') && tag_at(text.trim_start()).is_some()
}

fn without_tags(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        if let Some((name, behind)) = tag_at(rest) {
            if BLOCKS.contains(&name.as_str()) && !out.is_empty() && !out.ends_with('\n') {
                out.push('\n');
            }
            rest = behind;
        } else {
            out.push(letter);
            rest = rest.strip_prefix(letter).unwrap_or_default();
        }
    }
    // The ampersand last: what it wrote itself is no code.
    for (code, letter) in
        [("&nbsp;", " "), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")]
    {
        out = out.replace(code, letter);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s42_a_comment_reads_the_same_whichever_editor_wrote_it() {
        for (written, read) in [
            ("Клиенту: готово", "Клиенту: готово"),
            ("**Клиенту:** готово", "Клиенту: готово"),
            ("<p><strong>Клиенту:</strong> готово &amp;lt;b&gt;</p><p>ждём</p>", "Клиенту: готово &lt;b>\nждём"),
            ("<p>Клиенту:<br>да</p>", "Клиенту:\nда"),
            ("a < b, b > c", "a < b, b > c"),
            ("<отель> молчит", "<отель> молчит"),
            ("<", "<"),
        ] {
            assert_eq!(plain(written), read, "{written:?}");
        }
    }

    #[test]
    fn s42_somebodys_brackets_open_no_link() {
        assert_eq!(escaped(r"[тут](http://evil) <img> \x `y`"), r"\[тут\](http://evil) \<img> \\x \`y\`");
    }
}
