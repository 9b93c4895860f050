//! `RuntimeBuilder`.
#![forbid(unsafe_code)]

use std::io;

use super::config::{Config, Homes};
use super::handle::Runtime;
use crate::scheduler::{HeldUp, Hook};

/// Makes a [`Runtime`] of its own, beside the default one: for tests, and to keep parts of a program apart.
///
/// The environment is not asked: what is not set here has its default. The one exception is the way stacks are switched
/// (`SWARD_CONTEXT`), which the process's first runtime decides for all.
///
/// # Examples
///
/// ```
/// let runtime = sward::Runtime::builder().workers(2).stack_size(128 * 1024).name("io").build()?;
/// assert_eq!(runtime.block_on(|| 6 * 7), 42);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Default, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct RuntimeBuilder(Config);

impl RuntimeBuilder {
    /// A builder with every setting at its default.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = sward::RuntimeBuilder::new().build()?;
    /// assert!(runtime.handle().metrics().workers >= 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// How many workers (OS threads that run greenlets) there are: 1 to 4,096. By default as many as processors are
    /// available to the process, cgroup quotas and affinity counted.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = sward::Runtime::builder().workers(3).build()?;
    /// assert_eq!(runtime.handle().metrics().workers, 3);
    /// assert!(sward::Runtime::builder().workers(0).build().is_err());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn workers(mut self, workers: usize) -> Self {
        self.0.workers = Some(workers);
        self
    }

    /// How many workers there may be at most, spares included: from the number of [`workers`](Self::workers) to 4,096. By default 256, or
    /// twice the workers if that is more.
    ///
    /// A greenlet that computes for long without waiting, or that blocks its thread in a call that is not sward's
    /// (`std::thread::sleep`, a contended `std::sync::Mutex`, a read from a pipe), holds up its worker. That is noticed after 10 to 15 ms; if
    /// others could run and no worker is free, a *spare* worker takes its place until it comes back, and a tenth of a second
    /// longer. The number of workers turns this off. What a spare cannot help: greenlets that share the home of the
    /// one that does not leave, by [`spawn_local`](crate::spawn_local) or above the limit of homes; with [fixed
    /// homes](Homes::Fixed) all greenlets that have started on its worker. Those that have not started, and those of other workers,
    /// go on.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let runtime = sward::Runtime::builder().workers(1).build()?;
    /// // Blocks the only worker's thread, which is not waiting as sward understands it.
    /// let stuck = runtime.spawn(|| std::thread::sleep(Duration::from_millis(200)));
    /// let other = runtime.spawn(|| sward::sleep(Duration::from_millis(1)));
    /// other.join().unwrap();
    /// assert!(!stuck.is_finished());
    /// assert_eq!(runtime.handle().metrics().spares, 1);
    /// # stuck.join().unwrap();
    ///
    /// assert!(sward::Runtime::builder().workers(4).max_workers(3).build().is_err());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn max_workers(mut self, most: usize) -> Self {
        self.0.max_workers = Some(most);
        self
    }

    /// Has `hook` told of each greenlet that holds up its worker (see [`max_workers`](Self::max_workers)): when that is noticed, after 10 to 15
    /// ms, and again when it has left its worker. By default nobody is told. The default runtime writes to standard error
    /// with `SWARD_HELD_UP=report`.
    ///
    /// The hook runs on a thread of its own, which the runtime has then; while it runs nobody else is told of, but spare workers are
    /// called all the same. A panic in it goes no further.
    ///
    /// With a hook, a worker's thread that is held up is sent the signal `SIGURG` (again, now and then, if it does not answer), which tells the greenlet and its stack. Calls that it blocks in go
    /// on, but for those that a handled signal always ends (`poll` and its like: `EINTR`). Linux only; elsewhere nobody is told.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let runtime = sward::Runtime::builder().on_held_up(|report| eprintln!("{report}")).build()?;
    /// runtime.block_on(|| std::thread::sleep(Duration::from_millis(50)));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn on_held_up(mut self, hook: impl Fn(&HeldUp) + Send + Sync + 'static) -> Self {
        self.0.held_up = Some(Hook::new(hook));
        self
    }

    /// Whether a deadlock is reported on standard error: by default in builds with debug assertions. The default runtime is told by
    /// `SWARD_DEADLOCKS=report` or `ignore`.
    ///
    /// The report comes about a second after all greenlets of the runtime have come to wait, if nothing is left that could wake one: no timer,
    /// no socket that one waits for, no other runtime, and no thread but those of the runtime and those that wait in sward without a
    /// deadline (in [`JoinHandle::join`](crate::JoinHandle::join) or [`block_on`](crate::Runtime::block_on)). It lists the greenlets with what
    /// each waits for. Where any other thread is, whatever it does, there is no report: it might be about to unpark somebody. Linux only.
    ///
    /// Those who wait for each other's [locks](crate::sync) or ends in a circle are reported at once, on every system and whatever other threads
    /// there are: with what each has and wants, and where it asked for it. For that it is noted who has which lock, in the whole process,
    /// from the first runtime on that is told to report deadlocks, and from the beginning in builds with debug assertions.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = sward::Runtime::builder().report_deadlocks(false).build()?;
    /// runtime.block_on(|| ());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn report_deadlocks(mut self, on: bool) -> Self {
        self.0.report_deadlocks = Some(on);
        self
    }

    /// Which homes greenlets have. By default `Moving` where the system allows it, with a limit of 64 a worker, 128 at
    /// least and 1,024 at most; `Fixed` elsewhere.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use sward::{Homes, Runtime};
    ///
    /// let builder = Runtime::builder().workers(2);
    /// let runtime = match builder.clone().homes(Homes::Moving { limit: 16 }).build() {
    ///     // Not on every system can homes move.
    ///     Err(error) if error.kind() == ErrorKind::Unsupported => builder.homes(Homes::Fixed).build()?,
    ///     built => built?,
    /// };
    /// assert!(runtime.handle().metrics().homes <= 16);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn homes(mut self, homes: Homes) -> Self {
        self.0.homes = Some(homes);
        self.0.homes_kind = None;
        self
    }

    /// Bytes of stack of a greenlet that does not say otherwise, rounded up to a power of two from 16 KiB on (0 as well; 32
    /// KiB in builds with debug assertions);
    /// above 1 GiB `build` gives an error. By default 256 KiB. It is address space: memory is used page by page as the stack
    /// is.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = sward::Runtime::builder().workers(1).stack_size(4 << 20).build()?;
    /// // More than the default has room for.
    /// let zeros = runtime.block_on(|| std::hint::black_box([0_u8; 1 << 20]).iter().filter(|byte| **byte == 0).count());
    /// assert_eq!(zeros, 1 << 20);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.0.stack_size = Some(bytes);
        self
    }

    /// A name for the runtime, which its threads' names begin with. By default `sward`.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = sward::Runtime::builder().workers(1).name("images").build()?;
    /// let thread = runtime.block_on(|| std::thread::current().name().map(str::to_owned));
    /// assert!(thread.unwrap().starts_with("images"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.0.name = Some(name.into());
        self
    }

    /// Whether it is measured how much of its stack each greenlet uses, for [`Handle::stack_usage`](crate::Handle::stack_usage) and
    /// [`Greenlet::stack_used`](crate::Greenlet::stack_used). By default not: a greenlet then costs two system calls more, and a page fault for each
    /// page of stack that it uses. The default runtime measures with `SWARD_MEASURE_STACKS=1`.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = sward::Runtime::builder().workers(1).measure_stacks(true).build()?;
    /// runtime.spawn(|| ()).join().unwrap();
    /// assert_eq!(runtime.handle().stack_usage()[0].greenlets, 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn measure_stacks(mut self, on: bool) -> Self {
        self.0.measure_stacks = Some(on);
        self
    }

    /// Guards stacks by `mprotect`, as on a kernel before Linux 6.13, whatever this one can do. For tests.
    #[doc(hidden)]
    pub fn mprotect_guards(mut self, on: bool) -> Self {
        self.0.mprotect_guards = on;
        self
    }

    /// Makes the runtime: starts its workers, and opens its poller.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if a setting is out of its range, or `SWARD_CONTEXT` is wrong: the
    /// text says which, and what is right. [`Unsupported`](io::ErrorKind::Unsupported) for moving homes where they cannot
    /// be. [`OutOfMemory`](io::ErrorKind::OutOfMemory) if the limits of the process leave no address space for another thread.
    /// Otherwise what the OS said when it refused a thread or a descriptor. Nothing is left behind.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use sward::Runtime;
    ///
    /// let runtime = Runtime::builder().workers(1).build()?;
    /// assert_eq!(runtime.block_on(|| 6 * 7), 42);
    ///
    /// let error = Runtime::builder().stack_size(usize::MAX).build().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::InvalidInput);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn build(self) -> io::Result<Runtime> {
        Runtime::start(self.0.settings()?)
    }
}
