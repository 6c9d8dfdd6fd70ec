//! The server API over HTTP: `POST /api/<method>`, and the older `POST /api`.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::{self, Request};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use subtle::ConstantTimeEq;

use super::{State, plain, trimmed};
use crate::api::{self, Answer, ApiError};
use crate::config::{ErrorMode, Secret};
use crate::log_limit::Clipped;
use crate::protocol::{Fields, Malformed, write};

/// Largest body of a call.
const BODY: usize = 32 * 1024 * 1024;
/// Most commands in one body of the older form.
const COMMANDS: usize = 100_000;
/// Largest replies to one body of the older form, but for the last, in MiB.
const REPLIES_MIB: usize = 64;
/// How long a body may take.
const READ: Duration = Duration::from_secs(30);
/// The answer to commands whose replies find no room.
const FULL: ApiError = ApiError::TooLarge(REPLIES_MIB);
/// Asks for errors as HTTP statuses.
const ERROR_MODE: &str = "x-centrifugo-error-mode";
const TRANSPORT: &str = "transport";

/// Adds the routes under `prefix`.
pub(super) fn routes(mut router: Router<State>, prefix: &str) -> Router<State> {
    let prefix = trimmed(prefix);
    for method in api::METHODS {
        let path = format!("{}/{method}", prefix.trim_end_matches('/'));
        let handle = move |state, request| handle(state, request, method);
        router = router.route(&path, any(handle));
    }
    router.route(&prefix, any(legacy))
}

async fn handle(
    extract::State(state): extract::State<State>,
    request: Request,
    method: &'static str,
) -> Response {
    let as_status = wants_status(&state, request.headers());
    let body = match body(&state, request).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let params = match Fields::parse(&body) {
        Ok(params) => params,
        Err(malformed) => return malformed_call(&state, method, &malformed),
    };
    match state.api.call(method, &params).await {
        Ok(answer) => respond(answer, as_status),
        Err(malformed) => malformed_call(&state, method, &malformed),
    }
}

/// The older form: objects with `method` and `params`, one after the other.
async fn legacy(extract::State(state): extract::State<State>, request: Request) -> Response {
    let body = match body(&state, request).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    if !Fields::are_at_most(&body, COMMANDS) {
        return too_large(&format!("expected at most {COMMANDS} commands in one body"));
    }
    let mut replies = Vec::new();
    for command in Fields::parse_stream(&body) {
        let is_full = replies.len() > REPLIES_MIB << 20;
        let ran = match command {
            Ok(command) if is_full => command.number("id").map(|id| (id, Err(FULL))),
            command => run(&state, command).await,
        };
        let (id, answer) = match ran {
            Ok(ran) => ran,
            Err(malformed) => return malformed_call(&state, "", &malformed),
        };
        if !replies.is_empty() {
            replies.push(b'\n');
        }
        write::object(&mut replies, |body| {
            if id > 0 {
                body.number("id", u64::from(id));
            }
            match &answer {
                Ok(result) => body.written("result", result),
                Err(error) => error.write(body),
            }
        });
    }
    if replies.is_empty() { bad_request() } else { json(StatusCode::OK, replies) }
}

/// Runs one command of the older form; an error ends the request with 400.
async fn run(
    state: &State,
    command: Result<Fields<'_>, Malformed>,
) -> Result<(u32, Answer), Malformed> {
    let command = command?;
    let id = command.number("id")?;
    let Some(method) = legacy_method(&command)? else { return Ok((id, Err(ApiError::NotFound))) };
    let params = match command.object("params") {
        Ok(Some(params)) => params,
        // What PHP makes of a map without members.
        Err(_) if command.is_empty_list("params") => Fields::default(),
        // The one method without parameters needs none.
        Ok(None) if method == "info" => Fields::default(),
        Ok(None) | Err(_) => return Ok((id, Err(ApiError::BadRequest))),
    };
    let answer = state.api.call(method, &params).await;
    Ok((id, answer.unwrap_or(Err(ApiError::BadRequest))))
}

/// The method's name: a string in any case, or a number, which is 0 when it is missing.
fn legacy_method(command: &Fields<'_>) -> Result<Option<&'static str>, Malformed> {
    if let Ok(number) = command.number("method") {
        return Ok(api::by_number(number));
    }
    let name = command.string("method")?;
    let known = api::METHODS.iter().copied().find(|known| known.eq_ignore_ascii_case(&name));
    known.map(Some).ok_or_else(|| Malformed("method: unknown".to_owned()))
}

/// The checks in their order (method, key, body), then the body as text.
async fn body(state: &State, request: Request) -> Result<String, Response> {
    if request.method() != Method::POST {
        return Err((StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "POST")]).into_response());
    }
    let settings = &state.api.config.http_api;
    let query = request.uri().query();
    if !settings.insecure && !authorized(&settings.key, request.headers(), query) {
        if settings.key.is_empty() {
            state.logs.keyless.say(|left_out| {
                tracing::warn!(left_out, "an api call was refused: http_api.key is not set");
            });
        }
        return Err(StatusCode::UNAUTHORIZED.into_response());
    }
    read(state, request.into_body()).await
}

