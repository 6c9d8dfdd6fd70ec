//! Control messages between servers.

use bytes::Bytes;
use rollcall_wire::control::Control;

use super::Store;
use super::call::{arg, bytes};
use super::reply::StoreError;

// === impl Store ===

impl Store {
    /// Starts to receive control messages to all servers and to `uid`, as
    /// [`super::StoreEvent::Control`]; the lives of the two connections for which that holds.
    pub async fn listen_control(&self, uid: &str) -> Result<[u64; 2], StoreError> {
        let listen = async |key: String| {
            let place = self.place(&key)?;
            place.up()?;
            place.subscribe(&key).await
        };
        Ok([listen(self.names().control()).await?, listen(self.names().node(uid)).await?])
    }

    /// The lives of the connections on which control messages arrive.
    pub fn control_lives(&self, uid: &str) -> [u64; 2] {
        let life = |key: String| self.place(&key).map(|place| place.life()).unwrap_or_default();
        [life(self.names().control()), life(self.names().node(uid))]
    }

    /// Tells every server, this one included.
    pub async fn tell_all(&self, message: &Control) -> Result<(), StoreError> {
        self.tell(self.names().control(), message).await
    }

    /// Tells one server.
    pub async fn tell_one(&self, uid: &str, message: &Control) -> Result<(), StoreError> {
        self.tell(self.names().node(uid), message).await
    }

    async fn tell(&self, key: String, message: &Control) -> Result<(), StoreError> {
        let place = self.place(&key)?;
        let args = vec![arg(key), bytes(Bytes::from(message.to_json()))];
        place.call("SPUBLISH", args).await.map(|_| ())
    }
}
