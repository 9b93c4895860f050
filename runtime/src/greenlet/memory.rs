//! The memory of cells: blocks of a few sizes, most of them at the hand of a worker.
//!
//! A greenlet that does nothing costs a cell and little else, so an allocator's work for it would show, and libc's does: a
//! cell is made in one home and freed in another, which it takes for different threads, and the heap of each grows page by
//! page, with a system call for each. Here blocks are cut from chunks, and go from hand to hand in *magazines*: chains of
//! a fixed length. A worker has two of each size, so that many blocks may come and go before it has to exchange one with
//! the depot, which all share. Bonwick and Adams, "Magazines and Vmem", 2001.
//!
//! A block that was cut stays a block: its memory is used for other cells, never for anything else. So what a process keeps
//! is bounded by the most cells that it had at a time; the stacks that went with them were twenty times as much, and are
//! given back. Larger cells, and those that ask for more alignment, go to the global allocator and back.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::{self, NonNull};
use std::sync::Mutex;

use super::renewed::Renewed;
use super::switch::Carrier;
use crate::base::fault::{self, Door};
use crate::base::lock::lock;
use crate::home::slot;

/// Sizes are multiples of this.
const STEP: usize = 32;
/// Blocks up to 1 KiB come from here: a cell without its closure and result has about 170 bytes.
const CLASSES: usize = 32;
/// What `STEP` leaves of that.
const ALIGN: usize = 32;
/// Blocks in a full magazine: so many spawns or ends before the depot's lock. Arbitrary.
const MAGAZINE: usize = 256;
/// The size of a class's first chunk; each next one is a quarter of all so far, until they are as large as the largest.
const FIRST_CHUNK: usize = 16 << 10;
/// Large enough that asking for it costs nothing to speak of. Not in huge pages: see ARCHITECTURE.md, "Measured decisions".
const LARGEST_CHUNK: usize = 2 << 20;

/// A free block.
struct Block {
    next: *mut Block,
}

/// A chain of free blocks of one size, which it owns.
struct Magazine {
    first: *mut Block,
    length: usize,
}

// SAFETY: free memory belongs to whoever has it, on any thread.
unsafe impl Send for Magazine {}

impl Magazine {
    const EMPTY: Self = Self {
        first: ptr::null_mut(),
        length: 0,
    };

    fn pop(&mut self) -> Option<NonNull<u8>> {
        let block = NonNull::new(self.first)?;
        // SAFETY: a block of the chain is free, and the chain's own.
        self.first = unsafe { block.as_ref() }.next;
        self.length -= 1;
        Some(block.cast())
    }

    /// # Safety
    /// `memory` is a block of this magazine's size that nobody uses.
    unsafe fn push(&mut self, memory: NonNull<u8>) {
        let block = memory.cast::<Block>();
        // SAFETY: it is ours now, larger than a `Block`, and aligned.
        unsafe { block.write(Block { next: self.first }) };
        self.first = block.as_ptr();
        self.length += 1;
    }
}

/// The free blocks of one worker.
pub(super) struct Cells([Pair; CLASSES]);

struct Pair {
    loaded: Cell<Magazine>,
    spare: Cell<Magazine>,
}

impl Cells {
    pub(super) fn new() -> Self {
        Self(
            [const {
                Pair {
                    loaded: Cell::new(Magazine::EMPTY),
                    spare: Cell::new(Magazine::EMPTY),
                }
            }; CLASSES],
        )
    }

    #[inline]
    fn take(&self, class: usize) -> NonNull<u8> {
        let pair = &self.0[class];
        let mut loaded = pair.loaded.replace(Magazine::EMPTY);
        let block = loaded.pop().unwrap_or_else(|| {
            loaded = pair.spare.replace(Magazine::EMPTY);
            if loaded.length == 0 {
                loaded = Depot::draw(class);
            }
            loaded.pop().expect("the depot's magazines are not empty")
        });
        pair.loaded.set(loaded);
        block
    }

    /// # Safety
    /// `memory` is a block of `class` that nobody uses.
    #[inline]
    unsafe fn give(&self, class: usize, memory: NonNull<u8>) {
        let pair = &self.0[class];
        let mut loaded = pair.loaded.replace(Magazine::EMPTY);
        if loaded.length == MAGAZINE {
            let full = pair.spare.replace(loaded);
            if full.length != 0 {
                Depot::stow(class, full);
            }
            loaded = Magazine::EMPTY;
        }
        // SAFETY: passed on.
        unsafe { loaded.push(memory) };
        pair.loaded.set(loaded);
    }
}

impl Drop for Cells {
    fn drop(&mut self) {
        for (class, pair) in self.0.iter().enumerate() {
            for half in [&pair.loaded, &pair.spare] {
                let magazine = half.replace(Magazine::EMPTY);
                if magazine.length != 0 {
                    Depot::stow(class, magazine);
                }
            }
        }
    }
}

/// What no worker has at hand.
struct Depot([Mutex<Store>; CLASSES]);

/// A forked child cuts its own chunks: what lies in the parent's depot, and with the workers that are not there, is left alone.
static DEPOT: Renewed<Depot> = Renewed::new(|| {
    Depot(
        [const {
            Mutex::new(Store {
                magazines: Vec::new(),
                loose: Magazine::EMPTY,
                chunk: 0..0,
                cut: 0,
            })
        }; CLASSES],
    )
});

struct Store {
    /// None is empty.
    magazines: Vec<Magazine>,
    /// What plain threads freed.
    loose: Magazine,
    /// The addresses of the rest of the last chunk.
    chunk: std::ops::Range<usize>,
    /// Bytes of all chunks.
    cut: usize,
}

