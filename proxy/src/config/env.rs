//! Options from the environment: `ROLLCALL_` and the path in capitals, `_` for every dot.

use std::collections::BTreeMap;

use super::{
    Config, Kind, Namespace, Opt,
    load::{Given, set},
    options,
    section::{Findings, Setting},
};

const PREFIX: &str = "ROLLCALL_";
/// Names the file, as `--config` does.
const FILE: &str = "ROLLCALL_CONFIG";
/// Below it every namespace has variables of its own.
const NAMESPACES: &str = "channel.namespaces";

/// The file that the environment names.
pub(crate) fn config_file(env: &BTreeMap<String, String>) -> Option<&str> {
    env.get(FILE).map(String::as_str).filter(|path| !path.is_empty())
}

/// Sets what the environment sets and warns of variables that mean nothing.
pub(crate) fn apply(env: &BTreeMap<String, String>, config: &mut Config, findings: &mut Findings) {
    let mut ours: BTreeMap<&str, &str> = env
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        // An empty variable is how a template unsets one.
        .filter(|(name, text)| name.starts_with(PREFIX) && !text.is_empty() && *name != FILE)
        .collect();
    for Opt { path, kind, .. } in options() {
        // What is refused may be a section elsewhere, with a switch in it.
        let switch = (kind == Kind::Refused).then(|| variable(&format!("{path}.enabled")));
        for name in [Some(variable(&path)), switch].into_iter().flatten() {
            if let Some(given) = taken(&mut ours, name, &path) {
                set(config, &given, findings);
            }
        }
    }
    let mut below = Vec::new();
    Namespace::default().list("", "", &mut below);
    for namespace in &mut config.channel.namespaces.0 {
        for Opt { path, .. } in &below {
            let name = variable(&format!("{NAMESPACES}.{}.{path}", namespace.name));
            if let Some(given) = taken(&mut ours, name, path) {
                set(namespace, &given, findings);
            }
        }
    }
    let unknown = ours.keys().map(|name| format!("{name}: unknown variable, ignored"));
    findings.warnings.extend(unknown);
}

fn taken(ours: &mut BTreeMap<&str, &str>, label: String, path: &str) -> Option<Given> {
    let text = ours.remove(label.as_str())?.to_owned();
    Some(Given { label, path: path.to_owned(), text })
}

/// The variable of the option at `path`.
fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace(['.', '-'], "_").to_ascii_uppercase())
}
