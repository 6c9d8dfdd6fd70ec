//! Reading whole rosters, to compare them with what was shown.

use std::time::Duration;

use rollcall_wire::publication::Message;
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Hub;
use super::mirror::{Event, KEPT, Mirror, Read};
use crate::protocol::Json;
use crate::store::{Roster, StoreError};

/// Events asked for at once.
const PAGE: usize = 1_000;
/// How long events may still take when a read of after them has arrived on another connection.
const NEARLY_HERE: Duration = Duration::from_millis(50);

// === impl Hub ===

impl Hub {
    /// Reads the roster, and finds what may explain the read better than it does itself: that Redis
    /// has lost data, before anybody is shown leaving; and events, which tell more than the
    /// difference they make. Those on their way are waited for, and Redis is asked for those that were
    /// missed. Where events do not come it is listened to again. The channel's gate is held.
    pub(super) async fn read_for_sure(&self, channel: &str) -> Result<(u64, Read), StoreError> {
        let ask =
            |what: &dyn Fn(&mut Mirror) -> bool| self.with_mirror(channel, what) == Some(true);
        let mut listened_again = false;
        loop {
            let (seq, read) = self.read(channel).await?;
            if ask(&|mirror| mirror.would_leave(&read)) {
                let loss = self.inner.store.loss_for_sure(channel).await?;
                self.with_mirror(channel, |mirror| mirror.patience().lost(loss));
            }
            if ask(&|mirror| mirror.is_ahead(seq, &read)) {
                tokio::time::sleep(NEARLY_HERE).await;
            }
            let is_ahead = ask(&|mirror| mirror.is_ahead(seq, &read));
            if is_ahead || ask(&|mirror| mirror.has_missed()) {
                self.recall(channel, (seq, &read)).await?;
            }
            if listened_again || !is_ahead {
                return Ok((seq, read));
            }
            self.listen_anew(channel).await?;
            listened_again = true;
        }
    }

    /// Asks Redis for the events after those that were shown.
    async fn recall(&self, channel: &str, read: (u64, &Read)) -> Result<(), StoreError> {
        let Some((shown, asked)) = self.with_mirror(channel, |mirror| mirror.begin_recall()) else {
            return Ok(());
        };
        let missed = match self.missed(channel, shown).await {
            Err(StoreError::Refused(error)) => {
                tracing::debug!(channel, error, "what was missed cannot be asked for");
                Vec::new()
            }
            missed => missed?,
        };
        self.with_mirror(channel, |mirror| mirror.recall(asked, missed, read));
        Ok(())
    }

    /// The events above a sequence, page by page, as many as a mirror keeps.
    async fn missed(&self, channel: &str, shown: u64) -> Result<Vec<Event>, StoreError> {
        let store = &self.inner.store;
        let db = store.db(channel);
        let ours = |message: &Message<'_>| message.db().is_none_or(|of| of == db);
        let mut missed: Vec<Event> = Vec::new();
        loop {
            let since = missed.last().map_or(shown, Event::seq);
            let page = store.recent(channel, since, PAGE).await?;
            let messages = page.iter().filter_map(|event| Message::parse(event)).filter(ours);
            missed.extend(messages.filter_map(|message| Event::of(&message)));
            let goes_on = missed.last().is_some_and(|last| last.seq() > since);
            if page.len() < PAGE || missed.len() >= KEPT || !goes_on {
                return Ok(missed);
            }
        }
    }

    pub(super) async fn read(&self, channel: &str) -> Result<(u64, Read), StoreError> {
        let store = &self.inner.store;
        let stats = store.stats_as_is(channel).await?;
        if stats.clients > self.inner.mirror_limit {
            return Ok((stats.seq, Read::TooMany));
        }
        let Roster { seq, json, .. } = store.roster(channel).await?;
        let all = members(&json);
        let all = all.ok_or(StoreError::Unexpected(rollcall_wire::words::PRESENCE_GET))?;
        Ok((seq, Read::All(all)))
    }
}

/// A `presence` object as `(client, ClientInfo)` pairs; `None` when it is none.
pub(super) fn members(json: &[u8]) -> Option<Vec<(Box<str>, Json)>> {
    serde_json::from_slice(json).ok().map(|Members(all)| all)
}

/// What [`members`] reads.
struct Members(Vec<(Box<str>, Json)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a presence object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Members, M::Error> {
                let mut all = Vec::new();
                while let Some((client, info)) = map.next_entry::<Box<str>, &RawValue>()? {
                    all.push((client, info.into()));
                }
                Ok(Members(all))
            }
        }

        from.deserialize_map(Pairs)
    }
}
