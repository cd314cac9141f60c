//! Forms as PHP writes them: `data[FIELDS][ID]=7` becomes a tree (facts §6.2). The input is a stranger's: size, number of
//! keys and depth are bounded before anything is built, and nothing here can panic or recurse beyond [`DEPTH`].

use std::collections::BTreeMap;

use serde_json::Value;

/// The largest body that is read.
pub const BYTES: usize = 256 * 1024;
const KEYS: usize = 2_000;
const DEPTH: usize = 8;
const KEY_BYTES: usize = 512;

/// Why a form is not read. It never repeats what it held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    #[error("the form is larger than {BYTES} bytes")]
    TooLarge,
    #[error("the form has more than {KEYS} fields")]
    TooManyFields,
    #[error("the form nests deeper than {DEPTH} levels, or a field's name is too long")]
    TooDeep,
    #[error("the form is not UTF-8")]
    NotUtf8,
}

/// One level of a form: what stands under each key. All leaves are text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Form {
    entries: BTreeMap<String, Node>,
    /// The index that `key[]` takes next.
    next: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    Text(String),
    Form(Form),
}

impl Form {
    /// Decodes a query string or an `application/x-www-form-urlencoded` body.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormError> {
        if bytes.len() > BYTES {
            return Err(FormError::TooLarge);
        }
        let mut form = Self::default();
        let pairs = bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
        for (n, pair) in pairs.enumerate() {
            if n >= KEYS {
                return Err(FormError::TooManyFields);
            }
            let (key, value) = match pair.iter().position(|byte| *byte == b'=') {
                Some(at) => (pair.get(..at).unwrap_or_default(), pair.get(at + 1..).unwrap_or_default()),
                None => (pair, &[][..]),
            };
            let key = text(key)?;
            let value = text(value)?;
            if key.len() > KEY_BYTES {
                return Err(FormError::TooDeep);
            }
            if let Some(path) = path(&key)? {
                form.insert(&path, value);
            }
        }
        Ok(form)
    }

    fn insert(&mut self, path: &[Step], value: String) {
        let Some((step, rest)) = path.split_first() else { return };
        let key = match step {
            Step::Key(key) => key.clone(),
            Step::Next => self.next.to_string(),
        };
        if let Ok(index) = key.parse::<u64>() {
            self.next = self.next.max(index.saturating_add(1));
        }
        if rest.is_empty() {
            self.entries.insert(key, Node::Text(value));
            return;
        }
        let inner = self.entries.entry(key).or_insert_with(|| Node::Form(Self::default()));
        if let Node::Text(_) = inner {
            *inner = Node::Form(Self::default());
        }
        if let Node::Form(inner) = inner {
            inner.insert(rest, value);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.entries.iter().map(|(key, node)| (key.as_str(), node))
    }

    /// The text under a key; where it is missing, under the same key in other letter case.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.node(key)? {
            Node::Text(text) => Some(text),
            Node::Form(_) => None,
        }
    }

    /// The form under a key, likewise.
    pub fn form(&self, key: &str) -> Option<&Form> {
        match self.node(key)? {
            Node::Form(form) => Some(form),
            Node::Text(_) => None,
        }
    }

    fn node(&self, key: &str) -> Option<&Node> {
        self.entries
            .get(key)
            .or_else(|| self.entries.iter().find(|(own, _)| own.eq_ignore_ascii_case(key)).map(|(_, node)| node))
    }

    /// The text at the end of a path of keys.
    pub fn at(&self, path: &[&str]) -> Option<&str> {
        let (last, folders) = path.split_last()?;
        folders.iter().try_fold(self, |form, key| form.form(key))?.text(last)
    }

    /// As JSON: maps of text.
    pub fn to_json(&self) -> Value {
        self.entries
            .iter()
            .map(|(key, node)| {
                let value = match node {
                    Node::Text(text) => Value::String(text.clone()),
                    Node::Form(form) => form.to_json(),
                };
                (key.clone(), value)
            })
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}

enum Step {
    Key(String),
    /// `[]`: the next free index.
    Next,
}

/// `+` and `%XX` decoded; a `%` that starts no escape stays as it is, as in PHP.
fn text(bytes: &[u8]) -> Result<String, FormError> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'+' => out.push(b' '),
            b'%' => match escape(tail) {
                Some(byte) => {
                    out.push(byte);
                    rest = tail.get(2..).unwrap_or_default();
                }
                None => out.push(b'%'),
            },
            other => out.push(*other),
        }
    }
    String::from_utf8(out).map_err(|_| FormError::NotUtf8)
}

fn escape(bytes: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(bytes.get(..2)?).ok()?;
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u8::from_str_radix(digits, 16).ok())?
}

