//! A roster under its key. Every change goes through here, so that registry, events and the
//! emptied key always follow it.

use crate::error::CommandError;
use crate::native::cell;
use crate::native::clock;
use crate::native::context::Ctx;
use crate::native::hooks;
use crate::native::key::{Key, Value};
use crate::native::string::Str;
use crate::registry::{KeyId, Kind};
use crate::roster::Roster;
use crate::state::{Acting, Outbox};

/// A key that holds a roster or nothing.
#[derive(Debug)]
pub(crate) struct RosterKey<'a> {
    key: Key,
    name: &'a Str,
    db: u32,
    pub(crate) now_us: u64,
}

// === impl RosterKey ===

impl<'a> RosterKey<'a> {
    /// For a command that writes. Listeners hear of earlier resets first.
    pub(crate) fn open(ctx: &Ctx, name: &'a Str) -> Result<Self, CommandError> {
        hooks::flush_resets(ctx);
        Self::check(Key::open_write(ctx, name), ctx, name)
    }

    /// For a visit by the module itself.
    pub(crate) fn open_quietly(ctx: &Ctx, name: &'a Str) -> Result<Self, CommandError> {
        Self::check(Key::open_quietly(ctx, name), ctx, name)
    }

    fn check(mut key: Key, ctx: &Ctx, name: &'a Str) -> Result<Self, CommandError> {
        key.value::<Roster>()?;
        Ok(Self { key, name, db: ctx.db(), now_us: clock::wall_us() })
    }

    /// The roster, if there is one.
    pub(crate) fn roster(&mut self) -> Option<&mut Value<Roster>> {
        self.key.value().ok().flatten()
    }

    /// Changes the roster that is there; `None` when there is none.
    pub(crate) fn change<R>(
        &mut self,
        change: impl FnOnce(&mut Roster, &mut Acting<'_>) -> R,
    ) -> Option<R> {
        let (db, now_us) = (self.db, self.now_us);
        let value = self.key.value::<Roster>().ok().flatten()?;
        if value.id == KeyId::NONE {
            attach(value, db, self.name.bytes());
        }
        let before = value.it.sizes();
        let result = cell::with(|state| {
            let result = change(&mut value.it, &mut state.acting(db, value.id, now_us));
            let space = state.space(db);
            space.resize(before, value.it.sizes());
            space.queue(value.id, value.it.first_deadline());
            result
        });
        publish(self.key.ctx(), self.name);
        Some(result)
    }

    /// As [`Self::change`], on a new roster when there is none.
    pub(crate) fn change_or_create<R>(
        &mut self,
        change: impl FnOnce(&mut Roster, &mut Acting<'_>) -> R,
    ) -> Option<R> {
        if self.roster().is_none() {
            self.key.set(Value { id: KeyId::NONE, it: Roster::new() });
        }
        self.change(change)
    }

    /// An emptied roster is no key. Nobody need read it again: its leaves were events.
    pub(crate) fn delete_if_empty(&mut self) {
        if self.roster().is_some_and(|value| value.it.is_empty()) {
            cell::with(|state| state.own_delete = true);
            self.key.delete();
            cell::with(|state| state.own_delete = false);
        }
    }
}

/// Puts a value that appeared under a key into the registry.
pub(crate) fn attach(value: &mut Value<Roster>, db: u32, name: &[u8]) {
    cell::with(|state| {
        value.id = state.space(db).attach(name, Kind::Roster);
        let space = state.space(db);
        space.resize(crate::registry::Sizes::default(), value.it.sizes());
        space.book(&value.it, value.id, true);
        space.queue(value.id, value.it.first_deadline());
        state.saw_seq(value.it.seq);
    });
}

/// Publishes the events of the change that was just made.
fn publish(ctx: &Ctx, name: &Str) {
    let mut outbox = cell::with(|state| {
        if state.outbox.is_empty() { None } else { Some(std::mem::take(&mut state.outbox)) }
    });
    if let Some(outbox) = &mut outbox {
        outbox.drain(|event| ctx.publish(name, event));
    }
    if let Some(outbox) = outbox {
        let _: Outbox = cell::with(|state| std::mem::replace(&mut state.outbox, outbox));
    }
}
