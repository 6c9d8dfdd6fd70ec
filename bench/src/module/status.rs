//! When a user was last online and active: a record in a book, next to a hash for each user.

use std::io;

use rollcall_wire::{Names, partition};

use super::layout::{Layout, NODE};
use super::member::{scatter, user};
use super::memory::{float, growth};
use super::meter::{interleave, measure};
use super::scripts::load_statuses;
use super::{Scale, count};
use crate::options::Options;
use crate::resp::{Pipeline, request};
use crate::server::Server;
use crate::table::{Budget, Row};

/// Users asked for in one call.
const ASKED: usize = 1000;
/// Books over which the server spreads users.
const BOOKS: u32 = 256;
/// Thirty days, as the server's default.
const EX_S: &str = "2592000";
/// A moment, as stored in a hash.
const MOMENT: &str = "1763712000";

/// The rows about time: a thousand users of one book, and of a hash each.
pub(super) fn rows(options: &Options, scale: Scale) -> io::Result<Vec<Row>> {
    let server = Server::start(options)?;
    let mut redis = server.connect()?;
    let mut pipeline = Pipeline::open(&server)?;
    let script = load_statuses(&mut redis)?;
    let (users, book) = (scale.channel, Names::new("rollcall").book(0));
    pipeline
        .run(users, |n, out| request(out, &["USERSTATUS.TOUCH", &book, "EX", EX_S, &user(n)]))?;
    hashes(users, &mut |count, encode| pipeline.run(count, encode))?;

    // Other users in each call, all of them known.
    let calls = scale.calls / 200;
    let costs = interleave(scale.rounds, 2, |case| {
        let command = ["USERSTATUS.GET", "evalsha"][case];
        let work = || {
            pipeline.run(calls, |call, out| {
                let asked = (0..ASKED).map(|n| scatter(call * ASKED + n, users));
                let mut words = match case {
                    0 => vec!["USERSTATUS.GET".to_owned(), book.clone()],
                    _ => vec!["EVALSHA".to_owned(), script.clone(), ASKED.to_string()],
                };
                words.extend(asked.map(|n| if case == 0 { user(n) } else { hash(n) }));
                request(out, &words);
            })
        };
        Ok([measure(&mut redis, command, calls, work)?])
    })?;
    let row = |unit: &str, figure: fn(&super::meter::Cost) -> f64, budget| Row {
        what: format!("{} statuses in one call, of {} users: {unit}", count(ASKED), count(users)),
        module: Some(figure(&costs[0][0])),
        user_map: Some(figure(&costs[1][0])),
        no_user_map: Some(figure(&costs[1][0])),
        budget,
        ..Row::default()
    };
    Ok(vec![
        row("µs", |cost| cost.command, Some(Budget::at_most(120.0))),
        row("µs of main thread", |cost| cost.thread, None),
    ])
}

/// The rows about memory.
pub(super) fn memory_rows(options: &Options, scale: Scale) -> io::Result<Vec<Row>> {
    let users = scale.channel;
    let names = Names::new("rollcall");
    let book = |n: usize| names.book(partition::of_user(&user(n), BOOKS));
    let touch = |n: usize, out: &mut Vec<u8>| {
        request(out, &["USERSTATUS.TOUCH", &book(n), "EX", EX_S, &user(n)]);
    };
    let held = |word: &str, n: usize, out: &mut Vec<u8>| {
        request(out, &[word, &book(n), "LEASE", NODE, "EX", EX_S, &user(n)]);
    };

    let mut bytes = [0.0; 2];
    for (released, bytes) in [true, false].into_iter().zip(&mut bytes) {
        *bytes = growth(options, |redis, fill| {
            Layout::keep(redis)?;
            fill(users, &mut |n, out| touch(n, out))?;
            fill(users, &mut |n, out| held("USERSTATUS.ONLINE", n, out))?;
            if released {
                fill(users, &mut |n, out| held("USERSTATUS.OFFLINE", n, out))?;
            }
            Ok(())
        })? / float(users);
    }
    let hash = growth(options, |_, fill| hashes(users, fill))? / float(users);
    let row = |when: &str, module| Row {
        what: format!("memory per user with status, {when}, {} users: B", count(users)),
        module: Some(module),
        user_map: Some(hash),
        no_user_map: Some(hash),
        budget: Some(Budget::at_most(48.0)),
        ..Row::default()
    };
    Ok(vec![row("offline", bytes[0]), row("online", bytes[1])])
}

/// A hash with two moments and a time to live for each user.
fn hashes(users: usize, fill: super::memory::Fill<'_>) -> io::Result<()> {
    fill(users, &mut |n, out| {
        request(out, &["HSET", &hash(n), "active", MOMENT, "online", MOMENT]);
    })?;
    fill(users, &mut |n, out| request(out, &["EXPIRE", &hash(n), EX_S]))
}

/// The key of a user's hash.
fn hash(n: usize) -> String {
    format!("centrifugo.userstatus.{}", user(n))
}
