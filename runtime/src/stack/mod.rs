//! Floor 1: the memory that greenlets run on.
//!
//! A [`Stack`] is the right to one slot of a slab: a guard and, above it, memory that costs nothing until it
//! is touched. A [`Pool`] (one a runtime) maps the slabs and keeps the stacks that came back; a [`Cache`]
//! (one a worker) keeps a few of them at hand, so that most takes and gives share nothing with other workers.
//!
//! ```text
//!            take                    draw                         first hand-out
//!   worker <------ Cache (LIFO) <------------ Pool: warm, cold <----------------- slab
//!          ------>              ------------>       |    ^
//!            give                   shelve          +----+ trim: memory goes back after a second
//! ```
//!
//! A stack that is handed out again still holds what was on it. One that is dropped instead of given back is
//! lost: its memory stays until the process ends, for somebody may still have frames there.
//!
//! `guard` puts up the guards, `slab` maps and cuts, `shelf` is the list of one class, `sys` the only door to
//! the kernel.

mod cache;
mod class;
mod guard;
mod pool;
mod shelf;
mod slab;
#[cfg_attr(any(target_os = "linux", target_os = "android"), path = "sys_linux.rs")]
#[cfg_attr(
    not(any(target_os = "linux", target_os = "android")),
    path = "sys_plain.rs"
)]
mod sys;
mod sys_unix;
#[cfg(all(test, not(loom)))]
mod tests;

pub(crate) use cache::Cache;
pub(crate) use class::Class;
pub(crate) use guard::Guard;
pub(crate) use pool::Pool;

pub(crate) use slab::{Room, room_for_thread};

use slab::Slot;
use std::ptr::NonNull;

/// The owned right to one slot: memory that nobody else touches, with a guard below.
///
/// # Invariant
/// `bottom..top` lies in the usable bytes of one slot of the pool `pool`, and there is no other `Stack` or
/// `Slot` for it.
#[derive(Debug)]
#[must_use = "a stack that is dropped is lost"]
pub(crate) struct Stack {
    bottom: NonNull<u8>,
    pool: PoolId,
    class: Class,
    /// How many steps the top lies below the end of the slot.
    colour: u8,
}

// SAFETY: a stack is plain memory that belongs to the owner of the `Stack`, on whatever thread.
unsafe impl Send for Stack {}

/// Tells the pools of a process apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PoolId(u32);

/// Tops lie at this many different distances from the ends of their slots. Measured with five lines touched on
/// each stack in turn: 16 stacks take half the time that they take with equal tops; from 48 on it makes no
/// difference. More would help a few more stacks, but eat of the one page that a parked greenlet should cost.
const COLOURS: usize = 8;
/// Bytes from one such distance to the next: two cache lines of 64 bytes, which are fetched as a pair.
const COLOUR_STEP: usize = 128;

impl Stack {
    /// The stack in `slot`, which is one of `class` of the pool `pool`, in a system of pages of `1 <<
    /// page_shift` bytes.
    ///
    /// Slots are a whole number of pages apart, so without a difference between their tops the frames that
    /// each greenlet uses most would all fall into the same few sets of the cache. Neighbours are an odd
    /// number of pages apart (but for stacks of one page), so the number of its page tells a slot's colour.
    /// The top page is the same whatever the colour.
    fn new(slot: Slot, class: Class, pool: PoolId, page_shift: u32) -> Stack {
        let bottom = slot.bottom();
        let colour = (bottom.addr().get() >> page_shift) % COLOURS;
        Stack {
            bottom,
            pool,
            class,
            colour: colour as u8,
        }
    }

    fn into_slot(self) -> Slot {
        // SAFETY: `bottom` came from the slot that this stack was made of, and the stack is given up.
        unsafe { Slot::from_bottom(self.bottom) }
    }

    /// The address just above the stack, where it starts to grow down from. A multiple of 16.
    pub(crate) fn top(&self) -> *mut u8 {
        let below_end = usize::from(self.colour) * COLOUR_STEP;
        // SAFETY: a slot of the class has so many usable bytes, and they are more than the colours take.
        unsafe { self.bottom.as_ptr().add(self.class.size() - below_end) }
    }

    /// The lowest usable address. The guard is below.
    pub(crate) fn bottom(&self) -> *mut u8 {
        self.bottom.as_ptr()
    }

    /// The size class.
    pub(crate) fn class(&self) -> Class {
        self.class
    }

    /// Gives all its memory back to the system: it is as if never used.
    pub(crate) fn clear(&mut self) {
        // SAFETY: the usable bytes of our slot, on which there is no frame while somebody can have the stack mutably.
        unsafe { sys::discard(self.bottom, self.class.size()) };
    }
}

/// How many bytes have been used of a stack of `class` whose lowest address is `bottom`, whole pages counted from its end: by whom ever,
/// since its memory was last given back. `None` if the system does not tell, or the stack is gone.
pub(crate) fn used(bottom: usize, class: Class) -> Option<usize> {
    let untouched = sys::untouched(bottom, class.size())?;
    Some(class.size() - untouched)
}

const _: () = assert!(
    size_of::<Option<Stack>>() == 16,
    "it lies in each greenlet's hot line"
);
