//! `/health` and `/ready`: whether the process lives, and whether it can serve.

use axum::Router;
use axum::extract;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

use super::{State, trimmed};
use crate::config::Config;
use crate::protocol::write;
use crate::store::Readiness;

pub(super) fn routes(router: Router<State>, config: &Config) -> Router<State> {
    if !config.health.enabled {
        return router;
    }
    router.route("/ready", any(ready)).route(&trimmed(&config.health.handler_prefix), any(health))
}

/// Always 200: the process lives.
async fn health() -> Response {
    json(StatusCode::OK, b"{}".to_vec())
}

/// 200 while some Redis master can be used; else 503. Whatever is away is named either way.
async fn ready(extract::State(state): extract::State<State>) -> Response {
    let Readiness { ready, trouble } = state.context.store.readiness();
    let mut body = Vec::new();
    write::object(&mut body, |body| {
        if !trouble.is_empty() {
            body.string("redis", &trouble);
        }
    });
    json(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, body)
}

fn json(status: StatusCode, body: Vec<u8>) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
