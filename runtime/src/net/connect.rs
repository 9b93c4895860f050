//! Connecting: begin, wait until the socket is writable, ask what came of it.

#![forbid(unsafe_code)]

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustix::io::Errno;

use super::sys;
use crate::io::{Direction, Io, Stop};

/// A connection to `address`.
pub(super) fn connect(
    address: &SocketAddr,
    timeout: Option<Duration>,
) -> Result<Io<TcpStream>, Stop> {
    let io = Io::new(TcpStream::from(sys::socket(address).map_err(Stop::Failed)?));
    let mut begun = false;
    io.run_for(Direction::Write, timeout, |stream| {
        if begun {
            return outcome(stream);
        }
        begun = true;
        match rustix::net::connect(stream, address) {
            Ok(()) => Ok(()),
            // The kernel goes on with it; a signal does not change that.
            Err(Errno::INPROGRESS | Errno::INTR) => Err(ErrorKind::WouldBlock.into()),
            Err(error) => Err(error.into()),
        }
    })?;
    Ok(io)
}

/// What came of the attempt: `WouldBlock` if it goes on.
fn outcome(stream: &TcpStream) -> io::Result<()> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotConnected => Err(ErrorKind::WouldBlock.into()),
        Err(error) => Err(error),
    }
}
