//! Large values are dropped on a thread of our own, whatever removed their key.

use std::any::Any;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Values with more parts than this take too long on the main thread.
pub(crate) const LARGE: usize = 256;

/// Waiting values; when the queue is full, the caller drops its value itself.
const QUEUE: usize = 65_536;

static FREEING: Mutex<Option<Freeing>> = Mutex::new(None);

/// The thread, and the way to it.
struct Freeing {
    sender: SyncSender<Box<dyn Any + Send>>,
    thread: JoinHandle<()>,
}

/// Starts the thread, so that the first large value need not wait for it.
pub(super) fn prepare() {
    *freeing() = start();
}

/// Drops a value later and elsewhere. Values hold no strings of the server, so any thread may.
pub(crate) fn later<T: Any + Send>(value: Box<T>) {
    let mut freeing = freeing();
    if freeing.is_none() {
        *freeing = start();
    }
    match &*freeing {
        Some(freeing) => drop(freeing.sender.try_send(value)),
        None => drop(value),
    }
}

/// The server shuts down: the thread drops what it has and ends. If the server goes on after all,
/// the next value starts another.
pub(super) fn finish() {
    if let Some(Freeing { sender, thread }) = freeing().take() {
        drop(sender);
        // That it panicked has been said already.
        let _ = thread.join();
    }
}

fn freeing() -> MutexGuard<'static, Option<Freeing>> {
    FREEING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn start() -> Option<Freeing> {
    let (sender, receiver) = sync_channel::<Box<dyn Any + Send>>(QUEUE);
    let thread = std::thread::Builder::new().name(String::from("rollcall-free"));
    let thread = thread.spawn(move || receiver.into_iter().for_each(drop)).ok()?;
    Some(Freeing { sender, thread })
}
