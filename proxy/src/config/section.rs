//! How options are declared: one list per section, from which reading, defaults, unknown-option
//! warnings, environment variables, flags and documentation are derived.

use serde_json::{Map, Value};

use super::value::Leaf;

/// Anything that options can be read into: one option, a section of them, a list of sections.
pub(crate) trait Setting {
    /// Takes `value` over what is there; what is wrong with it goes to `findings`.
    fn read(&mut self, value: &Value, place: &Place, findings: &mut Findings);

    /// For sections: takes the fields it knows out of an object.
    fn take(&mut self, _fields: &mut Fields<'_>) {}

    /// Whether what was read from `value` stands for the default: what is empty does.
    fn stands_for_default(&self, _value: &Value) -> bool {
        false
    }

    /// Adds every option at and below `path` to `out`; `self` holds the defaults.
    fn list(&self, path: &str, doc: &'static str, out: &mut Vec<Opt>);
}

/// How the text of an option is to be understood where there is nothing but text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// True or false: as a flag it needs no value.
    Switch,
    /// Anything else that is one value, or several separated by spaces.
    Value,
    /// A list of objects, in JSON.
    Objects,
    /// Nothing but being refused: it is known so that it is not ignored.
    Refused,
}

/// What is known about one option.
#[derive(Debug, Clone)]
pub struct Opt {
    /// Where it stands, `http_server.port`; below lists of objects `channel.namespaces[].name`.
    pub path: String,
    /// How its text is understood.
    pub kind: Kind,
    /// Its default, as text; empty for none.
    pub default: String,
    /// One sentence about it.
    pub doc: &'static str,
}

/// Where a value came from, for messages.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// A file, a variable or a flag.
    label: String,
    /// The path from the root of the configuration.
    path: String,
    /// How many bytes of the path the label already says: a variable names its option.
    hidden: usize,
}

/// What was found while reading.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) errors: Vec<String>,
    pub(crate) warnings: Vec<String>,
    /// The text comes from the environment or a flag: lists are separated by spaces.
    pub(crate) words: bool,
}

/// The fields of one object that nobody has taken yet.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    left: Map<String, Value>,
    place: &'a Place,
    findings: &'a mut Findings,
}

// === impl Place ===

impl Place {
    pub(crate) fn file(name: &str) -> Self {
        Self { label: name.to_owned(), path: String::new(), hidden: 0 }
    }

    /// A variable or flag called `label` that sets the option at `path`.
    pub(crate) fn option(label: &str, path: &str) -> Self {
        Self { label: label.to_owned(), path: String::new(), hidden: path.len() }
    }

    fn child(&self, name: &str) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        Self { path: format!("{}{dot}{name}", self.path), ..self.clone() }
    }

    pub(crate) fn element(&self, index: usize) -> Self {
        Self { path: format!("{}[{index}]", self.path), ..self.clone() }
    }

    fn says(&self, what: &str) -> String {
        let below = self.path.get(self.hidden..).unwrap_or_default();
        match (self.hidden, below) {
            (_, "") => format!("{}: {what}", self.label),
            (0, path) => format!("{}: {path}: {what}", self.label),
            (_, below) => format!("{}{below}: {what}", self.label),
        }
    }
}

// === impl Findings ===

impl Findings {
    pub(crate) fn error(&mut self, place: &Place, what: &str) {
        self.errors.push(place.says(what));
    }

    /// What is wrong with the whole, wherever its parts came from.
    pub(crate) fn check(&mut self, good: bool, what: &str) {
        if !good {
            self.errors.push(what.to_owned());
        }
    }
}

impl Findings {
    /// Refuses what would keep an option from doing anything at all.
    pub(crate) fn more_than_zero<T: Leaf>(&mut self, option: &str, value: &T) {
        self.check(!Leaf::is_zero(value), &format!("{option}: expected more than 0"));
    }

    /// Warns, at each start, of a switch that is `on` and opens the server.
    pub(crate) fn insecure(&mut self, on: bool, option: &str, what: &str) {
        if on {
            self.warnings.push(format!("{option}: insecure, {what}"));
        }
    }
}

// === impl Fields ===

impl<'a> Fields<'a> {
    /// The fields of `value`, their names in lower case; `None` after saying that it has none.
    fn of(value: &Value, place: &'a Place, findings: &'a mut Findings) -> Option<Self> {
        let Value::Object(fields) = value else {
            findings.error(place, &format!("expected an object, got {}", a_kind(value)));
            return None;
        };
        let left = fields.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
        Some(Self { left: left.collect(), place, findings })
    }

    /// Reads the field `key` into `setting`. Without a key the setting is a section whose options
    /// stand among these.
    pub(crate) fn field<S: Setting>(&mut self, key: &str, setting: &mut S, default: S) {
        if key.is_empty() {
            return setting.take(self);
        }
        // `null` is how a template that fills in nothing looks; it sets nothing.
        let Some(value) = self.left.remove(key).filter(|value| !value.is_null()) else { return };
        setting.read(&value, &self.place.child(key), self.findings);
        if setting.stands_for_default(&value) {
            *setting = default;
        }
    }

    fn warn_of_the_rest(self) {
        for name in self.left.keys() {
            let place = self.place.child(name);
            let what = super::unsupported::why_ignored(&place.path);
            self.findings.warnings.push(place.says(what));
        }
    }
}

/// Reads an object into a section and warns of what the section does not know.
pub(crate) fn read_section<S: Setting>(
    section: &mut S,
    value: &Value,
    place: &Place,
    findings: &mut Findings,
) {
    if let Some(mut fields) = Fields::of(value, place, findings) {
        section.take(&mut fields);
        fields.warn_of_the_rest();
    }
}

/// What `value` is, without saying what is in it.
pub(crate) fn a_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The path of `key` under `path`, for lists of options.
pub(crate) fn join(path: &str, key: &str) -> String {
    match (path, key) {
        (path, "") => path.to_owned(),
        ("", key) => key.to_owned(),
        (path, key) => format!("{path}.{key}"),
    }
}

/// Declares a section: `field: Type = default`, or `field("key"): Type = default` when the option
/// is not called as the field; an empty key puts the options of a section among those around it.
macro_rules! section {
    (@key $field:ident) => { stringify!($field) };
    (@key $field:ident $key:literal) => { $key };
    (
        $(#[doc = $about:literal])*
        pub struct $name:ident {
            $($(#[doc = $doc:literal])* $field:ident $(($key:literal))?: $type:ty = $default:expr,)*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $($(#[doc = $doc])* pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $crate::config::section::Setting for $name {
            fn read(
                &mut self,
                value: &serde_json::Value,
                place: &$crate::config::section::Place,
                findings: &mut $crate::config::section::Findings,
            ) {
                $crate::config::section::read_section(self, value, place, findings);
            }

            fn take(&mut self, fields: &mut $crate::config::section::Fields<'_>) {
                $(fields.field(section!(@key $field $($key)?), &mut self.$field, $default);)*
            }

            fn list(
                &self,
                path: &str,
                _doc: &'static str,
                out: &mut Vec<$crate::config::section::Opt>,
            ) {
                $(
                    let path_of_field =
                        $crate::config::section::join(path, section!(@key $field $($key)?));
                    self.$field.list(&path_of_field, concat!($($doc),*), out);
                )*
            }
        }
    };
}
pub(crate) use section;
