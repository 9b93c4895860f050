//! Connecting: begin, wait until the socket is writable, ask what came of it.
//!
//! Only an attempt that has begun is waited for. Whatever else the kernel says to the first call is the outcome, `EAGAIN`
//! included, which for `connect` means that something has run out and not that it will go on.

#![forbid(unsafe_code)]

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustix::io::Errno;

use super::sys;
use crate::base::fault::{self, Door};
use crate::io::{Direction, Io, Stop};

/// A connection to `address`.
pub(super) fn connect(
    address: &SocketAddr,
    timeout: Option<Duration>,
) -> Result<Io<TcpStream>, Stop> {
    let io = Io::new(TcpStream::from(sys::socket(address).map_err(Stop::Failed)?));
    let mut begun = false;
    let connected = io.run_for(Direction::Write, timeout, |stream| {
        if begun {
            return outcome(stream).map(Ok);
        }
        begun = true;
        let said = rustix::net::connect(stream, address);
        first(fault::instead(Door::Connect, said))
    })?;
    match connected {
        Ok(()) => Ok(io),
        Err(refusal) => Err(Stop::Failed(refusal.into())),
    }
}

/// What the first call says: `WouldBlock` if the attempt has begun and goes on. A refusal is a result, for as an error
/// `EAGAIN` would be waited for.
fn first(said: Result<(), Errno>) -> io::Result<Result<(), Errno>> {
    match said {
        // The kernel goes on with it; a signal does not change that.
        Err(Errno::INPROGRESS | Errno::INTR) => Err(ErrorKind::WouldBlock.into()),
        said => Ok(said),
    }
}

/// What came of the attempt: `WouldBlock` if it goes on.
fn outcome(stream: &TcpStream) -> io::Result<()> {
    fault::at(Door::Outcome)?;
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotConnected => Err(ErrorKind::WouldBlock.into()),
        Err(error) => Err(error),
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_has_not_begun_is_not_waited_for() {
        for refusal in [Errno::AGAIN, Errno::CONNREFUSED, Errno::ADDRNOTAVAIL] {
            assert_eq!(first(Err(refusal)).unwrap(), Err(refusal));
        }
        assert_eq!(first(Ok(())).unwrap(), Ok(()));
        for begun in [Errno::INPROGRESS, Errno::INTR] {
            let error = first(Err(begun)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
        }
    }
}
