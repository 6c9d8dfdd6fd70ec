//! `/health` and `/ready`: whether the process lives, and whether it can serve.

use axum::Router;
use axum::extract;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

use super::{State, trimmed};
use crate::config::Config;
use crate::protocol::write;
use crate::store::Health;

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

/// 200 while the lease is held; else 503 with the reason.
async fn ready(extract::State(state): extract::State<State>) -> Response {
    let health = state.context.store.health().borrow().clone();
    let Health::Down(why) = health else { return json(StatusCode::OK, b"{}".to_vec()) };
    let mut body = Vec::new();
    write::object(&mut body, |body| body.string("redis", &why));
    json(StatusCode::SERVICE_UNAVAILABLE, body)
}

fn json(status: StatusCode, body: Vec<u8>) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
