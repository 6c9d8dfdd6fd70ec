//! Entries and records as RDB, `DUMP`, AOF and replicas hold them.
//!
//! One byte string per entry, the same everywhere. A change of its shape needs a new version and
//! a reader for the old one: the fixtures below must read for ever.

use crate::{caps, varint};

/// Version of the forms below, in RDB and as the first word after the key of internal commands.
pub const VERSION: u32 = 1;

/// A lease as stored things name it: enough to create it where it is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseName<'a> {
    /// The node that holds it.
    pub node: &'a str,
    /// Its full time in milliseconds.
    pub px: u64,
}

/// How long a stored entry lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredHolder<'a> {
    /// Its lease ended already: it leaves as soon as a master holds it.
    Due,
    /// Until this Unix time in milliseconds.
    Deadline(u64),
    /// As long as the lease.
    Lease(LeaseName<'a>),
}

/// An entry of a roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredEntry<'a> {
    /// The client id.
    pub client: &'a str,
    /// The user id, possibly empty.
    pub user: &'a str,
    /// Connection info, empty for none.
    pub conn_info: &'a [u8],
    /// Channel info, empty for none.
    pub chan_info: &'a [u8],
    /// Whether its join was published.
    pub announced: bool,
    /// How long it lives.
    pub holder: StoredHolder<'a>,
}

/// A record of a status book. Times are Unix seconds, 0 for never.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredStatus<'a> {
    /// The user id.
    pub user: &'a str,
    /// When the user was last active.
    pub active: u32,
    /// When the user was last online.
    pub online: u32,
    /// Seconds the record lives after its last holder let go, when held; else the Unix second at
    /// which it goes.
    pub expiry: u32,
    /// The live leases that hold the user online.
    pub holders: Vec<LeaseName<'a>>,
}

const ANNOUNCED: u64 = 1;
const HOLDER_SHIFT: u32 = 1;

// === impl StoredEntry ===

impl<'a> StoredEntry<'a> {
    /// Appends the entry.
    pub fn push(&self, out: &mut Vec<u8>) {
        let kind: u64 = match self.holder {
            StoredHolder::Due => 0,
            StoredHolder::Deadline(_) => 1,
            StoredHolder::Lease(_) => 2,
        };
        varint::push(out, u64::from(self.announced) | kind << HOLDER_SHIFT);
        varint::push_bytes(out, self.client.as_bytes());
        varint::push_bytes(out, self.user.as_bytes());
        varint::push_bytes(out, self.conn_info);
        varint::push_bytes(out, self.chan_info);
        match self.holder {
            StoredHolder::Due => {}
            StoredHolder::Deadline(ms) => varint::push(out, ms),
            StoredHolder::Lease(lease) => lease.push(out),
        }
    }

    /// Reads an entry back; `None` for anything that [`Self::push`] does not write.
    pub fn parse(mut input: &'a [u8]) -> Option<Self> {
        let input = &mut input;
        let flags = varint::take(input)?;
        let client = text(input, caps::CLIENT)?;
        let user = text(input, caps::USER)?;
        let conn_info = varint::take_bytes(input, caps::INFO)?;
        let chan_info = varint::take_bytes(input, caps::INFO)?;
        let holder = match flags >> HOLDER_SHIFT {
            0 => StoredHolder::Due,
            1 => StoredHolder::Deadline(varint::take(input)?),
            2 => StoredHolder::Lease(LeaseName::take(input)?),
            _ => return None,
        };
        let announced = flags & ANNOUNCED != 0;
        (input.is_empty() && !client.is_empty()).then_some(Self {
            client,
            user,
            conn_info,
            chan_info,
            announced,
            holder,
        })
    }
}

// === impl StoredStatus ===

impl<'a> StoredStatus<'a> {
    /// Appends the record.
    pub fn push(&self, out: &mut Vec<u8>) {
        varint::push_bytes(out, self.user.as_bytes());
        for number in [self.active, self.online, self.expiry] {
            varint::push(out, u64::from(number));
        }
        varint::push(out, self.holders.len() as u64);
        for holder in &self.holders {
            holder.push(out);
        }
    }

