//! The WebSocket handshake: whether a request asks for one, and the answer.
//!
//! Header fields are read as RFC 9110 has them, lists over several lines and in any case: proxies
//! write `Connection: keep-alive, Upgrade` and `Upgrade: websocket, h2c`.

use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Version, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The one version of the protocol.
pub(super) const VERSION: &str = "13";
/// Bytes of a key.
const KEY: usize = 16;

/// Why a request is no handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// A page in a browser, a health check, a person with curl.
    #[error("the request asks for no WebSocket")]
    NotAsked,
    #[error("a WebSocket needs HTTP/1.1, and the request came as {0:?}")]
    Http(Version),
    #[error("the request has WebSocket headers, but no \"Upgrade: websocket\"")]
    NoUpgrade,
    #[error("the request has WebSocket headers, but no \"Connection: Upgrade\"")]
    NoConnection,
    #[error("sec-websocket-version: expected 13")]
    Version,
    #[error("sec-websocket-key: expected 16 bytes in base64")]
    Key,
    /// It would have to be read before the connection can change its protocol.
    #[error("the request has a body")]
    Body,
}

// === impl Refused ===

impl Refused {
    /// Whether a proxy in front has taken away what a client sent: each of them is for one hop only,
    /// and a proxy passes it on when it is told to.
    pub(super) fn is_by_proxy(self) -> bool {
        matches!(self, Self::Http(_) | Self::NoUpgrade | Self::NoConnection)
    }
}

/// The answer to a handshake, which names `protocol` as the one that is spoken.
pub(super) fn answer(
    request: &Request<Body>,
    protocol: Option<&'static str>,
) -> Result<Response, Refused> {
    let key = check(request)?;
    let accept = HeaderValue::from_str(&derive_accept_key(key)).map_err(|_| Refused::Key)?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(protocol) = protocol {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
    }
    Ok(response)
}

/// The items of a list that may be spread over several lines.
pub(super) fn items(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',').map(str::trim)).filter(|item| !item.is_empty())
}

/// The key of a request that asks for a WebSocket in the right way.
fn check(request: &Request<Body>) -> Result<&[u8], Refused> {
    let headers = request.headers();
    let has = |name, word: &str| items(headers, name).any(|item| item.eq_ignore_ascii_case(word));
    let upgrade = has(header::UPGRADE, "websocket");
    let ours = headers.contains_key(header::SEC_WEBSOCKET_KEY)
        || headers.contains_key(header::SEC_WEBSOCKET_VERSION);
    if !upgrade && !ours {
        return Err(Refused::NotAsked);
    }
    if request.version() < Version::HTTP_11 {
        return Err(Refused::Http(request.version()));
    }
    if !upgrade {
        return Err(Refused::NoUpgrade);
    }
    if !has(header::CONNECTION, "upgrade") {
        return Err(Refused::NoConnection);
    }
    if !items(headers, header::SEC_WEBSOCKET_VERSION).eq([VERSION]) {
        return Err(Refused::Version);
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).ok_or(Refused::Key)?.as_bytes();
    let long_enough = STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == KEY);
    if !long_enough {
        return Err(Refused::Key);
    }
    if request.body().is_end_stream() { Ok(key) } else { Err(Refused::Body) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The handshake of RFC 6455 §1.2, with these lines instead of its own of those names.
    fn asked(changes: &[(&'static str, &str)]) -> Result<String, Refused> {
        let own = [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let mut request = Request::new(Body::empty());
        let kept = own.iter().filter(|(name, _)| changes.iter().all(|(other, _)| name != other));
        for (name, value) in kept.chain(changes).filter(|(_, value)| !value.is_empty()) {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        let answer = answer(&request, None)?;
        Ok(answer.headers()[header::SEC_WEBSOCKET_ACCEPT].to_str().unwrap().to_owned())
    }

    #[test]
    fn lists_are_read_in_any_case_and_over_several_lines() {
        let accepted = Ok("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned());
        for changes in [
            &[][..],
            &[("connection", "keep-alive, Upgrade")],
            &[("connection", "keep-alive"), ("connection", "UPGRADE")],
            &[("connection", "close,upgrade ,")],
            &[("upgrade", "websocket, h2c")],
            &[("upgrade", "h2c"), ("upgrade", "WebSocket")],
        ] {
            assert_eq!(asked(changes), accepted, "{changes:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (changes, refused) in [
            (&[("connection", "")][..], Refused::NoConnection),
            (&[("connection", "keep-alive")], Refused::NoConnection),
            (&[("connection", "upgraded")], Refused::NoConnection),
            (&[("upgrade", "")], Refused::NoUpgrade),
            (&[("upgrade", "h2c")], Refused::NoUpgrade),
            (&[("upgrade", "websockets")], Refused::NoUpgrade),
            (&[("upgrade", ""), ("sec-websocket-key", "")], Refused::NoUpgrade),
            (
                &[("upgrade", ""), ("sec-websocket-key", ""), ("sec-websocket-version", "")],
                Refused::NotAsked,
            ),
            (&[("sec-websocket-version", "")], Refused::Version),
            (&[("sec-websocket-version", "8")], Refused::Version),
            (&[("sec-websocket-version", "13, 8")], Refused::Version),
            (&[("sec-websocket-key", "")], Refused::Key),
            (&[("sec-websocket-key", "c2hvcnQ=")], Refused::Key),
            (&[("sec-websocket-key", "not base64")], Refused::Key),
        ] {
            assert_eq!(asked(changes), Err(refused), "{changes:?}");
        }
    }

    #[test]
    fn a_handshake_has_no_body() {
        let mut request = Request::new(Body::from("text"));
        for (name, value) in [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ] {
            request.headers_mut().append(name, HeaderValue::from_static(value));
        }
        assert_eq!(check(&request), Err(Refused::Body));
    }

    #[test]
    fn http_1_0_has_no_websockets() {
        let mut request = Request::new(Body::empty());
        *request.version_mut() = Version::HTTP_10;
        request.headers_mut().insert("sec-websocket-version", HeaderValue::from_static("13"));
        assert_eq!(check(&request), Err(Refused::Http(Version::HTTP_10)));
    }
}
