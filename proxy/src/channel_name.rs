//! What a channel's name says: its namespace, whether it is private, for which users it is.

use crate::config::{Channel, ChannelOptions, DataFormat};

/// A channel with what its name means under a configuration.
#[derive(Debug, Clone, Copy)]
pub struct Resolved<'a> {
    /// The whole name.
    pub name: &'a str,
    /// The options of its namespace.
    pub options: &'a ChannelOptions,
    /// Whether only a token lets anyone in.
    pub private: bool,
    config: &'a Channel,
    /// What follows the namespace.
    rest: &'a str,
}

/// Whether `name` is short enough for clients to subscribe to.
pub fn is_short_enough(config: &Channel, name: &str) -> bool {
    name.len() <= config.max_length
}

/// Finds the namespace of `name`; `None` if there is no such.
pub fn resolve<'a>(config: &'a Channel, name: &'a str) -> Option<Resolved<'a>> {
    let unprefixed = name.strip_prefix(config.private_prefix.as_str());
    let bare = unprefixed.unwrap_or(name);
    let (options, rest) = match bare.split_once(config.namespace_boundary.as_str()) {
        Some((namespace, rest)) => (config.namespace(namespace)?, rest),
        None => (&config.without_namespace, bare),
    };
    Some(Resolved { name, options, private: unprefixed.is_some(), config, rest })
}

// === impl Resolved ===

impl<'a> Resolved<'a> {
    /// Whether clients may use such a name: not too long, and ASCII, or what the namespace's pattern
    /// says. The server API is trusted and does not ask.
    pub fn is_well_formed(&self) -> bool {
        if !is_short_enough(self.config, self.name) {
            return false;
        }
        match self.options.channel_regex.regex() {
            Some(regex) => regex.is_match(self.rest),
            None => self.name.is_ascii(),
        }
    }

    /// Whether `user` is among those that the name lists; `None` when the name or the namespace
    /// limits nobody.
    pub fn lists(&self, user: &str) -> Option<bool> {
        let users = self.users()?;
        Some(users.split(self.config.user_separator.as_str()).any(|listed| listed == user))
    }

    fn users(&self) -> Option<&'a str> {
        let (_, users) = self.name.rsplit_once(self.config.user_boundary.as_str())?;
        self.options.allow_user_limited_channels.then_some(users)
    }

    /// What a publication to it may hold.
    pub fn data_format(&self) -> DataFormat {
        match self.options.publication_data_format {
            DataFormat::NotEmpty => self.config.publication_data_format,
            own => own,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Namespace, Pattern};

    fn config() -> Channel {
        let mut config = Channel::default();
        for name in ["public", "dm", "wide"] {
            let mut namespace = Namespace { name: name.to_owned(), ..Namespace::default() };
            namespace.options.presence = name == "public";
            namespace.options.allow_user_limited_channels = name == "dm";
            if name == "wide" {
                namespace.options.channel_regex = Pattern::new("^é+$").unwrap();
                namespace.options.publication_data_format = DataFormat::Json;
            }
            config.namespaces.0.push(namespace);
        }
        config
    }

    #[test]
    fn the_namespace_stands_before_the_first_boundary() {
        let config = config();
        for (name, found) in [
            ("news", Some((false, false, "news"))),
            ("public:a:b", Some((true, false, "a:b"))),
            ("$public:x", Some((true, true, "x"))),
            ("$news", Some((false, true, "news"))),
            ("$$public:x", None),
            ("public:", Some((true, false, ""))),
            ("", Some((false, false, ""))),
            (":x", None),
            ("nope:x", None),
            ("Public:x", None),
        ] {
            let resolved = resolve(&config, name);
            let shown = resolved.map(|it| (it.options.presence, it.private, it.rest));
            assert_eq!(shown, found, "{name}");
        }
    }

    #[test]
    fn users_are_listed_after_the_last_boundary() {
        let config = config();
        for (name, user, listed) in [
            ("dm:room#17,42", "17", Some(true)),
            ("dm:room#17,42", "42", Some(true)),
            ("dm:room#17,42", "4", Some(false)),
            ("dm:room#17,42", "17,42", Some(false)),
            ("dm:a#17#42", "17", Some(false)),
            ("dm:a#17#42", "42", Some(true)),
            ("dm:a#17", "", Some(false)),
            ("dm:a#", "", Some(true)),
            ("dm:a", "17", None),
            ("public:a#17", "17", None),
        ] {
            assert_eq!(resolve(&config, name).unwrap().lists(user), listed, "{name} {user}");
        }
    }

    #[test]
    fn names_are_short_and_ascii_unless_a_pattern_decides() {
        let config = config();
        for (name, good) in [
            ("news", true),
            ("public:~ #,", true),
            ("public:é", false),
            ("wide:é", true),
            ("$wide:éé", true),
            ("wide:e", false),
            (&"x".repeat(255), true),
            (&"x".repeat(256), false),
            (&format!("wide:{}", "é".repeat(125)), true),
            (&format!("wide:{}", "é".repeat(126)), false),
        ] {
            assert_eq!(resolve(&config, name).unwrap().is_well_formed(), good, "{name}");
        }
        assert!(is_short_enough(&config, &"é".repeat(127)));
        assert!(!is_short_enough(&config, &"é".repeat(128)));
    }

    #[test]
    fn the_format_of_the_namespace_goes_first() {
        let mut config = config();
        config.publication_data_format = DataFormat::Binary;
        assert_eq!(resolve(&config, "news").unwrap().data_format(), DataFormat::Binary);
        assert_eq!(resolve(&config, "wide:é").unwrap().data_format(), DataFormat::Json);
    }

    proptest::proptest! {
        #[test]
        fn no_name_panics(name: String, user: String) {
            if let Some(resolved) = resolve(&config(), &name) {
                let _ = (resolved.is_well_formed(), resolved.lists(&user));
            }
        }
    }
}
