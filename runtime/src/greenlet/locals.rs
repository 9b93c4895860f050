//! Values of which each greenlet has its own: where they lie, and how they end.
//!
//! A header holds one pointer, null until the greenlet first uses such a value. It leads to a table, which has a slot for each
//! `Local` by its number, up to the highest used. Each value lies in a box of its own, so a growing table moves none of them.
//!
//! Only the greenlet itself reads and writes its table, on whatever worker it runs, and no reference into the table is held
//! while code of the user's runs: an initializer or a destructor may use others, and suspend. A value is made at its first use and
//! dropped by `end`, in the greenlet; so it need not be `Send`. `find` gives references that last as long as the caller is there,
//! which is gone before `end`.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use super::handle::Myself;
use super::sys_fork::is_severed;
use crate::base::abort::run_or_abort;

/// One value a greenlet, found by a number of its own.
pub(crate) struct Local<T: 'static> {
    /// Below the length of every table that has a slot for it; `UNNUMBERED` until it is first used.
    ///
    /// # Invariant
    /// Written once, with a number that no other has had.
    number: AtomicUsize,
    /// It makes values and gives references: none but those of exactly this type.
    values: PhantomData<fn(T) -> T>,
}

/// The number of one that has not been used.
const UNNUMBERED: usize = usize::MAX;
/// The next number. Relaxed everywhere: a number means nothing beside itself, and a table is one greenlet's.
static NUMBERS: AtomicUsize = AtomicUsize::new(0);

/// The value is being dropped, or has been.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gone;

/// A value, and how it is dropped.
#[repr(C)]
struct Room<T> {
    head: Head,
    value: T,
}

/// What all rooms begin with.
struct Head {
    /// Frees the room with its value.
    free: unsafe fn(NonNull<Head>),
}

#[derive(Clone, Copy)]
enum Slot {
    /// Not used yet.
    Unset,
    /// Its initializer runs.
    Making,
    /// The room, of the type that the number stands for.
    There(NonNull<Head>),
    /// Its destructor has begun.
    Gone,
}

/// The values of one greenlet: see the module.
pub(super) struct Locals {
    /// # Invariant
    /// Null, or from a box. Touched by the greenlet alone.
    table: Cell<*mut Vec<Slot>>,
}

impl<T> Local<T> {
    /// One that nobody has used.
    pub(crate) const fn new() -> Self {
        Self {
            number: AtomicUsize::new(UNNUMBERED),
            values: PhantomData,
        }
    }

    /// The value of the greenlet that calls, from `make` if there is none yet.
    ///
    /// # Panics
    ///
    /// If `make` does, or asks for the same value.
    #[inline]
    #[track_caller]
    pub(crate) fn find<'a>(&self, me: &'a Myself, make: impl FnOnce() -> T) -> Result<&'a T, Gone> {
        match self.there(me) {
            Some(value) => Ok(value),
            None => self.make(me, make),
        }
    }

    /// The value, if it has been made and not dropped.
    #[inline]
    fn there<'a>(&self, me: &'a Myself) -> Option<&'a T> {
        // SAFETY: the caller is the greenlet.
        match unsafe { me.locals.slot(self.number.load(Relaxed)) } {
            // SAFETY: the number is ours alone, so the room is a `Room<T>`. It stays until `end`, which comes after whatever
            // the greenlet has called has returned; a destructor that `end` calls finds `Gone` for its own value.
            Slot::There(room) => Some(unsafe { &room.cast::<Room<T>>().as_ref().value }),
            _ => None,
        }
    }

    #[cold]
    #[track_caller]
    fn make<'a>(&self, me: &'a Myself, make: impl FnOnce() -> T) -> Result<&'a T, Gone> {
        let number = self.number();
        let locals = &me.locals;
        // SAFETY: the caller is the greenlet.
        match unsafe { locals.slot(number) } {
            Slot::Gone => return Err(Gone),
            Slot::Making => panic!("the initializer of a greenlet-local value asks for that value"),
            // A number is seen by whoever has used it; if it were not, this would be the same value.
            Slot::There(_) => {}
            Slot::Unset => {
                let making = Making::new(locals, number);
                let room = Box::new(Room {
                    head: Head {
                        free: Room::<T>::free,
                    },
                    value: make(),
                });
                making.made(NonNull::from(Box::leak(room)).cast());
            }
        }
        Ok(self.there(me).expect("it has just been made"))
    }

    /// Its number, given out at the first use.
    fn number(&self) -> usize {
        let number = self.number.load(Relaxed);
        if number != UNNUMBERED {
            return number;
        }
        let fresh = NUMBERS.fetch_add(1, Relaxed);
        let swapped = self
            .number
            .compare_exchange(UNNUMBERED, fresh, Relaxed, Relaxed);
        match swapped {
            Ok(_) => fresh,
            // Somebody else was first; ours is never used.
            Err(number) => number,
        }
    }
}

