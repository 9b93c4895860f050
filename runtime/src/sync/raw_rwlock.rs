//! A reader-writer lock without data or poison: the word and the line.
//!
//! A free lock is taken and given back by one atomic operation, and so is a share of it while nobody waits. Those who cannot
//! have it wait in one line, first come, first served: a reader that comes when somebody waits goes to the end, so readers do not
//! starve a writer; when its turn comes, all readers that follow it directly are let in with it.
//!
//! When a writer is the first in the line and the lock becomes free, it is woken, and until it comes the lock is free for another
//! writer; one that has waited for longer than `PATIENCE` is handed the lock, so that it does not starve. Readers are always handed
//! theirs.
#![forbid(unsafe_code)]

use std::pin::pin;
use std::ptr;
use std::time::{Duration, Instant};

use super::rwlock_word::RwLockWord;
use crate::greenlet::Claimed;
use crate::park::graph::{self, How, Lock};
use crate::park::{Ended, Locked, Reason, Turn, Wait, WaitQueue};

/// As that of a mutex.
const PATIENCE: Duration = Duration::from_micros(500);

/// How a writer's wait ends: the lock is free, or was a moment ago.
const RETRY: u16 = 0;
/// How a wait ends: the lock, or a share, is the waiter's.
const HANDED: u16 = 1;

/// One in the line.
#[derive(Clone, Copy, Debug)]
enum Waiter {
    Reader,
    /// Since when it waits.
    Writer(Instant),
}

/// See the module.
#[derive(Debug)]
pub(super) struct RawRwLock {
    word: RwLockWord,
    line: WaitQueue<(), Waiter>,
}

impl RawRwLock {
    pub(super) const fn new() -> Self {
        Self {
            word: RwLockWord::new(),
            line: WaitQueue::new(()),
        }
    }

    #[inline]
    pub(super) fn try_read(&self) -> bool {
        self.word.try_read()
    }

    #[inline]
    pub(super) fn try_write(&self) -> bool {
        self.word.try_write()
    }

    /// Takes a share, unless there is none to be had before `deadline`. `as_what` is for the report of a deadlock.
    #[inline]
    #[must_use]
    pub(super) fn read_until(
        &self,
        deadline: Option<Instant>,
        as_what: impl FnOnce() -> Lock,
    ) -> bool {
        self.word.try_read() || self.read_slowly(deadline, as_what())
    }

    /// Takes the lock exclusively, unless it is not to be had before `deadline`.
    #[inline]
    #[must_use]
    pub(super) fn write_until(
        &self,
        deadline: Option<Instant>,
        as_what: impl FnOnce() -> Lock,
    ) -> bool {
        self.word.try_write() || self.write_slowly(deadline, as_what())
    }

    #[cold]
    fn read_slowly(&self, deadline: Option<Instant>, as_what: Lock) -> bool {
        let wait = Wait::begin(Reason::Read);
        let place = pin!(self.line.place(Waiter::Reader));
        let mut waiting = None;
        {
            let mut line = self.line.lock();
            if self.word.read_or_wait(line.is_empty()) {
                return true;
            }
            line.enlist(place.as_ref(), wait.token(HANDED));
            if deadline.is_none() && graph::is_kept() {
                waiting = Some(graph::wants(as_what, &wait));
            }
        }
        if let Some(waiting) = &mut waiting {
            waiting.tell();
        }
        match wait.park_until(deadline) {
            Ended::Fired(_) => true,
            Ended::TimedOut => false,
        }
    }

    #[cold]
    fn write_slowly(&self, deadline: Option<Instant>, as_what: Lock) -> bool {
        let since = Instant::now();
        let mut first_time = true;
        loop {
            let wait = Wait::begin(Reason::Write);
            let place = pin!(self.line.place(Waiter::Writer(since)));
            let mut waiting = None;
            {
                let mut line = self.line.lock();
                if self.word.write_or_wait() {
                    return true;
                }
                match first_time {
                    true => line.enlist(place.as_ref(), wait.token(RETRY)),
                    // It has been the first already.
                    false => line.enlist_first(place.as_ref(), wait.token(RETRY)),
                }
                if deadline.is_none() && graph::is_kept() {
                    waiting = Some(graph::wants(as_what, &wait));
                }
            }
            if let Some(waiting) = &mut waiting {
                waiting.tell();
            }
            match wait.park_until(deadline) {
                Ended::Fired(HANDED) => return true,
                Ended::Fired(_) => first_time = false,
                Ended::TimedOut => {
                    place.leave();
                    // Those behind it may be readers, whom nothing else kept out.
                    self.admit();
                    return false;
                }
            }
            // Who was woken has to try, also if its time is up: nobody else will be woken for this unlocking.
            if self.word.try_write() {
                return true;
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                // It does not go back into the line, so readers behind it may be the first now.
                self.admit();
                return false;
            }
        }
    }

