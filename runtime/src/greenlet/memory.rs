//! The memory of cells: blocks of a few sizes, kept at the hand of the worker that freed them last.
//!
//! A greenlet that does nothing costs a cell and little else, so an allocator's work for it would show: those of libc keep
//! a handful of blocks per thread at hand, and a cell is often made in one home and freed in another. Blocks that do not
//! fit here, or come from a plain thread, go to the global allocator and back. So does everything when the worker ends.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::{self, NonNull};

use super::switch::Carrier;
use crate::home::slot;

/// Sizes are multiples of this, a cache line.
const STEP: usize = 64;
/// What the global allocators of 64-bit systems give anyway.
const ALIGN: usize = 16;
/// Blocks up to 1 KiB are kept: a cell without its closure and result has about 200 bytes.
const CLASSES: usize = 16;
/// How many bytes of one size a worker keeps at most: some thousand cells, a batch that is spawned and joined. Arbitrary.
const ROOM: usize = 512 << 10;

/// A free block.
struct Block {
    next: *mut Block,
}

/// The free blocks of one worker.
pub(super) struct Cells {
    lists: [Cell<*mut Block>; CLASSES],
    lengths: [Cell<usize>; CLASSES],
}

impl Cells {
    pub(super) fn new() -> Self {
        Self {
            lists: [const { Cell::new(ptr::null_mut()) }; CLASSES],
            lengths: [const { Cell::new(0) }; CLASSES],
        }
    }

    fn take(&self, class: usize) -> Option<NonNull<u8>> {
        let list = &self.lists[class];
        let block = NonNull::new(list.get())?;
        // SAFETY: what is in a list is a free block, which is the list's own.
        list.set(unsafe { block.as_ref() }.next);
        self.lengths[class].set(self.lengths[class].get() - 1);
        Some(block.cast())
    }

    /// Keeps a block if there is room.
    ///
    /// # Safety
    /// `memory` has the size and the alignment of `class`, and nobody uses it.
    unsafe fn give(&self, class: usize, memory: NonNull<u8>) -> bool {
        let length = self.lengths[class].get();
        if length * size(class) >= ROOM {
            return false;
        }
        let block = memory.cast::<Block>();
        let next = self.lists[class].replace(block.as_ptr());
        // SAFETY: the memory is ours now, large enough and aligned.
        unsafe { block.write(Block { next }) };
        self.lengths[class].set(length + 1);
        true
    }
}

impl Drop for Cells {
    fn drop(&mut self) {
        for class in 0..CLASSES {
            while let Some(memory) = self.take(class) {
                // SAFETY: blocks come from the global allocator, with this layout.
                unsafe { dealloc(memory.as_ptr(), layout(class)) };
            }
        }
    }
}

fn size(class: usize) -> usize {
    (class + 1) * STEP
}

fn layout(class: usize) -> Layout {
    Layout::from_size_align(size(class), ALIGN).expect("a small size")
}

/// The class for a value of `T`, if there is one.
const fn class_of<T>() -> Option<usize> {
    let class = size_of::<T>().div_ceil(STEP);
    if size_of::<T>() == 0 || class > CLASSES || align_of::<T>() > ALIGN {
        return None;
    }
    Some(class - 1)
}

/// Does `f` with the blocks of the worker that the caller is, or runs on.
fn with_cells<R>(f: impl FnOnce(&Cells) -> R) -> Option<R> {
    // SAFETY: the slot of the caller's own identity.
    let carrier = unsafe { (*slot()).carrier() }.cast::<Carrier>();
    // SAFETY: whoever is in the slot stays while its code runs, and is used by this thread alone.
    unsafe { carrier.as_ref() }.map(|carrier| f(carrier.cells()))
}

/// Moves `value` to the heap.
pub(super) fn place<T>(value: T) -> NonNull<T> {
    let Some(class) = class_of::<T>() else {
        return NonNull::from(Box::leak(Box::new(value)));
    };
    let kept = with_cells(|cells| cells.take(class)).flatten();
    let memory = kept.unwrap_or_else(|| {
        // SAFETY: the size is not zero.
        NonNull::new(unsafe { alloc(layout(class)) })
            .unwrap_or_else(|| handle_alloc_error(layout(class)))
    });
    let place = memory.cast::<T>();
    // SAFETY: fresh memory of the class, which is large enough for a `T` and aligned.
    unsafe { place.write(value) };
    place
}

/// Takes the value back from the heap.
///
/// # Safety
/// `place` came from `place`, and is not used again.
pub(super) unsafe fn remove<T>(place: NonNull<T>) -> T {
    let Some(class) = class_of::<T>() else {
        // SAFETY: made by `Box::new` then.
        return *unsafe { Box::from_raw(place.as_ptr()) };
    };
    // SAFETY: it is there, and not read again.
    let value = unsafe { place.read() };
    let memory = place.cast();
    // SAFETY: the value is out; the memory is of this class.
    if with_cells(|cells| unsafe { cells.give(class, memory) }) != Some(true) {
        // SAFETY: as in `drop`.
        unsafe { dealloc(memory.as_ptr(), layout(class)) };
    }
    value
}
