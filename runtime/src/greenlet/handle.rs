//! The public `Greenlet`, and who the caller is.

use std::fmt;
use std::ops::Deref;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::ptr::NonNull;
use std::sync::Arc;

use super::header::{GreenletRef, Header, Schedule, from_slot};
use crate::home::{Errno, Home, slot};

/// The tag with which `unpark` ends a wait.
pub(crate) const UNPARKED: u16 = u16::MAX;

/// A handle to a greenlet: its identity, its name, and the means to unpark it. The counterpart of
/// [`std::thread::Thread`].
///
/// Clones are cheap and all mean the same greenlet. A handle does not keep the greenlet running, and may outlive it.
///
/// # Examples
///
/// ```
/// let handle = sward::Builder::new().name("worker").spawn(|| {
///     sward::park();
///     sward::current().id()
/// })?;
/// let greenlet = handle.greenlet().clone();
/// assert_eq!(greenlet.name(), Some("worker"));
/// greenlet.unpark();
/// assert_eq!(handle.join().unwrap(), greenlet.id());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Greenlet(GreenletRef);

// As std's `Thread`. A panic cannot leave what it refers to half changed: users reach nothing of it but the words by which it
// is woken, and code of theirs never runs while those change.
impl UnwindSafe for Greenlet {}
impl RefUnwindSafe for Greenlet {}

impl Greenlet {
    pub(crate) fn new(greenlet: GreenletRef) -> Self {
        Self(greenlet)
    }

    /// The counted reference in it.
    pub(super) fn reference(&self) -> &GreenletRef {
        &self.0
    }

    /// The number of this greenlet: unique among all greenlets of this process, never used again.
    ///
    /// # Examples
    ///
    /// ```
    /// let (one, other) = (sward::spawn(|| ()), sward::spawn(|| ()));
    /// assert_ne!(one.greenlet().id(), other.greenlet().id());
    /// assert_eq!(one.greenlet().clone().id(), one.greenlet().id());
    /// ```
    #[must_use]
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// The name it was given by [`Builder::name`](crate::Builder::name), if any.
    ///
    /// # Examples
    ///
    /// ```
    /// let named = sward::Builder::new().name("worker").spawn(|| ())?;
    /// assert_eq!(named.greenlet().name(), Some("worker"));
    /// assert_eq!(sward::spawn(|| ()).greenlet().name(), None);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// Where it was spawned: the call of [`spawn`](crate::spawn), [`go!`](crate::go) or one of their kind.
    ///
    /// # Examples
    ///
    /// ```
    /// let handle = sward::spawn(|| ());
    /// assert_eq!(handle.greenlet().spawned_at().file(), file!());
    /// ```
    #[must_use]
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.0.site
    }

    /// The size of its stack in bytes, whether it has one already or not.
    ///
    /// # Examples
    ///
    /// ```
    /// let handle = sward::Builder::new().stack_size(100_000).spawn(|| ())?;
    /// assert_eq!(handle.greenlet().stack_size(), 128 * 1024);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn stack_size(&self) -> usize {
        self.0.class.size()
    }

    /// How many bytes of its stack have been in use at some time, as the system's record of touched pages has it: a whole number of
    /// pages. `None` before it first runs, and where the system does not tell.
    ///
    /// Stacks are used again, and what earlier greenlets touched counts as well, unless the runtime
    /// [measures](crate::RuntimeBuilder::measure_stacks): then the number is this greenlet's own, and is there after its end
    /// too, where it is `None` otherwise. Pages that were moved to swap space may not be counted.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = sward::Runtime::builder().workers(1).measure_stacks(true).build()?;
    /// let small = runtime.spawn(|| ());
    /// let large = runtime.spawn(|| drop(std::hint::black_box([1_u8; 100_000])));
    /// let greenlets = [small.greenlet().clone(), large.greenlet().clone()];
    /// small.join().unwrap();
    /// large.join().unwrap();
    /// let used = greenlets.map(|greenlet| greenlet.stack_used().unwrap());
    /// assert!(used[0] < 65536 && used[1] > 100_000, "{used:?}");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn stack_used(&self) -> Option<usize> {
        let errno = Errno::save();
        let used = self.0.stack_used();
        errno.restore();
        used
    }

    /// Lets the greenlet's current or next [`park`](crate::park) return.
    ///
    /// As [`std::thread::Thread::unpark`]: if the greenlet is not parked, its next `park` returns at once; several
    /// calls before that count as one. Only `park` and `park_timeout` are ended by it: a greenlet that sleeps, joins
    /// or waits for a socket goes on doing so. What the caller did before is seen by the greenlet after. Callable from
    /// greenlets and threads; never blocks. Nothing happens if the greenlet has ended, or is one of the process that this one was
    /// forked from.
    ///
    /// One unparked by a greenlet runs when that leaves its worker, next; if it does not, but computes or blocks its thread,
    /// another worker takes over after some 10 to 20 ms.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicBool, Ordering};
    ///
    /// let ready = Arc::new(AtomicBool::new(false));
    /// let seen = ready.clone();
    /// let handle = sward::spawn(move || {
    ///     while !seen.load(Ordering::Acquire) {
    ///         sward::park();
    ///     }
    /// });
    /// ready.store(true, Ordering::Release);
    /// handle.greenlet().unpark();
    /// handle.join().unwrap();
    /// ```
    pub fn unpark(&self) {
        self.0.unpark(UNPARKED);
    }
}

impl fmt::Debug for Greenlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Greenlet")
            .field("id", &self.id())
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

/// The greenlet that calls, for as long as it runs: it cannot end meanwhile, so nothing is counted.
#[derive(Debug)]
pub(crate) struct Myself(NonNull<Header>);

impl Myself {
    /// The greenlet that calls, or `None` on a plain thread. The value must not leave the caller's own frames.
    #[inline]
    pub(crate) fn current() -> Option<Self> {
        // SAFETY: the slot of the caller's own identity.
        from_slot(unsafe { (*slot()).greenlet() }).map(Self)
    }

    /// A counted reference.
    pub(crate) fn reference(&self) -> GreenletRef {
        // SAFETY: a running greenlet is alive.
        unsafe { GreenletRef::from_living(self.0) }
    }

    /// The runtime's hook: it is running, hence not done.
    pub(crate) fn schedule(&self) -> &dyn Schedule {
        // SAFETY: as above.
        unsafe { self.0.as_ref().schedule() }
    }

    /// Its home.
    pub(crate) fn home(&self) -> Option<Arc<Home>> {
        // SAFETY: we are the greenlet; the worker that runs us does not touch `life` before we are off our stack.
        unsafe { self.0.as_ref().life() }.home.clone()
    }
}

impl Deref for Myself {
    type Target = Header;

    #[inline]
    fn deref(&self) -> &Header {
        // SAFETY: a running greenlet is alive.
        unsafe { self.0.as_ref() }
    }
}

/// Whether the caller is a greenlet.
pub(crate) fn is_greenlet() -> bool {
    // SAFETY: the slot of the caller's own identity.
    !unsafe { (*slot()).greenlet() }.is_null()
}
