//! The keyed hash of the indexes: nobody can choose ids that collide.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::OnceLock;

/// Drawn once per process: hashes are never stored.
static KEY: OnceLock<RandomState> = OnceLock::new();

pub(crate) fn of(bytes: &[u8]) -> u64 {
    let mut hasher = KEY.get_or_init(RandomState::new).build_hasher();
    hasher.write(bytes);
    hasher.finish()
}

/// The half of it that the indexes go by.
#[expect(clippy::cast_possible_truncation, reason = "half of a hash is a hash")]
pub(crate) fn short(bytes: &[u8]) -> u32 {
    of(bytes) as u32
}

/// A number nobody can guess, as random as the system's source.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}
