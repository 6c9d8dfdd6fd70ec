//! How long the server keeps others waiting while something large happens.

use std::io;
use std::time::{Duration, Instant};

use rollcall_wire::Names;

use super::layout::NODE;
use super::member::Member;
use super::meter::{field, main_thread_us};
use super::ping::{Pinger, Waits};
use super::{Scale, count};
use crate::options::Options;
use crate::resp::{Connection, request};
use crate::server::Server;
use crate::table::{number, table};

/// Requests under way while something is filled in the measured time: a reply waits for few others.
const DEPTH: usize = 16;
/// Requests under way while nobody measures.
const DEPTH_FAST: usize = 256;
/// The holder of what leaves with its lease.
const DOOMED: &str = "0b6d4a2e-doomed-node";
/// Members of a page of a scan.
const PAGE: &str = "1000";
/// When nothing ends by then, something is wrong.
const PATIENCE: Duration = Duration::from_secs(300);
/// What the project wants a stall to stay below, in microseconds.
const BUDGET_US: f64 = 1000.0;

const HEAD: [&str; 8] = [
    "While",
    "Longest wait, ms",
    "p99.9, ms",
    "Waits over 1 ms",
    "Took, s",
    "Longest slice, ms",
    "of CPU, ms",
    "≤ 1 ms",
];

/// What was seen while something happened.
struct Seen {
    what: String,
    waits: Waits,
    took: Duration,
    /// Of the main thread.
    cpu_us: f64,
    /// The module's longest slice, in wall time and in time of the processor.
    slice_us: Option<(f64, f64)>,
    /// How many entries left.
    left: usize,
}

/// One server, somebody who pings it, and somebody who works on it.
struct Bench<'a> {
    server: &'a Server,
    redis: Connection,
    names: Names,
    seen: Vec<Seen>,
}

/// The table of stalls.
pub(super) fn report(options: &Options, scale: Scale) -> io::Result<String> {
    let mut seen = Vec::new();
    let mut on_a_server = |work: &dyn Fn(&mut Bench<'_>) -> io::Result<()>| {
        let server = Server::start(options)?;
        let redis = server.connect()?;
        let names = Names::new("rollcall");
        let mut bench = Bench { server: &server, redis, names, seen: Vec::new() };
        work(&mut bench)?;
        seen.append(&mut bench.seen);
        Ok::<_, io::Error>(())
    };
    let (many, huge) = (scale.channel, scale.huge);
    on_a_server(&|bench| bench.idle(scale))?;
    on_a_server(&|bench| bench.lease_ends(many, 1))?;
    on_a_server(&|bench| bench.lease_ends(many, many / 10))?;
    on_a_server(&|bench| bench.deadlines_pass(many, 1))?;
    on_a_server(&|bench| bench.deadlines_pass(many, many / 10))?;
    on_a_server(&|bench| bench.grow_scan_and_free(many, huge))?;
    on_a_server(&|bench| bench.lease_ends(huge, 1))?;

    let mut lines = vec![HEAD.map(str::to_owned)];
    lines.extend(seen.iter().map(Seen::cells));
    Ok(table(&lines))
}

// === impl Bench ===

