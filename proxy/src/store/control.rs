//! Control messages between servers.

use bytes::Bytes;
use rollcall_wire::control::Control;

use super::Store;
use super::call::{arg, bytes};
use super::reply::StoreError;

// === impl Store ===

impl Store {
    /// Starts to receive control messages, as [`super::StoreEvent::Control`]; the life of the
    /// connection for which that holds.
    pub async fn listen_control(&self) -> Result<u64, StoreError> {
        let key = self.names().control();
        let place = self.place(&key)?;
        place.up()?;
        place.subscribe(&key).await
    }

    /// The life of the connection on which control messages arrive.
    pub fn control_life(&self) -> u64 {
        self.place(&self.names().control()).map(|place| place.life()).unwrap_or_default()
    }

    /// Tells every server, this one included.
    pub async fn tell_all(&self, message: &Control) -> Result<(), StoreError> {
        let key = self.names().control();
        let place = self.place(&key)?;
        let args = vec![arg(key), bytes(Bytes::from(message.to_json()))];
        place.call("SPUBLISH", args).await.map(|_| ())
    }
}
