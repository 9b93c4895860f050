//! `Runtime`, `Handle`, `ShutdownError`.
#![forbid(unsafe_code)]

use std::panic::{Location, resume_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{error, fmt, io};

use super::builder::RuntimeBuilder;
use super::default;
use super::join::JoinHandle;
use super::spawn::{Builder, refused};
use crate::base::fork;
use crate::base::say::say;
use crate::greenlet::{Greenlet, is_severed, watch_forks};
use crate::scheduler::{Crew, Left, Metrics, Settings, Shared, StackUsage};

/// How long after its deadline `shutdown` waits for the workers to come back from the greenlets they run.
const GRACE: Duration = Duration::from_secs(1);

/// Workers, poller, timers and homes: what greenlets run on.
///
/// Most programs never make one: [`spawn`](crate::spawn) starts the default runtime at its first use, which lives as long
/// as the process. One made by [`Runtime::builder`] is independent of it; several may live at once, and their greenlets
/// can join and unpark each other.
///
/// Dropping a runtime shuts it down without waiting for its greenlets: each worker returns after the greenlet it runs has
/// suspended or ended, and what is left is given up as [`shutdown`](Self::shutdown) describes, with a line on standard
/// error that says how many that were, and names the first of those whose destructors will not run:
///
/// ```text
/// sward: runtime 'images' was dropped: greenlets that had not ended: 2; suspended among them, whose destructors will not run: 1: 'kitchen' (id 3, spawned at src/main.rs:5:5)
/// ```
///
/// Dropped inside one of its own greenlets, it ends in the background, after that greenlet has suspended or ended. In a child made
/// by `fork` nothing happens: its threads are the parent's.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let runtime = sward::Runtime::builder().workers(2).build()?;
/// let handle = runtime.spawn(|| "done");
/// assert_eq!(handle.join().unwrap(), "done");
/// runtime.shutdown(Duration::from_secs(1))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Runtime {
    handle: Handle,
    crew: Option<Crew>,
}

/// A runtime that others may spawn into: cheap to clone, and it does not keep the runtime running.
///
/// # Examples
///
/// ```
/// let handle = sward::spawn(|| sward::Handle::current()).join().unwrap();
/// assert!(handle.metrics().workers >= 1);
/// ```
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

