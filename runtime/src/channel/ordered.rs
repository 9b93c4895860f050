//! Buffers from which the greatest message is taken first, or the last one.
//!
//! To put and to take compares messages, and that is a user's code, which may panic or wait, so it must not run under a lock. Who
//! wants to do either takes the whole store out of its place, and others who want it wait as for a mutex. It comes back also
//! when a comparison panics.
#![forbid(unsafe_code)]

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::fmt;
use std::pin::pin;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use super::buffered::Buffer;
use crate::park::{Reason, Wait, WaitQueue};

/// See the module.
pub(super) struct Ordered<T> {
    /// `None` while somebody has it. A wait there ends when it is back, or was a moment ago.
    store: WaitQueue<Option<Store<T>>>,
    /// How many messages there are, written by who has the store, before it is back.
    len: AtomicUsize,
    capacity: Option<usize>,
}

struct Store<T> {
    /// Nothing may be put any more.
    closed: bool,
    messages: Messages<T>,
}

enum Messages<T> {
    Heap {
        heap: BinaryHeap<Entry<T>>,
        compare: fn(&T, &T) -> Ordering,
        /// The next one's number.
        number: u64,
    },
    Stack(Vec<T>),
}

/// A message in a heap: before those that are less, and of equals before those that came later.
struct Entry<T> {
    value: T,
    number: u64,
    compare: fn(&T, &T) -> Ordering,
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        let values = (self.compare)(&self.value, &other.value);
        values.then_with(|| other.number.cmp(&self.number))
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T> Eq for Entry<T> {}

impl<T> fmt::Debug for Ordered<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ordered").finish_non_exhaustive()
    }
}

impl<T> Messages<T> {
    fn len(&self) -> usize {
        match self {
            Self::Heap { heap, .. } => heap.len(),
            Self::Stack(stack) => stack.len(),
        }
    }

    fn push(&mut self, value: T) {
        match self {
            Self::Heap {
                heap,
                compare,
                number,
            } => {
                let entry = Entry {
                    value,
                    number: *number,
                    compare: *compare,
                };
                *number += 1;
                heap.push(entry);
            }
            Self::Stack(stack) => stack.push(value),
        }
    }

    fn pop(&mut self) -> Option<T> {
        match self {
            Self::Heap { heap, .. } => heap.pop().map(|entry| entry.value),
            Self::Stack(stack) => stack.pop(),
        }
    }
}

/// The store, by who has it. Dropped, it is back.
struct Taken<'a, T> {
    from: &'a Ordered<T>,
    store: Option<Store<T>>,
}

impl<T> Taken<'_, T> {
    fn store(&mut self) -> &mut Store<T> {
        self.store.as_mut().expect("it is here until it is back")
    }
}

impl<T> Drop for Taken<'_, T> {
    fn drop(&mut self) {
        let len = self.store().messages.len();
        // SeqCst: S1 of `Presence`.
        self.from.len.store(len, SeqCst);
        let mut place = self.from.store.lock();
        *place = self.store.take();
        let claimed = place.claim_first();
        drop(place);
        if let Some(claimed) = claimed {
            claimed.wake();
        }
    }
}

impl<T> Ordered<T> {
    pub(super) fn heap(capacity: Option<usize>) -> Self
    where
        T: Ord,
    {
        let messages = Messages::Heap {
            heap: BinaryHeap::new(),
            compare: T::cmp,
            number: 0,
        };
        Self::new(messages, capacity)
    }

    pub(super) fn stack(capacity: Option<usize>) -> Self {
        Self::new(Messages::Stack(Vec::new()), capacity)
    }

    fn new(messages: Messages<T>, capacity: Option<usize>) -> Self {
        assert!(capacity != Some(0), "a capacity of zero has no order");
        let store = Store {
            closed: false,
            messages,
        };
        Self {
            store: WaitQueue::new(Some(store)),
            len: AtomicUsize::new(0),
            capacity,
        }
    }

    fn take_store(&self) -> Taken<'_, T> {
        let mut store = self.store.lock().take();
        let mut first = false;
        while store.is_none() {
            let wait = Wait::begin(Reason::Mutex);
            let place = pin!(self.store.place(()));
            let mut locked = self.store.lock();
            store = locked.take();
            if store.is_none() {
                match first {
                    true => locked.enlist_first(place.as_ref(), wait.token(0)),
                    false => locked.enlist(place.as_ref(), wait.token(0)),
                }
                drop(locked);
                let _ = wait.park_until(None);
                first = true;
                store = self.store.lock().take();
            }
        }
        Taken { from: self, store }
    }
}

impl<T> Buffer for Ordered<T> {
    type Message = T;

    fn try_push(&self, value: T) -> Result<(), T> {
        let mut taken = self.take_store();
        let store = taken.store();
        if store.closed
            || self
                .capacity
                .is_some_and(|most| store.messages.len() >= most)
        {
            return Err(value);
        }
        store.messages.push(value);
        Ok(())
    }

    fn try_pop(&self) -> Option<T> {
        self.take_store().store().messages.pop()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn is_full(&self) -> bool {
        self.capacity.is_some_and(|most| self.len() >= most)
    }

    fn len(&self) -> usize {
        // SeqCst: W2 of `Presence`.
        self.len.load(SeqCst)
    }

    fn capacity(&self) -> Option<usize> {
        self.capacity
    }

    fn close(&self) {
        self.take_store().store().closed = true;
    }
}
