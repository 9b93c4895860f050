//! `UdpSocket`.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::time::Duration;

use super::addresses::each;
use super::socket_macros::{basic_methods, descriptor_traits, socket_methods, timed_conversions};
use crate::base::fault::{self, Door};
use crate::io::{Direction, Io};
use crate::park::Outcome;

/// A UDP socket: the counterpart of [`std::net::UdpSocket`].
///
/// Where std's would block the thread, this parks the greenlet. Several greenlets may send and receive at once, through `&` or in an
/// `Arc`. In [`select!`](crate::select!), `socket.read(&mut buffer)` receives from whoever a connected socket is connected to, or
/// from anybody.
///
/// # Cancellation
///
/// One that waits has sent or received nothing. (sward has no cancellation yet.)
///
/// # Examples
///
/// ```
/// use sward::net::UdpSocket;
///
/// let server = UdpSocket::bind("127.0.0.1:0")?;
/// let address = server.local_addr()?;
/// sward::go!({
///     let mut buffer = [0; 64];
///     let (count, from) = server.recv_from(&mut buffer)?;
///     server.send_to(&buffer[..count], from)
/// });
/// let client = UdpSocket::bind("127.0.0.1:0")?;
/// client.send_to(b"hello", address)?;
/// let mut buffer = [0; 64];
/// let (count, from) = client.recv_from(&mut buffer)?;
/// assert_eq!((&buffer[..count], from), (&b"hello"[..], address));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UdpSocket {
    pub(super) io: Io<std::net::UdpSocket>,
}

/// An option that std's socket has: as there, on its socket.
macro_rules! options {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*) -> $result:ty, $example:literal;)*) => { $(
        #[doc = concat!("As [`std::net::UdpSocket::", stringify!($name), "`].")]
        $(#[$doc])*
        ///
        /// # Errors
        ///
        /// What the system says.
        ///
        /// # Examples
        ///
        /// ```
        /// let socket = sward::net::UdpSocket::bind("127.0.0.1:0")?;
        #[doc = $example]
        /// # Ok::<(), std::io::Error>(())
        /// ```
        pub fn $name(&self, $($argument: $type),*) -> io::Result<$result> {
            self.io.inner().$name($($argument),*)
        }
    )* };
}

impl UdpSocket {
    /// A socket bound to the first of the addresses that will do, as [`std::net::UdpSocket::bind`].
    ///
    /// # Errors
    ///
    /// What the system says of the last address, or that there is none.
    ///
    /// # Examples
    ///
    /// See [`UdpSocket`].
    pub fn bind<A: ToSocketAddrs>(addresses: A) -> io::Result<Self> {
        each(addresses, |address| {
            fault::at(Door::Socket)?;
            fault::at(Door::Bind)?;
            let socket = std::net::UdpSocket::bind(address)?;
            socket.set_nonblocking(true)?;
            let io = Io::new(socket);
            Ok(Self { io })
        })
    }

