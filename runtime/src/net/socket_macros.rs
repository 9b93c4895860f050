//! What sockets of several kinds have alike, for each of them: std's traits, and the methods that do not depend on the kind.

#![forbid(unsafe_code)]

/// `Read` and `Write` of a stream whose `receive` and `send` move bytes.
macro_rules! stream_traits {
    ($type:ident) => {
        /// Reading 0 bytes into a buffer that is not empty means that the peer has ended its direction.
        impl Read for &$type {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                // An empty buffer never waits.
                if buffer.is_empty() {
                    return Ok(0);
                }
                let asked = fault::shorten(Door::Receive, buffer.len().min(LIMIT));
                self.incoming(asked, |stream| sys::receive(stream, &mut buffer[..asked]))
            }

            fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                let fitting = sys::fitting(buffers.len());
                let buffers = &mut buffers[..fitting];
                let asked = total(buffers.iter().map(|buffer| buffer.len()));
                if asked == 0 {
                    return Ok(0);
                }
                self.incoming(asked, |stream| sys::receive_vectored(stream, buffers))
            }
        }

        /// Never raises SIGPIPE. `flush` does nothing: nothing is held back here.
        impl Write for &$type {
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

        #[doc = concat!("As `&", stringify!($type), "`.")]
        impl Read for $type {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                (&*self).read(buffer)
            }

            fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                (&*self).read_vectored(buffers)
            }
        }

        #[doc = concat!("As `&", stringify!($type), "`.")]
        impl Write for $type {
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
    };
}
pub(super) use stream_traits;

/// The conversions and the descriptor of a socket, whose field is `io` and whose `release` gives std's back.
macro_rules! descriptor_traits {
    ($type:ident, $std:ty) => {
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.io.inner().fmt(f)
            }
        }

        #[doc = concat!("As [`", stringify!($type), "::into_std`].")]
        impl From<$type> for $std {
            fn from(socket: $type) -> Self {
                // It fails only for what is no open descriptor, and then so will everything else.
                socket.release().0
            }
        }

        impl From<OwnedFd> for $type {
            fn from(fd: OwnedFd) -> Self {
                <$std>::from(fd).into()
            }
        }

        #[doc = concat!("As [`", stringify!($type), "::into_std`].")]
        impl From<$type> for OwnedFd {
            fn from(socket: $type) -> Self {
                <$std>::from(socket).into()
            }
        }

        impl AsFd for $type {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.io.inner().as_fd()
            }
        }

        impl AsRawFd for $type {
            fn as_raw_fd(&self) -> RawFd {
                self.io.inner().as_raw_fd()
            }
        }

        #[doc = concat!("As [`", stringify!($type), "::into_std`].")]
        impl IntoRawFd for $type {
            fn into_raw_fd(self) -> RawFd {
                <$std>::from(self).into_raw_fd()
            }
        }
    };
}
pub(super) use descriptor_traits;

/// `From` of std's socket that has timeouts, and `release`.
macro_rules! timed_conversions {
    ($type:ident, $std:ty) => {
        /// Never waits. Timeouts that are set are taken over. In the kernel, the socket and what std clones of it there are become
        /// non-blocking.
        ///
        /// The mode that std's was in is not taken over: it tells how that one was used, and those of event loops are all
        /// non-blocking. The new one waits, by parking the greenlet, until `set_nonblocking` says otherwise.
        impl From<$std> for $type {
            fn from(socket: $std) -> Self {
                let timeouts = [
                    (Direction::Read, socket.read_timeout()),
                    (Direction::Write, socket.write_timeout()),
                ];
                // It fails only for what is no open descriptor, and then so will everything else.
                let _ = socket.set_nonblocking(true);
                let io = Io::new(socket);
                for (direction, timeout) in timeouts {
                    if let Ok(timeout @ Some(_)) = timeout {
                        // The kernel's are never zero.
                        let _ = io.set_timeout(direction, timeout);
                    }
                }
                Self { io }
            }
        }

        impl $type {
            /// Std's socket, and whether it could be given back what it had: that the clones of std's and its own would wait for
            /// each other.
            pub(super) fn release(self) -> ($std, io::Result<()>) {
                let nonblocking = self.io.is_nonblocking();
                let read = self.io.timeout(Direction::Read);
                let write = self.io.timeout(Direction::Write);
                let socket = self.io.into_inner();
                let restored = socket
                    .set_nonblocking(nonblocking)
                    .and_then(|()| socket.set_read_timeout(read))
                    .and_then(|()| socket.set_write_timeout(write));
                (socket, restored)
            }
        }
    };
}
pub(super) use timed_conversions;

