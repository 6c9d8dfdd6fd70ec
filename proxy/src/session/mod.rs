//! One client's conversation, over whatever carries it.
//!
//! A session is one task and one loop: a frame came, a push is due, the running command finished, a
//! timer fired, the server stops. Commands run strictly in order, one at a time, and everything else
//! goes on while one waits for Redis.

mod client;
mod commands;
mod deadlines;
mod pending;

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Config;
use crate::hub::Hub;
use crate::log_limit::LogLimit;
use crate::protocol::Disconnect;
use crate::protocol::frame::{self, Line};
use crate::protocol::write;
use crate::store::Store;
use crate::token::Verifier;

pub use deadlines::Pace;

use client::Client;
use deadlines::{Deadlines, Due};
use pending::Pending;

/// Messages that share a frame.
const MESSAGES_PER_FRAME: usize = 16;
/// Bytes that share a frame; a single larger message has one of its own.
const BYTES_PER_FRAME: usize = 64 * 1024;

/// What every session works with.
#[derive(Debug)]
pub struct Context {
    pub config: Arc<Config>,
    pub hub: Hub,
    pub store: Store,
    pub clock: Clock,
    pub connection_tokens: Verifier,
    pub subscription_tokens: Verifier,
    /// For connection tokens that are refused.
    pub refused_tokens: LogLimit,
    /// Shown to clients in the connect reply.
    pub version: &'static str,
}

/// What carries a conversation.
pub trait Transport: Send {
    /// The next frame; `None` when the client is gone, or was sent away for its frame. Dropping the
    /// future loses nothing.
    fn recv(&mut self) -> impl Future<Output = Option<Bytes>> + Send;

    /// Writes messages as one frame; false when the client is gone or reads too slowly.
    fn send(&mut self, messages: Vec<Bytes>) -> impl Future<Output = bool> + Send;

    /// Ends; says why, unless the client is gone.
    fn close(self, disconnect: Option<Disconnect>) -> impl Future<Output = ()> + Send;
}

/// What a command leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    /// The connect was refused: nothing more is answered.
    Unusable,
    Disconnect(Disconnect),
}

type Running = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// The state of the loop.
struct Conversation {
    client: Arc<Client>,
    pending: Pending,
    deadlines: Deadlines,
    running: Option<Running>,
    unusable: bool,
}

/// Serves one client until it goes or is sent away, and then cleans up after it.
pub async fn run(context: Arc<Context>, mut transport: impl Transport, stop: CancellationToken) {
    let client = Client::new(context);
    let whole = async {
        let mut conversation = Conversation::new(client.clone());
        let disconnect = conversation.converse(&mut transport, &stop).await;
        (disconnect, conversation.running.take())
    };
    // A mistake of ours must not leave a ghost in the rosters.
    let (disconnect, running) = AssertUnwindSafe(whole).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!(client = %client.id, "a session failed: this is a bug");
        (None, None)
    });
    let tidy = async {
        // What the running command has begun in Redis must be known before it can be undone.
        if let Some(running) = running {
            running.await;
        }
        client.clean_up().await;
    };
    // Nothing more is written but the close; the others need not wait for its answer.
    tokio::join!(transport.close(disconnect), tidy);
}

// === impl Conversation ===

impl Conversation {
    fn new(client: Arc<Client>) -> Self {
        let config = &client.context.config;
        let pace = Pace {
            ping_interval: config.client.ping_interval,
            pong_timeout: config.client.pong_timeout,
            stale_close_delay: config.client.stale_close_delay,
        };
        let limit = config.websocket.message_size_limit;
        Self {
            pending: Pending::new(limit),
            deadlines: Deadlines::new(pace, Instant::now()),
            running: None,
            unusable: false,
            client,
        }
    }

    /// The loop; why the client is sent away, or `None` when it is gone.
    async fn converse(
        &mut self,
        transport: &mut impl Transport,
        stop: &CancellationToken,
    ) -> Option<Disconnect> {
        let client = self.client.clone();
        loop {
            self.start_next();
            let deadline = self.deadlines.next();
            tokio::select! {
                frame = transport.recv(), if self.pending.has_room() => self.on_frame(&frame?),
                () = client.outbox.wait() => {}
                outcome = finished(&mut self.running) => self.on_outcome(outcome),
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    self.on_time(Instant::now());
                }
                () = stop.cancelled() => client.outbox.close(Disconnect::SHUTDOWN),
            }
            // One frame a turn: a busy channel must not keep the session from all else.
            let (messages, closed) = client.outbox.take(MESSAGES_PER_FRAME, BYTES_PER_FRAME);
            if !messages.is_empty() && !transport.send(messages).await {
                return None;
            }
            if closed.is_some() {
                return closed;
            }
        }
    }

    /// Starts what comes next, if nothing runs and there is room for its reply.
    fn start_next(&mut self) {
        if self.running.is_some() || self.unusable || !self.client.outbox.has_room() {
            return;
        }
        if let Some(channel) = self.client.next_detached() {
            self.running = Some(Box::pin(commands::detach(self.client.clone(), channel)));
            return;
        }
        match self.pending.pop() {
            None | Some(Line::Pong) => {}
            Some(Line::Malformed) => self.client.outbox.close(Disconnect::BAD_REQUEST),
            Some(Line::Command(request)) => {
                self.running = Some(Box::pin(commands::execute(self.client.clone(), request)));
            }
        }
    }

    fn on_frame(&mut self, frame: &Bytes) {
        if self.unusable {
            return;
        }
        for line in frame::lines(frame) {
            match line {
                Line::Pong if self.deadlines.pong() => {}
                Line::Pong => return self.client.outbox.close(Disconnect::BAD_REQUEST),
                line => self.pending.push(line),
            }
        }
    }

    fn on_outcome(&mut self, outcome: Outcome) {
        self.running = None;
        let now = Instant::now();
        match outcome {
            Outcome::Done => {
                if self.client.take_connected() {
                    self.deadlines.connected(now, spread());
                }
                self.deadlines.expires(self.client.expiry(now));
                self.deadlines.subscription_ends(self.client.next_subscription_end(now));
            }
            Outcome::Unusable => {
                self.unusable = true;
                self.deadlines.failed(now);
            }
            Outcome::Disconnect(disconnect) => self.client.outbox.close(disconnect),
        }
    }

    fn on_time(&mut self, now: Instant) {
        if !self.pending.has_room() {
            self.deadlines.excuse_pong(now);
        }
        while let Some(due) = self.deadlines.due(now) {
            match due {
                Due::Ping => self.client.outbox.push(write::PING),
                Due::Subscription => {
                    self.client.end_subscriptions();
                    self.deadlines.subscription_ends(self.client.next_subscription_end(now));
                }
                Due::Close(disconnect) => {
                    self.client.outbox.close(disconnect);
                    return;
                }
            }
        }
    }
}

/// Waits for the running command; for ever when there is none.
async fn finished(running: &mut Option<Running>) -> Outcome {
    match running {
        Some(running) => running.await,
        None => std::future::pending().await,
    }
}

/// A random number from 0 to 1; pings of clients that came together shall not go out together.
fn spread() -> f64 {
    f64::from(uuid::Uuid::new_v4().as_fields().0) / f64::from(u32::MAX)
}
