//! `UnixListener` and its iterator.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::iter::FusedIterator;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use super::super::socket_macros::{basic_methods, descriptor_traits};
use super::UnixStream;
use crate::base::fault::{self, Door};
use crate::io::{Direction, Io};
use crate::park::Outcome;

/// Who accepts connections within this machine: the counterpart of [`std::os::unix::net::UnixListener`].
///
/// Dropping it does not remove its path.
///
/// # Cancellation
///
/// One that waits has accepted nothing. (sward has no cancellation yet.)
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
/// use sward::net::{UnixListener, UnixStream};
///
/// let path = std::env::temp_dir().join(format!("sward-example-{}", std::process::id()));
/// let listener = UnixListener::bind(&path)?;
/// sward::go!({
///     let (mut stream, _) = listener.accept()?;
///     stream.write_all(b"hello")
/// });
/// let mut text = String::new();
/// UnixStream::connect(&path)?.read_to_string(&mut text)?;
/// assert_eq!(text, "hello");
/// std::fs::remove_file(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UnixListener {
    pub(super) io: Io<net::UnixListener>,
}

impl UnixListener {
    fn new(listener: net::UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let io = Io::new(listener);
        Ok(Self { io })
    }

    /// A listener at this path, which must not exist, as [`std::os::unix::net::UnixListener::bind`].
    ///
    /// # Errors
    ///
    /// What the system says: `AddrInUse` if there is something, and others.
    ///
    /// # Examples
    ///
    /// See [`UnixListener`].
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::bind_addr(&SocketAddr::from_pathname(path)?)
    }

    /// As [`bind`](Self::bind), at an address, which may be an abstract name, as [`std::os::unix::net::UnixListener::bind_addr`].
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    ///
    /// # Examples
    ///
    /// See [`UnixStream::connect_addr`].
    pub fn bind_addr(address: &SocketAddr) -> io::Result<Self> {
        fault::at(Door::Socket)?;
        fault::at(Door::Bind)?;
        Self::new(net::UnixListener::bind_addr(address)?)
    }

    /// Waits for a connection, as [`std::os::unix::net::UnixListener::accept`].
    ///
    /// # Errors
    ///
    /// What the system says: above all that there are too many open files.
    ///
    /// # Examples
    ///
    /// See [`UnixListener`].
    pub fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        self.io.run(Direction::Read, accept)
    }

    /// `accept` for `select!`.
    #[doc(hidden)]
    pub fn __select_accept(
        &self,
    ) -> impl Outcome<Value = io::Result<(UnixStream, SocketAddr)>> + '_ {
        self.io.arm(Direction::Read, accept)
    }

    /// An iterator over connections, which never ends, as [`std::os::unix::net::UnixListener::incoming`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// let listener = sward::net::UnixListener::bind("/run/example")?;
    /// for stream in listener.incoming() {
    ///     let stream = stream?;
    ///     sward::go!(drop(stream));
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn incoming(&self) -> UnixIncoming<'_> {
        UnixIncoming { listener: self }
    }

    /// Its own address, as [`std::os::unix::net::UnixListener::local_addr`].
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("sward-local-{}", std::process::id()));
    /// let listener = sward::net::UnixListener::bind(&path)?;
    /// assert_eq!(listener.local_addr()?.as_pathname(), Some(&*path));
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.inner().local_addr()
    }

    /// Another one for the same socket, as [`std::os::unix::net::UnixListener::try_clone`].
    ///
    /// # Errors
    ///
    /// What the system says: above all that there are too many open files.
    ///
    /// # Examples
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("sward-clone-{}", std::process::id()));
    /// let listener = sward::net::UnixListener::bind(&path)?;
    /// let other = listener.try_clone()?;
    /// # std::fs::remove_file(&path)?;
    /// # drop(other);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn try_clone(&self) -> io::Result<Self> {
        fault::at(Door::Duplicate)?;
        Ok(Self {
            io: self.io.sibling(self.io.inner().try_clone()?),
        })
    }

    /// Std's listener, and whether it has its mode back.
    fn release(self) -> (net::UnixListener, io::Result<()>) {
        let nonblocking = self.io.is_nonblocking();
        let listener = self.io.into_inner();
        let restored = listener.set_nonblocking(nonblocking);
        (listener, restored)
    }
}

fn accept(listener: &net::UnixListener) -> io::Result<(UnixStream, SocketAddr)> {
    fault::at(Door::Accept)?;
    let (stream, address) = listener.accept()?;
    Ok((UnixStream::new(stream)?, address))
}

basic_methods!(
    UnixListener,
    "std::os::unix::net::UnixListener",
    net::UnixListener,
    "let socket = sward::net::UnixListener::from(std::os::unix::net::UnixListener::from(std::os::fd::OwnedFd::from(sward::net::UnixStream::pair()?.0)));"
);
descriptor_traits!(UnixListener, net::UnixListener);

/// Never waits. In the kernel, the socket and what std clones of it there are become non-blocking. The mode that std's listener was in
/// is not taken over.
impl From<net::UnixListener> for UnixListener {
    fn from(listener: net::UnixListener) -> Self {
        // It fails only for what is no open descriptor, and then so will `accept`.
        let _ = listener.set_nonblocking(true);
        let io = Io::new(listener);
        Self { io }
    }
}

/// The iterator of [`UnixListener::incoming`].
///
/// # Examples
///
/// See there.
#[derive(Debug)]
#[must_use = "iterators are lazy"]
pub struct UnixIncoming<'a> {
    listener: &'a UnixListener,
}

impl Iterator for UnixIncoming<'_> {
    type Item = io::Result<UnixStream>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}

impl FusedIterator for UnixIncoming<'_> {}

impl<'a> IntoIterator for &'a UnixListener {
    type Item = io::Result<UnixStream>;
    type IntoIter = UnixIncoming<'a>;

    fn into_iter(self) -> UnixIncoming<'a> {
        self.incoming()
    }
}
