//! Every code that other rooms hand to people has a sentence in both languages.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use fidelio_bitrix24::http::{Lang, texts};

/// Words between quotes that directly follow one of these marks, anywhere under a folder of the sources.
fn codes(folder: &str, marks: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder)];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).expect("a folder").map(|entry| entry.expect("an entry").path()));
            continue;
        }
        let text: String =
            fs::read_to_string(&path).expect("a source").split_whitespace().collect::<Vec<_>>().join(" ");
        for mark in marks {
            for (at, _) in text.match_indices(mark) {
                let rest = text[at + mark.len()..].trim_start();
                if let Some((code, _)) = rest.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
                    found.insert(code.to_owned());
                }
            }
        }
    }
    found
}

#[test]
fn s49_every_cause_lack_and_conflict_in_use_has_its_sentence() {
    let marks = [
        "cause:",
        "MISSING: &str =",
        "MANY: &str =",
        "UNREADABLE: &str =",
        "KEPT: &str =",
        "plan.reject(&due,",
        "plan.reject(&person.due,",
        "problem(write,",
    ];
    let causes = codes("sync", &marks);
    for cause in ["pms.missing", "pms.missing_many", "pms.unreadable", "pms.unreadable_many", "demo.kept"] {
        assert!(causes.contains(cause), "{causes:?}");
    }
    assert!(causes.len() >= 6, "{causes:?}");
    let mut causes = causes;
    causes.extend(codes("support", &["TASK_GONE: &str ="]));
    let lacks = codes("portal", &[".lack("]);
    assert!(lacks.len() >= 10, "{lacks:?}");
    let conflicts = ["imports", "attach", "split"].map(|file| format!("sync/{file}.rs"));
    let conflicts: BTreeSet<String> =
        conflicts.iter().flat_map(|file| codes(file, &["SyncError::Conflict("])).collect();
    assert!(conflicts.len() >= 3, "{conflicts:?}");
    let mut conflicts = conflicts;
    conflicts.extend(codes("support", &["DeskError::Conflict("]));
    // `(Refusal::…) => "code"` of a request's life.
    let refusals = codes(
        "http/api/refuse.rs",
        &[
            "NotForThisRole =>",
            "Closed =>",
            "NotTakenYet =>",
            "AlreadyTaken =>",
            "NothingWasAsked =>",
            "AlreadyAsked =>",
            "NotAnsweredYet =>",
            "AlreadyAnswered =>",
            "NotConfirmedYet =>",
            "AlreadyConfirmed =>",
            "NotTheCustomersTurn =>",
            "NoReason =>",
        ],
    );
    assert_eq!(refusals.len(), 12, "{refusals:?}");
    conflicts.extend(refusals);
    for lang in [Lang::Ru, Lang::En] {
        for code in &causes {
            assert_ne!(texts::cause(lang, code), texts::cause(lang, "no.such.code"), "{code}");
        }
        for code in &lacks {
            assert!(texts::lack(lang, code).is_some(), "{code}");
        }
        for code in &conflicts {
            assert_ne!(texts::conflict(lang, code), texts::conflict(lang, "no_such_code"), "{code}");
        }
    }
}

#[test]
fn s49_every_finding_of_the_check_has_its_sentence() {
    let mut findings = codes("net/client.rs", &["=>", "=> {"]);
    findings.extend(codes(
        "fidelio/suite8/check.rs",
        &[
            "=> return (",
            "=>",
            "SECONDS) {",
            "(days)) {",
            "is_none() {",
            "} else {",
            "self.fail(\"tcp\",",
            "self.fail(\"tls\",",
            "unwrap_or(",
            "self.fail(\"login\",",
        ],
    ));
    findings
        .retain(|code| code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') && !code.is_empty() && code != "ok");
    assert!(findings.len() >= 15, "{findings:?}");
    let none = serde_json::Map::new();
    for code in findings {
        for (lang, unknown) in [(Lang::Ru, format!("«{code}»")), (Lang::En, format!("\"{code}\""))] {
            // `plain` is a finding of this layer alone; all others are told alike wherever they are found.
            assert!(!texts::layer(lang, "tls", &code, &none).contains(&unknown), "{code}");
        }
    }
}

#[test]
fn s49_every_finding_of_a_link_has_its_sentence() {
    let mut findings = codes("sync/poll.rs", &["(\"failing\",", "(\"stopped\","]);
    findings.extend(codes("fidelio/suite8/pass", &["self.note("]));
    assert!(findings.len() >= 8 && findings.contains("no_delta"), "{findings:?}");
    for code in findings {
        for lang in [Lang::Ru, Lang::En] {
            assert_ne!(texts::health(lang, &code), code, "{code}");
        }
    }
}
