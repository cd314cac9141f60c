//! HTML reduced to what it says: no tags, no scripts, links with their addresses in sight, quotes behind `>`.

/// Elements that say nothing.
const SILENT: [&str; 5] = ["script", "style", "head", "title", "template"];
/// Elements that begin on a line of their own.
const LINES: [&str; 22] = [
    "address",
    "article",
    "blockquote",
    "br",
    "dd",
    "div",
    "dt",
    "footer",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "li",
    "p",
    "pre",
    "table",
    "tr",
    "ul",
];
const DEEPEST_QUOTE: usize = 5;
/// Further than any honest address reaches.
const LONGEST_LINK: usize = 2_000;

pub(super) fn text(html: &str) -> String {
    let mut page = Page::default();
    let mut ends = Ends::default();
    let mut rest = html;
    while let Some((before, behind)) = rest.split_once('<') {
        page.say(before);
        rest = behind;
        if let Some(comment) = behind.strip_prefix("!--") {
            rest = ends.behind_comment(comment).unwrap_or(comment);
            continue;
        }
        let tag = behind.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'));
        let Some((tag, after)) = tag.then(|| ends.tag(behind)).flatten() else {
            page.say("&lt;");
            continue;
        };
        rest = after;
        let closes = tag.starts_with('/');
        let name = tag.trim_start_matches('/').split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        let name = name.to_ascii_lowercase();
        if !closes
            && SILENT.contains(&name.as_str())
            && let Some(after) = ends.behind_silence(after, &name)
        {
            rest = after;
            continue;
        }
        page.tag(&name, closes, tag);
    }
    page.say(rest);
    page.end()
}

/// What was looked for to the end in vain is not looked for again: else a long page would be read once for each of its tags.
#[derive(Default)]
struct Ends {
    no_comment: bool,
    no_quote: bool,
    no_bracket: bool,
    not_closed: Vec<String>,
}

impl Ends {
    fn behind_comment<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        if self.no_comment {
            return None;
        }
        let behind = text.split_once("-->").map(|(_, behind)| behind);
        self.no_comment = behind.is_none();
        behind
    }

    /// A tag's inside, and what follows it; a bracket in a quoted value ends none.
    fn tag<'a>(&mut self, text: &'a str) -> Option<(&'a str, &'a str)> {
        if !self.no_quote {
            let (mut quote, mut value) = (None, false);
            for (place, byte) in text.bytes().enumerate() {
                match (byte, quote) {
                    (_, Some(open)) => quote = (byte != open).then_some(open),
                    (b'"' | b'\'', None) if value => quote = Some(byte),
                    (b'>', None) => return Some((text.get(..place)?, text.get(place + 1..)?)),
                    _ => {}
                }
                value = byte == b'=' || value && byte.is_ascii_whitespace();
            }
            self.no_quote = true;
        }
        if self.no_bracket {
            return None;
        }
        let found = text.split_once('>');
        self.no_bracket = found.is_none();
        found
    }

    fn behind_silence<'a>(&mut self, text: &'a str, name: &str) -> Option<&'a str> {
        if self.not_closed.iter().any(|known| known == name) {
            return None;
        }
        let mut rest = text;
        while let Some((_, behind)) = rest.split_once("</") {
            let named = behind.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
            if named {
                return behind.split_once('>').map(|(_, after)| after).or(Some(""));
            }
            rest = behind;
        }
        self.not_closed.push(name.to_owned());
        None
    }
}

#[derive(Default)]
struct Page {
    lines: Vec<String>,
    line: String,
    /// A space is due before the next word.
    space: bool,
    quotes: usize,
    link: Option<String>,
    /// What was said since the link began.
    named: String,
}

impl Page {
    fn say(&mut self, text: &str) {
        for c in entities(text).chars() {
            if c.is_whitespace() {
                self.space = true;
                continue;
            }
            if self.space && !self.line.is_empty() {
                self.line.push(' ');
            }
            self.space = false;
            self.line.push(c);
            if self.link.is_some() && self.named.len() < LONGEST_LINK {
                self.named.push(c);
            }
        }
    }

    fn tag(&mut self, name: &str, closes: bool, tag: &str) {
        match name {
            "a" if closes => self.link_ends(),
            "a" => {
                self.link_ends();
                self.link = address(tag);
            }
            "td" | "th" => self.space = true,
            name if LINES.contains(&name) => {
                self.next();
                match (name, closes) {
                    ("li", false) => self.line.push_str("- "),
                    ("blockquote", false) => self.quotes = self.quotes.saturating_add(1),
                    ("blockquote", true) => self.quotes = self.quotes.saturating_sub(1),
                    ("p", _) if self.lines.last().is_some_and(|line| !line.is_empty()) => {
                        self.lines.push(String::new())
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn link_ends(&mut self) {
        let named = std::mem::take(&mut self.named);
        if let Some(link) = self.link.take()
            && link != named
            && link.trim_end_matches('/') != named
        {
            self.line.push_str(&format!(" ({link})"));
        }
    }

    fn next(&mut self) {
        self.space = false;
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.lines.push(format!("{}{line}", "> ".repeat(self.quotes.min(DEEPEST_QUOTE))));
        }
    }

    fn end(mut self) -> String {
        self.link_ends();
        self.next();
        self.lines.join("\n")
    }
}

/// Where a link leads that a person could follow.
fn address(tag: &str) -> Option<String> {
    let at = tag.as_bytes().windows(5).position(|name| name.eq_ignore_ascii_case(b"href="))?;
    let value = tag.get(at + 5..)?;
    let mut inside = value.chars();
    let value = match inside.next()? {
        quote @ ('"' | '\'') => inside.as_str().split(quote).next()?,
        _ => value.split_ascii_whitespace().next()?,
    };
    let value = entities(value);
    let known = ["http://", "https://"].iter().any(|scheme| value.starts_with(scheme));
    (known && value.len() <= LONGEST_LINK && !value.chars().any(char::is_whitespace)).then_some(value)
}

fn entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('&') {
        out.push_str(before);
        let near = behind.get(..behind.floor_char_boundary(12)).unwrap_or(behind);
        let found = near.split_once(';').and_then(|(name, _)| Some((entity(name)?, name.len() + 1)));
        match found {
            Some((c, used)) => {
                out.push(c);
                rest = behind.get(used..).unwrap_or_default();
            }
            None => {
                out.push('&');
                rest = behind;
            }
        }
    }
    out.push_str(rest);
    out
}

fn entity(name: &str) -> Option<char> {
    if let Some(code) = name.strip_prefix('#') {
        let code = match code.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => code.parse(),
        };
        return char::from_u32(code.ok()?);
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "laquo" => '«',
        "raquo" => '»',
        "mdash" => '—',
        "ndash" => '–',
        "hellip" => '…',
        "bull" => '•',
        "middot" => '·',
        "copy" => '©',
        "reg" => '®',
        "trade" => '™',
        "euro" => '€',
        _ => return None,
    })
}
