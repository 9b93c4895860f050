//! The system calls of sockets on Linux: raw ones, through `rustix`.
//!
//! Reads and writes carry `MSG_DONTWAIT`, so that they do not block the worker even if somebody has taken the
//! descriptor's file out of the non-blocking mode, which all its clones share; and `MSG_NOSIGNAL`, so that no SIGPIPE
//! is raised. New sockets are non-blocking and closed on exec from the start, without further calls.

#![forbid(unsafe_code)]

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr as UnixAddr;

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvFlags, SendAncillaryBuffer, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType,
};
use rustix::net::{acceptfrom_with, recv, recvmsg, send, sendmsg, socket_with, sockopt};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::base::fault::{self, Door};

/// The most buffers one call takes (`UIO_MAXIOV`).
const BUFFERS: usize = 1024;

const NEW: SocketFlags = SocketFlags::NONBLOCK.union(SocketFlags::CLOEXEC);
const SEND: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);

/// A new socket for connections to or from addresses like `address`.
pub(super) fn socket(address: &SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    fault::at(Door::Socket)?;
    Ok(socket_with(family, SocketType::STREAM, NEW, None)?)
}

/// A new socket for connections within this machine.
pub(super) fn unix_socket() -> io::Result<OwnedFd> {
    fault::at(Door::Socket)?;
    Ok(socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        NEW,
        None,
    )?)
}

/// Connects such a socket. `WouldBlock` if the listener has too many to accept.
pub(super) fn connect_unix(socket: &OwnedFd, address: &UnixAddr) -> io::Result<()> {
    let address = match (address.as_pathname(), address.as_abstract_name()) {
        (Some(path), _) => SocketAddrUnix::new(path)?,
        (None, Some(name)) => SocketAddrUnix::new_abstract_name(name)?,
        (None, None) => SocketAddrUnix::new_unnamed(),
    };
    Ok(rustix::net::connect(socket, &address)?)
}

/// A connection that waits, and the peer's address.
pub(super) fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    fault::at(Door::Accept)?;
    let (socket, address) = acceptfrom_with(listener, NEW)?;
    let stream = TcpStream::from(socket);
    // A listener of another family than the Internet's, made from somebody's descriptor, has other addresses or none.
    let address = address.and_then(|address| SocketAddr::try_from(address).ok());
    match address {
        Some(address) => Ok((stream, address)),
        None => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the peer has no Internet address",
        )),
    }
}

pub(super) fn receive(stream: &impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    fault::at(Door::Receive)?;
    let (received, _) = recv(stream, buffer, RecvFlags::DONTWAIT)?;
    Ok(received)
}

pub(super) fn peek(stream: &impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    fault::at(Door::Receive)?;
    let (received, _) = recv(stream, buffer, RecvFlags::DONTWAIT | RecvFlags::PEEK)?;
    Ok(received)
}

pub(super) fn receive_vectored(
    stream: &impl AsFd,
    buffers: &mut [IoSliceMut<'_>],
) -> io::Result<usize> {
    fault::at(Door::Receive)?;
    let mut control = RecvAncillaryBuffer::default();
    let received = recvmsg(stream, buffers, &mut control, RecvFlags::DONTWAIT)?;
    Ok(received.bytes)
}

pub(super) fn send_some(stream: &impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    fault::at(Door::Send)?;
    Ok(send(stream, bytes, SEND)?)
}

pub(super) fn send_vectored(stream: &impl AsFd, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
    fault::at(Door::Send)?;
    let mut control = SendAncillaryBuffer::default();
    Ok(sendmsg(stream, buffers, &mut control, SEND)?)
}

/// As many of `buffers` as one call takes.
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
    let mut looked = [PollFd::new(socket, PollFlags::RDHUP)];
    let now = Timespec::default();
    poll(&mut looked, Some(&now)).is_ok() && looked[0].revents().contains(PollFlags::RDHUP)
}
