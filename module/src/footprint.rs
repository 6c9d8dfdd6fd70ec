//! What an allocation really takes: the size class of the server's usual allocator, jemalloc.

/// Classes are this far apart up to 128 bytes; above, every doubling has four of them.
const STEP: usize = 16;

pub(crate) fn of(bytes: usize) -> usize {
    if bytes == 0 {
        return 0;
    }
    if bytes <= 8 {
        return 8;
    }
    let step = if bytes <= 8 * STEP { STEP } else { 1 << ((bytes - 1).ilog2() - 2) };
    bytes.next_multiple_of(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_up_to_their_class() {
        let classes = [0, 8, 16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384];
        for pair in classes.windows(2) {
            for bytes in pair[0] + 1..=pair[1] {
                assert_eq!(of(bytes), pair[1], "{bytes}");
            }
        }
        assert_eq!((of(4097), of(5120), of(16_385)), (5120, 5120, 20_480));
    }
}