impl<T> Room<T> {
    /// # Safety
    /// `room` is the head of a `Room<T>` from a box, and is not used again.
    unsafe fn free(room: NonNull<Head>) {
        // SAFETY: as promised; `repr(C)` puts the head first, and the pointer was made from the whole room.
        drop(unsafe { Box::from_raw(room.cast::<Self>().as_ptr()) });
    }
}

/// A slot whose initializer runs: unset again if that panics.
struct Making<'a> {
    locals: &'a Locals,
    number: usize,
}

impl<'a> Making<'a> {
    fn new(locals: &'a Locals, number: usize) -> Self {
        // SAFETY: only `Local::make` calls this, in the greenlet.
        unsafe { locals.set(number, Slot::Making) };
        Self { locals, number }
    }

    fn made(self, room: NonNull<Head>) {
        // SAFETY: as in `new`.
        unsafe { self.locals.set(self.number, Slot::There(room)) };
        mem::forget(self);
    }
}

impl Drop for Making<'_> {
    fn drop(&mut self) {
        // SAFETY: as in `new`.
        unsafe { self.locals.set(self.number, Slot::Unset) };
    }
}

impl Locals {
    /// Of a greenlet that has used none.
    pub(super) const fn new() -> Self {
        Self {
            table: Cell::new(ptr::null_mut()),
        }
    }

    /// # Safety
    /// The caller is the greenlet.
    #[inline]
    unsafe fn slot(&self, number: usize) -> Slot {
        // SAFETY: the greenlet's own, and nobody has a mutable reference for longer than `set` runs.
        let table = unsafe { self.table.get().as_ref() };
        let slot = table.and_then(|table| table.get(number));
        slot.copied().unwrap_or(Slot::Unset)
    }

    /// # Safety
    /// The caller is the greenlet.
    unsafe fn set(&self, number: usize, slot: Slot) {
        if self.table.get().is_null() {
            self.table.set(Box::into_raw(Box::new(Vec::new())));
        }
        // SAFETY: the greenlet's own, from a box, and nobody has a reference for longer than `slot` runs.
        let table = unsafe { &mut *self.table.get() };
        if table.len() <= number {
            table.resize(number + 1, Slot::Unset);
        }
        table[number] = slot;
    }

    /// Drops the values of the greenlet, which has come to its end: in it, one by one, until no destructor has made another.
    ///
    /// # Safety
    /// The caller is the greenlet, called once, below everything that found a value.
    #[inline]
    pub(super) unsafe fn end(&self) {
        if !self.table.get().is_null() {
            // SAFETY: passed on.
            unsafe { self.end_some() };
        }
    }

    /// # Safety
    /// As for `end`, and there is a table.
    #[cold]
    #[inline(never)]
    unsafe fn end_some(&self) {
        if is_severed() {
            // In a child made by `fork`, which ends at once.
            return;
        }
        // A destructor may make values that were not there, but no second one of the same: the passes come to an end.
        run_or_abort("the destructor of a greenlet-local value", || {
            // SAFETY: passed on.
            while unsafe { self.drop_pass() } {}
        });
        let table = self.table.replace(ptr::null_mut());
        // SAFETY: from a box, and nothing refers to it any more.
        drop(unsafe { Box::from_raw(table) });
    }

    /// Drops each value that is there now. Whether there was one.
    ///
    /// # Safety
    /// As for `end`, and there is a table.
    unsafe fn drop_pass(&self) -> bool {
        let mut some = false;
        // SAFETY: the greenlet's own.
        let slots = unsafe { (&*self.table.get()).len() };
        for number in (0..slots).rev() {
            // SAFETY: the caller is the greenlet.
            if let Slot::There(room) = unsafe { self.slot(number) } {
                some = true;
                // SAFETY: as above. The slot no longer leads to the room, and who found the value has returned.
                unsafe {
                    self.set(number, Slot::Gone);
                    (room.as_ref().free)(room);
                }
            }
        }
        some
    }
}

impl fmt::Debug for Locals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Locals").finish_non_exhaustive()
    }
}