impl Runtime {
    /// A builder for a runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = sward::Runtime::builder().workers(1).build()?;
    /// assert_eq!(runtime.handle().metrics().workers, 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn builder() -> RuntimeBuilder {
        RuntimeBuilder::new()
    }

    pub(super) fn start(settings: Settings) -> io::Result<Self> {
        watch_forks()?;
        let crew = Crew::start(settings)?;
        Ok(Self {
            handle: Handle::new(crew.shared().clone()),
            crew: Some(crew),
        })
    }

    /// A handle to this runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = sward::Runtime::builder().workers(1).build()?;
    /// let handle = runtime.handle();
    /// let thread = std::thread::spawn(move || handle.spawn(|| 7).join().unwrap());
    /// assert_eq!(thread.join().unwrap(), 7);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Spawns a greenlet on this runtime: see [`crate::spawn`].
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = sward::Runtime::builder().workers(1).build()?;
    /// // What it spawns runs there too.
    /// let handle = runtime.spawn(|| sward::spawn(|| sward::Handle::current().metrics().workers).join());
    /// assert_eq!(handle.join().unwrap().unwrap(), 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn spawn<F, T>(&self, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.handle.spawn(f)
    }

    /// Runs `f` as a greenlet of this runtime and waits for its value.
    ///
    /// The caller may be a plain thread, which blocks, or a greenlet of any runtime, which parks.
    ///
    /// # Panics
    ///
    /// If `f` panics, with its payload. If there was no stack for the greenlet.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::panic::{AssertUnwindSafe, catch_unwind};
    ///
    /// let runtime = sward::Runtime::builder().workers(1).build()?;
    /// assert_eq!(runtime.block_on(|| sward::spawn(|| 6).join().unwrap() * 7), 42);
    ///
    /// // A panic goes on in the caller.
    /// let panic = catch_unwind(AssertUnwindSafe(|| runtime.block_on(|| panic!("out of cheese"))));
    /// assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"out of cheese"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn block_on<F, T>(&self, f: F) -> T
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.handle.block_on(f)
    }

    /// Shuts the runtime down: accepts no more greenlets, waits up to `limit` for those there are, ends the workers and
    /// the homes (whose thread-local destructors run), and closes the poller.
    ///
    /// Greenlets that have not ended by then are given up. Of those that never ran the closures are dropped; those that are
    /// suspended stay as they are: their destructors do **not** run, their stacks are not used again, and the threads of their
    /// homes stay, asleep, since their frames may have lent out references to thread-locals. Joining either gives an error
    /// with [`is_cancelled`](crate::JoinError::is_cancelled). Waits for sockets of this runtime that other
    /// runtimes or threads are in end with an error.
    ///
    /// A greenlet that neither suspends nor ends cannot be stopped: `shutdown` returns about a second after `limit` all
    /// the same, and the end goes on in the background once that greenlet comes back.
    ///
    /// # Errors
    ///
    /// If greenlets were left: the error says how many, and names the first of those that were suspended.
    ///
    /// # Panics
    ///
    /// If called by a greenlet of this runtime, which can never see the end; in a child made by `fork`, where its threads are not.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let runtime = sward::Runtime::builder().workers(1).build()?;
    /// let handle = runtime.spawn(|| sward::sleep(Duration::from_millis(5)));
    /// // It waits for what it has, a minute at most.
    /// runtime.shutdown(Duration::from_secs(60)).unwrap();
    /// assert!(handle.is_finished());
    ///
    /// let runtime = sward::Runtime::builder().workers(1).build()?;
    /// let parked = runtime.spawn(sward::park);
    /// let error = runtime.shutdown(Duration::from_millis(5)).unwrap_err();
    /// assert_eq!(error.remaining(), 1);
    /// assert!(parked.join().unwrap_err().is_cancelled());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn shutdown(mut self, limit: Duration) -> Result<(), ShutdownError> {
        self.handle.assert_here();
        assert!(
            !self.is_inside(),
            "a runtime cannot be shut down by one of its own greenlets"
        );
        match self.end(limit, false) {
            Left { count: 0, .. } => Ok(()),
            left => Err(ShutdownError { left }),
        }
    }

    pub(super) fn handle_ref(&self) -> &Handle {
        &self.handle
    }

    /// Whether the caller is a greenlet of this runtime.
    fn is_inside(&self) -> bool {
        default::try_current_shared()
            .is_some_and(|shared| Arc::ptr_eq(&shared, &self.handle.shared))
    }

    /// Ends the runtime; returns which greenlets were left.
    fn end(&mut self, limit: Duration, dropped: bool) -> Left {
        let Some(crew) = self.crew.take() else {
            return Left::default();
        };
        let now = Instant::now();
        let deadline = now.checked_add(limit).unwrap_or(now + FAR);
        let ending = crew.end(deadline, dropped);
        let left = ending.wait(deadline.checked_add(GRACE).unwrap_or(deadline));
        left.unwrap_or_else(|| {
            let left = Left::so_far(&self.handle.shared);
            if dropped {
                let name = &self.handle.shared.settings().name;
                say(format_args!(
                    "runtime '{name}' was dropped while a greenlet of it runs that neither suspends nor ends, and ends after \
                     that: {left}"
                ));
            }
            left
        })
    }
}

/// A time that no program waits for, for durations that overflow an `Instant`: 30 years.
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

impl Drop for Runtime {
    fn drop(&mut self) {
        if self.handle.shared.is_left_behind() {
            // Its threads are those of the process that this one was forked from.
            std::mem::forget(self.crew.take());
            return;
        }
        if self.is_inside() || is_severed() {
            if let Some(crew) = self.crew.take() {
                // Not waited for: it ends after the caller has. Or the caller is what was a greenlet when the process was
                // forked, and must not wait for anything.
                drop(crew.end(Instant::now(), true));
            }
            return;
        }
        // What was left has been said.
        let _ = self.end(Duration::ZERO, true);
    }
}

impl Handle {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Panics if the runtime was made before the fork that made this process.
    #[track_caller]
    fn assert_here(&self) {
        if self.shared.is_left_behind() {
            fork::panic_left_behind();
        }
    }

