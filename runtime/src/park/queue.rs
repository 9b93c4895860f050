//! What several waiters share: a state, and the line of those who wait for it to change, under one lock.
//!
//! A waiter's place in the line lies in its own frame (`Place`), so enlisting never allocates. The rules:
//!
//! - *The lock decides.* Whoever changes the state does it under the lock, takes out of the line whom the change concerns
//!   (`claim`), leaves there with it what it is given, and wakes it (`Claimed::wake`) after the lock is released.
//! - *A claim ends the wait, or it does not count.* One whose wait is over already, by its deadline or by another token,
//!   is taken out of the line as well and given nothing: the next one has its turn. So what is handed over is never lost with
//!   somebody who has stopped waiting, and a waiter whose wait a claim has ended owns what it was given.
//! - *A place is left before its frame is.* `Place` is pinned, and leaves the line when it is dropped, however that
//!   comes about: the list never leads to memory that is something else by then. (The frames of greenlets that were given up
//!   at a runtime's end stay for ever.)
//! - *Short.* No user code runs under the lock: neither closures of a user nor drops of what a user gave.

use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::marker::PhantomPinned;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::ptr;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::{Mutex, MutexGuard};

use crate::base::lock::lock;
use crate::greenlet::{Claimed, Token};

/// A state `S`, and those who wait, each with a `W` of its own. See the module.
#[derive(Debug, Default)]
pub(crate) struct WaitQueue<S = (), W = ()>(Mutex<Inner<S, W>>);

#[derive(Debug)]
struct Inner<S, W> {
    state: S,
    line: Line<W>,
}

impl<S: Default, W> Default for Inner<S, W> {
    fn default() -> Self {
        Self {
            state: S::default(),
            line: Line::new(),
        }
    }
}

/// The places, first to last.
///
/// # Invariant
/// What it leads to is alive and pinned, and touched only under the lock that this lies under: a place is in the line
/// exactly while its `listed` is set, and leaves it before its memory is given up.
struct Line<W> {
    first: *const Entry<W>,
    last: *const Entry<W>,
    /// The next one's number.
    next: u64,
}

impl<W> Line<W> {
    const fn new() -> Self {
        Self {
            first: ptr::null(),
            last: ptr::null(),
            next: 0,
        }
    }
}

// SAFETY: the pointers are followed by whoever has the lock, on whatever thread; what is reached that way are a `W`, which
// can be sent, and tokens, which can too.
unsafe impl<W: Send> Send for Line<W> {}

impl<W> fmt::Debug for Line<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line")
            .field("empty", &self.first.is_null())
            .finish_non_exhaustive()
    }
}

/// What is in a place. All but `listed` belongs to whoever has the lock while that is set, and to the waiter while it is not.
struct Entry<W> {
    next: Cell<*const Entry<W>>,
    previous: Cell<*const Entry<W>>,
    number: Cell<u64>,
    token: Cell<Option<Token>>,
    what: UnsafeCell<W>,
    /// Set by the waiter under the lock, cleared under the lock as the last thing that is done to a place from there.
    listed: AtomicBool,
}

/// A waiter's place. Pinned, it may be enlisted; dropped, it has left.
pub(crate) struct Place<'q, S, W> {
    queue: &'q WaitQueue<S, W>,
    entry: Entry<W>,
    /// Others have its address. (And it stays with its waiter: `Entry` is not `Sync`.)
    _pinned: PhantomPinned,
}

impl<S, W> fmt::Debug for Place<'_, S, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place")
            .field("listed", &self.entry.listed.load(Relaxed))
            .finish_non_exhaustive()
    }
}

/// What to do with the first in the line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Turn {
    /// It is its turn; its wait ends with its token's tag.
    Now,
    /// It is its turn; its wait ends with this tag.
    As(u16),
    /// It stays where it is, and the next one is looked at.
    Pass,
    /// It is nobody's turn.
    Stop,
}

/// A queue that is locked. What it guards is what this leads to.
#[derive(Debug)]
pub(crate) struct Locked<'q, S, W> {
    queue: &'q WaitQueue<S, W>,
    inner: MutexGuard<'q, Inner<S, W>>,
}

