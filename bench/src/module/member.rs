//! Who is present in the measurements: as many different people as asked for, always the same.

/// Bytes of a client id.
const CLIENT: usize = 36;
/// Bytes of a user id.
const USER: usize = 12;
/// Bytes of the connection info.
pub(super) const INFO: usize = 39;

/// One member: a user of its own on a connection of its own.
#[derive(Debug)]
pub(super) struct Member {
    /// In the form of a UUID.
    pub(super) client: String,
    pub(super) user: String,
    /// A small JSON object.
    pub(super) info: String,
}

// === impl Member ===

impl Member {
    /// The member of that number. Ids that follow each other have nothing in common.
    pub(super) fn number(n: usize) -> Self {
        let (high, low) = (mix(n as u64), mix(!(n as u64)));
        Self {
            client: format!(
                "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
                high >> 32,
                high >> 16 & 0xffff,
                high & 0xfff,
                low >> 48 & 0xfff,
                low & 0xffff_ffff_ffff
            ),
            user: user(n),
            info: format!(r#"{{"name":"User number {n:08}","ver":1}}"#),
        }
    }

    /// The entry as the script layout stores it: fields 1 to 3 of a Protobuf message.
    pub(super) fn entry(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(CLIENT + USER + INFO + 6);
        for (tag, field) in [(0x0a, &self.user), (0x12, &self.client), (0x1a, &self.info)] {
            out.push(tag);
            out.push(u8::try_from(field.len()).unwrap_or(u8::MAX));
            out.extend_from_slice(field.as_bytes());
        }
        out
    }
}

/// The user of that number.
pub(super) fn user(n: usize) -> String {
    format!("user{n:08}")
}

/// A number below `below` that looks random but is the same in every run.
pub(super) fn scatter(n: usize, below: usize) -> usize {
    usize::try_from(mix(n as u64 ^ 0x5eed) % below.max(1) as u64).unwrap_or_default()
}

/// The finaliser of `SplitMix64`: a bijection, so different numbers stay different.
fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ n >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ n >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ n >> 31
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn sizes_are_the_ones_the_table_names() {
        for n in [0, 1, 99_999_999] {
            let member = Member::number(n);
            assert_eq!(member.client.len(), CLIENT);
            assert_eq!(member.user.len(), USER);
            assert_eq!(member.info.len(), INFO);
            assert_eq!(member.entry().len(), CLIENT + USER + INFO + 6);
        }
    }

    #[test]
    fn members_differ() {
        let clients: HashSet<String> = (0..50_000).map(|n| Member::number(n).client).collect();
        assert_eq!(clients.len(), 50_000);
    }
}
