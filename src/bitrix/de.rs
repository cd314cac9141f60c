//! PHP's habits read tolerantly (facts §3.2): ids as numbers or text, `Y`/`N`, empty maps as `[]`, lists as maps.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A whole number, whatever its clothes: `7`, `"7"`, `7.0`.
pub fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 9e15)?;
            format!("{float:.0}").parse().ok()
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A record's id: a positive [`int`].
pub fn id(value: &Value) -> Option<i64> {
    int(value).filter(|id| *id > 0)
}

pub fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|float| float.is_finite())
}

/// A scalar as text; nothing for null, lists and maps.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(true) => Some("1".into()),
        Value::Bool(false) => Some(String::new()),
        _ => None,
    }
}

/// `Y`/`N`, `1`/`0`, `"true"`/`"false"`, a boolean. Nothing where it is none of them.
pub fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) => number.as_f64().map(|number| number != 0.0),
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" | "1" | "true" => Some(true),
            "n" | "no" | "0" | "false" | "" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// The elements of a list, of a map that should be one, or of nothing.
pub fn elements(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(map) => map.values().collect(),
        _ => vec![],
    }
}

/// The entries of a map; an empty PHP map is `[]`, and a dense one with number keys a list.
pub fn entries(value: &Value) -> Vec<(String, &Value)> {
    match value {
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(i, value)| (i.to_string(), value)).collect(),
        _ => vec![],
    }
}

/// One entry of a map that may have come as a list.
pub fn entry<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Object(map) => map.get(key),
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => None,
    }
}

/// For `#[serde(deserialize_with)]`: an id as text or number, or nothing.
pub fn opt_int<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(int(&Value::deserialize(deserializer)?))
}

/// For `#[serde(deserialize_with)]`: any scalar as text, nothing as empty.
pub fn any_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(text(&Value::deserialize(deserializer)?).unwrap_or_default())
}

/// For `#[serde(deserialize_with)]`: a flag, false where it is none.
pub fn any_flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(flag(&Value::deserialize(deserializer)?).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn s48_scalars_are_read_in_any_clothes() {
        for (value, expected) in [
            (json!(7), Some(7)),
            (json!("7"), Some(7)),
            (json!(" 7 "), Some(7)),
            (json!(7.0), Some(7)),
            (json!(7.5), None),
            (json!("x"), None),
            (json!(null), None),
            (json!([]), None),
            (json!(-1), Some(-1)),
        ] {
            assert_eq!(int(&value), expected, "{value}");
        }
        assert_eq!((id(&json!("0")), id(&json!(-3)), id(&json!("12"))), (None, None, Some(12)));
        for (value, expected) in [
            (json!("Y"), Some(true)),
            (json!("N"), Some(false)),
            (json!(1), Some(true)),
            (json!("0"), Some(false)),
            (json!(true), Some(true)),
            (json!(""), Some(false)),
            (json!("maybe"), None),
            (json!(null), None),
        ] {
            assert_eq!(flag(&value), expected, "{value}");
        }
        assert_eq!(text(&json!(1.5)), Some("1.5".into()));
        assert_eq!(float(&json!("0.25")), Some(0.25));
    }

    #[test]
    fn s48_maps_and_lists_stand_in_for_each_other() {
        assert!(entries(&json!([])).is_empty() && elements(&json!(null)).is_empty());
        assert_eq!(entry(&json!(["a", "b"]), "1"), Some(&json!("b")));
        assert_eq!(entry(&json!({"1": "b"}), "1"), Some(&json!("b")));
        assert_eq!(entry(&json!([]), "c0"), None);
        assert_eq!(elements(&json!({"3": 1, "7": 2})), [&json!(1), &json!(2)]);
    }

    #[derive(Deserialize)]
    struct Odd {
        #[serde(default, deserialize_with = "opt_int")]
        id: Option<i64>,
        #[serde(default, deserialize_with = "any_text")]
        code: String,
        #[serde(default, deserialize_with = "any_flag")]
        on: bool,
    }

    #[test]
    fn s48_structures_read_tolerantly() {
        let odd: Odd = serde_json::from_value(json!({"id": "5", "code": 8, "on": "Y"})).expect("reads");
        assert_eq!((odd.id, odd.code.as_str(), odd.on), (Some(5), "8", true));
        let none: Odd = serde_json::from_value(json!({})).expect("reads");
        assert_eq!((none.id, none.code.as_str(), none.on), (None, "", false));
    }
}
