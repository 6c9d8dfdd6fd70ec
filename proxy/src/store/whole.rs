//! Reading for callers: who is here, of a Redis in which that is whole again.
//!
//! A Redis that restarts is empty, and the connection for commands may be back before the keepalive
//! has noticed a loss. What is read then would say that everybody is gone.

use std::time::Duration;

use super::call::{Answer, Args};
use super::reply::StoreError;
use super::shard::Place;
use super::trouble::away;

/// How often a read looks whether what was lost is put back, at most.
const LOOKS: u32 = 200;
/// How long it waits between two looks.
const PAUSE: Duration = Duration::from_millis(10);

// === impl Place ===

impl Place {
    /// The same as [`Self::call`] for a command that only reads, and that may be sent again: its
    /// answer is not of a Redis whose losses are not noticed, or are still to be made up for. Where
    /// that takes long, this is as if it was away. (Of a slot on its way, only the master it goes away
    /// from is looked at.)
    pub(super) async fn read(&self, word: &'static str, args: Args) -> Answer {
        let mut looks = 0..LOOKS;
        loop {
            let reply = self.call(word, args.clone()).await?;
            // Looked at only now: the connection may have been made anew before it was read.
            if !self.may_lack()? {
                return Ok(reply);
            }
            while self.may_lack()? {
                looks.next().ok_or_else(|| {
                    away("not all is put back yet that it may have lost".to_owned())
                })?;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Whether Redis may lack something that this server holds here.
    fn may_lack(&self) -> Result<bool, StoreError> {
        let owner = self.shard.owner(self.slot)?;
        if !owner.knows_losses(self.shard.settings.lease) {
            return Ok(true);
        }
        // Under this lock what is lost becomes what is to be put back.
        let holdings = self.shard.holdings();
        Ok(owner.is_lacking() || holdings.recovery.lacks(self.slot))
    }
}
