//! `FromRawFd`, whose method is an unsafe one.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use super::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};

macro_rules! from_raw {
    ($($type:ident),*) => { $(
        impl FromRawFd for $type {
            unsafe fn from_raw_fd(fd: RawFd) -> Self {
                // SAFETY: the caller owns `fd`, as this method asks.
                unsafe { OwnedFd::from_raw_fd(fd) }.into()
            }
        }
    )* };
}

from_raw!(
    TcpStream,
    TcpListener,
    UdpSocket,
    UnixStream,
    UnixListener,
    UnixDatagram
);
