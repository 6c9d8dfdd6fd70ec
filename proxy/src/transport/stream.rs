//! The bytes of a connection, and the body of a request, on their way past [`Progress`].

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::progress::Progress;

/// Most bytes that the system keeps for a client and has not sent. What a client takes is noticed in
/// steps of about half of this, and one that takes nothing costs no more.
const UNSENT: u32 = 128 * 1024;

/// A stream that notes what its client does.
#[derive(Debug)]
pub(super) struct Stream {
    inner: TcpStream,
    progress: Arc<Progress>,
    /// It was noticed that a session has the stream now: nothing is noted any more.
    session: bool,
}

/// A body that notes its end.
#[derive(Debug)]
pub(super) struct Received {
    inner: Incoming,
    progress: Arc<Progress>,
}

// === impl Stream ===

impl Stream {
    pub(super) fn new(inner: TcpStream, progress: Arc<Progress>) -> Self {
        // A socket that refuses this still works, in larger steps.
        let _refused = SockRef::from(&inner).set_tcp_notsent_lowat(UNSENT);
        Self { inner, progress, session: false }
    }

    /// Whether a session has the stream, which may write as much at once as the system takes.
    fn is_session(&mut self) -> bool {
        if !self.session && self.progress.is_session() {
            self.session = true;
            let _refused = SockRef::from(&self.inner).set_tcp_notsent_lowat(0);
        }
        self.session
    }

    fn note<T>(&mut self, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if !self.is_session() {
            match &written {
                Poll::Pending => self.progress.stalls(Instant::now()),
                Poll::Ready(_) => self.progress.wrote(Instant::now()),
            }
        }
        written
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        if !self.session && buf.filled().len() > before {
            self.progress.read(Instant::now());
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

// === impl Received ===

impl Received {
    pub(super) fn new(inner: Incoming, progress: Arc<Progress>) -> Self {
        progress.begins(inner.is_end_stream());
        Self { inner, progress }
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if frame.is_none() || self.inner.is_end_stream() {
            self.progress.arrived();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
