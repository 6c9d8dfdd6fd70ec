//! The list of options in `docs/configuration.md` is made from the code; this keeps it so.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
};

use super::{Invocation, Kind, Opt, load, options};

/// Set, it writes the list into the document instead of comparing.
const WRITE: &str = "ROLLCALL_WRITE_DOCS";
const BEGIN: &str = "<!-- options: made by the test `every_option_is_documented` -->\n";
const END: &str = "<!-- end of options -->\n";

/// Options that are those of another section.
const ALIKE: &[(&str, &str)] = &[
    ("channel.namespaces[].", "channel.without_namespace."),
    ("client.subscription_token.", "client.token."),
    ("engine.redis.sentinel_tls.", "engine.redis.tls."),
    ("user_status.redis.sentinel_tls.", "engine.redis.tls."),
    ("user_status.redis.", "engine.redis."),
];

#[test]
fn every_option_is_documented() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the list begins");
    let (list, after) = rest.split_once(END).expect("the list ends");
    let made = made();
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, format!("{before}{BEGIN}{made}{END}{after}")).unwrap();
    } else {
        assert_eq!(list, made, "run this test with {WRITE}=1");
    }
}

#[test]
fn every_example_loads() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let text = fs::read_to_string(path).unwrap();
    let examples: Vec<&str> = text
        .split("```json\n")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once("```")?.0))
        .collect();
    assert!(examples.len() > 5);
    for example in examples {
        match load(&[], &BTreeMap::new(), &|_| Ok(example.to_owned())) {
            Ok(Invocation::Run(loaded)) => assert_eq!(loaded.warnings, Vec::<String>::new()),
            Ok(Invocation::Print(_)) => unreachable!(),
            // Its certificates are not on this machine.
            Err(error) => {
                let error = error.to_string();
                assert!(error.lines().all(|line| line.contains("_pem: is neither")), "{error}");
            }
        }
    }
}

fn made() -> String {
    let options = options();
    let paths: BTreeSet<&str> = options.iter().map(|option| option.path.as_str()).collect();
    let mut out = "| Option | Default | Meaning |\n|---|---|---|\n".to_owned();
    for Opt { path, kind, default, doc } in &options {
        let other = |(section, other): &(&str, &str)| {
            Some(format!("{other}{}", path.strip_prefix(section)?))
        };
        let is_alike = ALIKE.iter().filter_map(other).any(|path| paths.contains(path.as_str()));
        // A prefix of its own is none.
        if *kind == Kind::Refused || is_alike && path != "user_status.redis.prefix" {
            continue;
        }
        let default = match (kind, default.as_str()) {
            (Kind::Switch, "true") => "on".to_owned(),
            (Kind::Switch, _) => "off".to_owned(),
            (_, "") => String::new(),
            (_, text) => format!("`{}`", text.trim_matches('"')),
        };
        writeln!(out, "| `{path}` | {default} | {doc} |").unwrap();
    }
    out
}
