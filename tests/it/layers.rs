//! The rooms of ARCHITECTURE.md: imports run downwards only.

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms by level; a room may use its own and lower levels, never a neighbour of its level.
const LEVELS: &[&[&str]] = &[
    &["domain"],
    &["clock", "crypto", "net"],
    &["config", "telemetry", "bitrix", "fidelio", "files", "mail", "kaiten"],
    &["store"],
    &["portal"],
    &["sync", "alerts", "support"],
    &["http"],
    &["app"],
];

/// Neighbours that may be used all the same, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    // Counters are named in one place; a room that does I/O counts what it does.
    ("bitrix", "telemetry"),
    ("fidelio", "telemetry"),
];

fn level(room: &str) -> Option<usize> {
    LEVELS.iter().position(|rooms| rooms.contains(&room))
}

fn rust_files(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            rust_files(&path, out);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            out.push(path);
        }
    }
}

/// Every room named behind `crate::` in one file, comments left out.
fn rooms_used(text: &str) -> Vec<(usize, String)> {
    let mut used = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for (at, _) in code.match_indices("crate::") {
            if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let room: String = code[at + 7..].chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            used.push((number + 1, room));
        }
    }
    used
}

#[test]
fn e1_imports_run_downwards_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    let mut wrong = Vec::new();
    let mut checked = 0;
    for file in files {
        let relative = file.strip_prefix(&root).expect("under src");
        let room = relative.components().next().expect("a room").as_os_str().to_string_lossy();
        let room = room.trim_end_matches(".rs").to_owned();
        if matches!(room.as_str(), "lib" | "main") {
            continue;
        }
        let own = level(&room).unwrap_or_else(|| panic!("{room} has no level: add it to ARCHITECTURE.md and here"));
        for (line, used) in rooms_used(&fs::read_to_string(&file).expect("text")) {
            checked += 1;
            let Some(other) = level(&used) else { continue };
            if used != room && other >= own && !EXCEPTIONS.contains(&(room.as_str(), used.as_str())) {
                wrong.push(format!("src/{}:{line} ({room}) uses {used}", relative.display()));
            }
        }
    }
    assert!(checked > 20, "the reader found almost nothing: it is broken");
    assert!(wrong.is_empty(), "imports that run up or sideways:\n{}", wrong.join("\n"));
}

#[test]
fn e1_domain_knows_no_io() {
    let mut files = Vec::new();
    rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/domain"), &mut files);
    for file in files {
        let text = fs::read_to_string(&file).expect("text");
        for word in ["tokio", "reqwest", "sea_orm", "actix_web", "std::fs", "std::net", "async fn", "quick_xml"] {
            assert!(!text.contains(word), "{} speaks of {word}", file.display());
        }
    }
}

#[test]
fn e1_sql_stands_in_the_store_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    for file in files.iter().filter(|file| !file.starts_with(root.join("store"))) {
        let text = fs::read_to_string(file).expect("text");
        assert!(!text.contains("sea_orm::"), "{} uses sea_orm", file.display());
    }
}
