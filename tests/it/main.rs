//! End-to-end tests, a file for each feature.

mod module_commands;
mod module_events;
mod module_expiry;
mod module_lease;
mod module_persistence;
mod module_replica;
mod module_roster;
mod module_scan;
mod module_status;