impl<S, W> WaitQueue<S, W> {
    /// Nobody waits.
    pub(crate) const fn new(state: S) -> Self {
        let line = Line::new();
        Self(Mutex::new(Inner { state, line }))
    }

    /// Locks it.
    pub(crate) fn lock(&self) -> Locked<'_, S, W> {
        Locked {
            queue: self,
            inner: lock(&self.0),
        }
    }

    /// The state, by who has it alone.
    #[allow(dead_code)]
    pub(crate) fn get_mut(&mut self) -> &mut S {
        let inner = self.0.get_mut();
        &mut inner
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .state
    }

    /// A place in it, for who is going to wait.
    pub(crate) fn place(&self, what: W) -> Place<'_, S, W> {
        Place {
            queue: self,
            entry: Entry {
                next: Cell::new(ptr::null()),
                previous: Cell::new(ptr::null()),
                number: Cell::new(0),
                token: Cell::new(None),
                what: UnsafeCell::new(what),
                listed: AtomicBool::new(false),
            },
            _pinned: PhantomPinned,
        }
    }

    /// Puts a place at the end of the line.
    pub(crate) fn enlist<'q>(&'q self, place: Pin<&Place<'q, S, W>>, token: Token) {
        self.lock().enlist(place, token);
    }

    /// Ends the waits of all that are in the line now. How many there were.
    pub(crate) fn fire_all(&self) -> usize {
        self.lock().fire_all()
    }
}

impl<S, W> Deref for Locked<'_, S, W> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.inner.state
    }
}

impl<S, W> DerefMut for Locked<'_, S, W> {
    fn deref_mut(&mut self) -> &mut S {
        &mut self.inner.state
    }
}

