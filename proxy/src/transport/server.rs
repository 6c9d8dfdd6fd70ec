//! Accepting connections: limits on what a client may leave half done, and a stop with a limit.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::listen::listen;
use super::progress::{LONGEST, Progress};
use super::seats::{Seat, Seats};
use super::stream::{Received, Stream};
use super::{LINES, Peer};
use crate::log_limit::LogLimit;

/// Longest head of a request, its first line and all header fields; over it the answer is 431.
const HEAD: usize = 32 * 1024;
/// Most that is read ahead of what is used. Half-sent headers cost no more than this.
const READ_AHEAD: usize = 64 * 1024;
/// How long the system keeps what a client does not take, in milliseconds, also when the connection
/// is closed: by itself it tries for minutes, with megabytes in its buffers.
const UNTAKEN: u32 = 30_000;
/// How long to wait when the system has no more sockets for us.
const BREATH: Duration = Duration::from_millis(50);
/// How often it is looked whether a client takes too long.
const LOOK: Duration = Duration::from_millis(500);

/// A bound port.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    seats: Arc<Seats>,
}

// === impl Server ===

impl Server {
    /// Listens on `address`, or on all of them when it is empty. Of connections without a session
    /// there are at most `limit`.
    pub async fn bind(address: &str, port: u16, limit: usize) -> std::io::Result<Self> {
        let listener = listen(address, port).await?;
        Ok(Self { listener, seats: Seats::new(limit) })
    }

    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop`, then lets requests under way finish.
    pub async fn serve(self, router: Router, stop: CancellationToken) {
        let Self { listener, seats } = self;
        let connections = TaskTracker::new();
        let refused = LogLimit::a_minute(LINES);
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stop.cancelled() => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    // Without a seat there is no waiting connection to close for it.
                    if let Some(seat) = seats.take() {
                        connections.spawn(connection(
                            (stream, Peer(peer)),
                            seat,
                            router.clone(),
                            stop.clone(),
                        ));
                    }
                }
                Err(error) => {
                    refused.say(|left_out| {
                        tracing::warn!(%error, left_out, "a connection was not accepted");
                    });
                    seats.make_room();
                    sleep(BREATH).await;
                }
            }
        }
        // A client that comes now is refused at once, and may go to another server.
        drop(listener);
        connections.close();
        connections.wait().await;
    }
}

async fn connection(
    (stream, peer): (TcpStream, Peer),
    seat: Seat,
    router: Router,
    stop: CancellationToken,
) {
    // Frames are small and wanted at once; a socket that refuses this still works.
    let _nagle = stream.set_nodelay(true);
    let _untaken = rustix::net::sockopt::set_tcp_user_timeout(&stream, UNTAKEN);
    let seat = Arc::new(seat);
    let service = Service { router: TowerToHyperService::new(router), peer, seat: seat.clone() };
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let service = service.clone();
        async move { Ok::<_, Infallible>(service.call(request).await) }
    });
    let stream = Stream::new(stream, seat.progress.clone());
    let mut serving = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(LONGEST)
            .max_header_size(HEAD)
            .max_buf_size(READ_AHEAD)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
    );
    let result = tokio::select! {
        result = serving.as_mut() => result,
        () = seat.sent_away.cancelled() => return tracing::debug!("a connection made room"),
        () = too_long(&seat.progress) => return tracing::debug!("a client took too long"),
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            tokio::select! {
                result = serving.as_mut() => result,
                () = too_long_for_a_stop(&seat.progress) => {
                    return tracing::debug!("half a request was given up");
                }
            }
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Waits until the client has taken too long.
async fn too_long(progress: &Progress) {
    loop {
        match progress.deadline() {
            Some(deadline) if deadline <= Instant::now() => return,
            Some(deadline) => sleep_until(deadline.min(Instant::now() + LOOK)).await,
            None => sleep(LOOK).await,
        }
    }
}

/// The same for a stop that begins now.
async fn too_long_for_a_stop(progress: &Progress) {
    let began = Instant::now();
    while progress.deadline_of_stop(began).is_none_or(|deadline| deadline > Instant::now()) {
        sleep(LOOK / 10).await;
    }
}

/// What answers the requests of one connection.
#[derive(Clone)]
struct Service {
    router: TowerToHyperService<Router>,
    peer: Peer,
    seat: Arc<Seat>,
}

// === impl Service ===

impl Service {
    async fn call(&self, request: hyper::Request<Incoming>) -> axum::response::Response {
        use hyper::service::Service;
        let progress = &self.seat.progress;
        let mut request = request.map(|body| Received::new(body, progress.clone()));
        request.extensions_mut().insert(self.peer);
        let response = match self.router.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        if response.status() == hyper::StatusCode::SWITCHING_PROTOCOLS {
            progress.upgraded();
            self.seat.free();
        } else {
            progress.answered(Instant::now());
        }
        response
    }
}
