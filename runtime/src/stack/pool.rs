//! The pool: all stacks of a runtime, shared between its workers.
//!
//! Each class has a shelf behind a lock of its own; locks here are leaves, and at most one is held at a time.
//! Workers come here through their caches. The fault handler asks [`Pool::find`].

use super::class::Class;
use super::guard::Guard;
use super::shelf::{Fresh, Shelf};
use super::slab::{Bare, Slab, Slabs, Slot, SlotInfo};
use super::{PoolId, Stack, sys};
use crate::base::lock::lock;
use crossbeam_utils::CachePadded;
use std::io;
use std::mem;
use std::sync::atomic::{AtomicIsize, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Address space of the first slab of a class: 64 stacks of the default size.
const FIRST_SLAB: usize = 64 * Class::DEFAULT_SIZE;
/// Address space of a slab at most; each is twice as large as the one before it. So a million stacks of the
/// default size lie in 39 slabs.
const LARGEST_SLAB: usize = 8 << 30;
/// How many stacks one call of `trim` cools at most: half a millisecond, or one and a half where guards are
/// protected pages.
pub(super) const TRIM_BATCH: usize = 1024;

/// The number of stacks in use as one thread counts them: less than zero when it gives back more than it
/// takes. Only the sum means anything, and only to somebody who has seen the others stop; so relaxed
/// everywhere.
pub(super) type InUse = CachePadded<AtomicIsize>;

/// All stacks of a runtime.
#[derive(Debug)]
pub(crate) struct Pool {
    id: PoolId,
    guard: Guard,
    page_shift: u32,
    slabs: Slabs,
    shelves: [CachePadded<Mutex<Shelf>>; Class::COUNT],
    counters: Mutex<Vec<Arc<InUse>>>,
    /// Stacks in use that no counter of a cache has: taken from the pool itself, or by caches that are gone.
    uncached: InUse,
    rare: CachePadded<Rare>,
}

/// What is written now and then, kept off the lines that every `take` reads.
#[derive(Debug)]
struct Rare {
    /// Slots ever handed out. A count that leads to no other memory: relaxed.
    reserved: AtomicUsize,
    /// Bit `c`: the shelf of class `c` may have something to cool. Changed under the lock of that shelf, so
    /// relaxed; who reads it without misses at most what is being put there at that moment, and who puts it
    /// there trims later.
    stirred: AtomicU32,
}

impl Pool {
    /// A pool without any memory yet.
    pub(crate) fn new(guard: Guard) -> Pool {
        // Unique for four thousand million pools. Relaxed: a number and nothing else.
        static NEXT_ID: AtomicU32 = AtomicU32::new(0);
        Pool {
            id: PoolId(NEXT_ID.fetch_add(1, Ordering::Relaxed)),
            guard,
            page_shift: sys::page_size().trailing_zeros(),
            slabs: Slabs::new(),
            shelves: Default::default(),
            counters: Mutex::default(),
            uncached: InUse::default(),
            rare: CachePadded::new(Rare {
                reserved: AtomicUsize::new(0),
                stirred: AtomicU32::new(0),
            }),
        }
    }

    /// Takes a stack: one that is warm, else one that is cold, else one never used before.
    ///
    /// # Errors
    ///
    /// `OutOfMemory` if there is no address space for a stack or no means to guard it; the text says which
    /// limit to raise. Nothing is lost: the next call may succeed.
    #[allow(dead_code, reason = "workers go through their caches, tests do not")]
    pub(crate) fn take(&self, class: Class) -> io::Result<Stack> {
        let mut slots = Vec::new();
        let slot = self.draw(class, 1, &mut slots)?;
        self.uncached.fetch_add(1, Ordering::Relaxed);
        Ok(self.stack(slot, class))
    }

    /// Takes a stack back.
    ///
    /// # Panics
    ///
    /// If the stack is another pool's.
    #[allow(dead_code, reason = "workers go through their caches, tests do not")]
    pub(crate) fn give(&self, stack: Stack) {
        let (slot, class) = self.slot(stack);
        self.uncached.fetch_sub(1, Ordering::Relaxed);
        self.shelve(class, [slot]);
    }

    /// Gives memory under stacks back to the system that nobody has asked for in the last second, and says
    /// when to call again: at once if there is more to do, `None` if there is nothing left to wait for until
    /// another stack is given back.
    ///
    /// Takes a millisecond or two at most. Any thread may call it, and several may at once.
    pub(crate) fn trim(&self, now: Instant) -> Option<Instant> {
        let stirred = self.rare.stirred.load(Ordering::Relaxed);
        let mut left = TRIM_BATCH;
        Class::all()
            .filter(|class| stirred & bit(*class) != 0)
            .filter_map(|class| self.trim_class(class, now, &mut left))
            .min()
    }

    /// Whether `trim` may have something to do, now or later. Exact for what the caller gave back itself.
    pub(crate) fn is_stirred(&self) -> bool {
        self.rare.stirred.load(Ordering::Relaxed) != 0
    }

    /// The number of stacks taken and not yet given back. Exact when no worker takes or gives any at the same
    /// time.
    pub(crate) fn in_use(&self) -> usize {
        let counters = lock(&self.counters);
        let cached = counters
            .iter()
            .map(|counter| counter.load(Ordering::Relaxed));
        let all = self.uncached.load(Ordering::Relaxed) + cached.sum::<isize>();
        usize::try_from(all).unwrap_or(0)
    }

    /// The number of stacks there are: in use, in caches or in the pool. It never falls.
    pub(crate) fn reserved(&self) -> usize {
        self.rare.reserved.load(Ordering::Relaxed)
    }

    /// The stack or guard that `address` lies in. Async-signal-safe.
    pub(crate) fn find(&self, address: usize) -> Option<SlotInfo> {
        self.slabs.find(address)
    }

    /// Takes one slot and up to `most - 1` more, which go to `spare`, the one to use first last: of those that have been used
    /// before, or, where there are many already, of those that never were.
    pub(super) fn draw(
        &self,
        class: Class,
        most: usize,
        spare: &mut Vec<Slot>,
    ) -> io::Result<Slot> {
        let (mut bare, more) = {
            let mut shelf = self.shelf(class);
            if shelf.draw(most, spare)
                && let Some(slot) = spare.pop()
            {
                return Ok(slot);
            }
            let bare = self.bare(class, &mut shelf)?;
            let more = match self.guard.can_raise_all() {
                true => shelf.more_bare(&bare, most - 1),
                false => Vec::new(),
            };
            (bare, more)
        };
        if !more.is_empty() {
            match self.guard_all(class, bare, more, spare) {
                Ok(slot) => return Ok(slot),
                Err(first) => bare = first,
            }
        }
        match bare.guard(self.guard) {
            Ok(slot) => {
                self.rare.reserved.fetch_add(1, Ordering::Relaxed);
                Ok(slot)
            }
            Err((bare, error)) => {
                self.shelf(class).bare.push(bare);
                Err(error)
            }
        }
    }

    /// Takes slots back.
    pub(super) fn shelve(&self, class: Class, slots: impl IntoIterator<Item = Slot>) {
        let mut shelf = self.shelf(class);
        shelf.put(slots);
        if self.rare.stirred.load(Ordering::Relaxed) & bit(class) == 0 {
            self.rare.stirred.fetch_or(bit(class), Ordering::Relaxed);
        }
    }

    /// The stack in a slot of `class` of this pool.
    pub(super) fn stack(&self, slot: Slot, class: Class) -> Stack {
        Stack::new(slot, class, self.id, self.page_shift)
    }

    /// The slot under a stack of this pool.
    pub(super) fn slot(&self, stack: Stack) -> (Slot, Class) {
        assert!(
            stack.pool == self.id,
            "a stack goes back to the runtime it is from"
        );
        let class = stack.class;
        (stack.into_slot(), class)
    }

    /// A new counter of stacks in use.
    pub(super) fn enlist(&self) -> Arc<InUse> {
        let counter = Arc::<InUse>::default();
        lock(&self.counters).push(Arc::clone(&counter));
        counter
    }

    /// Closes a counter and takes over what it counted.
    pub(super) fn delist(&self, counter: &Arc<InUse>) {
        let mut counters = lock(&self.counters);
        counters.retain(|other| !Arc::ptr_eq(other, counter));
        self.uncached
            .fetch_add(counter.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    fn shelf(&self, class: Class) -> impl std::ops::DerefMut<Target = Shelf> {
        lock(&self.shelves[class.index()])
    }

    /// Makes one slot ready and those that will be asked for next, which go to `spare`, if several guards can be put up in
    /// one call. If not, the others are put by.
    fn guard_all(
        &self,
        class: Class,
        first: Bare,
        more: Vec<Bare>,
        spare: &mut Vec<Slot>,
    ) -> Result<Slot, Bare> {
        match Bare::guard_all(first, more, self.guard) {
            Ok((first, more)) => {
                self.rare
                    .reserved
                    .fetch_add(1 + more.len(), Ordering::Relaxed);
                // The lowest is used first.
                spare.extend(more.into_iter().rev());
                Ok(first)
            }
            Err((first, more)) => {
                self.shelf(class).bare.extend(more.into_iter().rev());
                Err(first)
            }
        }
    }

    /// A slot that has never been used.
    fn bare(&self, class: Class, shelf: &mut Shelf) -> io::Result<Bare> {
        if let Some(bare) = shelf.bare.pop() {
            return Ok(bare);
        }
        let fresh = match &mut shelf.slab {
            Some(fresh) if fresh.next < fresh.slab.slots() => fresh,
            last => {
                let slots = last
                    .as_ref()
                    .map_or(FIRST_SLAB / class.size(), |last| 2 * last.slab.slots())
                    .min(LARGEST_SLAB / class.size());
                let slab = Arc::new(Slab::map(class, slots)?);
                self.slabs.push(Arc::clone(&slab));
                last.insert(Fresh { slab, next: 0 })
            }
        };
        // SAFETY: `next` is below `slots`, and counts up under the shelf's lock, so no index is asked for twice.
        let bare = unsafe { fresh.slab.bare(fresh.next) };
        fresh.next += 1;
        Ok(bare)
    }

    fn trim_class(&self, class: Class, now: Instant, left: &mut usize) -> Option<Instant> {
        let mut cooling = self.shelf(class).ripe(now, *left);
        if cooling.len() > 0 {
            *left -= cooling.len();
            // Neighbours are given back together, with the guards between them: a million stacks are not a
            // million calls.
            cooling.whole.sort_unstable_by_key(Slot::bottom);
            let page = 1 << self.page_shift;
            let stride = class.size() + page;
            let neighbours = |low: &Slot, high: &Slot| {
                low.bottom().addr().get() + stride == high.bottom().addr().get()
            };
            for run in cooling.whole.chunk_by(neighbours) {
                let len = (run.len() - 1) * stride + class.size();
                // SAFETY: all from the bottom of the first to the end of the last belongs to these slots,
                // whose owner we are: nobody needs what they hold.
                unsafe { sys::discard(run[0].bottom(), len) };
            }
            for slot in &cooling.below_top {
                // SAFETY: we own the slot, and this is less than its usable bytes.
                unsafe { sys::discard(slot.bottom(), class.size() - page) };
            }
        }
        let mut shelf = self.shelf(class);
        shelf.put_cooled(cooling);
        let due = shelf.due(now);
        if due.is_none() {
            self.rare.stirred.fetch_and(!bit(class), Ordering::Relaxed);
        }
        due
    }
}

impl Drop for Pool {
    /// Unmaps the slabs, except those with stacks that have not come back: there may be frames on them to
    /// which somebody has references, so they stay for good. The caches are gone, since each holds the pool.
    fn drop(&mut self) {
        // A runtime that gave greenlets up leaves their stacks out.
        if self.in_use() != 0 {
            self.leak_slabs_in_use();
        }
    }
}

impl Pool {
    /// Takes the slabs with stacks that have not come back out of the reach of the destructor.
    fn leak_slabs_in_use(&mut self) {
        let mut slabs = self.slabs.take();
        slabs.sort_unstable_by_key(|slab| slab.base());
        let mut back = vec![0; slabs.len()];
        for shelf in &mut self.shelves {
            let shelf = shelf.get_mut().unwrap_or_else(PoisonError::into_inner);
            for slot in shelf.guarded() {
                let after = slabs.partition_point(|slab| slab.base() <= slot.bottom());
                back[after - 1] += 1;
            }
        }
        for (slab, back) in slabs.into_iter().zip(back) {
            if back < slab.guarded() {
                mem::forget(slab);
            }
        }
    }
}

fn bit(class: Class) -> u32 {
    1 << class.index()
}