impl<'q, S, W> Locked<'q, S, W> {
    /// Releases the lock. The queue, to be locked again.
    pub(crate) fn unlock(self) -> &'q WaitQueue<S, W> {
        self.queue
    }

    /// Ends the waits of all that are in the line now. How many there were.
    ///
    /// The lock is released between two of them, so one whose time is up may leave while it is in the line still: from its place
    /// there it cannot tell whether this has begun, only from the state.
    pub(crate) fn fire_all(self) -> usize {
        let mut fired = 0;
        let mut locked = self;
        // One at a time and woken outside the lock, for that may run scheduler code. Those who come meanwhile have looked at the
        // state again, and stay.
        let end = locked.inner.line.next;
        let before = |_: &mut S, _: &W, number| match number < end {
            true => Turn::Now,
            false => Turn::Stop,
        };
        while let Some(claimed) = locked.claim_numbered(before, |_, _| {}) {
            let more = !locked.is_empty();
            let queue = locked.unlock();
            claimed.wake();
            fired += 1;
            if !more {
                break;
            }
            locked = queue.lock();
        }
        fired
    }

    /// Whether nobody is in the line.
    pub(crate) fn is_empty(&self) -> bool {
        self.inner.line.first.is_null()
    }

    /// Puts a place at the end of the line.
    pub(crate) fn enlist(&mut self, place: Pin<&Place<'q, S, W>>, token: Token) {
        self.enter(place, token, false);
    }

    /// Puts a place at the beginning of the line.
    pub(crate) fn enlist_first(&mut self, place: Pin<&Place<'q, S, W>>, token: Token) {
        self.enter(place, token, true);
    }

    fn enter(&mut self, place: Pin<&Place<'q, S, W>>, token: Token, first: bool) {
        assert!(ptr::eq(place.queue, self.queue), "a place in another queue");
        let entry = &place.get_ref().entry;
        // Relaxed: set by this thread alone, and if another has cleared it, `entry` is this thread's once it has seen that
        // (Acquire in `settle`), which the lock has too.
        assert!(!entry.listed.load(Relaxed), "a place that is taken");
        let line = &mut self.inner.line;
        entry.number.set(line.next);
        line.next += 1;
        entry.token.set(Some(token));
        let this: *const Entry<W> = entry;
        let (previous, next) = match first {
            true => (ptr::null(), line.first),
            false => (line.last, ptr::null()),
        };
        entry.previous.set(previous);
        entry.next.set(next);
        match previous.is_null() {
            true => line.first = this,
            // SAFETY: in the line, hence alive; we have the lock.
            false => unsafe { (*previous).next.set(this) },
        }
        match next.is_null() {
            true => line.last = this,
            // SAFETY: as above.
            false => unsafe { (*next).previous.set(this) },
        }
        entry.listed.store(true, Relaxed);
    }

    /// Takes an entry out of the line. Its token.
    ///
    /// # Safety
    /// It is in the line.
    unsafe fn unlink(&mut self, entry: *const Entry<W>) -> Option<Token> {
        let line = &mut self.inner.line;
        // SAFETY: in the line, hence alive; we have the lock.
        let entry = unsafe { &*entry };
        let (previous, next) = (entry.previous.get(), entry.next.get());
        match previous.is_null() {
            true => line.first = next,
            // SAFETY: as above.
            false => unsafe { (*previous).next.set(next) },
        }
        match next.is_null() {
            true => line.last = previous,
            // SAFETY: as above.
            false => unsafe { (*next).previous.set(previous) },
        }
        entry.token.take()
    }

    /// Goes along the line from its beginning, asks `turn` whose turn it is, and takes that one out and ends its wait. If
    /// that counts, `give` may leave something in its place; the claim is to be woken after the lock is released.
    ///
    /// What `turn` has passed over stays where it is. Both are given the state, and must run no user code.
    #[must_use]
    pub(crate) fn claim(
        &mut self,
        mut turn: impl FnMut(&mut S, &W) -> Turn,
        give: impl FnOnce(&mut S, &mut W),
    ) -> Option<Claimed> {
        self.claim_numbered(|state, what, _| turn(state, what), give)
    }

    /// Takes the first one, whoever it is.
    #[must_use]
    pub(crate) fn claim_first(&mut self) -> Option<Claimed> {
        self.claim(|_, _| Turn::Now, |_, _| {})
    }

    /// As `claim`; `turn` is told the number too.
    fn claim_numbered(
        &mut self,
        mut turn: impl FnMut(&mut S, &W, u64) -> Turn,
        give: impl FnOnce(&mut S, &mut W),
    ) -> Option<Claimed> {
        let mut at = self.inner.line.first;
        while !at.is_null() {
            // SAFETY: in the line, hence alive; we have the lock.
            let entry = unsafe { &*at };
            let next = entry.next.get();
            // SAFETY: while it is listed, what is in it is the lock's, which we have.
            let what = unsafe { &mut *entry.what.get() };
            let tag = match turn(&mut self.inner.state, what, entry.number.get()) {
                Turn::Now => None,
                Turn::As(tag) => Some(tag),
                Turn::Pass => {
                    at = next;
                    continue;
                }
                Turn::Stop => return None,
            };
            // SAFETY: it is in the line.
            let token = unsafe { self.unlink(at) };
            match token.expect("who is in the line has a token").claim(tag) {
                Ok(claimed) => {
                    give(&mut self.inner.state, what);
                    // Release: the waiter sees what was given when it sees this. From here on the place is its own.
                    entry.listed.store(false, Release);
                    return Some(claimed);
                }
                Err(token) => {
                    // It leaves, and takes its token along: dropped here, it might end a greenlet under the lock.
                    entry.token.set(Some(token));
                    // Release: as above.
                    entry.listed.store(false, Release);
                }
            }
            at = next;
        }
        None
    }

    /// Whether `wanted` holds for anybody in the line.
    pub(crate) fn any(&self, mut wanted: impl FnMut(&W) -> bool) -> bool {
        let mut at = self.inner.line.first;
        while !at.is_null() {
            // SAFETY: in the line, hence alive; we have the lock.
            let entry = unsafe { &*at };
            // SAFETY: while it is listed, what is in it is the lock's, which we have.
            if wanted(unsafe { &*entry.what.get() }) {
                return true;
            }
            at = entry.next.get();
        }
        false
    }
}

