//! What a join, a leave, the counts and a whole channel cost.

use std::io;

use super::layout::{Layout, Verb};
use super::member::{Member, scatter};
use super::meter::{Cost, interleave, measure};
use super::{Scale, count};
use crate::options::Options;
use crate::resp::{Connection, Pipeline, request};
use crate::server::Server;
use crate::table::{Budget, Row};

/// The channel that everybody is in.
const ROOM: &str = "room";
/// The channel of ten.
const TEN: &str = "ten";
/// Members of an average channel before the joins over many channels are measured.
const PER_CHANNEL: usize = 3;
/// Members of the room come from 0 on, members of many channels from here on.
const ELSEWHERE: usize = 10_000_000;
/// Shares no divisor with the number of calls: its multiples visit every joined client once, in
/// an order that is not the one in which they came.
const STRIDE: usize = 7919;

/// Refreshes in a second that keep a million members alive, each due every 27 seconds.
const REFRESHES: f64 = 1_000_000.0 / 27.0;

/// A place to join, and who is there already.
struct Place {
    name: String,
    /// The numbers of the members that are there.
    there: std::ops::Range<usize>,
    channel: fn(Scale, usize) -> String,
    budget: Option<Budget>,
    /// Rounds: fewer where there is more to do.
    rounds: usize,
}

/// Everything that is measured on one server.
struct Bench<'a> {
    layouts: [Layout; Layout::COUNT],
    redis: Connection,
    pipeline: Pipeline,
    server: &'a Server,
    scale: Scale,
}

/// The rows about time, in three shapes on three servers.
pub(super) fn rows(options: &Options, scale: Scale) -> io::Result<Vec<Row>> {
    let mut rows = large(options, scale)?;
    rows.extend(many(options, scale)?);
    rows.extend(huge(options, scale)?);
    Ok(rows)
}

/// One large channel, and a channel of ten.
fn large(options: &Options, scale: Scale) -> io::Result<Vec<Row>> {
    let server = Server::start(options)?;
    let mut bench = Bench::open(&server, scale)?;
    let room = Place::room(scale.channel, scale.rounds);
    bench.fill(&room)?;
    bench.fill(&Place { there: 0..10, channel: |_, _| TEN.to_owned(), ..Place::room(10, 1) })?;
    let mut rows = bench.join_and_leave(&room)?;
    rows.extend(bench.again(&room)?.0);
    rows.extend(bench.counts(&room)?);
    rows.extend(bench.page(&room)?);
    rows.extend(bench.ten()?);
    rows.extend(bench.whole_room()?);
    rows.extend(bench.stay()?);
    Ok(rows)
}

/// Many channels with few members each, then others with ten each.
fn many(options: &Options, scale: Scale) -> io::Result<Vec<Row>> {
    let server = Server::start(options)?;
    let mut bench = Bench::open(&server, scale)?;
    let sparse = Place {
        name: format!("{} channels", count(scale.channels)),
        there: ELSEWHERE..ELSEWHERE + PER_CHANNEL * scale.channels,
        channel: |scale, n| format!("channel:{:06}", scatter(n, scale.channels)),
        budget: Some(Budget { times_cheaper: Some(4.0), ..Budget::at_most(2.3) }),
        rounds: scale.rounds,
    };
    let tens = Place {
        name: format!("{} × 10", count(scale.channel / 10)),
        there: 0..scale.channel,
        channel: |scale, n| format!("ten:{:06}", n % (scale.channel / 10)),
        budget: None,
        rounds: scale.rounds,
    };
    bench.fill(&sparse)?;
    let mut rows = bench.join_and_leave(&sparse)?;
    bench.fill(&tens)?;
    rows.extend(bench.join_and_leave(&tens)?);
    rows.extend(bench.again(&tens)?.0);
    rows.extend(bench.counts(&tens)?);
    Ok(rows)
}

/// One channel as large as they come.
fn huge(options: &Options, scale: Scale) -> io::Result<Vec<Row>> {
    let server = Server::start(options)?;
    let mut bench = Bench::open(&server, scale)?;
    let room = Place { budget: None, ..Place::room(scale.huge, scale.rounds.div_ceil(2)) };
    bench.fill(&room)?;
    let mut rows = bench.join_and_leave(&room)?;
    rows.extend(bench.again(&room)?.0);
    rows.extend(bench.counts(&room)?);
    rows.extend(bench.page(&room)?);
    Ok(rows)
}

// === impl Place ===

impl Place {
    /// The channel that everybody is in.
    fn room(members: usize, rounds: usize) -> Self {
        Self {
            name: format!("one channel of {}", count(members)),
            there: 0..members,
            channel: |_, _| ROOM.to_owned(),
            budget: Some(Budget { times_cheaper: Some(4.0), ..Budget::at_most(1.5) }),
            rounds,
        }
    }
}

// === impl Bench ===

