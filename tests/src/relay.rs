//! A bad network: a TCP relay that delays, stalls, splits, cuts and forgets, for everybody or for
//! some of those who come through it.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

/// Bytes of a connection in which a login is looked for.
const LOGIN: usize = 256;

/// Relays to one port, and is itself the line of all those who have none of their own. Dropping it
/// cuts everything.
#[derive(Debug)]
pub struct Relay {
    port: u16,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    target: u16,
    /// The first is for those who have no other.
    lines: Vec<Line>,
    ended: AtomicBool,
}

/// A network between some clients and a server.
#[derive(Debug, Default)]
pub struct Line {
    /// As whom its clients log in.
    user: String,
    delay_ms: AtomicU64,
    /// Nothing moves, from the client and to it.
    still: [AtomicBool; 2],
    split: AtomicBool,
    refuse: AtomicBool,
    connections: Mutex<Vec<Connection>>,
}

#[derive(Debug)]
struct Connection {
    ends: [TcpStream; 2],
    wire: Arc<Wire>,
}

/// What those that carry a connection know of it.
#[derive(Debug, Default)]
struct Wire {
    /// The place of its line.
    line: AtomicUsize,
    /// What goes in is forgotten, and neither end is told.
    deaf: AtomicBool,
}

/// Bytes and when they arrived.
type Chunk = (Instant, Vec<u8>);

// === impl Relay ===

impl Relay {
    /// A relay to this port of loopback.
    pub fn to(target: u16) -> Self {
        Self::for_users(target, &[])
    }

