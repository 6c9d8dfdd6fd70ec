//! A roster or book under its key. Every change goes through here, so that registry, events and
//! the emptied key always follow it.

use std::marker::PhantomData;

use crate::book::Book;
use crate::error::CommandError;
use crate::native::context::Ctx;
use crate::native::key::{Key, Native, Value};
use crate::native::notify::{self, Change};
use crate::native::string::Str;
use crate::native::{cell, clock, config, reclaim, resets};
use crate::recent::{Name, Recent};
use crate::registry::{KeyId, Kind, Sizes, Space, TICK_MS};
use crate::roster::Roster;
use crate::state::{Acting, State};

/// What the registry must know of a value.
pub(crate) trait Subject: Native {
    const KIND: Kind;
    /// An empty one that begins when the server's highest sequence is this.
    fn new(seq: u64) -> Self;
    fn sizes(&self) -> Sizes;
    fn is_empty(&self) -> bool;
    /// The tick at which something expires.
    fn next_tick(&self) -> Option<u64>;
    /// Books what leases hold in it.
    fn book(&self, space: &mut Space, key: KeyId, gained: bool);
    /// Has what nearly every change reads first fetched ahead.
    fn expect(&self) {}
}

/// A key that holds a value of one type or nothing.
#[derive(Debug)]
pub(crate) struct OpenKey<'a, T> {
    key: Key,
    name: &'a Str,
    db: u32,
    pub(crate) now_us: u64,
    /// Events are published; else they were by another server, and are only remembered.
    aloud: bool,
    of: PhantomData<T>,
}

// === impl OpenKey ===

impl<'a, T: Subject> OpenKey<'a, T> {
    /// For a command that writes. Listeners hear of an earlier reset first, which may be that of a
    /// key whose time turns out to be up.
    pub(crate) fn open(ctx: &Ctx, name: &'a Str) -> Result<Self, CommandError> {
        let key = Self::check(Key::open_write(ctx, name), ctx, name)?;
        resets::flush_of(ctx, key.db, name);
        Ok(key)
    }

    /// For a visit by the module itself.
    pub(crate) fn open_quietly(ctx: &Ctx, name: &'a Str) -> Result<Self, CommandError> {
        Self::check(Key::open_quietly(ctx, name), ctx, name)
    }

    /// For a change that a master made at `seq`, which about tells its clock. Nothing is published.
    pub(crate) fn follow(ctx: &Ctx, name: &'a Str, seq: u64) -> Result<Self, CommandError> {
        let key = Self::open(ctx, name)?;
        // What was due got a leave first, and the change one sequence more.
        Ok(Self { now_us: seq.saturating_sub(1), aloud: false, ..key })
    }

    fn check(mut key: Key, ctx: &Ctx, name: &'a Str) -> Result<Self, CommandError> {
        // The clock is read while the first of the value's memory is on its way.
        if let Some(value) = key.value::<T>()? {
            value.it.expect();
        }
        let (db, now_us) = (ctx.db(), clock::wall_us());
        Ok(Self { key, name, db, now_us, aloud: true, of: PhantomData })
    }

    /// The number of the value that is there.
    pub(crate) fn id(&mut self) -> Option<KeyId> {
        self.value().map(|value| value.id)
    }