impl<'a> Bench<'a> {
    fn open(server: &'a Server, scale: Scale) -> io::Result<Self> {
        let mut redis = server.connect()?;
        let layouts = Layout::all(&mut redis)?;
        // What is known only after the server has run for a while is known then.
        std::thread::sleep(std::time::Duration::from_millis(1500));
        Ok(Self { layouts, redis, pipeline: Pipeline::open(server)?, server, scale })
    }

    fn fill(&mut self, place: &Place) -> io::Result<()> {
        for layout in &self.layouts {
            self.pipeline.run(place.there.len(), |n, out| {
                let n = place.there.start + n;
                layout.join(out, &(place.channel)(self.scale, n), &Member::number(n));
            })?;
        }
        Ok(())
    }

    /// New clients join, then the same ones leave, in another order.
    fn join_and_leave(&mut self, place: &Place) -> io::Result<Vec<Row>> {
        let Self { layouts, redis, pipeline, scale, .. } = self;
        let (scale, calls, first) = (*scale, scale.calls, place.there.end);
        let channel = |n| (place.channel)(scale, n);
        let costs = interleave(place.rounds, Layout::COUNT, |case| {
            let layout = &layouts[case];
            let before = layout.stored(redis, &channel(first))?;
            let joins = measure(redis, layout.command(Verb::Join), calls, || {
                pipeline.run(calls, |n, out| {
                    layout.join(out, &channel(first + n), &Member::number(first + n));
                })
            })?;
            let between = layout.stored(redis, &channel(first))?;
            let leaves = measure(redis, layout.command(Verb::Leave), calls, || {
                pipeline.run(calls, |n, out| {
                    let n = first + n * STRIDE % calls;
                    layout.leave(out, &channel(n), &Member::number(n));
                })
            })?;
            if between <= before || layout.stored(redis, &channel(first))? != before {
                return Err(io::Error::other("the clients did not join and leave"));
            }
            Ok([joins, leaves])
        })?;
        let mut rows = Vec::new();
        for (n, word) in ["join", "leave"].into_iter().enumerate() {
            let one: Vec<Cost> = costs.iter().map(|pair| pair[n]).collect();
            rows.extend(two_rows(&format!("{word}, {}", place.name), &one, place.budget));
        }
        Ok(rows)
    }

    /// Clients that are there are added again.
    fn again(&mut self, place: &Place) -> io::Result<(Vec<Row>, Vec<Cost>)> {
        let scale = self.scale;
        let costs = self.compare(
            |layout, n, out| {
                let n = place.there.start + scatter(n, place.there.len());
                layout.join(out, &(place.channel)(scale, n), &Member::number(n));
            },
            Verb::Join,
            None,
            [scale.calls; 4],
        )?;
        Ok((two_rows(&format!("added again, {}", place.name), &costs, None), costs))
    }

    /// The scripts keep their members alive one by one. The module renews one lease a second.
    fn stay(&mut self) -> io::Result<Vec<Row>> {
        let scale = self.scale;
        let again = self.again(&Place::room(scale.channel, scale.rounds))?.1;
        // One renewal at a time, as they come: with all that a request by itself costs.
        let (calls, mut alone) = (scale.calls / 10, self.server.connect()?);
        let [keep] = interleave(scale.rounds, 1, |_| {
            let work = || (0..calls).try_for_each(|_| Layout::keep(&mut alone));
            Ok([measure(&mut self.redis, "PRESENCE.LEASE|KEEP", calls, work)?])
        })?[0];
        Ok(vec![Row {
            what: "1,000,000 members staying, by the calls above: µs a second".to_owned(),
            module: Some(keep.thread),
            user_map: Some(again[1].thread * REFRESHES),
            no_user_map: Some(again[2].thread * REFRESHES),
            plain: None,
            budget: Some(Budget::at_most(2000.0)),
        }])
    }

    fn counts(&mut self, place: &Place) -> io::Result<Vec<Row>> {
        let scale = self.scale;
        self.redis.call(&["SET", "plain", &"x".repeat(96)])?;
        // Without the user map the whole channel is read.
        let large = (place.channel)(scale, 0) == ROOM;
        let whole = if large { scale.heavy_calls } else { scale.calls };
        let costs = self.compare(
            |layout, n, out| {
                let n = place.there.start + scatter(n, place.there.len());
                layout.counts(out, &(place.channel)(scale, n));
            },
            Verb::Counts,
            Some(["get", "GET", "plain"]),
            [scale.calls, scale.calls, whole, scale.calls],
        )?;
        let budget = Budget { times_plain: Some(3.0), ..Budget::at_most(0.2) };
        // The plain command always reads the same key, which is fair only to whoever does so too.
        let rows = two_rows(&format!("counts, {}", place.name), &costs, large.then_some(budget));
        Ok(with_plain(rows, "GET", &costs))
    }

