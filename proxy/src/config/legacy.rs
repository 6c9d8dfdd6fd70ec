//! Names that options had in older versions of Centrifugo, turned into those of today.
//!
//! It works on the tree of the file, before anything is read from it. Where an option is given
//! under both names, the one of today counts.

use serde_json::{Map, Value};

use super::{
    ChannelOptions,
    section::{Setting, join},
};

type Object = Map<String, Value>;

/// Flat names and where they are today.
const MOVED: &[(&str, &str)] = &[
    ("address", "http_server.address"),
    ("allow_anonymous_connect_without_token", "client.allow_anonymous_connect_without_token"),
    ("allowed_origins", "client.allowed_origins"),
    ("api_disable", "http_api.disabled"),
    ("client_anonymous", "client.allow_anonymous_connect_without_token"),
    ("disallow_anonymous_connection_tokens", "client.disallow_anonymous_connection_tokens"),
    ("global_history_meta_ttl", "channel.history_meta_ttl"),
    ("global_presence_ttl", "engine.redis.presence_ttl"),
    ("global_redis_presence_user_mapping", "engine.redis.presence_user_mapping"),
    ("internal_address", "http_server.internal_address"),
    ("internal_port", "http_server.internal_port"),
    ("internal_tls", "http_server.internal_tls"),
    ("name", "node.name"),
    ("namespaces", "channel.namespaces"),
    ("node_info_metrics_aggregate_interval", "node.info_metrics_aggregate_interval"),
    ("ping_interval", "client.ping_interval"),
    ("pong_timeout", "client.pong_timeout"),
    ("port", "http_server.port"),
    ("proxy_connect_endpoint", "client.proxy.connect.enabled"),
    ("proxy_refresh_endpoint", "client.proxy.refresh.enabled"),
    ("separate_subscription_token_config", "client.subscription_token.enabled"),
    ("shutdown_timeout", "shutdown.timeout"),
    ("tls", "http_server.tls"),
    ("tls_autocert", "http_server.tls_autocert"),
    (
        "user_personal_channel_namespace",
        "client.subscribe_to_user_personal_channel.personal_channel_namespace",
    ),
    (
        "user_personal_single_connection",
        "client.subscribe_to_user_personal_channel.single_connection",
    ),
    ("user_subscribe_to_personal", "client.subscribe_to_user_personal_channel.enabled"),
    ("websocket_disable", "websocket.disabled"),
];

/// Channel options that had other names.
const CHANNEL_OPTIONS: &[(&str, &str)] = &[
    ("proxy_publish", "publish_proxy_enabled"),
    ("proxy_subscribe", "subscribe_proxy_enabled"),
    ("proxy_subscribe_stream", "subscribe_stream_proxy_enabled"),
];

/// Says that proxies have names, and that naming one is what switches it on.
const GRANULAR: &str = "granular_proxy_mode";

/// What then names proxies of connections, and what that switches on.
const NAMED: &[(&str, &str)] = &[
    ("connect_proxy_name", "client.proxy.connect.enabled"),
    ("refresh_proxy_name", "client.proxy.refresh.enabled"),
];

/// The same for options of channels.
const NAMED_OF_CHANNELS: &[(&str, &str)] = &[
    ("publish_proxy_name", "publish_proxy_enabled"),
    ("subscribe_proxy_name", "subscribe_proxy_enabled"),
    ("subscribe_stream_proxy_name", "subscribe_stream_proxy_enabled"),
];

/// Beginnings of flat names, and the sections that they became.
const SECTIONS: &[(&str, &str)] = &[
    ("admin_", "admin"),
    ("api_", "http_api"),
    ("channel_", "channel"),
    ("client_", "client"),
    ("health_", "health"),
    ("log_", "log"),
    ("prometheus_", "prometheus"),
    ("redis_", REDIS),
    ("subscription_token_", "client.subscription_token"),
    ("token_", "client.token"),
    ("websocket_", "websocket"),
];

const REDIS: &str = "engine.redis";

/// TLS settings of a Redis that had other names; paths and PEM were options of their own.
const TLS: &[(&str, &str)] = &[
    ("cert", "cert_pem"),
    ("client_ca", "client_ca_pem"),
    ("key", "key_pem"),
    ("root_ca", "server_ca_pem"),
    ("root_ca_pem", "server_ca_pem"),
    ("server_ca", "server_ca_pem"),
    ("skip_verify", "insecure_skip_verify"),
];

/// Sections that were switched on by their name alone.
const SWITCHES: &[&str] = &["admin", "debug", "grpc_api", "health", "prometheus", "swagger"];

const OLD_USER_STATUS: &str = "redis_active_status";
/// Old user status was kept for 31 days, and is as long as nobody says otherwise.
const OLD_EXPIRE_INTERVAL: &str = "744h";

