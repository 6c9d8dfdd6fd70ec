//! A client that speaks TCP and writes WebSocket frames by hand, right ones and wrong ones.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType, connect, socket, sockopt};

use crate::stopwatch::Stopwatch;
use crate::wait::patience;

/// Where a WebSocket is asked for.
pub const PATH: &str = "/connection/websocket";
/// First bytes of frames: a whole text, its first and last fragment, and the control frames.
pub const TEXT: u8 = 0x81;
/// The first fragment of a text.
pub const BEGIN: u8 = 0x01;
/// A fragment that is not the last.
pub const MORE: u8 = 0x00;
/// The last fragment.
pub const END: u8 = 0x80;
/// A close.
pub const CLOSE: u8 = 0x88;
/// A ping.
pub const PING: u8 = 0x89;
/// A pong.
pub const PONG: u8 = 0x8a;

/// The header lines of a handshake as a browser sends them.
pub const UPGRADE: &[&str] = &[
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/// A connection to a server.
#[derive(Debug)]
pub struct RawSocket {
    stream: TcpStream,
}

/// A frame from the server: its first byte and what it carries.
pub type RawFrame = (u8, Vec<u8>);

// === impl RawSocket ===

impl RawSocket {
    /// A TCP connection.
    pub fn tcp(port: u16) -> Self {
        Self::of(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the server listens"))
    }

    /// A TCP connection whose receive window is as small as the system allows, so that what is not
    /// read soon waits in the server.
    pub fn narrow(port: u16) -> Self {
        let fd: OwnedFd = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
        sockopt::set_socket_recv_buffer_size(&fd, 1).expect("the buffer can be small");
        connect(&fd, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).expect("the server listens");
        Self::of(TcpStream::from(fd))
    }

    fn of(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("an open socket");
        stream.set_read_timeout(Some(patience())).expect("patience is not zero");
        stream.set_write_timeout(Some(patience())).expect("patience is not zero");
        Self { stream }
    }

    /// A WebSocket.
    pub fn open(port: u16) -> Self {
        Self::tcp(port).upgraded()
    }

    /// A WebSocket that can receive little.
    pub fn open_narrow(port: u16) -> Self {
        Self::narrow(port).upgraded()
    }

    fn upgraded(mut self) -> Self {
        self.asks("GET", PATH, UPGRADE);
        let answer = self.head().expect("the server answers");
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        self
    }

    /// Connects with a token, as the first command.
    #[must_use]
    pub fn connected(mut self, token: &str) -> Self {
        self.sends(&frame(TEXT, connect_command(token).as_bytes()));
        let (_, reply) = self.frame().expect("the connect is answered");
        let reply = String::from_utf8_lossy(&reply).into_owned();
        assert!(reply.contains("\"client\""), "{reply}");
        self
    }

    /// Sends a request with these header lines.
    pub fn asks(&mut self, method: &str, path: &str, lines: &[&str]) {
        let first = format!("{method} {path} HTTP/1.1");
        let head = [&[first.as_str(), "Host: test"], lines, &["", ""]].concat();
        self.sends(head.join("\r\n").as_bytes());
    }

    /// Sends bytes.
    pub fn sends(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server takes bytes");
    }

    /// Sends bytes; whether the server took them.
    pub fn tries_to_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Says that nothing more comes, and goes on reading.
    pub fn sends_no_more(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("an open socket");
    }

    /// Ends the connection, also where it is shared.
    pub fn cut(&mut self) {
        // The server may have been faster.
        let _ended = self.stream.shutdown(Shutdown::Both);
    }

    /// Sends the same bytes again and again until the server has closed the connection, at most
    /// for `limit`; whether it has. Reads nothing.
    pub fn floods(&mut self, bytes: &[u8], limit: Duration) -> bool {
        self.stream.set_write_timeout(Some(Duration::from_millis(50))).expect("not zero");
        let start = Stopwatch::start();
        let mut rest = bytes;
        while start.elapsed() < limit {
            match self.stream.write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if is_timeout(&error) => {}
                Err(_) => return true,
            }
            if rest.is_empty() {
                rest = bytes;
            }
        }
        false
    }

    /// The head of the answer to a request; `None` when the connection ends before.
    pub fn head(&mut self) -> Option<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).ok()?;
            head.push(byte[0]);
        }
        Some(String::from_utf8_lossy(&head).into_owned())
    }

    /// The status of the answer to a request; `None` when the connection ends without.
    pub fn status(&mut self) -> Option<u16> {
        self.head()?.split(' ').nth(1)?.parse().ok()
    }

    /// The next frame; `None` when the connection ends.
    pub fn frame(&mut self) -> Option<RawFrame> {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).ok()?;
        let length = match head[1] {
            126 => u64::from(u16::from_be_bytes(self.array()?)),
            127 => u64::from_be_bytes(self.array()?),
            short => u64::from(short),
        };
        let mut payload = vec![0; usize::try_from(length).expect("frames are small")];
        self.stream.read_exact(&mut payload).ok()?;
        Some((head[0], payload))
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }

    /// The code of the close that comes next but for other frames; `None` when none comes.
    pub fn close_code(&mut self) -> Option<u16> {
        loop {
            let (first, payload) = self.frame()?;
            if first == CLOSE {
                return Some(u16::from_be_bytes(payload.first_chunk().copied()?));
            }
        }
    }

    /// The same connection once more, for another thread.
    #[must_use]
    pub fn shared(&self) -> Self {
        Self { stream: self.stream.try_clone().expect("an open socket") }
    }

    /// Reads and throws away what comes until the connection ends.
    pub fn swallows(&mut self) -> u64 {
        io::copy(&mut self.stream, &mut io::sink()).unwrap_or_default()
    }

    /// Reads until the connection ends; whether it ended in order, and not by a reset.
    pub fn ends(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => true,
            Err(error) => {
                assert!(!is_timeout(&error), "the server leaves the connection open");
                false
            }
        }
    }
}

/// A masked frame, as clients send them.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = vec![first];
    match payload.len() {
        short @ ..=125 => bytes.push(0x80 | u8::try_from(short).expect("at most 125")),
        middle @ 126..=0xffff => {
            bytes.push(0x80 | 0x7e);
            bytes.extend(u16::try_from(middle).expect("at most 65,535").to_be_bytes());
        }
        long => {
            bytes.push(0x80 | 0x7f);
            bytes.extend((long as u64).to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// The connect command.
pub fn connect_command(token: &str) -> String {
    format!(r#"{{"id":1,"connect":{{"token":"{token}"}}}}"#)
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::TimedOut | ErrorKind::WouldBlock)
}
