//! What the tests of sockets share.
#![allow(dead_code, reason = "each test program uses its own part")]

use std::io::{self, Read};
use std::net::SocketAddr;
use std::time::Duration;

use sward::net::{TcpListener, TcpStream};

/// Longer than any test takes: where it passes, something hangs.
pub(crate) const AGES: Duration = Duration::from_secs(3600);
/// A timeout that is meant to pass.
pub(crate) const MOMENT: Duration = Duration::from_millis(5);

/// A listener on a port of its own, and its address.
pub(crate) fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

/// The two ends of a connection.
pub(crate) fn pair() -> (TcpStream, TcpStream) {
    let (listener, address) = listener();
    let client = TcpStream::connect(address).expect("somebody listens");
    let (server, peer) = listener.accept().expect("somebody connects");
    assert_eq!(client.local_addr().expect("it is bound"), peer);
    (client, server)
}

/// One end that is sward's, and one that is std's and blocks its thread.
pub(crate) fn pair_with_std() -> (TcpStream, std::net::TcpStream) {
    let (listener, address) = listener();
    let client = std::net::TcpStream::connect(address).expect("somebody listens");
    let (server, _) = listener.accept().expect("somebody connects");
    (server, client)
}

/// All that comes until the end.
pub(crate) fn read_all(mut from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Drops `stream` so that the peer gets a reset instead of an end.
pub(crate) fn reset(stream: TcpStream) {
    let linger = Some(Duration::ZERO);
    rustix::net::sockopt::set_socket_linger(&stream, linger).expect("a socket");
    drop(stream);
}
