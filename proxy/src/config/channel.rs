//! `channel`: how channels are named and what holds for those of a namespace.

use std::collections::HashSet;

use super::{
    NoHistory, NotYet,
    namespaces::Namespaces,
    pattern::Pattern,
    section::{Findings, section},
    value::words,
};

section! {
    /// How channels are named and what holds for them.
    pub struct Channel {
        /// Longest channel name that clients may use, in bytes.
        max_length: usize = 255,
        /// What ends the namespace in a channel name.
        namespace_boundary: String = ":".to_owned(),
        /// What a channel that needs a token starts with.
        private_prefix: String = "$".to_owned(),
        /// What starts the list of users in a channel name.
        user_boundary: String = "#".to_owned(),
        /// What stands between these users.
        user_separator: String = ",".to_owned(),
        /// What may be published where a namespace says nothing else.
        publication_data_format: DataFormat = DataFormat::NotEmpty,
        /// Largest roster whose joins and leaves are repaired after a loss; listeners of larger ones
        /// are told to subscribe again.
        join_leave_mirror_limit: usize = 10_000,
        /// Options of channels without a namespace.
        without_namespace: ChannelOptions = ChannelOptions::default(),
        /// Options of the channels of each namespace.
        namespaces: Namespaces = Namespaces::default(),
    }
}

section! {
    /// One namespace.
    pub struct Namespace {
        /// What its channels start with.
        name: String = String::new(),
        /// What holds for its channels.
        options(""): ChannelOptions = ChannelOptions::default(),
    }
}

section! {
    /// What holds for the channels of one namespace.
    pub struct ChannelOptions {
        /// Keeps who is subscribed.
        presence: bool = false,
        /// Announces who joins and who leaves; does not need presence.
        join_leave: bool = false,
        /// Shows joins and leaves to every subscriber, also to one that did not ask.
        force_push_join_leave: bool = false,
        /// Lets every client ask for presence.
        allow_presence_for_client: bool = false,
        /// Lets subscribers ask for presence.
        allow_presence_for_subscriber: bool = false,
        /// Extends the two above to anonymous clients; grants nothing alone.
        allow_presence_for_anonymous: bool = false,
        /// Lets clients subscribe without a token.
        allow_subscribe_for_client: bool = false,
        /// Extends that to anonymous clients; grants nothing alone.
        allow_subscribe_for_anonymous: bool = false,
        /// Lets the users named in a channel name subscribe to it, and no other without a token.
        allow_user_limited_channels: bool = false,
        /// Lets every client publish.
        allow_publish_for_client: bool = false,
        /// Lets subscribers publish.
        allow_publish_for_subscriber: bool = false,
        /// Extends the two above to anonymous clients; grants nothing alone.
        allow_publish_for_anonymous: bool = false,
        /// Pattern for what follows the namespace in a channel name; allows more than ASCII.
        channel_regex: Pattern = Pattern::default(),
        /// What may be published; empty for what holds for all channels.
        publication_data_format: DataFormat = DataFormat::NotEmpty,
        /// Refused when set: history is not kept.
        history_size: NoHistory = NoHistory,
        /// Refused when set: history is not kept.
        history_ttl: NoHistory = NoHistory,
        /// Refused when set: history is not kept.
        allow_history_for_client: NoHistory = NoHistory,
        /// Refused when set: history is not kept.
        allow_history_for_subscriber: NoHistory = NoHistory,
        /// Refused when set: history is not kept.
        allow_history_for_anonymous: NoHistory = NoHistory,
        /// Refused when set: history is not kept.
        force_positioning: NoHistory = NoHistory,
        /// Refused when set: history is not kept.
        allow_positioning: NoHistory = NoHistory,
        /// Refused when set: history is not kept.
        force_recovery: NoHistory = NoHistory,
        /// Refused when set: history is not kept.
        allow_recovery: NoHistory = NoHistory,
        /// Refused when set: history is not kept.
        auto_cache_recover: NoHistory = NoHistory,
        /// Asks the application before a subscription.
        subscribe_proxy_enabled: NotYet = NotYet,
        /// Asks the application before a subscription.
        subscribe_stream_proxy_enabled: NotYet = NotYet,
        /// Asks the application before a publication.
        publish_proxy_enabled: NotYet = NotYet,
    }
}

words! {
    /// What a publication may hold.
    pub enum DataFormat {
        /// Anything but nothing.
        #[default]
        NotEmpty = "",
        /// A JSON value.
        Json = "json",
        /// A JSON object.
        JsonObject = "json_object",
        /// Anything.
        Binary = "binary",
    }
}

// === impl Channel ===

impl Channel {
    /// The options of the namespace called `name`.
    pub fn namespace(&self, name: &str) -> Option<&ChannelOptions> {
        self.namespaces.iter().find(|namespace| namespace.name == name).map(|it| &it.options)
    }

    pub(crate) fn check(&self, findings: &mut Findings) {
        findings.more_than_zero("channel.max_length", &self.max_length);
        self.check_boundaries(findings);
        let mut seen = HashSet::new();
        for (index, namespace) in self.namespaces.iter().enumerate() {
            let (at, name) = (format!("channel.namespaces[{index}].name"), &namespace.name);
            findings.check(
                good_name(name),
                &format!(
                    "{at}: expected two or more of a-z, A-Z, 0-9, \"-\", \"_\" and \".\", got {name:?}"
                ),
            );
            findings.check(seen.insert(name), &format!("{at}: {name:?} is there already"));
            let (boundary, prefix) = (&self.namespace_boundary, &self.private_prefix);
            findings.check(
                !name.contains(boundary.as_str()) && !name.starts_with(prefix.as_str()),
                &format!(
                    "{at}: no channel can be in it: {name:?} holds channel.namespace_boundary or \
                     starts with channel.private_prefix"
                ),
            );
        }
    }

    /// What takes a name apart must not be mistaken for something else that does.
    fn check_boundaries(&self, findings: &mut Findings) {
        let marks = [
            ("channel.namespace_boundary", &self.namespace_boundary),
            ("channel.private_prefix", &self.private_prefix),
            ("channel.user_boundary", &self.user_boundary),
            ("channel.user_separator", &self.user_separator),
        ];
        for (at, (option, mark)) in marks.iter().enumerate() {
            if let Some((other, _)) = marks[..at].iter().find(|(_, other)| other == mark) {
                findings.check(false, &format!("{option}: is that of {other} already"));
            }
        }
    }
}

fn good_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    name.len() >= 2 && name.bytes().all(allowed)
}
