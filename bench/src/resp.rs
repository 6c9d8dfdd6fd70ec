//! As much of a Redis client as a benchmark needs: requests in batches, replies counted or read.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::server::Server;

/// Connections used at the same time.
const CONNECTIONS: usize = 8;
/// Requests sent on a connection before its replies are read.
const DEPTH: usize = 16;

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    input: BufReader<UnixStream>,
    /// Replies that were asked for and not read yet.
    owed: usize,
}

/// Several connections, each with several requests under way.
#[derive(Debug)]
pub(crate) struct Pipeline {
    connections: Vec<Connection>,
    batch: Vec<u8>,
}

/// Appends a request to `out`.
pub(crate) fn request<T: AsRef<[u8]>>(out: &mut Vec<u8>, words: &[T]) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        let word = word.as_ref();
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

// === impl Connection ===

impl Connection {
    pub(crate) fn open(socket: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        Ok(Self { input: BufReader::with_capacity(1 << 16, stream), owed: 0 })
    }

    /// Sends one request and returns the text of its reply: a string, a number, or nothing for
    /// any other kind.
    pub(crate) fn call<T: AsRef<[u8]>>(&mut self, words: &[T]) -> io::Result<String> {
        let mut out = Vec::new();
        request(&mut out, words);
        self.send(&out)?;
        let head = self.line()?;
        let (kind, rest) = head.split_at(1);
        match kind {
            "-" => Err(io::Error::other(head)),
            "$" if rest != "-1" => {
                let mut text = vec![0; number(rest)? + 2];
                self.input.read_exact(&mut text)?;
                text.truncate(text.len() - 2);
                String::from_utf8(text).map_err(io::Error::other)
            }
            "*" => {
                for _ in 0..number(rest)? {
                    self.skip()?;
                }
                Ok(String::new())
            }
            _ => Ok(rest.to_owned()),
        }
    }

    /// Sends one request and returns the text of the first element of its reply, a list.
    pub(crate) fn first_of<T: AsRef<[u8]>>(&mut self, words: &[T]) -> io::Result<String> {
        let mut out = Vec::new();
        request(&mut out, words);
        self.send(&out)?;
        let head = self.line()?;
        let rest = head.strip_prefix('*').ok_or_else(|| io::Error::other(head.clone()))?;
        let first = self.line()?;
        let length = first.strip_prefix('$').ok_or_else(|| io::Error::other(first.clone()))?;
        let mut text = vec![0; number(length)? + 2];
        self.input.read_exact(&mut text)?;
        text.truncate(text.len() - 2);
        for _ in 1..number(rest)? {
            self.skip()?;
        }
        String::from_utf8(text).map_err(io::Error::other)
    }

    /// Sends a request for each number of the range, so many at a time, and reads every reply.
    pub(crate) fn run(
        &mut self,
        numbers: std::ops::Range<usize>,
        depth: usize,
        encode: &mut dyn FnMut(usize, &mut Vec<u8>),
    ) -> io::Result<()> {
        let mut batch = Vec::new();
        for start in numbers.clone().step_by(depth) {
            let end = numbers.end.min(start + depth);
            batch.clear();
            (start..end).for_each(|n| encode(n, &mut batch));
            self.send(&batch)?;
            for _ in start..end {
                self.skip()?;
            }
        }
        Ok(())
    }

    fn send(&mut self, requests: &[u8]) -> io::Result<()> {
        self.input.get_mut().write_all(requests)
    }

    /// Reads one reply of any shape and forgets it. An error anywhere in it is an error here.
    fn skip(&mut self) -> io::Result<()> {
        let mut pending = 1;
        while pending > 0 {
            pending -= 1;
            let head = self.line()?;
            let (kind, rest) = head.split_at(1);
            match kind {
                "-" => return Err(io::Error::other(head)),
                "$" if rest != "-1" => self.discard(number(rest)? + 2)?,
                "*" if rest != "-1" => pending += number(rest)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.input.read_line(&mut line)?;
        line.truncate(line.trim_end().len());
        if line.is_empty() {
            return Err(io::Error::other("redis-server closed the connection"));
        }
        Ok(line)
    }

    fn discard(&mut self, mut bytes: usize) -> io::Result<()> {
        while bytes > 0 {
            let ready = self.input.fill_buf()?.len().min(bytes);
            if ready == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
            self.input.consume(ready);
            bytes -= ready;
        }
        Ok(())
    }
}

// === impl Pipeline ===

impl Pipeline {
    pub(crate) fn open(server: &Server) -> io::Result<Self> {
        let connections = (0..CONNECTIONS).map(|_| server.connect()).collect::<io::Result<_>>()?;
        Ok(Self { connections, batch: Vec::new() })
    }

    /// Sends `count` requests, the one of each number as `encode` writes it, and reads every reply.
    pub(crate) fn run(
        &mut self,
        count: usize,
        mut encode: impl FnMut(usize, &mut Vec<u8>),
    ) -> io::Result<()> {
        let mut next = 0;
        while next < count {
            for connection in &mut self.connections {
                let end = count.min(next + DEPTH);
                self.batch.clear();
                (next..end).for_each(|n| encode(n, &mut self.batch));
                connection.send(&self.batch)?;
                connection.owed = end - next;
                next = end;
            }
            for connection in &mut self.connections {
                for _ in 0..std::mem::take(&mut connection.owed) {
                    connection.skip()?;
                }
            }
        }
        Ok(())
    }
}

fn number(text: &str) -> io::Result<usize> {
    text.parse().map_err(|_| io::Error::other(format!("not a length: {text}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_of_every_shape_are_skipped_whole() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut connection = Connection { input: BufReader::new(ours), owed: 0 };
        theirs.write_all(b"*3\r\n$1\r\na\r\n*-1\r\n*1\r\n:5\r\n$-1\r\n+OK\r\n").unwrap();
        for _ in 0..3 {
            connection.skip().unwrap();
        }
        theirs.write_all(b"*1\r\n-ERR no\r\n").unwrap();
        assert_eq!(connection.skip().unwrap_err().to_string(), "-ERR no");
    }

    #[test]
    fn a_request_is_an_array_of_strings() {
        let mut out = Vec::new();
        request(&mut out, &["GET", "k"]);
        assert_eq!(out, b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
    }
}
