//! Sending commands to whoever owns their key: plainly, or in an order that a lock decides.

use std::borrow::Cow;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use fred::interfaces::ClientLike;
use fred::types::{ClusterHash, CustomCommand, Value};

use super::cluster_nodes::Redirect;
use super::holdings::Holdings;
use super::link::Link;
use super::master::Master;
use super::reply::{Reply, StoreError};
use super::shard::Place;
use crate::config::RedisAddress;

/// How often a command follows a redirection.
const REDIRECTS: u32 = 8;
/// How long a key that is on its way is waited for.
const ON_ITS_WAY: Duration = Duration::from_millis(30);

/// The arguments of a command.
pub(super) type Args = Vec<Value>;
pub(super) type Answer = Result<Reply, StoreError>;
type Sending = Pin<Box<dyn Future<Output = Answer> + Send>>;

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
pub(super) async fn on(link: &Link, word: &'static str, args: Args) -> Answer {
    let command = CustomCommand::new_static(word, ClusterHash::FirstKey, false);
    let sent = pin!(link.custom_raw(command, args));
    Reply::read(link.answer(sent).await??)
}

/// The same for a slot that is on its way to this server: both words in one piece, so that no other
/// command comes between them.
async fn asking(link: &Link, word: &'static str, args: Args) -> Answer {
    let pipeline = (***link).pipeline().with_options(link.options());
    let command = |word| CustomCommand::new_static(word, ClusterHash::FirstKey, false);
    pipeline.custom::<(), Value>(command("ASKING"), Vec::new()).await?;
    pipeline.custom::<(), Value>(command(word), args).await?;
    let sent = pin!(async { pipeline.try_all::<Value>().await.pop() });
    let answer = link.answer(sent).await?;
    Reply::of_value(answer.ok_or(StoreError::Unexpected("ASKING"))?)
}

/// Where a command goes next.
#[derive(Debug, Clone, Default)]
enum Target {
    /// To the owner of the slot.
    #[default]
    Owner,
    /// To where the slot is on its way.
    Asking(RedisAddress),
}

/// A command that is counted as under way as long as this lives.
#[derive(Debug)]
struct InFlight<'a>(&'a Place);

// === impl InFlight ===

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.shard.holdings().answered(self.0.slot);
    }
}

// === impl Place ===

impl Place {
    /// Sends a command on the commands connection; an error at once while Redis is away.
    pub(super) async fn call(&self, word: &'static str, args: Args) -> Answer {
        let mut target = Target::default();
        for _ in 0..REDIRECTS {
            let master = self.target(&target)?;
            let link = &master.links.commands;
            let answer = match &target {
                Target::Owner => on(link, word, args.clone()).await,
                Target::Asking(_) => asking(link, word, args.clone()).await,
            };
            match self.follow(&master, &answer).await {
                None => return checked(&master, word, answer),
                Some(next) => target = next,
            }
        }
        Err(moving())
    }

    /// Decides on a command and issues it under the lock of the holdings, so that what is held and
    /// the order of the commands in Redis never disagree. `None` when `prepare` sends nothing.
    /// `prepare` gets the node name that holds at the command's goal; it is asked again, with
    /// `again`, when the command has to go elsewhere, because the order begins anew there.
    ///
    /// Relies on fred passing a command to its connection in the first poll of the call.
    pub(super) async fn issue(
        &self,
        mut prepare: impl FnMut(&mut Holdings, &str, bool) -> Option<(&'static str, Args)>,
    ) -> Option<Answer> {
        let mut in_flight = None;
        let mut target = Target::default();
        for attempt in 0..REDIRECTS {
            let mut master = None;
            let mut sent: Option<Sending> = None;
            let mut command = "";
            let first = poll_fn(|cx| {
                let mut holdings = self.shard.holdings();
                // The command goes out even to a master that is away: its fate is the caller's. And
                // where there is none, what is held is noted all the same.
                let goal = match self.goal(&target) {
                    Ok(goal) => goal,
                    Err(error) => {
                        let noted = prepare(&mut holdings, "", attempt > 0);
                        return Poll::Ready(noted.map(|_| Poll::Ready(Err(error))));
                    }
                };
                let name = goal.name();
                let Some((word, args)) = prepare(&mut holdings, &name, attempt > 0) else {
                    return Poll::Ready(None);
                };
                if in_flight.is_none() {
                    holdings.sent(self.slot);
                    in_flight = Some(InFlight(self));
                }
                master = Some(goal.clone());
                command = word;
                let call = send(goal, matches!(target, Target::Asking(_)), word, args);
                Poll::Ready(Some(sent.insert(call).as_mut().poll(cx)))
            });
            let answer = match (first.await?, sent) {
                (Poll::Ready(answer), _) => answer,
                (Poll::Pending, Some(sent)) => sent.await,
                (Poll::Pending, None) => return None,
            };
            let Some(master) = master else { return Some(answer) };
            match self.follow(&master, &answer).await {
                None => return Some(checked(&master, command, answer)),
                Some(next) => target = next,
            }
        }
        Some(Err(moving()))
    }

    fn goal(&self, target: &Target) -> Result<Arc<Master>, StoreError> {
        let map = self.shard.map();
        let master = match target {
            Target::Owner => map.owner(self.slot),
            Target::Asking(address) => map.at(address),
        };
        master.cloned().ok_or_else(|| StoreError::Away(self.shard.trouble()))
    }

    fn target(&self, target: &Target) -> Result<Arc<Master>, StoreError> {
        let master = self.goal(target)?;
        master.up()?;
        Ok(master)
    }

    /// Refuses at once while Redis is away.
    pub(super) fn up(&self) -> Result<(), StoreError> {
        self.shard.owner(self.slot).map(|_| ())
    }

    /// Where to go next when the answer is a redirection.
    async fn follow(&self, asked: &Arc<Master>, answer: &Answer) -> Option<Target> {
        let Err(StoreError::Refused(text)) = answer else { return None };
        match Redirect::parse(text, &asked.address)? {
            Redirect::Moved { slot, address } => {
                self.shard.moved(slot, &address).await;
                Some(Target::Owner)
            }
            Redirect::Ask { address } => {
                self.shard.saw_redirection();
                if self.shard.map().at(&address).is_none() {
                    self.shard.look_soon().await;
                }
                Some(Target::Asking(address))
            }
            Redirect::TryAgain => {
                self.shard.saw_redirection();
                tokio::time::sleep(ON_ITS_WAY).await;
                Some(Target::Owner)
            }
        }
    }
}

/// A lost lease is mended by the keepalive: it shall not wait for its second. What Redis refuses
/// although it is there, an operator has to know.
fn checked(master: &Master, word: &'static str, answer: Answer) -> Answer {
    match &answer {
        Ok(_) => {}
        Err(StoreError::NoLease) => master.hurry.notify_one(),
        Err(error) => master.note_refusal(word, error),
    }
    answer
}

/// A command on its way to `master`.
fn send(master: Arc<Master>, ask: bool, word: &'static str, args: Args) -> Sending {
    // The first poll must not end early: the order of commands is that of first polls.
    Box::pin(tokio::task::unconstrained(async move {
        let link = &master.links.commands;
        if ask { asking(link, word, args).await } else { on(link, word, args).await }
    }))
}

fn moving() -> StoreError {
    StoreError::Away("redis is moving the slot of this key".to_owned())
}
