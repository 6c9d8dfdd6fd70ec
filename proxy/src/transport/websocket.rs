//! `/connection/websocket`: the bidirectional transport.

use axum::extract::{self, Request};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::{OnUpgrade, Upgraded};

use super::admission::Admitted;
use super::handshake::{self, Refused};
use super::socket::Socket;
use super::{State, origin, plain};
use crate::log_limit::Clipped;
use crate::session;

/// The subprotocols we speak.
const JSON: &str = "centrifuge-json";
/// And the one we do not.
const PROTOBUF: &str = "centrifuge-protobuf";
/// What nginx needs to hand a WebSocket on; other proxies have the like.
const NGINX: &str = "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; \
    proxy_set_header Connection \"upgrade\";";

/// Upgrades a request to a session.
pub(super) async fn handle(
    extract::State(state): extract::State<State>,
    request: Request,
) -> Response {
    if request.method() != Method::GET {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let config = &state.context.config;
    let from = request.headers().get(header::ORIGIN).map(HeaderValue::as_bytes);
    if !origin::allowed(&config.client.allowed_origins, from) {
        state.logs.origins.say(|left_out| {
            let origin = from.map(Clipped::new).map(tracing::field::display);
            tracing::info!(origin, left_out, "a page is refused: see client.allowed_origins");
        });
        return plain(StatusCode::FORBIDDEN, "Forbidden\n");
    }
    if wants_protobuf(request.uri().query(), request.headers()) {
        return plain(StatusCode::BAD_REQUEST, "protobuf is not supported: connect with JSON\n");
    }
    let offers = handshake::items(request.headers(), header::SEC_WEBSOCKET_PROTOCOL);
    let protocol = offers.into_iter().find(|offer| *offer == JSON).map(|_| JSON);
    match handshake::answer(&request, protocol) {
        Ok(answer) => upgrade(state, request, answer),
        Err(refused) => refuse(&state, refused),
    }
}

/// Lets the session begin as soon as the answer to its handshake is written.
fn upgrade(state: State, mut request: Request, answer: Response) -> Response {
    let Some(upgraded) = request.extensions_mut().remove::<OnUpgrade>() else {
        return plain(StatusCode::BAD_REQUEST, "Bad Request\n");
    };
    let Some(admitted) = state.admission.admit() else {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable\n");
    };
    // Tracked, so that a stop waits for the clean-up of every session.
    state.sessions.clone().spawn(async move {
        // The answer may wait behind others that the client does not read.
        let patience = state.context.config.client.stale_close_delay;
        let upgraded = tokio::select! {
            upgraded = tokio::time::timeout(patience, upgraded) => upgraded,
            () = state.stop.cancelled() => return,
        };
        match upgraded {
            Ok(Ok(stream)) => serve(state, stream, admitted).await,
            Ok(Err(error)) => tracing::debug!(%error, "an upgrade failed"),
            Err(_) => tracing::debug!("an upgrade was not completed in time"),
        }
    });
    answer
}

/// Serves one connection, which is counted until all of it is cleaned up.
async fn serve(state: State, stream: Upgraded, _admitted: Admitted) {
    let options = &state.context.config.websocket;
    let socket = Socket::new(stream, options.message_size_limit, options.write_timeout).await;
    session::run(state.context, socket, state.stop).await;
}

/// Says what is wrong with a request that is no handshake.
fn refuse(state: &State, refused: Refused) -> Response {
    state.logs.handshakes.say(|left_out| {
        if refused.is_by_proxy() {
            tracing::warn!(
                reason = %refused,
                nginx = NGINX,
                left_out,
                "a WebSocket was refused: the proxy in front does not hand it on whole"
            );
        } else {
            tracing::info!(reason = %refused, left_out, "a WebSocket was refused");
        }
    });
    let mut answer = plain(StatusCode::BAD_REQUEST, "Bad Request\n");
    if refused == Refused::Version {
        // RFC 6455 §4.4: says which version would do.
        let version = HeaderValue::from_static(handshake::VERSION);
        answer.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, version);
    }
    answer
}

/// By the query, or by offering that subprotocol before any other of ours.
fn wants_protobuf(query: Option<&str>, headers: &HeaderMap) -> bool {
    let mut offers = handshake::items(headers, header::SEC_WEBSOCKET_PROTOCOL);
    let first = offers.find(|offer| [JSON, PROTOBUF].contains(offer));
    if first == Some(PROTOBUF) {
        return true;
    }
    query
        .unwrap_or_default()
        .split('&')
        .any(|pair| matches!(pair, "cf_protocol=protobuf" | "format=protobuf"))
}
