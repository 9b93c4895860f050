//! `TcpStream`.

#![forbid(unsafe_code)]

use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use super::addresses::each;
use super::connect::connect;
use super::sys;
use crate::base::fault::{self, Door};
use crate::io::{Direction, Io, LIMIT, Stop};
use crate::park::Outcome;

/// A TCP connection: the counterpart of [`std::net::TcpStream`].
///
/// Has std's methods and traits and behaves as std's does, but parks the calling greenlet where std's would block its
/// thread. Several greenlets and threads may read and write at once, through `&`, an `Arc`, or clones: each byte goes
/// to one of them. Dropping the last clone closes the connection.
///
/// Differences from std: timeouts are kept to the nanosecond, by sward and not by the kernel; and in the kernel the
/// descriptor is non-blocking whatever [`set_nonblocking`](Self::set_nonblocking) says.
///
/// # Cancellation
///
/// A wait in any of the methods that ends otherwise has taken and sent nothing. Of `read_exact`, `write_all` and their
/// kind, which are several reads or writes in a row, part may have been done.
///
/// # Outside a runtime
///
/// All methods work on plain threads and block them.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
/// use sward::net::{TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let mut client = TcpStream::connect(listener.local_addr()?)?;
/// let (mut server, _) = listener.accept()?;
/// server.write_all(b"hello")?;
/// drop(server);
/// let mut text = String::new();
/// client.read_to_string(&mut text)?;
/// assert_eq!(text, "hello");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct TcpStream {
    pub(super) io: Io<std::net::TcpStream>,
}

impl TcpStream {
    pub(super) fn from_io(io: Io<std::net::TcpStream>) -> Self {
        Self { io }
    }

