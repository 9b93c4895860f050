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
//! `queue` is the list of tokens a source keeps. Cancellation will be one more token, given out in `begin` and kept in
//! the greenlet's header: nothing else here has to change for it.
#![forbid(unsafe_code)]

mod queue;
mod wait;

pub(crate) use crate::greenlet::Reason;
pub(crate) use queue::WaitQueue;
pub(crate) use wait::{Ended, Wait, park, park_until, spend_budget, yield_now};
