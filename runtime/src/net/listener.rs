//! `TcpListener` and its iterator.

#![forbid(unsafe_code)]

use std::io;
use std::iter::FusedIterator;
use std::net::{SocketAddr, ToSocketAddrs};

use super::builder::TcpListenerBuilder;
use super::{TcpStream, sys};
use crate::base::fault::{self, Door};
use crate::io::{Direction, Io};
use crate::park::Outcome;

/// A TCP socket that listens: the counterpart of [`std::net::TcpListener`].
///
/// Has std's methods and behaves as std's does, but `accept` parks the calling greenlet instead of blocking its thread.
/// Several greenlets and threads may accept on one listener at once, through `&`, an `Arc`, or clones; each connection
/// goes to one of them, and none is left lying while somebody accepts.
///
/// Differences from std: more connections may wait to be accepted (see [`TcpListenerBuilder::backlog`]), and in the
/// kernel the descriptor is non-blocking whatever [`set_nonblocking`](Self::set_nonblocking) says.
///
/// # Examples
///
/// ```no_run
/// use std::io::Write;
/// use sward::net::TcpListener;
///
/// let listener = TcpListener::bind("127.0.0.1:8080")?;
/// for stream in listener.incoming() {
///     let mut stream = stream?;
///     sward::spawn(move || stream.write_all(b"hello\n"));
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct TcpListener {
    pub(super) io: Io<std::net::TcpListener>,
}

impl TcpListener {
    pub(super) fn from_io(io: Io<std::net::TcpListener>) -> Self {
        Self { io }
    }