/// `a[b][]` → `a`, `b`, next. `None` for a name that PHP ignores.
fn path(key: &str) -> Result<Option<Vec<Step>>, FormError> {
    let key = key.trim_start_matches(' ');
    let (name, mut rest) = match key.find('[') {
        Some(0) => return Ok(None),
        Some(at) => key.split_at(at),
        None => (key, ""),
    };
    if name.is_empty() {
        return Ok(None);
    }
    // PHP's old register_globals: these cannot stand in a variable's name.
    let mut name = name.replace(['.', ' '], "_");
    let mut steps = Vec::new();
    while let Some(inner) = rest.strip_prefix('[') {
        let Some((own, tail)) = inner.split_once(']') else {
            if steps.is_empty() {
                name = format!("{name}_{}", inner.replace(['.', ' ', '['], "_"));
            }
            break;
        };
        steps.push(if own.is_empty() { Step::Next } else { Step::Key(own.to_owned()) });
        if steps.len() >= DEPTH {
            return Err(FormError::TooDeep);
        }
        rest = tail;
    }
    steps.insert(0, Step::Key(name));
    Ok(Some(steps))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn json(text: &str) -> Value {
        Form::decode(text.as_bytes()).expect("decodes").to_json()
    }

    #[test]
    fn s48_brackets_make_a_tree_as_in_php() {
        assert_eq!(
            json("a=1&b%5Bc%5D%5Bd%5D=x+y&b[c][e]=%D0%AF"),
            json!({"a": "1", "b": {"c": {"d": "x y", "e": "Я"}}})
        );
        assert_eq!(json("l[]=a&l[]=b&l[7]=c&l[]=d"), json!({"l": {"0": "a", "1": "b", "7": "c", "8": "d"}}));
        assert_eq!(json("a=1&a=2"), json!({"a": "2"}), "the last one counts");
        assert_eq!(json("a=1&a[b]=2"), json!({"a": {"b": "2"}}));
        assert_eq!(json("a[b]=2&a=1"), json!({"a": "1"}));
        assert_eq!(json("a.b c=1&=x&[q]=2&empty&a[b]junk=3"), json!({"a_b_c": "1", "empty": "", "a": {"b": "3"}}));
        assert_eq!(json("a[b=1"), json!({"a_b": "1"}));
        assert_eq!(json("p=100%&q=%zz"), json!({"p": "100%", "q": "%zz"}));
        assert_eq!(json(""), json!({}));
    }

    #[test]
    fn s48_hostile_forms_are_refused_clearly() {
        assert_eq!(Form::decode(&vec![b'a'; BYTES + 1]), Err(FormError::TooLarge));
        assert_eq!(Form::decode("a=1&".repeat(KEYS + 1).as_bytes()), Err(FormError::TooManyFields));
        assert_eq!(Form::decode(format!("a{}=1", "[b]".repeat(DEPTH)).as_bytes()), Err(FormError::TooDeep));
        assert_eq!(Form::decode(format!("{}=1", "k".repeat(KEY_BYTES + 1)).as_bytes()), Err(FormError::TooDeep));
        assert_eq!(Form::decode(b"a=%FF%FE"), Err(FormError::NotUtf8));
        assert_eq!(Form::decode(b"a=\xcf\xf0"), Err(FormError::NotUtf8), "windows-1251");
        assert!(Form::decode(format!("a{}=1", "[b]".repeat(DEPTH - 1)).as_bytes()).is_ok());
    }

    fn depth(form: &Form) -> usize {
        1 + form
            .iter()
            .map(|(_, node)| match node {
                Node::Text(_) => 0,
                Node::Form(inner) => depth(inner),
            })
            .max()
            .unwrap_or_default()
    }

    proptest! {
        #[test]
        fn s48_any_bytes_give_a_bounded_tree_or_a_clear_error(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
            if let Ok(form) = Form::decode(&bytes) {
                prop_assert!(depth(&form) <= DEPTH + 1);
            }
        }

        #[test]
        fn s48_form_shaped_bytes_give_a_bounded_tree(text in "([a-c.\\[\\]=&%+ ]|%5B|%5D|%00){0,300}") {
            if let Ok(form) = Form::decode(text.as_bytes()) {
                prop_assert!(depth(&form) <= DEPTH + 1);
            }
        }

        #[test]
        fn s48_values_arrive_as_sent(key in "[A-Za-z_]{1,8}", inner in "[A-Za-z0-9_]{1,8}", value in any::<String>()) {
            let sent: String = url::form_urlencoded::Serializer::new(String::new())
                .append_pair(&format!("{key}[{inner}]"), &value)
                .finish();
            let form = Form::decode(sent.as_bytes()).expect("decodes");
            prop_assert_eq!(form.at(&[&key, &inner]), Some(value.as_str()));
        }
    }
}
