//! Floor 5: waiting. One primitive under everything that blocks.
//!
//! [`Wait`] is one episode of parking of whoever calls, a greenlet or a plain thread. Its shape is always
//!
//! ```text
//! let wait = Wait::begin(Reason::Join(id));
//! queue.enlist(wait.token(TAG));      // whatever may end the wait gets a token
//! if !already_true() { wait.park_until(deadline) } else { drop(wait) }
//! ```
//!
//! A token may fire at any moment from `begin` on, also before `park`; then `park` returns at once. Whoever enlists a
//! token with somebody who keeps it takes it back when the wait ended in another way, by dropping its place in the queue.
//!
//! `queue` is a state and the line of those who wait for it to change, which locks, channels and sources are made of. Cancellation will be one more token, given out in `begin` and kept in
//! the greenlet's header: nothing else here has to change for it.

mod arm;
pub(crate) mod graph;
mod queue;
mod wait;

pub(crate) use crate::greenlet::Reason;
pub use arm::{Arm, Outcome};
pub(crate) use queue::{Locked, Place, Turn, WaitQueue};
pub use wait::Wait;
pub(crate) use wait::{Ended, park, park_until, spend_budget, yield_now};
