//! The internal commands a master sends to its replicas and its AOF.
//!
//! ```text
//! PRESENCE.APPLY key 1 PUT seq record        an entry came or changed
//! PRESENCE.APPLY key 1 CUT seq client …      entries went
//! PRESENCE.APPLY key 1 SEQ seq               the roster's sequence, after a reset; it may be gone
//! PRESENCE.APPLY "" 1 SEEN seq               the highest sequence of the server
//! PRESENCE.LEASEAPPLY 1 SET node px          a lease began, or its time changed
//! PRESENCE.LEASEAPPLY 1 END node at          it ended, at this Unix second
//! USERSTATUS.APPLY key 1 TOUCH at ex user …          active at a Unix second
//! USERSTATUS.APPLY key 1 ONLINE node px ex user …    a lease holds users
//! USERSTATUS.APPLY key 1 OFFLINE node at ex user …   it lets go
//! USERSTATUS.APPLY key 1 SETTLE user …       ended leases let go
//! USERSTATUS.APPLY key 1 DEL user …          times are cleared
//! USERSTATUS.APPLY key 1 GONE user …         records expired
//! USERSTATUS.APPLY key 1 PUT record          a whole record (AOF rewrite)
//! ```
//!
//! Records are those of [`crate::stored`]. An unknown version or word is an error.

/// [`crate::stored::VERSION`] as the commands carry it.
pub const VERSION: &str = "1";

/// Roster: an entry came or changed.
pub const PUT: &str = "PUT";
/// Roster: entries went.
pub const CUT: &str = "CUT";
/// Roster: its sequence.
pub const SEQ: &str = "SEQ";
/// The server: how far sequences have got.
pub const SEEN: &str = "SEEN";
/// Lease: began or changed.
pub const SET: &str = "SET";
/// Lease: ended.
pub const END: &str = "END";
/// Book: users were active.
pub const TOUCH: &str = "TOUCH";
/// Book: a lease holds users.
pub const ONLINE: &str = "ONLINE";
/// Book: a lease lets go.
pub const OFFLINE: &str = "OFFLINE";
/// Book: ended leases let go.
pub const SETTLE: &str = "SETTLE";
/// Book: times are cleared.
pub const DEL: &str = "DEL";
/// Book: records expired.
pub const GONE: &str = "GONE";
