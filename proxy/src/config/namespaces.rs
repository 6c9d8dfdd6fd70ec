//! `channel.namespaces`: a list of objects among options.

use std::ops::Deref;

use serde_json::Value;

use super::{
    Namespace,
    section::{Findings, Kind, Opt, Place, Setting, a_kind},
};

/// The configured namespaces, in their order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Namespaces(pub(crate) Vec<Namespace>);

impl Deref for Namespaces {
    type Target = [Namespace];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Setting for Namespaces {
    /// Replaces the list; variables and flags hold it as JSON.
    fn read(&mut self, value: &Value, place: &Place, findings: &mut Findings) {
        let parsed;
        let items = match value {
            Value::Array(items) => items.as_slice(),
            lone @ Value::Object(_) => std::slice::from_ref(lone),
            Value::String(text) => match serde_json::from_str(text) {
                Ok(Value::Array(items)) => {
                    parsed = items;
                    &parsed
                }
                Ok(other) => {
                    let got = a_kind(&other);
                    return findings.error(place, &format!("expected a list in JSON, got {got}"));
                }
                Err(error) => {
                    return findings.error(place, &format!("expected a list in JSON: {error}"));
                }
            },
            other => {
                let got = a_kind(other);
                return findings.error(place, &format!("expected a list of objects, got {got}"));
            }
        };
        self.0 = vec![Namespace::default(); items.len()];
        for (index, (namespace, item)) in self.0.iter_mut().zip(items).enumerate() {
            namespace.read(item, &place.element(index), findings);
        }
    }

    fn list(&self, path: &str, doc: &'static str, out: &mut Vec<Opt>) {
        let doc = doc.trim();
        out.push(Opt { path: path.to_owned(), kind: Kind::Objects, default: String::new(), doc });
        Namespace::default().list(&format!("{path}[]"), doc, out);
    }
}
