//! Accepting connections: timeouts for headers, small buffers, and a stop with a limit.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::listen::listen;

/// How long the headers of a request may take.
const HEADERS: Duration = Duration::from_secs(10);
/// Longest head of a request, its first line and all header fields; over it the answer is 431.
const HEAD: usize = 32 * 1024;
/// Most that is read ahead of what is used. Half-sent headers cost no more than this.
const READ_AHEAD: usize = 64 * 1024;
/// How long the system keeps what a client does not take, in milliseconds, also when the connection
/// is closed: by itself it tries for minutes, with megabytes in its buffers.
const UNTAKEN: u32 = 30_000;
/// How long to wait when the system has no more sockets for us.
const BREATH: Duration = Duration::from_millis(50);

/// A bound port.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
}

// === impl Server ===

impl Server {
    /// Listens on `address`, or on all of them when it is empty.
    pub async fn bind(address: &str, port: u16) -> std::io::Result<Self> {
        let listener = listen(address, port).await?;
        Ok(Self { listener })
    }

    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop`, then lets requests under way finish.
    pub async fn serve(self, router: Router, stop: CancellationToken) {
        let connections = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = stop.cancelled() => break,
            };
            match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, router.clone(), stop.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
        connections.close();
        connections.wait().await;
    }
}

async fn connection(stream: TcpStream, router: Router, stop: CancellationToken) {
    // Frames are small and wanted at once; a socket that refuses this still works.
    let _nagle = stream.set_nodelay(true);
    let _untaken = rustix::net::sockopt::set_tcp_user_timeout(&stream, UNTAKEN);
    let service = TowerToHyperService::new(router);
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let service = service.clone();
        async move { Ok::<_, Infallible>(call(service, request).await) }
    });
    let mut serving = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS)
            .max_header_size(HEAD)
            .max_buf_size(READ_AHEAD)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
    );
    let result = tokio::select! {
        result = serving.as_mut() => result,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn call(
    service: TowerToHyperService<Router>,
    request: hyper::Request<Incoming>,
) -> axum::response::Response {
    use hyper::service::Service;
    match service.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
