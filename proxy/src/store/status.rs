//! User status: who is online here, and the calls that read and set statuses.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::try_join_all;
use rollcall_wire::{partition, words};

use super::Store;
use super::call::{Args, arg};
use super::doubts::Doubt;
use super::reply::{Reply, StoreError};
use super::shard::{Place, Shard};

/// Users named in one command.
const BATCH: usize = 1_000;

/// When a user was last active and last online, in Unix seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Status {
    pub active: Option<u64>,
    pub online: Option<u64>,
}

/// Users of one book: where it is, its key, and the users' places in the request.
struct Batch {
    place: Place,
    key: String,
    users: Vec<usize>,
}

// === impl Store ===

impl Store {
    /// One more connection of `user`; the first puts the user online.
    pub async fn user_came(&self, user: &Arc<str>) -> Result<(), StoreError> {
        self.begun_books(self.user_part(user).into_iter()).await;
        let Some(place) = self.user_place(user)? else { return Ok(()) };
        place.up()?;
        let came = place.issue(|holdings, node, again| {
            let send =
                if again { holdings.has_user(user) } else { holdings.user_came(place.slot, user) };
            if send { Some((words::USERSTATUS_ONLINE, place.hold(user, node)?)) } else { None }
        });
        let Some(Err(error)) = came.await else { return Ok(()) };
        place.shard.holdings().user_went(user);
        // It may have been carried out after all; or others were let in who rely on it.
        place.shard.doubts.add(place.slot, Doubt::User(user.clone()));
        Err(error)
    }

    /// One connection of `user` less; the last takes the user offline.
    pub async fn user_went(&self, user: &Arc<str>) {
        // Without a place nothing was ever held there.
        let Ok(Some(place)) = self.user_place(user) else { return };
        let went = place.issue(|holdings, node, again| {
            let send = if again { !holdings.has_user(user) } else { holdings.user_went(user) };
            if send { Some((words::USERSTATUS_OFFLINE, place.hold(user, node)?)) } else { None }
        });
        let result = match went.await {
            Some(Ok(_)) if place.shard.is_settled() => Ok(()),
            Some(Ok(_)) => place.release_elsewhere(std::slice::from_ref(user)).await,
            Some(Err(error)) => Err(error),
            None => return,
        };
        if let Err(error) = result {
            tracing::debug!(%error, "a user's end was not answered");
            place.shard.doubts.add(place.slot, Doubt::User(user.clone()));
        }
    }

    /// Sets the users' `active` time to now.
    pub async fn touch<U: AsRef<str>>(&self, users: &[U]) -> Result<(), StoreError> {
        let ttl = self.settings().status_ttl.unwrap_or_default();
        let calls = self.batches(users).await?.into_iter().map(|batch| async move {
            let mut args = batch.args(users);
            args.splice(1..1, [arg("EX"), arg(ttl.as_secs().to_string())]);
            batch.place.call(words::USERSTATUS_TOUCH, args).await
        });
        try_join_all(calls).await.map(|_| ())
    }

    /// The users' statuses, in order and per occurrence.
    pub async fn statuses<U: AsRef<str>>(&self, users: &[U]) -> Result<Vec<Status>, StoreError> {
        let unexpected = || StoreError::Unexpected(words::USERSTATUS_GET);
        let calls = self.batches(users).await?.into_iter().map(|batch| async move {
            let reply = batch.place.read(words::USERSTATUS_GET, batch.args(users)).await?;
            Ok::<_, StoreError>((batch.users, reply))
        });
        let mut statuses = vec![Status::default(); users.len()];
        for (places, reply) in try_join_all(calls).await? {
            let records = reply.array().ok_or_else(unexpected)?;
            if records.len() != places.len() {
                return Err(unexpected());
            }
            for (place, record) in places.into_iter().zip(records) {
                statuses[place] = status(record).ok_or_else(unexpected)?;
            }
        }
        Ok(statuses)
    }

    /// Clears what is known of the users.
    pub async fn forget<U: AsRef<str>>(&self, users: &[U]) -> Result<(), StoreError> {
        let calls = self.batches(users).await?.into_iter().map(|batch| async move {
            batch.place.call(words::USERSTATUS_DEL, batch.args(users)).await
        });
        try_join_all(calls).await.map(|_| ())
    }