impl Depot {
    /// This process's blocks of `class`.
    fn store(class: usize) -> &'static Mutex<Store> {
        &DEPOT.get().0[class]
    }

    /// A magazine with at least one block.
    #[cold]
    fn draw(class: usize) -> Magazine {
        let mut store = lock(Self::store(class));
        if let Some(magazine) = store.magazines.pop() {
            return magazine;
        }
        let mut magazine = std::mem::replace(&mut store.loose, Magazine::EMPTY);
        while magazine.length < MAGAZINE {
            let Some(block) = store.cut(class, magazine.length == 0) else {
                break;
            };
            // SAFETY: it was just cut.
            unsafe { magazine.push(block) };
        }
        magazine
    }

    #[cold]
    fn stow(class: usize, magazine: Magazine) {
        lock(Self::store(class)).magazines.push(magazine);
    }

    /// One block, for a plain thread.
    fn take(class: usize) -> NonNull<u8> {
        let mut store = lock(Self::store(class));
        if store.loose.length == 0
            && let Some(magazine) = store.magazines.pop()
        {
            store.loose = magazine;
        }
        let loose = store.loose.pop();
        loose.unwrap_or_else(|| store.cut(class, true).expect("a chunk was asked for"))
    }

    /// # Safety
    /// `memory` is a block of `class` that nobody uses.
    unsafe fn give(class: usize, memory: NonNull<u8>) {
        let mut store = lock(Self::store(class));
        // SAFETY: passed on.
        unsafe { store.loose.push(memory) };
        if store.loose.length == MAGAZINE {
            let full = std::mem::replace(&mut store.loose, Magazine::EMPTY);
            store.magazines.push(full);
        }
    }
}

impl Store {
    /// Cuts a block from the chunk; if that is used up, from a new one, if `more`.
    fn cut(&mut self, class: usize, more: bool) -> Option<NonNull<u8>> {
        let size = size(class);
        if self.chunk.len() < size {
            if !more {
                return None;
            }
            let wanted = (self.cut / 4).clamp(FIRST_CHUNK, LARGEST_CHUNK);
            // Where there is no room for a large one, there may be for a small one. And if not, the process ends, as it does
            // wherever Rust's own `Box` finds none: whoever spawns makes boxes too.
            let chunk = chunk(wanted).or_else(|_| chunk(FIRST_CHUNK));
            let (memory, bytes) = chunk.unwrap_or_else(|layout| handle_alloc_error(layout));
            let start = memory.as_ptr().expose_provenance();
            self.chunk = start..start + bytes;
            self.cut += bytes;
        }
        let block = self.chunk.start;
        self.chunk.start += size;
        NonNull::new(ptr::with_exposed_provenance_mut(block))
    }
}

/// Memory of `bytes` bytes to cut blocks from; what was asked for, if there is none.
fn chunk(bytes: usize) -> Result<(NonNull<u8>, usize), Layout> {
    let layout = Layout::from_size_align(bytes, ALIGN).expect("sizes that fit");
    fault::at(Door::Cells).map_err(|_| layout)?;
    // SAFETY: the size is not zero.
    let memory = NonNull::new(unsafe { alloc(layout) }).ok_or(layout)?;
    Ok((memory, bytes))
}

const fn size(class: usize) -> usize {
    (class + 1) * STEP
}

/// The class for a value of `T`, if there is one.
const fn class_of<T>() -> Option<usize> {
    let class = size_of::<T>().div_ceil(STEP);
    if class == 0 || class > CLASSES || align_of::<T>() > ALIGN {
        return None;
    }
    Some(class - 1)
}

/// The blocks of the worker that the caller is, or runs on. Not to be kept.
#[inline]
fn cells_here<'a>() -> Option<&'a Cells> {
    // SAFETY: the slot of the caller's own identity.
    let carrier = unsafe { (*slot()).carrier() }.cast::<Carrier>();
    // SAFETY: whoever is in the slot stays while its code runs, and is used by this thread alone.
    unsafe { carrier.as_ref() }.map(Carrier::cells)
}

/// Memory for a `T`, which may hold anything.
#[inline]
pub(super) fn room_for<T>() -> NonNull<T> {
    const { assert!(size_of::<T>() != 0) };
    if let Some(class) = class_of::<T>() {
        let block = match cells_here() {
            Some(cells) => cells.take(class),
            None => Depot::take(class),
        };
        return block.cast();
    }
    let layout = Layout::new::<T>();
    // SAFETY: the size is not zero.
    let memory = unsafe { alloc(layout) };
    NonNull::new(memory.cast()).unwrap_or_else(|| handle_alloc_error(layout))
}

/// Drops the value at `place`, and takes its memory back.
///
/// # Safety
/// `place` came from `room_for` and holds a value, which is not used again.
#[inline]
pub(super) unsafe fn remove<T>(place: NonNull<T>) {
    // SAFETY: as promised.
    unsafe { place.drop_in_place() };
    let memory = place.cast::<u8>();
    match class_of::<T>() {
        Some(class) => match cells_here() {
            // SAFETY: a block of this class, which is free now.
            Some(cells) => unsafe { cells.give(class, memory) },
            // SAFETY: as above.
            None => unsafe { Depot::give(class, memory) },
        },
        // SAFETY: `room_for` got it from there, with this layout.
        None => unsafe { dealloc(memory.as_ptr(), Layout::new::<T>()) },
    }
}
