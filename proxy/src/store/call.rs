//! Sending commands: plainly, or in an order that a lock decides.

use std::borrow::Cow;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use fred::interfaces::ClientLike;
use fred::types::{ClusterHash, CustomCommand, Value};

use super::holdings::Holdings;
use super::link::Link;
use super::reply::{Reply, StoreError};
use super::{Health, Store};

/// The arguments of a command.
pub(super) type Args = Vec<Value>;

/// An argument of a command.
pub(super) fn arg(text: impl Into<Cow<'static, str>>) -> Value {
    match text.into() {
        Cow::Borrowed(text) => Value::from_static_str(text),
        Cow::Owned(text) => Value::from(text),
    }
}

/// An argument that is bytes.
pub(super) fn bytes(bytes: Bytes) -> Value {
    Value::Bytes(bytes)
}

/// Sends `words` (a command, and perhaps a subcommand among `args`) on one connection.
pub(super) async fn on(link: &Link, word: &'static str, args: Args) -> Result<Reply, StoreError> {
    let command = CustomCommand::new_static(word, ClusterHash::FirstKey, false);
    Reply::read(link.custom_raw(command, args).await?)
}

// === impl Store ===

impl Store {
    /// Sends a command on the commands connection; an error at once while Redis is away.
    pub(super) async fn call(&self, word: &'static str, args: Args) -> Result<Reply, StoreError> {
        self.up()?;
        self.check(on(&self.inner.links.commands, word, args).await)
    }

    /// Decides on a command and issues it under the lock of the holdings, so that what is held and
    /// the order of the commands in Redis never disagree. `None` when `prepare` sends nothing.
    ///
    /// Relies on fred passing a command to its connection in the first poll of the call.
    pub(super) async fn issue(
        &self,
        prepare: impl FnOnce(&mut Holdings) -> Option<(&'static str, Args)>,
    ) -> Option<Result<Reply, StoreError>> {
        let mut prepare = Some(prepare);
        let mut sent: Option<Pin<Box<dyn Future<Output = _> + Send>>> = None;
        let first = poll_fn(|cx| {
            let mut holdings = self.holdings();
            let Some((word, args)) = prepare.take().and_then(|prepare| prepare(&mut holdings))
            else {
                return Poll::Ready(None);
            };
            let call = Box::pin(on(&self.inner.links.commands, word, args));
            Poll::Ready(Some(sent.insert(call).as_mut().poll(cx)))
        });
        let result = match (first.await?, sent) {
            (Poll::Ready(result), _) => result,
            (Poll::Pending, Some(sent)) => sent.await,
            (Poll::Pending, None) => return None,
        };
        Some(self.check(result))
    }

    /// Refuses at once while Redis is away.
    pub(super) fn up(&self) -> Result<(), StoreError> {
        match &*self.inner.health.borrow() {
            Health::Up => Ok(()),
            Health::Down(why) => Err(StoreError::Away(why.clone())),
        }
    }

    /// A lost lease is mended by the keepalive: it shall not wait for its second.
    fn check(&self, result: Result<Reply, StoreError>) -> Result<Reply, StoreError> {
        if matches!(result, Err(StoreError::NoLease)) {
            self.inner.hurry.notify_one();
        }
        result
    }
}