    /// A relay with a line for each of these users of Redis. Everybody comes to the same port, as
    /// nodes that are told of by others have one address only: it is known by the login whose a
    /// connection is, and whoever logs in as nobody of these goes by the relay's own line.
    pub fn for_users(target: u16, users: &[&str]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        let port = listener.local_addr().expect("a listener has an address").port();
        let line = |user: &&str| Line { user: (*user).to_owned(), ..Line::default() };
        let lines = [&""].into_iter().chain(users).map(line).collect();
        let state = Arc::new(State { target, lines, ended: AtomicBool::new(false) });
        let shared = state.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.ended.load(Ordering::Relaxed) {
                    return;
                }
                if !shared.lines[0].refuse.load(Ordering::Relaxed) {
                    connect(&shared, client);
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

    /// The line of one of the users.
    pub fn line(&self, user: usize) -> &Line {
        &self.state.lines[1 + user]
    }
}

impl Deref for Relay {
    type Target = Line;

    fn deref(&self) -> &Line {
        &self.state.lines[0]
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Relaxed);
        for line in &self.state.lines {
            line.flow();
            line.cut();
        }
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

// === impl Line ===

impl Line {
    /// Whatever arrives from now on is this long on its way, in each direction.
    pub fn delay(&self, delay: Duration) {
        let ms = u64::try_from(delay.as_millis()).expect("a delay is short");
        self.delay_ms.store(ms, Ordering::Relaxed);
    }

    /// Nothing arrives any more, in either direction, and nothing is lost.
    pub fn stall(&self) {
        self.stall_ways(true, true);
    }

    /// As [`Self::stall`], for what the client says and for what it is told.
    pub fn stall_ways(&self, there: bool, back: bool) {
        for (still, stall) in self.still.iter().zip([there, back]) {
            still.store(stall, Ordering::Relaxed);
        }
    }

    /// Everything moves again.
    pub fn flow(&self) {
        self.stall_ways(false, false);
    }

    /// Whether bytes pass by a few at a time.
    pub fn split(&self, split: bool) {
        self.split.store(split, Ordering::Relaxed);
    }

    /// Ends all connections.
    pub fn cut(&self) {
        std::mem::take(&mut *self.list()).iter().for_each(Connection::end);
    }

    /// Whether new connections are ended at once.
    pub fn refuse(&self, refuse: bool) {
        self.refuse.store(refuse, Ordering::Relaxed);
    }

    /// Connections that are there stay open and carry nothing ever again; new ones work.
    pub fn deafen(&self) {
        for connection in self.list().iter() {
            connection.wire.deaf.store(true, Ordering::Relaxed);
        }
    }

    /// Waits until nobody uses a connection any more that [`Self::deafen`] made silent.
    pub fn silence_is_noticed(&self) {
        eventually("silent connections are given up", || {
            // Both ways hold the wire; the one from a client ends with the client.
            let in_use = |connection: &Connection| {
                let wire = &connection.wire;
                wire.deaf.load(Ordering::Relaxed) && Arc::strong_count(wire) > 2
            };
            (!self.list().iter().any(in_use)).then_some(())
        });
    }

    /// How many connections there are, or were when the last one came.
    pub fn connections(&self) -> usize {
        self.list().len()
    }

    /// A connection goes by this line from now on, if it may.
    fn take_in(&self, connection: Connection) {
        let mut connections = self.list();
        // Those that nobody carries any more have ended.
        connections.retain(|connection| Arc::strong_count(&connection.wire) > 1);
        if self.refuse.load(Ordering::Relaxed) {
            connection.end();
            return;
        }
        connections.push(connection);
    }

    /// Takes a connection off, if it is still on.
    fn let_go(&self, wire: &Arc<Wire>) -> Option<Connection> {
        let mut connections = self.list();
        let place = connections.iter().position(|other| Arc::ptr_eq(&other.wire, wire))?;
        Some(connections.swap_remove(place))
    }

    fn list(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Connection ===

impl Connection {
    fn end(&self) {
        for end in &self.ends {
            // One that has ended already is no harm.
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

/// Connects both ends and starts to carry.
fn connect(state: &Arc<State>, client: TcpStream) {
    // A server that is away is one whose connections end at once.
    let Ok(server) = TcpStream::connect(("127.0.0.1", state.target)) else { return };
    let clone = |end: &TcpStream| end.try_clone().expect("descriptors are left");
    for end in [&client, &server] {
        end.set_nodelay(true).expect("a socket takes options");
    }
    let wire = Arc::<Wire>::default();
    let ways = [(0, &client, &server), (1, &server, &client)];
    let ways = ways.map(|(way, from, to)| (way, clone(from), clone(to), wire.clone()));
    // Before it is carried, so that its login finds it there.
    state.lines[0].take_in(Connection { ends: [client, server], wire });
    for (way, from, to, wire) in ways {
        let (sender, receiver) = sync_channel::<Chunk>(ON_THE_WAY);
        let teller = (way == 0).then(|| Teller { state: state.clone(), wire: wire.clone() });
        thread::spawn(move || take(from, &sender, teller));
        let state = state.clone();
        thread::spawn(move || carry(&state, way, &receiver, to, &wire));
    }
}

/// Takes what arrives from one end, until that ends.
fn take(mut from: TcpStream, to: &SyncSender<Chunk>, teller: Option<Teller>) {
    let mut bytes = vec![0; CHUNK];
    let mut head = Vec::new();
    loop {
        match from.read(&mut bytes) {
            Ok(0) => return,
            Ok(read) => {
                if let Some(teller) = &teller
                    && head.len() < LOGIN
                {
                    head.extend_from_slice(&bytes[..read]);
                    teller.tell(&head);
                }
                if to.send((Instant::now(), bytes[..read].to_vec())).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// Finds out whose a connection is.
struct Teller {
    state: Arc<State>,
    wire: Arc<Wire>,
}

// === impl Teller ===

impl Teller {
    /// Puts a connection that begins like this on the line where it belongs, before any of it is
    /// carried.
    fn tell(&self, head: &[u8]) {
        let [own, lines @ ..] = &self.state.lines[..] else { return };
        let Some(user) = user(head) else { return };
        let Some(place) = lines.iter().position(|line| line.user.as_bytes() == user) else {
            return;
        };
        let Some(connection) = own.let_go(&self.wire) else { return };
        self.wire.line.store(1 + place, Ordering::Relaxed);
        lines[place].take_in(connection);
    }
}

/// As whom a connection logs in that begins like this: the word after `AUTH`, as a line of words or
/// as an array of strings with their lengths between them.
fn user(head: &[u8]) -> Option<&[u8]> {
    let end = head.iter().rposition(u8::is_ascii_whitespace)?;
    let words = head[..end].split(u8::is_ascii_whitespace);
    let strings = words.filter(|word| !word.is_empty() && !word.starts_with(b"$"));
    strings.skip_while(|word| *word != b"AUTH").nth(1)
}

/// Hands on what arrives in one direction, when the network lets it, until the connection ends.
fn carry(state: &State, way: usize, from: &Receiver<Chunk>, mut to: TcpStream, wire: &Wire) {
    let deaf = &wire.deaf;
    while let Ok((at, bytes)) = from.recv() {
        let line = &state.lines[wire.line.load(Ordering::Relaxed)];
        let delay = Duration::from_millis(line.delay_ms.load(Ordering::Relaxed));
        thread::sleep((at + delay).saturating_duration_since(Instant::now()));
        while line.still[way].load(Ordering::Relaxed) && !deaf.load(Ordering::Relaxed) {
            thread::sleep(LOOK);
        }
        if deaf.load(Ordering::Relaxed) {
            continue;
        }
        let size = if line.split.load(Ordering::Relaxed) { SLIVER } else { CHUNK };
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

#[cfg(test)]
mod tests {
    use super::user;

    #[test]
    fn a_login_is_known_in_both_forms_once_the_name_is_whole() {
        let user = |head: &str| user(head.as_bytes()).map(<[u8]>::to_owned);
        assert_eq!(user("HELLO 3 AUTH ann word\r\n"), Some(b"ann".to_vec()));
        let strings = "*3\r\n$4\r\nAUTH\r\n$3\r\nann\r\n$4\r\nword\r\n";
        assert_eq!(user(strings), Some(b"ann".to_vec()));
        let whole = strings.find("ann").map(|start| start + "ann\r".len());
        for end in 0..strings.len() {
            let known = whole.is_some_and(|whole| end >= whole);
            assert_eq!(user(&strings[..end]).is_some(), known, "{}", &strings[..end]);
        }
        assert_eq!(user("HELLO 3\r\n"), None);
    }
}
