//! Replies and pushes as JSON, one line each.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use rollcall_wire::push_string;

use super::codes::{ClientError, Unsubscribe};
use super::{Json, Payload};

/// A ping: an empty reply.
pub const PING: Bytes = Bytes::from_static(b"{}");

/// `{"id":…,"<word>":{…}}`; `body` writes the members of the result, without braces.
pub fn reply(id: u32, word: &str, body: impl FnOnce(&mut Object<'_>)) -> Bytes {
    let mut out = Vec::with_capacity(64);
    out.extend_from_slice(format!("{{\"id\":{id},\"{word}\":").as_bytes());
    object(&mut out, body);
    out.push(b'}');
    out.into()
}

/// `{"id":…,"error":{…}}`.
pub fn error(id: u32, error: ClientError) -> Bytes {
    let temporary = if error.temporary() { ",\"temporary\":true" } else { "" };
    let (code, message) = (error.code(), error.message());
    format!("{{\"id\":{id},\"error\":{{\"code\":{code},\"message\":\"{message}\"{temporary}}}}}")
        .into()
}

/// `{"push":{"channel":…,"<word>":{…}}}`.
pub fn push(channel: &str, word: &str, body: impl FnOnce(&mut Object<'_>)) -> Bytes {
    let mut out = Vec::with_capacity(128);
    out.extend_from_slice(b"{\"push\":{\"channel\":");
    push_string(&mut out, channel);
    out.extend_from_slice(format!(",\"{word}\":").as_bytes());
    object(&mut out, body);
    out.extend_from_slice(b"}}");
    out.into()
}

/// A join or leave; `info` is a `ClientInfo` object.
pub fn push_member(channel: &str, word: &str, info: &Json) -> Bytes {
    push(channel, word, |body| body.json("info", info))
}

/// The server ended a subscription.
pub fn push_unsubscribe(channel: &str, why: Unsubscribe) -> Bytes {
    push(channel, "unsubscribe", |body| {
        body.number("code", u64::from(why.code));
        body.string("reason", why.reason);
    })
}

/// Writes one object, braces included.
pub fn object(out: &mut Vec<u8>, body: impl FnOnce(&mut Object<'_>)) {
    out.push(b'{');
    let mut object = Object { out, empty: true };
    body(&mut object);
    out.push(b'}');
}

/// The members of an object being written.
#[derive(Debug)]
pub struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

// === impl Object ===

impl Object<'_> {
    pub fn string(&mut self, name: &str, value: &str) {
        push_string(self.name(name), value);
    }

    pub fn number(&mut self, name: &str, value: u64) {
        let out = self.name(name);
        out.extend_from_slice(value.to_string().as_bytes());
    }

    pub fn flag(&mut self, name: &str, value: bool) {
        self.name(name).extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// A JSON value of anybody's.
    pub fn json(&mut self, name: &str, json: &Json) {
        self.name(name).extend_from_slice(json.as_str().as_bytes());
    }

    /// `data`, or `b64data` when it is not JSON.
    pub fn data(&mut self, data: &Payload) {
        match data {
            Payload::Nothing => {}
            Payload::Json(json) => self.json("data", json),
            Payload::Bytes(bytes) => self.string("b64data", &STANDARD.encode(bytes)),
        }
    }

    /// A JSON value on one line that this server or the module has written.
    pub fn written(&mut self, name: &str, json: &[u8]) {
        self.name(name).extend_from_slice(json);
    }

    pub fn object(&mut self, name: &str, body: impl FnOnce(&mut Object<'_>)) {
        object(self.name(name), body);
    }

    /// A list with an object for each item.
    pub fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut body: impl FnMut(&mut Object<'_>, T),
    ) {
        let out = self.name(name);
        out.push(b'[');
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            object(out, |element| body(element, item));
        }
        out.push(b']');
    }

    fn name(&mut self, name: &str) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.empty) {
            self.out.push(b',');
        }
        push_string(self.out, name);
        self.out.push(b':');
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_hold_an_object_for_each_item() {
        let text = |items: &[u64]| {
            let mut out = Vec::new();
            object(&mut out, |body| {
                body.list("items", items, |body, item| body.number("n", *item));
                body.flag("after", true);
            });
            String::from_utf8(out).unwrap()
        };
        assert_eq!(text(&[]), r#"{"items":[],"after":true}"#);
        assert_eq!(text(&[1, 2]), r#"{"items":[{"n":1},{"n":2}],"after":true}"#);
    }

    #[test]
    fn data_is_json_or_base64() {
        let text = |bytes: &[u8]| {
            let mut out = Vec::new();
            object(&mut out, |body| body.data(&Payload::check(bytes)));
            String::from_utf8(out).unwrap()
        };
        assert_eq!(text(b""), "{}");
        assert_eq!(text(b"{\n}"), r#"{"data":{ }}"#);
        assert_eq!(text(b"}}\n{"), r#"{"b64data":"fX0Kew=="}"#);
    }

    #[test]
    fn replies_and_pushes_read_as_the_protocol_shows_them() {
        let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        let info = Json::check(br#"{"user":"1","client":"c"}"#).unwrap();
        insta::assert_snapshot!(text(reply(4, "presence_stats", |body| {
            body.number("num_clients", 0);
            body.number("num_users", 0);
        })), @r#"{"id":4,"presence_stats":{"num_clients":0,"num_users":0}}"#);
        insta::assert_snapshot!(text(reply(2, "subscribe", |_| ())), @r#"{"id":2,"subscribe":{}}"#);
        insta::assert_snapshot!(text(error(1, ClientError::Internal)), @r#"{"id":1,"error":{"code":100,"message":"internal server error","temporary":true}}"#);
        insta::assert_snapshot!(text(error(1, ClientError::TokenExpired)), @r#"{"id":1,"error":{"code":109,"message":"token expired"}}"#);
        insta::assert_snapshot!(text(push_member("a\"b", "join", &info)), @r#"{"push":{"channel":"a\"b","join":{"info":{"user":"1","client":"c"}}}}"#);
        insta::assert_snapshot!(text(push_unsubscribe("a", Unsubscribe::INSUFFICIENT_STATE)), @r#"{"push":{"channel":"a","unsubscribe":{"code":2500,"reason":"insufficient state"}}}"#);
    }
}
