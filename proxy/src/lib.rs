//! The Rollcall server: presence and user status for real-time applications.
//!
//! Thin by design: who is present is known to Redis and its module alone. See `ARCHITECTURE.md`.
#![forbid(unsafe_code)]

pub mod api;
pub mod app;
pub mod channel_name;
pub mod clock;
pub mod config;
pub mod dev_mode;
pub mod embedded_redis;
pub mod fields;
pub mod hub;
pub mod log_limit;
pub mod logging;
pub mod notify;
pub mod payload;
pub mod permission;
pub mod protocol;
pub mod session;
pub mod store;
pub mod token;
pub mod transport;
