//! `spawn`, `spawn_local` and `Builder`.

use std::io;
use std::panic::Location;
use std::sync::Arc;

use super::default::current_shared;
use super::handle::Handle;
use super::join::JoinHandle;
use crate::base::fork;
use crate::greenlet::{Myself, is_severed};
use crate::home::Home;
use crate::scheduler::Shared;
use crate::stack::Class;

/// Runs `f` in a new greenlet, concurrently with the caller. The counterpart of [`std::thread::spawn`].
///
/// In a greenlet the new one belongs to the same runtime; on a plain thread, to the default runtime, which is started at
/// its first use. The new greenlet runs when a worker is free, and may be moved between workers at any suspension; it
/// keeps one thread identity all its life.
///
/// The caller goes on at once: `spawn` never waits, and takes no stack for the greenlet before it runs. Of several that a
/// greenlet spawns, a worker takes the newest first, and workers that help the oldest: no order is promised.
///
/// # Panics
///
/// If the default runtime cannot be started, or the caller's runtime is being shut down: use [`Builder::spawn`] for an
/// error instead.
///
/// # Examples
///
/// ```
/// let handles: Vec<_> = (0..10_u64).map(|i| sward::spawn(move || i * i)).collect();
/// let sum: u64 = handles.into_iter().map(|handle| handle.join().unwrap()).sum();
/// assert_eq!(sum, 285);
/// ```
#[track_caller]
pub fn spawn<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let site = Location::caller();
    let spawned = Builder::new().spawn_here(f, site);
    spawned.unwrap_or_else(|error| refused(&error))
}

/// Runs `f` in a new greenlet that has the caller's home: it runs under the same thread identity, and never at the same
/// time as the caller or any other greenlet of that home. So `f` and its value need not be `Send`.
///
/// Caller and child take turns: each runs until it parks, yields or ends. That is the single-threaded model of gevent and
/// asyncio, checked by the compiler: `Rc`, `Cell` and `RefCell` may be shared. A `RefCell` borrow that is held while the
/// borrower parks is seen by the others. What greenlets that share a home must not do is in the crate's documentation,
/// "Homes".
///
/// # Panics
///
/// If called outside a greenlet, which has no home to share; if the caller's runtime is being shut down.
///
/// # Examples
///
/// ```
/// use std::{cell::Cell, rc::Rc};
///
/// let total = sward::spawn(|| {
///     let total = Rc::new(Cell::new(0));
///     let children: Vec<_> = (1..=3)
///         .map(|i| {
///             let total = total.clone();
///             sward::spawn_local(move || total.set(total.get() + i))
///         })
///         .collect();
///     for child in children {
///         child.join().unwrap();
///     }
///     total.get()
/// });
/// assert_eq!(total.join().unwrap(), 6);
/// ```
#[track_caller]
pub fn spawn_local<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + 'static,
    T: 'static,
{
    let site = Location::caller();
    Builder::new()
        .spawn_local_at(f, site)
        .unwrap_or_else(|error| refused(&error))
}

/// The panic of those that give no error.
#[track_caller]
pub(super) fn refused(error: &io::Error) -> ! {
    panic!("failed to spawn a greenlet: {error}")
}

/// Spawns a greenlet with a name or a stack size of its own. The counterpart of [`std::thread::Builder`].
///
/// # Examples
///
/// ```
/// let handle = sward::Builder::new()
///     .name("parser")
///     .stack_size(1024 * 1024)
///     .spawn(|| sward::current().name().map(str::to_owned))?;
/// assert_eq!(handle.join().unwrap().as_deref(), Some("parser"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Default, Debug)]
#[must_use = "a builder does nothing until it spawns"]
pub struct Builder {
    name: Option<Box<str>>,
    stack_size: Option<usize>,
}

