//! The traits of `TcpListener`: those that std's has.

#![forbid(unsafe_code)]

use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};

use super::TcpListener;
use super::socket_macros::descriptor_traits;
use crate::io::Io;

descriptor_traits!(TcpListener, std::net::TcpListener);

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
