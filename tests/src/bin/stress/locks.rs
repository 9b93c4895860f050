//! What the greenlets of a round share under locks.

use std::ops::DerefMut;
use std::sync::{PoisonError, TryLockError};
use std::time::Duration;

use sward::sync::{Mutex, RwLock};

use crate::counts::{Counts, Event};
use crate::plan::{Locked, Locking};

/// How many of each kind there are: few, so that there is a wait for them.
pub(crate) const LOCKS: usize = 3;

/// Changed by one at a time, so both numbers are the same: how often it was changed.
type Twice = (u64, u64);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Locks {
    mutexes: [Mutex<Twice>; LOCKS],
    locks: [RwLock<Twice>; LOCKS],
}

impl Locks {
    /// Takes a lock, changes what it guards or looks at it, and gives it back.
    pub(crate) fn take(&self, locked: &Locked) {
        let (mutex, lock) = (&self.mutexes[locked.number], &self.locks[locked.number]);
        let limit = locked.timeout.map(Duration::from_micros);
        match (locked.how, limit) {
            (Locking::Mutex, None) => change(locked, mutex.lock()),
            (Locking::Mutex, Some(limit)) => change(locked, again(|| mutex.lock_timeout(limit))),
            (Locking::Write, None) => change(locked, lock.write()),
            (Locking::Write, Some(limit)) => change(locked, again(|| lock.write_timeout(limit))),
            (Locking::Read, limit) => {
                let guard = match limit {
                    None => lock.read(),
                    Some(limit) => again(|| lock.read_timeout(limit)),
                };
                let guard = guard.expect("nobody panics with it");
                let before = *guard;
                assert_eq!(before.0, before.1, "read while it was written: {locked:?}");
                pause(locked);
                assert_eq!(*guard, before, "written while it was read: {locked:?}");
            }
        }
    }

    /// Checks that all changes were made, and that nobody has a lock any more.
    pub(crate) fn check(&self, done: &Counts) {
        let free = |guard: Option<u64>| guard.expect("nobody has it");
        let mutexes = self
            .mutexes
            .iter()
            .map(|mutex| free(mutex.try_lock().ok().map(|all| all.0)));
        assert_eq!(
            mutexes.sum::<u64>(),
            done.of(Event::Locked),
            "changes under mutexes"
        );
        let locks = self
            .locks
            .iter()
            .map(|lock| free(lock.try_write().ok().map(|all| all.0)));
        assert_eq!(
            locks.sum::<u64>(),
            done.of(Event::Written),
            "changes under locks"
        );
    }
}

fn pause(locked: &Locked) {
    match locked.sleep {
        Some(micros) => sward::sleep(Duration::from_micros(micros)),
        None => sward::yield_now(),
    }
}

fn change<G: DerefMut<Target = Twice>>(locked: &Locked, guard: Result<G, PoisonError<G>>) {
    let mut guard = guard.expect("nobody panics with it");
    assert_eq!(guard.0, guard.1, "two had it at a time: {locked:?}");
    guard.0 += 1;
    pause(locked);
    guard.1 += 1;
}

/// Tries until it is not too late.
fn again<G>(mut attempt: impl FnMut() -> Result<G, TryLockError<G>>) -> Result<G, PoisonError<G>> {
    loop {
        match attempt() {
            Ok(guard) => return Ok(guard),
            Err(TryLockError::Poisoned(error)) => return Err(error),
            Err(TryLockError::WouldBlock) => {}
        }
    }
}
