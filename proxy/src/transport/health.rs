//! `/health` and `/ready`: whether the process lives, and whether it can serve.

use std::net::IpAddr;

use axum::Router;
use axum::extract::{self, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

use super::{Peer, Port, State, trimmed};
use crate::config::Config;
use crate::protocol::write;
use crate::store::Readiness;

/// What proxies add to a request of somebody else.
const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

pub(super) fn routes(router: Router<State>, config: &Config, port: Port) -> Router<State> {
    if !config.health.enabled {
        return router;
    }
    let ready = move |state, request| async move { ready(state, request, port) };
    router
        .route(&config.health.ready(), any(ready))
        .route(&trimmed(&config.health.handler_prefix), any(health))
}

/// Always 200: the process lives.
async fn health() -> Response {
    json(StatusCode::OK, b"{}".to_vec())
}

/// 200 while some Redis master can be used; else 503. What is wrong is named either way, to those who
/// may know: it has addresses, and the words of Redis.
fn ready(extract::State(state): extract::State<State>, request: Request, port: Port) -> Response {
    let Readiness { ready, trouble } = state.context.store.readiness();
    let peer = request.extensions().get::<Peer>().map(|Peer(peer)| peer.ip());
    let told = port == Port::Internal || is_local(peer, request.headers());
    let mut body = Vec::new();
    write::object(&mut body, |body| {
        if told && !trouble.is_empty() {
            body.string("redis", &trouble);
        }
    });
    json(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, body)
}

/// Whether a request is from this machine, and not from a proxy there that passes it on.
fn is_local(peer: Option<IpAddr>, headers: &HeaderMap) -> bool {
    peer.is_some_and(|peer| peer.to_canonical().is_loopback())
        && !FORWARDED.iter().any(|name| headers.contains_key(*name))
}

fn json(status: StatusCode, body: Vec<u8>) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_local() {
        let none = HeaderMap::new();
        let local = |peer: &str, headers: &HeaderMap| is_local(peer.parse().ok(), headers);
        for peer in ["127.0.0.1", "127.8.0.1", "::1", "::ffff:127.0.0.1"] {
            assert!(local(peer, &none), "{peer}");
        }
        for peer in ["10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1", "nobody"] {
            assert!(!local(peer, &none), "{peer}");
        }
        for name in FORWARDED {
            let mut headers = HeaderMap::new();
            headers.insert(name, "10.0.0.1".parse().unwrap());
            assert!(!local("127.0.0.1", &headers), "{name}");
        }
    }
}
