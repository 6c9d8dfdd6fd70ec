//! What both kinds of values have in common when they are saved, loaded and copied.

use crate::lease::{LeaseId, Leases};
use crate::roster::Ledger;

/// Where a value is loaded from. Every read may fail: the bytes come from anywhere.
pub(crate) trait Source {
    fn number(&self) -> Option<u64>;
    /// One byte string, lent to `f`.
    fn bytes<R>(&self, f: impl FnOnce(&[u8]) -> Option<R>) -> Option<R>;
    /// The leases that records name. No read may be made inside.
    fn with_leases<R>(&self, f: impl FnOnce(&mut Leases) -> R) -> R;
}

/// A value as it is saved: a number for some, then how many records, then the records in any
/// order.
pub(crate) trait Stored: Sized {
    /// The number before the records.
    fn head(&self) -> Option<u64>;
    fn records(&self) -> u32;
    /// Hands over every record.
    fn for_each_stored(&self, leases: &Leases, each: impl FnMut(&[u8]));
    /// What is loaded has no key yet. `None` for what [`Self::for_each_stored`] does not write.
    fn load(source: &impl Source) -> Option<Self>;
    /// A second value with the same contents.
    fn copied(&self, leases: &Leases) -> Self;
    /// Bytes beside the struct itself.
    fn heap(&self) -> usize;
    /// About how many slots there are to free.
    fn parts_to_free(&self) -> usize;
    /// About how many allocations that is, as the server wants to know it.
    fn free_effort(&self) -> usize;
}

/// Books nothing: the value has no key yet.
#[derive(Debug)]
pub(crate) struct Unbooked;

impl Ledger for Unbooked {
    fn gained(&mut self, _: LeaseId, _: bool) {}
    fn lost(&mut self, _: LeaseId, _: bool) {}
}
