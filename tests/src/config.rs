//! Configurations for servers under test.

use serde_json::{Value, json};

use crate::token::SECRET;

/// The key of the server API in [`base`].
pub const API_KEY: &str = "key-of-these-tests";

/// What most tests want: namespaces that differ in one permission or feature each.
pub fn base() -> Value {
    json!({
        "http_api": {"key": API_KEY},
        "client": {"token": {"hmac_secret_key": SECRET}, "allowed_origins": ["https://example.com"]},
        "channel": {
            "without_namespace": open(),
            "namespaces": [
                over(open(), json!({"name": "public", "force_push_join_leave": true})),
                over(open(), json!({"name": "quiet", "join_leave": false})),
                over(open(), json!({"name": "nopresence", "presence": false})),
                over(open(), json!({"name": "deny", "allow_subscribe_for_client": false,
                    "allow_presence_for_subscriber": false, "allow_publish_for_subscriber": false})),
                over(open(), json!({"name": "lobby", "allow_presence_for_client": true})),
                over(open(), json!({"name": "anyone", "allow_subscribe_for_anonymous": true,
                    "allow_presence_for_anonymous": true, "allow_publish_for_anonymous": true})),
                over(open(), json!({"name": "digits", "channel_regex": "^[0-9]+$"})),
                over(open(), json!({"name": "dm", "allow_subscribe_for_client": false,
                    "allow_user_limited_channels": true})),
            ],
        },
        "user_status": {"enabled": true},
    })
}

/// [`base`] with `changes` over it.
pub fn with(changes: Value) -> Value {
    over(base(), changes)
}

/// The options of a channel in which any named user may do everything but ask from outside.
fn open() -> Value {
    json!({
        "presence": true, "join_leave": true, "allow_subscribe_for_client": true,
        "allow_presence_for_subscriber": true, "allow_publish_for_subscriber": true,
    })
}

/// `changes` laid over `value`: objects member by member, anything else whole.
pub fn over(mut value: Value, changes: Value) -> Value {
    match (&mut value, changes) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, change) in from {
                let old = into.remove(&key).unwrap_or(Value::Null);
                into.insert(key, over(old, change));
            }
            value
        }
        (_, changes) => changes,
    }
}
