//! Trying one address after the other, as std does.

#![forbid(unsafe_code)]

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

/// The first success of `f` among the addresses, or the last failure.
pub(super) fn each<A: ToSocketAddrs, T>(
    addresses: A,
    mut f: impl FnMut(&SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let mut failure = None;
    for address in addresses.to_socket_addrs()? {
        match f(&address) {
            Ok(success) => return Ok(success),
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.unwrap_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "could not resolve to any addresses",
        )
    }))
}