impl Bench<'_> {
    /// What the machine itself does to a round trip.
    fn idle(&mut self, scale: Scale) -> io::Result<()> {
        self.watch("nothing happens", |_| {
            std::thread::sleep(Duration::from_secs(scale.rounds as u64));
            Ok(0)
        })
    }

    fn lease_ends(&mut self, members: usize, channels: usize) -> io::Result<()> {
        self.lease(DOOMED)?;
        self.fill(0..members, DEPTH_FAST, |n| (format!("room{}", n % channels), lasting(DOOMED)))?;
        let what = format!("a lease of {} ends, in {} channel(s)", count(members), count(channels));
        self.watch(&what, |bench| {
            bench.redis.call(&["PRESENCE.LEASE", "DROP", DOOMED])?;
            bench.until("leaves_lease", members)?;
            Ok(members)
        })
    }

    fn deadlines_pass(&mut self, members: usize, channels: usize) -> io::Result<()> {
        // Time enough to fill, and then some: all of them end at one moment.
        let end = Instant::now() + Duration::from_millis(500 + members as u64 / 20);
        self.fill(0..members, DEPTH_FAST, |n| {
            let left = end.saturating_duration_since(Instant::now()).as_millis().max(1);
            (format!("room{}", n % channels), ["PX".to_owned(), left.to_string()])
        })?;
        let what = format!("{} deadlines pass, in {} channel(s)", count(members), count(channels));
        if self.info("leaves_expired")? > 0.0 {
            return Err(io::Error::other("deadlines passed before all were set"));
        }
        std::thread::sleep(
            end.saturating_duration_since(Instant::now())
                .saturating_sub(Duration::from_millis(200)),
        );
        self.watch(&what, |bench| {
            bench.until("leaves_expired", members)?;
            Ok(members)
        })
    }

    fn grow_scan_and_free(&mut self, from: usize, to: usize) -> io::Result<()> {
        self.lease(NODE)?;
        let there = |_| ("huge".to_owned(), lasting(NODE));
        self.fill(0..from, DEPTH_FAST, there)?;
        self.watch(&format!("joins: {} to {}", count(from), count(to)), |bench| {
            bench.fill(from..to, DEPTH, there)?;
            Ok(0)
        })?;
        self.watch(&format!("a scan of {}, page by page", count(to)), |bench| {
            bench.scan("huge").map(|()| 0)
        })?;
        let name = format!("a channel of {}", count(to));
        self.free(&format!("{name}: UNLINK"), &["UNLINK"])?;
        self.free(&format!("{name}: DEL"), &["DEL"])?;
        self.free(&format!("{name}: the key expires"), &["PEXPIRE", "50"])?;
        self.watch(&format!("{name}: FLUSHALL"), |bench| {
            bench.redis.call(&["FLUSHALL", "SYNC"])?;
            bench.freed()
        })
    }

    /// Removes a copy of the huge channel.
    fn free(&mut self, what: &str, words: &[&str]) -> io::Result<()> {
        let (huge, copy) = (self.names.roster("huge"), self.names.roster("copy"));
        self.redis.call(&["COPY", &huge, &copy])?;
        let mut all = vec![words[0], &copy];
        all.extend(&words[1..]);
        let request: Vec<String> = all.into_iter().map(str::to_owned).collect();
        self.watch(what, |bench| {
            bench.redis.call(&request)?;
            bench.freed()
        })
    }

    /// Waits until memory does not shrink any more.
    fn freed(&mut self) -> io::Result<usize> {
        let (mut last, mut same) = (String::new(), 0);
        let start = Instant::now();
        while same < 5 && start.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(50));
            let now = field(&self.redis.call(&["INFO", "memory"])?, "used_memory")?.to_owned();
            // Replies of others come and go: only what is large counts.
            let megabytes = now[..now.len().saturating_sub(6)].to_owned();
            same = if megabytes == last { same + 1 } else { 0 };
            last = megabytes;
        }
        Ok(0)
    }

    fn scan(&mut self, channel: &str) -> io::Result<()> {
        let (key, mut cursor) = (self.names.roster(channel), "0".to_owned());
        loop {
            let words = ["PRESENCE.SCAN", &key, &cursor, "COUNT", PAGE, "JSON"];
            cursor = self.redis.first_of(&words)?;
            if cursor == "0" {
                return Ok(());
            }
        }
    }

    fn lease(&mut self, node: &str) -> io::Result<()> {
        self.redis.call(&["PRESENCE.LEASE", "KEEP", node, "PX", "3600000"]).map(drop)
    }

    /// Members join on one connection, so many requests under way at a time.
    fn fill(
        &mut self,
        members: std::ops::Range<usize>,
        depth: usize,
        place: impl Fn(usize) -> (String, [String; 2]),
    ) -> io::Result<()> {
        let names = &self.names;
        self.redis.run(members, depth, &mut |n, out| {
            let (channel, [how, long]) = place(n);
            let (key, Member { client, user, info }) = (names.roster(&channel), Member::number(n));
            let words = ["PRESENCE.ADD", &key, &client, &user, "CONNINFO", &info];
            let words = words.into_iter().chain([how.as_str(), &long, "NOTIFY"]);
            request(out, &words.collect::<Vec<_>>());
        })
    }

    /// Waits until a counter of the module has grown to `count`.
    fn until(&mut self, counter: &str, count: usize) -> io::Result<()> {
        let (start, wanted) = (Instant::now(), super::memory::float(count));
        while self.info(counter)? < wanted {
            if start.elapsed() > PATIENCE {
                return Err(io::Error::other(format!("{counter} does not reach {count}")));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn info(&mut self, name: &str) -> io::Result<f64> {
        let info = self.redis.call(&["INFO", "rollcall"])?;
        field(&info, &format!("rollcall_{name}"))?.parse().map_err(io::Error::other)
    }

    /// Pings while `work` is done.
    fn watch(
        &mut self,
        what: &str,
        work: impl FnOnce(&mut Self) -> io::Result<usize>,
    ) -> io::Result<()> {
        crate::note(&format!("stalls: {what} …"));
        self.redis.call(&["CONFIG", "RESETSTAT"])?;
        let slices_before = self.info("slices")?;
        let cpu = main_thread_us(&self.redis.call(&["INFO", "cpu"])?)?;
        let pinger = Pinger::start(self.server.connect()?);
        let start = Instant::now();
        let left = work(self)?;
        let took = start.elapsed();
        let waits = pinger.stop()?;
        let cpu_us = main_thread_us(&self.redis.call(&["INFO", "cpu"])?)? - cpu;
        let slice_us = if self.info("slices")? > slices_before {
            Some((self.info("slice_max_us")?, self.info("slice_max_cpu_us")?))
        } else {
            None
        };
        self.seen.push(Seen { what: what.to_owned(), waits, took, cpu_us, slice_us, left });
        Ok(())
    }
}

// === impl Seen ===

impl Seen {
    fn cells(&self) -> [String; 8] {
        let ms = |us: f64| number(us / 1000.0);
        let mut what = self.what.clone();
        if self.left > 0 {
            let left = super::memory::float(self.left);
            let (rate, each) = (left / self.took.as_secs_f64(), self.cpu_us / left);
            what = format!(
                "{what}: {} leaves a second, {} µs of CPU each",
                number(rate),
                number(each)
            );
        }
        [
            what,
            ms(self.waits.longest_us()),
            ms(self.waits.at(0.999)),
            format!("{} of {}", count(self.waits.above(BUDGET_US)), count(self.waits.len())),
            number(self.took.as_secs_f64()),
            self.slice_us.map_or(String::new(), |(wall, _)| ms(wall)),
            self.slice_us.map_or(String::new(), |(_, cpu)| ms(cpu)),
            (if self.waits.longest_us() <= BUDGET_US { "yes" } else { "no" }).to_owned(),
        ]
    }
}

fn lasting(node: &str) -> [String; 2] {
    ["LEASE".to_owned(), node.to_owned()]
}
