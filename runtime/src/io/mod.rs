//! Input and output that parks: [`Source`], for whatever descriptor the system tells the readiness of, and [`pipe`]. Sockets are in
//! [`net`](crate::net).
//!
//! The traits and helpers of [`std::io`] (`Read`, `Write`, `BufReader`, `copy`, ...) work with all of these unchanged.

// Floor 11: operations that may have to wait. `Io` owns a descriptor and has the one loop of the whole crate that tries a system call,
// waits, and tries again; sockets of every kind are thin layers over it. `settings` is what the clones of one socket share: its timeouts and
// whether it blocks. `arm` is an operation among several things to wait for.

mod arm;
mod descriptor;
mod settings;
mod source;

pub(crate) use crate::reactor::Direction;
pub(crate) use descriptor::{Io, LIMIT, Stop};
pub use source::{Source, pipe};
