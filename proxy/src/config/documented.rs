//! Keeps documents right: the list of options in `docs/configuration.md` is made from the code, and
//! every sample of a configuration is read by it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
};

use super::{ConfigError, Invocation, Kind, Opt, load, options};

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
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let docs = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let docs = docs.filter(|path| path.extension().is_some_and(|it| it == "md"));
    let mut found = 0;
    for path in docs.chain([root.join("README.md")]) {
        for (format, example) in examples(&fs::read_to_string(&path).unwrap()) {
            check(&path, &format!("config.{format}"), example);
            found += 1;
        }
    }
    assert!(found > 15, "{found} examples");
    let path = root.join("docker/config.json");
    check(&path, "config.json", &fs::read_to_string(&path).unwrap());
}

#[test]
fn compose_files_set_options_that_there_are() {
    let docker = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docker");
    for name in ["compose.yaml", "compose.sentinel.yaml", "compose.cluster.yaml"] {
        let text = fs::read_to_string(docker.join(name)).unwrap();
        let lines = text.lines().map(str::trim).filter(|line| line.starts_with("ROLLCALL_"));
        let variables = lines.filter_map(|line| line.split_once(": "));
        let variables: BTreeMap<String, String> =
            variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        assert!(variables.len() > 1, "{name}");
        let config = fs::read_to_string(docker.join("config.json")).unwrap();
        match load(&[], &variables, &|_| Ok(config.clone())) {
            Ok(Invocation::Run(loaded)) => {
                assert_eq!(loaded.warnings, Vec::<String>::new(), "{name}");
                assert_eq!(loaded.config.engine.redis.shards().len(), 1, "{name}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

/// The blocks of a document that are configuration files, with their formats.
fn examples(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let blocks = text.split("\n```").skip(1).step_by(2);
    let blocks = blocks.filter_map(|block| block.split_once('\n'));
    blocks.filter(|(format, _)| ["json", "yaml", "yml", "toml"].contains(format))
}

/// That a whole file with this text is read without complaint.
fn check(place: &Path, name: &str, text: &str) {
    let place = place.display();
    let args = ["-c".to_owned(), name.to_owned()];
    match load(&args, &BTreeMap::new(), &|_| Ok(text.to_owned())) {
        Ok(Invocation::Run(loaded)) => {
            assert_eq!(loaded.warnings, Vec::<String>::new(), "{place}: {text}");
        }
        Ok(Invocation::Print(_)) => unreachable!(),
        // Its certificates are not on this machine.
        Err(ConfigError::Invalid(errors)) => {
            let certificate = |error: &String| error.contains("_pem: is neither");
            assert!(errors.iter().all(certificate), "{place}: {errors:?}: {text}");
        }
        Err(error) => panic!("{place}: {error}: {text}"),
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
