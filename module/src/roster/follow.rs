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
    let news = seq > roster.seq();
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
    roster.set_seq(seq);
}

/// Removes entries, and tells the leaves that this was, the last of them at `seq`.
///
/// A master reads its clock once for a command and once for a visit of a key, so each sequence of
/// theirs but the first is the one before it plus one (`Sequences::next`).
pub(crate) fn cut(roster: &mut Roster, clients: &[&str], seq: u64, world: &mut impl World) {
    let announced = |roster: &Roster, slot| roster.parts(slot).is_some_and(|it| it.announced);
    let slots = clients.iter().filter_map(|client| roster.find(ClientId::new(client)));
    let mut to_come = slots.filter(|slot| announced(roster, *slot)).count() as u64;
    let news = seq > roster.seq();
    for client in clients {
        let Some(slot) = roster.find(ClientId::new(client)) else { continue };
        if news && announced(roster, slot) {
            to_come = to_come.saturating_sub(1);
            leave(roster, slot, seq.saturating_sub(to_come), None, world);
        }
        roster.remove(slot, world);
    }
    roster.set_seq(seq);
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use proptest::prelude::*;
    use rollcall_wire::{Event, Info, Why};

    use super::*;
    use crate::lease::{LeaseId, Leases};
    use crate::roster::change::{Add, Removed, Stay, add, end, remove};
    use crate::roster::store::live_holder;
    use crate::roster::{Ledger, Parts, TICK_MS};

    /// What a master and who follows it have in common, and the events of one of them.
    struct Outside<'a> {
        leases: &'a RefCell<Leases>,
        highest: u64,
        now_us: u64,
        events: Vec<String>,
    }

    impl Ledger for Outside<'_> {
        fn gained(&mut self, _: LeaseId, _: bool) {}
        fn lost(&mut self, _: LeaseId, _: bool) {}
    }

    impl World for Outside<'_> {
        fn next_seq(&mut self) -> u64 {
            self.highest = self.now_us.max(self.highest + 1);
            self.highest
        }
        fn highest_seq(&self) -> u64 {
            self.highest
        }
        fn lost_at(&self) -> u64 {
            0
        }
        fn due(&self, holder: Holder) -> Option<Why> {
            match holder {
                Holder::Lease(lease) => {
                    self.leases.borrow().alive(lease).is_none().then_some(Why::Lease)
                }
                Holder::Deadline(tick) => {
                    (tick * TICK_MS * 1000 <= self.now_us).then_some(Why::Expired)
                }
            }
        }
        /// Without what a follower cannot know.
        fn emit(&mut self, event: &Event<'_>) {
            let Event::Member(head, mut change, member) = *event else { return };
            match &mut change {
                Change::Join { back, .. } => *back = false,
                Change::Leave { why, .. } => *why = None,
                Change::Update => {}
            }
            let mut out = Vec::new();
            Event::Member(head, change, member).push_json(&mut out);
            self.events.push(String::from_utf8(out).unwrap());
        }
        fn db(&self) -> u32 {
            3
        }
        fn joined(&mut self) {}
        fn left(&mut self, _: Why) {}
    }

    #[derive(Debug, Clone)]
    enum Step {
        /// A client with one of a few users and infos, by a lease or for some ticks.
        Add {
            client: u8,
            anew: bool,
            user: u8,
            info: u8,
            lease: Option<u8>,
            ticks: u64,
            notify: bool,
        },
        Remove(Vec<u8>),
        /// A lease ends; its entries may leave later.
        End(u8),
        /// What is due leaves, at most so many.
        Sweep(usize),
        Wait(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let lease = prop_oneof![Just(None), (0u8..3).prop_map(Some)];
        let step = prop_oneof![
            8 => (0u8..6, 0u8..3, 0u8..3, lease, 1u64..6, 0u8..4).prop_map(
                |(client, user, info, lease, ticks, notify)| {
                    let (notify, anew) = (notify > 1, notify == 3);
                    Step::Add { client, anew, user, info, lease, ticks, notify }
                }
            ),
            2 => proptest::collection::vec(0u8..6, 1..5).prop_map(Step::Remove),
            1 => (0u8..3).prop_map(Step::End),
            1 => (1usize..5).prop_map(Step::Sweep),
            3 => (1u64..30).prop_map(Step::Wait),
        ];
        proptest::collection::vec(step, 0..120)
    }

    /// What a step is to whoever follows.
    enum Told {
        Put { record: Vec<u8>, ended: Option<(String, u64)> },
        Cut(Vec<String>),
        Nothing,
    }

    fn client(number: u8) -> String {
        format!("c{number}")
    }

    fn on_master(roster: &mut Roster, step: &Step, world: &mut Outside<'_>) -> Told {
        let mut gone = Vec::new();
        match step {
            Step::Add { client: number, anew, user, info, lease, ticks, notify } => {
                let (client, user) = (client(*number), ["", "ann", "bob"][usize::from(*user)]);
                let holder = match lease {
                    None => Holder::deadline(world.now_us / 1000 + ticks * TICK_MS),
                    Some(node) => {
                        let mut leases = world.leases.borrow_mut();
                        Holder::Lease(leases.ensure(&node.to_string(), 1000))
                    }
                };
                let conn_info = Info::classify([&b""[..], b"1", b"x"][usize::from(*info)]);
                let (id, announced) = (ClientId::new(&client), *notify);
                let parts = Parts { client: id, user, conn_info, chan_info: Info::None, announced };
                let stay = if *anew { Stay::Anew } else { Stay::Any };
                let added = add(roster, &Add { parts, holder, stay }, world);
                let mut record = Vec::new();
                roster.push_stored(added.slot, &world.leases.borrow(), &mut record);
                let ended = added.ended.map(|seq| (client, seq));
                return if added.changed { Told::Put { record, ended } } else { Told::Nothing };
            }
            Step::Remove(clients) => {
                for client in clients.iter().map(|number| client(*number)) {
                    if remove(roster, ClientId::new(&client), world) != Removed::Absent {
                        gone.push(client);
                    }
                }
            }
            Step::Sweep(most) => {
                for client in (0..6).map(client) {
                    let Some(slot) = roster.find(ClientId::new(&client)) else { continue };
                    let why = roster.holder(slot).and_then(|holder| world.due(holder));
                    if let Some(why) = why.filter(|_| gone.len() < *most) {
                        end(roster, slot, why, world);
                        gone.push(client);
                    }
                }
            }
            Step::End(node) => drop(world.leases.borrow_mut().end(&node.to_string(), 0)),
            // Never to where a deadline and a sequence meet.
            Step::Wait(centis) => world.now_us += centis * 10_000,
        }
        if gone.is_empty() { Told::Nothing } else { Told::Cut(gone) }
    }

    proptest! {
        #[test]
        fn whoever_follows_tells_the_same_events(steps in steps()) {
            let leases = RefCell::new(Leases::new());
            let outside = |now_us| Outside { leases: &leases, highest: 0, now_us, events: vec![] };
            let (mut master, mut follower) = (outside(1_000_000_000_500), outside(0));
            let (mut there, mut here) = (Roster::new(0), Roster::new(0));
            for step in &steps {
                let told = on_master(&mut there, step, &mut master);
                follower.now_us = there.seq().saturating_sub(1);
                match told {
                    Told::Put { record, ended } => {
                        if let Some((client, seq)) = ended {
                            cut(&mut here, &[&client], seq, &mut follower);
                            if here.is_empty() {
                                here = Roster::new(0);
                            }
                        }
                        let entry = StoredEntry::parse(&record).unwrap();
                        let holder = live_holder(entry.holder, &mut leases.borrow_mut());
                        put(&mut here, &entry, holder, there.seq(), &mut follower);
                    }
                    Told::Cut(clients) => {
                        let clients: Vec<&str> = clients.iter().map(String::as_str).collect();
                        cut(&mut here, &clients, there.seq(), &mut follower);
                    }
                    Told::Nothing => {}
                }
                prop_assert_eq!(&follower.events, &master.events);
                prop_assert_eq!((here.seq(), here.clients()), (there.seq(), there.clients()));
                if there.is_empty() {
                    (there, here) = (Roster::new(0), Roster::new(0));
                }
            }
        }
    }

    fn entry(client: &str) -> StoredEntry<'_> {
        StoredEntry {
            client,
            user: "ann",
            conn_info: b"",
            chan_info: b"",
            announced: true,
            holder: rollcall_wire::stored::StoredHolder::Deadline(1000),
        }
    }

    #[test]
    fn the_same_again_at_another_sequence_had_left_whoever_ended_it() {
        let leases = RefCell::new(Leases::new());
        // By this clock nothing is due: the next master of a slot hears of no lease's end.
        let mut world = Outside { leases: &leases, highest: 0, now_us: 0, events: vec![] };
        let mut roster = Roster::new(0);
        for seq in [7, 7, 9] {
            put(&mut roster, &entry("c1"), Holder::Deadline(10), seq, &mut world);
        }
        let kinds: Vec<&str> = world.events.iter().map(|event| &event[..24]).collect();
        let expected = [
            r#"{"t":"join","seq":7,"pre"#,
            r#"{"t":"leave","seq":8,"pr"#,
            r#"{"t":"join","seq":9,"pre"#,
        ];
        assert_eq!(kinds, expected);
    }

    #[test]
    fn what_was_told_before_is_no_event() {
        let leases = RefCell::new(Leases::new());
        let mut world = Outside { leases: &leases, highest: 0, now_us: 0, events: vec![] };
        let mut roster = Roster::new(0);
        for client in ["c1", "c2", "c3"] {
            put(&mut roster, &entry(client), Holder::Deadline(10), 7, &mut world);
        }
        cut(&mut roster, &["c1"], 7, &mut world);
        assert_eq!((world.events.len(), roster.clients(), roster.seq()), (1, 2, 7));
    }
}
