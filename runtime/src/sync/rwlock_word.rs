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
//!
//! Who is taken out of the line may go on, and change the word, before the one that took it out releases the line's lock. So the
//! word is right before a wait is ended: a share is added first, and a writer that is handed the lock finds `WRITER` as it was. If
//! that one gives the lock back at once it finds `WAITERS` as well, and waits for the line's lock.
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

    /// One more share, for one that is going to be taken out of the line. By who has a share, under the line's lock.
    pub(super) fn add_share(&self) {
        // Relaxed: the wait's end brings the new reader what the caller has seen.
        self.0.fetch_add(READER, Relaxed);
    }

    /// Nobody is left in the line. Under its lock.
    pub(super) fn nobody_waits(&self) {
        self.0.fetch_and(!WAITERS, Relaxed);
    }

    /// Takes back a share that was added for nobody. By who has another one, under the line's lock.
    pub(super) fn take_share(&self) {
        // Relaxed: nobody had it.
        self.0.fetch_sub(READER, Relaxed);
    }

    /// Whoever has the lock exclusively leaves it. Under the line's lock; `waiters`: whether somebody is left there.
    pub(super) fn leave(&self, waiters: bool) {
        // Release: as in `unlock_read`. A store will do: while `WRITER` is set only those under the line's lock change the word.
        self.0.store(if waiters { WAITERS } else { 0 }, Release);
    }

    /// Whether nobody has the lock. By who has it alone.
    pub(super) fn is_free(&self) -> bool {
        self.0.load(Relaxed) & !WAITERS == 0
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use std::collections::VecDeque;

    use loom::cell::Cell;
    use loom::sync::atomic::AtomicU32;
    use loom::sync::{Arc, Mutex, MutexGuard};
    use loom::thread;

    /// What a waiter's wait is: under way, ended by a claim, or ended by its deadline. The first change counts.
    const WAITS: u32 = 0;
    const RETRY: u32 = 1;
    const HANDED: u32 = 2;
    const TIMED_OUT: u32 = 3;

    /// One in the line.
    struct Waiter {
        reader: bool,
        wait: AtomicU32,
        thread: thread::Thread,
    }

    impl Waiter {
        fn new(reader: bool) -> Arc<Self> {
            Arc::new(Self {
                reader,
                wait: AtomicU32::new(WAITS),
                thread: thread::current(),
            })
        }

        /// Ends its wait, if nothing has. From here on it may go on: it was not asleep perhaps.
        fn claim(&self, with: u32) -> bool {
            let claim = self.wait.compare_exchange(WAITS, with, AcqRel, Acquire);
            claim.is_ok()
        }

        /// What has ended its wait.
        fn park(&self) -> u32 {
            loop {
                match self.wait.load(Acquire) {
                    WAITS => thread::park(),
                    ended => return ended,
                }
            }
        }
    }

    type Line<'a> = MutexGuard<'a, VecDeque<Arc<Waiter>>>;

    /// A lock, step by step as in `raw_rwlock.rs`.
    struct Model {
        word: RwLockWord,
        line: Mutex<VecDeque<Arc<Waiter>>>,
        /// Whether all writers have waited for so long that they are handed the lock.
        hands_over: bool,
        value: Cell<u32>,
    }

    impl Model {
        fn new(hands_over: bool) -> Arc<Self> {
            Arc::new(Self {
                word: RwLockWord::new(),
                line: Mutex::new(VecDeque::new()),
                hands_over,
                value: Cell::new(0),
            })
        }

        /// `impatient`: its time is up as soon as it waits. Whether it has a share.
        fn read(&self, impatient: bool) -> bool {
            if self.word.try_read() {
                return true;
            }
            let waiter = Waiter::new(true);
            {
                let mut line = self.line.lock().unwrap();
                if self.word.read_or_wait(line.is_empty()) {
                    return true;
                }
                line.push_back(waiter.clone());
            }
            if impatient && waiter.claim(TIMED_OUT) {
                self.leave(&waiter);
                return false;
            }
            waiter.park() == HANDED
        }

        /// As `read`; whether it has the lock.
        fn write(&self, impatient: bool) -> bool {
            if self.word.try_write() {
                return true;
            }
            let mut first_time = true;
            loop {
                let waiter = Waiter::new(false);
                {
                    let mut line = self.line.lock().unwrap();
                    if self.word.write_or_wait() {
                        return true;
                    }
                    match first_time {
                        true => line.push_back(waiter.clone()),
                        false => line.push_front(waiter.clone()),
                    }
                }
                if impatient && waiter.claim(TIMED_OUT) {
                    self.leave(&waiter);
                    self.admit();
                    return false;
                }
                if waiter.park() == HANDED {
                    return true;
                }
                first_time = false;
                if self.word.try_write() {
                    return true;
                }
                if impatient {
                    self.admit();
                    return false;
                }
            }
        }

        fn leave(&self, waiter: &Arc<Waiter>) {
            let mut line = self.line.lock().unwrap();
            line.retain(|other| !Arc::ptr_eq(other, waiter));
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

        fn downgrade(&self) {
            if self.word.downgrade() {
                self.admit();
            }
        }

        fn pass_on(&self) {
            loop {
                let line = self.line.lock().unwrap();
                if line.front().is_none_or(|first| !first.reader) {
                    return self.pass_to_writer(line);
                }
                let _ = self.word.downgrade();
                if !self.let_in(line) {
                    return;
                }
            }
        }

        fn pass_to_writer(&self, mut line: Line<'_>) {
            let with = if self.hands_over { HANDED } else { RETRY };
            let claimed = take(&mut line, false, with);
            let waiters = !line.is_empty();
            match claimed.is_some() && self.hands_over {
                true if waiters => {}
                true => self.word.nobody_waits(),
                false => self.word.leave(waiters),
            }
            drop(line);
            match claimed {
                Some(claimed) => claimed.thread.unpark(),
                None if waiters => self.admit(),
                None => {}
            }
        }

        fn admit(&self) {
            let line = self.line.lock().unwrap();
            if line.is_empty() {
                self.word.nobody_waits();
                return;
            }
            if self.word.try_share() && self.let_in(line) {
                self.pass_on();
            }
        }

        fn let_in(&self, mut line: Line<'_>) -> bool {
            let mut readers = Vec::new();
            loop {
                self.word.add_share();
                match take(&mut line, true, HANDED) {
                    Some(reader) => readers.push(reader),
                    None => break,
                }
            }
            self.word.take_share();
            if line.is_empty() {
                self.word.nobody_waits();
            }
            drop(line);
            readers.iter().for_each(|reader| reader.thread.unpark());
            self.word.unlock_read() && self.word.last_reader()
        }

        /// By who has a share: loom checks that nobody writes.
        fn value(&self) -> u32 {
            self.value.get()
        }

        /// By who has the lock: loom checks that nobody else is here.
        fn add(&self) {
            self.value.set(self.value.get() + 1);
        }

        /// One that writes, and whether it did.
        fn writer(&self, impatient: bool) -> u32 {
            let locked = self.write(impatient);
            if locked {
                self.add();
                self.unlock_write();
            }
            u32::from(locked)
        }

        fn reader(&self, impatient: bool) {
            if self.read(impatient) {
                self.value();
                self.unlock_read();
            }
        }

        /// By who comes last: the lock is free, nobody is in the line, and it was written so many times.
        fn assert_written(&self, times: u32) {
            assert!(self.word.is_free(), "nobody has it: {:?}", self.word);
            assert!(self.write(false));
            assert_eq!(self.value(), times);
            self.unlock_write();
            assert!(self.line.lock().unwrap().is_empty());
        }
    }

    /// Takes the first one out of the line that waits still, as long as it is a reader, or a writer.
    fn take(line: &mut Line<'_>, reader: bool, with: u32) -> Option<Arc<Waiter>> {
        while line.front().is_some_and(|first| first.reader == reader) {
            let first = line.pop_front()?;
            if first.claim(with) {
                return Some(first);
            }
        }
        None
    }

    /// Runs `one` and `other` beside a writer.
    fn beside_a_writer(
        hands_over: bool,
        one: impl Fn(&Model) -> u32 + Copy + Send + Sync + 'static,
        other: impl Fn(&Model) -> u32 + Copy + Send + Sync + 'static,
    ) {
        loom::model(move || {
            let model = Model::new(hands_over);
            let theirs = model.clone();
            let first = thread::spawn(move || one(&theirs));
            let theirs = model.clone();
            let second = thread::spawn(move || other(&theirs));
            let written = model.writer(false);
            let more = first.join().unwrap() + second.join().unwrap();
            model.assert_written(written + more);
        });
    }

    fn reads(model: &Model) -> u32 {
        model.reader(false);
        0
    }

    fn writes(model: &Model) -> u32 {
        model.writer(false)
    }

    fn writes_and_reads(model: &Model) -> u32 {
        assert!(model.write(false));
        model.add();
        model.downgrade();
        model.value();
        model.unlock_read();
        1
    }

    #[test]
    fn loom_rwlock_word_two_readers() {
        beside_a_writer(false, reads, reads);
    }

    #[test]
    fn loom_rwlock_word_a_reader_and_a_writer() {
        beside_a_writer(false, reads, writes);
    }

    #[test]
    fn loom_rwlock_word_a_reader_and_a_writer_that_is_handed_it() {
        beside_a_writer(true, reads, writes);
    }

    #[test]
    fn loom_rwlock_word_downgraded() {
        beside_a_writer(false, reads, writes_and_reads);
    }

    #[test]
    fn loom_rwlock_word_handed_over_and_downgraded() {
        beside_a_writer(true, reads, writes_and_reads);
    }

    #[test]
    fn loom_rwlock_word_a_writer_leaves() {
        beside_a_writer(false, reads, |model| model.writer(true));
    }

    #[test]
    fn loom_rwlock_word_a_writer_leaves_or_is_handed_it() {
        beside_a_writer(true, writes, |model| model.writer(true));
    }

    #[test]
    fn loom_rwlock_word_a_reader_leaves() {
        beside_a_writer(false, reads, |model| {
            model.reader(true);
            0
        });
    }
}
