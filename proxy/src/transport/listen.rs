//! Ports on which many may come at once.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket, lookup_host};

/// Connections that may wait to be accepted; the system allows `net.core.somaxconn` at most. After a
/// restart all clients come back in one moment, and one that finds no room tries again a second
/// later.
const WAITING: u32 = 4096;

/// Listens on `address`, a name or an address, or on all of them when it is empty.
pub(super) async fn listen(address: &str, port: u16) -> io::Result<TcpListener> {
    if address.is_empty() {
        // Both families where the system has both.
        let any = listen_on((Ipv6Addr::UNSPECIFIED, port).into());
        return any.or_else(|_| listen_on((Ipv4Addr::UNSPECIFIED, port).into()));
    }
    let mut why = io::Error::new(io::ErrorKind::NotFound, "no address has this name");
    for address in lookup_host((address, port)).await? {
        match listen_on(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => why = error,
        }
    }
    Err(why)
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // What is left of the connections of a server that has just ended does not keep the port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn many_connections_may_wait_to_be_accepted() {
        let most = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
        let most = most.trim().parse().unwrap_or(128).min(400);
        let listener = listen("127.0.0.1", 0).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        for n in 0..most {
            let connected = TcpStream::connect(address);
            let connected = tokio::time::timeout(Duration::from_millis(900), connected).await;
            waiting.push(connected.unwrap_or_else(|_| panic!("{n} of {most}")).unwrap());
        }
    }

    #[tokio::test]
    async fn names_and_all_addresses_are_listened_on() {
        for (address, ip) in [("localhost", None), ("127.0.0.1", Some("127.0.0.1")), ("", None)] {
            let listener = listen(address, 0).await.unwrap();
            let bound = listener.local_addr().unwrap().ip();
            assert!(ip.is_none_or(|ip| ip == bound.to_string()), "{address}: {bound}");
            assert_eq!(bound.is_unspecified(), address.is_empty(), "{address}: {bound}");
        }
        assert!(listen("no such name.invalid", 0).await.is_err());
    }
}