    /// Reads a record back; `None` for anything that [`Self::push`] does not write.
    pub fn parse(mut input: &'a [u8]) -> Option<Self> {
        let input = &mut input;
        let user = text(input, caps::USER)?;
        let mut number = || u32::try_from(varint::take(input)?).ok();
        let (active, online, expiry) = (number()?, number()?, number()?);
        let count = varint::take(input)?;
        // Grown holder by holder: the count alone must not size an allocation.
        let mut holders = Vec::new();
        for _ in 0..count {
            holders.push(LeaseName::take(input)?);
        }
        (input.is_empty() && !user.is_empty()).then_some(Self {
            user,
            active,
            online,
            expiry,
            holders,
        })
    }
}

// === impl LeaseName ===

impl<'a> LeaseName<'a> {
    fn push(&self, out: &mut Vec<u8>) {
        varint::push_bytes(out, self.node.as_bytes());
        varint::push(out, self.px);
    }

    fn take(input: &mut &'a [u8]) -> Option<Self> {
        let node = text(input, caps::NODE)?;
        let px = varint::take(input)?;
        (!node.is_empty() && (1..=caps::LEASE_MS).contains(&px)).then_some(Self { node, px })
    }
}

fn text<'a>(input: &mut &'a [u8], max: usize) -> Option<&'a str> {
    std::str::from_utf8(varint::take_bytes(input, max)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: StoredEntry<'_> = StoredEntry {
        client: "c1",
        user: "42",
        conn_info: b"{}",
        chan_info: b"",
        announced: true,
        holder: StoredHolder::Lease(LeaseName { node: "n", px: 2500 }),
    };

    /// Written by version 1. Never change these bytes; add a line per new version instead.
    const ENTRY_V1: &[u8] = b"\x05\x02c1\x0242\x02{}\x00\x01n\xc4\x13";
    const DUE_V1: &[u8] = b"\x00\x02c1\x00\x00\x00";
    const DEADLINE_V1: &[u8] = b"\x02\x02c1\x00\x00\x00\xe8\x07";
    const STATUS_V1: &[u8] = b"\x0242\x05\x07\xac\x02\x01\x01n\xc4\x13";

    #[test]
    fn version_1_reads_and_writes_these_bytes() {
        let due = StoredEntry {
            user: "",
            conn_info: b"",
            announced: false,
            holder: StoredHolder::Due,
            ..ENTRY
        };
        let deadline = StoredEntry { holder: StoredHolder::Deadline(1000), ..due };
        for (entry, bytes) in [(ENTRY, ENTRY_V1), (due, DUE_V1), (deadline, DEADLINE_V1)] {
            let mut out = Vec::new();
            entry.push(&mut out);
            assert_eq!(out, bytes);
            assert_eq!(StoredEntry::parse(bytes), Some(entry));
        }
        let status = StoredStatus {
            user: "42",
            active: 5,
            online: 7,
            expiry: 300,
            holders: vec![LeaseName { node: "n", px: 2500 }],
        };
        let mut out = Vec::new();
        status.push(&mut out);
        assert_eq!(out, STATUS_V1);
        assert_eq!(StoredStatus::parse(STATUS_V1), Some(status));
    }

    #[test]
    fn no_prefix_of_a_form_is_a_form() {
        for end in 0..ENTRY_V1.len() {
            assert_eq!(StoredEntry::parse(&ENTRY_V1[..end]), None);
        }
        for end in 0..STATUS_V1.len() {
            assert_eq!(StoredStatus::parse(&STATUS_V1[..end]), None);
        }
    }

    proptest::proptest! {
        #[test]
        fn garbage_never_panics(bytes: Vec<u8>) {
            let _ = StoredEntry::parse(&bytes);
            let _ = StoredStatus::parse(&bytes);
        }
    }
}
