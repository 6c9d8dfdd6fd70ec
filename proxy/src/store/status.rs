//! User status: who is online here, and the calls that read and set statuses.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use rollcall_wire::{partition, words};

use super::Store;
use super::call::{Args, arg};
use super::reply::{Reply, StoreError};

/// Users named in one command.
const BATCH: usize = 1_000;

/// When a user was last active and last online, in Unix seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Status {
    pub active: Option<u64>,
    pub online: Option<u64>,
}

/// Users of one book: the book's partition and the users' places in the request.
type Batch = (u32, Vec<usize>);

// === impl Store ===

impl Store {
    /// One more connection of `user`; the first puts the user online.
    pub async fn user_came(&self, user: &Arc<str>) -> Result<(), StoreError> {
        let Some(ttl) = self.status_ttl_for(user) else { return Ok(()) };
        self.up()?;
        let came = self.issue(|holdings| {
            holdings.user_came(user).then(|| {
                holdings.sent();
                (words::USERSTATUS_ONLINE, self.hold(user, &holdings.node, ttl))
            })
        });
        let Some(result) = came.await else { return Ok(()) };
        let mut holdings = self.holdings();
        holdings.settled();
        if result.is_err() {
            // If it was carried out after all, the counts differ and everything is put back anew.
            holdings.user_went(user);
        }
        result.map(|_| ())
    }

    /// One connection of `user` less; the last takes the user offline.
    pub async fn user_went(&self, user: &Arc<str>) {
        let Some(ttl) = self.status_ttl_for(user) else { return };
        let went = self.issue(|holdings| {
            holdings.user_went(user).then(|| {
                holdings.sent();
                (words::USERSTATUS_OFFLINE, self.hold(user, &holdings.node, ttl))
            })
        });
        // A removal that Redis did not answer shows as a count that differs.
        if let Some(result) = went.await {
            self.holdings().settled();
            if let Err(error) = result {
                tracing::debug!(%error, "a user's end was not answered");
            }
        }
    }

    /// Puts users back online that are still held, under the current node name.
    pub(super) async fn put_back_users(&self, users: &[Arc<str>]) -> Result<(), StoreError> {
        let Some(ttl) = self.inner.settings.status_ttl else { return Ok(()) };
        for (part, places) in self.batches(users) {
            let put = self.issue(|holdings| {
                let held: Vec<&str> = places
                    .iter()
                    .map(|place| &*users[*place])
                    .filter(|user| holdings.has_user(user))
                    .collect();
                if held.is_empty() {
                    return None;
                }
                holdings.sent();
                let mut args = self.hold(held[0], &holdings.node, ttl);
                args[0] = arg(self.inner.names.book(part));
                args.extend(held[1..].iter().map(|user| arg((*user).to_owned())));
                Some((words::USERSTATUS_ONLINE, args))
            });
            let Some(result) = put.await else { continue };
            self.holdings().settled();
            match result {
                // One book that Redis will not change must not keep the others out.
                Err(StoreError::Refused(text)) => {
                    tracing::error!(part, text, "users were not put back online");
                }
                result => {
                    result?;
                }
            }
        }
        Ok(())
    }

    /// Sets the users' `active` time to now.
    pub async fn touch<U: AsRef<str>>(&self, users: &[U]) -> Result<(), StoreError> {
        let ttl = self.inner.settings.status_ttl.unwrap_or_default();
        let calls = self.batches(users).into_iter().map(|batch| {
            let mut args = self.args_of(users, &batch);
            args.splice(1..1, [arg("EX"), arg(ttl.as_secs().to_string())]);
            self.call(words::USERSTATUS_TOUCH, args)
        });
        try_join_all(calls).await.map(|_| ())
    }

    /// The users' statuses, in order and per occurrence.
    pub async fn statuses<U: AsRef<str>>(&self, users: &[U]) -> Result<Vec<Status>, StoreError> {
        let unexpected = || StoreError::Unexpected(words::USERSTATUS_GET);
        let batches = self.batches(users);
        let calls = batches
            .iter()
            .map(|batch| self.call(words::USERSTATUS_GET, self.args_of(users, batch)));
        let replies = try_join_all(calls).await?;
        let mut statuses = vec![Status::default(); users.len()];
        for ((_, places), reply) in batches.iter().zip(replies) {
            let records = reply.array().ok_or_else(unexpected)?;
            if records.len() != places.len() {
                return Err(unexpected());
            }
            for (place, record) in places.iter().zip(records) {
                statuses[*place] = status(record).ok_or_else(unexpected)?;
            }
        }
        Ok(statuses)
    }

    /// Clears what is known of the users.
    pub async fn forget<U: AsRef<str>>(&self, users: &[U]) -> Result<(), StoreError> {
        let calls = self
            .batches(users)
            .into_iter()
            .map(|batch| self.call(words::USERSTATUS_DEL, self.args_of(users, &batch)));
        try_join_all(calls).await.map(|_| ())
    }

    /// The arguments that hold one user, or let go of one.
    fn hold(&self, user: &str, node: &str, ttl: Duration) -> Args {
        let part = partition::of_user(user, self.inner.settings.partitions);
        vec![
            arg(self.inner.names.book(part)),
            arg("LEASE"),
            arg(node.to_owned()),
            arg("EX"),
            arg(ttl.as_secs().to_string()),
            arg(user.to_owned()),
        ]
    }

    fn args_of<U: AsRef<str>>(&self, users: &[U], (part, places): &Batch) -> Args {
        let mut args = vec![arg(self.inner.names.book(*part))];
        args.extend(places.iter().map(|place| arg(users[*place].as_ref().to_owned())));
        args
    }

    fn batches<U: AsRef<str>>(&self, users: &[U]) -> Vec<Batch> {
        let mut parts: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (place, user) in users.iter().enumerate() {
            let part = partition::of_user(user.as_ref(), self.inner.settings.partitions);
            parts.entry(part).or_default().push(place);
        }
        parts
            .into_iter()
            .flat_map(|(part, places)| {
                places.chunks(BATCH).map(|chunk| (part, chunk.to_vec())).collect::<Vec<_>>()
            })
            .collect()
    }

    /// `None` when there is nothing to keep: the feature is off, or the user is anonymous.
    fn status_ttl_for(&self, user: &str) -> Option<Duration> {
        self.inner.settings.status_ttl.filter(|_| !user.is_empty())
    }
}

/// Elements after the first two are for later versions.
fn status(record: Reply) -> Option<Status> {
    let mut times = record.array()?.into_iter();
    let (active, online) = (times.next()?, times.next()?);
    Some(Status { active: active.number(), online: online.number() })
}
