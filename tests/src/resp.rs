//! A plain Redis client: what goes over the wire, and nothing more.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::pattern;
use crate::wait::patience;

/// A reply, as redis-cli would tell the kinds apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A status like `OK`.
    Status(String),
    /// An error; the text begins with its first word.
    Error(String),
    /// A number.
    Number(i64),
    /// A string.
    Bulk(Vec<u8>),
    /// Nothing, in each of its spellings.
    Nil,
    /// An array, a set, a map (as a flat array), or a push.
    Array(Vec<Reply>),
}

/// A connection.
#[derive(Debug)]
pub struct Resp {
    stream: BufReader<UnixStream>,
}

// === impl Reply ===

impl Reply {
    /// The elements of an array.
    pub fn array(self) -> Vec<Self> {
        match self {
            Self::Array(items) => items,
            other => panic!("not an array: {other}"),
        }
    }

    /// The number.
    pub fn number(&self) -> i64 {
        match self {
            Self::Number(number) => *number,
            other => panic!("not a number: {other}"),
        }
    }

    /// The text of a string or of a status.
    pub fn text(&self) -> String {
        match self {
            Self::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Status(text) | Self::Error(text) => text.clone(),
            other => panic!("not a text: {other}"),
        }
    }
}

impl fmt::Display for Reply {
    /// One line: `OK`, `!ERR no`, `1`, `"text"`, `nil`, `[1, "text"]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(text) => f.write_str(text),
            Self::Error(text) => write!(f, "!{text}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Bulk(bytes) => write!(f, "\"{}\"", String::from_utf8_lossy(bytes)),
            Self::Nil => f.write_str("nil"),
            Self::Array(items) => {
                let items: Vec<String> = items.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", items.join(", "))
            }
        }
    }
}

// === impl Resp ===

impl Resp {
    /// Connects to a server's Unix socket.
    pub fn connect(socket: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(patience()))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends a command and reads its reply.
    pub fn call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Reply {
        self.try_call(args).expect("the server answers")
    }

    /// As [`Self::call`], for servers that may be away.
    pub fn try_call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> io::Result<Reply> {
        self.send(args)?;
        self.read()
    }

    /// A command written as one would for redis-cli.
    pub fn ask(&mut self, line: &str) -> Reply {
        self.call(&words(line))
    }

    /// Sends a command without reading a reply.
    pub fn send<A: AsRef<[u8]>>(&mut self, args: &[A]) -> io::Result<()> {
        let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
        for arg in args {
            let arg = arg.as_ref();
            bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
            bytes.extend_from_slice(arg);
            bytes.extend_from_slice(b"\r\n");
        }
        self.stream.get_mut().write_all(&bytes)
    }

    /// Runs a session written as one sees it in a terminal: lines that begin with `> ` are
    /// commands, the line after each is its whole reply, where `<n>` stands for any number and
    /// `<*>` for anything.
    pub fn session(&mut self, text: &str) {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        while let Some(line) = lines.next() {
            let command = line.strip_prefix("> ").expect("a command begins with '> '");
            let expected = lines.next().expect("a command is followed by its reply");
            let reply = self.ask(command).to_string();
            assert!(
                pattern::matches(expected, &reply),
                "\n  > {command}\n  got:      {reply}\n  expected: {expected}\n"
            );
        }
    }

    /// Reads one reply or message.
    pub fn read(&mut self) -> io::Result<Reply> {
        let line = self.line()?;
        let (kind, rest) = line.split_at_checked(1).ok_or(io::ErrorKind::UnexpectedEof)?;
        let count = || rest.parse::<i64>().expect("a length is a number");
        Ok(match kind {
            "+" | "," | "#" => Reply::Status(rest.to_owned()),
            "-" => Reply::Error(rest.to_owned()),
            ":" => Reply::Number(count()),
            "$" | "*" if count() < 0 => Reply::Nil,
            "$" | "=" => Reply::Bulk(self.bytes(count())?),
            "*" | "~" | ">" => self.items(count())?,
            "%" => self.items(2 * count())?,
            "_" => Reply::Nil,
            other => panic!("unknown reply type {other}"),
        })
    }

    fn items(&mut self, count: i64) -> io::Result<Reply> {
        (0..count).map(|_| self.read()).collect::<io::Result<_>>().map(Reply::Array)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        line.truncate(line.trim_end_matches(['\r', '\n']).len());
        Ok(line)
    }

    fn bytes(&mut self, count: i64) -> io::Result<Vec<u8>> {
        let length = usize::try_from(count).expect("a length is not negative");
        let mut bytes = vec![0; length + 2];
        self.stream.read_exact(&mut bytes)?;
        bytes.truncate(length);
        Ok(bytes)
    }
}

/// Splits a command line at spaces; single and double quotes keep words together.
pub fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}
