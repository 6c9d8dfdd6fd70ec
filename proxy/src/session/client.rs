//! A client's state, shared by its loop, its commands and the hub.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use rollcall_wire::{Info, Member};
use tokio::time::Instant;

use super::Context;
use crate::hub::{ClientHandle, Outbox, Questioner, Subscriber, Subscribing};
use crate::permission::Asker;
use crate::protocol::Payload;
use crate::protocol::codes::Unsubscribe;
use crate::protocol::write;
use crate::store::{Entry, StoreError};
use crate::token::{ConnectionClaims, SubscriptionOptions};

/// Longest time to live of a connection, in seconds; whoever stays longer connects anew.
pub(super) const LONGEST_TTL: i64 = 365 * 24 * 3600;

/// Channels left at once when a client goes.
const AT_ONCE: usize = 32;

/// A connection and what it may and does.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) id: Arc<str>,
    pub(super) context: Arc<Context>,
    pub(super) outbox: Arc<Outbox>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    identity: Option<Arc<Identity>>,
    /// Set by the connect command, taken by the loop.
    connected: bool,
    /// Whether the user's status counts this connection.
    online: bool,
    subscriptions: HashMap<Arc<str>, Subscription>,
    /// Channels whose subscription has been ended and that the loop must still leave, each once.
    detached: Vec<Arc<str>>,
}

/// Who a connection is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) user: Arc<str>,
    pub(super) conn_info: Bytes,
    /// When the connection ends, in Unix seconds; `None` for never.
    pub(super) expires_at: Option<i64>,
    /// The server-side subscriptions of the token that was last presented, also of channels that
    /// the client has left since.
    pub(super) granted: BTreeMap<String, SubscriptionOptions>,
}

/// How a subscription takes part in its channel.
#[derive(Debug, Clone, Default)]
pub(super) struct Subscription {
    pub(super) chan_info: Bytes,
    /// Whether the client is in the roster.
    pub(super) in_roster: bool,
    /// Whether its join and leave are announced.
    pub(super) announce: bool,
    /// Whether it is shown joins and leaves.
    pub(super) wants_members: bool,
    /// When it ends, in Unix seconds; `None` for with the connection.
    pub(super) expires_at: Option<i64>,
}

// === impl Identity ===

impl Identity {
    /// What a token says of its bearer.
    pub(super) fn of(claims: ConnectionClaims) -> Self {
        let mut granted = claims.subs;
        // Data goes into the connect reply and is not needed again.
        for options in granted.values_mut() {
            options.data = Payload::Nothing;
        }
        let (user, conn_info, expires_at) = (claims.user.into(), claims.info, claims.expire_at);
        Self { user, conn_info, expires_at, granted }
    }
}

// === impl Client ===

impl Client {
    pub(super) fn new(context: Arc<Context>) -> Arc<Self> {
        let limit = context.config.client.queue_max_size;
        Arc::new(Self {
            id: uuid::Uuid::new_v4().to_string().into(),
            outbox: Arc::new(Outbox::new(limit)),
            state: Mutex::default(),
            context,
        })
    }

    /// Who the client is; `None` before it has connected.
    pub(super) fn identity(&self) -> Option<Arc<Identity>> {
        self.state().identity.clone()
    }

    pub(super) fn identify(&self, identity: Identity) {
        self.state().identity = Some(Arc::new(identity));
    }

    /// The connect command has succeeded.
    pub(super) fn connected(&self) {
        self.state().connected = true;
    }

    /// Whether the connect command has succeeded since the last call.
    pub(super) fn take_connected(&self) -> bool {
        std::mem::take(&mut self.state().connected)
    }

    /// When the connection ends, grace included.
    pub(super) fn expiry(&self, now: Instant) -> Option<Instant> {
        let at = self.identity()?.expires_at?;
        let left = at.saturating_sub(self.context.clock.now_unix()).clamp(0, LONGEST_TTL);
        let left = Duration::from_secs(left.unsigned_abs());
        now.checked_add(left + self.context.config.client.expired_close_delay)
    }

    /// When the next subscription ends.
    pub(super) fn next_subscription_end(&self, now: Instant) -> Option<Instant> {
        let state = self.state();
        let at = state.subscriptions.values().filter_map(|one| one.expires_at).min()?;
        let left = at.saturating_sub(self.context.clock.now_unix()).clamp(0, LONGEST_TTL);
        now.checked_add(Duration::from_secs(left.unsigned_abs()))
    }

    /// Ends the subscriptions whose time is over; SDKs subscribe again with a new token.
    pub(super) fn end_subscriptions(&self) {
        let now = self.context.clock.now_unix();
        let mut state = self.state();
        let State { subscriptions, detached, .. } = &mut *state;
        for (channel, subscription) in subscriptions {
            // Once: it stays in the list until it is its turn to be left.
            if subscription.expires_at.take_if(|at| *at <= now).is_some() {
                self.outbox.push(write::push_unsubscribe(channel, Unsubscribe::EXPIRED));
                if !detached.contains(channel) {
                    detached.push(channel.clone());
                }
            }
        }
    }

    pub(super) fn subscription(&self, channel: &str) -> Option<Subscription> {
        self.state().subscriptions.get(channel).cloned()
    }

    /// Whether the client is shown who joins and leaves a channel.
    pub(super) fn is_shown_members(&self, channel: &str) -> bool {
        let state = self.state();
        state.subscriptions.get(channel).is_some_and(|subscription| subscription.wants_members)
    }

    /// The client as one that asks who is in a channel.
    pub(super) fn questioner<'a>(&'a self, channel: &'a Arc<str>) -> Questioner<'a> {
        Questioner { channel, client: &self.id, outbox: &self.outbox }
    }

