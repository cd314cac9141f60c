//! The published OpenAPI document (requirement S-51): a change of the API shows as a change of the snapshot.

use std::collections::BTreeSet;

use fidelio_bitrix24::http::api::document;
use fidelio_bitrix24::http::problem::Kind;
use serde_json::Value;

use crate::support::api::Api;
use crate::support::db::sqlite;

#[test]
fn s51_the_document_is_the_one_that_was_reviewed() {
    insta::assert_json_snapshot!("openapi", document());
}

#[test]
fn s51_every_problem_is_listed_and_every_reference_leads_somewhere() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let types = document["components"]["schemas"]["ProblemType"]["enum"].as_array().expect("types");
    assert_eq!(types.len(), Kind::ALL.len());
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    assert!(references.len() > 10);
    for reference in references {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
    let mut names = BTreeSet::new();
    for item in document["paths"].as_object().expect("paths").values() {
        for operation in item.as_object().expect("operations").values() {
            assert!(names.insert(operation["operationId"].to_string()), "{} twice", operation["operationId"]);
            assert!(operation["responses"]["default"].is_object());
        }
    }
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                references.insert(reference.to_owned());
            }
            members.values().for_each(|value| collect(value, references));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}

/// Every path and method of the document is served (nobody is let in, but each is known), and it is served itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s51_what_the_document_lists_is_served() {
    let api = Api::start(sqlite().await).await;
    let stranger = api.bearer("nonsense");
    assert_eq!(stranger.get("/api/openapi.json").await.body, document());
    for (path, item) in document()["paths"].as_object().expect("paths") {
        if path == "/api/v1/session" {
            continue; // its caller is nobody yet
        }
        let path = path
            .replace("{code}", "GRAND")
            .replace("{id}", "7")
            .replace("{stay}", "GRAND:1")
            .replace("{person}", "GRAND:7");
        for method in item.as_object().expect("operations").keys() {
            let answer = crate::support::api::send(stranger.request(&method.to_uppercase(), &path)).await;
            assert_eq!((answer.status, answer.problem()), (401, "session-expired"), "{method} {path}");
        }
    }
}
