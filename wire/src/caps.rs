//! Limits on what a command may carry. The module enforces them, the server checks early.

/// Longest client id, in bytes.
pub const CLIENT: usize = 255;
/// Longest user id, in bytes.
pub const USER: usize = 255;
/// Longest node name, in bytes.
pub const NODE: usize = 255;
/// Longest `conn_info` or `chan_info`, in bytes.
pub const INFO: usize = 64 * 1024;
/// Longest key, in bytes.
pub const KEY: usize = 1024;
/// Most names (clients, users or keys) in one command.
pub const NAMES: usize = 10_000;
/// Longest page a `SCAN` returns, in members.
pub const PAGE: usize = 10_000;
/// Longest `EX`, in seconds; a `PX` of an entry is at most a thousand times that.
pub const SECONDS: u64 = 315_360_000;
/// Longest `PX` of a lease, in milliseconds.
pub const LEASE_MS: u64 = 86_400_000;
