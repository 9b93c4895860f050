//! The cache: a few stacks at a worker's hand.
//!
//! Last in, first out, so that the next greenlet finds the lines of the last one's stack in the processor's
//! cache. Nothing here is shared but a counter that only the owner writes; when a list runs empty or over,
//! half of it is exchanged with the pool.
#![forbid(unsafe_code)]

use super::Stack;
use super::class::Class;
use super::pool::{InUse, Pool};
use super::slab::Slot;
use std::cell::Cell;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Stacks of one class in a cache at most. Arbitrary; the memory in them is not given back while they are here.
const ROOM: usize = 32;
/// Address space of the stacks of one class in a cache at most, so fewer of the larger ones and, from 16 MiB
/// on, none: 32 of the default size.
const ROOM_BYTES: usize = ROOM * Class::DEFAULT_SIZE;

/// A few stacks of a pool at the hand of one worker.
#[derive(Debug)]
pub(crate) struct Cache {
    pool: Arc<Pool>,
    /// By class, the one to use first last.
    slots: [Vec<Slot>; Class::COUNT],
    in_use: Arc<InUse>,
    /// One worker's: the counter has one writer.
    not_sync: PhantomData<Cell<()>>,
}

impl Cache {
    /// An empty cache of `pool`.
    pub(crate) fn new(pool: Arc<Pool>) -> Cache {
        Cache {
            in_use: pool.enlist(),
            slots: Default::default(),
            pool,
            not_sync: PhantomData,
        }
    }

    /// Whether a stack of `class` is at hand.
    pub(crate) fn has(&self, class: Class) -> bool {
        !self.slots[class.index()].is_empty()
    }

    /// Takes a stack, as [`Pool::take`] does.
    ///
    /// # Errors
    ///
    /// As of [`Pool::take`]. Free stacks may lie in other workers' caches then.
    pub(crate) fn take(&mut self, class: Class) -> io::Result<Stack> {
        let slots = &mut self.slots[class.index()];
        let slot = match slots.pop() {
            Some(slot) => slot,
            None => self.pool.draw(class, (room(class) / 2).max(1), slots)?,
        };
        self.count(1);
        Ok(self.pool.stack(slot, class))
    }

    /// Takes a stack back, whichever cache of the pool it was taken from.
    ///
    /// # Panics
    ///
    /// If the stack is another pool's.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn give(&mut self, stack: Stack) {
        self.count_passed(false);
        self.give_passed(stack);
    }

    /// Takes back a stack that no longer counts as in use.
    ///
    /// # Panics
    ///
    /// As `give`.
    pub(crate) fn give_passed(&mut self, stack: Stack) {
        let (slot, class) = self.pool.slot(stack);
        let slots = &mut self.slots[class.index()];
        slots.push(slot);
        if slots.len() > room(class) {
            let oldest = slots.len() - room(class) / 2;
            self.pool.shelve(class, slots.drain(..oldest));
        }
    }

    /// Counts a stack that was taken as no longer in use, or as in use again: it is about to be given back, or passed on.
    pub(crate) fn count_passed(&self, in_use: bool) {
        self.count(if in_use { 1 } else { -1 });
    }

    /// Gives all stacks in the cache to the pool, where others can take them and their memory can be given back.
    pub(crate) fn flush(&mut self) {
        for class in Class::all() {
            let slots = &mut self.slots[class.index()];
            if !slots.is_empty() {
                self.pool.shelve(class, slots.drain(..));
            }
        }
    }

    /// Adds to the counter. It has one writer, so this is no read-modify-write.
    fn count(&self, change: isize) {
        let count = self.in_use.load(Ordering::Relaxed);
        self.in_use.store(count + change, Ordering::Relaxed);
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        self.flush();
        self.pool.delist(&self.in_use);
    }
}

/// How many stacks of a class a cache holds at most.
fn room(class: Class) -> usize {
    ROOM.min(ROOM_BYTES / class.size())
}
