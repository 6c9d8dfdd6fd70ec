//! Random steps against a plain list, which is slow and obviously right.

use proptest::prelude::*;
use rollcall_wire::stored::StoredEntry;
use rollcall_wire::{Change, Event, Info, Why};

use super::change::{Add, Removed, Stay, World, add, end, remove};
use super::scan::{BadCursor, Cursor};
use super::{ClientId, Holder, Ledger, Parts, Roster};
use crate::lease::{LeaseId, Leases};
use crate::stored::Stored;

/// Counts what leases hold, draws sequences, keeps events as text.
#[derive(Default)]
struct Outside {
    seq: u64,
    held: std::collections::BTreeMap<LeaseId, i64>,
    events: Vec<String>,
    ended: Vec<LeaseId>,
}

impl Ledger for Outside {
    fn gained(&mut self, lease: LeaseId, first_here: bool) {
        let held = self.held.entry(lease).or_default();
        assert_eq!(first_here, *held == 0);
        *held += 1;
    }
    fn lost(&mut self, lease: LeaseId, last_here: bool) {
        let held = self.held.entry(lease).or_default();
        *held -= 1;
        assert_eq!(last_here, *held == 0);
    }
}

impl World for Outside {
    fn highest_seq(&self) -> u64 {
        0
    }
    fn lost_at(&self) -> u64 {
        0
    }
    fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }
    fn due(&self, holder: Holder) -> Option<Why> {
        match holder {
            Holder::Lease(lease) => self.ended.contains(&lease).then_some(Why::Lease),
            Holder::Deadline(_) => None,
        }
    }
    fn emit(&mut self, event: &Event<'_>) {
        let Event::Member(head, change, member) = event else { return };
        let what = match change {
            Change::Join { first, .. } => format!("join first={first}"),
            Change::Update => String::from("update"),
            Change::Leave { last, why } => {
                format!("leave last={last} {}", why.map_or("", Why::as_str))
            }
        };
        let (client, user) = (member.client, member.user);
        self.events.push(format!("{what} {client} {user} {}/{}", head.clients, head.users));
    }
    fn db(&self) -> u32 {
        0
    }
    fn joined(&mut self) {}
    fn left(&mut self, _: Why) {}
}

#[derive(Debug, Clone, PartialEq)]
struct Plain {
    client: String,
    user: String,
    info: Vec<u8>,
    holder: Holder,
    announced: bool,
}

#[derive(Debug, Clone)]
enum Step {
    Add { client: u8, user: u8, info: u8, holder: Holder, notify: bool, stay: Stay },
    Remove(u8),
    EndLease(u8),
}

fn lease(leases: &mut Leases, node: u8) -> LeaseId {
    leases.ensure(&node.to_string(), 1000)
}

fn client(number: u8) -> String {
    if number.is_multiple_of(2) {
        format!("0f2c4e6a-8b0d-1f3e-5a7c-9e1b3d5f7a{number:02x}")
    } else {
        format!("client{number}")
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let mut leases = Leases::new();
    let ids: Vec<LeaseId> = (0..4).map(|node| lease(&mut leases, node)).collect();
    let holder = prop_oneof![
        (0usize..4).prop_map(move |at| Holder::Lease(ids[at])),
        (1u64..20).prop_map(Holder::Deadline),
    ];
    let step = prop_oneof![
        6 => (0u8..60, 0u8..12, 0u8..3, holder, any::<(bool, bool)>()).prop_map(
            |(client, user, info, holder, (notify, anew))| Step::Add { client, user, info, holder, notify, stay: if notify && anew { Stay::Anew } else { Stay::Any } }
        ),
        3 => (0u8..60).prop_map(Step::Remove),
        1 => (0u8..4).prop_map(Step::EndLease),
    ];
    proptest::collection::vec(step, 0..250)
}

fn parts<'a>(client: &'a str, user: &'a str, info: &'a [u8], announced: bool) -> Parts<'a> {
    let conn_info = Info::classify(info);
    Parts { client: ClientId::new(client), user, conn_info, chan_info: Info::None, announced }
}

fn contents(roster: &Roster) -> Vec<(String, String, Vec<u8>, bool)> {
    let mut all = Vec::new();
    roster.for_each(|parts| all.push(plain(&parts)));
    all.sort();
    all
}

fn plain(parts: &Parts<'_>) -> (String, String, Vec<u8>, bool) {
    let client = parts.client.text(&mut [0; 36]).to_owned();
    (client, parts.user.to_owned(), parts.conn_info.bytes().to_vec(), parts.announced)
}