    /// As `unlock_read`, and takes it out of the graph.
    #[inline]
    pub(super) fn release_read(&self) {
        if graph::is_kept() {
            graph::gives(ptr::from_ref(self).addr(), Some(How::Read));
        }
        self.unlock_read();
    }

    /// As `unlock_write`, and takes it out of the graph.
    #[inline]
    pub(super) fn release_write(&self) {
        if graph::is_kept() {
            graph::gives(ptr::from_ref(self).addr(), Some(How::Write));
        }
        self.unlock_write();
    }

    /// Gives a share back. By who has one.
    #[inline]
    fn unlock_read(&self) {
        if self.word.unlock_read() {
            self.last_reader();
        }
    }

    #[cold]
    fn last_reader(&self) {
        if self.word.last_reader() {
            self.pass_on();
        }
    }

    /// Gives the lock back. By who has it exclusively.
    #[inline]
    fn unlock_write(&self) {
        if !self.word.unlock_write() {
            self.pass_on();
        }
    }

    /// The lock becomes a share. By who has it exclusively.
    pub(super) fn downgrade(&self) {
        if self.word.downgrade() {
            self.admit();
        }
    }

    /// Gives the exclusive lock back to those who wait.
    #[cold]
    fn pass_on(&self) {
        loop {
            let line = self.line.lock();
            if !first_is_reader(&line) {
                return self.pass_to_writer(line);
            }
            // A share of its own, so that it stays a share until all have theirs.
            let _ = self.word.downgrade();
            if !self.let_in(line) {
                return;
            }
        }
    }

    /// Gives the exclusive lock to the first in the line, or tells it that the lock is free.
    fn pass_to_writer(&self, mut line: Locked<'_, (), Waiter>) {
        let now = Instant::now();
        let mut handed = false;
        let turn = |(): &mut (), waiter: &Waiter| match waiter {
            Waiter::Writer(since) => {
                handed = now.saturating_duration_since(*since) >= PATIENCE;
                Turn::As(if handed { HANDED } else { RETRY })
            }
            // Behind writers whose wait is over: see below.
            Waiter::Reader => Turn::Stop,
        };
        let claimed = line.claim(turn, |(), _| {});
        let waiters = !line.is_empty();
        match (&claimed, handed) {
            // The word says already that a writer has it; that one may have gone on, and even be a reader by now.
            (Some(_), true) if waiters => {}
            (Some(_), true) => self.word.nobody_waits(),
            _ => self.word.leave(waiters),
        }
        drop(line);
        match claimed {
            Some(claimed) => claimed.wake(),
            // No writer was left, but readers may be, whom nobody has let in.
            None if waiters => self.admit(),
            None => {}
        }
    }

    /// Lets in the readers that are the first in the line, if nobody has the lock exclusively.
    #[cold]
    fn admit(&self) {
        let line = self.line.lock();
        if line.is_empty() {
            self.word.nobody_waits();
            return;
        }
        // With a share of its own, nobody has it exclusively meanwhile. If somebody has, that one looks into the line.
        if self.word.try_share() && self.let_in(line) {
            self.pass_on();
        }
    }

    /// Lets in the readers that are the first in the line, and gives a share back, which the caller has. True if the lock is the
    /// caller's exclusively then, to be passed on.
    #[must_use]
    fn let_in(&self, mut line: Locked<'_, (), Waiter>) -> bool {
        let turn = |(): &mut (), waiter: &Waiter| match waiter {
            Waiter::Reader => Turn::As(HANDED),
            Waiter::Writer(_) => Turn::Stop,
        };
        let mut readers = Vec::new();
        loop {
            // Before the claim: a reader may go on, and give its share back, as soon as its wait has ended.
            self.word.add_share();
            match line.claim(turn, |(), _| {}) {
                Some(claimed) => readers.push(claimed),
                None => break,
            }
        }
        self.word.take_share();
        if line.is_empty() {
            self.word.nobody_waits();
        }
        drop(line);
        readers.into_iter().for_each(Claimed::wake);
        self.word.unlock_read() && self.word.last_reader()
    }
}

impl Drop for RawRwLock {
    fn drop(&mut self) {
        // Somebody may have forgotten a guard, and the memory may become another lock.
        if !self.word.is_free() && graph::is_kept() {
            graph::gives(ptr::from_ref(self).addr(), None);
        }
    }
}

/// Whether the first in the line is a reader.
fn first_is_reader(line: &Locked<'_, (), Waiter>) -> bool {
    let mut reader = false;
    line.any(|first| {
        reader = matches!(first, Waiter::Reader);
        true
    });
    reader
}
