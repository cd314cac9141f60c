//! Commands of a batch as the portal's PHP reads them back: `method?nested%5Bquery%5D=…` (facts §4).

use serde_json::Value;

use super::call::Call;

/// PHP drops variables of one query string beyond its `max_input_vars`; Bitrix24's own environment sets 10,000.
const MAX_VARS: usize = 5_000;

/// Whether a command must be sent by itself, as JSON: inside a batch its parameters would not arrive as they are.
///
/// - The portal replaces `$result[…]`, `$error[…]`, `$next[…]`, `$total[…]` in every key and text of a batched command:
///   a guest's note that holds one would be rewritten (facts §4, "HAZARD").
/// - An empty list or map has no form in a query string: "no contacts" would become "contacts not mentioned".
/// - A name with brackets, or a top-level name with a dot or a space, is another name to PHP.
pub fn travels_alone(call: &Call) -> bool {
    let Value::Object(params) = &call.params else { return !call.params.is_null() };
    let mut variables = 0;
    params.iter().any(|(key, value)| {
        key.contains(['.', ' ', '[', ']', '\0']) || is_reference(key) || cannot_travel(value, false, &mut variables)
    }) || variables > MAX_VARS
}

fn cannot_travel(value: &Value, nested: bool, variables: &mut usize) -> bool {
    match value {
        Value::String(text) => {
            *variables += 1;
            is_reference(text)
        }
        Value::Array(items) if items.is_empty() => nested,
        Value::Object(map) if map.is_empty() => nested,
        Value::Array(items) => items.iter().any(|item| cannot_travel(item, true, variables)),
        Value::Object(map) => map.iter().any(|(key, item)| {
            key.is_empty()
                || key.contains(['[', ']', '\0'])
                || is_reference(key)
                || cannot_travel(item, true, variables)
        }),
        _ => {
            *variables += 1;
            false
        }
    }
}

fn is_reference(text: &str) -> bool {
    if !text.contains('$') {
        return false;
    }
    let lower = text.to_lowercase();
    ["$result[", "$error[", "$next[", "$total["].iter().any(|mark| lower.contains(mark))
}

/// `method?query`.
pub(super) fn command(call: &Call) -> String {
    let query = query(&call.params);
    match query.is_empty() {
        true => call.method.clone(),
        false => format!("{}?{query}", call.method),
    }
}

/// Parameters as PHP's `http_build_query` writes them.
pub fn query(params: &Value) -> String {
    let mut out = String::new();
    if let Value::Object(map) = params {
        for (key, value) in map {
            append(&mut out, &mut escaped(key), value);
        }
    }
    out
}

/// `key` is escaped already; it is left as it was.
fn append(out: &mut String, key: &mut String, value: &Value) {
    let length = key.len();
    let mut nested = |out: &mut String, name: &str, value: &Value| {
        key.push_str("%5B");
        key.push_str(name);
        key.push_str("%5D");
        append(out, key, value);
        key.truncate(length);
    };
    match value {
        Value::Array(items) => items.iter().enumerate().for_each(|(i, item)| nested(out, &i.to_string(), item)),
        Value::Object(map) => map.iter().for_each(|(name, item)| nested(out, &escaped(name), item)),
        scalar => {
            let text = match scalar {
                Value::String(text) => escaped(text),
                Value::Bool(flag) => if *flag { "1" } else { "0" }.to_owned(),
                Value::Null => String::new(),
                number => escaped(&number.to_string()),
            };
            if !out.is_empty() {
                out.push('&');
            }
            out.push_str(key);
            out.push('=');
            out.push_str(&text);
        }
    }
}

/// Everything but letters, digits and `-_.~` as `%XX`.
fn escaped(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |n: u8| char::from(HEX.get(usize::from(n)).copied().unwrap_or(b'0'));
    let mut out = String::with_capacity(text.len() + text.len() / 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(digit(byte >> 4));
            out.push(digit(byte & 15));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn call(params: Value) -> Call {
        Call::new("crm.item.add", params)
    }

    #[test]
    fn s48_nested_parameters_are_written_as_php_reads_them() {
        let text = command(&call(
            json!({"entityTypeId": 2, "fields": {"title": "A & B=1", "ok": true, "no": false, "nil": null,
            "ids": [1, "2"]}, "filter": {">id": 5}, "select": []}),
        ));
        assert_eq!(
            text,
            "crm.item.add?entityTypeId=2&fields%5Btitle%5D=A%20%26%20B%3D1&fields%5Bok%5D=1&fields%5Bno%5D=0&fields%5Bnil%5D=\
             &fields%5Bids%5D%5B0%5D=1&fields%5Bids%5D%5B1%5D=2&filter%5B%3Eid%5D=5"
        );
        assert_eq!(command(&Call::new("profile", json!({}))), "profile");
    }

    #[test]
    fn s48_what_a_batch_would_change_travels_alone() {
        for params in [
            json!({"fields": {"title": "pay $result[0] now"}}),
            json!({"fields": {"comments": ["x", {"y": "$RESULT[a][b]"}]}}),
            json!({"f": "$Error[x]"}),
            json!({"f": "$next[x]"}),
            json!({"f": "$TOTAL[x]"}),
            json!({"f": {"$result[x]": 1}}),
            json!({"fields": {"contactIds": []}}),
            json!({"fields": {"fm": {}}}),
            json!({"a.b": 1}),
            json!({"f": {"a]": 1}}),
            json!([1]),
        ] {
            assert!(travels_alone(&call(params.clone())), "{params}");
        }
        for params in [
            json!({"fields": {"title": "$5 result [1]"}}),
            json!({"fields": {"title": "$result"}}),
            json!({"select": []}),
            json!({"filter": {"!=ufCrm.x": "$"}}),
            json!({}),
            Value::Null,
        ] {
            assert!(!travels_alone(&call(params.clone())), "{params}");
        }
        let many: Vec<_> = (0..MAX_VARS + 1).collect();
        assert!(travels_alone(&call(json!({"data": many}))));
    }

    /// What PHP would hold after `parse_str`, by the form decoder of this crate: text leaves, lists as maps.
    fn as_php(value: &Value) -> Value {
        match value {
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(i, v)| (i.to_string(), as_php(v)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Value::Object(map) => {
                map.iter().map(|(k, v)| (k.clone(), as_php(v))).collect::<serde_json::Map<_, _>>().into()
            }
            Value::Bool(flag) => json!(if *flag { "1" } else { "0" }),
            Value::Null => json!(""),
            Value::String(text) => json!(text),
            number => json!(number.to_string()),
        }
    }

    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(map) => map
                .iter()
                .map(|(k, v)| (k.clone(), sorted(v)))
                .collect::<std::collections::BTreeMap<_, _>>()
                .into_iter()
                .collect::<serde_json::Map<_, _>>()
                .into(),
            other => other.clone(),
        }
    }

    fn leaf() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<String>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            Just(Value::Null),
        ]
    }

    fn tree() -> impl Strategy<Value = Value> {
        leaf().prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 1..4).prop_map(Value::from),
                proptest::collection::btree_map("[!<>=@%A-Za-z0-9_.а-я-]{1,8}", inner, 1..4)
                    .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn s48_every_batched_parameter_arrives_as_it_was(params in proptest::collection::btree_map("[a-zA-Z_]{1,6}", tree(), 0..4)) {
            let params: Value = params.into_iter().collect::<serde_json::Map<_, _>>().into();
            let form = crate::bitrix::form::Form::decode(query(&params).as_bytes()).expect("decodes");
            prop_assert_eq!(form.to_json(), sorted(&as_php(&params)));
        }
    }
}
