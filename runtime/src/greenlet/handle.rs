//! The public `Greenlet`, and who the caller is.

use std::fmt;
use std::sync::Arc;

use super::header::{GreenletRef, from_slot};
use super::token::Owner;
use crate::home::{Home, slot};

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

impl Greenlet {
    pub(crate) fn new(greenlet: GreenletRef) -> Self {
        Self(greenlet)
    }

    /// The number of this greenlet: unique among all greenlets of this process, never used again.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// The name it was given by [`Builder::name`](crate::Builder::name), if any.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// Lets the greenlet's current or next [`park`](crate::park) return.
    ///
    /// As [`std::thread::Thread::unpark`]: if the greenlet is not parked, its next `park` returns at once; several
    /// calls before that count as one. Only `park` and `park_timeout` are ended by it: a greenlet that sleeps, joins
    /// or waits for a socket goes on doing so. What the caller did before is seen by the greenlet after. Callable from
    /// greenlets and threads; never blocks. Nothing happens if the greenlet has ended.
    pub fn unpark(&self) {
        Owner::Greenlet(self.0.clone()).unpark(UNPARKED);
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

/// A reference to the greenlet that calls, or `None` on a plain thread.
pub(crate) fn current_ref() -> Option<GreenletRef> {
    // SAFETY: the slot of the caller's own identity.
    let header = from_slot(unsafe { (*slot()).greenlet() })?;
    // SAFETY: a running greenlet is alive.
    Some(unsafe { GreenletRef::from_living(header) })
}

/// Whether the caller is a greenlet.
pub(crate) fn is_greenlet() -> bool {
    // SAFETY: the slot of the caller's own identity.
    !unsafe { (*slot()).greenlet() }.is_null()
}

/// The home of the calling greenlet.
pub(crate) fn own_home() -> Option<Arc<Home>> {
    let greenlet = current_ref()?;
    // SAFETY: we are the greenlet; the worker that runs us does not touch `life` before we are off our stack.
    unsafe { greenlet.life() }.home.clone()
}
