//! A bad network: a TCP relay that delays, stalls, splits, cuts and forgets.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::wait::eventually;

/// Bytes read at once, and the most that a split lets through at once.
const CHUNK: usize = 16 * 1024;
const SLIVER: usize = 7;

/// Chunks on their way in one direction; a full way makes the sender wait, as a network does.
const ON_THE_WAY: usize = 1024;

/// How often a way that stands still looks whether it may go on.
const LOOK: Duration = Duration::from_millis(2);

/// Relays to one port. Dropping it cuts everything.
#[derive(Debug)]
pub struct Relay {
    port: u16,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    delay_ms: AtomicU64,
    /// Nothing moves, from the client and to it.
    still: [AtomicBool; 2],
    split: AtomicBool,
    refuse: AtomicBool,
    ended: AtomicBool,
    connections: Mutex<Vec<Connection>>,
}

#[derive(Debug)]
struct Connection {
    ends: [TcpStream; 2],
    /// What goes in is forgotten, and neither end is told.
    deaf: Arc<AtomicBool>,
}

/// Bytes and when they arrived.
type Chunk = (Instant, Vec<u8>);

// === impl Relay ===

impl Relay {
    /// A relay to this port of loopback.
    pub fn to(target: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        let port = listener.local_addr().expect("a listener has an address").port();
        let state = Arc::<State>::default();
        let shared = state.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.ended.load(Ordering::Relaxed) {
                    return;
                }
                if !shared.refuse.load(Ordering::Relaxed) {
                    connect(&shared, client, target);
                }
            }
        });
        Self { port, state }
    }

    /// Where to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// As the server's configuration takes it.
    pub fn address(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Whatever arrives from now on is this long on its way, in each direction.
    pub fn delay(&self, delay: Duration) {
        let ms = u64::try_from(delay.as_millis()).expect("a delay is short");
        self.state.delay_ms.store(ms, Ordering::Relaxed);
    }

    /// Nothing arrives any more, in either direction, and nothing is lost.
    pub fn stall(&self) {
        self.stall_ways(true, true);
    }

    /// As [`Self::stall`], for what the client says and for what it is told.
    pub fn stall_ways(&self, there: bool, back: bool) {
        for (still, stall) in self.state.still.iter().zip([there, back]) {
            still.store(stall, Ordering::Relaxed);
        }
    }

    /// Everything moves again.
    pub fn flow(&self) {
        self.stall_ways(false, false);
    }

    /// Whether bytes pass by a few at a time.
    pub fn split(&self, split: bool) {
        self.state.split.store(split, Ordering::Relaxed);
    }

    /// Ends all connections.
    pub fn cut(&self) {
        for connection in self.take() {
            for end in connection.ends {
                // One that has ended already is no harm.
                let _ = end.shutdown(Shutdown::Both);
            }
        }
    }

    /// Whether new connections are ended at once.
    pub fn refuse(&self, refuse: bool) {
        self.state.refuse.store(refuse, Ordering::Relaxed);
    }

    /// Connections that are there stay open and carry nothing ever again; new ones work.
    pub fn deafen(&self) {
        for connection in
            self.state.connections.lock().unwrap_or_else(PoisonError::into_inner).iter()
        {
            connection.deaf.store(true, Ordering::Relaxed);
        }
    }

    /// Waits until nobody uses a connection any more that [`Self::deafen`] made silent.
    pub fn silence_is_noticed(&self) {
        eventually("silent connections are given up", || {
            let connections = self.state.connections.lock().unwrap_or_else(PoisonError::into_inner);
            // Each of the two ways has the flag; the one from a client ends with the client.
            let in_use = |connection: &Connection| {
                connection.deaf.load(Ordering::Relaxed) && Arc::strong_count(&connection.deaf) > 2
            };
            (!connections.iter().any(in_use)).then_some(())
        });
    }

    /// How many connections there are, or were when the last one came.
    pub fn connections(&self) -> usize {
        self.state.connections.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn take(&self) -> Vec<Connection> {
        std::mem::take(&mut *self.state.connections.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Relaxed);
        self.flow();
        self.cut();
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// Connects both ends and starts to carry.
fn connect(state: &Arc<State>, client: TcpStream, target: u16) {
    // A server that is away is one whose connections end at once.
    let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else { return };
    let clone = |end: &TcpStream| end.try_clone().expect("descriptors are left");
    for end in [&client, &server] {
        end.set_nodelay(true).expect("a socket takes options");
    }
    let deaf = Arc::<AtomicBool>::default();
    for (way, from, to) in [(0, &client, &server), (1, &server, &client)] {
        let (sender, receiver) = sync_channel::<Chunk>(ON_THE_WAY);
        let (mut from, to) = (clone(from), clone(to));
        thread::spawn(move || {
            let mut bytes = vec![0; CHUNK];
            loop {
                match from.read(&mut bytes) {
                    Ok(0) => return,
                    Ok(read) if sender.send((Instant::now(), bytes[..read].to_vec())).is_err() => {
                        return;
                    }
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => return,
                }
            }
        });
        let (state, deaf) = (state.clone(), deaf.clone());
        thread::spawn(move || carry(&state, way, &receiver, to, &deaf));
    }
    let connection = Connection { ends: [client, server], deaf };
    let mut connections = state.connections.lock().unwrap_or_else(PoisonError::into_inner);
    // Those that nobody carries any more have ended.
    connections.retain(|connection| Arc::strong_count(&connection.deaf) > 1);
    connections.push(connection);
}

/// Hands on what arrives in one direction, when the network lets it, until the connection ends.
fn carry(state: &State, way: usize, from: &Receiver<Chunk>, mut to: TcpStream, deaf: &AtomicBool) {
    while let Ok((at, bytes)) = from.recv() {
        let delay = Duration::from_millis(state.delay_ms.load(Ordering::Relaxed));
        thread::sleep((at + delay).saturating_duration_since(Instant::now()));
        while state.still[way].load(Ordering::Relaxed) && !deaf.load(Ordering::Relaxed) {
            thread::sleep(LOOK);
        }
        if deaf.load(Ordering::Relaxed) {
            continue;
        }
        let size = if state.split.load(Ordering::Relaxed) { SLIVER } else { CHUNK };
        for part in bytes.chunks(size) {
            if to.write_all(part).is_err() {
                return;
            }
        }
    }
    // The end is told to the other side, unless nothing is ever told.
    if !deaf.load(Ordering::Relaxed) {
        let _ = to.shutdown(Shutdown::Both);
    }
}
