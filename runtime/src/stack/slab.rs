//! Slabs: mappings that hold many slots of one class, and the list in which a fault handler finds them.
//!
//! A slot is a guard and, above it, the usable bytes of a stack. Slots lie next to each other, so one mapping
//! serves any number of them. A slot is handed out for the first time as a [`Bare`], which becomes a [`Slot`]
//! when its guard is up.

use super::class::Class;
use super::guard::{self, Guard, Raised};
use super::sys;
use std::io;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// The right to one slot whose guard is up: its lowest usable address.
///
/// # Invariant
/// There is one `Slot` (or `Stack`) for each slot of a slab that has been guarded, and only its owner touches
/// the slot.
#[derive(Debug)]
pub(super) struct Slot(NonNull<u8>);

// SAFETY: a slot is plain memory that belongs to the owner of the `Slot`, on whatever thread.
unsafe impl Send for Slot {}

impl Slot {
    /// # Safety
    ///
    /// `bottom` came from `bottom` of a `Slot` that is given up for this one.
    pub(super) unsafe fn from_bottom(bottom: NonNull<u8>) -> Slot {
        Slot(bottom)
    }

    /// The lowest usable address.
    pub(super) fn bottom(&self) -> NonNull<u8> {
        self.0
    }
}

/// The right to one slot that has no guard yet.
#[derive(Debug)]
pub(super) struct Bare {
    slab: Arc<Slab>,
    index: usize,
}

impl Bare {
    /// Whether it is of `slab`.
    pub(super) fn is_of(&self, slab: &Arc<Slab>) -> bool {
        Arc::ptr_eq(&self.slab, slab)
    }

    /// Puts up the guards of several, all of one slab, if that can be done in one call; hands them back if not.
    pub(super) fn guard_all(
        first: Bare,
        more: Vec<Bare>,
        guard: Guard,
    ) -> Result<(Slot, Vec<Slot>), (Bare, Vec<Bare>)> {
        debug_assert!(more.iter().all(|bare| bare.is_of(&first.slab)));
        let slab = Arc::clone(&first.slab);
        let base = |bare: &Bare| {
            // SAFETY: the slot lies within the slab, since `Slab::bare` made it so.
            unsafe { slab.base.add(bare.index * slab.stride) }
        };
        let bases: Vec<_> = std::iter::once(&first).chain(&more).map(base).collect();
        // SAFETY: as in `guard`, for each.
        let Some(raised) = (unsafe { guard.raise_all(&bases, slab.guard) }) else {
            return Err((first, more));
        };
        let mut slots = bases.into_iter().map(|base| {
            slab.note(raised);
            // SAFETY: as in `guard`.
            Slot(unsafe { base.add(slab.guard) })
        });
        let first = slots.next().expect("there is a first");
        Ok((first, slots.collect()))
    }

    /// Puts up the guard; hands the slot back if that fails.
    pub(super) fn guard(self, guard: Guard) -> Result<Slot, (Bare, io::Error)> {
        let slab = &*self.slab;
        // SAFETY: the slot lies within the slab, since `Slab::bare` made it so.
        let base = unsafe { slab.base.add(self.index * slab.stride) };
        // SAFETY: the slot is ours (`Bare` is the right to it) and nobody has used it; its lowest bytes are
        // the guard's.
        match unsafe { guard.raise(base, slab.guard) } {
            Ok(raised) => {
                slab.note(raised);
                // SAFETY: the stride is larger than the guard, so this is within the slot.
                Ok(Slot(unsafe { base.add(slab.guard) }))
            }
            Err(error) => Err((self, error)),
        }
    }
}

/// A mapping cut into slots. Unmapped when dropped.
#[derive(Debug)]
pub(super) struct Slab {
    base: NonNull<u8>,
    /// The number of slots.
    slots: usize,
    /// Bytes from one slot to the next.
    stride: usize,
    /// Bytes of the guard at the low end of each.
    guard: usize,
    /// How many slots have their guards. Written by who guards one, read by who drops the pool and so has
    /// seen all of that happen: relaxed. The next likewise.
    guarded: AtomicUsize,
    /// How many of these guards are mappings of their own.
    protected: AtomicUsize,
    /// The slab mapped before, in the pool's list.
    next: AtomicPtr<Slab>,
}