async fn read(state: &State, body: Body) -> Result<String, Response> {
    let too_long = || too_large(&format!("expected a body of at most {} MiB", BODY >> 20));
    // Before a byte of it is read, where its length is told.
    if body.size_hint().lower() > BODY as u64 {
        return Err(too_long());
    }
    let Ok(read) = tokio::time::timeout(READ, to_bytes(body, BODY)).await else {
        let text = format!("Request Timeout: expected a body within {READ:?}\n");
        return Err(plain(StatusCode::REQUEST_TIMEOUT, text));
    };
    let bytes = match read {
        Ok(bytes) => bytes,
        Err(error) if is_too_large(&error) => return Err(too_long()),
        // The client is gone, or its chunks are none.
        Err(_) => return Err(plain(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error\n")),
    };
    String::from_utf8(bytes.into())
        .map_err(|_| malformed_call(state, "", &Malformed("expected a body in UTF-8".to_owned())))
}

fn too_large(what: &str) -> Response {
    plain(StatusCode::PAYLOAD_TOO_LARGE, format!("Request Entity Too Large: {what}\n"))
}

/// The answer to what cannot be read, whose text is the original's: the log says what was expected.
fn malformed_call(state: &State, method: &str, malformed: &Malformed) -> Response {
    state.logs.malformed.say(|left_out| {
        let error = Clipped::new(&malformed.0);
        tracing::info!(method, %error, left_out, "an api call could not be read");
    });
    bad_request()
}

fn is_too_large(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(|cause| cause.to_string().contains("length limit"))
}

/// Whether a request shows the key. With `X-API-Key` present, `Authorization` is not looked at; the
/// query is the last resort.
fn authorized(key: &Secret, headers: &HeaderMap, query: Option<&str>) -> bool {
    let key = key.expose().as_bytes();
    if key.is_empty() {
        return false;
    }
    let is_key = |shown: &[u8]| bool::from(shown.ct_eq(key));
    let header = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
    let shown = match header("x-api-key").filter(|shown| !shown.is_empty()) {
        Some(shown) => is_key(shown),
        None => header("authorization").and_then(apikey).is_some_and(is_key),
    };
    shown || query.and_then(api_key_of).is_some_and(|shown| is_key(shown.as_bytes()))
}

/// The key of `Authorization: apikey <key>`.
fn apikey(value: &[u8]) -> Option<&[u8]> {
    let mut words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let (scheme, key, rest) = (words.next()?, words.next()?, words.next());
    (scheme.eq_ignore_ascii_case(b"apikey") && rest.is_none()).then_some(key)
}

/// The first `api_key` of a query.
fn api_key_of(query: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("api_key="))?;
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        let hex =
            |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match (byte, tail) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) => {
                bytes.push(hex(*high)? << 4 | hex(*low)?);
                rest = after;
            }
            (b'%', _) => return None,
            _ => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).ok()
}

fn wants_status(state: &State, headers: &HeaderMap) -> bool {
    let asked = headers.get(ERROR_MODE).is_some_and(|mode| mode == TRANSPORT);
    asked || state.api.config.http_api.error_mode == ErrorMode::Transport
}

fn respond(answer: Answer, as_status: bool) -> Response {
    let mut body = Vec::new();
    match answer {
        Ok(result) => {
            write::object(&mut body, |body| body.written("result", &result));
            json(StatusCode::OK, body)
        }
        Err(error) if as_status => {
            write::object(&mut body, |body| error.write_bare(body));
            json(status(error), body)
        }
        Err(error) => {
            write::object(&mut body, |body| error.write(body));
            json(StatusCode::OK, body)
        }
    }
}

fn status(error: ApiError) -> StatusCode {
    match error {
        ApiError::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        ApiError::UnknownChannel | ApiError::NotFound => StatusCode::NOT_FOUND,
        ApiError::BadRequest
        | ApiError::TooMany(_)
        | ApiError::TooLarge(_)
        | ApiError::NotAvailable => StatusCode::BAD_REQUEST,
    }
}

fn bad_request() -> Response {
    plain(StatusCode::BAD_REQUEST, "Bad Request\n")
}

fn json(status: StatusCode, body: Vec<u8>) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(headers: &[(&'static str, &str)], query: Option<&str>) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        authorized(&Secret::new("k"), &map, query)
    }

    #[test]
    fn the_key_is_found_where_the_original_looks() {
        assert!(ok(&[("x-api-key", "k")], None));
        assert!(ok(&[("authorization", "apikey k")], None));
        assert!(ok(&[("authorization", "APIKEY   k")], None));
        assert!(ok(&[], Some("a=b&api_key=%6b")));
        assert!(ok(&[("x-api-key", "wrong")], Some("api_key=k")));
        assert!(!ok(&[("x-api-key", "wrong"), ("authorization", "apikey k")], None));
        assert!(!ok(&[("authorization", "Bearer k")], None));
        assert!(!ok(&[("authorization", "apikey k k")], None));
        assert!(!ok(&[], Some("api_key=%zz")));
        assert!(!ok(&[], None));
        assert!(!authorized(&Secret::new(""), &HeaderMap::new(), Some("api_key=")));
    }
}
