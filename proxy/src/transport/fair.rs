//! Reading that lets others have their turn.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes after which the reader's task goes to the end of the queue: some thousand fragments, if each
/// of them is empty.
const TURN: usize = 16 * 1024;

/// A stream that has nothing to read for a moment after each [`TURN`].
///
/// The runtime counts reads, not bytes, and what reads frames goes on to the end of a message: a
/// client that sends fragments without end would keep a thread for a tenth of a second each time.
#[derive(Debug)]
pub(super) struct Fair<S> {
    inner: S,
    /// Bytes that were read in this turn.
    read: usize,
}

// === impl Fair ===

impl<S> Fair<S> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner, read: 0 }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Fair<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.read >= TURN {
            this.read = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut this.inner).poll_read(cx, buf);
        // Waiting for the client ends a turn as well.
        this.read = if polled.is_pending() { 0 } else { this.read + buf.filled().len() - before };
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Fair<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn a_long_read_is_many_turns_and_loses_nothing() {
        let bytes: Vec<u8> = (0..1_000_000u32).map(|at| at.to_le_bytes()[0]).collect();
        let mut stream = Fair::new(bytes.as_slice());
        let turns = std::sync::atomic::AtomicUsize::new(0);
        let mut read = vec![0; bytes.len()];
        let reading = async {
            for part in read.chunks_mut(4_096) {
                stream.read_exact(part).await.unwrap();
            }
        };
        let mut reading = std::pin::pin!(reading);
        std::future::poll_fn(|cx| {
            turns.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            reading.as_mut().poll(cx)
        })
        .await;
        assert!(read == bytes);
        assert!(turns.into_inner() >= bytes.len() / TURN);
    }
}
