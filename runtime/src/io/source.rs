//! `Source`, and pipes as such.
#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, OFlags, fcntl_getfl, fcntl_setfl, fstat};

use super::descriptor::{Io, Stop};
use super::{Direction, LIMIT};
use crate::base::fault::{self, Door};
use crate::park::Outcome;

/// Any descriptor that the system can tell the readiness of, to be waited for by parking: a pipe, a terminal, a device, a socket of a kind
/// that [`net`](crate::net) does not have.
///
/// It reads and writes if what is in it does so through `&`, as most of std's types do. For everything else there are
/// [`read_with`](Self::read_with) and [`write_with`](Self::write_with), and [`readable`](Self::readable) and [`writable`](Self::writable).
///
/// The descriptor is in the non-blocking mode meanwhile, and so are all that share its open file, in other processes too.
///
/// # Cancellation
///
/// A wait that is cancelled has read or written nothing. (sward has no cancellation yet.)
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
///
/// let (mut reader, mut writer) = sward::io::pipe()?;
/// let writes = sward::spawn(move || writer.write_all(b"hello"));
/// let mut text = String::new();
/// reader.read_to_string(&mut text)?;
/// assert_eq!(text, "hello");
/// writes.join().unwrap()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Source<T: AsFd> {
    io: Io<T>,
    /// The mode that it was in.
    nonblocking: bool,
}

/// A pipe, as [`std::io::pipe`], whose ends wait by parking.
///
/// # Errors
///
/// What the system says: above all that there are too many open files.
///
/// # Examples
///
/// See [`Source`].
pub fn pipe() -> io::Result<(Source<PipeReader>, Source<PipeWriter>)> {
    fault::at(Door::Socket)?;
    let (reader, writer) = io::pipe()?;
    Ok((Source::new(reader)?, Source::new(writer)?))
}

impl<T: AsFd> Source<T> {
    /// Takes a descriptor, and puts it into the non-blocking mode.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is a file or a directory, which are always ready to the system, however long they take; and what the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::io::Source;
    ///
    /// let directory = std::fs::File::open(std::env::temp_dir())?;
    /// assert!(Source::new(directory).is_err());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new(inner: T) -> io::Result<Self> {
        let kind = FileType::from_raw_mode(fstat(&inner)?.st_mode);
        if matches!(kind, FileType::RegularFile | FileType::Directory) {
            let what = "the system does not tell when a file or a directory is ready";
            return Err(io::Error::new(ErrorKind::InvalidInput, what));
        }
        let flags = fcntl_getfl(&inner)?;
        let nonblocking = flags.contains(OFlags::NONBLOCK);
        if !nonblocking {
            fcntl_setfl(&inner, flags | OFlags::NONBLOCK)?;
        }
        let io = Io::new(inner);
        Ok(Self { io, nonblocking })
    }

    /// What is in it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::Write;
    ///
    /// let (_reader, writer) = sward::io::pipe()?;
    /// // Does not wait.
    /// assert_eq!(writer.get_ref().write(b"hello")?, 5);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn get_ref(&self) -> &T {
        self.io.inner()
    }

    /// What is in it, in the mode that it was in.
    ///
    /// # Errors
    ///
    /// What the system says of the mode; the descriptor is closed then.
    ///
    /// # Examples
    ///
    /// ```
    /// let (reader, _writer) = sward::io::pipe()?;
    /// let reader: std::io::PipeReader = reader.into_inner()?;
    /// # drop(reader);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn into_inner(self) -> io::Result<T> {
        let inner = self.io.into_inner();
        if !self.nonblocking {
            let flags = fcntl_getfl(&inner)?;
            fcntl_setfl(&inner, flags - OFlags::NONBLOCK)?;
        }
        Ok(inner)
    }

    /// Waits until there is something to read, or the end, or an error.
    ///
    /// Somebody else may read it first.
    ///
    /// # Errors
    ///
    /// What the system says; and if the [timeout](Self::set_read_timeout) is over, `WouldBlock`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::Write;
    ///
    /// let (reader, mut writer) = sward::io::pipe()?;
    /// sward::go!(writer.write_all(b"hello"));
    /// reader.readable()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn readable(&self) -> io::Result<()> {
        self.io
            .run(Direction::Read, |inner| ready(inner, PollFlags::IN))
    }

    /// Waits until something can be written, or there is an error.
    ///
    /// # Errors
    ///
    /// As [`readable`](Self::readable).
    ///
    /// # Examples
    ///
    /// ```
    /// let (_reader, writer) = sward::io::pipe()?;
    /// writer.writable()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn writable(&self) -> io::Result<()> {
        self.io
            .run(Direction::Write, |inner| ready(inner, PollFlags::OUT))
    }

    /// As [`readable`](Self::readable), but no longer than `limit`. Whether it was in time.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (reader, _writer) = sward::io::pipe()?;
    /// assert!(!reader.readable_timeout(Duration::from_millis(1))?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn readable_timeout(&self, limit: Duration) -> io::Result<bool> {
        self.ready_for(Direction::Read, PollFlags::IN, limit)
    }

    /// As [`writable`](Self::writable), but no longer than `limit`. Whether it was in time.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (_reader, writer) = sward::io::pipe()?;
    /// assert!(writer.writable_timeout(Duration::from_millis(1))?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn writable_timeout(&self, limit: Duration) -> io::Result<bool> {
        self.ready_for(Direction::Write, PollFlags::OUT, limit)
    }

    fn ready_for(
        &self,
        direction: Direction,
        what: PollFlags,
        limit: Duration,
    ) -> io::Result<bool> {
        let op = |inner: &T| ready(inner, what);
        match self.io.run_for(direction, Some(limit), op) {
            Ok(()) => Ok(true),
            Err(Stop::TimedOut) => Ok(false),
            Err(stop) => Err(stop.into()),
        }
    }

    /// Has the closure read, again and again until it does not say `WouldBlock`, and waits in between until there is something to read. It
    /// must not block.
    ///
    /// # Errors
    ///
    /// The closure's, but for `WouldBlock` and `Interrupted`; and as [`readable`](Self::readable).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{Read, Write};
    ///
    /// let (reader, mut writer) = sward::io::pipe()?;
    /// sward::go!(writer.write_all(b"hello"));
    /// let mut buffer = [0; 8];
    /// let count = reader.read_with(|mut reader| reader.read(&mut buffer))?;
    /// assert_eq!(&buffer[..count], b"hello");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn read_with<R>(&self, read: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.io.run(Direction::Read, read)
    }

    /// As [`read_with`](Self::read_with), for writing.
    ///
    /// # Errors
    ///
    /// As [`read_with`](Self::read_with).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::Write;
    ///
    /// let (_reader, writer) = sward::io::pipe()?;
    /// assert_eq!(writer.write_with(|mut writer| writer.write(b"hello"))?, 5);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn write_with<R>(&self, write: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.io.run(Direction::Write, write)
    }

    /// Sets how long reading may wait; `None`, as at first, for as long as it takes.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is zero.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{ErrorKind, Read};
    /// use std::time::Duration;
    ///
    /// let (mut reader, _writer) = sward::io::pipe()?;
    /// reader.set_read_timeout(Some(Duration::from_millis(1)))?;
    /// assert_eq!(reader.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.io.set_timeout(Direction::Read, timeout)
    }

    /// Sets how long writing may wait; `None`, as at first, for as long as it takes.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is zero.
    ///
    /// # Examples
    ///
    /// ```
    /// let (_reader, writer) = sward::io::pipe()?;
    /// writer.set_write_timeout(Some(std::time::Duration::from_secs(5)))?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.io.set_timeout(Direction::Write, timeout)
    }
}