impl Builder {
    /// A builder with no name, and the runtime's stack size.
    ///
    /// # Examples
    ///
    /// ```
    /// let handle = sward::Builder::new().spawn(|| 7)?;
    /// assert_eq!(handle.greenlet().name(), None);
    /// assert_eq!(handle.join().unwrap(), 7);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the greenlet: for messages about it, and for [`Greenlet::name`](crate::Greenlet::name).
    ///
    /// # Examples
    ///
    /// ```
    /// let handle = sward::Builder::new().name("parser").spawn(|| ())?;
    /// assert_eq!(handle.greenlet().name(), Some("parser"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into().into_boxed_str());
        self
    }

    /// Bytes of stack, rounded up to a power of two from 16 KiB on (32 KiB in builds with debug assertions). Above 1 GiB spawning gives an error.
    ///
    /// # Examples
    ///
    /// ```
    /// fn depth(left: usize) -> usize {
    ///     if left == 0 { 0 } else { 1 + depth(left - 1) }
    /// }
    ///
    /// let handle = sward::Builder::new().stack_size(64 << 20).spawn(|| depth(100_000))?;
    /// assert_eq!(handle.join().unwrap(), 100_000);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// Spawns a greenlet: see [`spawn`].
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if the stack size is above the largest. If the default runtime cannot
    /// be started, or the caller's is being shut down, an error that says so; `f` is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use sward::Builder;
    ///
    /// assert_eq!(Builder::new().spawn(|| 7)?.join().unwrap(), 7);
    /// let error = Builder::new().stack_size(usize::MAX).spawn(|| ()).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::InvalidInput);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn spawn<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let site = Location::caller();
        self.spawn_here(f, site)
    }

    /// Spawns a greenlet on the runtime behind `handle`.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = sward::Runtime::builder().workers(1).build()?;
    /// let handle = sward::Builder::new().name("there").spawn_on(&runtime.handle(), || 7)?;
    /// assert_eq!(handle.join().unwrap(), 7);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn spawn_on<F, T>(self, handle: &Handle, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let site = Location::caller();
        self.spawn_at(handle.shared(), f, site)
    }

    /// Spawns a greenlet that shares the caller's home: see [`spawn_local`].
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn), and if called outside a greenlet.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(sward::Builder::new().spawn_local(|| ()).is_err());
    /// let spawned = sward::spawn(|| sward::Builder::new().name("child").spawn_local(|| 7).unwrap().join().unwrap());
    /// assert_eq!(spawned.join().unwrap(), 7);
    /// ```
    #[track_caller]
    pub fn spawn_local<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + 'static,
        T: 'static,
    {
        let site = Location::caller();
        self.spawn_local_at(f, site)
    }

    /// In the caller's runtime, or the default one.
    fn spawn_here<F, T>(self, f: F, site: &'static Location<'static>) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let mut spawn = Some((self, f));
        let spawned = Shared::with_current(|shared| {
            let (builder, f) = spawn.take().expect("called once");
            builder.spawn_at(shared, f, site)
        });
        match (spawned, spawn) {
            (None, Some((builder, f))) => builder.spawn_at(&*current_shared()?, f, site),
            (spawned, _) => spawned.expect("one of the two"),
        }
    }

    pub(super) fn spawn_at<F, T>(
        self,
        shared: &Shared,
        f: F,
        site: &'static Location<'static>,
    ) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let class = self.class(shared)?;
        // SAFETY: both `F` and `T` are `Send`.
        let spawned = unsafe { shared.spawn(f, self.name, class, None, site) };
        spawned.map(JoinHandle::new).map_err(|_| closed(shared))
    }

    fn spawn_local_at<F, T>(
        self,
        f: F,
        site: &'static Location<'static>,
    ) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + 'static,
        T: 'static,
    {
        let (shared, home) = own_home().ok_or_else(homeless)?;
        let class = self.class(&shared)?;
        // SAFETY: `home` is the caller's own, in this runtime.
        let spawned = unsafe { shared.spawn(f, self.name, class, Some(home), site) };
        spawned.map(JoinHandle::new).map_err(|_| closed(&shared))
    }

    fn class(&self, shared: &Shared) -> io::Result<Class> {
        self.stack_size
            .map_or(Ok(shared.settings().class), Class::for_size)
    }
}

/// The caller's runtime and home, if it is a greenlet.
fn own_home() -> Option<(Arc<Shared>, Arc<Home>)> {
    Some((Shared::current()?, Myself::current()?.home()?))
}

#[cold]
fn homeless() -> io::Error {
    if is_severed() {
        return fork::left_behind();
    }
    io::Error::other(
        "spawn_local was called on a plain thread: only a greenlet has a home to share with a child; use \
         sward::spawn, or call it inside a greenlet",
    )
}

#[cold]
fn closed(shared: &Shared) -> io::Error {
    if shared.is_left_behind() {
        return fork::left_behind();
    }
    io::Error::other("the runtime has been shut down and accepts no more greenlets")
}
