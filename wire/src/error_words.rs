//! First words of the module's errors, which programs test.

/// A bad argument, or something else that the text explains.
pub const ERR: &str = "ERR";
/// The key holds another type.
pub const WRONGTYPE: &str = "WRONGTYPE";
/// `ADD` or `ONLINE` names a lease that is not alive.
pub const NOLEASE: &str = "NOLEASE";
/// `SCAN` got a cursor of another server process or of another life of the key.
pub const BADCURSOR: &str = "BADCURSOR";
/// A lease command on a replica.
pub const READONLY: &str = "READONLY";
