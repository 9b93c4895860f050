//! The contenders, and the two shapes in which a workload is written once for several of them.
//!
//! [`Threads`] is for runtimes whose code blocks (sward, may, OS threads), [`Tasks`] for those whose code awaits
//! (tokio, smol). What a method does is what an expert of that runtime would write. Runtimes of other languages have
//! programs of their own: `crate::foreign`.

pub(crate) mod channel;
pub(crate) mod lock;
mod may;
mod os;
mod smol;
mod sward;
pub(crate) mod tokio;

use std::io::{self, Read, Write};
use std::time::Duration;

use crate::outcome::Outcome;
use crate::work::{Family, Job};
use channel::{Channel, Once, SharedChannel, SharedTaskChannel, TaskChannel, TaskOnce};
use lock::{Mutex, RwLock, TaskMutex, TaskRwLock};

/// A contender.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Runtime {
    Sward,
    Tokio,
    /// On tokio; for HTTP only.
    Hyper,
    Smol,
    May,
    Threads,
    Corosensei,
    Context,
    Go,
    Java,
    Gevent,
    Asyncio,
}

impl Runtime {
    pub(crate) const ALL: [Self; 12] = [
        Self::Sward,
        Self::Tokio,
        Self::Hyper,
        Self::Smol,
        Self::May,
        Self::Threads,
        Self::Corosensei,
        Self::Context,
        Self::Go,
        Self::Java,
        Self::Gevent,
        Self::Asyncio,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sward => "sward",
            Self::Tokio => "tokio",
            Self::Hyper => "hyper",
            Self::Smol => "smol",
            Self::May => "may",
            Self::Threads => "threads",
            Self::Corosensei => "corosensei",
            Self::Context => "context",
            Self::Go => "go",
            Self::Java => "java",
            Self::Gevent => "gevent",
            Self::Asyncio => "asyncio",
        }
    }

    /// Whether it is a program in another language: `crate::foreign` runs it.
    pub(crate) fn is_foreign(self) -> bool {
        matches!(self, Self::Go | Self::Java | Self::Gevent | Self::Asyncio)
    }

    pub(crate) fn by_name(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|runtime| runtime.name() == name);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("there is no runtime {name:?}; there are {names}")
        })
    }
}

/// Runs the workload `F` on `runtime`.
pub(crate) fn run<F: Family>(runtime: Runtime, job: Job) -> Result<Outcome, String> {
    Ok(match runtime {
        Runtime::Sward => threads::<F, sward::Sward>(job),
        Runtime::May => threads::<F, may::May>(job),
        Runtime::Threads => threads::<F, os::Os>(job),
        Runtime::Tokio => tasks::<F, tokio::Tokio>(job),
        Runtime::Smol => tasks::<F, smol::Smol>(job),
        other => return Err(format!("{} cannot run this workload", other.name())),
    })
}

fn threads<F: Family, R: Threads>(job: Job) -> Outcome {
    R::run(job.workers, move || F::threads::<R>(job))
}

fn tasks<F: Family, R: Tasks>(job: Job) -> Outcome {
    R::run(job.workers, F::tasks::<R>(job))
}

/// Connections that may wait to be accepted, for runtimes that ask for fewer: with `std`'s 128, ten thousand that come
/// together would wait for the kernel's retries, which is no matter of the runtime.
fn deepen_backlog(listener: impl rustix::fd::AsFd) -> io::Result<()> {
    /// tokio's and may's.
    const BACKLOG: i32 = 1024;
    Ok(rustix::net::listen(listener, BACKLOG)?)
}

/// A runtime whose code blocks as threads do.
pub(crate) trait Threads: 'static {
    type Join<T: Send + 'static>: Send;
    /// The right to unpark one greenlet.
    type Unparker: Clone + Send + Sync + 'static;
    type Mutex: Mutex;
    type RwLock: RwLock;
    /// The fastest from one greenlet to one.
    type One: Channel;
    /// From many to many.
    type Many: SharedChannel;
    type Once: Once;
    type Listener: Send;
    type Stream: Read + Write + Send + 'static;

    /// Starts the runtime and runs `f` as one of its greenlets.
    fn run<T: Send + 'static>(workers: usize, f: impl FnOnce() -> T + Send + 'static) -> T;
    fn spawn<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> Self::Join<T>;
    fn join<T: Send + 'static>(join: Self::Join<T>) -> T;
    fn yield_now();
    fn sleep(time: Duration);
    fn current() -> Self::Unparker;
    /// May return early.
    fn park();
    fn unpark(unparker: &Self::Unparker);
    /// Receives from one of two or eight channels: which, and what. All are open. May panic where there is no such thing.
    fn select(receivers: &mut [<Self::One as Channel>::Receiver]) -> (usize, u64);
    /// A listener on a free port of the loopback, and the port.
    fn listen() -> io::Result<(Self::Listener, u16)>;
    /// The next connection, with `TCP_NODELAY`.
    fn accept(listener: &Self::Listener) -> io::Result<Self::Stream>;
}

/// A runtime whose code awaits.
pub(crate) trait Tasks: 'static {
    type Join<T: Send + 'static>: Send;
    /// Wakes one waiter, once; a signal that comes early is kept.
    type Signal: Default + Send + Sync + 'static;
    type Mutex: TaskMutex;
    type RwLock: TaskRwLock;
    /// The fastest from one task to one.
    type One: TaskChannel;
    /// From many to many.
    type Many: SharedTaskChannel;
    type Once: TaskOnce;
    type Listener: Send + Sync;
    type Stream: Send + 'static;

    /// Starts the runtime and runs `future` as one of its tasks, on a worker.
    fn run<F: Future<Output: Send> + Send + 'static>(workers: usize, future: F) -> F::Output;
    fn spawn<F: Future<Output: Send> + Send + 'static>(future: F) -> Self::Join<F::Output>;
    fn join<T: Send + 'static>(join: Self::Join<T>) -> impl Future<Output = T> + Send;
    fn detach<T: Send + 'static>(join: Self::Join<T>);
    fn yield_now() -> impl Future<Output = ()> + Send;
    fn sleep(time: Duration) -> impl Future<Output = ()> + Send;
    fn raise(signal: &Self::Signal);
    fn wait(signal: &Self::Signal) -> impl Future<Output = ()> + Send;
    /// Receives from one of two or eight channels: which, and what. All are open.
    fn select(
        receivers: &mut [<Self::One as TaskChannel>::Receiver],
    ) -> impl Future<Output = (usize, u64)> + Send;
    /// A listener on a free port of the loopback, and the port.
    fn listen() -> impl Future<Output = io::Result<(Self::Listener, u16)>> + Send;
    /// The next connection, with `TCP_NODELAY`.
    fn accept(listener: &Self::Listener) -> impl Future<Output = io::Result<Self::Stream>> + Send;
    fn read(
        stream: &mut Self::Stream,
        buffer: &mut [u8],
    ) -> impl Future<Output = io::Result<usize>> + Send;
    fn write_all(
        stream: &mut Self::Stream,
        bytes: &[u8],
    ) -> impl Future<Output = io::Result<()>> + Send;
}
