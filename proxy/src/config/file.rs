//! The configuration file.

use std::{io, path::Path};

use serde_json::Value;

use super::load::ConfigError;

/// Reads the file at `path`; `None` if there is none.
pub(crate) fn read(
    path: &Path,
    read_file: &dyn Fn(&Path) -> io::Result<String>,
) -> Result<Option<Value>, ConfigError> {
    let extension = path.extension().and_then(|it| it.to_str()).unwrap_or_default();
    if ["yaml", "yml", "toml"].iter().any(|other| extension.eq_ignore_ascii_case(other)) {
        return Err(ConfigError::Format(path.to_owned()));
    }
    let text = match read_file(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(ConfigError::Read { path: path.to_owned(), source }),
    };
    let text = without_trailing_commas(text.trim_start_matches('\u{feff}'));
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|source| ConfigError::Syntax { path: path.to_owned(), source })
}

/// Blanks commas that stand before a closing bracket. Published samples have them, and people
/// leave them behind; nothing else can be meant. Lines and columns stay what they are.
fn without_trailing_commas(text: &str) -> String {
    let mut out = text.as_bytes().to_vec();
    let (mut in_string, mut escaped, mut comma) = (false, false, None);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => {
                in_string = !in_string;
                comma = None;
            }
            _ if in_string => {}
            b',' => comma = Some(at),
            b']' | b'}' => {
                if let Some(at) = comma.take() {
                    out[at] = b' ';
                }
            }
            byte if byte.is_ascii_whitespace() => {}
            _ => comma = None,
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_commas_before_a_closing_bracket_go() {
        for (from, to) in [
            (r#"{"a":[1,2,],}"#, r#"{"a":[1,2 ] }"#),
            ("[1, \n ]", "[1  \n ]"),
            (r#"["a,]","\",]"]"#, r#"["a,]","\",]"]"#),
            ("[1,,]", "[1, ]"),
        ] {
            assert_eq!(without_trailing_commas(from), to);
        }
    }

    proptest::proptest! {
        #[test]
        fn valid_json_stays_as_it_is(texts: Vec<String>) {
            let json = serde_json::to_string_pretty(&texts).unwrap();
            proptest::prop_assert_eq!(without_trailing_commas(&json), json);
        }
    }
}
