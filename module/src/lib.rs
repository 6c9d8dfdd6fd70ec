//! Presence and user status as native Redis types, with leases and events.
//!
//! The rules (`roster`, `book`, `lease`) are plain Rust; `native` binds them to the server;
//! `commands` has one file per command.
#![cfg_attr(test, expect(dead_code, reason = "tests leave the binding to the server unused"))]

mod args;
mod book;
mod commands;
mod error;
mod footprint;
#[cfg(test)]
mod fuzz;
mod groups;
mod hash;
mod keyed;
mod lapses;
mod lease;
mod linear_hash;
mod native;
mod news;
mod outbox;
mod reaper;
mod recent;
mod registry;
mod resets;
mod roster;
mod segvec;
mod sequences;
mod spec;
mod state;
mod stored;
mod untold;

// Tests run without a server.
#[cfg(not(test))]
#[global_allocator]
static ALLOCATOR: native::alloc::ServerAlloc = native::alloc::ServerAlloc;
