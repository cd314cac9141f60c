//! `batch`: command strings and references to earlier results (facts §4, §16).

use serde_json::{Map, Value};

use crate::portal::php::{self, Params};

/// Commands one batch may run.
pub const CAP: usize = 50;

/// Results of the commands so far, by key.
#[derive(Debug, Default)]
pub struct Results {
    /// `result`.
    pub result: Map<String, Value>,
    /// `error`.
    pub error: Map<String, Value>,
    /// `total`.
    pub total: Map<String, Value>,
    /// `next`.
    pub next: Map<String, Value>,
    /// `time`.
    pub time: Map<String, Value>,
}

impl Results {
    fn root(&self, name: &str) -> Option<&Map<String, Value>> {
        match name {
            "result" => Some(&self.result),
            "error" => Some(&self.error),
            "total" => Some(&self.total),
            "next" => Some(&self.next),
            _ => None,
        }
    }

    /// The answer of the whole batch.
    pub fn finish(self) -> Value {
        let mut answer = Map::new();
        answer.insert("result".into(), php::listed(self.result));
        answer.insert("result_error".into(), php::listed(self.error));
        answer.insert("result_total".into(), php::listed(self.total));
        answer.insert("result_next".into(), php::listed(self.next));
        answer.insert("result_time".into(), php::listed(self.time));
        Value::Object(answer)
    }
}

/// Splits `method?query`; the method in lower case.
pub fn split(command: &str) -> (String, &str) {
    let (method, query) = command.split_once('?').unwrap_or((command, ""));
    (method.trim().trim_start_matches('/').to_ascii_lowercase(), query)
}

/// Parameters of a command with every reference replaced.
pub fn params(query: &str, results: &Results) -> Params {
    Params::new(walk(php::parse_form(query), results))
}

fn walk(value: Value, results: &Results) -> Value {
    match value {
        Value::Object(map) => {
            map.into_iter().map(|(key, value)| (key, walk(value, results))).collect::<Map<_, _>>().into()
        }
        Value::String(text) => substitute(text, results),
        other => other,
    }
}

/// A word `$result…`, `$error…`, `$total…` or `$next…` with at least one `[part]` is a reference. A value that is exactly one
/// reference takes what it points to, whatever its type; inside longer text only strings and numbers are filled in. A path
/// that leads nowhere yields the deepest value there was.
fn substitute(text: String, results: &Results) -> Value {
    let references = find(&text);
    let mut current = text;
    for reference in references {
        let mut found: Value = match results.root(&reference.root) {
            Some(map) => Value::Object(map.clone()),
            None => Value::Null,
        };
        for part in &reference.path {
            match step(&found, part) {
                Some(inner) => found = inner,
                None => break,
            }
        }
        if reference.text == current {
            return found;
        }
        match php::text(&found) {
            Some(filled) if !found.is_boolean() => current = current.replace(&reference.text, &filled),
            _ => {}
        }
    }
    Value::String(current)
}

fn step(value: &Value, part: &str) -> Option<Value> {
    let inner = match value {
        Value::Object(map) => map.get(part).cloned(),
        Value::Array(list) => part.parse::<usize>().ok().and_then(|at| list.get(at)).cloned(),
        Value::String(text) => {
            part.parse::<usize>().ok().and_then(|at| text.chars().nth(at)).map(|letter| Value::String(letter.into()))
        }
        _ => None,
    };
    inner.filter(|inner| !inner.is_null())
}

struct Reference {
    text: String,
    root: String,
    path: Vec<String>,
}

fn find(text: &str) -> Vec<Reference> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('$') {
        let lower = after.to_ascii_lowercase();
        let root = ["result", "error", "total", "next"].into_iter().find(|root| lower.starts_with(root));
        let Some(root) = root else {
            rest = after;
            continue;
        };
        let end = after.find(char::is_whitespace).unwrap_or(after.len());
        let (word, tail) = after.split_at(end);
        // The name is looked up as written: `$Result[…]` is recognised but finds nothing.
        let (written, run) = word.split_at(root.len());
        let path = parts(run);
        if !path.is_empty() {
            found.push(Reference { text: format!("${word}"), root: written.to_owned(), path });
        }
        rest = tail;
    }
    found
}

fn parts(run: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = run;
    while let Some((_, inner)) = rest.split_once('[') {
        let Some((part, after)) = inner.split_once(']') else { break };
        if !part.is_empty() {
            parts.push(part.to_owned());
        }
        rest = after;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn results() -> Results {
        let Value::Object(result) = json!({
            "add": {"item": {"id": 17, "title": "Ivan", "tags": ["a", "b"], "none": null}}, "0": [5, 6]
        }) else {
            unreachable!()
        };
        Results { result, ..Results::default() }
    }

    fn one(text: &str) -> Value {
        substitute(text.into(), &results())
    }

    #[test]
    fn an_exact_reference_keeps_its_type() {
        assert_eq!(one("$result[add][item][id]"), json!(17));
        assert_eq!(one("$result[add][item][tags]"), json!(["a", "b"]));
        assert_eq!(one("$result[0][1]"), json!(6));
        assert_eq!(one("$result[add][item][title][0]"), json!("I"));
    }

    #[test]
    fn embedded_references_take_strings_and_numbers_only() {
        assert_eq!(one("deal $result[add][item][id] of $result[add][item][title]"), json!("deal 17 of Ivan"));
        assert_eq!(one("tags: $result[add][item][tags]"), json!("tags: $result[add][item][tags]"));
    }

    #[test]
    fn a_path_into_nothing_gives_the_deepest_value() {
        assert_eq!(one("$result[add][item][id][x]"), json!(17));
        assert_eq!(one("$error[add]"), json!({}));
        assert_eq!(one("see $result[add][nothing] here"), json!("see $result[add][nothing] here"));
        assert_eq!(one("$Result[add]"), json!(null), "recognised in any case, found in none but lower");
    }

    #[test]
    fn guests_text_that_looks_like_a_reference_is_rewritten() {
        assert_eq!(one("note: $result[add][item][title]!"), json!("note: Ivan"), "the word runs to the next space");
        assert_eq!(one("$5 [cash] and $result without brackets"), json!("$5 [cash] and $result without brackets"));
    }

    #[test]
    fn results_are_lists_when_dense_and_empty_lists_when_empty() {
        let mut results = Results::default();
        results.result.insert("0".into(), json!(1));
        results.result.insert("2".into(), json!(2));
        let shown = results.finish();
        assert_eq!(shown["result"], json!({"0": 1, "2": 2}));
        assert_eq!(shown["result_error"], json!([]));
    }
}
