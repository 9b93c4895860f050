//! Floor 4: the greenlet itself: its control block, its two words, the rights to it, and the switch.
//!
//! - `header`: the control block and the counted reference to it;
//! - `cell`: the block with its closure and its result, typed, and the handle's side of it;
//! - `memory`: where cells lie;
//! - `wait_word`, `state`, `stack_mark`, `waits_for`: the atomic words, one file each;
//! - `locals`: the values of which each greenlet has its own;
//! - `inherited`: what is bound for the run of a closure, and passed on to who is spawned there;
//! - `token`: the right to end one wait of a greenlet or of a plain thread;
//! - `switch`: the one door to suspend and the one to run;
//! - `entry`: the first frame on a stack;
//! - `overflow`, `sys_fault`: the report of a stack that was too small;
//! - `sys_inquiry`: which greenlet a thread runs, asked from elsewhere;
//! - `unwinding`: keeps std's panic count with the greenlet it belongs to;
//! - `sys_fork`, `renewed`: what a forked child is told, and has anew;
//! - `handle`: the public `Greenlet`.
//!
//! Rights are values: a [`Runnable`](header::Runnable) is the only right to run a greenlet; it exists once, and only
//! while the greenlet is ready. A running greenlet has none, and a parked one's lies in its wait word.

mod cell;
mod entry;
mod handle;
mod header;
mod inherited;
mod locals;
mod memory;
mod overflow;
mod renewed;
mod stack_mark;
mod state;
pub(crate) mod switch;
mod sys_fault;
mod sys_fork;
#[cfg_attr(target_os = "linux", path = "sys_inquiry_linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "sys_inquiry_other.rs")]
mod sys_inquiry;
mod token;
mod unwinding;
mod wait_word;
mod waits_for;

pub(crate) use cell::{Failure, RawHandle, SendUnrun, Unrun, create};
pub use handle::Greenlet;
pub(crate) use handle::{Myself, UNPARKED, is_greenlet};
pub(crate) use header::{
    GreenletRef, Header, NOWHERE, NeverRan, Origin, Place, Runnable, Schedule, TimerKey,
};
pub(crate) use inherited::{Key, bind, with_bound};
pub(crate) use locals::{Gone, Local};
pub(crate) use overflow::OverflowWatch;
pub(crate) use renewed::Renewed;
pub(crate) use sys_fork::{assert_not_severed, is_severed, leave_process, watch_forks};
pub(crate) use sys_inquiry::ask;
pub(crate) use token::{Claimed, Owner, ThreadOwner, Token};
pub(crate) use wait_word::{Begin, Epoch, Publish, WaitWord};
pub(crate) use waits_for::Reason;