    /// Receives a datagram: its length and from whom it is, as [`std::net::UdpSocket::recv_from`]. What does not fit into the buffer
    /// is lost.
    ///
    /// # Errors
    ///
    /// What the system says, and `WouldBlock` if the [timeout](Self::set_read_timeout) is over.
    ///
    /// # Examples
    ///
    /// See [`UdpSocket`].
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io.run(Direction::Read, |socket| {
            fault::at(Door::Receive)?;
            socket.recv_from(buffer)
        })
    }

    /// As [`recv_from`](Self::recv_from), but the datagram stays, as [`std::net::UdpSocket::peek_from`].
    ///
    /// # Errors
    ///
    /// As [`recv_from`](Self::recv_from).
    ///
    /// # Examples
    ///
    /// ```
    /// let socket = sward::net::UdpSocket::bind("127.0.0.1:0")?;
    /// socket.send_to(b"hello", socket.local_addr()?)?;
    /// let mut buffer = [0; 64];
    /// assert_eq!(socket.peek_from(&mut buffer)?.0, 5);
    /// assert_eq!(socket.recv_from(&mut buffer)?.0, 5);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io.run(Direction::Read, |socket| {
            fault::at(Door::Receive)?;
            socket.peek_from(buffer)
        })
    }

    /// Sends a datagram to the first of the addresses, as [`std::net::UdpSocket::send_to`]. How many bytes were sent.
    ///
    /// # Errors
    ///
    /// What the system says, `InvalidInput` if there is no address, and `WouldBlock` if the [timeout](Self::set_write_timeout) is over.
    ///
    /// # Examples
    ///
    /// See [`UdpSocket`].
    pub fn send_to<A: ToSocketAddrs>(&self, bytes: &[u8], address: A) -> io::Result<usize> {
        let Some(address) = address.to_socket_addrs()?.next() else {
            let what = "no addresses to send data to";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        };
        self.io.run(Direction::Write, |socket| {
            fault::at(Door::Send)?;
            socket.send_to(bytes, address)
        })
    }

    /// From now on datagrams are sent to the first of the addresses that will do, and received from there only, as
    /// [`std::net::UdpSocket::connect`]. Never waits, but for a name to be looked up.
    ///
    /// # Errors
    ///
    /// What the system says of the last address, or that there is none.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::net::UdpSocket;
    ///
    /// let (one, other) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    /// one.connect(other.local_addr()?)?;
    /// other.connect(one.local_addr()?)?;
    /// one.send(b"hello")?;
    /// let mut buffer = [0; 64];
    /// assert_eq!(other.recv(&mut buffer)?, 5);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn connect<A: ToSocketAddrs>(&self, addresses: A) -> io::Result<()> {
        each(addresses, |address| self.io.inner().connect(address))
    }

    /// Sends a datagram to whom the socket is connected to, as [`std::net::UdpSocket::send`].
    ///
    /// # Errors
    ///
    /// As [`send_to`](Self::send_to), and if the socket is not connected.
    ///
    /// # Examples
    ///
    /// See [`connect`](Self::connect).
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.io.run(Direction::Write, |socket| {
            fault::at(Door::Send)?;
            socket.send(bytes)
        })
    }

    /// Receives a datagram, as [`std::net::UdpSocket::recv`].
    ///
    /// # Errors
    ///
    /// As [`recv_from`](Self::recv_from).
    ///
    /// # Examples
    ///
    /// See [`connect`](Self::connect).
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.io.run(Direction::Read, |socket| {
            fault::at(Door::Receive)?;
            socket.recv(buffer)
        })
    }

    /// As [`recv`](Self::recv), but the datagram stays, as [`std::net::UdpSocket::peek`].
    ///
    /// # Errors
    ///
    /// As [`recv_from`](Self::recv_from).
    ///
    /// # Examples
    ///
    /// ```
    /// let socket = sward::net::UdpSocket::bind("127.0.0.1:0")?;
    /// socket.connect(socket.local_addr()?)?;
    /// socket.send(b"hello")?;
    /// let mut buffer = [0; 64];
    /// assert_eq!((socket.peek(&mut buffer)?, socket.recv(&mut buffer)?), (5, 5));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.io.run(Direction::Read, |socket| {
            fault::at(Door::Receive)?;
            socket.peek(buffer)
        })
    }

    options! {
        local_addr() -> SocketAddr, "assert_ne!(socket.local_addr()?.port(), 0);";
        /// (An error if it is not connected.)
        peer_addr() -> SocketAddr, "assert!(socket.peer_addr().is_err());";
        set_broadcast(broadcast: bool) -> (), "socket.set_broadcast(true)?;";
        broadcast() -> bool, "assert!(!socket.broadcast()?);";
        set_multicast_loop_v4(yes: bool) -> (), "socket.set_multicast_loop_v4(false)?;";
        multicast_loop_v4() -> bool, "assert!(socket.multicast_loop_v4()?);";
        set_multicast_ttl_v4(hops: u32) -> (), "socket.set_multicast_ttl_v4(7)?;";
        multicast_ttl_v4() -> u32, "assert_eq!(socket.multicast_ttl_v4()?, 1);";
        /// (Of a socket of IPv6.)
        set_multicast_loop_v6(yes: bool) -> (), "assert!(socket.set_multicast_loop_v6(true).is_err());";
        /// (Of a socket of IPv6.)
        multicast_loop_v6() -> bool, "assert!(socket.multicast_loop_v6().is_err());";
        set_ttl(hops: u32) -> (), "socket.set_ttl(7)?;";
        ttl() -> u32, "assert!(socket.ttl()? > 0);";
        join_multicast_v4(group: &Ipv4Addr, interface: &Ipv4Addr) -> (),
            "let none = std::net::Ipv4Addr::LOCALHOST; assert!(socket.join_multicast_v4(&none, &none).is_err());";
        join_multicast_v6(group: &Ipv6Addr, interface: u32) -> (),
            "let none = std::net::Ipv6Addr::LOCALHOST; assert!(socket.join_multicast_v6(&none, 0).is_err());";
        leave_multicast_v4(group: &Ipv4Addr, interface: &Ipv4Addr) -> (),
            "let none = std::net::Ipv4Addr::LOCALHOST; assert!(socket.leave_multicast_v4(&none, &none).is_err());";
        leave_multicast_v6(group: &Ipv6Addr, interface: u32) -> (),
            "let none = std::net::Ipv6Addr::LOCALHOST; assert!(socket.leave_multicast_v6(&none, 0).is_err());";
    }

    /// `recv` for `select!`.
    #[doc(hidden)]
    pub fn __select_read<'a>(
        &'a self,
        buffer: &'a mut [u8],
    ) -> impl Outcome<Value = io::Result<usize>> + 'a {
        self.io.arm(Direction::Read, move |socket| {
            fault::at(Door::Receive)?;
            socket.recv(buffer)
        })
    }
}

socket_methods!(
    UdpSocket,
    "std::net::UdpSocket",
    std::net::UdpSocket,
    "let socket = sward::net::UdpSocket::bind(\"127.0.0.1:0\")?;"
);
timed_conversions!(UdpSocket, std::net::UdpSocket);
descriptor_traits!(UdpSocket, std::net::UdpSocket);
