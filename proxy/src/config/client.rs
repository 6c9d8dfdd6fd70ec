//! `client`: what connections may do and how long they are waited for.

use std::time::Duration;

use super::{
    NotYet, origins,
    section::{Findings, section},
    token::{SubscriptionToken, Token},
};

section! {
    /// What connections may do and how long they are waited for.
    pub struct Client {
        /// Globs over the lower-cased Origin header; empty refuses every request that has one.
        allowed_origins: Vec<String> = Vec::new(),
        /// How connection tokens are checked, and subscription tokens unless they have their own.
        token: Token = Token::default(),
        /// How subscription tokens are checked, when that is enabled.
        subscription_token: SubscriptionToken = SubscriptionToken::default(),
        /// Lets clients without a token connect as the anonymous user.
        allow_anonymous_connect_without_token: bool = false,
        /// Refuses tokens without a user.
        disallow_anonymous_connection_tokens: bool = false,
        /// Lets everybody do everything but private channels, without tokens; for development.
        insecure: bool = false,
        /// Asks the application about connections.
        proxy: ClientProxy = ClientProxy::default(),
        /// Subscribes every user to a channel of its own.
        subscribe_to_user_personal_channel: PersonalChannel = PersonalChannel::default(),
        /// Trusts a header of a proxy in front for the user.
        user_id_http_header: NotYet = NotYet,
        /// How often the server pings a client.
        ping_interval: Duration = Duration::from_secs(25),
        /// How long the server waits for the pong; shorter than the interval.
        pong_timeout: Duration = Duration::from_secs(8),
        /// How long a connection may stay without a connect command.
        stale_close_delay: Duration = Duration::from_secs(10),
        /// How long after its expiry a connection may still be refreshed.
        expired_close_delay: Duration = Duration::from_secs(25),
        /// Channels that one connection may be subscribed to.
        channel_limit: usize = 128,
        /// Bytes that may wait for one slow connection.
        queue_max_size: usize = 1_048_576,
        /// Connections to this node; 0 for no limit.
        connection_limit: usize = 0,
        /// New connections to this node a second; 0 for no limit.
        connection_rate_limit: usize = 0,
        /// Connections of one user to this node; 0 for no limit.
        user_connection_limit: usize = 0,
        /// Adds the time of the server to the connect reply.
        connect_include_server_time: bool = false,
    }
}

section! {
    /// What the application is asked about connections.
    pub struct ClientProxy {
        /// Asks the application who a client is, and whether it may connect.
        connect: NotYet = NotYet,
        /// Asks the application whether a connection may go on.
        refresh: NotYet = NotYet,
    }
}

section! {
    /// A channel for each user.
    pub struct PersonalChannel {
        /// Ends all connections of a user but the newest.
        single_connection: NotYet = NotYet,
    }
}

// === impl Client ===

impl Client {
    pub(crate) fn check(&self, findings: &mut Findings) {
        findings.check(
            self.ping_interval >= Duration::from_secs(1),
            "client.ping_interval: expected 1s or more, as clients are told whole seconds",
        );
        findings.check(
            self.pong_timeout < self.ping_interval,
            "client.pong_timeout: must be shorter than client.ping_interval",
        );
        findings.more_than_zero("client.pong_timeout", &self.pong_timeout);
        findings.more_than_zero("client.stale_close_delay", &self.stale_close_delay);
        findings.more_than_zero("client.channel_limit", &self.channel_limit);
        findings.more_than_zero("client.queue_max_size", &self.queue_max_size);
        for (at, origin) in self.allowed_origins.iter().enumerate() {
            if let Some(what) = origins::wrong(origin) {
                let what = format!("client.allowed_origins[{at}]: {what}, got {origin:?}");
                findings.check(false, &what);
            }
        }
        self.warn(findings);
        self.token.check("client.token", findings);
        self.subscription_token.token.check("client.subscription_token", findings);
    }

    /// What makes the server less safe than it is by itself.
    fn warn(&self, findings: &mut Findings) {
        findings.insecure(
            self.insecure,
            "client.insecure",
            "every client may do everything without a token",
        );
        findings.insecure(
            self.allowed_origins.iter().any(|origin| origins::is_any(origin)),
            "client.allowed_origins",
            "every web page may connect: name those that may",
        );
    }
}
