//! The traits of `TcpStream`: those that std's has.

#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};

use super::{TcpStream, sys};
use crate::base::fault::{self, Door};
use crate::io::{Direction, Io, LIMIT};

/// Reading 0 bytes into a buffer that is not empty means that the peer has ended its direction.
impl Read for &TcpStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // An empty buffer never waits.
        if buffer.is_empty() {
            return Ok(0);
        }
        let asked = fault::shorten(Door::Receive, buffer.len().min(LIMIT));
        self.io.transfer(Direction::Read, asked, |stream| {
            sys::receive(stream, &mut buffer[..asked])
        })
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let fitting = sys::fitting(buffers.len());
        let buffers = &mut buffers[..fitting];
        let asked = total(buffers.iter().map(|buffer| buffer.len()));
        if asked == 0 {
            return Ok(0);
        }
        self.io.transfer(Direction::Read, asked, |stream| {
            sys::receive_vectored(stream, buffers)
        })
    }
}

/// Never raises SIGPIPE. `flush` does nothing: nothing is held back here.
impl Write for &TcpStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let asked = fault::shorten(Door::Send, bytes.len().min(LIMIT));
        self.io.transfer(Direction::Write, asked, |stream| {
            sys::send_some(stream, &bytes[..asked])
        })
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let buffers = &buffers[..sys::fitting(buffers.len())];
        let asked = total(buffers.iter().map(|buffer| buffer.len()));
        if asked == 0 {
            return Ok(0);
        }
        self.io.transfer(Direction::Write, asked, |stream| {
            sys::send_vectored(stream, buffers)
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The bytes of all buffers. The same memory may be named several times, so the sum may be more than there is.
fn total(lengths: impl Iterator<Item = usize>) -> usize {
    lengths.fold(0, usize::saturating_add)
}

/// As `&TcpStream`.
impl Read for TcpStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(buffers)
    }
}

/// As `&TcpStream`.
impl Write for TcpStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(buffers)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.inner().fmt(f)
    }
}

/// Never waits. Timeouts set on the stream are taken over. In the kernel, the connection and what std clones of it
/// there are become non-blocking.
///
/// The mode that std's stream was in is not taken over: it tells how that stream was used, and those of event loops are
/// all non-blocking. The new one waits, by parking the greenlet, until [`TcpStream::set_nonblocking`] says otherwise.
impl From<std::net::TcpStream> for TcpStream {
    fn from(stream: std::net::TcpStream) -> Self {
        let timeouts = [
            (Direction::Read, stream.read_timeout()),
            (Direction::Write, stream.write_timeout()),
        ];
        // It fails only for what is no open descriptor, and then so will everything else.
        let _ = stream.set_nonblocking(true);
        let io = Io::new(stream);
        for (direction, timeout) in timeouts {
            if let Ok(timeout @ Some(_)) = timeout {
                // The kernel's are never zero.
                let _ = io.set_timeout(direction, timeout);
            }
        }
        Self::from_io(io)
    }
}

/// As [`TcpStream::into_std`].
impl From<TcpStream> for std::net::TcpStream {
    fn from(stream: TcpStream) -> Self {
        // As above: it does not fail for an open descriptor.
        stream.release().0
    }
}

impl From<OwnedFd> for TcpStream {
    fn from(fd: OwnedFd) -> Self {
        std::net::TcpStream::from(fd).into()
    }
}

/// As [`TcpStream::into_std`].
impl From<TcpStream> for OwnedFd {
    fn from(stream: TcpStream) -> Self {
        std::net::TcpStream::from(stream).into()
    }
}

impl AsFd for TcpStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.inner().as_fd()
    }
}

impl AsRawFd for TcpStream {
    fn as_raw_fd(&self) -> RawFd {
        self.io.inner().as_raw_fd()
    }
}

/// As [`TcpStream::into_std`].
impl IntoRawFd for TcpStream {
    fn into_raw_fd(self) -> RawFd {
        std::net::TcpStream::from(self).into_raw_fd()
    }
}
