//! Control messages between servers.

use bytes::Bytes;
use rollcall_wire::control::Control;

use super::Store;
use super::call::{arg, bytes};
use super::reply::StoreError;

// === impl Store ===

impl Store {
    /// Starts to receive control messages, as [`super::StoreEvent::Control`].
    pub async fn listen_control(&self) -> Result<u64, StoreError> {
        self.up()?;
        self.subscribe(self.inner.names.control()).await
    }

    /// Tells every server, this one included.
    pub async fn tell_all(&self, message: &Control) -> Result<(), StoreError> {
        let args = vec![arg(self.inner.names.control()), bytes(Bytes::from(message.to_json()))];
        self.call("SPUBLISH", args).await.map(|_| ())
    }
}
