//! HTTP and WebSocket: the only place that names axum.

mod admission;
mod api_http;
mod fair;
mod handshake;
mod health;
mod listen;
mod origin;
mod progress;
mod rate;
mod seats;
mod server;
mod socket;
mod stream;
mod websocket;

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::Api;
use crate::log_limit::LogLimit;
use crate::session::Context;

pub use admission::Admission;
pub use server::Server;

/// Lines of a kind a minute.
const LINES: u32 = 10;

/// What the handlers work with.
#[derive(Debug, Clone)]
pub struct State {
    pub context: Arc<Context>,
    pub api: Arc<Api>,
    /// Cancelled when the server stops: sessions say goodbye.
    pub stop: CancellationToken,
    /// Every session, so that a stop can wait for them.
    pub sessions: TaskTracker,
    /// Which connections are let in.
    pub admission: Arc<Admission>,
    /// Limits of what is logged about requests.
    pub logs: Arc<Logs>,
}

/// A limit for each kind of line that a request can cause.
#[derive(Debug)]
pub struct Logs {
    origins: LogLimit,
    handshakes: LogLimit,
    /// Calls that cannot be read.
    malformed: LogLimit,
    /// Calls where no key is configured.
    keyless: LogLimit,
}

/// Who a request comes from; put into each by the server.
#[derive(Debug, Clone, Copy)]
struct Peer(SocketAddr);

/// What one port serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// Everything, when there is no internal port.
    Both,
    /// What clients use.
    External,
    /// What backends and operators use.
    Internal,
}

// === impl Logs ===

impl Default for Logs {
    fn default() -> Self {
        let [origins, handshakes, malformed] = std::array::from_fn(|_| LogLimit::a_minute(LINES));
        Self { origins, handshakes, malformed, keyless: LogLimit::a_minute(1) }
    }
}

/// The routes of one port.
pub fn router(state: State, port: Port) -> Router {
    let config = &state.context.config;
    let mut router = Router::new();
    if port != Port::Internal && !config.websocket.disabled {
        let path = trimmed(&config.websocket.handler_prefix);
        router = router.route(&path, any(websocket::handle));
    }
    let api_here = match port {
        Port::Both => true,
        Port::External => config.http_api.external,
        Port::Internal => !config.http_api.external,
    };
    if api_here && !config.http_api.disabled {
        router = api_http::routes(router, &config.http_api.handler_prefix);
    }
    if port != Port::External {
        router = health::routes(router, config, port);
    }
    router.fallback(not_found).with_state(state)
}

/// A configured prefix as a route: one leading slash, none at the end.
fn trimmed(prefix: &str) -> String {
    format!("/{}", prefix.trim_matches('/'))
}

async fn not_found() -> Response {
    plain(StatusCode::NOT_FOUND, "404 page not found\n")
}

/// A plain text answer, as Go servers give it and clients of the original know it.
fn plain(status: StatusCode, text: impl Into<Cow<'static, str>>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, text.into()).into_response()
}
