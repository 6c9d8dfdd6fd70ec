//! What a call is about, for the log.

use std::fmt;

use super::Names;
use crate::log_limit::Clipped;

/// What a call names.
#[derive(Debug, Clone, Copy)]
pub(super) enum Subject<'a> {
    Nothing,
    Channel(&'a str),
    Users(&'a [String]),
}

// === impl Subject ===

impl<'a> Subject<'a> {
    /// Of a call about users.
    pub(super) fn of_users(users: &'a Names) -> Self {
        users.as_ref().map_or(Self::Nothing, |users| Self::Users(users))
    }

    /// The channel, cut to a small length.
    pub(super) fn channel(&self) -> Option<impl fmt::Display + use<'_>> {
        match self {
            Self::Channel(channel) => Some(Clipped::new(*channel)),
            Self::Nothing | Self::Users(_) => None,
        }
    }

    /// The first user, cut to a small length, and how many more there are.
    pub(super) fn user(&self) -> Option<String> {
        let Self::Users(users) = self else { return None };
        let (first, more) = users.split_first()?;
        let first = Clipped::new(first);
        Some(match more.len() {
            0 => first.to_string(),
            more => format!("{first} and {more} more"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_short() {
        let users = ["ann".repeat(100), "bob".to_owned()];
        let text = Subject::Users(&users).user().unwrap();
        assert!(text.starts_with("annann") && text.ends_with(" and 1 more"), "{text}");
        assert!(text.len() < 200, "{text}");
        assert_eq!(Subject::Users(&users[1..]).user().unwrap(), "bob");
        assert_eq!(Subject::Channel("room").channel().unwrap().to_string(), "room");
        assert!(Subject::Nothing.user().is_none() && Subject::Nothing.channel().is_none());
    }
}
