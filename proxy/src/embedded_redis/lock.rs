//! Locks of the kernel (`flock`): they end with the processes that hold them, however these end,
//! and hold across PID namespaces and where `/proc` is missing.

use std::io;
use std::os::fd::AsFd;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// Locks an open file; false when another process holds the lock.
pub(super) fn try_lock(file: impl AsFd) -> io::Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
