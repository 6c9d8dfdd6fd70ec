//! What a join, a leave, the counts and a whole channel cost.

use std::io;

use super::layout::{Layout, Verb};
use super::member::{Member, scatter};
use super::meter::{Cost, interleave, measure};
use super::{Scale, count};
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
    /// The number of the first client that joins while it is measured.
    first: usize,
    channel: fn(Scale, usize) -> String,
    budget: Budget,
}

/// Everything that is measured on one server.
struct Bench<'a> {
    layouts: [Layout; Layout::COUNT],
    redis: Connection,
    pipeline: Pipeline,
    server: &'a Server,
    scale: Scale,
}

/// The rows about time.
pub(super) fn rows(server: &Server, scale: Scale) -> io::Result<Vec<Row>> {
    let mut redis = server.connect()?;
    let layouts = Layout::all(&mut redis)?;
    let pipeline = Pipeline::open(server)?;
    let mut bench = Bench { layouts, redis, pipeline, server, scale };

    let room = Place {
        name: format!("one channel of {}", count(scale.channel)),
        first: scale.channel,
        channel: |_, _| ROOM.to_owned(),
        budget: Budget { times_cheaper: Some(4.0), ..Budget::at_most(1.5) },
    };
    let many = Place {
        name: format!("{} channels", count(scale.channels)),
        first: ELSEWHERE + PER_CHANNEL * scale.channels,
        channel: |scale, n| format!("channel:{:06}", scatter(n, scale.channels)),
        budget: Budget { times_cheaper: Some(4.0), ..Budget::at_most(2.3) },
    };
    bench.fill(0..scale.channel, |_| ROOM.to_owned())?;
    bench.fill(0..10, |_| TEN.to_owned())?;
    let mut rows = bench.join_and_leave(&room)?;
    rows.extend(bench.stay()?);
    rows.extend(bench.counts()?);
    rows.extend(bench.ten()?);
    rows.extend(bench.whole_room()?);
    bench.fill(ELSEWHERE..many.first, |n| (many.channel)(scale, n))?;
    rows.splice(4..4, bench.join_and_leave(&many)?);
    Ok(rows)
}

// === impl Bench ===

impl Bench<'_> {
    fn fill(
        &mut self,
        members: std::ops::Range<usize>,
        channel: impl Fn(usize) -> String,
    ) -> io::Result<()> {
        for layout in &self.layouts {
            self.pipeline.run(members.len(), |n, out| {
                let n = members.start + n;
                layout.join(out, &channel(n), &Member::number(n));
            })?;
        }
        Ok(())
    }

    /// New clients join, then the same ones leave, in another order.
    fn join_and_leave(&mut self, place: &Place) -> io::Result<Vec<Row>> {
        let Self { layouts, redis, pipeline, scale, .. } = self;
        let (scale, calls, first) = (*scale, scale.calls, place.first);
        let channel = |n| (place.channel)(scale, n);
        let costs = interleave(scale.rounds, Layout::COUNT, |case| {
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
            rows.extend(two_rows(&format!("{word}, {}", place.name), &one, Some(place.budget)));
        }
        Ok(rows)
    }

    /// Clients that are there are added again, which is how the scripts keep them alive. The module
    /// renews one lease a second instead.
    fn stay(&mut self) -> io::Result<Vec<Row>> {
        let scale = self.scale;
        let again = self.compare(
            |layout, n, out| layout.join(out, ROOM, &Member::number(scatter(n, scale.channel))),
            Verb::Join,
            None,
            [scale.calls; 4],
        )?;
        // One renewal at a time, as they come: with all that a request by itself costs.
        let (calls, mut alone) = (scale.calls / 10, self.server.connect()?);
        let [keep] = interleave(scale.rounds, 1, |_| {
            let work = || (0..calls).try_for_each(|_| Layout::keep(&mut alone));
            Ok([measure(&mut self.redis, "PRESENCE.LEASE|KEEP", calls, work)?])
        })?[0];

        let name = format!("added again, one channel of {}", count(scale.channel));
        let mut rows = two_rows(&name, &again, None);
        rows.push(Row {
            what: "1,000,000 members staying, by the calls above: µs a second".to_owned(),
            module: Some(keep.thread),
            user_map: Some(again[1].thread * REFRESHES),
            no_user_map: Some(again[2].thread * REFRESHES),
            plain: None,
            budget: Some(Budget::at_most(2000.0)),
        });
        Ok(rows)
    }

    fn counts(&mut self) -> io::Result<Vec<Row>> {
        let scale = self.scale;
        let mut value = Vec::new();
        request(&mut value, &["SET", "plain", &"x".repeat(96)]);
        self.pipeline.run(1, |_, out| out.extend_from_slice(&value))?;

        let costs = self.compare(
            |layout, _, out| layout.counts(out, ROOM),
            Verb::Counts,
            Some(["get", "GET", "plain"]),
            // Without the user map the whole channel is read.
            [scale.calls, scale.calls, scale.heavy_calls, scale.calls],
        )?;
        let budget = Budget { times_plain: Some(3.0), ..Budget::at_most(0.2) };
        let name = format!("counts of a channel of {}", count(scale.channel));
        Ok(with_plain(two_rows(&name, &costs, Some(budget)), "GET", &costs))
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
