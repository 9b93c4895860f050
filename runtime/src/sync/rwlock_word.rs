//! The word of a reader-writer lock.
//!
//! | bits | meaning |
//! |------|---------|
//! | 0    | `WRITER`: somebody has the lock exclusively |
//! | 1    | `WAITERS`: somebody may be in the line |
//! | 2-63 | how many have it shared; none while `WRITER` is set |
//!
//! Without `WAITERS` anybody changes the word by one operation. `WAITERS` is set and taken back under the line's lock. While it is set
//! no new reader comes in by itself, so readers that come and go do not keep a writer out; a writer may, if nobody has the lock
//! (`RawRwLock` says when that ends).
//!
//! No wake-up is lost. Who is going to wait sets `WAITERS` in a word that shows why it has to, under the line's lock, and is in the
//! line before that is released. The last reader to leave, and the writer, see the bit and look into the line: the reader makes itself
//! the writer first (`last_reader`), and if it cannot, somebody else has, and will look there.
#![forbid(unsafe_code)]

use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use crate::base::sync::AtomicU64;

const WRITER: u64 = 1;
const WAITERS: u64 = 2;
const READER: u64 = 4;
/// More readers than there can be guards in memory: somebody forgets them in a loop.
const TOO_MANY: u64 = 1 << 62;

/// See the module.
#[derive(Debug)]
pub(super) struct RwLockWord(AtomicU64);

impl RwLockWord {
    /// Free.
    #[cfg(not(loom))]
    pub(super) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Free. (loom's atomics are not made in constants.)
    #[cfg(loom)]
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Changes the word if `change` says to what. Acquire: pairs with the releases of those who leave.
    #[inline]
    fn change(&self, change: impl Fn(u64) -> Option<u64>) -> bool {
        let mut word = self.0.load(Relaxed);
        while let Some(new) = change(word) {
            match self.0.compare_exchange_weak(word, new, AcqRel, Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// Takes a share, if nobody has the lock exclusively and nobody waits.
    #[inline]
    pub(super) fn try_read(&self) -> bool {
        self.change(|word| {
            assert!(word < TOO_MANY, "too many readers of a lock");
            (word & (WRITER | WAITERS) == 0).then_some(word + READER)
        })
    }

    /// Takes a share, if nobody has the lock exclusively, also before those who wait.
    pub(super) fn try_share(&self) -> bool {
        self.change(|word| (word & WRITER == 0).then_some(word + READER))
    }

    /// Takes the lock exclusively, if nobody has it.
    #[inline]
    pub(super) fn try_write(&self) -> bool {
        self.change(|word| (word & !WAITERS == 0).then_some(word | WRITER))
    }

    /// Gives a share back. True if it was the last one and somebody may wait: see `last_reader`.
    #[inline]
    #[must_use]
    pub(super) fn unlock_read(&self) -> bool {
        // Release: pairs with the acquire of the next writer.
        self.0.fetch_sub(READER, Release) == READER | WAITERS
    }

    /// Takes the lock exclusively for who was the last reader, to pass it on. If it fails, somebody else will pass it on.
    #[must_use]
    pub(super) fn last_reader(&self) -> bool {
        self.change(|word| (word == WAITERS).then_some(WRITER | WAITERS))
    }

    /// Gives the exclusive lock back, if nobody waits. Else it has to be passed on.
    #[inline]
    #[must_use]
    pub(super) fn unlock_write(&self) -> bool {
        // Release: as in `unlock_read`.
        self.0.compare_exchange(WRITER, 0, Release, Relaxed).is_ok()
    }

    /// The exclusive lock becomes a share. True if others wait, who may be readers: see `RawRwLock::admit`.
    #[must_use]
    pub(super) fn downgrade(&self) -> bool {
        // Release: what was written is seen by the other readers.
        self.0.fetch_add(READER - WRITER, Release) & WAITERS != 0
    }

    /// Takes the lock exclusively, or says that there will be a waiter. True if the lock was taken. Under the line's lock.
    #[must_use]
    pub(super) fn write_or_wait(&self) -> bool {
        let mut word = self.0.load(Relaxed);
        loop {
            let taken = word & !WAITERS == 0;
            let new = word | if taken { WRITER } else { WAITERS };
            // Acquire: as in `change`.
            match self.0.compare_exchange_weak(word, new, Acquire, Relaxed) {
                Ok(_) => return taken,
                Err(now) => word = now,
            }
        }
    }

    /// Takes a share, or says that there will be a waiter. True if the share was taken. Under the line's lock; `alone`: whether
    /// nobody is in the line.
    #[must_use]
    pub(super) fn read_or_wait(&self, alone: bool) -> bool {
        let mut word = self.0.load(Relaxed);
        loop {
            let taken = alone && word & WRITER == 0;
            let new = match taken {
                // With nobody in the line, what is left of `WAITERS` is out of date.
                true => (word & !WAITERS) + READER,
                false => word | WAITERS,
            };
            // Acquire: as in `change`.
            match self.0.compare_exchange_weak(word, new, Acquire, Relaxed) {
                Ok(_) => return taken,
                Err(now) => word = now,
            }
        }
    }

    /// One more share, for one that was taken out of the line by who has a share. Under the line's lock.
    pub(super) fn add_share(&self) {
        // Relaxed: the wait's end brings the new reader what the caller has seen.
        self.0.fetch_add(READER, Relaxed);
    }

    /// Nobody is left in the line. Under its lock.
    pub(super) fn nobody_waits(&self) {
        self.0.fetch_and(!WAITERS, Relaxed);
    }

    /// Whoever has the lock exclusively leaves it to `readers`, which were taken out of the line, or to nobody. Under the line's
    /// lock; `waiters`: whether somebody is left there.
    pub(super) fn pass_to_readers(&self, readers: u64, waiters: bool) {
        // Release: as in `unlock_read`. A store will do: while `WRITER` is set only those under the line's lock change the word.
        self.0.store(
            (readers * READER) | if waiters { WAITERS } else { 0 },
            Release,
        );
    }

    /// Whoever has the lock exclusively leaves it to a writer that was taken out of the line. As `pass_to_readers`.
    pub(super) fn pass_to_writer(&self, waiters: bool) {
        // Relaxed: the wait's end brings the new writer what the old one did.
        self.0
            .store(WRITER | if waiters { WAITERS } else { 0 }, Relaxed);
    }

    /// Whether nobody has the lock. By who has it alone.
    pub(super) fn is_free(&self) -> bool {
        self.0.load(Relaxed) & !WAITERS == 0
    }
}