    async fn batches<U: AsRef<str>>(&self, users: &[U]) -> Result<Vec<Batch>, StoreError> {
        let mut parts: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (at, user) in users.iter().enumerate() {
            let part = partition::of_user(user.as_ref(), self.settings().partitions);
            parts.entry(part).or_default().push(at);
        }
        self.begun_books(parts.keys().copied()).await;
        let mut batches = Vec::new();
        for (part, users) in parts {
            let (key, place) = self.book(part)?;
            let chunks = users.chunks(BATCH).map(|users| Batch {
                place: place.clone(),
                key: key.clone(),
                users: users.to_vec(),
            });
            batches.extend(chunks);
        }
        Ok(batches)
    }

    /// Where a user is held online; `None` when there is nothing to keep.
    fn user_place(&self, user: &str) -> Result<Option<Place>, StoreError> {
        let part = self.user_part(user);
        part.map(|part| self.book(part).map(|(_, place)| place)).transpose()
    }

    /// The book that holds a user online; `None` when there is nothing to keep: the feature is off,
    /// or the user is anonymous.
    fn user_part(&self, user: &str) -> Option<u32> {
        let settings = self.settings();
        let is_kept = !user.is_empty() && settings.status_ttl.is_some();
        is_kept.then(|| partition::of_user(user, settings.partitions))
    }
}

// === impl Place ===

impl Place {
    /// The arguments that hold one user, or let go of one; `None` when the feature is off.
    pub(super) fn hold(&self, user: &str, node: &str) -> Option<Args> {
        let settings = &self.shard.settings;
        let part = partition::of_user(user, settings.partitions);
        Some(vec![
            arg(self.shard.names.book(part)),
            arg("LEASE"),
            arg(node.to_owned()),
            arg("EX"),
            arg(settings.status_ttl?.as_secs().to_string()),
            arg(user.to_owned()),
        ])
    }

    async fn put_back_batch(&self, users: &[Arc<str>]) -> Result<(), StoreError> {
        let put = self.issue(|holdings, node, _| {
            let mut held = users.iter().filter(|user| holdings.has_user(user));
            let mut args = self.hold(held.next()?, node)?;
            args.extend(held.map(|user| arg(user.to_string())));
            Some((words::USERSTATUS_ONLINE, args))
        });
        match put.await {
            Some(Ok(_)) => self.release_elsewhere(users).await,
            Some(Err(error)) => Err(error),
            None => Ok(()),
        }
    }

    /// Lets go of users under the names that hold at other masters: a book that has moved from there
    /// still names them, and whoever is held twice would stay online with the second.
    pub(super) async fn release_elsewhere(&self, users: &[Arc<str>]) -> Result<(), StoreError> {
        let Some(owner) = self.shard.map().owner(self.slot).cloned() else { return Ok(()) };
        let own = owner.name();
        let others = self.shard.names_at(&owner).into_iter().filter(|name| *name != own);
        let releases = others.filter_map(|name| {
            let mut args = self.hold(users.first()?, &name)?;
            args.extend(users[1..].iter().map(|user| arg(user.to_string())));
            Some(self.call(words::USERSTATUS_OFFLINE, args))
        });
        try_join_all(releases).await.map(|_| ())
    }
}

// === impl Shard ===

impl Shard {
    /// Puts users back online that are still held, under the node names of whoever owns them now;
    /// for each command the slot it was about.
    pub(super) async fn put_back_users(
        self: &Arc<Self>,
        users: Vec<(u16, Arc<str>)>,
    ) -> Vec<(u16, Result<(), StoreError>)> {
        let mut parts: BTreeMap<(u16, u32), Vec<Arc<str>>> = BTreeMap::new();
        for (slot, user) in users {
            let part = partition::of_user(&user, self.settings.partitions);
            parts.entry((slot, part)).or_default().push(user);
        }
        let mut results = Vec::new();
        for ((slot, _), users) in parts {
            let place = Place { shard: self.clone(), slot };
            for users in users.chunks(BATCH) {
                let put = match place.up() {
                    Ok(()) => place.put_back_batch(users).await,
                    away => away,
                };
                results.push((slot, put));
            }
        }
        results
    }
}

// === impl Batch ===

impl Batch {
    fn args<U: AsRef<str>>(&self, users: &[U]) -> Args {
        let named = self.users.iter().map(|at| arg(users[*at].as_ref().to_owned()));
        std::iter::once(arg(self.key.clone())).chain(named).collect()
    }
}

/// Elements after the first two are for later versions.
fn status(record: Reply) -> Option<Status> {
    let mut times = record.array()?.into_iter();
    let (active, online) = (times.next()?, times.next()?);
    Some(Status { active: active.number(), online: online.number() })
}
