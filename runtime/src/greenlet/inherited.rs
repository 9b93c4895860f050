//! What is bound where somebody runs, for the run of a closure: a list, of which each greenlet has the head in its header, and each
//! plain thread in a thread-local.
//!
//! A binding puts a node before the list and takes it away again; a new greenlet gets a reference to the list of who spawns it,
//! and a list never changes behind its head. So a node lives as long as a list begins with it or leads to it. Only who runs reads
//! and writes its own head, and between the begin and the end of a binding every other one has ended: the head is then what it was.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use super::handle::Myself;
use super::sys_fork::is_severed;
use crate::base::unwind::drop_quietly;

/// The identity of something that can be bound: a number that no other has had, given out at the first use.
#[derive(Debug)]
pub(crate) struct Key(AtomicUsize);

/// The number of one that has not been used.
const UNNUMBERED: usize = 0;
/// The next number. Relaxed everywhere: a number means nothing beside itself, and who finds it in a list got that list with release
/// and acquire.
static NUMBERS: AtomicUsize = AtomicUsize::new(UNNUMBERED + 1);

impl Key {
    /// One that nobody has used.
    pub(crate) const fn new() -> Self {
        Self(AtomicUsize::new(UNNUMBERED))
    }

    fn number(&self) -> usize {
        let number = self.0.load(Relaxed);
        if number != UNNUMBERED {
            return number;
        }
        let fresh = NUMBERS.fetch_add(1, Relaxed);
        match self.0.compare_exchange(UNNUMBERED, fresh, Relaxed, Relaxed) {
            Ok(_) => fresh,
            // Somebody else was first; ours is never used.
            Err(number) => number,
        }
    }
}

/// One binding, and those before it.
struct Node {
    key: usize,
    value: Box<dyn Any + Send + Sync>,
    /// What was in force when it was made.
    outer: Bindings,
}

/// The head of a list.
type Bindings = Option<Arc<Node>>;

impl Drop for Node {
    /// One by one: a long list would need a deep stack otherwise.
    fn drop(&mut self) {
        let mut outer = self.outer.take();
        while let Some(mut node) = outer.and_then(Arc::into_inner) {
            outer = node.outer.take();
        }
    }
}

/// The head of somebody's list.
///
/// # Invariant
/// Touched by who runs only; by the holder of the right to run before the first run.
pub(super) struct Inherited(Cell<Bindings>);

thread_local! {
    /// That of a plain thread. It needs no destructor: nothing is bound when the thread's first function has returned.
    static OF_THREAD: ManuallyDrop<Inherited> = const { ManuallyDrop::new(Inherited::new(None)) };
}

impl Inherited {
    const fn new(bindings: Bindings) -> Self {
        Self(Cell::new(bindings))
    }

    /// Takes the list of a greenlet that will not run. Dropping it may run destructors of the user's.
    pub(super) fn take(&self) -> impl Send + 'static {
        self.0.take()
    }

    /// The greenlet has ended: it lets go of its list, and drops what nobody else refers to.
    ///
    /// # Safety
    /// The caller is the greenlet, below everything that runs in it.
    #[inline]
    pub(super) unsafe fn end(&self) {
        // SAFETY: nobody else touches the head.
        if unsafe { &*self.0.as_ptr() }.is_some() && !is_severed() {
            drop_quietly(self.0.take());
        }
    }

    /// # Safety
    /// It is the caller's own, who holds no reference to a node for longer than its head leads there.
    unsafe fn head(&self) -> &Bindings {
        // SAFETY: nobody else touches the head.
        unsafe { &*self.0.as_ptr() }
    }
}

/// The caller's own.
#[inline]
fn with_own<R>(f: impl FnOnce(&Inherited) -> R) -> R {
    match Myself::current() {
        Some(me) => f(&me.inherited),
        None => OF_THREAD.with(|own| f(own)),
    }
}

/// What a greenlet that the caller spawns is given.
#[inline]
pub(super) fn bequeath() -> Inherited {
    // SAFETY: our own; the reference ends here.
    with_own(|own| Inherited::new(unsafe { own.head() }.clone()))
}

/// Calls `f` with the value that is bound to `key` where the caller runs.
#[inline]
pub(crate) fn with_bound<R>(key: &Key, f: impl FnOnce(Option<&(dyn Any + Send + Sync)>) -> R) -> R {
    with_own(|own| {
        let key = key.0.load(Relaxed);
        // SAFETY: our own. The node that we find is referred to by our head now, and all through `f`: what is bound in it is put
        // before the node, and taken away again before `f` returns. What `f` is given is in the node, not in the head.
        let mut next = unsafe { own.head() }.as_deref();
        while let Some(node) = next {
            if node.key == key {
                return f(Some(&*node.value));
            }
            next = node.outer.as_deref();
        }
        f(None)
    })
}

/// Calls `f` with `value` bound to `key`. Then what was bound before is again, also if `f` panics.
pub(crate) fn bind<R>(key: &Key, value: Box<dyn Any + Send + Sync>, f: impl FnOnce() -> R) -> R {
    with_own(|own| {
        let outer = own.0.take();
        let node = Arc::new(Node {
            key: key.number(),
            value,
            outer: outer.clone(),
        });
        own.0.set(Some(node));
        let _binding = Binding { own, outer };
        f()
    })
}

/// A binding under way.
struct Binding<'a> {
    own: &'a Inherited,
    outer: Bindings,
}

impl Drop for Binding<'_> {
    fn drop(&mut self) {
        // The destructor of the value sees what is in force from here on.
        drop(self.own.0.replace(self.outer.take()));
    }
}

impl fmt::Debug for Inherited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inherited").finish_non_exhaustive()
    }
}
