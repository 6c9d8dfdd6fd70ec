//! A cursor over a command's arguments. Every error names the argument and what was expected.

use rollcall_wire::caps;

use crate::error::CommandError;
use crate::native::string::{self, Str};

/// What is left to read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Args<'a> {
    left: &'a [Str],
}

/// Names at the end of a command; at least one, and few enough.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names<'a>(&'a [Str]);

// === impl Args ===

impl<'a> Args<'a> {
    pub(crate) fn new(left: &'a [Str]) -> Self {
        Self { left }
    }

    pub(crate) fn next(&mut self) -> Option<&'a Str> {
        let (first, rest) = self.left.split_first()?;
        self.left = rest;
        Some(first)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    pub(crate) fn required(&mut self) -> Result<&'a Str, CommandError> {
        self.next().ok_or(CommandError::WrongArity)
    }

    pub(crate) fn key(&mut self) -> Result<&'a Str, CommandError> {
        key(self.required()?)
    }

    /// A non-empty id.
    pub(crate) fn id(&mut self, what: &str, max: usize) -> Result<&'a str, CommandError> {
        id(self.required()?, what, max)
    }

    /// A user, which may be empty where anonymous clients are meant.
    pub(crate) fn user_or_empty(&mut self) -> Result<&'a str, CommandError> {
        let text = text(self.required()?, "user")?;
        capped(text, "user", caps::USER)
    }

    /// The value of an option that has just been read.
    pub(crate) fn value(&mut self, option: &str) -> Result<&'a Str, CommandError> {
        self.next().ok_or_else(|| CommandError::bad(format!("{option} needs a value")))
    }

    pub(crate) fn info(&mut self, option: &str) -> Result<&'a [u8], CommandError> {
        let bytes = self.value(option)?.bytes();
        if bytes.len() > caps::INFO {
            let max = caps::INFO;
            return Err(CommandError::bad(format!("{option} must be at most {max} bytes")));
        }
        Ok(bytes)
    }

    /// A whole number from 1 to `max`.
    pub(crate) fn number(
        &mut self,
        option: &str,
        unit: &str,
        max: u64,
    ) -> Result<u64, CommandError> {
        let bytes = self.value(option)?.bytes();
        let value = decimal(bytes).filter(|value| *value > 0).ok_or_else(|| {
            CommandError::bad(format!("{option} must be a positive integer{unit}"))
        })?;
        if value > max {
            return Err(CommandError::bad(format!("{option} must be at most {max}")));
        }
        Ok(value)
    }

    pub(crate) fn names(&mut self, what: &str) -> Result<Names<'a>, CommandError> {
        let names = std::mem::take(&mut self.left);
        if names.is_empty() {
            return Err(CommandError::WrongArity);
        }
        if names.len() > caps::NAMES {
            let max = caps::NAMES;
            return Err(CommandError::bad(format!("at most {max} {what} in one command")));
        }
        Ok(Names(names))
    }

    pub(crate) fn finish(self) -> Result<(), CommandError> {
        match self.left.first() {
            None => Ok(()),
            Some(left) => Err(unknown(left)),
        }
    }
}

/// The error for a word that is no option here.
pub(crate) fn unknown(word: &Str) -> CommandError {
    CommandError::bad(format!("unknown option '{}'", shown(word)))
}

/// The error for an option that was given before.
pub(crate) fn repeated(word: &Str) -> CommandError {
    CommandError::bad(format!("option '{}' is given more than once", shown(word)))
}

fn shown(word: &Str) -> String {
    let text = String::from_utf8_lossy(word.bytes());
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}

/// `LEASE node` and `EX s` in either order, before users.
pub(crate) fn lease_and_ex<'a>(args: &mut Args<'a>) -> Result<(&'a str, u32), CommandError> {
    let (mut node, mut ex) = (None, None);
    for _ in 0..2 {
        let word = args.required()?;
        if word.is_word("LEASE") {
            once(&mut node, args.id("node", caps::NODE)?, word)?;
        } else if word.is_word("EX") {
            once(&mut ex, seconds(args)?, word)?;
        } else {
            return Err(CommandError::bad("LEASE node and EX seconds expected after the key"));
        }
    }
    node.zip(ex).ok_or(CommandError::WrongArity)
}

/// `EX s` before users.
pub(crate) fn ex(args: &mut Args<'_>) -> Result<u32, CommandError> {
    if !args.required()?.is_word("EX") {
        return Err(CommandError::bad("EX seconds expected after the key"));
    }
    seconds(args)
}

fn seconds(args: &mut Args<'_>) -> Result<u32, CommandError> {
    let seconds = args.number("EX", " of seconds", caps::SECONDS)?;
    Ok(u32::try_from(seconds).unwrap_or(u32::MAX))
}

/// Sets an option once.
pub(crate) fn once<T>(place: &mut Option<T>, value: T, word: &Str) -> Result<(), CommandError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(repeated(word)),
    }
}

/// A decimal number without sign or blanks.
pub(crate) fn decimal(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() || !bytes.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

fn key(key: &Str) -> Result<&Str, CommandError> {
    if key.bytes().len() > caps::KEY {
        return Err(CommandError::bad(format!("key must be at most {} bytes", caps::KEY)));
    }
    Ok(key)
}

fn id<'a>(arg: &'a Str, what: &str, max: usize) -> Result<&'a str, CommandError> {
    let text = text(arg, what)?;
    if text.is_empty() {
        return Err(CommandError::bad(format!("{what} must not be empty")));
    }
    capped(text, what, max)
}

fn text<'a>(arg: &'a Str, what: &str) -> Result<&'a str, CommandError> {
    string::text(arg.bytes())
        .ok_or_else(|| CommandError::bad(format!("{what} must be valid UTF-8")))
}

fn capped<'a>(text: &'a str, what: &str, max: usize) -> Result<&'a str, CommandError> {
    if text.len() > max {
        return Err(CommandError::bad(format!("{what} must be at most {max} bytes")));
    }
    Ok(text)
}

// === impl Names ===

impl<'a> Names<'a> {
    /// All of them as ids; the first bad one is the error, before anything is changed.
    pub(crate) fn ids(&self, what: &str, max: usize) -> Result<Vec<&'a str>, CommandError> {
        self.0.iter().map(|name| id(name, what, max)).collect()
    }

    /// That all of them are ids, without keeping them.
    pub(crate) fn check(&self, what: &str, max: usize) -> Result<(), CommandError> {
        self.0.iter().try_for_each(|name| id(name, what, max).map(drop))
    }

    pub(crate) fn keys(&self) -> Result<&'a [Str], CommandError> {
        for name in self.0 {
            key(name)?;
        }
        Ok(self.0)
    }

    pub(crate) fn all(&self) -> &'a [Str] {
        self.0
    }
}