    /// Waits for it in `select!`.
    /// Reading as it is done by streams.
    pub(super) fn incoming(
        &self,
        asked: usize,
        receive: impl FnMut(&std::net::TcpStream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.io.transfer(Direction::Read, asked, receive)
    }

    #[doc(hidden)]
    pub fn __select_read<'a>(
        &'a self,
        buffer: &'a mut [u8],
    ) -> impl Outcome<Value = io::Result<usize>> + 'a {
        let asked = fault::shorten(Door::Receive, buffer.len().min(LIMIT));
        self.io.transfer_arm(Direction::Read, asked, move |stream| {
            // An empty buffer never waits.
            match asked {
                0 => Ok(0),
                _ => sys::receive(stream, &mut buffer[..asked]),
            }
        })
    }

    /// Connects to the first of `addresses` that answers.
    ///
    /// As [`std::net::TcpStream::connect`]. Looking up a host name blocks the worker.
    ///
    /// # Errors
    ///
    /// What the system says of the last address; `InvalidInput` if there is none; `Other` if it would have to wait for
    /// a runtime that has shut down.
    ///
    /// # Cancellation
    ///
    /// A wait that ends otherwise closes the socket; the peer may see a connection that ends at once.
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
    /// let stream = TcpStream::connect(listener.local_addr()?)?;
    /// assert_eq!(stream.peer_addr()?, listener.local_addr()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn connect<A: ToSocketAddrs>(addresses: A) -> io::Result<Self> {
        each(addresses, |address| {
            Ok(Self::from_io(connect(address, None)?))
        })
    }

    /// Connects to `address`, and waits `timeout` at most.
    ///
    /// As [`std::net::TcpStream::connect_timeout`].
    ///
    /// # Errors
    ///
    /// `TimedOut` when the time is up; `InvalidInput` if `timeout` is zero; otherwise as [`connect`](Self::connect).
    ///
    /// # Cancellation
    ///
    /// As of [`connect`](Self::connect).
    ///
    /// # Outside a runtime
    ///
    /// Blocks the thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use sward::net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// TcpStream::connect_timeout(&listener.local_addr()?, Duration::from_secs(5))?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn connect_timeout(address: &SocketAddr, timeout: Duration) -> io::Result<Self> {
        if timeout.is_zero() {
            return Err(io::Error::new(
                ErrorKind::InvalidInput,
                "cannot set a 0 duration timeout",
            ));
        }
        match connect(address, Some(timeout)) {
            Ok(io) => Ok(Self::from_io(io)),
            Err(Stop::TimedOut) => Err(io::Error::new(ErrorKind::TimedOut, "connection timed out")),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// Reads without taking: the same bytes will be read again. As [`std::net::TcpStream::peek`].
    ///
    /// # Errors
    ///
    /// As of reading; see [`set_read_timeout`](Self::set_read_timeout).
    ///
    /// # Outside a runtime
    ///
    /// Blocks the thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// # use sward::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let mut client = TcpStream::connect(listener.local_addr()?)?;
    /// # let (mut server, _) = listener.accept()?;
    /// client.write_all(b"x")?;
    /// let mut byte = [0];
    /// assert_eq!(server.peek(&mut byte)?, 1);
    /// assert_eq!(server.read(&mut byte)?, 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let asked = fault::shorten(Door::Receive, buffer.len().min(LIMIT));
        // Not a transfer: what was peeked at is there still, however little it was.
        self.io.run(Direction::Read, |stream| {
            sys::peek(stream, &mut buffer[..asked])
        })
    }

    /// Ends one or both directions of the connection, as [`std::net::TcpStream::shutdown`].
    ///
    /// Whoever waits to read or to write in that direction stops waiting.
    ///
    /// # Errors
    ///
    /// What the system says, above all `NotConnected`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use std::net::Shutdown;
    /// # use sward::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?)?;
    /// # let (peer, _) = listener.accept()?;
    /// peer.shutdown(Shutdown::Write)?;
    /// // The end of what it has sent; in the other direction the connection goes on.
    /// assert_eq!(stream.read(&mut [0])?, 0);
    /// stream.write_all(b"still there")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.io.inner().shutdown(how)
    }

    /// The address of this end, as [`std::net::TcpStream::local_addr`].
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// # use sward::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let stream = TcpStream::connect(listener.local_addr()?)?;
    /// # let (peer, _) = listener.accept()?;
    /// assert_eq!(stream.local_addr()?, peer.peer_addr()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.inner().local_addr()
    }

    /// The address of the other end, as [`std::net::TcpStream::peer_addr`].
    ///
    /// # Errors
    ///
    /// What the system says, above all `NotConnected`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use sward::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let stream = TcpStream::connect(listener.local_addr()?)?;
    /// assert_eq!(stream.peer_addr()?, listener.local_addr()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.inner().peer_addr()
    }

    /// Another stream on the same connection, as [`std::net::TcpStream::try_clone`].
    ///
    /// Timeouts and the non-blocking mode set on one are those of the other too. The connection stays open until both
    /// are dropped. To read and write in two greenlets an `Arc` will do, and costs no descriptor.
    ///
    /// # Errors
    ///
    /// What the system says: above all that there are too many open files.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// # use sward::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let stream = TcpStream::connect(listener.local_addr()?)?;
    /// # let (mut peer, _) = listener.accept()?;
    /// let mut writer = stream.try_clone()?;
    /// let handle = sward::spawn(move || writer.write_all(b"hello"));
    /// let mut text = [0; 5];
    /// peer.read_exact(&mut text)?;
    /// assert_eq!(&text, b"hello");
    /// handle.join().unwrap()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn try_clone(&self) -> io::Result<Self> {
        fault::at(Door::Duplicate)?;
        Ok(Self {
            io: self.io.sibling(self.io.inner().try_clone()?),
        })
    }

    /// Sets how long reading, peeking included, may wait; `None` for as long as it takes. As
    /// [`std::net::TcpStream::set_read_timeout`].
    ///
    /// When the time is up, the operation returns an error of the kind `WouldBlock`, as std's does on Unix; nothing is
    /// lost and the stream is as good as before. The timeout begins anew with each operation, and one that waits
    /// already keeps its own.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if `timeout` is zero.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{ErrorKind, Read};
    /// use std::time::Duration;
    /// # use sward::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?)?;
    /// stream.set_read_timeout(Some(Duration::from_millis(5)))?;
    /// assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.io.set_timeout(Direction::Read, timeout)
    }

    /// Sets how long writing may wait; `None` for as long as it takes. As [`std::net::TcpStream::set_write_timeout`],
    /// and as [`set_read_timeout`](Self::set_read_timeout) otherwise.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if `timeout` is zero.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{ErrorKind, Write};
    /// use std::time::Duration;
    /// # use sward::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?)?;
    /// # let _peer = listener.accept()?;
    /// stream.set_write_timeout(Some(Duration::from_millis(5)))?;
    /// // The peer does not read, and there is room for so much only.
    /// let error = loop {
    ///     if let Err(error) = stream.write(&[0; 65536]) {
    ///         break error;
    ///     }
    /// };
    /// assert_eq!(error.kind(), ErrorKind::WouldBlock);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.io.set_timeout(Direction::Write, timeout)
    }

    /// How long reading may wait, as [`std::net::TcpStream::read_timeout`].
    ///
    /// # Errors
    ///
    /// None; the result is std's.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// # use sward::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let stream = TcpStream::connect(listener.local_addr()?)?;
    /// assert_eq!(stream.read_timeout()?, None);
    /// stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    /// assert_eq!(stream.read_timeout()?, Some(Duration::from_secs(5)));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.io.timeout(Direction::Read))
    }

    /// How long writing may wait, as [`std::net::TcpStream::write_timeout`].
    ///
    /// # Errors
    ///
    /// None; the result is std's.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// # use sward::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let stream = TcpStream::connect(listener.local_addr()?)?;
    /// assert_eq!(stream.write_timeout()?, None);
    /// stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    /// assert_eq!(stream.write_timeout()?, Some(Duration::from_secs(5)));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.io.timeout(Direction::Write))
    }

    /// Sets whether small writes are sent at once (`TCP_NODELAY`), as [`std::net::TcpStream::set_nodelay`].
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// # use sward::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let stream = TcpStream::connect(listener.local_addr()?)?;
    /// stream.set_nodelay(true)?;
    /// assert!(stream.nodelay()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.io.inner().set_nodelay(nodelay)
    }

    /// Whether small writes are sent at once, as [`std::net::TcpStream::nodelay`].
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// # use sward::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let stream = TcpStream::connect(listener.local_addr()?)?;
    /// assert!(!stream.nodelay()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn nodelay(&self) -> io::Result<bool> {
        self.io.inner().nodelay()
    }

    /// Sets the time to live of the packets it sends, as [`std::net::TcpStream::set_ttl`].
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// # use sward::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let stream = TcpStream::connect(listener.local_addr()?)?;
    /// stream.set_ttl(32)?;
    /// assert_eq!(stream.ttl()?, 32);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_ttl(&self, hops: u32) -> io::Result<()> {
        self.io.inner().set_ttl(hops)
    }

    /// The time to live of the packets it sends, as [`std::net::TcpStream::ttl`].
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// # use sward::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let stream = TcpStream::connect(listener.local_addr()?)?;
    /// assert!(stream.ttl()? > 0);
    /// stream.set_ttl(7)?;
    /// assert_eq!(stream.ttl()?, 7);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn ttl(&self) -> io::Result<u32> {
        self.io.inner().ttl()
    }

    /// The error that lies on the socket, which is taken from it; as [`std::net::TcpStream::take_error`].
    ///
    /// # Errors
    ///
    /// What the system says, if it cannot tell.
    ///
    /// # Examples
    ///
    /// ```
    /// # use sward::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let stream = TcpStream::connect(listener.local_addr()?)?;
    /// assert!(stream.take_error()?.is_none());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.inner().take_error()
    }

    /// Whether operations return `WouldBlock` instead of waiting, as [`std::net::TcpStream::set_nonblocking`].
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
    /// use std::io::{ErrorKind, Read};
    /// # use sward::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?)?;
    /// stream.set_nonblocking(true)?;
    /// assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.io.set_nonblocking(nonblocking);
        Ok(())
    }

    /// Gives the connection to std, with the timeouts that were set here.
    ///
    /// It blocks again, unless [`set_nonblocking`](Self::set_nonblocking) was asked for. Clones that are still sward's
    /// go on parking their greenlets on Linux; elsewhere they share that mode, and may block their workers.
    ///
    /// # Errors
    ///
    /// What the system says; this end of the connection is closed then.
    ///
    /// # Examples
    ///
    /// ```
    /// # use sward::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let stream = TcpStream::connect(listener.local_addr()?)?;
    /// let standard: std::net::TcpStream = stream.into_std()?;
    /// assert_eq!(standard.peer_addr()?, listener.local_addr()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn into_std(self) -> io::Result<std::net::TcpStream> {
        let (stream, restored) = self.release();
        restored?;
        Ok(stream)
    }
}
