//! What a member costs in memory.

use std::io;
use std::thread::sleep;
use std::time::Duration;

use super::layout::Layout;
use super::member::{INFO, Member};
use super::meter::field;
use super::{Scale, count};
use crate::options::Options;
use crate::resp::{Connection, Pipeline};
use crate::server::Server;
use crate::table::{Budget, Row};

/// Members of a small channel. Its memory less that of a channel of one, shared by the other nine,
/// is what a member of it costs with the overhead of the key apart.
const SMALL: usize = 10;

/// The rows about the memory of rosters, in bytes per member beyond the bytes of its info.
pub(super) fn rows(options: &Options, scale: Scale) -> io::Result<Vec<Row>> {
    let all = scale.channel;
    let few = all / SMALL;
    let ones = Shape { channels: few, members: 1 }.bytes(options)?;
    let tens = Shape { channels: few, members: SMALL }.bytes(options)?;
    let slope: [f64; Layout::COUNT] =
        std::array::from_fn(|n| (tens[n] - ones[n]) / (float(few) * float(SMALL - 1)));

    // What a channel of one takes beyond one such member.
    let key: [f64; Layout::COUNT] = std::array::from_fn(|n| ones[n] / float(few) - slope[n]);

    let mut rows = Vec::new();
    let mut each = |shape: &Shape, bytes: [f64; Layout::COUNT]| {
        let beyond = bytes.map(|bytes| bytes / float(shape.count()) - float(INFO));
        let share = float(shape.channels) / float(shape.count());
        let apart = std::array::from_fn(|n| beyond[n] - key[n] * share);
        rows.push(row(format!("memory per member, {}: B", shape.name()), beyond, None));
        (format!("memory per member, keys apart, {}: B", shape.name()), apart)
    };
    let budget = Some(Budget::at_most(96.0));
    let mut apart = Vec::new();
    for &channels in scale.shapes {
        let shape = Shape { channels, members: all / channels };
        let bytes = shape.bytes(options)?;
        apart.push(each(&shape, bytes));
    }
    apart.push(each(&Shape { channels: few, members: SMALL }, tens));
    each(&Shape { channels: few, members: 1 }, ones);
    rows.extend(apart.into_iter().map(|(what, bytes)| row(what, bytes, budget)));
    rows.push(row("a channel, its members apart: B".to_owned(), key, None));
    Ok(rows)
}

/// So many channels with so many members each.
struct Shape {
    channels: usize,
    members: usize,
}

// === impl Shape ===

impl Shape {
    fn count(&self) -> usize {
        self.channels * self.members
    }

    fn name(&self) -> String {
        format!("{} × {}", count(self.channels), count(self.members))
    }

    /// What it takes in each layout, on a fresh server each time. The channels grow side by side.
    fn bytes(&self, options: &Options) -> io::Result<[f64; Layout::COUNT]> {
        let mut bytes = [0.0; Layout::COUNT];
        for (n, bytes) in bytes.iter_mut().enumerate() {
            *bytes = growth(options, |redis, fill| {
                let layout = &Layout::all(redis)?[n];
                fill(self.count(), &mut |n, out| {
                    layout.join(
                        out,
                        &format!("channel:{:06}", n % self.channels),
                        &Member::number(n),
                    );
                })
            })?;
        }
        Ok(bytes)
    }
}

/// Sends so many requests.
pub(super) type Fill<'a> =
    &'a mut dyn FnMut(usize, &mut dyn FnMut(usize, &mut Vec<u8>)) -> io::Result<()>;

/// By how many bytes a fresh server's `used_memory` grows while `work` fills it.
pub(super) fn growth(
    options: &Options,
    work: impl FnOnce(&mut Connection, Fill<'_>) -> io::Result<()>,
) -> io::Result<f64> {
    let server = Server::start(options)?;
    let mut redis = server.connect()?;
    let mut before = None;
    // Whatever `work` prepares on the first connection is there before the first reading.
    let mut meter = server.connect()?;
    // What the module remembers of events is bounded, whatever it is that is measured here.
    meter.call(&["CONFIG", "SET", "rollcall.recent-events-bytes", "0"])?;
    work(&mut redis, &mut |count, encode| {
        if before.is_none() {
            before = Some(settled(&mut meter)?);
        }
        Pipeline::open(&server)?.run(count, encode)
    })?;
    let before = before.ok_or_else(|| io::Error::other("nothing was filled"))?;
    Ok(settled(&mut meter)? - before)
}

/// `used_memory` when it has stopped changing: buffers of closed connections are gone, tables
/// have moved to their new size.
fn settled(redis: &mut Connection) -> io::Result<f64> {
    const SAME: u32 = 4;
    let (mut last, mut seen) = (String::new(), 0);
    for _ in 0..200 {
        let now = field(&redis.call(&["INFO", "memory"])?, "used_memory")?.to_owned();
        seen = if now == last { seen + 1 } else { 0 };
        if seen == SAME {
            return now.parse().map_err(io::Error::other);
        }
        last = now;
        sleep(Duration::from_millis(40));
    }
    Err(io::Error::other("used_memory does not come to rest"))
}

fn row(what: String, bytes: [f64; Layout::COUNT], budget: Option<Budget>) -> Row {
    let [module, user_map, no_user_map] = bytes.map(Some);
    Row { what, module, user_map, no_user_map, plain: None, budget }
}

/// A count as a number to divide by.
pub(super) fn float(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}
