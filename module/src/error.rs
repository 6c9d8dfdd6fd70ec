//! Why a command was refused. The first word is part of the contract.

use std::fmt;

use rollcall_wire::error_words as words;

/// Not a `std::error::Error`: the crate would put `ERR` in front of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CommandError {
    /// A bad argument or a bad moment; the text says which.
    Bad(String),
    /// The server counts the arguments of most commands itself.
    WrongArity,
    WrongType,
    NoLease(String),
    BadCursor,
    ReadOnly,
    /// So many may live at a time.
    TooManyLeases(usize),
}

// === impl CommandError ===

impl CommandError {
    pub(crate) fn bad(text: impl Into<String>) -> Self {
        Self::Bad(text.into())
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bad(text) => write!(f, "{} {text}", words::ERR),
            Self::WrongArity => write!(f, "{} wrong number of arguments", words::ERR),
            Self::WrongType => write!(
                f,
                "{} Operation against a key holding the wrong kind of value",
                words::WRONGTYPE
            ),
            Self::NoLease(node) => write!(
                f,
                "{} node '{node}' holds no lease: PRESENCE.LEASE KEEP it first",
                words::NOLEASE
            ),
            Self::BadCursor => write!(
                f,
                "{} the cursor is of another server process, another life of the key or another kind of scan: start again with 0",
                words::BADCURSOR
            ),
            Self::ReadOnly => {
                write!(f, "{} a replica changes no lease: ask its master", words::READONLY)
            }
            Self::TooManyLeases(most) => {
                write!(f, "{} too many leases: rollcall.max-leases is {most}", words::ERR)
            }
        }
    }
}
