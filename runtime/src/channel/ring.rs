//! A bounded buffer without a lock: the queue of Dmitry Vyukov ("Bounded MPMC queue", 1024cores.net), as in crossbeam-queue's
//! `ArrayQueue` and crossbeam-channel's `flavors::array`.
//!
//! `head` and `tail` are a lap and an index below it. A slot has a stamp: `tail` when the slot may be written, that plus one when
//! it may be read, that plus one lap when it may be written again. Who advances `tail` or `head` from what the stamp says by one
//! read-modify-write has the slot to itself until it has written the next stamp.
//!
//! Between the lap and the index `tail` has a bit that no stamp has: set, the ring is closed, and nobody can advance `tail` again.
//!
//! Who finds a slot that is being written or read by somebody who was first waits for that one actively. It is a few instructions: a greenlet cannot be
//! suspended between the two, only its worker's thread by the system; then `thread::yield_now` lets it go on.

use std::cell::UnsafeCell;
use std::fmt;
use std::mem::MaybeUninit;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

use crossbeam_utils::CachePadded;

use super::buffered::Buffer;
use crate::base::sync::{AtomicUsize, fence};

/// How often one looks again before it lets other threads run. Longer than another core takes to copy a message; arbitrary.
const LOOKS: u32 = 32;
/// How often the time that one lets pass is doubled. As in crossbeam's `Backoff`.
const MOST_DOUBLED: u32 = 6;

/// See the module.
pub(super) struct Ring<T> {
    /// Of the next message to be taken.
    head: CachePadded<AtomicUsize>,
    /// Of the next message to be put.
    tail: CachePadded<AtomicUsize>,
    slots: Box<[Slot<T>]>,
    /// The bit of `tail` that says that the ring is closed: a power of two above the number of slots.
    closed: usize,
}

struct Slot<T> {
    stamp: AtomicUsize,
    /// # Invariant
    /// Initialized while the stamp is that of a slot to be read; otherwise only who has the slot to itself knows.
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: a value is put by one thread and taken by one other, which has seen the stamp that the first wrote after it; nobody gets
// a reference to it meanwhile.
unsafe impl<T: Send> Send for Ring<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Ring<T> {}

impl<T> fmt::Debug for Ring<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring").finish_non_exhaustive()
    }
}

impl<T> Ring<T> {
    /// With room for so many, at least one.
    pub(super) fn new(capacity: usize) -> Self {
        assert!(capacity > 0, "a ring has a slot");
        let slot = |stamp| Slot {
            stamp: AtomicUsize::new(stamp),
            value: UnsafeCell::new(MaybeUninit::uninit()),
        };
        Self {
            head: CachePadded::new(AtomicUsize::new(0)),
            tail: CachePadded::new(AtomicUsize::new(0)),
            slots: (0..capacity).map(slot).collect(),
            closed: (capacity + 1).next_power_of_two(),
        }
    }

    fn one_lap(&self) -> usize {
        2 * self.closed
    }

    fn index(&self, at: usize) -> usize {
        at & (self.closed - 1)
    }

    /// What comes after `at`, in a ring that is not closed.
    fn next(&self, at: usize) -> usize {
        match self.index(at) + 1 < self.slots.len() {
            true => at + 1,
            false => (at & !(self.closed - 1)).wrapping_add(self.one_lap()),
        }
    }

    fn slot(&self, at: usize) -> &Slot<T> {
        &self.slots[self.index(at)]
    }
}

impl<T> Buffer for Ring<T> {
    type Message = T;

    #[inline]
    fn try_push(&self, value: T) -> Result<(), T> {
        let (mut round, mut failures) = (0, 0);
        // Relaxed, here and below: the stamp decides.
        let mut tail = self.tail.load(Relaxed);
        loop {
            let slot = self.slot(tail);
            // Acquire: pairs with the release by who has taken what was there.
            let stamp = slot.stamp.load(Acquire);
            if stamp == tail {
                // SeqCst: S1 of `Presence`.
                match self
                    .tail
                    .compare_exchange_weak(tail, self.next(tail), SeqCst, Relaxed)
                {
                    Ok(_) => {
                        // SAFETY: we have advanced the tail from the slot's stamp, so the slot is ours until we write the next one; there is
                        // nothing in it.
                        unsafe { (*slot.value.get()).write(value) };
                        // Release: pairs with the acquire in `try_pop`.
                        slot.stamp.store(tail + 1, Release);
                        return Ok(());
                    }
                    Err(now) => {
                        tail = now;
                        back_off(&mut failures);
                    }
                }
            } else {
                if tail & self.closed != 0 {
                    // Acquire: what was done before it was closed is seen.
                    fence(Acquire);
                    return Err(value);
                }
                if stamp.wrapping_add(self.one_lap()) == tail + 1 {
                    // What is in it is of the lap before. If the head is there too, the ring is full: was so at the moment of this load,
                    // for the head is never further behind, nor the tail further ahead. SeqCst: S1, as if it had been done.
                    #[cfg(loom)]
                    fence(SeqCst);
                    if self.head.load(SeqCst).wrapping_add(self.one_lap()) == tail {
                        return Err(value);
                    }
                }
                look_again(&mut round);
                tail = self.tail.load(Relaxed);
            }
        }
    }

