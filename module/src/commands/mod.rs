//! The commands, one file each, and the one list of them.

mod presence_add;
mod presence_apply;
mod presence_get;
mod presence_help;
mod presence_lease;
mod presence_lease_apply;
mod presence_lease_list;
mod presence_recent;
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

#[cfg(test)]
use crate::args::Args;
#[cfg(test)]
use crate::error::CommandError;
use crate::native::command::handler;
#[cfg(test)]
use crate::spec::Spec;
use crate::spec::{Command, Entry};

/// Every command; containers stand before their subcommands.
pub(crate) fn all() -> Vec<Entry> {
    vec![
        entry::<presence_add::Add<'_>>(),
        entry::<presence_rem::Rem<'_>>(),
        entry::<presence_get::Get<'_>>(),
        entry::<presence_scan::Scan<'_>>(),
        entry::<presence_stats::Stats<'_>>(),
        entry::<presence_recent::Recent<'_>>(),
        Entry { spec: presence_lease::CONTAINER, handler: None },
        entry::<presence_lease::Keep<'_>>(),
        entry::<presence_lease::Drop<'_>>(),
        entry::<presence_lease_list::List>(),
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

/// A command's description and its parser alone.
#[cfg(test)]
pub(crate) struct Parser {
    pub(crate) spec: Spec,
    pub(crate) parse: fn(Args<'_>) -> Result<(), CommandError>,
}

/// The parser of every command.
#[cfg(test)]
pub(crate) fn parsers() -> Vec<Parser> {
    fn of<C: Command>(parse: fn(Args<'_>) -> Result<(), CommandError>) -> Parser {
        Parser { spec: C::SPEC, parse }
    }
    fn no_arguments(args: Args<'_>) -> Result<(), CommandError> {
        args.finish()
    }
    vec![
        of::<presence_add::Add<'_>>(|args| presence_add::Add::parse(args).map(drop)),
        of::<presence_rem::Rem<'_>>(|args| presence_rem::Rem::parse(args).map(drop)),
        of::<presence_get::Get<'_>>(|args| presence_get::Get::parse(args).map(drop)),
        of::<presence_scan::Scan<'_>>(|args| presence_scan::Scan::parse(args).map(drop)),
        of::<presence_stats::Stats<'_>>(|args| presence_stats::Stats::parse(args).map(drop)),
        of::<presence_recent::Recent<'_>>(|args| presence_recent::Recent::parse(args).map(drop)),
        of::<presence_lease::Keep<'_>>(|args| presence_lease::Keep::parse(args).map(drop)),
        of::<presence_lease::Drop<'_>>(|args| presence_lease::Drop::parse(args).map(drop)),
        of::<presence_lease_list::List>(|args| presence_lease_list::List::parse(args).map(drop)),
        of::<presence_lease::Help>(no_arguments),
        of::<presence_help::Help>(no_arguments),
        of::<userstatus_touch::Touch<'_>>(|args| userstatus_touch::Touch::parse(args).map(drop)),
        of::<userstatus_online::Online<'_>>(|args| {
            userstatus_online::Online::parse(args).map(drop)
        }),
        of::<userstatus_offline::Offline<'_>>(|args| {
            userstatus_offline::Offline::parse(args).map(drop)
        }),
        of::<userstatus_get::Get<'_>>(|args| userstatus_get::Get::parse(args).map(drop)),
        of::<userstatus_del::Del<'_>>(|args| userstatus_del::Del::parse(args).map(drop)),
        of::<userstatus_help::Help>(no_arguments),
        of::<presence_apply::Apply<'_>>(|args| presence_apply::Apply::parse(args).map(drop)),
        of::<presence_lease_apply::LeaseApply<'_>>(|args| {
            presence_lease_apply::LeaseApply::parse(args).map(drop)
        }),
        of::<userstatus_apply::Apply<'_>>(|args| userstatus_apply::Apply::parse(args).map(drop)),
    ]
}

#[test]
fn every_command_has_its_parser_in_the_list() {
    let name = |spec: &Spec| (spec.parent, spec.name);
    let commands = all().into_iter().filter(|entry| entry.handler.is_some());
    let listed: Vec<_> = parsers().iter().map(|parser| name(&parser.spec)).collect();
    assert_eq!(commands.map(|entry| name(&entry.spec)).collect::<Vec<_>>(), listed);
}
