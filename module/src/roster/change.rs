//! What joins, changes and leaves do to a roster, and the events they cause.

use rollcall_wire::{Change, Event, Head, Member, Why};

use super::{ClientId, Holder, Ledger, Parts, Roster};

/// What a change needs from outside: sequences, the state of leases and clocks, listeners.
pub(crate) trait World: Ledger {
    /// The next sequence.
    fn next_seq(&mut self) -> u64;
    /// The highest sequence there is.
    fn highest_seq(&self) -> u64;
    /// When the database was emptied or exchanged: events since then follow that.
    fn lost_at(&self) -> u64;
    /// Why an entry of this holder should be gone already, if it should.
    fn due(&self, holder: Holder) -> Option<Why>;
    /// An event to publish.
    fn emit(&mut self, event: &Event<'_>);
    /// The database of the roster.
    fn db(&self) -> u32;
    /// An entry came; announced or not.
    fn joined(&mut self);
    /// An entry went; announced or not.
    fn left(&mut self, why: Why);
}

/// A client to add, or to change.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Add<'a> {
    /// `announced` means that the caller wants the join published.
    pub(crate) parts: Parts<'a>,
    pub(crate) holder: Holder,
    pub(crate) stay: Stay,
}

/// What the caller says of the client's stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stay {
    /// It begins, or goes on when the client is there.
    Any,
    /// It goes on: a join is marked as one that puts the entry back.
    Back,
    /// It begins: an entry that is there is of a stay that has ended.
    Anew,
}

/// What an [`add`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Added {
    /// Where the entry is.
    pub(crate) slot: u32,
    pub(crate) joined: bool,
    /// Something is to be replicated.
    pub(crate) changed: bool,
    /// An earlier stay was ended, which is to be replicated first; and the roster was at this
    /// sequence then.
    pub(crate) ended: Option<u64>,
}

/// What a [`remove`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removed {
    Absent,
    /// It should have been gone already: it went, but does not count.
    WasDue,
    Left,
}

/// Adds a client, or changes the entry that is there.
pub(crate) fn add(roster: &mut Roster, add: &Add<'_>, world: &mut impl World) -> Added {
    let mut parts = add.parts;
    let hashes = roster.hashes(&parts);
    let mut ended = None;
    if let Some(slot) = roster.find_by(parts.client, hashes.client) {
        let why = due(roster, slot, world);
        let old = roster.parts(slot).map(|old| (old.user == parts.user, old.announced));
        let goes_on = why.is_none() && add.stay != Stay::Anew;
        match old.filter(|_| goes_on) {
            Some((true, _)) => return change(roster, slot, add, world),
            Some((false, announced)) => parts.announced |= announced,
            None => {}
        }
        end(roster, slot, why.unwrap_or(Why::Removed), world);
        // What is told of the new stay tells of the end as well, except in these cases.
        let seq = roster.seq();
        let emptied = roster.begin_anew(world.highest_seq());
        ended = Some(seq).filter(|_| emptied || (why.is_none() && !goes_on));
    }
    let slot = roster.insert(&parts, hashes, add.holder, world);
    world.joined();
    if parts.announced {
        announce(roster, slot, add.stay == Stay::Back, world);
    }
    Added { slot, joined: true, changed: true, ended }
}

/// A client leaves because somebody says so.
pub(crate) fn remove(roster: &mut Roster, client: ClientId<'_>, world: &mut impl World) -> Removed {
    let Some(slot) = roster.find(client) else { return Removed::Absent };
    if let Some(why) = due(roster, slot, world) {
        end(roster, slot, why, world);
        return Removed::WasDue;
    }
    end(roster, slot, Why::Removed, world);
    Removed::Left
}

/// An entry goes, with its event if it was announced.
pub(crate) fn end(roster: &mut Roster, slot: u32, why: Why, world: &mut impl World) {
    if roster.parts(slot).is_some_and(|parts| parts.announced) {
        let seq = world.next_seq();
        leave(roster, slot, seq, Some(why), world);
    }
    roster.remove(slot, world);
    world.left(why);
}

/// The same user again: infos and holder may change, and the join may be announced at last.
fn change(roster: &mut Roster, slot: u32, add: &Add<'_>, world: &mut impl World) -> Added {
    let none = Added { slot, joined: false, changed: false, ended: None };
    let Some(old) = roster.parts(slot) else { return none };
    let mut parts = add.parts;
    let announced_before = old.announced;
    let other_info = old.conn_info != parts.conn_info || old.chan_info != parts.chan_info;
    parts.announced |= announced_before;
    if other_info {
        roster.set_infos(slot, &parts);
    } else if parts.announced {
        roster.set_announced(slot);
    }
    let other_holder = roster.set_holder(slot, add.holder, world);
    if parts.announced && !announced_before {
        announce(roster, slot, add.stay == Stay::Back, world);
    } else if announced_before && other_info {
        let head = next_head(roster, world);
        emit(roster, slot, head, Change::Update, world);
    }
    let changed = other_info || other_holder || parts.announced != announced_before;
    Added { slot, joined: false, changed, ended: None }
}

fn announce(roster: &mut Roster, slot: u32, back: bool, world: &mut impl World) {
    let head = next_head(roster, world);
    let first = roster.is_users_only(slot);
    emit(roster, slot, head, Change::Join { first, back }, world);
}

/// Tells that an entry, which is still there, is going.
pub(super) fn leave(
    roster: &mut Roster,
    slot: u32,
    seq: u64,
    why: Option<Why>,
    world: &mut impl World,
) {
    let last = roster.is_users_only(slot);
    let mut head = head_at(roster, seq, world);
    head.clients -= 1;
    head.users -= u64::from(last);
    emit(roster, slot, head, Change::Leave { last, why }, world);
}

/// Takes the next sequence for the roster as it stands.
fn next_head(roster: &mut Roster, world: &mut impl World) -> Head {
    let seq = world.next_seq();
    head_at(roster, seq, world)
}

/// Moves the roster as it stands to a sequence.
pub(super) fn head_at(roster: &mut Roster, seq: u64, world: &impl World) -> Head {
    let prev = match roster.seq() {
        0 => 0,
        prev => prev.max(world.lost_at()),
    };
    roster.set_seq(seq);
    Head {
        seq,
        prev,
        clients: u64::from(roster.clients()),
        users: u64::from(roster.users()),
        db: world.db(),
    }
}

pub(super) fn emit(roster: &Roster, slot: u32, head: Head, change: Change, world: &mut impl World) {
    let Some(parts) = roster.parts(slot) else { return };
    let mut room = [0; 36];
    let member = Member {
        client: parts.client.text(&mut room),
        user: parts.user,
        conn_info: parts.conn_info,
        chan_info: parts.chan_info,
    };
    world.emit(&Event::Member(head, change, member));
}

fn due(roster: &Roster, slot: u32, world: &impl World) -> Option<Why> {
    world.due(roster.holder(slot)?)
}