    #[inline]
    fn try_pop(&self) -> Option<T> {
        let (mut round, mut failures) = (0, 0);
        // Relaxed, here and below: the stamp decides.
        let mut head = self.head.load(Relaxed);
        loop {
            let slot = self.slot(head);
            // Acquire: pairs with the release by who has put what is there.
            let stamp = slot.stamp.load(Acquire);
            if stamp == head + 1 {
                // SeqCst: S1 of `Presence`.
                match self
                    .head
                    .compare_exchange_weak(head, self.next(head), SeqCst, Relaxed)
                {
                    Ok(_) => {
                        // SAFETY: we have advanced the head from a stamp that says that a value is there, so the slot is ours until we
                        // write the next one, and the value is initialized and nobody else takes it.
                        let value = unsafe { (*slot.value.get()).assume_init_read() };
                        // Release: pairs with the acquire in `try_push`.
                        slot.stamp.store(head.wrapping_add(self.one_lap()), Release);
                        return Some(value);
                    }
                    Err(now) => {
                        head = now;
                        back_off(&mut failures);
                    }
                }
            } else {
                if stamp == head {
                    // Nothing was written there in this lap. If the tail is there too, the ring is empty: was so at the moment of this load,
                    // for the tail is never behind the head. SeqCst: S1, as if it had been done.
                    #[cfg(loom)]
                    fence(SeqCst);
                    if self.tail.load(SeqCst) & !self.closed == head {
                        return None;
                    }
                }
                look_again(&mut round);
                head = self.head.load(Relaxed);
            }
        }
    }

    fn is_empty(&self) -> bool {
        // SeqCst: W2 of `Presence`. The tail is read later: if it is where the head was, the head was there still.
        let head = self.head.load(SeqCst);
        self.tail.load(SeqCst) & !self.closed == head
    }

    fn is_full(&self) -> bool {
        // SeqCst: W2 of `Presence`. The head is read later: if it is one lap behind where the tail was, the tail was there still.
        let tail = self.tail.load(SeqCst) & !self.closed;
        self.head.load(SeqCst).wrapping_add(self.one_lap()) == tail
    }

    fn len(&self) -> usize {
        loop {
            // SeqCst: as in `is_empty`. The tail must be the same twice, for the head to belong to it.
            let tail = self.tail.load(SeqCst);
            let head = self.head.load(SeqCst);
            if self.tail.load(SeqCst) == tail {
                let (front, back) = (self.index(head), self.index(tail));
                return match back.cmp(&front) {
                    std::cmp::Ordering::Greater => back - front,
                    std::cmp::Ordering::Less => self.slots.len() - front + back,
                    std::cmp::Ordering::Equal if tail & !self.closed == head => 0,
                    std::cmp::Ordering::Equal => self.slots.len(),
                };
            }
        }
    }

    fn capacity(&self) -> Option<usize> {
        Some(self.slots.len())
    }

    fn close(&self) {
        // Release: pairs with the fence in `try_push`. SeqCst: as all that is done to the tail.
        self.tail.fetch_or(self.closed, SeqCst);
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        if std::mem::needs_drop::<T>() {
            while let Some(value) = self.try_pop() {
                drop(value);
            }
        }
    }
}

/// After somebody else was faster: for longer each time, so that who has the line of the head or the tail can go on with it.
fn back_off(failures: &mut u32) {
    *failures += 1;
    if cfg!(not(loom)) {
        for _ in 0..1 << (*failures).min(MOST_DOUBLED) {
            std::hint::spin_loop();
        }
    }
}

/// Before one looks at a slot again that somebody else is about to leave.
fn look_again(round: &mut u32) {
    #[cfg(loom)]
    loom::thread::yield_now();
    *round += 1;
    match *round < LOOKS {
        true => std::hint::spin_loop(),
        false => std::thread::yield_now(),
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::thread;

    use super::*;

    /// Over many laps, also with sizes that are no powers of two.
    #[test]
    fn what_goes_in_comes_out_in_order() {
        for capacity in 1..6 {
            let ring = Ring::new(capacity);
            let (mut put, mut taken) = (0, 0);
            for round in 0..200 {
                while ring.try_push(put).is_ok() {
                    put += 1;
                    assert_eq!(ring.len(), put - taken);
                }
                assert!(ring.is_full() && ring.len() == capacity);
                for _ in 0..=round % capacity {
                    assert_eq!(ring.try_pop(), Some(taken));
                    taken += 1;
                    assert!(!ring.is_full() && ring.len() == put - taken);
                }
            }
            while let Some(value) = ring.try_pop() {
                assert_eq!(value, taken);
                taken += 1;
            }
            assert!(ring.is_empty() && ring.len() == 0 && put == taken);
        }
    }

    #[test]
    fn what_is_left_is_dropped_once() {
        let value = Arc::new(());
        let ring = Ring::new(3);
        for _ in 0..3 {
            ring.try_push(value.clone()).unwrap();
        }
        drop(ring.try_pop());
        ring.try_push(value.clone()).unwrap();
        ring.try_push(value.clone()).unwrap_err();
        assert_eq!(Arc::strong_count(&value), 4);
        drop(ring);
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn nothing_is_lost_between_threads() {
        const EACH: usize = 2000;
        for capacity in [1, 2, 7] {
            let (ring, sum) = (Ring::new(capacity), AtomicUsize::new(0));
            thread::scope(|scope| {
                for thread in 0..2 {
                    let (ring, sum) = (&ring, &sum);
                    scope.spawn(move || {
                        for number in 0..EACH {
                            while ring.try_push(2 * number + thread).is_err() {
                                thread::yield_now();
                            }
                        }
                    });
                    scope.spawn(move || {
                        for _ in 0..EACH {
                            loop {
                                if let Some(value) = ring.try_pop() {
                                    sum.fetch_add(value, Relaxed);
                                    break;
                                }
                                thread::yield_now();
                            }
                        }
                    });
                }
            });
            assert_eq!(sum.into_inner(), (2 * EACH - 1) * EACH);
        }
    }
}
