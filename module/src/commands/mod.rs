//! The commands, one file each, and the one list of them.

#[cfg(test)]
mod fuzz;
mod presence_add;
mod presence_apply;
mod presence_get;
mod presence_help;
mod presence_lease;
mod presence_lease_apply;
mod presence_rem;
mod presence_scan;
mod presence_stats;
mod reply;
mod userstatus_apply;
mod userstatus_del;
mod userstatus_get;
mod userstatus_help;
mod userstatus_offline;
mod userstatus_online;
mod userstatus_touch;

use crate::native::command::handler;
use crate::spec::{Command, Entry};

/// Every command; containers stand before their subcommands.
pub(crate) fn all() -> Vec<Entry> {
    vec![
        entry::<presence_add::Add<'_>>(),
        entry::<presence_rem::Rem<'_>>(),
        entry::<presence_get::Get<'_>>(),
        entry::<presence_scan::Scan<'_>>(),
        entry::<presence_stats::Stats<'_>>(),
        Entry { spec: presence_lease::CONTAINER, handler: None },
        entry::<presence_lease::Keep<'_>>(),
        entry::<presence_lease::Drop<'_>>(),
        entry::<presence_lease::List>(),
        entry::<presence_lease::Help>(),
        entry::<presence_help::Help>(),
        entry::<userstatus_touch::Touch<'_>>(),
        entry::<userstatus_online::Online<'_>>(),
        entry::<userstatus_offline::Offline<'_>>(),
        entry::<userstatus_get::Get<'_>>(),
        entry::<userstatus_del::Del<'_>>(),
        entry::<userstatus_help::Help>(),
        entry::<presence_apply::Apply<'_>>(),
        entry::<presence_lease_apply::LeaseApply<'_>>(),
        entry::<userstatus_apply::Apply<'_>>(),
    ]
}

fn entry<C: Command>() -> Entry {
    Entry { spec: C::SPEC, handler: Some(handler::<C>) }
}
