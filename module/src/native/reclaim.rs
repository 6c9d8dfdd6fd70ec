//! Large values are dropped on a thread of our own, whatever removed their key.

use std::any::Any;
use std::sync::OnceLock;
use std::sync::mpsc::{SyncSender, sync_channel};

/// Values with more parts than this take too long on the main thread.
pub(crate) const LARGE: usize = 256;

/// Waiting values; when the queue is full, the caller drops its value itself.
const QUEUE: usize = 65_536;

static SENDER: OnceLock<Option<SyncSender<Box<dyn Any + Send>>>> = OnceLock::new();

/// Starts the thread, so that the first large value need not wait for it.
pub(super) fn prepare() {
    SENDER.get_or_init(start);
}

/// Drops a value later and elsewhere. Values hold no strings of the server, so any thread may.
pub(crate) fn later<T: Any + Send>(value: Box<T>) {
    match SENDER.get_or_init(start) {
        Some(sender) => drop(sender.try_send(value)),
        None => drop(value),
    }
}

fn start() -> Option<SyncSender<Box<dyn Any + Send>>> {
    let (sender, receiver) = sync_channel::<Box<dyn Any + Send>>(QUEUE);
    let thread = std::thread::Builder::new().name(String::from("rollcall-free"));
    thread.spawn(move || receiver.into_iter().for_each(drop)).ok().map(|_| sender)
}
