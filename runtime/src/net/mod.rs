//! Networking: the counterpart of [`std::net`].
//!
//! [`TcpListener`], [`TcpStream`], [`UdpSocket`], [`UnixListener`], [`UnixStream`] and [`UnixDatagram`] have std's methods and traits
//! and behave as std's do, with one difference: where
//! std's would block the thread, these park the greenlet, and its worker runs others meanwhile. On a plain thread they
//! block that thread. Addresses are std's own types.
//!
//! One value may be used by many greenlets at once, through `&` or in an `Arc`: several may read, write and accept, and
//! what one of them leaves the others get. Clones made by `try_clone` work as well and cost a descriptor each.
//!
//! A socket joins the reactor of a runtime when an operation on it first has to wait: of the runtime of the greenlet
//! that waits, or, if that is a plain thread, of the default runtime, which is started for it. It stays with that
//! runtime, and may be used from others. When that runtime has shut down, operations that would have to wait return an
//! error.
//!
//! Host names are looked up by std, in place: such a look-up blocks the worker, not only the greenlet. Addresses given
//! as numbers are not looked up.
//!
//! # Examples
//!
//! ```
//! use std::io::{Read, Write};
//! use sward::net::{TcpListener, TcpStream};
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//! let server = sward::spawn(move || -> std::io::Result<()> {
//!     let (mut stream, _) = listener.accept()?;
//!     let mut request = [0; 5];
//!     stream.read_exact(&mut request)?;
//!     stream.write_all(&request)
//! });
//! let mut client = TcpStream::connect(address)?;
//! client.write_all(b"hello")?;
//! let mut reply = String::new();
//! client.read_to_string(&mut reply)?;
//! assert_eq!(reply, "hello");
//! server.join().unwrap()?;
//! # Ok::<(), std::io::Error>(())
//! ```

mod addresses;
mod builder;
mod connect;
mod listener;
mod listener_traits;
mod socket_macros;
mod stream;
mod stream_traits;
#[cfg(target_os = "linux")]
mod sys_linux;
#[cfg(target_os = "linux")]
use sys_linux as sys;
#[cfg(not(target_os = "linux"))]
mod sys_other;
#[cfg(not(target_os = "linux"))]
use sys_other as sys;
mod sys_raw;
mod udp;
mod unix;

pub use builder::TcpListenerBuilder;
pub use listener::{Incoming, TcpListener};
pub use stream::TcpStream;
pub use udp::UdpSocket;
pub use unix::{UnixDatagram, UnixIncoming, UnixListener, UnixStream};