// SAFETY: the pointers are addresses of memory to which `Slot` and `Bare` give the rights, one each; the slab
// itself never touches it but to unmap it.
unsafe impl Send for Slab {}
// SAFETY: as above; all that changes behind a shared reference is atomic.
unsafe impl Sync for Slab {}

/// Address space that must still be there after a slab is mapped, for the heap would abort the process
/// without. Arbitrary.
const SPACE_LEFT: usize = 4 << 20;

impl Slab {
    /// Maps a slab of `slots` slots, or as many as there is room for, but one at least.
    pub(super) fn map(class: Class, slots: usize) -> io::Result<Slab> {
        let guard = sys::page_size();
        let stride = class.size() + guard;
        let mut slots = slots.max(1);
        loop {
            let len = slots * stride;
            match map_and_leave(len) {
                Ok(base) => {
                    return Ok(Slab {
                        base,
                        slots,
                        stride,
                        guard,
                        guarded: AtomicUsize::new(0),
                        protected: AtomicUsize::new(0),
                        next: AtomicPtr::new(ptr::null_mut()),
                    });
                }
                // The second is the answer where mappings are locked by default.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::OutOfMemory | io::ErrorKind::WouldBlock
                    ) =>
                {
                    if slots == 1 {
                        return Err(no_space(class, &error));
                    }
                    slots /= 2;
                }
                Err(error) => return Err(no_space(class, &error)),
            }
        }
    }

    /// The right to the slot `index`.
    ///
    /// # Safety
    ///
    /// `index` is below `slots`, and nobody has asked for it before.
    pub(super) unsafe fn bare(self: &Arc<Self>, index: usize) -> Bare {
        debug_assert!(index < self.slots);
        Bare {
            slab: Arc::clone(self),
            index,
        }
    }

    /// The lowest address.
    pub(super) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// The number of slots.
    pub(super) fn slots(&self) -> usize {
        self.slots
    }

    /// The bytes of address space.
    fn len(&self) -> usize {
        self.slots * self.stride
    }

    /// How many slots have their guards.
    pub(super) fn guarded(&self) -> usize {
        self.guarded.load(Ordering::Relaxed)
    }

    fn note(&self, raised: Raised) {
        self.guarded.fetch_add(1, Ordering::Relaxed);
        if raised == Raised::Protected {
            self.protected.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn contains(&self, address: usize) -> bool {
        address.wrapping_sub(self.base.addr().get()) < self.len()
    }

    fn slot_at(&self, address: usize) -> Option<SlotInfo> {
        if !self.contains(address) {
            return None;
        }
        let base = self.base.addr().get();
        let start = address - (address - base) % self.stride;
        let bottom = start + self.guard;
        Some(SlotInfo {
            bottom,
            top: start + self.stride,
            in_guard: address < bottom,
        })
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        // SAFETY: the mapping is the slab's. The pool drops a slab only when all its slots have come back;
        // the rights to those not yet handed out hold the slab.
        let unmapped = unsafe { sys::unmap(self.base, self.len()) };
        if unmapped.is_err() {
            // The kernel makes one mapping of neighbours; to cut ours out of it may take one more than the process may have.
            // So the address space is lost, and the guards stay; the memory need not be.
            //
            // SAFETY: nobody has any of it, as above.
            unsafe { sys::discard(self.base, self.len()) };
            return;
        }
        guard::release_mappings(*self.protected.get_mut());
    }
}

/// The slot that an address lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotInfo {
    /// The lowest usable address of its stack.
    pub(crate) bottom: usize,
    /// The address just above its stack.
    pub(crate) top: usize,
    /// Whether the address lies in the guard, below `bottom`.
    pub(crate) in_guard: bool,
}

/// The slabs of a pool, the latest first: a list that only grows, so it can be read by a signal handler at
/// any time.
///
/// # Invariant
/// Each pointer in the list stands for one reference of an `Arc`, held until the list is dropped.
#[derive(Debug)]
pub(super) struct Slabs {
    head: AtomicPtr<Slab>,
}