    pub(crate) fn name(&self) -> &'a Str {
        self.name
    }

    /// The present second.
    pub(crate) fn now_s(&self) -> u32 {
        u32::try_from(self.now_us / 1_000_000).unwrap_or(u32::MAX)
    }

    /// Changes the value that is there; `None` when there is none.
    pub(crate) fn change<R>(
        &mut self,
        change: impl FnOnce(&mut T, &mut Acting<'_>) -> R,
    ) -> Option<R> {
        let (db, now_us, name) = (self.db, self.now_us, self.name);
        let value = self.value()?;
        if value.id == KeyId::NONE {
            attach(value, db, name.bytes());
        }
        let before = value.it.sizes();
        let result = cell::with(|state| {
            let mut acting = state.acting(db, (value.id, T::KIND), now_us);
            let result = change(&mut value.it, &mut acting);
            let space = state.space(db);
            space.resize(before, value.it.sizes());
            space.queue(value.id, value.it.next_tick());
            result
        });
        publish(self.key.ctx(), (db, name), self.aloud);
        Some(result)
    }

    /// The value that is there.
    pub(crate) fn get(&mut self) -> Option<&T> {
        self.value().map(|value| &value.it)
    }

    /// As [`Self::change`], on a new value when there is none.
    pub(crate) fn change_or_create<R>(
        &mut self,
        change: impl FnOnce(&mut T, &mut Acting<'_>) -> R,
    ) -> Option<R> {
        if self.value().is_none() {
            let seq = cell::with(|state| state.sequences.highest());
            self.key.set(Value { id: KeyId::NONE, it: T::new(seq) });
        }
        self.change(change)
    }

    /// The visit is over, with a change that keyspace listeners are told of.
    pub(crate) fn done(self, change: Option<Change>) {
        if change.is_some() && notify::is_asked() {
            let name = self.name;
            notify::tell(&self.key.close(), name, change, false);
        }
    }

    /// The same when the change may have emptied the value: what is empty is no key.
    pub(crate) fn done_maybe_empty(mut self, change: Option<Change>) {
        if self.delete_if_empty() {
            let name = self.name;
            notify::tell(&self.key.close(), name, change, true);
        } else {
            self.done(change);
        }
    }

    /// What is empty is no key. Nobody need read it again: its leaves were events.
    fn delete_if_empty(&mut self) -> bool {
        if !self.value().is_some_and(|value| value.it.is_empty()) {
            return false;
        }
        cell::with(|state| state.own_delete = true);
        self.key.delete();
        cell::with(|state| state.own_delete = false);
        true
    }

    fn value(&mut self) -> Option<&mut Value<T>> {
        self.key.value().ok().flatten()
    }
}

/// Puts a value that appeared under a key into the registry.
pub(crate) fn attach<T: Subject>(value: &mut Value<T>, db: u32, name: &[u8]) {
    cell::with(|state| {
        let space = state.space(db);
        value.id = space.attach(name, T::KIND);
        space.resize(Sizes::default(), value.it.sizes());
        value.it.book(space, value.id, true);
        space.queue(value.id, value.it.next_tick());
    });
}

/// Takes a value that goes from its key out of the registry.
pub(crate) fn detach<T: Subject>(value: &mut Value<T>, db: u32) {
    let key = std::mem::replace(&mut value.id, KeyId::NONE);
    if key != KeyId::NONE {
        cell::with(|state| {
            let space = state.space(db);
            value.it.book(space, key, false);
            space.resize(value.it.sizes(), Sizes::default());
            space.detach(key);
        });
    }
}

/// Publishes and remembers the events of the change that was just made.
fn publish(ctx: &Ctx, (db, name): (u32, &Str), aloud: bool) {
    let outbox = cell::with(|state| state.outbox.take_if(|outbox| !outbox.is_empty()));
    let Some(mut outbox) = outbox else { return };
    let of = Name::new(db, name.bytes());
    outbox.drain(|seq, event| {
        if aloud {
            ctx.publish(name, event);
        }
        cell::with(|state| {
            state.counters.events += u64::from(aloud);
            push(state, of, seq, event);
        });
    });
    cell::with(|state| state.outbox = Some(outbox));
}

/// Remembers an event of a name that the caller has published.
pub(crate) fn remember((db, name): (u32, &Str), seq: u64, event: &[u8]) {
    cell::with(|state| push(state, Name::new(db, name.bytes()), seq, event));
}

fn push(state: &mut State, of: Name<'_>, seq: u64, event: &[u8]) {
    // The timer's last visit is near enough, and costs nothing.
    let now = state.visited_ms;
    recent(state).push(now, of, seq, event);
}

/// The memory of recent events, as the settings want it now.
pub(crate) fn recent(state: &mut State) -> &mut Recent {
    if let Some(old) = state.recent.bound(config::recent_limits()) {
        reclaim::later(Box::new(old));
    }
    &mut state.recent
}

// === the two types ===

impl Subject for Roster {
    const KIND: Kind = Kind::Roster;

    fn new(seq: u64) -> Self {
        Roster::new(seq)
    }
    fn sizes(&self) -> Sizes {
        Roster::sizes(self)
    }
    fn is_empty(&self) -> bool {
        Roster::is_empty(self)
    }
    fn next_tick(&self) -> Option<u64> {
        self.first_deadline()
    }
    fn book(&self, space: &mut Space, key: KeyId, gained: bool) {
        let held = self.leases().map(|(lease, count)| (lease, count.into()));
        space.book((key, Kind::Roster), held, gained);
    }
    fn expect(&self) {
        Roster::expect(self);
    }
}

impl Subject for Book {
    const KIND: Kind = Kind::Book;

    fn new(_: u64) -> Self {
        Book::new()
    }
    fn sizes(&self) -> Sizes {
        Book::sizes(self)
    }
    fn is_empty(&self) -> bool {
        Book::is_empty(self)
    }
    fn next_tick(&self) -> Option<u64> {
        self.first_expiry().map(|second| u64::from(second) * 1000 / TICK_MS)
    }
    fn book(&self, space: &mut Space, key: KeyId, gained: bool) {
        let held = self.held().map(|(lease, count)| (lease, count.into()));
        space.book((key, Kind::Book), held, gained);
    }
}
