//! What nodes of a cluster say about who owns which slots: `CLUSTER NODES`, and redirections.
//!
//! Nodes may disagree while news travels. Each master's claim carries its configuration epoch, and
//! for each slot the claim with the highest one counts, as it does among the nodes themselves.

use std::collections::{BTreeMap, BTreeSet};

use super::slots::SLOTS;
use crate::config::RedisAddress;

/// Nobody owns the slot.
pub(super) const NOBODY: u16 = u16::MAX;

/// What one node says about all of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct View {
    masters: Vec<Claim>,
    /// What this node says of slots on their way from it or to it.
    pub(super) marks: BTreeSet<String>,
    /// The slots that the node that says this owns itself.
    own_slots: usize,
    /// The id of the node that says this, and of all that it knows.
    own_id: String,
    ids: BTreeSet<String>,
}

/// A master and the slots it owns.
#[derive(Debug, PartialEq, Eq)]
struct Claim {
    address: RedisAddress,
    /// What else it is called by: nodes may name each other in either way.
    alias: Option<RedisAddress>,
    epoch: u64,
    /// The node says this of itself.
    own: bool,
    slots: Vec<(u16, u16)>,
}

/// An address, and the other one of the same node.
pub(super) type Named = (RedisAddress, Option<RedisAddress>);

/// Who owns what, as far as is known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Owners {
    /// Every master, also those without slots: slots may come to them at any time.
    pub(super) masters: Vec<Named>,
    /// The configuration epoch of each; it grows when slots come to a master.
    pub(super) epochs: Vec<u64>,
    /// For each slot a place in `masters`, or [`NOBODY`].
    pub(super) slots: Vec<u16>,
}

/// Where a node sends us for a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Redirect {
    /// The slot belongs to another node.
    Moved { slot: u16, address: RedisAddress },
    /// The slot is on its way, and this key is not here any more.
    Ask { address: RedisAddress },
    /// The key is on its way right now.
    TryAgain,
}

// === impl View ===

impl View {
    /// Reads the reply of `CLUSTER NODES`; `asked` is where it came from, for nodes that do not
    /// know their own address. `None` when it is not such a reply. Nodes are called by their
    /// host names where they have some if `by_name`, for certificates to be compared with.
    ///
    /// <https://redis.io/docs/latest/commands/cluster-nodes/>
    pub(super) fn parse(text: &str, asked: &RedisAddress, by_name: bool) -> Option<Self> {
        let mut view = Self::default();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            view.read_line(line, asked, by_name)?;
        }
        Some(view)
    }

    fn read_line(&mut self, line: &str, asked: &RedisAddress, by_name: bool) -> Option<()> {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [id, address, flags, _master, _ping, _pong, epoch, _link, slots @ ..] = &fields[..]
        else {
            return None;
        };
        let flags: Vec<&str> = flags.split(',').collect();
        self.ids.insert((*id).to_owned());
        if flags.contains(&"myself") {
            (*id).clone_into(&mut self.own_id);
        }
        let marks = slots.iter().filter(|slot| slot.starts_with('['));
        self.marks.extend(marks.map(|mark| (*mark).to_owned()));
        let unknown = ["noaddr", "handshake"].iter().any(|flag| flags.contains(flag));
        if unknown || !flags.contains(&"master") {
            return Some(());
        }
        let slots: Vec<&str> =
            slots.iter().copied().filter(|slot| !slot.starts_with('[')).collect();
        if slots.is_empty() && flags.contains(&"fail") {
            // Another has taken over from it.
            return Some(());
        }
        let own = flags.contains(&"myself");
        let (address, alias) = node_address(address, asked, by_name)?;
        let slots: Vec<_> = slots.into_iter().map(slot_range).collect::<Option<_>>()?;
        if own {
            self.own_slots = slots.iter().map(|(first, last)| usize::from(last - first) + 1).sum();
        }
        self.masters.push(Claim { address, alias, own, epoch: epoch.parse().ok()?, slots });
        Some(())
    }
}

