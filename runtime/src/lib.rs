//! sward: green threads for Rust.
//!
//! A *greenlet* is a thread that costs kilobytes instead of megabytes. sward runs a million of them on a handful of
//! worker threads, and the code inside is ordinary blocking Rust: no `async`, no `.await`.
//!
//! ```
//! use std::io::{Read, Write};
//! use sward::net::{TcpListener, TcpStream};
//!
//! # fn main() -> std::io::Result<()> {
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//! sward::go!({
//!     for stream in listener.incoming() {
//!         let mut stream = stream.unwrap();
//!         sward::go!({
//!             let mut buffer = [0; 1024];
//!             while let Ok(n @ 1..) = stream.read(&mut buffer) {
//!                 stream.write_all(&buffer[..n]).unwrap();
//!             }
//!         });
//!     }
//! });
//! let mut client = TcpStream::connect(address)?;
//! client.write_all(b"hello")?;
//! let mut answer = [0; 5];
//! client.read_exact(&mut answer)?;
//! assert_eq!(&answer, b"hello");
//! # Ok(()) }
//! ```
//!
//! # What it is like
//!
//! A greenlet behaves as a thread. [`spawn`], [`JoinHandle`], [`park`], [`sleep`] and [`net`] have the names and the
//! behaviour of their counterparts in [`std`]; each item says where it differs. Everything that blocks here parks the
//! greenlet, not its worker; called on a plain thread it blocks that thread.
//!
//! # What greenlets share
//!
//! [`sync`] has the locks of [`std::sync`] and what else greenlets agree on, [`channel`] has channels, [`select!`] waits for one of
//! several things. They work between greenlets, between threads, and between the two.
//!
//! # Homes
//!
//! A greenlet keeps one thread identity all its life, its *home*: its thread-locals, its
//! [`std::thread::current()`], its `errno`, its panic count. With [moving homes](Homes::Moving) that identity moves between
//! workers together with the greenlet, so greenlets that have started are balanced over the workers like fresh ones, and
//! code that holds a reference to a thread-local, in whatever crate, stays right. With [fixed homes](Homes::Fixed) the
//! home is the worker's own thread, and a started greenlet stays there.
//!
//! Several greenlets *share* a home where homes are fixed, where they were spawned by [`spawn_local`], and when more are
//! started than the limit of homes. They never run at the same time, and see each other's thread-locals, as code that runs
//! one after the other on one thread does. But that code nests, and greenlets take turns wherever they wait. **So a greenlet
//! that shares its home must not wait in the middle of something that relies on nesting:** the initializer of a
//! thread-local, or a scope that another crate keeps in a thread-local (such as `scoped_tls`, an autorelease pool, a guard
//! of an interpreter's lock). Rust cannot check this, and breaking it can break the memory safety of that code; a greenlet
//! that has its home alone may do it freely, as all do with moving homes in a program that spawns no local ones and never
//! has more of them started than [the limit](Homes::Moving) (above it, also one that came before may get company). Nor
//! should it wait while it holds a `std` lock that another greenlet of its home asks for: neither would ever go on.
//!
//! Change the process's user or group (`setuid` and its family) before the first greenlet starts, or on a plain thread: a
//! call made in a greenlet leaves the sleeping thread of that greenlet's home with the old ids.
//!
//! What belongs to the worker and not to the greenlet: the kernel's thread id (`gettid`), the signal mask, affinity and
//! priority. Mutexes of the C library with priority inheritance or robustness must not be held across a suspension.
//! `pthread_getattr_np` tells the stack of the home, not the greenlet's. The floating-point control words (rounding mode,
//! exception masks) are not part of a switch: foreign code that changes them must restore them before the greenlet waits.
//!
//! # Processes
//!
//! [`std::process::Command`] works in greenlets, however many run one at the same time; to wait for a process it blocks the
//! worker's thread.
//!
//! A raw `fork` without `exec` copies the thread that calls it, and no other: in the child there are no workers, and no
//! greenlet runs. What was one and called `fork` goes on as the only thread of the child, without a runtime. **Whatever
//! would use there a runtime from before the fork panics**, with a message that says `sward: this process was forked`:
//! to spawn, block on, join a greenlet that has not ended, wait for a socket, shut down, ask for metrics; in what was a greenlet
//! also to park, yield and sleep (on a plain thread these need no runtime). What gives an error, such as
//! [`Builder::spawn`], gives one that says so. Dropping a runtime, a handle or a socket there, and
//! [`unpark`](Greenlet::unpark), do nothing to the parent and wait for nobody; the operations of a socket that need not wait work. So
//! does a new [`Runtime`], used by a plain thread of the child, and the default one if the parent had not begun to start it. When the
//! closure of what was a greenlet returns, the child ends by `_exit` with status 0; with 101 if it panics; in the body of
//! [`main`] with what it returns.
//!
//! What holds for any forked process with threads holds there too: until it calls `exec`, POSIX allows it little, for a lock that
//! another thread had at the moment of the fork is never released (glibc makes its heap an exception). Rust's own library
//! has such locks: one of standard error, so that even the message of a panic may wait for ever if another thread was writing; one that
//! each thread takes when it starts and when it ends, so that in a child forked at such a moment no other thread, and no runtime, can be
//! started. A process made by `clone` or
//! glibc's `_Fork`, which run no handlers, is not noticed.
//!
//! # Sanitizers
//!
//! A program that is built with AddressSanitizer or ThreadSanitizer (`-Zsanitizer`, nightly rustc) needs sward's feature `asan`
//! or `tsan`: then the sanitizer is told of each change of stacks, and its reports are right in greenlets as on threads. The
//! features are for such builds alone; others do not link with them.
//!
//! ```sh
//! RUSTFLAGS=-Zsanitizer=address cargo +nightly run --target x86_64-unknown-linux-gnu --features sward/asan
//! RUSTFLAGS=-Zsanitizer=thread cargo +nightly run --target x86_64-unknown-linux-gnu --features sward/tsan -Zbuild-std
//! ```
//!
//! ThreadSanitizer needs an instrumented standard library (`-Zbuild-std`, the component `rust-src`), or it reports races that
//! are none. Suppress `race:crossbeam_deque*push` and `race:crossbeam_deque*steal`, which are races by design. It allows for
//! some 8,000 started greenlets at a time, and finds a race of two if they run on two workers. LeakSanitizer does not see what
//! only the stacks of suspended greenlets refer to: end them, or set `ASAN_OPTIONS=detect_leaks=0`.
//!
//! With either, frames are larger, and rustc leaves out the probes by which large ones would meet the guard below the stack:
//! give greenlets that need it [more](Builder::stack_size). And with either the `setuid` family of calls must not be used beside
//! moving homes.
//!
//! # The default runtime
//!
//! The first `spawn` (or [`main`]) starts it. The environment can set: `SWARD_WORKERS` (1 to 4,096; by default the
//! processors available), `SWARD_MAX_WORKERS` (see [`RuntimeBuilder::max_workers`]), `SWARD_HELD_UP` (`report`: see
//! [`RuntimeBuilder::on_held_up`]), `SWARD_DEADLOCKS` (`report` or `ignore`: see [`RuntimeBuilder::report_deadlocks`]), `SWARD_HOMES` (`moving` or `fixed`), `SWARD_STACK_SIZE` (bytes, 1 GiB at most, rounded up to
//! a power of two from 16 KiB on, 32 KiB in builds with debug assertions; by default 256 KiB), `SWARD_MEASURE_STACKS` (`1`: see [`Handle::stack_usage`]) and `SWARD_CONTEXT` (how stacks are switched: `asm`, the default on
//! x86_64 and aarch64, or `boost`, which is the crate `context`). A wrong value is an error that says which values are right.
//! Attributes of [`main`] come first. [`Runtime::builder`] makes others, of which the environment touches only the way
//! stacks are switched: the whole process has one, and the first runtime decides.

