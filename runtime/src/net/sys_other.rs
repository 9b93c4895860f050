//! The system calls of TCP sockets on other systems: std's, on descriptors in the non-blocking mode.
//!
//! Not every system makes a socket non-blocking and closed on exec in one step, nor has a flag against SIGPIPE for each
//! write; Rust programs ignore that signal from their start.

#![forbid(unsafe_code)]

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use rustix::io::{FdFlags, fcntl_setfd, ioctl_fionbio};
use rustix::net::{AddressFamily, SocketType, sockopt};

use crate::base::fault::{self, Door};

/// A new socket for connections to or from addresses like `address`.
pub(super) fn socket(address: &SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    fault::at(Door::Socket)?;
    let socket = rustix::net::socket(family, SocketType::STREAM, None)?;
    fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
    ioctl_fionbio(&socket, true)?;
    Ok(socket)
}

/// A connection that waits, and the peer's address.
pub(super) fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    fault::at(Door::Accept)?;
    let (stream, address) = listener.accept()?;
    stream.set_nonblocking(true)?;
    Ok((stream, address))
}

pub(super) fn receive(mut stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    fault::at(Door::Receive)?;
    stream.read(buffer)
}

pub(super) fn peek(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    fault::at(Door::Receive)?;
    stream.peek(buffer)
}

pub(super) fn receive_vectored(
    mut stream: &TcpStream,
    buffers: &mut [IoSliceMut<'_>],
) -> io::Result<usize> {
    fault::at(Door::Receive)?;
    stream.read_vectored(buffers)
}

pub(super) fn send_some(mut stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    fault::at(Door::Send)?;
    stream.write(bytes)
}

pub(super) fn send_vectored(mut stream: &TcpStream, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
    fault::at(Door::Send)?;
    stream.write_vectored(buffers)
}

/// As many of `buffers` as one call takes: std knows the system's number.
pub(super) fn fitting(buffers: usize) -> usize {
    buffers
}

/// Lets several sockets listen on one address, each of them set so.
pub(super) fn set_reuse_port(socket: &OwnedFd) -> io::Result<()> {
    fault::at(Door::Options)?;
    Ok(sockopt::set_socket_reuseport(socket, true)?)
}
