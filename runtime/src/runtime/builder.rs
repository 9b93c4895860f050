//! `RuntimeBuilder`.
#![forbid(unsafe_code)]

use std::io;

use super::config::{Config, Homes};
use super::handle::Runtime;

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

    /// Bytes of stack of a greenlet that does not say otherwise, rounded up to a power of two from 16 KiB on (0 as well);
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
