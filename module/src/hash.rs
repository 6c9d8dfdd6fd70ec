//! The keyed hash of the indexes: nobody can choose ids that collide.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

/// Drawn once per process: hashes are never stored.
static KEY: OnceLock<RandomState> = OnceLock::new();

pub(crate) fn of(bytes: &[u8]) -> u64 {
    KEY.get_or_init(RandomState::new).hash_one(bytes)
}

/// A number nobody can guess, as random as the system's source.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}
