//! Sockets of this machine, by names in the file system or without: the counterpart of `std::os::unix::net`.

#![forbid(unsafe_code)]

mod datagram;
mod listener;
mod stream;

pub use datagram::UnixDatagram;
pub use listener::{UnixIncoming, UnixListener};
pub use stream::UnixStream;

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use crate::time::sleep;

/// The first and the longest time between two tries of what the system gives no event for. Arbitrary: a server that is not fast enough is
/// not kept from its work by those who ask, and they do not wait for much longer than it takes.
const SOON: Duration = Duration::from_millis(1);
const LATE: Duration = Duration::from_millis(16);

/// Tries again and again until it need not wait, or until the time is up: `WouldBlock`. For what another socket has no room for, the system
/// has no event.
fn again<T>(
    limit: Option<Duration>,
    nonblocking: bool,
    mut attempt: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
    let mut pause = SOON;
    loop {
        match attempt() {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == ErrorKind::WouldBlock && !nonblocking => {
                let now = Instant::now();
                let left = deadline.map(|deadline| deadline.saturating_duration_since(now));
                if left == Some(Duration::ZERO) {
                    return Err(error);
                }
                sleep(left.map_or(pause, |left| left.min(pause)));
                pause = LATE.min(2 * pause);
            }
            outcome => return outcome,
        }
    }
}
