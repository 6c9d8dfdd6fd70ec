//! The harness of the end-to-end tests: real processes, bytes in and bytes out, no type of ours.
//!
//! Everything blocks: a test is one thread that does one thing after the other. What a test
//! starts lives in a private directory, listens on ports of its own, is killed when the test ends,
//! and also when the test itself is killed.

#![expect(clippy::missing_panics_doc, reason = "a harness panics to fail the test that uses it")]

pub mod audience;
pub mod certificates;
pub mod chaos;
pub mod churn;
pub mod client;
pub mod cluster;
pub mod config;
pub mod copies;
pub mod crowd;
pub mod dump;
pub mod http;
pub mod killed;
pub mod ledger;
pub mod listener;
pub mod mirror;
pub mod newcomers;
pub mod pattern;
pub mod picture;
pub mod port;
pub mod process;
pub mod promises;
pub mod random;
pub mod raw_socket;
pub mod redis;
pub mod relay;
pub mod resp;
pub mod scene;
pub mod sentinel;
pub mod sequence;
pub mod server;
pub mod stack;
pub mod step_clock;
pub mod stopwatch;
pub mod talk;
pub mod token;
pub mod traffic;
pub mod truth;
pub mod wait;

pub use audience::Audience;
pub use certificates::Certificates;
pub use client::{Client, Heard};
pub use http::{Answer, Http};
pub use ledger::Ledger;
pub use listener::Listener;
pub use mirror::Mirror;
pub use newcomers::Newcomers;
pub use random::Random;
pub use raw_socket::RawSocket;
pub use redis::Redis;
pub use relay::Relay;
pub use resp::{Reply, Resp};
pub use scene::{Ending, Scene};
pub use server::{Launch, Server};
pub use stack::Stack;
pub use step_clock::StepClock;
pub use stopwatch::Stopwatch;
pub use talk::Talk;
pub use traffic::Traffic;
pub use truth::Truth;
pub use wait::{eventually, within};