/// `tree` with the names of today, in lower case.
pub(crate) fn modern(tree: &Value) -> Value {
    let Value::Object(mut old) = lower_case(tree) else { return tree.clone() };
    let mut moved = Vec::new();
    for name in ["user_status", OLD_USER_STATUS] {
        if let Some(section) = old.remove(name) {
            moved.push(("user_status".to_owned(), user_status(section, name == OLD_USER_STATUS)));
        }
    }
    let options = channel_options();
    let granular = old.remove(GRANULAR).is_some_and(|value| value == true);
    let mut new = Object::new();
    for (name, value) in old {
        let named = NAMED.iter().find(|(old, _)| granular && *old == name);
        let place = named.map(|(_, today)| (*today).to_owned());
        match place.or_else(|| place_today(&name, &value, &options)) {
            Some(path) => moved.push((path, value)),
            None => drop(new.insert(name, value)),
        }
    }
    for (path, value) in moved {
        insert(&mut new, &path, value);
    }
    if let Some(Value::Object(channel)) = new.get_mut("channel") {
        for namespace in ["without_namespace", "namespaces"] {
            let options = channel.get_mut(namespace).into_iter();
            options.for_each(|options| modern_options(options, granular));
        }
    }
    Value::Object(new)
}

fn place_today(name: &str, value: &Value, channel_options: &[String]) -> Option<String> {
    if name == "engine" && value.is_string() {
        return Some("engine.type".to_owned());
    }
    if SWITCHES.contains(&name) && !value.is_object() {
        return Some(join(name, "enabled"));
    }
    if let Some((_, path)) = MOVED.iter().find(|(old, _)| *old == name) {
        return Some((*path).to_owned());
    }
    let of_channels = CHANNEL_OPTIONS.iter().chain(NAMED_OF_CHANNELS).any(|(old, _)| *old == name);
    if name == DISABLE || of_channels || channel_options.iter().any(|option| option == name) {
        return Some(join("channel.without_namespace", name));
    }
    SECTIONS.iter().find_map(|(beginning, section)| {
        let option = name.strip_prefix(beginning)?;
        if *section == REDIS {
            return Some(join(section, &redis_option(option, value)));
        }
        Some(join(section, option))
    })
}

/// The place below a Redis of what came after `redis_`: TLS settings were flat.
fn redis_option(option: &str, value: &Value) -> String {
    for section in ["sentinel_tls", "tls"] {
        match option.strip_prefix(section) {
            Some("") if !value.is_object() => return join(section, "enabled"),
            Some(setting) if setting.starts_with('_') => {
                let setting = setting.trim_start_matches('_');
                let today = TLS.iter().find(|(old, _)| *old == setting);
                return join(section, today.map_or(setting, |(_, today)| today));
            }
            _ => {}
        }
    }
    option.to_owned()
}

fn channel_options() -> Vec<String> {
    let mut options = Vec::new();
    ChannelOptions::default().list("", "", &mut options);
    options.into_iter().map(|option| option.path).collect()
}

/// The section with its Redis options where they are today. Its old name or old options tell that
/// it `is_old`.
fn user_status(section: Value, mut is_old: bool) -> Value {
    let Value::Object(old) = section else { return section };
    let mut new = Object::new();
    for (name, value) in old {
        let path = match name.strip_prefix("redis_") {
            Some(option) => join("redis", &redis_option(option, &value)),
            None if name == "use_redis_from_engine" => "redis.reuse_from_engine".to_owned(),
            None => {
                insert(&mut new, &name, value);
                continue;
            }
        };
        is_old = true;
        insert(&mut new, &path, value);
    }
    if is_old {
        insert(&mut new, "expire_interval", OLD_EXPIRE_INTERVAL.into());
    }
    Value::Object(new)
}

/// Version 3: presence was for every client unless it was switched off.
const DISABLE: &str = "presence_disable_for_client";

/// The options of channels with the names of today; `granular` as [`GRANULAR`] says.
fn modern_options(options: &mut Value, granular: bool) {
    match options {
        Value::Array(namespaces) => {
            for namespace in namespaces {
                modern_options(namespace, granular);
            }
        }
        Value::Object(options) => {
            for (old, today) in CHANNEL_OPTIONS {
                if let Some(value) = options.remove(*old) {
                    insert(options, today, value);
                }
            }
            for (name, switched_on) in NAMED_OF_CHANNELS {
                if let Some(value) = options.get(*name).filter(|_| granular).cloned() {
                    insert(options, switched_on, value);
                }
            }
            if let Some(disabled) = options.remove(DISABLE) {
                let allowed = matches!(disabled, Value::Bool(false));
                insert(options, "allow_presence_for_client", allowed.into());
            }
        }
        _ => {}
    }
}

/// Puts `value` at `path` unless something is there; objects on both sides are merged.
fn insert(object: &mut Object, path: &str, value: Value) {
    let (key, rest) = path.split_once('.').unwrap_or((path, ""));
    if !rest.is_empty() {
        let below = object.entry(key).or_insert_with(|| Object::new().into());
        if let Value::Object(below) = below {
            insert(below, rest, value);
        }
        return;
    }
    match (object.get_mut(key), value) {
        (None, value) => drop(object.insert(key.to_owned(), value)),
        (Some(Value::Object(there)), Value::Object(value)) => {
            for (key, value) in value {
                insert(there, &key, value);
            }
        }
        (Some(_), _) => {}
    }
}

fn lower_case(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), lower_case(value)))
            .collect::<Object>()
            .into(),
        Value::Array(items) => items.iter().map(lower_case).collect(),
        plain => plain.clone(),
    }
}

#[cfg(test)]
mod tests;