impl<T: AsFd> Source<T>
where
    for<'a> &'a T: Read,
{
    /// `read` for `select!`.
    #[doc(hidden)]
    pub fn __select_read<'a>(
        &'a self,
        buffer: &'a mut [u8],
    ) -> impl Outcome<Value = io::Result<usize>> + 'a {
        let asked = fault::shorten(Door::Receive, buffer.len().min(LIMIT));
        self.io.arm(Direction::Read, move |inner| {
            let mut inner = inner;
            match asked {
                // An empty buffer never waits.
                0 => Ok(0),
                _ => inner.read(&mut buffer[..asked]),
            }
        })
    }
}

/// Whether it is ready for this, or has an error to tell.
fn ready(inner: &impl AsFd, what: PollFlags) -> io::Result<()> {
    let mut looked = [PollFd::new(inner, what)];
    match poll(&mut looked, Some(&Timespec::default()))? {
        0 => Err(ErrorKind::WouldBlock.into()),
        _ => Ok(()),
    }
}

impl<T: AsFd> Read for &Source<T>
where
    for<'a> &'a T: Read,
{
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let asked = fault::shorten(Door::Receive, buffer.len().min(LIMIT));
        self.read_with(|mut inner| inner.read(&mut buffer[..asked]))
    }
}

impl<T: AsFd> Write for &Source<T>
where
    for<'a> &'a T: Write,
{
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let asked = fault::shorten(Door::Send, bytes.len().min(LIMIT));
        self.write_with(|mut inner| inner.write(&bytes[..asked]))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_with(|mut inner| inner.flush())
    }
}

impl<T: AsFd> Read for Source<T>
where
    for<'a> &'a T: Read,
{
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }
}

impl<T: AsFd> Write for Source<T>
where
    for<'a> &'a T: Write,
{
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self).flush()
    }
}

impl<T: AsFd + fmt::Debug> fmt::Debug for Source<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(self.io.inner()).finish()
    }
}

impl<T: AsFd> AsFd for Source<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.inner().as_fd()
    }
}

impl<T: AsFd> AsRawFd for Source<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}
