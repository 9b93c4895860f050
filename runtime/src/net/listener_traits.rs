//! The traits of `TcpListener`: those that std's has.

#![forbid(unsafe_code)]

use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};

use super::TcpListener;
use crate::io::Io;

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.inner().fmt(f)
    }
}

/// Never waits. In the kernel, the socket and what std clones of it there are become non-blocking.
///
/// The mode that std's listener was in is not taken over: it tells how that listener was used, and those of event loops
/// are all non-blocking. The new one waits, by parking the greenlet, until [`TcpListener::set_nonblocking`] says otherwise.
impl From<std::net::TcpListener> for TcpListener {
    fn from(listener: std::net::TcpListener) -> Self {
        // It fails only for what is no open descriptor, and then so will `accept`.
        let _ = listener.set_nonblocking(true);
        Self::from_io(Io::new(listener))
    }
}

/// As [`TcpListener::into_std`].
impl From<TcpListener> for std::net::TcpListener {
    fn from(listener: TcpListener) -> Self {
        // As above: it does not fail for an open descriptor.
        listener.release().0
    }
}

impl From<OwnedFd> for TcpListener {
    fn from(fd: OwnedFd) -> Self {
        std::net::TcpListener::from(fd).into()
    }
}

/// As [`TcpListener::into_std`].
impl From<TcpListener> for OwnedFd {
    fn from(listener: TcpListener) -> Self {
        std::net::TcpListener::from(listener).into()
    }
}

impl AsFd for TcpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.inner().as_fd()
    }
}

impl AsRawFd for TcpListener {
    fn as_raw_fd(&self) -> RawFd {
        self.io.inner().as_raw_fd()
    }
}

/// As [`TcpListener::into_std`].
impl IntoRawFd for TcpListener {
    fn into_raw_fd(self) -> RawFd {
        std::net::TcpListener::from(self).into_raw_fd()
    }
}
