//! Options that Centrifugo knows and this version does not.

/// They, and all below them, are named in warnings apart from mistyped ones.
const KNOWN_ELSEWHERE: &[&str] = &[
    "admin",
    "broker",
    "channel.history_meta_ttl",
    "channel.proxy",
    "client.channel_position_check_delay",
    "client.channel_position_max_time_lag",
    "client.concurrency",
    "client.connect_code_to_unidirectional_disconnect",
    "client.expired_sub_close_delay",
    "client.history_max_publication_limit",
    "client.insecure_skip_token_signature_verify",
    "client.presence_update_interval",
    "client.proxy",
    "client.recovery_max_publication_limit",
    "client.subscribe_to_user_personal_channel",
    "consumers",
    "debug",
    "emulation",
    "engine.redis.force_resp2",
    "engine.redis.history_use_lists",
    "engine.redis.presence_hash_field_ttl",
    "engine.redis.presence_ttl",
    "engine.redis.presence_user_mapping",
    "engine.redis.replica_client",
    "engine.redis.sentinel_tls.client_ca_pem",
    "engine.redis.tls.client_ca_pem",
    "graphite",
    "grpc_api",
    "http_server.h2c_external",
    "http_server.http3",
    "http_server.tls_external",
    "http_stream",
    "map_broker",
    "node.info_metrics_aggregate_interval",
    "opentelemetry",
    "pid_file",
    "presence_manager",
    "prometheus",
    "proxies",
    "rpc",
    "sse",
    "swagger",
    "uni_grpc",
    "uni_http_stream",
    "uni_sse",
    "uni_websocket",
    "usage_stats",
    "user_status.redis.force_resp2",
    "user_status.redis.history_use_lists",
    "user_status.redis.presence_hash_field_ttl",
    "user_status.redis.presence_ttl",
    "user_status.redis.presence_user_mapping",
    "user_status.redis.replica_client",
    "user_status.redis.sentinel_tls.client_ca_pem",
    "user_status.redis.tls.client_ca_pem",
    "websocket.compression",
    "webtransport",
];

/// Why the option at `path`, which no section knows, is ignored.
pub(crate) fn why_ignored(path: &str) -> &'static str {
    let known = KNOWN_ELSEWHERE.iter().any(|known| {
        path.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    });
    if known {
        "an option of Centrifugo that has no effect here, ignored"
    } else {
        "unknown option, ignored"
    }
}
