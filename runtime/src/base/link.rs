//! The intrusive link: one word inside a greenlet by which it stands in one list at a time.
//!
//! A greenlet that is ready, but whose home is busy, waits in that home's list; nothing else can hold it then, so
//! one word is enough and enlisting never allocates.

use std::cell::Cell;
use std::ptr;

/// One word that points to the next in a list.
///
/// # Invariant
/// Written only by whoever holds the right to run the greenlet that contains it (its `Runnable`), or by the list
/// that right was given to.
#[derive(Debug)]
pub(crate) struct Link {
    next: Cell<*mut Link>,
}

impl Link {
    /// A link that is in no list.
    pub(crate) const fn new() -> Self {
        Self {
            next: Cell::new(ptr::null_mut()),
        }
    }

    /// The link behind this one.
    pub(crate) fn next(&self) -> *mut Link {
        self.next.get()
    }

    /// Sets the link behind this one.
    pub(crate) fn set_next(&self, next: *mut Link) {
        self.next.set(next);
    }
}

/// A first-in, first-out chain of links, private to its owner.
#[derive(Debug)]
pub(crate) struct Chain {
    head: *mut Link,
    tail: *mut Link,
}

impl Chain {
    /// An empty chain.
    pub(crate) const fn new() -> Self {
        Self {
            head: ptr::null_mut(),
            tail: ptr::null_mut(),
        }
    }

    /// Whether it holds none.
    pub(crate) fn is_empty(&self) -> bool {
        self.head.is_null()
    }

    /// Takes the first link.
    pub(crate) fn pop(&mut self) -> *mut Link {
        let head = self.head;
        if !head.is_null() {
            // SAFETY: a link in the chain is alive and ours: `append_reversed` was promised so.
            self.head = unsafe { (*head).next() };
            if self.head.is_null() {
                self.tail = ptr::null_mut();
            }
        }
        head
    }

    /// Puts the links of a last-in-first-out list that starts at `newest` behind the chain, oldest first.
    ///
    /// # Safety
    /// `newest` and all that it leads to are alive, in no other list, and the caller owns the right to each.
    pub(crate) unsafe fn append_reversed(&mut self, newest: *mut Link) {
        let mut reversed: *mut Link = ptr::null_mut();
        let mut at = newest;
        while !at.is_null() {
            // SAFETY: the caller owns every link of the list.
            let next = unsafe { (*at).next() };
            // SAFETY: as above.
            unsafe { (*at).set_next(reversed) };
            reversed = at;
            at = next;
        }
        if reversed.is_null() {
            return;
        }
        if self.tail.is_null() {
            self.head = reversed;
        } else {
            // SAFETY: the tail is in our chain.
            unsafe { (*self.tail).set_next(reversed) };
        }
        self.tail = newest;
    }
}