fn step(roster: &mut Roster, model: &mut Vec<Plain>, world: &mut Outside, step: &Step) {
    match step {
        Step::Add { client: number, user, info, holder, notify, stay } => {
            let client = client(*number);
            let user = if *user == 0 { String::new() } else { format!("u{user}") };
            let info = vec![b'{'; usize::from(*info)];
            let parts = parts(&client, &user, &info, *notify);
            let added = add(roster, &Add { parts, holder: *holder, stay: *stay }, world);
            let old = model.iter().position(|plain| plain.client == client);
            let old = old.map(|at| model.swap_remove(at));
            assert_eq!(
                added.joined,
                *stay == Stay::Anew || old.as_ref().is_none_or(|old| old.user != user)
            );
            let announced = *notify || old.is_some_and(|old| old.announced);
            model.push(Plain { client, user, info, holder: *holder, announced });
        }
        Step::Remove(number) => {
            let client = client(*number);
            let removed = remove(roster, ClientId::new(&client), world);
            let before = model.len();
            model.retain(|plain| plain.client != client);
            assert_eq!(removed == Removed::Left, model.len() < before);
        }
        Step::EndLease(node) => {
            let mut leases = Leases::new();
            let ids: Vec<LeaseId> = (0..4).map(|node| lease(&mut leases, node)).collect();
            let holder = Holder::Lease(ids[usize::from(*node)]);
            while let Some(slot) = roster.held_by(holder) {
                end(roster, slot, Why::Lease, world);
            }
            model.retain(|plain| plain.holder != holder);
        }
    }
}

