//! End-to-end tests, a file for each feature.

mod api_documented;
mod api_errors;
mod api_key;
mod api_legacy;
mod api_publish;
mod away;
mod client_channels;
mod client_connect;
mod client_frames;
mod configuration;
mod loss;
mod module_clock;
mod module_commands;
mod module_events;
mod module_expiry;
mod module_lease;
mod module_persistence;
mod module_promotion;
mod module_property;
mod module_random;
mod module_replica;
mod module_roster;
mod module_scan;
mod module_status;
mod two_servers;
mod user_status;
