//! The Rollcall server.