/// The methods of all that reads and writes. `$new` makes `socket` in an example.
macro_rules! socket_methods {
    ($type:ident, $std:literal, $stdtype:ty, $new:literal) => {
        impl $type {
            #[doc = concat!("Another one for the same socket, as [`", $std, "::try_clone`].")]
            ///
            /// Timeouts and the non-blocking mode set on one are those of the other too. To use one socket in several greenlets an
            /// `Arc` will do, and costs no descriptor.
            ///
            /// # Errors
            ///
            /// What the system says: above all that there are too many open files.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $new]
            /// let other = socket.try_clone()?;
            /// # drop(other);
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn try_clone(&self) -> io::Result<Self> {
                fault::at(Door::Duplicate)?;
                Ok(Self {
                    io: self.io.sibling(self.io.inner().try_clone()?),
                })
            }

            #[doc = concat!("Sets how long receiving may wait; `None` for as long as it takes. As [`", $std, "::set_read_timeout`].")]
            ///
            /// When the time is up, the operation returns an error of the kind `WouldBlock`, as std's does on Unix; nothing is lost.
            /// The timeout begins anew with each operation, and one that waits already keeps its own.
            ///
            /// # Errors
            ///
            /// `InvalidInput` if `timeout` is zero.
            ///
            /// # Examples
            ///
            /// ```
            /// use std::time::Duration;
            #[doc = $new]
            /// socket.set_read_timeout(Some(Duration::from_secs(5)))?;
            /// assert_eq!(socket.read_timeout()?, Some(Duration::from_secs(5)));
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.io.set_timeout(Direction::Read, timeout)
            }

            #[doc = concat!("Sets how long sending may wait; `None` for as long as it takes. As [`", $std, "::set_write_timeout`],")]
            /// and as [`set_read_timeout`](Self::set_read_timeout) otherwise.
            ///
            /// # Errors
            ///
            /// `InvalidInput` if `timeout` is zero.
            ///
            /// # Examples
            ///
            /// ```
            /// use std::time::Duration;
            #[doc = $new]
            /// socket.set_write_timeout(Some(Duration::from_secs(5)))?;
            /// assert_eq!(socket.write_timeout()?, Some(Duration::from_secs(5)));
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.io.set_timeout(Direction::Write, timeout)
            }

            #[doc = concat!("How long receiving may wait, as [`", $std, "::read_timeout`].")]
            ///
            /// # Errors
            ///
            /// None; the result is std's.
            ///
            /// # Examples
            ///
            /// See [`set_read_timeout`](Self::set_read_timeout).
            pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
                Ok(self.io.timeout(Direction::Read))
            }

            #[doc = concat!("How long sending may wait, as [`", $std, "::write_timeout`].")]
            ///
            /// # Errors
            ///
            /// None; the result is std's.
            ///
            /// # Examples
            ///
            /// See [`set_write_timeout`](Self::set_write_timeout).
            pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
                Ok(self.io.timeout(Direction::Write))
            }
        }
        basic_methods!($type, $std, $stdtype, $new);
    };
}
pub(super) use socket_methods;

/// The methods of all sockets.
macro_rules! basic_methods {
    ($type:ident, $std:literal, $stdtype:ty, $new:literal) => {
        impl $type {
            #[doc = concat!("The error that is kept for the socket, if there is one, as [`", $std, "::take_error`].")]
            ///
            /// # Errors
            ///
            /// What the system says.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $new]
            /// assert!(socket.take_error()?.is_none());
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn take_error(&self) -> io::Result<Option<io::Error>> {
                self.io.inner().take_error()
            }

            #[doc = concat!("Whether operations fail with `WouldBlock` instead of waiting, as [`", $std, "::set_nonblocking`].")]
            ///
            /// # Errors
            ///
            /// None; the result is std's.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $new]
            /// socket.set_nonblocking(true)?;
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
                self.io.set_nonblocking(nonblocking);
                Ok(())
            }

            /// Std's socket, with the mode and the timeouts that this one has.
            ///
            /// # Errors
            ///
            /// What the system says when it is asked for these.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $new]
            #[doc = concat!("let socket: ", $std, " = socket.into_std()?;")]
            /// # drop(socket);
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn into_std(self) -> io::Result<$stdtype> {
                let (socket, restored) = self.release();
                restored?;
                Ok(socket)
            }
        }
    };
}
pub(super) use basic_methods;

/// The bytes of all buffers. The same memory may be named several times, so the sum may be more than there is.
pub(super) fn total(lengths: impl Iterator<Item = usize>) -> usize {
    lengths.fold(0, usize::saturating_add)
}
