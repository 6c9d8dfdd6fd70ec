//! Which status book holds a user. Stored data depends on it: it never changes.

/// The partition of `user` among `partitions` (at least 1): FNV-1a, 64 bits, modulo.
pub fn of_user(user: &str, partitions: u32) -> u32 {
    let n = u64::from(partitions.max(1));
    u32::try_from(fnv1a(user.as_bytes()) % n).unwrap_or_default()
}

/// FNV-1a over 64 bits, as in draft-eastlake-fnv.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_fixed_for_ever() {
        // Vectors of the hash from the sharding reference; the modulo is ours.
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"public:test"), 0x556d_49b0_e9ee_8416);
        assert_eq!(of_user("a", 256), 0x8c);
        assert_eq!(of_user("public:test", 256), 0x16);
        assert_eq!(of_user("anyone", 1), 0);
        assert_eq!(of_user("anyone", 0), 0);
    }
}