    pub(super) fn subscriptions(&self) -> Vec<(Arc<str>, Subscription)> {
        let state = self.state();
        state.subscriptions.iter().map(|(channel, one)| (channel.clone(), one.clone())).collect()
    }

    pub(super) fn subscription_count(&self) -> usize {
        self.state().subscriptions.len()
    }

    /// Subscribes to a channel: listens, then joins the roster. The caller sends the reply and
    /// commits with the returned sequence; until then pushes of the channel wait.
    pub(super) async fn attach(
        &self,
        channel: &Arc<str>,
        subscription: Subscription,
    ) -> Result<u64, StoreError> {
        let (id, outbox) = (self.id.clone(), self.outbox.clone());
        let subscriber = Subscriber::new(id, outbox, subscription.wants_members);
        self.context.hub.join(channel, subscriber).await?;
        let identity = self.identity().filter(|_| subscription.in_roster);
        let joined = match identity {
            Some(identity) => {
                let entry = self.entry(&identity, &subscription);
                self.context.store.join(channel, entry).await
            }
            None => Ok(0),
        };
        // A join that is not announced is no event, and there are none to wait for or to leave out.
        let joined = joined.map(|seq| if subscription.announce { seq } else { 0 });
        match &joined {
            Ok(_) => {
                self.state().subscriptions.insert(channel.clone(), subscription);
            }
            Err(_) => self.context.hub.leave(channel, &self.id),
        }
        joined
    }

    /// Shows the infos that a renewed token changes in the rosters; no listener is told of a join.
    pub(super) async fn show_anew(
        &self,
        old: &Identity,
        renewed: &Identity,
    ) -> Result<(), StoreError> {
        for (channel, mut subscription) in self.subscriptions() {
            let info =
                |identity: &Identity| identity.granted.get(&*channel).map(|it| it.info.clone());
            let (before, after) = (info(old), info(renewed));
            if before == after && old.conn_info == renewed.conn_info {
                continue;
            }
            // A channel that the token does not name was subscribed with an info of its own; so was
            // one that the client has left and subscribed to again.
            let from_token = before.is_some_and(|before| before == subscription.chan_info);
            if let Some(after) = after.filter(|_| from_token) {
                subscription.chan_info = after;
            }
            if subscription.in_roster {
                let entry = self.entry(renewed, &subscription);
                self.context.store.update(&channel, entry).await?;
            }
            if let Some(there) = self.state().subscriptions.get_mut(&channel) {
                there.chan_info = subscription.chan_info;
            }
        }
        Ok(())
    }

    /// The client as rosters have it.
    fn entry(&self, identity: &Identity, subscription: &Subscription) -> Entry {
        Entry {
            client: self.id.clone(),
            user: identity.user.clone(),
            conn_info: identity.conn_info.clone(),
            chan_info: subscription.chan_info.clone(),
            announce: subscription.announce,
        }
    }

    /// Answers a subscribe, and lets the pushes of the channel through.
    pub(super) fn commit(&self, channel: &str, reply: Option<Bytes>, seq: u64) {
        let subscribing = Subscribing { client: &self.id, outbox: &self.outbox, reply };
        self.context.hub.commit(channel, subscribing, seq);
    }

    /// Unsubscribes from a channel; whether the client was subscribed.
    pub(super) async fn detach(&self, channel: &Arc<str>) -> bool {
        let Some(subscription) = self.state().subscriptions.remove(channel) else { return false };
        // First the hub, then the roster: nobody is told of its own leave.
        self.context.hub.leave(channel, &self.id);
        if subscription.in_roster {
            self.context.store.leave(channel, &self.id).await;
        }
        true
    }

    /// The next channel that the hub has ended.
    pub(super) fn next_detached(&self) -> Option<Arc<str>> {
        self.state().detached.pop()
    }

    /// Undoes everything when the client is gone.
    pub(super) async fn clean_up(&self) {
        let channels = self.subscriptions();
        stream::iter(channels)
            .for_each_concurrent(AT_ONCE, |(channel, _)| async move {
                self.detach(&channel).await;
            })
            .await;
        let (identity, online) = {
            let mut state = self.state();
            (state.identity.take(), std::mem::take(&mut state.online))
        };
        let Some(identity) = identity else { return };
        self.context.hub.registry().remove(&self.id, &identity.user);
        if online {
            self.context.store.user_went(&identity.user).await;
        }
    }

    /// The user's status counts this connection from now on.
    pub(super) async fn go_online(&self, user: &Arc<str>) -> Result<(), StoreError> {
        self.context.store.user_came(user).await?;
        self.state().online = true;
        Ok(())
    }

    /// Asks a rule about this client.
    pub(super) fn ask<T>(&self, rule: impl FnOnce(&Asker<'_>) -> T) -> T {
        let identity = self.identity();
        let user = identity.as_ref().map_or("", |identity| &identity.user);
        let insecure = self.context.config.client.insecure;
        rule(&Asker { user, client: &self.id, insecure })
    }

    /// The client as publications name it.
    pub(super) fn info_json(&self, chan_info: &[u8]) -> String {
        let identity = self.identity();
        let (user, conn_info) =
            identity.as_ref().map_or(("", &[][..]), |one| (&*one.user, &*one.conn_info));
        let mut out = Vec::new();
        Member {
            client: &self.id,
            user,
            conn_info: Info::classify(conn_info),
            chan_info: Info::classify(chan_info),
        }
        .push_json(&mut out);
        String::from_utf8(out).unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientHandle for Client {
    fn unsubscribed(&self, channel: &str) {
        let mut state = self.state();
        let State { subscriptions, detached, .. } = &mut *state;
        if let Some((channel, _)) = subscriptions.get_key_value(channel)
            && !detached.contains(channel)
        {
            detached.push(channel.clone());
        }
    }
}
