//! `UnixDatagram`.

#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;
use std::time::Duration;

use super::super::socket_macros::{
    basic_methods, descriptor_traits, socket_methods, timed_conversions,
};
use super::super::sys;
use super::again;
use crate::base::fault::{self, Door};
use crate::io::{Direction, Io};
use crate::park::Outcome;

/// Datagrams within this machine: the counterpart of [`std::os::unix::net::UnixDatagram`].
///
/// Unlike those of UDP they are not lost: who sends to one that has too many waits until it has received some. Dropping one does not
/// remove its path.
///
/// # Cancellation
///
/// One that waits has sent or received nothing. (sward has no cancellation yet.)
///
/// # Examples
///
/// ```
/// use sward::net::UnixDatagram;
///
/// let (one, other) = UnixDatagram::pair()?;
/// let sender = sward::spawn(move || one.send(b"hello"));
/// let mut buffer = [0; 64];
/// let count = other.recv(&mut buffer)?;
/// assert_eq!(&buffer[..count], b"hello");
/// sender.join().unwrap()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UnixDatagram {
    pub(super) io: Io<net::UnixDatagram>,
}

impl UnixDatagram {
    fn new(socket: net::UnixDatagram) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let io = Io::new(socket);
        Ok(Self { io })
    }

    /// One at this path, which must not exist, as [`std::os::unix::net::UnixDatagram::bind`].
    ///
    /// # Errors
    ///
    /// What the system says: `AddrInUse` if there is something, and others.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::net::UnixDatagram;
    ///
    /// let path = std::env::temp_dir().join(format!("sward-datagram-{}", std::process::id()));
    /// let bound = UnixDatagram::bind(&path)?;
    /// UnixDatagram::unbound()?.send_to(b"hello", &path)?;
    /// let (count, from) = bound.recv_from(&mut [0; 64])?;
    /// assert!(count == 5 && from.is_unnamed());
    /// std::fs::remove_file(&path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::bind_addr(&SocketAddr::from_pathname(path)?)
    }

    /// As [`bind`](Self::bind), at an address, which may be an abstract name, as [`std::os::unix::net::UnixDatagram::bind_addr`].
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    ///
    /// # Examples
    ///
    /// See [`send_to_addr`](Self::send_to_addr).
    pub fn bind_addr(address: &SocketAddr) -> io::Result<Self> {
        fault::at(Door::Socket)?;
        fault::at(Door::Bind)?;
        Self::new(net::UnixDatagram::bind_addr(address)?)
    }

    /// One without an address, as [`std::os::unix::net::UnixDatagram::unbound`].
    ///
    /// # Errors
    ///
    /// What the system says: above all that there are too many open files.
    ///
    /// # Examples
    ///
    /// See [`bind`](Self::bind).
    pub fn unbound() -> io::Result<Self> {
        fault::at(Door::Socket)?;
        Self::new(net::UnixDatagram::unbound()?)
    }

    /// Two that are connected, as [`std::os::unix::net::UnixDatagram::pair`].
    ///
    /// # Errors
    ///
    /// What the system says: above all that there are too many open files.
    ///
    /// # Examples
    ///
    /// See [`UnixDatagram`].
    pub fn pair() -> io::Result<(Self, Self)> {
        fault::at(Door::Socket)?;
        let (one, other) = net::UnixDatagram::pair()?;
        Ok((Self::new(one)?, Self::new(other)?))
    }

    /// From now on datagrams are sent to this path, as [`std::os::unix::net::UnixDatagram::connect`]. Never waits.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::net::UnixDatagram;
    ///
    /// # let path = std::env::temp_dir().join(format!("sward-connect-{}", std::process::id()));
    /// let bound = UnixDatagram::bind(&path)?;
    /// let other = UnixDatagram::unbound()?;
    /// other.connect(&path)?;
    /// other.send(b"hello")?;
    /// assert_eq!(bound.recv(&mut [0; 64])?, 5);
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.io.inner().connect(path)
    }

    /// As [`connect`](Self::connect), to an address, as [`std::os::unix::net::UnixDatagram::connect_addr`].
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::net::UnixDatagram;
    ///
    /// # let path = std::env::temp_dir().join(format!("sward-connect-addr-{}", std::process::id()));
    /// let bound = UnixDatagram::bind(&path)?;
    /// UnixDatagram::unbound()?.connect_addr(&bound.local_addr()?)?;
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn connect_addr(&self, address: &SocketAddr) -> io::Result<()> {
        self.io.inner().connect_addr(address)
    }

    /// Its own address, as [`std::os::unix::net::UnixDatagram::local_addr`].
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// let (one, other) = sward::net::UnixDatagram::pair()?;
    /// assert!(one.local_addr()?.is_unnamed() && other.peer_addr()?.is_unnamed());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.inner().local_addr()
    }

    /// The address that it is connected to, as [`std::os::unix::net::UnixDatagram::peer_addr`].
    ///
    /// # Errors
    ///
    /// What the system says: above all that it is not connected.
    ///
    /// # Examples
    ///
    /// See [`local_addr`](Self::local_addr).
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.inner().peer_addr()
    }

    /// Receives a datagram: its length and from whom it is, as [`std::os::unix::net::UnixDatagram::recv_from`]. What does not fit into
    /// the buffer is lost.
    ///
    /// # Errors
    ///
    /// What the system says, and `WouldBlock` if the [timeout](Self::set_read_timeout) is over.
    ///
    /// # Examples
    ///
    /// See [`bind`](Self::bind).
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io.run(Direction::Read, |socket| {
            fault::at(Door::Receive)?;
            match socket.recv_from(buffer) {
                Err(error) if is_shut(socket, &error) => Ok((0, SocketAddr::from_pathname("")?)),
                received => received,
            }
        })
    }

    /// Receives a datagram, as [`std::os::unix::net::UnixDatagram::recv`].
    ///
    /// # Errors
    ///
    /// As [`recv_from`](Self::recv_from).
    ///
    /// # Examples
    ///
    /// See [`UnixDatagram`].
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.io
            .run(Direction::Read, |socket| receive(socket, buffer))
    }

    /// Sends a datagram to whom it is connected to, as [`std::os::unix::net::UnixDatagram::send`].
    ///
    /// # Errors
    ///
    /// What the system says, and `WouldBlock` if the [timeout](Self::set_write_timeout) is over.
    ///
    /// # Examples
    ///
    /// See [`UnixDatagram`].
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.io.run(Direction::Write, |socket| {
            fault::at(Door::Send)?;
            socket.send(bytes)
        })
    }

    /// Sends a datagram to this path, as [`std::os::unix::net::UnixDatagram::send_to`].
    ///
    /// If who is there has too many, this waits until it has received some. The system has no event for that, so it looks again
    /// after 1 to 16 ms; [`connect`](Self::connect) and [`send`](Self::send) are told.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Examples
    ///
    /// See [`bind`](Self::bind).
    pub fn send_to(&self, bytes: &[u8], path: impl AsRef<Path>) -> io::Result<usize> {
        self.send_to_addr(bytes, &SocketAddr::from_pathname(path)?)
    }

    /// As [`send_to`](Self::send_to), to an address, as [`std::os::unix::net::UnixDatagram::send_to_addr`].
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(target_os = "linux")] {
    /// use std::os::linux::net::SocketAddrExt;
    /// use std::os::unix::net::SocketAddr;
    /// use sward::net::UnixDatagram;
    ///
    /// let name = format!("sward-datagram-{}", std::process::id());
    /// let address = SocketAddr::from_abstract_name(name)?;
    /// let bound = UnixDatagram::bind_addr(&address)?;
    /// UnixDatagram::unbound()?.send_to_addr(b"hello", &address)?;
    /// assert_eq!(bound.recv(&mut [0; 64])?, 5);
    /// # }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn send_to_addr(&self, bytes: &[u8], address: &SocketAddr) -> io::Result<usize> {
        let limit = self.io.timeout(Direction::Write);
        again(limit, self.io.is_nonblocking(), || {
            fault::at(Door::Send)?;
            self.io.inner().send_to_addr(bytes, address)
        })
    }

    /// Ends a direction or both, as [`std::os::unix::net::UnixDatagram::shutdown`]. Who waits there goes on.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// let (one, other) = sward::net::UnixDatagram::pair()?;
    /// one.shutdown(std::net::Shutdown::Both)?;
    /// assert!(other.send(b"hello").is_err());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.io.inner().shutdown(how)
    }

    /// `recv` for `select!`.
    #[doc(hidden)]
    pub fn __select_read<'a>(
        &'a self,
        buffer: &'a mut [u8],
    ) -> impl Outcome<Value = io::Result<usize>> + 'a {
        self.io
            .arm(Direction::Read, move |socket| receive(socket, buffer))
    }
}

fn receive(socket: &net::UnixDatagram, buffer: &mut [u8]) -> io::Result<usize> {
    fault::at(Door::Receive)?;
    match socket.recv(buffer) {
        Err(error) if is_shut(socket, &error) => Ok(0),
        received => received,
    }
}

/// Whether nothing more comes, because the direction was shut down. The system says so to one that blocks; to one that does not it says
/// that there is nothing, and would never say anything else.
fn is_shut(socket: &net::UnixDatagram, error: &io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock && sys::is_shut_down(socket)
}

socket_methods!(
    UnixDatagram,
    "std::os::unix::net::UnixDatagram",
    net::UnixDatagram,
    "let socket = sward::net::UnixDatagram::unbound()?;"
);
timed_conversions!(UnixDatagram, net::UnixDatagram);
descriptor_traits!(UnixDatagram, net::UnixDatagram);
