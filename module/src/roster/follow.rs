//! What a master's changes of a roster were to its listeners, told from the changes alone: whoever
//! follows a master remembers the same events, and can tell them when it is the master.
//!
//! Two things are not replicated. A join may have been one of an entry that was put back: here
//! every join says so, as whoever shows the client then shows nothing new. And why somebody left:
//! here no leave says it.

use rollcall_wire::Change;
use rollcall_wire::stored::StoredEntry;

use super::change::{World, emit, head_at, leave};
use super::store::stored_parts;
use super::{ClientId, Holder, Roster};

/// Makes an entry what a stored form says, and tells the events that this was, up to `seq`. The
/// clock of `world` is the master's.
pub(crate) fn put(
    roster: &mut Roster,
    entry: &StoredEntry<'_>,
    holder: Holder,
    seq: u64,
    world: &mut impl World,
) {
    let parts = stored_parts(entry);
    // Without a new sequence there was no event.
    let news = seq > roster.seq;
    let there = roster.find(parts.client);
    let old = there.and_then(|slot| roster.parts(slot)).filter(|old| old.announced);
    let is_new = old.is_none();
    let same_user = old.is_some_and(|old| old.user == parts.user);
    let same_info =
        old.is_some_and(|old| (old.conn_info, old.chan_info) == (parts.conn_info, parts.chan_info));
    // An entry that was due was ended first. What is the same afterwards can only have been that;
    // of what is not the holder tells.
    let due = |slot| roster.holder(slot).is_some_and(|holder| world.due(holder).is_some());
    let ended =
        there.filter(|slot| !is_new && (!same_user || !parts.announced || same_info || due(*slot)));
    if let Some(slot) = ended.filter(|_| news) {
        leave(roster, slot, seq - u64::from(parts.announced), None, world);
    }
    let slot = roster.put_parts(&parts, holder, world);
    if news && parts.announced {
        let head = head_at(roster, seq, world);
        if is_new || ended.is_some() {
            let first = roster.is_users_only(slot);
            emit(roster, slot, head, Change::Join { first, back: true }, world);
        } else {
            emit(roster, slot, head, Change::Update, world);
        }
    }
    roster.seq = seq;
}

/// Removes entries, and tells the leaves that this was, the last of them at `seq`.
///
/// A master reads its clock once for a command and once for a visit of a key, so each sequence of
/// theirs but the first is the one before it plus one (`State::next_seq`).
pub(crate) fn cut(roster: &mut Roster, clients: &[&str], seq: u64, world: &mut impl World) {
    let announced = |roster: &Roster, slot| roster.parts(slot).is_some_and(|it| it.announced);
    let slots = clients.iter().filter_map(|client| roster.find(ClientId::new(client)));
    let mut to_come = slots.filter(|slot| announced(roster, *slot)).count() as u64;
    let news = seq > roster.seq;
    for client in clients {
        let Some(slot) = roster.find(ClientId::new(client)) else { continue };
        if news && announced(roster, slot) {
            to_come = to_come.saturating_sub(1);
            leave(roster, slot, seq.saturating_sub(to_come), None, world);
        }
        roster.remove(slot, world);
    }
    roster.seq = seq;
}