/// `host:port@bus[,hostname[,…]]`; older servers leave parts of the end out.
fn node_address(text: &str, asked: &RedisAddress, by_name: bool) -> Option<Named> {
    let mut parts = text.split(',');
    let address = redirected_to(parts.next()?.split('@').next()?, asked)?;
    let (RedisAddress::Tcp { port, .. }, Some(name)) =
        (&address, parts.next().filter(|name| !name.is_empty()))
    else {
        return Some((address, None));
    };
    let named = RedisAddress::Tcp { host: name.to_owned(), port: *port };
    Some(if by_name { (named, Some(address)) } else { (address, Some(named)) })
}

fn slot_range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last && usize::from(last) < SLOTS).then_some((first, last))
}

/// `host:port`, the host without brackets also when it is IPv6; empty for the one that was asked.
fn redirected_to(text: &str, asked: &RedisAddress) -> Option<RedisAddress> {
    let (host, port) = text.rsplit_once(':')?;
    let host = match (host.trim_start_matches('[').trim_end_matches(']'), asked) {
        ("" | "?", RedisAddress::Tcp { host, .. }) => host.as_str(),
        // A socket is on this machine.
        ("" | "?", RedisAddress::Unix { .. }) => "127.0.0.1",
        (host, _) => host,
    };
    let port = port.parse().ok().filter(|port| *port != 0)?;
    Some(RedisAddress::Tcp { host: host.to_owned(), port })
}

// === impl Owners ===

impl Owners {
    /// Whether somebody owns something: a node that was taken out of its cluster knows nobody.
    pub(super) fn are_known(&self) -> bool {
        self.slots.iter().any(|owner| *owner != NOBODY)
    }

    /// Puts together what several nodes of one cluster say.
    pub(super) fn of(views: &[View]) -> Self {
        let views = of_one_cluster(views).into_iter();
        let mut claims: BTreeMap<String, &Claim> = BTreeMap::new();
        for claim in views.flat_map(|view| &view.masters) {
            let known = claims.entry(claim.address.to_string()).or_insert(claim);
            if (known.epoch, known.own) < (claim.epoch, claim.own) {
                *known = claim;
            }
        }
        let mut slots = vec![NOBODY; SLOTS];
        let mut newest = vec![0; SLOTS];
        let (mut masters, mut epochs) = (Vec::new(), Vec::new());
        for claim in claims.into_values() {
            let Ok(place) = u16::try_from(masters.len()) else { break };
            masters.push((claim.address.clone(), claim.alias.clone()));
            epochs.push(claim.epoch);
            for slot in claim.slots.iter().flat_map(|(first, last)| *first..=*last) {
                let slot = usize::from(slot);
                if slots[slot] == NOBODY || newest[slot] < claim.epoch {
                    (slots[slot], newest[slot]) = (place, claim.epoch);
                }
            }
        }
        Self { masters, epochs, slots }
    }
}

/// The views of nodes that know each other; where there are several such, the most. A node that was
/// taken out of the cluster knows only itself, those it has left, or strangers. One without slots is
/// asked only if there is no other.
fn of_one_cluster(views: &[View]) -> Vec<&View> {
    let some_own = views.iter().any(|view| view.own_slots > 0);
    let views: Vec<&View> = views.iter().filter(|view| view.own_slots > 0 || !some_own).collect();
    let knows = |one: &View, other: &View| one.ids.contains(&other.own_id);
    let groups = views.iter().map(|view| {
        let friends = views.iter().filter(|other| knows(view, other) && knows(other, view));
        friends.copied().collect::<Vec<_>>()
    });
    let slots = |group: &[&View]| group.iter().map(|view| view.own_slots).sum::<usize>();
    groups.max_by_key(|group| (group.len(), slots(group))).unwrap_or_default()
}

// === impl Redirect ===

impl Redirect {
    /// Reads an error of a node, asked at `asked`; `None` when it is no redirection.
    pub(super) fn parse(error: &str, asked: &RedisAddress) -> Option<Self> {
        let mut words = error.split_ascii_whitespace();
        match words.next()? {
            "TRYAGAIN" => Some(Self::TryAgain),
            word @ ("MOVED" | "ASK") => {
                let slot = words.next()?.parse().ok()?;
                let address = redirected_to(words.next()?, asked)?;
                Some(match word {
                    "ASK" => Self::Ask { address },
                    _ => Self::Moved { slot, address },
                })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
