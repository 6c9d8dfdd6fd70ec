//! How a command describes itself to the server: arity, flags, keys, documentation.

use std::ffi::CStr;

use crate::args::Args;
use crate::error::CommandError;
use crate::native::command::Handler;
use crate::native::context::Ctx;

/// One command, one file.
pub(crate) trait Command {
    const SPEC: Spec;
    /// Reads the arguments, acts, replies. An error has changed nothing and replied nothing.
    fn execute(args: Args<'_>, ctx: &Ctx) -> Result<(), CommandError>;
}

/// What the server is told of a command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spec {
    pub(crate) name: &'static CStr,
    /// The container this is a subcommand of.
    pub(crate) parent: Option<&'static CStr>,
    pub(crate) flags: &'static CStr,
    /// ACL categories, on servers that know them for modules.
    pub(crate) categories: &'static CStr,
    pub(crate) arity: i32,
    pub(crate) keys: Keys,
    pub(crate) summary: &'static CStr,
    pub(crate) complexity: &'static CStr,
    pub(crate) args: &'static [Arg],
}

/// Where the keys of a command are, and what it does with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    None,
    /// The first argument.
    First(Access),
    /// All arguments.
    All(Access),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    /// Reads and inserts or updates.
    Insert,
    /// Reads and updates.
    Update,
    /// Reads and deletes parts.
    Delete,
}

/// One documented argument.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arg {
    pub(crate) name: &'static CStr,
    pub(crate) kind: ArgKind,
    pub(crate) token: Option<&'static CStr>,
    pub(crate) optional: bool,
    pub(crate) multiple: bool,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum ArgKind {
    Key,
    Text,
    Integer,
    /// A bare word.
    Word,
    OneOf(&'static [Arg]),
    Block(&'static [Arg]),
}

/// A command and the function the server calls for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) spec: Spec,
    /// A container has none.
    pub(crate) handler: Option<Handler>,
}

// === impl Arg ===

impl Arg {
    const fn of(name: &'static CStr, kind: ArgKind) -> Self {
        Self { name, kind, token: None, optional: false, multiple: false }
    }

    pub(crate) const fn key() -> Self {
        Self::of(c"key", ArgKind::Key)
    }

    pub(crate) const fn text(name: &'static CStr) -> Self {
        Self::of(name, ArgKind::Text)
    }

    pub(crate) const fn integer(name: &'static CStr) -> Self {
        Self::of(name, ArgKind::Integer)
    }

    pub(crate) const fn word(name: &'static CStr, token: &'static CStr) -> Self {
        Self { token: Some(token), ..Self::of(name, ArgKind::Word) }
    }

    pub(crate) const fn one_of(name: &'static CStr, choices: &'static [Self]) -> Self {
        Self::of(name, ArgKind::OneOf(choices))
    }

    pub(crate) const fn block(name: &'static CStr, parts: &'static [Self]) -> Self {
        Self::of(name, ArgKind::Block(parts))
    }

    pub(crate) const fn after(self, token: &'static CStr) -> Self {
        Self { token: Some(token), ..self }
    }

    pub(crate) const fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    pub(crate) const fn multiple(self) -> Self {
        Self { multiple: true, ..self }
    }
}
