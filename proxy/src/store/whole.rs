//! Reading for callers: who is here, of a Redis in which that is whole again.
//!
//! A Redis that restarts is empty, and the connection for commands may be back before the keepalive
//! has noticed a loss. What is read then would say that everybody is gone.

use std::time::Duration;

use super::call::{Answer, Args};
use super::reply::StoreError;
use super::shard::Place;
use super::trouble::away;

/// How often a read looks whether what was lost is put back, at most. Where that takes longer,
/// because Redis is full, say, it answers with what is there.
const LOOKS: u32 = 200;
/// How long it waits between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// What a Redis lacks of what this server holds there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lack {
    Nothing,
    /// It has lost data, and not everything is put back.
    Something,
    /// It may have lost data of which nobody knows yet.
    Unknown,
}

// === impl Place ===

impl Place {
    /// The same as [`Self::call`] for a command that only reads, and that may be sent again: its
    /// answer is not of a Redis whose losses are not noticed, or are still to be made up for.
    pub(super) async fn read(&self, word: &'static str, args: Args) -> Answer {
        let mut looks = 0..LOOKS;
        loop {
            let reply = self.call(word, args.clone()).await?;
            // Looked at only now: the connection may have been made anew before it was read.
            let mut lack = self.lack()?;
            if lack == Lack::Nothing {
                return Ok(reply);
            }
            while lack != Lack::Nothing && looks.next().is_some() {
                tokio::time::sleep(PAUSE).await;
                lack = self.lack()?;
            }
            match lack {
                Lack::Nothing => {}
                Lack::Something => return self.call(word, args).await,
                Lack::Unknown => return Err(away("no answer in time".to_owned())),
            }
        }
    }

    fn lack(&self) -> Result<Lack, StoreError> {
        let owner = self.shard.owner(self.slot)?;
        if !owner.knows_losses() {
            return Ok(Lack::Unknown);
        }
        if owner.loss() == 0 {
            return Ok(Lack::Nothing);
        }
        // Under this lock what is lost becomes what is to be put back.
        let holdings = self.shard.holdings();
        let lacks = owner.is_lost() || holdings.recovery.awaits(self.slot);
        Ok(if lacks { Lack::Something } else { Lack::Nothing })
    }
}
