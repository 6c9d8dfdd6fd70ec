//! Tells a service manager how the server is: systemd's `sd_notify` protocol, datagrams to the socket
//! that `NOTIFY_SOCKET` names.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// How often it is looked whether something is to be told.
const LOOK: Duration = Duration::from_millis(500);
/// How much longer a start may take, told again at each look until the server can serve: it waits for
/// a Redis as long as that takes, and shall not be ended for it.
const EXTENSION: Duration = Duration::from_secs(30);

/// Where to tell it, and how often the service manager wants to hear that the server lives.
#[derive(Debug)]
pub struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
    watchdog: Option<Duration>,
}

/// What was told last.
#[derive(Debug, Default)]
struct Told {
    ready: bool,
    status: String,
}

// === impl Manager ===

impl Manager {
    /// The service manager that the environment names, if one does.
    pub fn from_environment(
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> io::Result<Option<Self>> {
        let Some(name) = variable("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let socket = UnixDatagram::unbound()?;
        // One that is not read must not stop the server.
        socket.set_nonblocking(true)?;
        let number = |name| variable(name)?.to_str()?.parse().ok();
        let is_ours = number("WATCHDOG_PID").is_none_or(|id| id == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|micros| is_ours && *micros > 0);
        let watchdog = watchdog.map(Duration::from_micros);
        Ok(Some(Self { socket, address: address(&name)?, watchdog }))
    }

    /// Tells how the server is until `stop`: first what it waits for, then that it is ready, and what
    /// is wrong whenever that changes. `look` says whether it can serve, and what is wrong.
    pub async fn tell(self, look: impl Fn() -> (bool, String), stop: CancellationToken) {
        let mut told = Told::default();
        let look = async {
            loop {
                self.report(&mut told, look());
                tokio::time::sleep(LOOK).await;
            }
        };
        // That it runs shows that the runtime does.
        let live = async {
            let Some(often) = self.watchdog.map(|interval| interval / 2) else {
                return std::future::pending().await;
            };
            loop {
                self.send("WATCHDOG=1");
                tokio::time::sleep(often).await;
            }
        };
        let ended = stop.cancelled();
        tokio::select! {
            () = look => {}
            () = live => {}
            () = ended => {}
        }
        self.send("STOPPING=1\nSTATUS=stopping");
        // Stopping takes its time, in which the service manager still wants to hear of it.
        if let Some(often) = self.watchdog.map(|interval| interval / 2) {
            loop {
                tokio::time::sleep(often).await;
                self.send("WATCHDOG=1");
            }
        }
    }

    fn report(&self, told: &mut Told, (can_serve, trouble): (bool, String)) {
        let ready = told.ready || can_serve;
        let status = match (ready, trouble.as_str()) {
            (true, "") => "serving".to_owned(),
            (true, trouble) => format!("serving, with trouble: {trouble}"),
            (false, trouble) => format!("waiting for redis: {trouble}"),
        };
        if told.ready && told.status == status {
            return;
        }
        let line = status.replace(char::is_control, " ");
        let sent = match (told.ready, ready) {
            (false, true) => self.send(&format!("READY=1\nSTATUS={line}")),
            (false, false) => {
                let micros = EXTENSION.as_micros();
                self.send(&format!("EXTEND_TIMEOUT_USEC={micros}\nSTATUS={line}"))
            }
            (true, _) => self.send(&format!("STATUS={line}")),
        };
        if sent {
            *told = Told { ready, status };
        }
    }

    /// Whether it was told; what was not is told again at the next look.
    fn send(&self, message: &str) -> bool {
        let sent = self.socket.send_to_addr(message.as_bytes(), &self.address);
        sent.inspect_err(|error| tracing::debug!(%error, "the service manager was not told"))
            .is_ok()
    }
}

/// A path, or with `@` before it a name in the abstract namespace.
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        _ => SocketAddr::from_pathname(name),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    use super::*;

    fn manager(variables: &[(&str, &str)]) -> io::Result<Option<Manager>> {
        let variables: BTreeMap<_, _> = variables.iter().copied().collect();
        Manager::from_environment(|name| variables.get(name).map(OsString::from))
    }

    /// A socket as a service manager has one, in the abstract namespace, and its name.
    fn socket() -> (tokio::net::UnixDatagram, String) {
        let name = format!("rollcall-test-{}", uuid::Uuid::new_v4());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        socket.set_nonblocking(true).unwrap();
        (tokio::net::UnixDatagram::from_std(socket).unwrap(), format!("@{name}"))
    }

    async fn heard(socket: &tokio::net::UnixDatagram) -> String {
        let mut buffer = [0; 4096];
        let length = tokio::time::timeout(Duration::from_secs(10), socket.recv(&mut buffer));
        let length = length.await.expect("something is told").unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_service_manager_is_told_of_waiting_serving_trouble_and_the_end() {
        let (socket, name) = socket();
        let state = Arc::new(Mutex::new((false, "connecting".to_owned())));
        let (stop, seen) = (CancellationToken::new(), state.clone());
        let manager = manager(&[("NOTIFY_SOCKET", &name)]).unwrap().unwrap();
        tokio::spawn(manager.tell(move || seen.lock().unwrap().clone(), stop.clone()));
        let waiting = "EXTEND_TIMEOUT_USEC=30000000\nSTATUS=waiting for redis: connecting";
        assert_eq!(heard(&socket).await, waiting);
        assert_eq!(heard(&socket).await, waiting, "for as long as it takes");
        for (now, expected) in [
            ((true, ""), "READY=1\nSTATUS=serving"),
            ((true, "a\nREADY=0"), "STATUS=serving, with trouble: a READY=0"),
            ((false, "away"), "STATUS=serving, with trouble: away"),
            ((true, ""), "STATUS=serving"),
        ] {
            *state.lock().unwrap() = (now.0, now.1.to_owned());
            let mut told = heard(&socket).await;
            while told == waiting {
                told = heard(&socket).await;
            }
            assert_eq!(told, expected);
        }
        stop.cancel();
        assert_eq!(heard(&socket).await, "STOPPING=1\nSTATUS=stopping");
    }

    #[tokio::test]
    async fn the_watchdog_hears_of_the_server_also_while_it_stops() {
        let (socket, name) = socket();
        let stop = CancellationToken::new();
        let variables = [("NOTIFY_SOCKET", name.as_str()), ("WATCHDOG_USEC", "20000")];
        let manager = manager(&variables).unwrap().unwrap();
        tokio::spawn(manager.tell(|| (true, String::new()), stop.clone()));
        let mut alive = 0;
        while alive < 3 {
            alive += usize::from(heard(&socket).await == "WATCHDOG=1");
        }
        stop.cancel();
        while heard(&socket).await != "STOPPING=1\nSTATUS=stopping" {}
        assert_eq!(heard(&socket).await, "WATCHDOG=1");
    }

    #[test]
    fn paths_are_sockets_too_and_the_watchdog_may_be_for_another_process() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let _entered = runtime.enter();
        let watchdog = |id: &str| {
            let micros = ("WATCHDOG_USEC", "4000000");
            let variables = [("NOTIFY_SOCKET", "/run/notify"), micros, ("WATCHDOG_PID", id)];
            manager(&variables).unwrap().unwrap().watchdog
        };
        assert_eq!(watchdog(&std::process::id().to_string()), Some(Duration::from_secs(4)));
        assert_eq!(watchdog("1"), None);
        assert!(manager(&[]).unwrap().is_none());
        assert!(manager(&[("NOTIFY_SOCKET", "")]).unwrap().is_none());
        let long = "/".repeat(200);
        assert!(
            manager(&[("NOTIFY_SOCKET", &long)]).is_err(),
            "longer than a socket's name may be"
        );
    }
}
