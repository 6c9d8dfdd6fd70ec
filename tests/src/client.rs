//! A WebSocket client that sees every byte.

use std::collections::VecDeque;
use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::client::Response;
use tungstenite::http::{HeaderName, HeaderValue};
use tungstenite::{Message, WebSocket};

use crate::wait::patience;

/// One connection. It answers the server's pings unless told otherwise, and tells nobody of them.
#[derive(Debug)]
pub struct Client {
    socket: WebSocket<TcpStream>,
    response: Response,
    /// Lines of frames that were read, and not yet asked for.
    ahead: VecDeque<Heard>,
    /// Pushes that came while a reply was waited for.
    pushes: VecDeque<Value>,
    pongs: bool,
    last_id: u64,
    id: String,
}

/// Something that came from the server.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// A reply, a push, or (when pings are not answered) a ping.
    Line(Value),
    /// The server closed, with a code and a reason.
    Close(u16, String),
    /// The connection ended without a close frame.
    Gone,
}

// === impl Client ===

impl Client {
    /// Opens a WebSocket.
    pub fn open(port: u16, path: &str, headers: &[(&'static str, &str)]) -> Self {
        Self::try_open(port, path, headers).expect("the handshake succeeds")
    }

    /// Opens a WebSocket, if the server wants it.
    pub fn try_open(
        port: u16,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let mut request = format!("ws://127.0.0.1:{port}{path}").into_client_request()?;
        for (name, value) in headers {
            request
                .headers_mut()
                .insert(HeaderName::from_static(name), HeaderValue::from_str(value)?);
        }
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        let (socket, response) = tungstenite::client(request, stream).map_err(|e| e.to_string())?;
        let (ahead, pushes) = (VecDeque::new(), VecDeque::new());
        Ok(Self { socket, response, ahead, pushes, pongs: true, last_id: 0, id: String::new() })
    }

    /// The answer to the handshake.
    pub fn response(&self) -> &Response {
        &self.response
    }

    /// From here on pings are heard like everything else, and not answered.
    pub fn leave_pings_alone(&mut self) {
        self.pongs = false;
    }

    /// The client id the server gave.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Sends a text frame.
    pub fn sends(&mut self, frame: &str) {
        self.socket.send(Message::text(frame)).expect("the connection takes a frame");
    }

    /// Sends a binary frame.
    pub fn sends_bytes(&mut self, frame: &[u8]) {
        self.socket.send(Message::binary(frame.to_vec())).expect("the connection takes a frame");
    }

    /// Forgets the pushes that came while replies were waited for.
    pub fn forgets_pushes(&mut self) {
        self.pushes.clear();
    }

    /// The pushes that came before the reply to the last command, and not before the one before.
    pub fn takes_pushes(&mut self) -> Vec<Value> {
        self.pushes.drain(..).collect()
    }

    /// Cuts the connection without a word.
    pub fn cut(self) {
        drop(self);
    }

    /// The next thing that comes; nothing coming is a failure of the test.
    pub fn hears(&mut self) -> Heard {
        self.hears_within(patience()).expect("something comes from the server")
    }

    /// The next thing that comes within `limit`.
    pub fn hears_within(&mut self, limit: Duration) -> Option<Heard> {
        if let Some(push) = self.pushes.pop_front() {
            return Some(Heard::Line(push));
        }
        self.reads(Instant::now() + limit)
    }

    /// The next text frame as it came, for lines that are too deep to be read into a value.
    pub fn frame(&mut self) -> String {
        self.socket.get_ref().set_read_timeout(Some(patience())).expect("patience is not zero");
        match self.socket.read() {
            Ok(Message::Text(text)) => text.to_string(),
            other => panic!("a text frame was expected, and this came: {other:?}"),
        }
    }

    /// The next reply or push.
    pub fn line(&mut self) -> Value {
        match self.hears() {
            Heard::Line(line) => line,
            other => panic!("a line was expected, and this came: {other:?}"),
        }
    }

    /// The code and the reason with which the server closes.
    pub fn closed(&mut self) -> (u16, String) {
        match self.hears() {
            Heard::Close(code, reason) => (code, reason),
            other => panic!("a close was expected, and this came: {other:?}"),
        }
    }

    /// Connects with a token and hands back the result.
    pub fn connect(&mut self, token: &str) -> Value {
        let reply = self.call(json!({"connect": {"token": token}}));
        let connect = reply.get("connect").unwrap_or_else(|| panic!("connect: {reply}")).clone();
        connect["client"].as_str().expect("a client id").clone_into(&mut self.id);
        connect
    }

    /// Connects with a token unless the server is in trouble; whether it did.
    pub fn tries_to_connect(&mut self, token: &str) -> bool {
        let Some(reply) = self.try_call(json!({"connect": {"token": token}})) else { return false };
        let Some(connect) = reply.get("connect") else {
            assert_eq!(reply["error"]["code"], 100, "connect: {reply}");
            return false;
        };
        connect["client"].as_str().expect("a client id").clone_into(&mut self.id);
        true
    }

    /// Subscribes to a channel with join and leave pushes asked for.
    pub fn subscribe(&mut self, channel: &str) {
        let reply = self.call(json!({"subscribe": {"channel": channel, "join_leave": true}}));
        assert!(reply.get("subscribe").is_some(), "subscribe to {channel}: {reply}");
    }

    /// Subscribes, and takes the own join that follows.
    pub fn enters(&mut self, channel: &str) {
        self.subscribe(channel);
        let push = self.push();
        assert_eq!(push["join"]["info"]["client"], self.id, "the own join: {push}");
        assert_eq!(push["channel"], channel);
    }

    /// Who is in a channel: client ids and their entries.
    pub fn presence(&mut self, channel: &str) -> Value {
        let reply = self.call(json!({"presence": {"channel": channel}}));
        assert!(reply["presence"]["presence"].is_object(), "presence of {channel}: {reply}");
        reply["presence"]["presence"].clone()
    }

    /// Sends a command with the next id and hands back its reply. Pushes that come before it are
    /// kept for later.
    pub fn call(&mut self, command: Value) -> Value {
        self.calls(vec![command]).remove(0)
    }

    /// Sends several commands in one frame and hands back their replies.
    pub fn calls(&mut self, commands: Vec<Value>) -> Vec<Value> {
        self.try_calls(commands)
            .unwrap_or_else(|(command, end)| panic!("no reply to {command}, but {end:?}"))
    }

    /// As [`Self::call`], for connections that may end; a reply that does not come is a failure.
    pub fn try_call(&mut self, command: Value) -> Option<Value> {
        match self.try_calls(vec![command]) {
            Ok(mut replies) => Some(replies.remove(0)),
            Err((_, Some(Heard::Close(..) | Heard::Gone))) => None,
            Err((command, end)) => panic!("no reply to {command}, but {end:?}"),
        }
    }

    /// Replies to commands, or the first without one and what came instead.
    fn try_calls(
        &mut self,
        mut commands: Vec<Value>,
    ) -> Result<Vec<Value>, (Value, Option<Heard>)> {
        for command in &mut commands {
            self.last_id += 1;
            command["id"] = self.last_id.into();
        }
        let lines: Vec<String> = commands.iter().map(ToString::to_string).collect();
        // Whatever is wrong with the connection, reading says.
        let _ = self.socket.send(Message::text(lines.join("\n")));
        let deadline = Instant::now() + patience();
        let mut replies = Vec::with_capacity(commands.len());
        while replies.len() < commands.len() {
            match self.reads(deadline) {
                Some(Heard::Line(line)) if line["id"] == commands[replies.len()]["id"] => {
                    replies.push(line);
                }
                Some(Heard::Line(push)) => self.pushes.push_back(push),
                end => return Err((commands.swap_remove(replies.len()), end)),
            }
        }
        Ok(replies)
    }

    /// The next push.
    pub fn push(&mut self) -> Value {
        let line = self.line();
        line.get("push").unwrap_or_else(|| panic!("a push was expected: {line}")).clone()
    }

    /// The pushes up to the publication whose data is `marker`. A test that publishes it through
    /// the channel the pushes come by knows that nothing else had come before it.
    pub fn pushes_until(&mut self, marker: &str) -> Vec<Value> {
        let mut pushes = Vec::new();
        loop {
            let push = self.push();
            if push["pub"]["data"] == marker {
                return pushes;
            }
            pushes.push(push);
        }
    }

    /// The next thing from the socket, by `deadline`.
    fn reads(&mut self, deadline: Instant) -> Option<Heard> {
        loop {
            while let Some(heard) = self.ahead.pop_front() {
                if self.pongs && heard == Heard::Line(json!({})) {
                    // A server that is gone needs none, and the next read says so.
                    let _ = self.socket.send(Message::text("{}"));
                    continue;
                }
                return Some(heard);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.socket.get_ref().set_read_timeout(Some(left)).expect("the timeout is not zero");
            self.takes_frame();
        }
    }

    /// Reads one frame into `ahead`, or nothing when the time is up.
    fn takes_frame(&mut self) {
        match self.socket.read() {
            Ok(Message::Text(text)) => {
                let lines = text.lines().map(|line| {
                    serde_json::from_str(line)
                        .unwrap_or_else(|error| panic!("a line is not JSON ({error}): {line:?}"))
                });
                self.ahead.extend(lines.map(Heard::Line));
            }
            Ok(Message::Close(Some(close))) => {
                self.ahead.push_back(Heard::Close(close.code.into(), close.reason.to_string()));
            }
            Ok(Message::Close(None)) => self.ahead.push_back(Heard::Gone),
            Ok(Message::Ping(_) | Message::Pong(_)) => {}
            Ok(other) => panic!("an unexpected frame: {other:?}"),
            Err(tungstenite::Error::Io(error)) if is_timeout(&error) => {}
            Err(_) => self.ahead.push_back(Heard::Gone),
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    // A process that was stopped and goes on is interrupted.
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}
