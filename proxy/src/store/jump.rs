//! Which of several shards a name belongs to: the jump consistent hash of Lamping and Veach, as
//! Centrifugo computes it, so that both agree on where a channel is.

use rollcall_wire::partition::fnv1a;

/// The step of the generator in the paper.
const MULTIPLIER: u64 = 2_862_933_555_777_941_757;

/// The shard of `name` among `shards`, in the order of the configuration.
pub(super) fn shard_of(name: &str, shards: usize) -> usize {
    jump(fnv1a(name.as_bytes()), shards)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the algorithm is defined on doubles, and its numbers are small"
)]
fn jump(mut key: u64, shards: usize) -> usize {
    let (mut bucket, mut next) = (0, 0);
    while next < shards {
        bucket = next;
        key = key.wrapping_mul(MULTIPLIER).wrapping_add(1);
        let ratio = (1_u64 << 31) as f64 / ((key >> 33) + 1) as f64;
        next = ((bucket + 1) as f64 * ratio) as usize;
    }
    bucket
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_where_centrifugo_looks_for_them() {
        let vectors = [
            ("public:test", [0, 2, 3, 4, 11]),
            ("chat:index", [0, 0, 0, 0, 0]),
            ("a", [1, 2, 2, 2, 12]),
            ("42", [1, 1, 1, 4, 15]),
            ("user:42", [1, 1, 1, 1, 15]),
        ];
        for (name, expected) in vectors {
            let shards = [2, 3, 4, 8, 16].map(|shards| shard_of(name, shards));
            assert_eq!(shards, expected, "{name}");
            assert_eq!(shard_of(name, 1), 0, "{name}");
        }
    }

    #[test]
    fn one_more_shard_moves_only_its_share() {
        let names: Vec<String> = (0..10_000).map(|n| format!("room:{n}")).collect();
        let moved = names.iter().filter(|name| shard_of(name, 4) != shard_of(name, 5));
        let moved: Vec<_> = moved.inspect(|name| assert_eq!(shard_of(name, 5), 4)).collect();
        assert!((1_700..2_300).contains(&moved.len()), "{}", moved.len());
    }
}
