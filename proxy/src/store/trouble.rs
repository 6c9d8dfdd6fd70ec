//! Why Redis cannot be used, in words an operator can act on.

use std::time::Duration;

use tokio::time::Instant;

use super::call::{self, arg};
use super::link::CONNECTING;
use super::master::Master;
use super::reply::{NOT_READY, StoreError};

/// The oldest Redis with sharded pub/sub.
const OLDEST: (u32, u32) = (7, 0);

/// So many reasons are remembered.
const REASONS: usize = 16;

/// How often a reason is said where several take turns.
const SAID_AGAIN: Duration = Duration::from_secs(60);

/// Why something has failed since it worked last, and when each reason was said.
#[derive(Debug, Default)]
pub(super) struct Reasons(Vec<(String, Instant)>);

// === impl Reasons ===

impl Reasons {
    /// Whether this reason was not said of late; it is now.
    pub(super) fn add(&mut self, why: &str, now: Instant) -> bool {
        if let Some((_, said)) = self.0.iter_mut().find(|(said, _)| said == why) {
            let again = now.duration_since(*said) >= SAID_AGAIN;
            if again {
                *said = now;
            }
            return again;
        }
        if self.0.len() < REASONS {
            self.0.push((why.to_owned(), now));
        }
        true
    }

    /// It works: whether a reason was said.
    pub(super) fn clear(&mut self) -> bool {
        !std::mem::take(&mut self.0).is_empty()
    }
}

/// Redis cannot be used, because of this.
pub(super) fn away(trouble: String) -> StoreError {
    match trouble.as_str() {
        CONNECTING => StoreError::Away(trouble),
        _ => StoreError::Away(format!("redis is away: {trouble}")),
    }
}

/// What Redis refuses until somebody changes it, although it is there: rights that are missing, and
/// writes that it does not take.
const REFUSALS: [&str; 4] = ["NOPERM", "OOM", "NOREPLICAS", "MISCONF"];

/// Which of these it is.
pub(super) fn refusal(error: &StoreError) -> Option<(&'static str, &str)> {
    let (StoreError::Refused(text) | StoreError::Away(text)) = error else { return None };
    let text = text.strip_prefix(NOT_READY).unwrap_or(text);
    REFUSALS.into_iter().find(|word| text.starts_with(word)).map(|word| (word, text))
}

/// What to do about a failed renewal.
pub(super) async fn explain(master: &Master, error: &StoreError) -> String {
    let text = match error {
        StoreError::Refused(text) => text,
        StoreError::Away(why) if why == CONNECTING => return why.clone(),
        other => return format!("{other}; trying again"),
    };
    if let Some(version) = version(master).await.filter(|version| *version < OLDEST) {
        let (major, minor) = version;
        return format!("redis {major}.{minor} is too old: Rollcall needs Redis 7.0 or later");
    }
    if text.contains("unknown command") {
        return "redis runs without the Rollcall module: start it with \
                --loadmodule /path/to/librollcall_module.so"
            .to_owned();
    }
    format!("redis refused to renew the lease ({text}); trying again")
}

async fn version(master: &Master) -> Option<(u32, u32)> {
    let reply = call::on(&master.links.keepalive, "INFO", vec![arg("server")]).await.ok()?;
    let text = String::from_utf8(reply.bytes()?.to_vec()).ok()?;
    let version = text.lines().find_map(|line| line.strip_prefix("redis_version:"))?;
    let mut parts = version.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_said_when_it_changes_but_once_a_minute_where_they_take_turns() {
        let mut said = Reasons::default();
        let now = Instant::now();
        let mut says = |why, after| said.add(why, now + Duration::from_secs(after));
        let new = ["reset", "broken", "reset", "broken", "refused"].map(|why| says(why, 0));
        assert_eq!(new, [true, true, false, false, true]);
        assert_eq!([says("reset", 59), says("reset", 60), says("reset", 61)], [false, true, false]);
        assert!(said.clear() && !said.clear());
    }
}
