//! The end of a server: a Redis that does not answer is not waited for.
//!
//! What is under way there fails soon instead of after `io_timeout`, once for each command: removals
//! of clients, calls, the goodbye. Nothing is lost by it: the lease that is then dropped, or runs out,
//! ends everything that is held under it.

use std::sync::Arc;
use std::time::Duration;

use super::Store;
use super::master::Master;

/// How long a master may take for a renewal when the server stops.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long after a renewal another one is asked for.
const PAUSE: Duration = Duration::from_millis(200);
/// How often what is under way at a master that does not answer is given up.
const OFTEN: Duration = Duration::from_millis(50);

// === impl Store ===

impl Store {
    /// The server begins to stop: from now on no call waits long for a master that does not answer.
    /// Masters that answer are used as before.
    pub fn begin_to_stop(&self) {
        for shard in self.shards() {
            shard.beginning.end();
            for master in shard.map().masters() {
                let hurry = hurry(master.clone());
                // Then the renewals end, too.
                let stopping = self.inner.ends.stopping.clone();
                tokio::spawn(stopping.run_until_cancelled_owned(hurry));
            }
        }
    }
}

/// Gives up what is under way at a master for as long as it does not answer.
async fn hurry(master: Arc<Master>) {
    loop {
        if tokio::time::timeout(PATIENCE, master.renewal()).await.is_ok() {
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        tracing::warn!(address = %master.address, "redis does not answer: leases are left to run out");
        let answers = master.renewal();
        tokio::pin!(answers);
        while tokio::time::timeout(OFTEN, &mut answers).await.is_err() {
            master.links.give_up();
        }
    }
}
