//! What a call costs the server.

use std::io;

use crate::resp::Connection;

/// Processor time of the server for one call, in microseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    /// Inside the command, as `INFO commandstats` counts it.
    pub(super) command: f64,
    /// Of the whole main thread: reading, parsing and replying as well.
    pub(super) thread: f64,
}

/// Does `work`, which calls `command` that many times, and says what each call cost.
///
/// That the calls were made, and that none failed, is checked: a benchmark of error replies is fast.
pub(super) fn measure(
    redis: &mut Connection,
    command: &str,
    calls: usize,
    work: impl FnOnce() -> io::Result<()>,
) -> io::Result<Cost> {
    redis.call(&["CONFIG", "RESETSTAT"])?;
    let before = main_thread_us(&redis.call(&["INFO", "cpu"])?)?;
    work()?;
    let info = redis.call(&["INFO", "cpu", "commandstats"])?;
    let after = main_thread_us(&info)?;

    let stats = field(&info, &format!("cmdstat_{command}"))?;
    let counted = |name| stat(stats, name);
    let as_float = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    let (made, failed) = (counted("calls")?, counted("failed_calls")?);
    if made.to_bits() != as_float(calls).to_bits() || failed > 0.0 {
        let what = format!("{command}: {made} calls of {calls} were made, {failed} failed");
        return Err(io::Error::other(what));
    }
    Ok(Cost { command: counted("usec")? / made, thread: (after - before) / made })
}

/// Runs every case once per round and returns the median of each, so that a disturbance meets all
/// cases alike. `run` gets the case; each round begins with another one.
pub(super) fn interleave<const N: usize>(
    rounds: usize,
    cases: usize,
    mut run: impl FnMut(usize) -> io::Result<[Cost; N]>,
) -> io::Result<Vec<[Cost; N]>> {
    let mut all = vec![Vec::with_capacity(rounds); cases];
    for round in 0..rounds {
        for step in 0..cases {
            let case = (round + step) % cases;
            all[case].push(run(case)?);
        }
    }
    let middle = |costs: &Vec<[Cost; N]>, n: usize| Cost {
        command: median(costs.iter().map(|cost| cost[n].command).collect()),
        thread: median(costs.iter().map(|cost| cost[n].thread).collect()),
    };
    Ok(all.iter().map(|costs| std::array::from_fn(|n| middle(costs, n))).collect())
}

/// The middle value, or the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[half],
        _ => f64::midpoint(values[half - 1], values[half]),
    }
}

/// The value of a field of `INFO`.
pub(super) fn field<'a>(info: &'a str, name: &str) -> io::Result<&'a str> {
    info.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .ok_or_else(|| io::Error::other(format!("INFO has no {name}")))
}

/// Time of the processor that the main thread has had.
pub(super) fn main_thread_us(info: &str) -> io::Result<f64> {
    let seconds = |name| field(info, name)?.parse::<f64>().map_err(io::Error::other);
    let user = seconds("used_cpu_user_main_thread")?;
    Ok((user + seconds("used_cpu_sys_main_thread")?) * 1e6)
}

fn stat(stats: &str, name: &str) -> io::Result<f64> {
    let found = stats.split(',').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let text = found.ok_or_else(|| io::Error::other(format!("no {name} in {stats}")))?;
    text.parse().map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(vec![9.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(vec![4.0, 1.0, 2.0, 9.0]) - 3.0).abs() < f64::EPSILON);
    }

    #[test]
    fn names_of_fields_are_whole() {
        let info = "# Stats\r\nused_cpu_sys:9\r\nused:7\r\n";
        assert_eq!(field(info, "used").unwrap(), "7");
        assert!(field(info, "use").is_err());
        assert!((stat("calls=3,usec=5,usec_per_call=1.6", "usec").unwrap() - 5.0).abs() < 0.1);
    }
}
