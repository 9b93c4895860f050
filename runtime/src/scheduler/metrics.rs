//! `Metrics`.
#![forbid(unsafe_code)]

/// Counters of a runtime, as [`Handle::metrics`](crate::Handle::metrics) found them.
///
/// They are read one after the other while the runtime goes on; when it is quiet they are exact.
///
/// # Examples
///
/// ```
/// let runtime = sward::Runtime::builder().workers(2).build()?;
/// runtime.spawn(|| ()).join().unwrap();
/// let metrics = runtime.handle().metrics();
/// assert_eq!((metrics.workers, metrics.greenlets, metrics.stacks), (2, 0, 0));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Metrics {
    /// Workers, as many as the runtime was made with.
    pub workers: usize,
    /// Workers besides those, which stand in for some that do not come back from the greenlet they run: see
    /// [`max_workers`](crate::RuntimeBuilder::max_workers).
    pub spares: usize,
    /// Greenlets that have not ended, whether they have started or not.
    pub greenlets: usize,
    /// Those of them that have been suspended at least once: parked, or on their way back to a worker.
    pub suspended: usize,
    /// Stacks in use.
    pub stacks: usize,
    /// Stacks ever made: the most that were in use, or kept ready by a worker, at the same time.
    pub stacks_reserved: usize,
    /// Homes.
    pub homes: usize,
    /// How often a started greenlet was resumed by another worker than the one that ran it before.
    pub migrations: u64,
    /// Sockets and other descriptors registered with the poller.
    pub sources: usize,
    /// Timers armed.
    pub timers: usize,
}