mod base;
pub mod channel;
mod context;
mod greenlet;
mod home;
pub mod io;
mod local;
pub mod net;
mod park;
mod reactor;
mod runtime;
mod scheduler;
mod select;
mod stack;
pub mod sync;
mod thread;
pub mod time;
mod timer;

pub use greenlet::Greenlet;
pub use local::{AccessError, LocalKey, ScopedValue};
pub use runtime::{
    Builder, Handle, Homes, JoinError, JoinHandle, Runtime, RuntimeBuilder, ShutdownError, spawn,
    spawn_local,
};
pub use scheduler::{HeldUp, Metrics, StackUsage};
pub use select::Select;
pub use sward_macros::{go, main, select, test};
pub use thread::{current, park, park_timeout, try_current, yield_now};
pub use time::{sleep, sleep_until};

/// The examples of the README, which are tested with those here.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// What the macros expand to. Not for users: it may change at any time.
#[doc(hidden)]
pub mod __private {
    pub use crate::park::{Arm, Outcome, Wait};
    pub use crate::runtime::entry::{Config, main, spawned, test, test_unit};
    pub use crate::select::{AnyArm, Limit, arm, select, take};
}

/// What the tests of faults plan. Not for users: it may change at any time.
#[cfg(sward_faults)]
#[doc(hidden)]
pub mod __faults {
    pub use crate::base::fault::{
        Door, clear, fail, fail_at_random, failed, passed, seed, shorten_at_random,
    };
    pub use rustix::io::Errno;
}

/// What the benchmarks measure apart. Not for users: it may change at any time.
#[doc(hidden)]
pub mod __bench {
    pub use crate::runtime::entry::switch_round_trips;
}