impl<S, W> Place<'_, S, W> {
    /// Leaves the line. False if it was not in it: it was claimed, or passed over as one whose wait is over, or never
    /// enlisted.
    pub(crate) fn leave(&self) -> bool {
        // Acquire: pairs with the release by which a claim ends, so what was given is seen.
        if !self.entry.listed.load(Acquire) {
            return false;
        }
        let mut locked = self.queue.lock();
        // Relaxed: written under the lock only.
        if !self.entry.listed.load(Relaxed) {
            return false;
        }
        // SAFETY: it is listed, hence in the line, and in no other queue's.
        let token = unsafe { locked.unlink(&raw const self.entry) };
        self.entry.listed.store(false, Relaxed);
        drop(locked);
        drop(token);
        true
    }

    /// Leaves the line, and puts `with` into the place. What was in it: what it was made with, or what a claim has left.
    pub(crate) fn replace(&self, with: W) -> W {
        self.leave();
        // SAFETY: the place is out of the line, so what is in it is its waiter's, which is this thread: a place is not `Sync`.
        // Nothing else runs while this reference lives.
        std::mem::replace(unsafe { &mut *self.entry.what.get() }, with)
    }
}

impl<S, W> Drop for Place<'_, S, W> {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::pin::pin;

    use super::*;
    use crate::greenlet::Reason;
    use crate::park::{Ended, Wait};

    /// Whoever leaves, first, last or in the middle, the others stay in order, and none is fired twice.
    #[test]
    fn places_are_left_in_any_order() {
        for leaver in 0..4_u16 {
            let queue = WaitQueue::new(());
            let wait = Wait::begin(Reason::Unpark);
            let places: Vec<_> = (0..4_u16)
                .map(|tag| {
                    let place = Box::pin(queue.place(tag));
                    queue.lock().enlist(place.as_ref(), wait.token(tag));
                    place
                })
                .collect();
            assert!(places[usize::from(leaver)].leave());
            assert!(!places[usize::from(leaver)].leave());
            // All are of one wait, which the first ends; the others are taken out all the same.
            assert_eq!(queue.fire_all(), 1);
            let first = u16::from(leaver == 0);
            assert_eq!(wait.park_until(None), Ended::Fired(first));
            assert!(queue.lock().is_empty());
            assert!(places.iter().all(|place| !place.leave()));
            assert_eq!(queue.fire_all(), 0);
        }
    }

    #[test]
    fn one_that_is_passed_over_keeps_its_place() {
        let queue = WaitQueue::<u32, u32>::new(5);
        let wait = Wait::begin(Reason::Unpark);
        let (late, first) = (pin!(queue.place(9)), pin!(queue.place(3)));
        queue.lock().enlist(late.as_ref(), wait.token(1));
        queue.lock().enlist_first(first.as_ref(), wait.token(2));
        let mut seen = Vec::new();
        let mut locked = queue.lock();
        let claimed = locked.claim(
            |_, &what| {
                seen.push(what);
                if what == 9 { Turn::As(7) } else { Turn::Pass }
            },
            |state, what| *what = std::mem::take(state),
        );
        assert!(!locked.is_empty() && locked.any(|&what| what == 3));
        drop(locked);
        claimed.expect("it waits").wake();
        assert_eq!(seen, [3, 9]);
        assert_eq!(wait.park_until(None), Ended::Fired(7));
        assert_eq!(late.replace(0), 5);
        assert_eq!(first.replace(0), 3);
        assert_eq!((*queue.lock(), late.replace(1)), (0, 0));
    }

    /// A claim whose wait is over gives nothing.
    #[test]
    fn nothing_is_given_to_one_that_has_stopped_waiting() {
        let queue = WaitQueue::<(), u32>::new(());
        let gone = Wait::begin(Reason::Unpark);
        let place = pin!(queue.place(0));
        queue.lock().enlist(place.as_ref(), gone.token(1));
        drop(gone);
        let claimed = queue.lock().claim(|_, _| Turn::Now, |(), what| *what = 1);
        assert!(claimed.is_none());
        assert_eq!(place.replace(2), 0);
    }
}
