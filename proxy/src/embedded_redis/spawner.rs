//! The thread that starts child processes, and lives as long as they shall.
//!
//! The kernel sends a child its death signal when the *thread* that started it ends, not the
//! process. Which threads of a runtime end, and when, is up to the runtime.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// A command, and where its process is sent to.
type Request = (Command, oneshot::Sender<io::Result<Child>>);

/// Starts processes on a thread of its own. When it is dropped, the thread ends, and with it its
/// children.
#[derive(Debug)]
pub(super) struct Spawner {
    requests: SyncSender<Request>,
}

// === impl Spawner ===

impl Spawner {
    pub(super) fn start() -> io::Result<Self> {
        // One at a time is asked for; a second one would wait here.
        let (requests, waiting) = sync_channel(1);
        let runtime = Handle::current();
        let thread = thread::Builder::new().name("embedded-redis".to_owned());
        thread.spawn(move || serve(&runtime, &waiting))?;
        Ok(Self { requests })
    }

    pub(super) async fn spawn(&self, command: Command) -> io::Result<Child> {
        let gone = || io::Error::other("the thread that starts it has ended");
        let (answer, child) = oneshot::channel();
        self.requests.send((command, answer)).map_err(|_| gone())?;
        child.await.map_err(|_| gone())?
    }
}

fn serve(runtime: &Handle, waiting: &Receiver<Request>) {
    let _entered = runtime.enter();
    while let Ok((mut command, answer)) = waiting.recv() {
        // Not wanted any more: the child is dropped, which ends it.
        let _unwanted = answer.send(command.spawn());
    }
}
