//! What the greenlets of one round share.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use rustix::net::{AddressFamily, SocketType};
use sward::Handle;

use crate::counts::Tally;
use crate::locks::Locks;
use crate::options::Sabotage;
use crate::watch::Outsiders;

/// See the module.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) number: u64,
    pub(crate) tally: Tally,
    /// The second runtime.
    pub(crate) beside: Handle,
    /// The server's address.
    pub(crate) address: SocketAddr,
    /// A port that is taken, and where nobody listens.
    pub(crate) closed: SocketAddr,
    /// What takes it.
    _closed: OwnedFd,
    pub(crate) outsiders: &'static Outsiders,
    /// How many greenlets sward has said were left, on standard error.
    pub(crate) told_left: AtomicU64,
    pub(crate) locks: Locks,
    sabotage: Option<Sabotage>,
    sabotaged: AtomicBool,
}

impl Ground {
    pub(crate) fn new(
        number: u64,
        address: SocketAddr,
        beside: Handle,
        outsiders: &'static Outsiders,
        sabotage: Option<Sabotage>,
    ) -> io::Result<Ground> {
        let (closed_socket, closed) = closed_port()?;
        Ok(Ground {
            number,
            tally: Tally::default(),
            beside,
            address,
            closed,
            _closed: closed_socket,
            outsiders,
            told_left: AtomicU64::new(0),
            locks: Locks::default(),
            sabotage,
            sabotaged: AtomicBool::new(false),
        })
    }

    /// Whether this is the place and the time for the mistake that was asked for: once in a round.
    pub(crate) fn sabotage(&self, place: Sabotage) -> bool {
        self.sabotage == Some(place) && !self.sabotaged.swap(true, SeqCst)
    }
}

/// A socket that is bound and does not listen: a port that was merely free could be taken by anybody meanwhile.
fn closed_port() -> io::Result<(OwnedFd, SocketAddr)> {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    rustix::net::bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let address = SocketAddr::try_from(rustix::net::getsockname(&socket)?)?;
    Ok((socket, address))
}
