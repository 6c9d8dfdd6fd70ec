//! `/connection/websocket`: the bidirectional transport.

use std::borrow::Cow;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{self, FromRequestParts, Request};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::{State, origin, plain};
use crate::protocol::Disconnect;
use crate::session::{self, Transport};

/// Bytes read at once: what stays with every idle connection.
const READ_BUFFER: usize = 4 * 1024;
/// How long the client's half of a close is waited for.
const CLOSING: Duration = Duration::from_secs(5);
/// The close code for a frame over the limit.
const TOO_BIG: u16 = 1009;
/// The subprotocols we speak.
const JSON: &str = "centrifuge-json";
/// And the one we do not.
const PROTOBUF: &str = "centrifuge-protobuf";

/// Upgrades a request to a session.
pub(super) async fn handle(
    extract::State(state): extract::State<State>,
    request: Request,
) -> Response {
    if request.method() != Method::GET {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let config = &state.context.config;
    let from = request.headers().get(header::ORIGIN).map(|value| value.to_str().unwrap_or("?"));
    if !origin::allowed(&config.client.allowed_origins, from) {
        tracing::info!(origin = from, "a page is refused: see client.allowed_origins");
        return plain(StatusCode::FORBIDDEN, "Forbidden\n");
    }
    if wants_protobuf(request.uri().query(), request.headers()) {
        return plain(StatusCode::BAD_REQUEST, "protobuf is not supported: connect with JSON\n");
    }
    let limit = config.websocket.message_size_limit;
    let (mut parts, _) = request.into_parts();
    let Ok(upgrade) = WebSocketUpgrade::from_request_parts(&mut parts, &state).await else {
        return plain(StatusCode::BAD_REQUEST, "Bad Request\n");
    };
    let most = config.client.connection_limit;
    if (most > 0 && state.sessions.len() >= most) || !state.rate.allows() {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable\n");
    }
    let (context, stop, sessions) = (state.context, state.stop, state.sessions);
    let write_timeout = context.config.websocket.write_timeout;
    upgrade
        .protocols([JSON])
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_message_size(limit)
        .max_frame_size(limit)
        .on_failed_upgrade(|error| tracing::debug!(%error, "an upgrade failed"))
        .on_upgrade(move |socket| {
            let socket = Socket { inner: socket, write_timeout, too_big: false };
            // Tracked, so that a stop waits for the clean-up of every session.
            let session = sessions.spawn(session::run(context, socket, stop));
            async move {
                if let Err(error) = session.await {
                    tracing::error!(%error, "a session failed");
                }
            }
        })
}

/// By the query, or by offering that subprotocol before any other of ours.
fn wants_protobuf(query: Option<&str>, headers: &HeaderMap) -> bool {
    let offers = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let mut offers = offers.filter_map(|value| value.to_str().ok()).flat_map(|value| {
        value.split(',').map(str::trim).filter(|offer| offer.starts_with("centrifuge-"))
    });
    if offers.next().is_some_and(|first| first == PROTOBUF) {
        return true;
    }
    query
        .unwrap_or_default()
        .split('&')
        .any(|pair| matches!(pair, "cf_protocol=protobuf" | "format=protobuf"))
}

/// A WebSocket that carries a session.
struct Socket {
    inner: WebSocket,
    write_timeout: Duration,
    /// The client sent a frame over the limit.
    too_big: bool,
}

// === impl Socket ===

impl Transport for Socket {
    async fn recv(&mut self) -> Option<Bytes> {
        loop {
            match self.inner.recv().await? {
                // The opcode does not matter: the handshake decided on the encoding.
                Ok(Message::Text(text)) => return Some(text.into()),
                Ok(Message::Binary(bytes)) => return Some(bytes),
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Ok(Message::Close(_)) => return None,
                Err(error) => {
                    self.too_big = is_too_big(&error);
                    return None;
                }
            }
        }
    }

    async fn send(&mut self, messages: Vec<Bytes>) -> bool {
        let Ok(text) = Utf8Bytes::try_from(joined(&messages)) else { return false };
        let sent = tokio::time::timeout(self.write_timeout, self.inner.send(Message::Text(text)));
        matches!(sent.await, Ok(Ok(())))
    }

    async fn close(mut self, disconnect: Option<Disconnect>) {
        let said = match disconnect {
            Some(disconnect) => self.say_close(disconnect.code, disconnect.reason).await,
            None if self.too_big => self.say_close(TOO_BIG, "").await,
            None => false,
        };
        if !said {
            return;
        }
        let gone = async { while let Some(Ok(_)) = self.inner.recv().await {} };
        // A client that does not answer is left to the system.
        let _answered = tokio::time::timeout(CLOSING, gone).await;
    }
}

impl Socket {
    async fn say_close(&mut self, code: u16, reason: &'static str) -> bool {
        let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
        let sent = self.inner.send(Message::Close(Some(frame)));
        matches!(tokio::time::timeout(self.write_timeout, sent).await, Ok(Ok(())))
    }
}

/// Messages of one frame, separated by line breaks.
fn joined(messages: &[Bytes]) -> Bytes {
    match messages {
        [one] => one.clone(),
        many => many.join(&b'\n').into(),
    }
}

/// Whether the client's message was over the limit; axum hides the kind of the error.
fn is_too_big(error: &axum::Error) -> bool {
    let text: Cow<'_, str> = error.to_string().into();
    text.contains("too long") || text.contains("too big")
}