    /// Listens on the first of `addresses` for which that succeeds.
    ///
    /// As [`std::net::TcpListener::bind`]: port 0 lets the system choose one ([`local_addr`](Self::local_addr) tells
    /// which), and `SO_REUSEADDR` is set. Does not wait, except that looking up a host name blocks the worker.
    ///
    /// # Errors
    ///
    /// What the system says of the last address; `InvalidInput` if there is none.
    ///
    /// # Outside a runtime
    ///
    /// The same; no runtime is started for it.
    ///
    /// # Examples
    ///
    /// ```
    /// let listener = sward::net::TcpListener::bind("127.0.0.1:0")?;
    /// assert_ne!(listener.local_addr()?.port(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn bind<A: ToSocketAddrs>(addresses: A) -> io::Result<Self> {
        Self::builder().bind(addresses)
    }

    /// A builder, for a listener with a backlog of its own or one that shares its port.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::net::TcpListener;
    ///
    /// let listener = TcpListener::builder().backlog(16).bind("127.0.0.1:0")?;
    /// assert!(listener.local_addr()?.ip().is_loopback());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn builder() -> TcpListenerBuilder {
        TcpListenerBuilder::new()
    }

    /// Takes the next connection, waiting for one.
    ///
    /// As [`std::net::TcpListener::accept`].
    ///
    /// # Errors
    ///
    /// What the system says. The listener is as good as before, and the connection waits on: after `EMFILE` and
    /// `ENFILE` (too many open files), wait a little, then accept again. `ECONNABORTED` means that a peer has gone
    /// before it was accepted. `WouldBlock` only in the non-blocking mode. `Other` if it would have to wait for a
    /// runtime that has shut down.
    ///
    /// # Cancellation
    ///
    /// A wait that ends otherwise has taken no connection.
    ///
    /// # Outside a runtime
    ///
    /// Blocks the thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let client = TcpStream::connect(listener.local_addr()?)?;
    /// let (_stream, peer) = listener.accept()?;
    /// assert_eq!(peer, client.local_addr()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, address) = self.io.run(Direction::Read, sys::accept)?;
        Ok((TcpStream::from_io(Io::new(stream)), address))
    }

    /// Waits for it in `select!`.
    #[doc(hidden)]
    pub fn __select_accept(
        &self,
    ) -> impl Outcome<Value = io::Result<(TcpStream, SocketAddr)>> + '_ {
        self.io.arm(Direction::Read, |listener| {
            let (stream, address) = sys::accept(listener)?;
            Ok((TcpStream::from_io(Io::new(stream)), address))
        })
    }

    /// The connections to come, for ever: each `next` is an [`accept`](Self::accept).
    ///
    /// As [`std::net::TcpListener::incoming`]: the iterator never ends; an error does not end it either.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let address = listener.local_addr()?;
    /// let clients = sward::spawn(move || [TcpStream::connect(address), TcpStream::connect(address)]);
    /// assert_eq!(listener.incoming().take(2).filter(|stream| stream.is_ok()).count(), 2);
    /// # clients.join().unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    /// The address it listens on, as [`std::net::TcpListener::local_addr`].
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::net::TcpListener;
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// assert_eq!(listener.local_addr()?.ip(), std::net::Ipv4Addr::LOCALHOST);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.inner().local_addr()
    }

    /// Another listener on the same socket, as [`std::net::TcpListener::try_clone`].
    ///
    /// Both accept connections to the same address, and closing one leaves the other open. To accept in several
    /// greenlets an `Arc` will do, and costs no descriptor.
    ///
    /// # Errors
    ///
    /// What the system says: above all that there are too many open files.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let clone = listener.try_clone()?;
    /// let client = TcpStream::connect(listener.local_addr()?)?;
    /// assert_eq!(clone.accept()?.1, client.local_addr()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn try_clone(&self) -> io::Result<Self> {
        fault::at(Door::Duplicate)?;
        Ok(Self {
            io: self.io.sibling(self.io.inner().try_clone()?),
        })
    }

    /// Sets the time to live of the packets it sends, as [`std::net::TcpListener::set_ttl`].
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// # use sward::net::TcpListener;
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// listener.set_ttl(32)?;
    /// assert_eq!(listener.ttl()?, 32);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_ttl(&self, hops: u32) -> io::Result<()> {
        self.io.inner().set_ttl(hops)
    }

    /// The time to live of the packets it sends, as [`std::net::TcpListener::ttl`].
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// # use sward::net::TcpListener;
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// assert!(listener.ttl()? > 0);
    /// listener.set_ttl(7)?;
    /// assert_eq!(listener.ttl()?, 7);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn ttl(&self) -> io::Result<u32> {
        self.io.inner().ttl()
    }

    /// The error that lies on the socket, which is taken from it; as [`std::net::TcpListener::take_error`].
    ///
    /// # Errors
    ///
    /// What the system says, if it cannot tell.
    ///
    /// # Examples
    ///
    /// ```
    /// # use sward::net::TcpListener;
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// assert!(listener.take_error()?.is_none());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.inner().take_error()
    }

    /// Whether [`accept`](Self::accept) returns `WouldBlock` instead of waiting, as
    /// [`std::net::TcpListener::set_nonblocking`].
    ///
    /// Clones made by [`try_clone`](Self::try_clone) share it. Who waits already goes on waiting.
    ///
    /// # Errors
    ///
    /// None; the result is std's.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// # use sward::net::TcpListener;
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// listener.set_nonblocking(true)?;
    /// assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.io.set_nonblocking(nonblocking);
        Ok(())
    }

    /// Gives the socket to std.
    ///
    /// It blocks again, unless [`set_nonblocking`](Self::set_nonblocking) was asked for. Clones share that in the
    /// kernel: while one of them is std's and blocks, an `accept` on another that is still sward's may block its
    /// worker.
    ///
    /// # Errors
    ///
    /// What the system says; the socket is closed then.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::net::TcpListener;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let address = listener.local_addr()?;
    /// let standard: std::net::TcpListener = listener.into_std()?;
    /// assert_eq!(TcpListener::from(standard).local_addr()?, address);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn into_std(self) -> io::Result<std::net::TcpListener> {
        let (listener, restored) = self.release();
        restored?;
        Ok(listener)
    }

    /// The socket, and whether it could be put back into the mode in which it was asked to be.
    pub(super) fn release(self) -> (std::net::TcpListener, io::Result<()>) {
        let nonblocking = self.io.is_nonblocking();
        let listener = self.io.into_inner();
        let restored = listener.set_nonblocking(nonblocking);
        (listener, restored)
    }
}

/// An iterator over the connections to a [`TcpListener`], made by [`TcpListener::incoming`]. The counterpart of
/// [`std::net::Incoming`]: `next` waits for a connection, and is never `None`.
///
/// # Examples
///
/// ```
/// use sward::net::{TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let client = TcpStream::connect(listener.local_addr()?)?;
/// let mut incoming = listener.incoming();
/// let stream = incoming.next().expect("it never ends")?;
/// assert_eq!(stream.peer_addr()?, client.local_addr()?);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "iterators are lazy"]
pub struct Incoming<'a> {
    listener: &'a TcpListener,
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}

impl FusedIterator for Incoming<'_> {}