proptest! {
    #[test]
    fn a_roster_is_a_list_of_entries(steps in steps()) {
        let (mut roster, mut model, mut world) = (Roster::new(0), Vec::new(), Outside::default());
        for one in &steps {
            step(&mut roster, &mut model, &mut world, one);
            let users: std::collections::BTreeSet<&str> =
                model.iter().map(|plain: &Plain| plain.user.as_str()).collect();
            prop_assert_eq!(roster.clients() as usize, model.len());
            prop_assert_eq!(roster.users() as usize, users.len());
            let first = model.iter().filter_map(|plain| match plain.holder {
                Holder::Deadline(tick) => Some(tick),
                Holder::Lease(_) => None,
            }).min();
            prop_assert_eq!(roster.first_deadline(), first);
        }
        let mut expected: Vec<_> = model
            .iter()
            .map(|p| (p.client.clone(), p.user.clone(), p.info.clone(), p.announced))
            .collect();
        expected.sort();
        prop_assert_eq!(contents(&roster), expected);
        for (lease, held) in &world.held {
            let holder = Holder::Lease(*lease);
            let expected = model.iter().filter(|plain| plain.holder == holder).count();
            prop_assert_eq!(usize::try_from(*held).unwrap(), expected);
        }
        for user in model.iter().map(|plain| &plain.user) {
            let mut found = Vec::new();
            roster.scan_user(user, Cursor::Start, 1000, |parts| found.push(plain(&parts).0)).unwrap();
            found.sort();
            let mut expected: Vec<_> =
                model.iter().filter(|p| p.user == *user).map(|p| p.client.clone()).collect();
            expected.sort();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn whoever_stays_is_scanned_exactly_once(before in steps(), during in steps(), of_user: bool) {
        let (mut roster, mut model, mut world) = (Roster::new(0), Vec::new(), Outside::default());
        for one in &before {
            step(&mut roster, &mut model, &mut world, one);
        }
        let mut stayed: Vec<_> = model.iter().map(|p| (p.client.clone(), p.user.clone())).collect();
        let (mut cursor, mut seen) = (Cursor::Start, Vec::new());
        let mut during = during.iter();
        loop {
            let see = |parts: Parts<'_>| seen.push(plain(&parts).0);
            cursor = if of_user {
                roster.scan_user("u1", cursor, 3, see)
            } else {
                roster.scan(cursor, 3, see)
            }.unwrap();
            prop_assert_eq!(Cursor::parse(cursor.text().as_bytes()), Some(cursor));
            if cursor == Cursor::Start {
                break;
            }
            for one in during.by_ref().take(4) {
                step(&mut roster, &mut model, &mut world, one);
                // Whoever left, came anew or changed its user did not stay.
                match one {
                    Step::Remove(number) | Step::Add { client: number, stay: Stay::Anew, .. } => stayed.retain(|p| p.0 != client(*number)),
                    _ => stayed.retain(|p| model.iter().any(|m| m.client == p.0 && m.user == p.1)),
                }
            }
        }
        for (client, _) in stayed.iter().filter(|p| !of_user || p.1 == "u1") {
            prop_assert_eq!(seen.iter().filter(|seen| *seen == client).count(), 1);
        }
    }

    #[test]
    fn stored_entries_make_an_equal_roster(steps in steps()) {
        let (mut roster, mut model, mut world) = (Roster::new(0), Vec::new(), Outside::default());
        for one in &steps {
            step(&mut roster, &mut model, &mut world, one);
        }
        let leases = Leases::new();
        let (mut copy, mut other) = (Roster::new(0), Outside::default());
        roster.for_each_stored(&leases, |bytes| {
            let entry = StoredEntry::parse(bytes).unwrap();
            let slot = roster.find(ClientId::new(entry.client)).unwrap();
            copy.put_stored(&entry, roster.holder(slot).unwrap(), &mut other);
        });
        prop_assert_eq!(contents(&copy), contents(&roster));
        prop_assert_eq!(copy.users(), roster.users());
    }
}

#[test]
fn events_tell_each_announced_change_once() {
    let (mut roster, mut world) = (Roster::new(0), Outside::default());
    let lease = lease(&mut Leases::new(), 0);
    let mut put = |world: &mut Outside, client: &str, user: &str, info: &[u8], notify: bool| {
        let parts = parts(client, user, info, notify);
        add(&mut roster, &Add { parts, holder: Holder::Lease(lease), stay: Stay::Any }, world);
    };
    put(&mut world, "quiet", "1", b"", false);
    put(&mut world, "a", "1", b"", true);
    put(&mut world, "a", "1", b"", true);
    put(&mut world, "a", "1", b"{}", false);
    put(&mut world, "a", "2", b"{}", false);
    put(&mut world, "quiet", "1", b"x", true);
    world.ended.push(lease);
    put(&mut world, "a", "2", b"{}", false);
    remove(&mut roster, ClientId::new("quiet"), &mut world);
    insta::assert_snapshot!(world.events.join("\n"), @r"
    join first=false a 1 2/1
    update a 1 2/1
    leave last=false removed a 1 1/1
    join first=true a 2 2/2
    join first=true quiet 1 2/2
    leave last=true lease a 2 1/1
    leave last=true lease quiet 1 1/1
    ");
    assert_eq!((roster.clients(), roster.seq()), (1, 7));
}

#[test]
fn who_comes_anew_ends_an_earlier_stay() {
    let (mut roster, mut world) = (Roster::new(0), Outside::default());
    let lease = lease(&mut Leases::new(), 0);
    let mut put = |client: &str, info: &[u8], stay: Stay| {
        let parts = parts(client, "1", info, true);
        let holder = Holder::Lease(lease);
        add(&mut roster, &Add { parts, holder, stay }, &mut world).ended
    };
    assert_eq!(put("a", b"", Stay::Anew), None);
    assert_eq!(put("a", b"", Stay::Any), None);
    assert_eq!(put("a", b"{}", Stay::Anew), Some(2));
    put("b", b"", Stay::Anew);
    assert_eq!(put("a", b"{}", Stay::Anew), Some(5));
    insta::assert_snapshot!(world.events.join("\n"), @r"
    join first=true a 1 1/1
    leave last=true removed a 1 0/0
    join first=true a 1 1/1
    join first=false b 1 2/1
    leave last=false removed a 1 1/1
    join first=false a 1 2/1
    ");
}

#[test]
fn a_cursor_is_good_for_one_life() {
    let (mut one, mut other) = (Roster::new(0), Roster::new(0));
    for roster in [&mut one, &mut other] {
        for number in 0..9 {
            let name = client(number);
            let parts = parts(&name, "u", b"", false);
            let hashes = roster.hashes(&parts);
            roster.insert(&parts, hashes, Holder::Deadline(1), &mut Outside::default());
        }
    }
    let cursor = one.scan(Cursor::Start, 2, |_| {}).unwrap();
    assert_eq!(other.scan(cursor, 2, |_| {}), Err(BadCursor));
    assert_eq!(one.scan_user("u", cursor, 2, |_| {}), Err(BadCursor));
    assert!(one.scan(cursor, 100, |_| {}).is_ok());
    for bad in ["", "-", "x-1", "1-2-3-4", "1"] {
        assert_eq!(Cursor::parse(bad.as_bytes()), None);
    }
}
