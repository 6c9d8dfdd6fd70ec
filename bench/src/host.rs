//! What the numbers were measured on.

use std::fs;

/// One line: cores, processor, load of the last minute.
pub(crate) fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = first_value("/proc/cpuinfo", "model name");
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    format!(
        "{cores} cores, {}, load {load} at the start",
        model.unwrap_or("unknown processor".to_owned())
    )
}

/// The value of the first line `key : value` of a file.
fn first_value(path: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
