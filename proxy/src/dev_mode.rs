//! `--dev`: a configuration to try things with, and what to paste to try them.

use std::fmt::Write;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, Namespace, Secret};
use crate::token;

/// How long the printed token is good for.
const TOKEN: Duration = Duration::from_secs(24 * 3600);
const USER: &str = "42";

/// Fills what is not configured: keys made for this run, and a namespace with everything on. Only
/// this machine can connect unless an address is configured.
pub fn fill(config: &mut Config) {
    if config.http_server.address.is_empty() {
        "127.0.0.1".clone_into(&mut config.http_server.address);
    }
    if config.http_api.key.is_empty() {
        config.http_api.key = key();
    }
    let client = &mut config.client;
    if client.token.hmac_secret_key.is_empty() {
        client.token.hmac_secret_key = key();
    }
    if client.allowed_origins.is_empty() {
        // Also pages opened from a file, whose origin is "null".
        client.allowed_origins.push("*".to_owned());
    }
    if config.channel.namespaces.is_empty() {
        config.channel.namespaces.0.push(namespace());
    }
    config.user_status.enabled = true;
}

/// The configured options by which other machines can connect.
pub fn open_to_others(config: &Config) -> Vec<&'static str> {
    let http = &config.http_server;
    let is_own = |address: &str| {
        address == "localhost"
            || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    };
    let internal = http.internal().map_or("127.0.0.1", |(address, _)| address);
    let places =
        [("http_server.address", &*http.address), ("http_server.internal_address", internal)];
    places.into_iter().filter(|(_, address)| !is_own(address)).map(|(option, _)| option).collect()
}

fn namespace() -> Namespace {
    let mut namespace = Namespace { name: "public".to_owned(), ..Namespace::default() };
    let options = &mut namespace.options;
    options.presence = true;
    options.join_leave = true;
    options.force_push_join_leave = true;
    options.allow_subscribe_for_client = true;
    options.allow_presence_for_client = true;
    options.allow_publish_for_subscriber = true;
    namespace
}

/// What a developer needs to see.
pub fn welcome(config: &Config, app: &App) -> std::io::Result<String> {
    let (address, api) = (app.address()?, app.api_address()?);
    let secret = &config.client.token.hmac_secret_key;
    let token = token::sign_connection_token(secret, USER, Clock::system().now_unix(), Some(TOKEN));
    let key = config.http_api.key.expose();
    let curl = |method: &str, body: &str| {
        format!("  curl -sw '\\n' -H 'X-API-Key: {key}' -d '{body}' http://{api}/api/{method}\n")
    };
    let mut text = String::new();
    write_all(
        &mut text,
        &[
            "\nRollcall runs in development mode, with keys made for this run.\n\n",
            &format!("  clients    ws://{address}/connection/websocket\n"),
            &format!("  api        http://{api}/api   X-API-Key: {key}\n"),
            &format!("  user {USER}    {token}\n"),
            &redis_line(app),
            "\nAsk who is in a channel, tell everybody something, see when a user was last there:\n\n",
            &curl("presence", r#"{"channel":"public:test"}"#),
            &curl("presence_stats", r#"{"channel":"public:test"}"#),
            &curl("publish", r#"{"channel":"public:test","data":{"text":"hello"}}"#),
            &curl("get_user_status", &format!(r#"{{"users":["{USER}"]}}"#)),
            "\nJoin from JavaScript (npm install centrifuge ws; then save as demo.mjs, run node demo.mjs):\n\n",
            &snippet(&address.to_string(), &token),
            "\nCtrl-C stops everything.\n\n",
        ],
    );
    Ok(text)
}

fn redis_line(app: &App) -> String {
    match app.redis_socket() {
        Some(socket) => format!("  redis      redis-cli -s {}\n", socket.display()),
        None => String::new(),
    }
}

fn snippet(address: &str, token: &str) -> String {
    format!(
        "  import {{ Centrifuge }} from 'centrifuge';
  import WebSocket from 'ws';

  const client = new Centrifuge('ws://{address}/connection/websocket', {{
    token: '{token}',
    websocket: WebSocket,
  }});
  const room = client.newSubscription('public:test');
  room.on('join', (ctx) => console.log('joined', ctx.info));
  room.on('leave', (ctx) => console.log('left', ctx.info));
  room.on('publication', (ctx) => console.log('said', ctx.data));
  room.on('subscribed', async () => {{
    console.log('here:', (await room.presence()).clients);
    await client.rpc('update_user_status', {{}});
  }});
  room.subscribe();
  client.connect();
"
    )
}

fn write_all(text: &mut String, parts: &[&str]) {
    for part in parts {
        // Writing to a string cannot fail.
        let _written = text.write_str(part);
    }
}

/// A key nobody can guess.
fn key() -> Secret {
    let mut bytes = [0; 24];
    bytes[..16].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    bytes[8..].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    Secret::new(URL_SAFE_NO_PAD.encode(bytes))
}