impl Slabs {
    /// No slabs.
    pub(super) const fn new() -> Self {
        Slabs {
            head: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Adds a slab.
    pub(super) fn push(&self, slab: Arc<Slab>) {
        let slab = Arc::into_raw(slab).cast_mut();
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            // SAFETY: the reference put into the list keeps the slab alive.
            unsafe { &*slab }.next.store(head, Ordering::Relaxed);
            // Release: pairs with the load in `iter`, which must see the slab's fields and its `next`.
            match self
                .head
                .compare_exchange_weak(head, slab, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(other) => head = other,
            }
        }
    }

    /// The slot that `address` lies in. Async-signal-safe: neither locks nor allocates.
    pub(super) fn find(&self, address: usize) -> Option<SlotInfo> {
        self.iter().find_map(|slab| slab.slot_at(address))
    }

    fn iter(&self) -> impl Iterator<Item = &Slab> {
        // Acquire: pairs with the exchange in `push`, and with those before it, of whose release sequences it
        // is a part: the slabs behind the first are published as well.
        let mut slab = self.head.load(Ordering::Acquire);
        std::iter::from_fn(move || {
            // SAFETY: a pointer in the list is null or keeps its slab alive as long as the list.
            let this = unsafe { slab.as_ref() }?;
            slab = this.next.load(Ordering::Relaxed);
            Some(this)
        })
    }

    /// Takes all slabs out.
    pub(super) fn take(&mut self) -> Vec<Arc<Slab>> {
        let mut slabs = Vec::new();
        let mut slab = std::mem::replace(self.head.get_mut(), ptr::null_mut());
        while !slab.is_null() {
            // SAFETY: the pointer stands for one reference (invariant of the list), and is no longer in the list.
            let this = unsafe { Arc::from_raw(slab) };
            slab = this.next.load(Ordering::Relaxed);
            slabs.push(this);
        }
        slabs
    }
}

impl Drop for Slabs {
    fn drop(&mut self) {
        self.take();
    }
}

/// How much address space was promised and may not have been taken yet. A child after a fork may have some that nobody will take, and
/// does with so much less.
static PROMISED: AtomicUsize = AtomicUsize::new(0);

/// Address space that is there for whoever has this, until it is dropped: others leave so much.
#[derive(Debug)]
#[must_use]
pub(crate) struct Room(usize);

impl Room {
    /// An error unless there is so much, for the rest of the process what it needs, and for others what they were promised.
    ///
    /// It is not found out by mapping so much: while that lasted, a thread that has just been started could miss what it was promised.
    fn new(bytes: usize) -> io::Result<Self> {
        // First promised and then looked: of two that do so at the same time, each sees the other's. Relaxed: it is a sum, and what it
        // is compared with is the kernel's.
        let promised = PROMISED.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let room = Self(bytes);
        match sys::address_space_left() {
            Some(left) if left < promised + SPACE_LEFT => Err(io::Error::new(
                io::ErrorKind::OutOfMemory,
                format!("{} KiB are left", left >> 10),
            )),
            _ => Ok(room),
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // Relaxed: as above.
        PROMISED.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// Maps so many bytes, if there are `SPACE_LEFT` then.
fn map_and_leave(len: usize) -> io::Result<NonNull<u8>> {
    let _room = Room::new(len)?;
    if sys::address_space_left().is_some() {
        return sys::map(len);
    }
    let base = sys::map(len + SPACE_LEFT)?;
    // SAFETY: the mapping is `SPACE_LEFT` bytes longer than `len`.
    let rest = unsafe { base.add(len) };
    // A failure would waste address space and do no other harm.
    //
    // SAFETY: the end of the mapping just made, which nobody knows of yet.
    let _ = unsafe { sys::unmap(rest, SPACE_LEFT) };
    Ok(base)
}

/// Address space for threads that take `bytes` of it, to be held until they have taken it; an error if there is not enough.
///
/// To be asked before a thread is started: where there is room for the thread's stack and not for the alternate one that std
/// gives it next, std ends the process. It has done that when the thread's closure runs.
pub(crate) fn room_for_thread(bytes: usize) -> io::Result<Room> {
    Room::new(bytes).map_err(|error| {
        io::Error::new(
            io::ErrorKind::OutOfMemory,
            format!(
                "no address space for another thread: {error}; use less of it, or {}",
                sys::ADDRESS_SPACE_ADVICE,
            ),
        )
    })
}

fn no_space(class: Class, error: &io::Error) -> io::Error {
    io::Error::new(
        io::ErrorKind::OutOfMemory,
        format!(
            "no address space for another stack of {} KiB: {error}. Use smaller stacks, run fewer greenlets at a time, {}",
            class.size() >> 10,
            sys::ADDRESS_SPACE_ADVICE,
        ),
    )
}
