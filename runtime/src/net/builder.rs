//! The builder of listeners, for what `bind` cannot say.

#![forbid(unsafe_code)]

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use rustix::net::sockopt;

use super::TcpListener;
use super::addresses::each;
use super::sys;
use crate::base::fault::{self, Door};
use crate::io::Io;

/// Listens with settings of its own; made by [`TcpListener::builder`].
///
/// std has no counterpart of this. One builder may bind many listeners.
///
/// # Examples
///
/// ```
/// use sward::net::TcpListener;
///
/// // Two listeners on one port: the kernel spreads the connections over them.
/// let builder = TcpListener::builder().backlog(64).reuse_port(true);
/// let first = builder.bind("127.0.0.1:0")?;
/// let second = builder.bind(first.local_addr()?)?;
/// assert_eq!(first.local_addr()?, second.local_addr()?);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `bind`"]
pub struct TcpListenerBuilder {
    backlog: i32,
    reuse_port: bool,
}

impl TcpListenerBuilder {
    pub(super) fn new() -> Self {
        // To the kernels, "as many as the system allows"; what Go asks for too. std asks for 128.
        Self {
            backlog: -1,
            reuse_port: false,
        }
    }

    /// How many connections may wait to be accepted.
    ///
    /// Beyond that the kernel lets new ones wait or refuses them. Zero counts as one on some systems; numbers above the
    /// system's own limit (on Linux `net.core.somaxconn`, 4,096 unless changed) count as that limit, which is also the
    /// default.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::builder().backlog(1).bind("127.0.0.1:0")?;
    /// // It waits to be accepted.
    /// let client = TcpStream::connect(listener.local_addr()?)?;
    /// assert_eq!(listener.accept()?.1, client.local_addr()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn backlog(mut self, connections: u32) -> Self {
        self.backlog = i32::try_from(connections).unwrap_or(i32::MAX);
        self
    }

    /// Whether several sockets may listen on the same address (`SO_REUSEPORT`).
    ///
    /// Each must be bound with this, by processes of the same user. The default is `false`.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::net::TcpListener;
    ///
    /// let builder = TcpListener::builder().reuse_port(true);
    /// let first = builder.bind("127.0.0.1:0")?;
    /// let second = builder.bind(first.local_addr()?)?;
    /// // Not with one that does not ask for it.
    /// assert!(TcpListener::bind(first.local_addr()?).is_err());
    /// # drop(second);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn reuse_port(mut self, reuse: bool) -> Self {
        self.reuse_port = reuse;
        self
    }

    /// Makes a listener on the first of `addresses` for which that succeeds.
    ///
    /// As [`TcpListener::bind`] otherwise.
    ///
    /// # Errors
    ///
    /// What the system says of the last address; `InvalidInput` if there is none.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::net::TcpListener;
    ///
    /// let listener = TcpListener::builder().bind("127.0.0.1:0")?;
    /// assert_ne!(listener.local_addr()?.port(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn bind<A: ToSocketAddrs>(&self, addresses: A) -> io::Result<TcpListener> {
        each(addresses, |address| self.listen(address))
    }

    fn listen(&self, address: &SocketAddr) -> io::Result<TcpListener> {
        let socket = sys::socket(address)?;
        fault::at(Door::Options)?;
        // As std: or a server that is started again could not bind while old connections linger.
        sockopt::set_socket_reuseaddr(&socket, true)?;
        if self.reuse_port {
            sys::set_reuse_port(&socket)?;
        }
        fault::at(Door::Bind)?;
        rustix::net::bind(&socket, address)?;
        fault::at(Door::Listen)?;
        rustix::net::listen(&socket, self.backlog)?;
        Ok(TcpListener::from_io(Io::new(socket.into())))
    }
}
