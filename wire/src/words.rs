//! Command and option words, spelled once.

/// `PRESENCE.ADD key client user …`
pub const PRESENCE_ADD: &str = "PRESENCE.ADD";
/// `PRESENCE.REM key client [client …]`
pub const PRESENCE_REM: &str = "PRESENCE.REM";
/// `PRESENCE.GET key [JSON] [WITHSEQ]`
pub const PRESENCE_GET: &str = "PRESENCE.GET";
/// `PRESENCE.SCAN key cursor …`
pub const PRESENCE_SCAN: &str = "PRESENCE.SCAN";
/// `PRESENCE.STATS key [key …]`
pub const PRESENCE_STATS: &str = "PRESENCE.STATS";
/// `PRESENCE.RECENT key seq [COUNT n]`
pub const PRESENCE_RECENT: &str = "PRESENCE.RECENT";
/// `PRESENCE.LEASE KEEP | DROP | LIST`
pub const PRESENCE_LEASE: &str = "PRESENCE.LEASE";
/// `PRESENCE.HELP`
pub const PRESENCE_HELP: &str = "PRESENCE.HELP";
/// `USERSTATUS.TOUCH key EX s user [user …]`
pub const USERSTATUS_TOUCH: &str = "USERSTATUS.TOUCH";
/// `USERSTATUS.ONLINE key LEASE node EX s user [user …]`
pub const USERSTATUS_ONLINE: &str = "USERSTATUS.ONLINE";
/// `USERSTATUS.OFFLINE key LEASE node EX s user [user …]`
pub const USERSTATUS_OFFLINE: &str = "USERSTATUS.OFFLINE";
/// `USERSTATUS.GET key user [user …]`
pub const USERSTATUS_GET: &str = "USERSTATUS.GET";
/// `USERSTATUS.DEL key user [user …]`
pub const USERSTATUS_DEL: &str = "USERSTATUS.DEL";
/// `USERSTATUS.HELP`
pub const USERSTATUS_HELP: &str = "USERSTATUS.HELP";

/// Internal: a roster's change as a master replicates it. Refused from ordinary clients.
pub const PRESENCE_APPLY: &str = "PRESENCE.APPLY";
/// Internal: a lease's change as a master replicates it. Refused from ordinary clients.
pub const PRESENCE_LEASEAPPLY: &str = "PRESENCE.LEASEAPPLY";
/// Internal: a book's change as a master replicates it. Refused from ordinary clients.
pub const USERSTATUS_APPLY: &str = "USERSTATUS.APPLY";