    /// The runtime that the caller runs on; on a plain thread the default one, which is started if need be.
    ///
    /// # Panics
    ///
    /// If the default runtime cannot be started: the message says why.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = sward::Runtime::builder().workers(3).build()?;
    /// let here = runtime.block_on(|| sward::Handle::current());
    /// assert_eq!(here.metrics().workers, 3);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn current() -> Self {
        match default::current_shared() {
            Ok(shared) => Self { shared },
            Err(error) => panic!("{error}"),
        }
    }

    /// The runtime that the caller runs on; `None` on a plain thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::Handle;
    ///
    /// assert!(Handle::try_current().is_none());
    /// assert!(sward::spawn(|| Handle::try_current().is_some()).join().unwrap());
    /// ```
    #[must_use]
    pub fn try_current() -> Option<Self> {
        default::try_current_shared().map(|shared| Self { shared })
    }

    /// Spawns a greenlet on this runtime: see [`crate::spawn`].
    ///
    /// # Panics
    ///
    /// If the runtime has been shut down.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = sward::Runtime::builder().workers(1).build()?;
    /// let there = runtime.handle();
    /// // From a greenlet of another runtime.
    /// let handle = sward::spawn(move || there.spawn(|| 7).join().unwrap());
    /// assert_eq!(handle.join().unwrap(), 7);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn spawn<F, T>(&self, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let site = Location::caller();
        Builder::new()
            .spawn_at(self.shared(), f, site)
            .unwrap_or_else(|error| refused(&error))
    }

    /// Runs `f` as a greenlet of this runtime and waits for its value: see [`Runtime::block_on`].
    ///
    /// # Panics
    ///
    /// As [`Runtime::block_on`], and if the runtime has been shut down, before or while `f` runs.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = sward::Runtime::builder().workers(1).build()?;
    /// let there = runtime.handle();
    /// assert_eq!(there.block_on(|| 6 * 7), 42);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn block_on<F, T>(&self, f: F) -> T
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        match self.spawn(f).join() {
            Ok(value) => value,
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            Err(error) => panic!("{error}"),
        }
    }

    /// Counters of this runtime.
    ///
    /// # Panics
    ///
    /// In a child made by `fork` after the runtime was: see the crate's documentation, "Processes".
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = sward::Runtime::builder().workers(2).build()?;
    /// let parked = runtime.spawn(sward::park);
    /// let metrics = runtime.handle().metrics();
    /// assert_eq!((metrics.workers, metrics.greenlets), (2, 1));
    /// parked.greenlet().unpark();
    /// parked.join().unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.assert_here();
        self.shared.metrics()
    }

    /// How much of their stacks this runtime's greenlets have used, a line for each place where some were spawned, the most
    /// used first: what tells which [`stack_size`](crate::Builder::stack_size) will do. Those that have ended count, and those that have waited at
    /// least once. Empty unless the runtime [measures](crate::RuntimeBuilder::measure_stacks).
    ///
    /// What was used is not what can be used: leave room for the rare deep call, a panic (some 10 KB) and other builds of
    /// the program (unoptimised code takes several times as much).
    ///
    /// # Panics
    ///
    /// In a process that was forked from the one with the runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = sward::Runtime::builder().workers(1).measure_stacks(true).build()?;
    /// runtime.spawn(|| drop(std::hint::black_box([1_u8; 50_000]))).join().unwrap();
    /// for line in runtime.handle().stack_usage() {
    ///     println!("{}: {} greenlets, {} of {} bytes", line.site, line.greenlets, line.most_used, line.stack_size);
    ///     assert!(line.most_used > 50_000);
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn stack_usage(&self) -> Vec<StackUsage> {
        self.assert_here();
        self.shared.stack_usage()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = self.shared.settings();
        f.debug_struct("Handle")
            .field("name", &settings.name)
            .field("workers", &settings.workers)
            .finish_non_exhaustive()
    }
}

/// Greenlets were left when a runtime was shut down.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let runtime = sward::Runtime::builder().workers(1).build()?;
/// let parked = runtime.spawn(sward::park);
/// let error = runtime.shutdown(Duration::from_millis(20)).unwrap_err();
/// assert_eq!(error.remaining(), 1);
/// assert!(parked.join().unwrap_err().is_cancelled());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ShutdownError {
    left: Left,
}

impl ShutdownError {
    /// How many greenlets had not ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let runtime = sward::Runtime::builder().workers(1).build()?;
    /// let parked = [runtime.spawn(sward::park), runtime.spawn(sward::park)];
    /// let error = runtime.shutdown(Duration::ZERO).unwrap_err();
    /// assert_eq!(error.remaining(), parked.len());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.left.count
    }

    /// Those of them that were suspended, or the first four: their destructors have not run and never will.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let runtime = sward::Runtime::builder().workers(1).build()?;
    /// let parked = sward::Builder::new().name("kitchen").spawn_on(&runtime.handle(), sward::park)?;
    /// while runtime.handle().metrics().suspended == 0 {
    ///     std::thread::yield_now();
    /// }
    /// let error = runtime.shutdown(Duration::ZERO).unwrap_err();
    /// assert_eq!(error.given_up()[0].name(), Some("kitchen"));
    /// assert_eq!(error.given_up()[0].id(), parked.greenlet().id());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn given_up(&self) -> &[Greenlet] {
        &self.left.some
    }
}

impl fmt::Display for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the runtime was shut down: {}", self.left)
    }
}

impl error::Error for ShutdownError {}
