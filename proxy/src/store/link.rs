//! The three connections to one Redis master.

use std::time::Duration;

use fred::clients::Client;
use fred::interfaces::ClientLike;
use fred::types::RespVersion;
use fred::types::config::{
    Config, ConnectionConfig, PerformanceConfig, ReconnectPolicy, Server, ServerConfig,
    UnresponsiveConfig,
};

use super::{Address, Settings};

/// How long to wait between two tries to connect.
const RECONNECT_DELAY_MS: u32 = 150;
/// Commands that may wait in one client; more fail at once.
const COMMANDS: usize = 65_536;
/// Events that may wait between fred and us; falling further behind re-checks every channel.
const EVENTS: usize = 65_536;

/// The connections; each fails and reconnects on its own.
#[derive(Debug)]
pub(super) struct Links {
    pub(super) keepalive: Client,
    pub(super) events: Client,
    pub(super) commands: Client,
}

// === impl Links ===

impl Links {
    pub(super) fn new(settings: &Settings) -> Self {
        let client = || {
            Client::new(
                config(settings),
                Some(performance(settings)),
                Some(connection(settings)),
                Some(ReconnectPolicy::new_constant(0, RECONNECT_DELAY_MS)),
            )
        };
        Self { keepalive: client(), events: client(), commands: client() }
    }

    /// Starts connecting in the background, for ever.
    pub(super) fn connect(&self) {
        for client in [&self.keepalive, &self.events, &self.commands] {
            // The handle resolves when the client quits, which it does with the process.
            drop(client.connect());
        }
    }
}

fn config(settings: &Settings) -> Config {
    let server = match &settings.address {
        Address::Tcp { host, port } => {
            ServerConfig::Centralized { server: Server::new(host.as_str(), *port) }
        }
        Address::Unix(path) => ServerConfig::Unix { path: path.clone() },
    };
    Config {
        server,
        // While away, calls fail instead of waiting in a queue whose order nobody knows.
        fail_fast: true,
        version: RespVersion::RESP3,
        username: settings.user.clone(),
        password: settings.password.as_ref().map(|password| password.expose().to_owned()),
        database: (settings.db != 0).then_some(settings.db),
        ..Config::default()
    }
}

fn performance(settings: &Settings) -> PerformanceConfig {
    PerformanceConfig {
        default_command_timeout: settings.io_timeout,
        broadcast_channel_capacity: EVENTS,
        ..PerformanceConfig::default()
    }
}

fn connection(settings: &Settings) -> ConnectionConfig {
    ConnectionConfig {
        connection_timeout: settings.connect_timeout,
        internal_command_timeout: settings.io_timeout,
        // A command of unknown fate is ours to judge, never fred's to send again.
        max_command_attempts: 1,
        max_command_buffer_len: COMMANDS,
        unresponsive: UnresponsiveConfig {
            max_timeout: Some(settings.io_timeout),
            interval: (settings.io_timeout / 4).max(Duration::from_millis(100)),
        },
        ..ConnectionConfig::default()
    }
}
