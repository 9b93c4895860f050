//! Faults, injected at the doors to the system.
//!
//! What the system refuses now and then (a mapping, a thread, a descriptor) it does not refuse in tests. So each call that it
//! may refuse asks here first. In a build with `--cfg sward_faults` the answer is what the tests have planned
//! (`injected`); in every other there is nothing here (`none`), and no call is left of the question.
//!
//! A fault stands for what a kernel really does, or the tests would prove nothing. A call that fails has done nothing, so
//! `at` is asked before it; `connect` is the one that goes on after an `EINTR`, so its answer is exchanged afterwards
//! (`instead`). "Would block" is pretended in the loop that waits, which then has the poller report anew, as the kernel
//! would when the reason has gone. A short read or write is one that asked for less (`shorten`): when the kernel moves less
//! than it was asked to, that means something to the reactor.
//!
//! Never to be asked by a home's thread once it lends its identity: the lock behind an answer may write errno.
#![forbid(unsafe_code)]
#![allow(
    unreachable_pub,
    reason = "exported for the tests where faults are injected"
)]

#[cfg_attr(sward_faults, path = "fault/injected.rs")]
#[cfg_attr(not(sward_faults), path = "fault/none.rs")]
mod chosen;

pub use chosen::*;

/// What the system is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(dead_code, reason = "not every system has every door")]
pub enum Door {
    /// Address space for stacks: `mmap`.
    Map,
    /// To take it back: `munmap`.
    Unmap,
    /// A guard that is a mapping: `mprotect`.
    Protect,
    /// A guard that is a mark: `madvise`.
    Guard,
    /// Several of those in one call: `process_madvise`.
    Guards,
    /// To take the memory under stacks back: `madvise`.
    Discard,
    /// Not to have huge pages: `madvise`.
    Advise,
    /// Memory for cells.
    Cells,
    /// A thread.
    Thread,
    /// That the kernel leaves a home's rseq area alone.
    Rseq,
    /// The poller: `epoll_create`, and what `polling` adds.
    Poller,
    /// The event counter that wakes it: `eventfd`.
    Bell,
    /// To ring it: `write`.
    Ring,
    /// To have a descriptor watched: `epoll_ctl`.
    Watch,
    /// The end of that: `epoll_ctl`.
    Unwatch,
    /// Events, with a deadline in milliseconds or none: `epoll_wait`.
    Wait,
    /// Events, with a deadline in nanoseconds: `epoll_pwait2`.
    PreciseWait,
    /// One attempt of an operation that may have to wait.
    Attempt,
    /// A socket.
    Socket,
    /// `setsockopt`.
    Options,
    /// `bind`.
    Bind,
    /// `listen`.
    Listen,
    /// `accept`.
    Accept,
    /// `connect`.
    Connect,
    /// What has come of that: `getsockopt`, `getpeername`.
    Outcome,
    /// `recv` and its kin.
    Receive,
    /// `send` and its kin.
    Send,
    /// Another descriptor of the same socket: `fcntl`.
    Duplicate,
}
