//! `http_server`: where the server listens.

use super::{NotYet, section::section};

section! {
    /// Where the server listens.
    pub struct HttpServer {
        /// Interface address to listen on; empty for all.
        address: String = String::new(),
        /// Port of everything that clients use; 0 for a free one.
        port: u16 = 8000,
        /// Interface address of the internal endpoints; empty for that of everything else.
        internal_address: String = String::new(),
        /// Port of the HTTP API and of health; 0 for the same port as everything else.
        internal_port: u16 = 0,
        /// Connections of a port without a WebSocket session: calls, idle ones, handshakes. Beyond it
        /// those are closed that have waited for their clients the longest; 0 for no limit.
        connection_limit: usize = 2048,
        /// TLS for clients; until it is there, put a proxy that ends TLS in front.
        tls: NotYet = NotYet,
        /// TLS with certificates fetched by the server.
        tls_autocert: NotYet = NotYet,
        /// TLS for the internal port.
        internal_tls: NotYet = NotYet,
    }
}

// === impl HttpServer ===

impl HttpServer {
    /// Where the internal endpoints are, if that is not where everything else is.
    pub fn internal(&self) -> Option<(&str, u16)> {
        let address = [&self.internal_address, &self.address].into_iter().find(|it| !it.is_empty());
        let address = address.map_or("", String::as_str);
        let port = if self.internal_port == 0 { self.port } else { self.internal_port };
        Some((address, port)).filter(|internal| *internal != (&self.address, self.port))
    }
}
