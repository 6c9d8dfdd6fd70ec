//! The Rollcall server.

pub mod channel_name;
pub mod clock;
pub mod config;
pub mod permission;
pub mod token;
