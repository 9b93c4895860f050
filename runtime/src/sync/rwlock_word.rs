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

/// The steps of `raw_rwlock`, with a line of flags beside the threads that wait.
#[cfg(all(test, loom))]
mod loom_tests {
    use std::collections::VecDeque;

    use loom::cell::UnsafeCell;
    use loom::sync::atomic::AtomicUsize;
    use loom::sync::{Arc, Mutex, MutexGuard};
    use loom::thread::{self, Thread};

    use super::*;

    const WAITS: usize = 0;
    const RETRY: usize = 1;
    const HANDED: usize = 2;
    const GONE: usize = 3;

    struct Waiter {
        reads: bool,
        ended: AtomicUsize,
        thread: Thread,
    }

    impl Waiter {
        fn new(reads: bool) -> Arc<Self> {
            Arc::new(Self {
                reads,
                ended: AtomicUsize::new(WAITS),
                thread: thread::current(),
            })
        }

        fn park(&self) -> usize {
            loop {
                match self.ended.load(Acquire) {
                    WAITS => thread::park(),
                    ended => return ended,
                }
            }
        }

        fn claim(&self, tag: usize) -> bool {
            let claim = self.ended.compare_exchange(WAITS, tag, Release, Relaxed);
            claim.is_ok()
        }
    }

    type Line<'a> = MutexGuard<'a, VecDeque<Arc<Waiter>>>;

    struct Raw {
        word: RwLockWord,
        line: Mutex<VecDeque<Arc<Waiter>>>,
        value: UnsafeCell<u32>,
        handing: bool,
    }

    impl Raw {
        fn read(&self) {
            if self.word.try_read() {
                return;
            }
            let me = Waiter::new(true);
            {
                let mut line = self.line.lock().unwrap();
                if self.word.read_or_wait(line.is_empty()) {
                    return;
                }
                line.push_back(me.clone());
            }
            assert_eq!(me.park(), HANDED);
            self.was_handed();
        }

        fn was_handed(&self) -> bool {
            drop(self.line.lock().unwrap());
            true
        }

        fn write(&self) {
            if self.word.try_write() {
                return;
            }
            loop {
                let me = Waiter::new(false);
                {
                    let mut line = self.line.lock().unwrap();
                    if self.word.write_or_wait() {
                        return;
                    }
                    line.push_front(me.clone());
                }
                let has = match me.park() {
                    HANDED => self.was_handed(),
                    _ => self.word.try_write(),
                };
                if has {
                    return;
                }
            }
        }

        /// One whose time is up at once. Whether it has the lock.
        fn write_impatiently(&self) -> bool {
            if self.word.try_write() {
                return true;
            }
            let me = Waiter::new(false);
            {
                let mut line = self.line.lock().unwrap();
                if self.word.write_or_wait() {
                    return true;
                }
                line.push_back(me.clone());
            }
            let has = match me.ended.compare_exchange(WAITS, GONE, Acquire, Acquire) {
                Ok(_) => {
                    let mut line = self.line.lock().unwrap();
                    line.retain(|other| !Arc::ptr_eq(other, &me));
                    false
                }
                Err(HANDED) => self.was_handed(),
                Err(_) => self.word.try_write(),
            };
            if !has {
                self.admit();
            }
            has
        }

        fn unlock_read(&self) {
            if self.word.unlock_read() && self.word.last_reader() {
                self.pass_on();
            }
        }

        fn unlock_write(&self) {
            if !self.word.unlock_write() {
                self.pass_on();
            }
        }

        fn take_readers(line: &mut Line<'_>) -> Vec<Arc<Waiter>> {
            let mut taken = Vec::new();
            while line.front().is_some_and(|first| first.reads) {
                let first = line.pop_front().unwrap();
                if first.claim(HANDED) {
                    taken.push(first);
                }
            }
            taken
        }

        fn wake(taken: Vec<Arc<Waiter>>) {
            taken.iter().for_each(|waiter| waiter.thread.unpark());
        }

        fn pass_on(&self) {
            let mut line = self.line.lock().unwrap();
            let readers = Self::take_readers(&mut line);
            if !readers.is_empty() {
                self.word
                    .pass_to_readers(readers.len() as u64, !line.is_empty());
                drop(line);
                return Self::wake(readers);
            }
            let tag = if self.handing { HANDED } else { RETRY };
            let mut claimed = None;
            while line.front().is_some_and(|first| !first.reads) {
                let first = line.pop_front().unwrap();
                if first.claim(tag) {
                    claimed = Some(first);
                    break;
                }
            }
            let waiters = !line.is_empty();
            match claimed.is_some() && self.handing {
                true => self.word.pass_to_writer(waiters),
                false => self.word.pass_to_readers(0, waiters),
            }
            drop(line);
            match claimed {
                Some(claimed) => claimed.thread.unpark(),
                None if waiters => self.admit(),
                None => {}
            }
        }

        fn admit(&self) {
            let mut line = self.line.lock().unwrap();
            if line.is_empty() {
                return self.word.nobody_waits();
            }
            if !self.word.try_share() {
                return;
            }
            let readers = Self::take_readers(&mut line);
            readers.iter().for_each(|_| self.word.add_share());
            if line.is_empty() {
                self.word.nobody_waits();
            }
            drop(line);
            Self::wake(readers);
            self.unlock_read();
        }

        /// With the lock: loom reports a writer beside anybody else as a race.
        fn change(&self) {
            self.value.with_mut(|_| ());
        }

        fn look(&self) {
            self.value.with(|_| ());
        }
    }

    fn model(handing: bool, act: [fn(&Raw); 3]) {
        loom::model(move || {
            let raw = Arc::new(Raw {
                word: RwLockWord::new(),
                line: Mutex::new(VecDeque::new()),
                value: UnsafeCell::new(0),
                handing,
            });
            let [first, second, third] = act;
            let threads = [first, second].map(|act| {
                let raw = raw.clone();
                thread::spawn(move || act(&raw))
            });
            third(&raw);
            for thread in threads {
                thread.join().unwrap();
            }
            assert!(raw.word.is_free() && raw.line.lock().unwrap().is_empty());
        });
    }

    fn reads(raw: &Raw) {
        raw.read();
        raw.look();
        raw.unlock_read();
    }

    fn writes(raw: &Raw) {
        raw.write();
        raw.change();
        raw.unlock_write();
    }

    fn writes_or_leaves(raw: &Raw) {
        if raw.write_impatiently() {
            raw.change();
            raw.unlock_write();
        }
    }

    fn writes_then_reads(raw: &Raw) {
        raw.write();
        raw.change();
        if raw.word.downgrade() {
            raw.admit();
        }
        raw.look();
        raw.unlock_read();
    }

    #[test]
    fn loom_readers_and_a_writer() {
        model(false, [reads, writes, reads]);
        model(true, [reads, writes, reads]);
    }

    #[test]
    fn loom_writers_and_a_reader() {
        model(false, [writes, writes, reads]);
        model(true, [writes, writes, reads]);
    }

    #[test]
    fn loom_a_writer_leaves_the_line() {
        model(false, [reads, writes_or_leaves, reads]);
        model(false, [writes, writes_or_leaves, reads]);
        model(true, [writes, writes_or_leaves, writes]);
    }

    #[test]
    fn loom_a_writer_becomes_a_reader() {
        model(false, [writes_then_reads, writes, reads]);
    }
}
