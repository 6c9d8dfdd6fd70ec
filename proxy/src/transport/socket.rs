//! A WebSocket that carries a session, with nothing queued beyond what is being written.
//!
//! tungstenite answers pings while it reads, and keeps what cannot be written; so after each ping
//! nothing more is read until its pong is on its way, and a client that lets it wait is gone. What is
//! written never adds up either: a message goes out in pieces, each of them flushed before the next.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame, Utf8Bytes};
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig};

use super::fair::Fair;
use crate::protocol::Disconnect;
use crate::session::Transport;

/// Bytes read at once: what stays with every idle connection.
const READ_BUFFER: usize = 4 * 1024;
/// Longest piece of a message, and about what a connection keeps for writing.
const PIECE: usize = 16 * 1024;
/// What may be in the write buffer: a piece, a pong, a close, and their headers. More is a mistake
/// of ours, and ends the connection.
const WRITE_BUFFER: usize = PIECE + 1024;
/// How long the client's half of a close is waited for.
const CLOSING: Duration = Duration::from_secs(5);
/// The same when the server stops, which waits for it.
const CLOSING_AT_STOP: Duration = Duration::from_secs(1);

/// A WebSocket that carries a session.
#[derive(Debug)]
pub(super) struct Socket {
    inner: WebSocketStream<Fair<TokioIo<Upgraded>>>,
    write_timeout: Duration,
    /// A ping was read: by when its pong must be written. Nothing is read until it is.
    pong_by: Option<Instant>,
    /// What was wrong with what the client sent.
    fault: Option<CloseCode>,
}

// === impl Socket ===

impl Socket {
    /// Takes over a connection after its handshake; a message may have `limit` bytes.
    pub(super) async fn new(stream: Upgraded, limit: usize, write_timeout: Duration) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_write_buffer_size(WRITE_BUFFER)
            .max_message_size(Some(limit))
            .max_frame_size(Some(limit));
        let stream = Fair::new(TokioIo::new(stream));
        let inner = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
        Self { inner, write_timeout, pong_by: None, fault: None }
    }

    /// Writes a message in pieces.
    async fn write(&mut self, mut message: Bytes) -> Result<(), Error> {
        let mut opcode = OpCode::Data(Data::Text);
        loop {
            let piece = message.split_to(message.len().min(PIECE));
            let last = message.is_empty();
            self.inner.send(Message::Frame(Frame::message(piece, opcode, last))).await?;
            if last {
                return Ok(());
            }
            opcode = OpCode::Data(Data::Continue);
        }
    }

    /// Writes what a ping or a close has left to be written, by `deadline`.
    async fn flush(&mut self, deadline: Instant) -> bool {
        matches!(timeout_at(deadline, self.inner.flush()).await, Ok(Ok(())))
    }

    async fn say_close(&mut self, code: CloseCode, reason: &'static str) -> bool {
        let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
        let sent = self.inner.send(Message::Close(Some(frame)));
        matches!(timeout(self.write_timeout, sent).await, Ok(Ok(())))
    }

    /// Waits until the client has closed its half. Closing with bytes unread would reset the
    /// connection, and the client might never see why.
    async fn linger(&mut self) {
        if self.fault.is_none() {
            while let Some(Ok(_)) = self.inner.next().await {}
            return;
        }
        // What follows a fault means nothing.
        let stream = self.inner.get_mut();
        // Not in the future, which every session would then be larger by.
        let mut rest = vec![0; READ_BUFFER];
        if stream.shutdown().await.is_ok() {
            while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
        }
    }
}

impl Transport for Socket {
    async fn recv(&mut self) -> Option<Bytes> {
        loop {
            if let Some(deadline) = self.pong_by {
                if !self.flush(deadline).await {
                    return None;
                }
                self.pong_by = None;
            }
            match self.inner.next().await? {
                // The opcode does not matter: the handshake decided on the encoding.
                Ok(Message::Text(text)) => return Some(text.into()),
                Ok(Message::Binary(bytes)) => return Some(bytes),
                Ok(Message::Ping(_)) => self.pong_by = Some(Instant::now() + self.write_timeout),
                Ok(Message::Pong(_) | Message::Frame(_)) => {}
                Ok(Message::Close(_)) => {
                    // The client's close is answered with its own code.
                    self.flush(Instant::now() + self.write_timeout).await;
                    return None;
                }
                Err(error) => {
                    self.fault = fault(&error);
                    return None;
                }
            }
        }
    }

    async fn send(&mut self, messages: Vec<Bytes>) -> bool {
        let message = joined(&messages);
        if std::str::from_utf8(&message).is_err() {
            return false;
        }
        let written = timeout(self.write_timeout, self.write(message)).await;
        matches!(written, Ok(Ok(())))
    }

    async fn close(mut self, disconnect: Option<Disconnect>) {
        let said = match (disconnect, self.fault) {
            (Some(disconnect), _) => {
                self.say_close(disconnect.code.into(), disconnect.reason).await
            }
            (None, Some(code)) => self.say_close(code, "").await,
            (None, None) => false,
        };
        if said {
            // A client that does not answer is left to the system.
            let stops = disconnect == Some(Disconnect::SHUTDOWN);
            let limit = if stops { CLOSING_AT_STOP } else { CLOSING };
            let _answered = timeout(limit, self.linger()).await;
        }
    }
}

/// The close code for a fault of the client (RFC 6455 §7.4.1); `None` when it is gone.
fn fault(error: &Error) -> Option<CloseCode> {
    match error {
        Error::Capacity(_) => Some(CloseCode::Size),
        Error::Utf8(_) => Some(CloseCode::Invalid),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        Error::Protocol(_) => Some(CloseCode::Protocol),
        _ => None,
    }
}

/// Messages of one frame, separated by line breaks.
fn joined(messages: &[Bytes]) -> Bytes {
    match messages {
        [one] => one.clone(),
        many => many.join(&b'\n').into(),
    }
}
