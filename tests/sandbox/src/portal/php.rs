//! PHP's way with request data: bracketed form keys, arrays that are lists or maps, numbers that are strings.

use serde_json::{Map, Value};

/// Decodes `a[b][]=c&d=e` as PHP's form parser does: brackets nest, `[]` appends, a later scalar replaces an earlier one.
/// Every leaf is a string; every container is an object whose keys keep their order (see [`listed`]).
pub fn parse_form(input: &str) -> Value {
    let mut root = Map::new();
    for (key, value) in url::form_urlencoded::parse(input.as_bytes()) {
        insert(&mut root, &key, Value::String(value.into_owned()));
    }
    Value::Object(root)
}

fn insert(root: &mut Map<String, Value>, key: &str, value: Value) {
    let (head, rest) = match key.find('[') {
        Some(at) if at > 0 => key.split_at(at),
        _ => (key, ""),
    };
    if head.is_empty() {
        return;
    }
    let mut path = Vec::new();
    let mut tail = rest;
    while let Some(inner) = tail.strip_prefix('[') {
        let Some(end) = inner.find(']') else { break };
        let (part, after) = inner.split_at(end);
        path.push(part.to_owned());
        tail = after.strip_prefix(']').unwrap_or("");
    }
    // PHP turns dots and spaces of the outermost name into underscores.
    let head = head.replace(['.', ' '], "_");
    place(root, head, &path, value);
}

fn place(map: &mut Map<String, Value>, key: String, path: &[String], value: Value) {
    let key = if key.is_empty() { next_index(map) } else { key };
    let Some((first, rest)) = path.split_first() else {
        map.insert(key, value);
        return;
    };
    let slot = map.entry(key).or_insert_with(|| Value::Object(Map::new()));
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    if let Value::Object(inner) = slot {
        place(inner, first.clone(), rest, value);
    }
}

fn next_index(map: &Map<String, Value>) -> String {
    map.keys().filter_map(|key| key.parse::<i64>().ok()).max().map_or(0, |max| max + 1).to_string()
}

/// Encodes nested data as bracketed form pairs; empty containers and nulls vanish, as they do on PHP's wire.
pub fn form_pairs(value: &Value) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    if let Value::Object(map) = value {
        for (key, inner) in map {
            flatten(key.clone(), inner, &mut pairs);
        }
    }
    pairs
}

fn flatten(key: String, value: &Value, pairs: &mut Vec<(String, String)>) {
    match value {
        Value::Null => {}
        Value::Object(map) => {
            for (name, inner) in map {
                flatten(format!("{key}[{name}]"), inner, pairs);
            }
        }
        Value::Array(list) => {
            for (index, inner) in list.iter().enumerate() {
                flatten(format!("{key}[{index}]"), inner, pairs);
            }
        }
        scalar => pairs.push((key, text(scalar).unwrap_or_default())),
    }
}

/// Encodes pairs as an `application/x-www-form-urlencoded` body.
pub fn encode_form(pairs: &[(String, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// What PHP's JSON encoder makes of an ordered map: a list when the keys are exactly 0, 1, 2 …, so `[]` when empty.
pub fn listed(map: Map<String, Value>) -> Value {
    let dense = map.keys().enumerate().all(|(index, key)| *key == index.to_string());
    if dense { Value::Array(map.into_iter().map(|(_, value)| value).collect()) } else { Value::Object(map) }
}

/// The elements of a PHP array, whichever way it arrived.
pub fn elements(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(list) => list.iter().collect(),
        Value::Object(map) => map.values().collect(),
        _ => Vec::new(),
    }
}

/// A scalar as PHP prints it.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(true) => Some("1".into()),
        Value::Bool(false) => Some(String::new()),
        _ => None,
    }
}

/// A scalar as PHP's integer cast reads it, without its tolerance for trailing rubbish.
pub fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Bool(flag) => Some(i64::from(*flag)),
        _ => None,
    }
}

/// PHP's idea of `empty()`.
pub fn empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty() || text == "0",
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(true) => false,
    }
}

/// `Y`, `1`, `true` in any of the ways clients send it.
pub fn truthy(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => matches!(text.as_str(), "Y" | "y" | "1" | "true"),
        _ => false,
    }
}

/// Parameters of one method call; names are found in any case.
#[derive(Clone, Debug, Default)]
pub struct Params(pub Map<String, Value>);

impl Params {
    /// Wraps a decoded body; anything but a map is no parameters (a list keeps its positions as keys).
    pub fn new(value: Value) -> Self {
        match value {
            Value::Object(map) => Self(map),
            Value::Array(list) => {
                Self(list.into_iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect())
            }
            _ => Self::default(),
        }
    }

    /// A parameter by name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0
            .get(name)
            .or_else(|| self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
    }

    /// A scalar parameter as text; absent and null are `None`.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).and_then(text)
    }

    /// A parameter as an integer.
    pub fn int(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(int)
    }

    /// A flag; absent is false.
    pub fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(truthy)
    }

    /// A nested map of parameters; absent is empty.
    pub fn map(&self, name: &str) -> Params {
        self.get(name).cloned().map(Params::new).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn brackets_nest_and_append() {
        assert_eq!(
            parse_form("f[a]=1&f[b][]=x&f[b][]=y&f[b][7]=z&f[b][]=w&p=%D0%B9+1"),
            json!({"f": {"a": "1", "b": {"0": "x", "1": "y", "7": "z", "8": "w"}}, "p": "й 1"})
        );
    }

    #[test]
    fn dense_maps_are_lists() {
        assert_eq!(listed(Map::new()), json!([]));
        assert_eq!(listed([("0".into(), json!(1)), ("1".into(), json!(2))].into_iter().collect()), json!([1, 2]));
        assert_eq!(listed([("1".into(), json!(1))].into_iter().collect()), json!({"1": 1}));
    }

    #[test]
    fn empty_containers_vanish_from_forms() {
        let pairs = form_pairs(&json!({"event": "X", "data": {}, "auth": {"a": [1, "b"], "n": null}}));
        assert_eq!(encode_form(&pairs), "event=X&auth%5Ba%5D%5B0%5D=1&auth%5Ba%5D%5B1%5D=b");
    }
}
