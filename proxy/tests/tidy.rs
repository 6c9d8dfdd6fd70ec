//! Rules that a machine keeps: who may name whom, how long files are, where words may stand.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which module of the server may name which others; a module that is not here fails.
const ARROWS: &[(&str, &[&str])] = &[
    ("fields", &[]),
    ("clock", &[]),
    ("log_limit", &[]),
    ("config", &[]),
    ("embedded_redis", &[]),
    ("logging", &["config"]),
    ("notify", &[]),
    ("payload", &[]),
    ("protocol", &["fields", "payload"]),
    ("token", &["config", "fields", "payload"]),
    ("channel_name", &["config"]),
    ("permission", &["config", "channel_name", "token"]),
    ("store", &["config"]),
    ("hub", &["store", "protocol"]),
    (
        "session",
        &[
            "hub",
            "store",
            "token",
            "permission",
            "channel_name",
            "protocol",
            "config",
            "clock",
            "log_limit",
        ],
    ),
    ("api", &["hub", "store", "protocol", "config", "channel_name", "permission", "log_limit"]),
    ("transport", &["session", "api", "protocol", "config", "store", "log_limit"]),
    (
        "app",
        &[
            "api",
            "clock",
            "config",
            "embedded_redis",
            "hub",
            "log_limit",
            "notify",
            "session",
            "store",
            "token",
            "transport",
        ],
    ),
    ("dev_mode", &["app", "clock", "config", "token"]),
];

/// Libraries that only one part may name.
const OWNERS: &[(&str, &str)] = &[
    ("axum", "transport"),
    ("tokio_tungstenite", "transport"),
    ("tonic", "transport"),
    ("fred", "store"),
];

/// Longest file, in lines.
const LONGEST: usize = 400;

/// Words that mark what is not finished. Split, so that this file does not name them.
const UNFINISHED: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the workspace is there")
}

/// Every Rust file of ours below `dir`.
fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() && !["target", "node_modules", ".git"].contains(&name.as_str()) {
                dirs.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("a source file is text")
}

/// A file's part of the server: the first name below `proxy/src`.
fn part(path: &Path, src: &Path) -> String {
    let relative = path.strip_prefix(src).expect("below the sources");
    let first = relative.components().next().expect("not empty").as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// The parts that `text` names as `crate::part`, also in braces.
fn named(text: &str) -> BTreeSet<String> {
    let word = |text: &str| {
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        text[..end].to_owned()
    };
    let mut names = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => {
                let mut depth = 0;
                let mut item = true;
                for (at, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => item = true,
                        c if item && c.is_alphabetic() => {
                            names.insert(word(&group[at..]));
                            item = false;
                        }
                        _ => {}
                    }
                }
            }
            None => {
                names.insert(word(rest));
            }
        }
    }
    names
}

#[test]
fn parts_name_only_whom_they_may() {
    let src = root().join("proxy/src");
    let mut wrong = Vec::new();
    for path in sources(&src) {
        let part = part(&path, &src);
        if part == "lib" || part == "main" {
            continue;
        }
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == part) else {
            wrong.push(format!("{part} has no row in the table of arrows"));
            continue;
        };
        for name in named(&read(&path)) {
            if name != part && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{}: {part} names {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn libraries_stay_with_their_owner() {
    let src = root().join("proxy/src");
    let mut wrong = Vec::new();
    for path in sources(&src) {
        let (part, text) = (part(&path, &src), read(&path));
        for (library, owner) in OWNERS {
            let names_it = [format!("{library}::"), format!("use {library};")]
                .iter()
                .any(|form| text.contains(form.as_str()));
            if names_it && part != *owner {
                wrong.push(format!("{}: names {library}", path.display()));
            }
        }
    }
    for path in sources(&root()) {
        let ours = path.starts_with(root().join("module"));
        if !ours && read(&path).contains(concat!("redis_", "module::")) {
            wrong.push(format!("{}: names the module API", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unsafe_code_is_in_one_folder() {
    let native = root().join("module/src/native");
    let mut wrong = Vec::new();
    for path in sources(&root()) {
        let text = read(&path);
        let opens =
            text.contains(concat!("unsafe", " {")) || text.contains(concat!("unsafe", " fn"));
        if opens && !path.starts_with(&native) {
            wrong.push(path.display().to_string());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    let mut wrong = Vec::new();
    for path in sources(&root()) {
        let text = read(&path);
        let lines = text.lines().count();
        if lines > LONGEST {
            wrong.push(format!("{}: {lines} lines, at most {LONGEST}", path.display()));
        }
        if !text.starts_with("//! ") {
            wrong.push(format!("{}: the first line says nothing", path.display()));
        }
        for word in UNFINISHED {
            if text.contains(word) {
                wrong.push(format!("{}: {word}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_server_does_not_depend_on_the_module() {
    let text = read_manifest("proxy/Cargo.toml");
    assert!(!text.contains("rollcall_module") && !text.contains("redis-module"));
    let text = read_manifest("tests/Cargo.toml");
    assert!(!text.contains("rollcall-wire") && !text.contains("\nrollcall"));
}

fn read_manifest(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect("the manifest is there")
}

#[test]
fn documents_name_paths_that_exist() {
    let mut wrong = Vec::new();
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"] {
        let text = fs::read_to_string(root().join(document)).expect("the document is there");
        for word in text.split('`').skip(1).step_by(2) {
            let is_path = word.contains('/')
                && !word.starts_with(['/', '.', '-', '<'])
                && !word.contains([' ', '*', ':', '<', '$', '(', '…']);
            let first = word.split('/').next().unwrap_or_default();
            let ours = ["wire", "module", "proxy", "tests", "bench", "docker", "docs", ".ci"];
            if is_path && ours.contains(&first) && !root().join(word).exists() {
                wrong.push(format!("{document}: {word}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
