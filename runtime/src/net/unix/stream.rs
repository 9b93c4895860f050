//! `UnixStream`.

#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;
use std::time::Duration;

use super::super::socket_macros::{
    basic_methods, descriptor_traits, socket_methods, stream_traits, timed_conversions, total,
};
use super::super::sys;
use super::again;
use crate::base::fault::{self, Door};
use crate::io::{Direction, Io, LIMIT};
use crate::park::Outcome;

/// A connection within this machine: the counterpart of [`std::os::unix::net::UnixStream`].
///
/// Where std's would block the thread, this parks the greenlet. Several greenlets may read and write at once, through `&` or in an `Arc`.
///
/// # Cancellation
///
/// As of a [`TcpStream`](crate::net::TcpStream).
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
/// use sward::net::UnixStream;
///
/// let (mut one, mut other) = UnixStream::pair()?;
/// let writer = sward::spawn(move || one.write_all(b"hello"));
/// let mut text = String::new();
/// other.read_to_string(&mut text)?;
/// assert_eq!(text, "hello");
/// writer.join().unwrap()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UnixStream {
    pub(super) io: Io<net::UnixStream>,
}

impl UnixStream {
    pub(super) fn new(stream: net::UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let io = Io::new(stream);
        Ok(Self { io })
    }

    /// A connection to who listens at this path, as [`std::os::unix::net::UnixStream::connect`].
    ///
    /// If the listener has more connections to accept than it wants, this waits until it has accepted some. The system has no event for
    /// that, so it looks again after 1 to 16 ms.
    ///
    /// # Errors
    ///
    /// What the system says: `NotFound`, `ConnectionRefused` and others.
    ///
    /// # Examples
    ///
    /// See [`UnixListener`](crate::net::UnixListener).
    pub fn connect(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::connect_addr(&SocketAddr::from_pathname(path)?)
    }

    /// As [`connect`](Self::connect), to an address, which may be an abstract name, as
    /// [`std::os::unix::net::UnixStream::connect_addr`].
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(target_os = "linux")] {
    /// use std::os::linux::net::SocketAddrExt;
    /// use std::os::unix::net::SocketAddr;
    /// use sward::net::{UnixListener, UnixStream};
    ///
    /// let name = format!("sward-example-{}", std::process::id());
    /// let address = SocketAddr::from_abstract_name(name)?;
    /// let listener = UnixListener::bind_addr(&address)?;
    /// let stream = UnixStream::connect_addr(&address)?;
    /// assert!(listener.accept()?.1.is_unnamed());
    /// # drop(stream);
    /// # }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn connect_addr(address: &SocketAddr) -> io::Result<Self> {
        let socket = sys::unix_socket()?;
        again(None, false, || {
            fault::instead(Door::Connect, Ok(()))?;
            sys::connect_unix(&socket, address)
        })?;
        let io = Io::new(socket.into());
        Ok(Self { io })
    }

    /// Two streams that are connected, as [`std::os::unix::net::UnixStream::pair`].
    ///
    /// # Errors
    ///
    /// What the system says: above all that there are too many open files.
    ///
    /// # Examples
    ///
    /// See [`UnixStream`].
    pub fn pair() -> io::Result<(Self, Self)> {
        fault::at(Door::Socket)?;
        let (one, other) = net::UnixStream::pair()?;
        Ok((Self::new(one)?, Self::new(other)?))
    }

    /// Its own address, as [`std::os::unix::net::UnixStream::local_addr`].
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// let (one, other) = sward::net::UnixStream::pair()?;
    /// assert!(one.local_addr()?.is_unnamed() && other.peer_addr()?.is_unnamed());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.inner().local_addr()
    }

    /// The address of the other side, as [`std::os::unix::net::UnixStream::peer_addr`].
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Examples
    ///
    /// See [`local_addr`](Self::local_addr).
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.inner().peer_addr()
    }

    /// Ends a direction or both, as [`std::os::unix::net::UnixStream::shutdown`]. Who waits there goes on.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::Read;
    /// use std::net::Shutdown;
    ///
    /// let (one, mut other) = sward::net::UnixStream::pair()?;
    /// one.shutdown(Shutdown::Write)?;
    /// assert_eq!(other.read(&mut [0])?, 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.io.inner().shutdown(how)
    }

    /// Reading, which may move less than is there: the bytes of one write are not mixed with those of another that has sent descriptors
    /// or credentials along.
    fn incoming(
        &self,
        _asked: usize,
        receive: impl FnMut(&net::UnixStream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.io.run(Direction::Read, receive)
    }

    /// `read` for `select!`.
    #[doc(hidden)]
    pub fn __select_read<'a>(
        &'a self,
        buffer: &'a mut [u8],
    ) -> impl Outcome<Value = io::Result<usize>> + 'a {
        let asked = fault::shorten(Door::Receive, buffer.len().min(LIMIT));
        self.io.arm(Direction::Read, move |stream| match asked {
            // An empty buffer never waits.
            0 => Ok(0),
            _ => sys::receive(stream, &mut buffer[..asked]),
        })
    }
}

socket_methods!(
    UnixStream,
    "std::os::unix::net::UnixStream",
    net::UnixStream,
    "let (socket, _other) = sward::net::UnixStream::pair()?;"
);
stream_traits!(UnixStream);
timed_conversions!(UnixStream, net::UnixStream);
descriptor_traits!(UnixStream, net::UnixStream);