    /// A page of a thousand, next to what a hash gives in one call.
    fn page(&mut self, place: &Place) -> io::Result<Vec<Row>> {
        let (entries, calls) = (self.layouts[1].keys(ROOM)[0].clone(), self.scale.calls / 200);
        let key = rollcall_wire::Names::new("rollcall").roster(ROOM);
        let pages: [(&str, Vec<&str>); 2] = [
            ("PRESENCE.SCAN", vec!["PRESENCE.SCAN", &key, "0", "COUNT", "1000", "JSON"]),
            ("hscan", vec!["HSCAN", &entries, "0", "COUNT", "1000"]),
        ];
        let Self { redis, pipeline, .. } = self;
        let costs = interleave(place.rounds, pages.len(), |case| {
            let (command, words) = &pages[case];
            let work = || pipeline.run(calls, |_, out| request(out, words));
            Ok([measure(redis, command, calls, work)?])
        })?;
        let row = |unit: &str, of: fn(&Cost) -> f64| Row {
            what: format!("page of 1,000 as JSON, {}: {unit}", place.name),
            module: Some(of(&costs[0][0])),
            plain: Some(("HSCAN", of(&costs[1][0]))),
            ..Row::default()
        };
        Ok(vec![row("µs", |cost| cost.command), row("µs of main thread", |cost| cost.thread)])
    }

    fn ten(&mut self) -> io::Result<Vec<Row>> {
        let entries = self.layouts[1].keys(TEN)[0].clone();
        let costs = self.compare(
            |layout, _, out| layout.everyone(out, TEN),
            Verb::Everyone,
            Some(["hgetall", "HGETALL", &entries]),
            [self.scale.calls; 4],
        )?;
        let rows =
            two_rows("everyone in a channel of 10, JSON", &costs, Some(Budget::at_most(1.2)));
        let mut rows = with_plain(rows, "HGETALL", &costs);

        // The same with the reply as a list of lists, which only the module has.
        let Self { redis, pipeline, scale, .. } = self;
        let [list] = interleave(scale.rounds, 1, |_| {
            let calls = scale.calls;
            let work =
                || pipeline.run(calls, |_, out| request(out, &["PRESENCE.GET", "rollcall:p:ten"]));
            Ok([measure(redis, "PRESENCE.GET", calls, work)?])
        })?[0];
        rows.push(Row {
            what: "everyone in a channel of 10, as lists: µs".to_owned(),
            module: Some(list.command),
            ..Row::default()
        });
        Ok(rows)
    }

    fn whole_room(&mut self) -> io::Result<Vec<Row>> {
        let scale = self.scale;
        let entries = self.layouts[1].keys(ROOM)[0].clone();
        let costs = self.compare(
            |layout, _, out| layout.everyone(out, ROOM),
            Verb::Everyone,
            Some(["hgetall", "HGETALL", &entries]),
            [scale.heavy_calls; 4],
        )?;
        let name = format!("everyone in a channel of {}, JSON", count(scale.channel));
        Ok(with_plain(two_rows(&name, &costs, None), "HGETALL", &costs))
    }

    /// A request in all layouts and a plain command (its name in `INFO`, itself, its key), each so
    /// many times. `encode` gets the number of the call.
    fn compare(
        &mut self,
        encode: impl Fn(&Layout, usize, &mut Vec<u8>),
        verb: Verb,
        plain: Option<[&str; 3]>,
        calls: [usize; Layout::COUNT + 1],
    ) -> io::Result<Vec<Cost>> {
        let Self { layouts, redis, pipeline, server, scale } = self;
        let [plain_stat, plain_request @ ..] = plain.unwrap_or_default();
        let cases = Layout::COUNT + usize::from(plain.is_some());
        let costs = interleave(scale.rounds, cases, |case| {
            let (layout, calls) = (layouts.get(case), calls[case]);
            let command = layout.map_or(plain_stat, |layout| layout.command(verb));
            // A reply of many megabytes leaves a large buffer behind: a connection of its own.
            let mut single = Pipeline::open(server)?;
            let pipeline = if calls == scale.heavy_calls { &mut single } else { &mut *pipeline };
            let work = || {
                pipeline.run(calls, |n, out| match layout {
                    Some(layout) => encode(layout, n, out),
                    None => request(out, &plain_request),
                })
            };
            Ok([measure(redis, command, calls, work)?])
        })?;
        Ok(costs.into_iter().map(|[cost]| cost).collect())
    }
}

/// Time in the command, with the budget, and time of the main thread. `costs` begin with those of
/// the layouts.
fn two_rows(what: &str, costs: &[Cost], budget: Option<Budget>) -> Vec<Row> {
    let row = |unit: &str, of: fn(&Cost) -> f64, budget| Row {
        what: format!("{what}: {unit}"),
        module: costs.first().map(of),
        user_map: costs.get(1).map(of),
        no_user_map: costs.get(2).map(of),
        plain: None,
        budget,
    };
    vec![row("µs", |cost| cost.command, budget), row("µs of main thread", |cost| cost.thread, None)]
}

/// The same two rows with the last of the costs as the plain command's.
fn with_plain(mut rows: Vec<Row>, name: &'static str, costs: &[Cost]) -> Vec<Row> {
    if let ([command, thread], Some(cost)) = (rows.as_mut_slice(), costs.last()) {
        command.plain = Some((name, cost.command));
        thread.plain = Some((name, cost.thread));
    }
    rows
}
