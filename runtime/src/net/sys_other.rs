//! The system calls of sockets on other systems, on descriptors in the non-blocking mode.
//!
//! Not every system makes a socket non-blocking and closed on exec in one step, nor has a flag against SIGPIPE for each
//! write; Rust programs ignore that signal from their start.

#![forbid(unsafe_code)]

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::SocketAddr as UnixAddr;

use rustix::io::{FdFlags, fcntl_setfd, ioctl_fionbio, readv, writev};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketType, recv, send, sockopt,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::base::fault::{self, Door};

/// The most buffers one call takes.
const BUFFERS: usize = 1024;

/// A new socket for connections to or from addresses like `address`.
pub(super) fn socket(address: &SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    new(family)
}

/// A new socket for connections within this machine.
pub(super) fn unix_socket() -> io::Result<OwnedFd> {
    new(AddressFamily::UNIX)
}

fn new(family: AddressFamily) -> io::Result<OwnedFd> {
    fault::at(Door::Socket)?;
    let socket = rustix::net::socket(family, SocketType::STREAM, None)?;
    fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
    ioctl_fionbio(&socket, true)?;
    Ok(socket)
}

/// Connects such a socket. `WouldBlock` if the listener has too many to accept.
pub(super) fn connect_unix(socket: &OwnedFd, address: &UnixAddr) -> io::Result<()> {
    let Some(path) = address.as_pathname() else {
        let what = "there is nobody without a path";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    };
    Ok(rustix::net::connect(socket, &SocketAddrUnix::new(path)?)?)
}

/// A connection that waits, and the peer's address.
pub(super) fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    fault::at(Door::Accept)?;
    let (stream, address) = listener.accept()?;
    stream.set_nonblocking(true)?;
    Ok((stream, address))
}

pub(super) fn receive(stream: &impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    fault::at(Door::Receive)?;
    let (received, _) = recv(stream, buffer, RecvFlags::empty())?;
    Ok(received)
}

pub(super) fn peek(stream: &impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    fault::at(Door::Receive)?;
    let (received, _) = recv(stream, buffer, RecvFlags::PEEK)?;
    Ok(received)
}

pub(super) fn receive_vectored(
    stream: &impl AsFd,
    buffers: &mut [IoSliceMut<'_>],
) -> io::Result<usize> {
    fault::at(Door::Receive)?;
    Ok(readv(stream, buffers)?)
}

pub(super) fn send_some(stream: &impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    fault::at(Door::Send)?;
    Ok(send(stream, bytes, SendFlags::empty())?)
}

pub(super) fn send_vectored(stream: &impl AsFd, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
    fault::at(Door::Send)?;
    Ok(writev(stream, buffers)?)
}

/// As many of `buffers` as one call takes on every system (`IOV_MAX`).
pub(super) fn fitting(buffers: usize) -> usize {
    buffers.min(BUFFERS)
}

/// Lets several sockets listen on one address, each of them set so.
pub(super) fn set_reuse_port(socket: &OwnedFd) -> io::Result<()> {
    fault::at(Door::Options)?;
    Ok(sockopt::set_socket_reuseport(socket, true)?)
}

/// Whether nothing will be received any more.
pub(super) fn is_shut_down(socket: &impl AsFd) -> bool {
    let mut looked = [PollFd::new(socket, PollFlags::HUP)];
    let now = Timespec::default();
    poll(&mut looked, Some(&now)).is_ok() && looked[0].revents().contains(PollFlags::HUP)
}
