//! Locks, and what else greenlets and threads agree on: those of [`std::sync`] with its names, and some that `std` lacks.
//!
//! | item | is for |
//! |---|---|
//! | [`Mutex`], [`RwLock`], [`Condvar`] | what one changes at a time |
//! | [`Once`], [`OnceLock`], [`LazyLock`] | what is done or made once |
//! | [`Barrier`], [`WaitGroup`] | all to be there, or done |
//! | [`Semaphore`] | no more than so many at a time |
//! | [`Event`], [`Notify`] | telling that something has happened |
//! | [`Promise`] | a result that comes once |
//! | [`mpsc`] | `std`'s channels; [`channel`](crate::channel) has more |
//!
//! All of them park greenlets and block plain threads, and work between the two. What a wait that ends otherwise (by a limit, today)
//! could lose, it does not: a lock, a permit or a notification that came too late for it goes to the next one.

// Floor 12, above the channels.
//
// Each is a state under the lock of a `WaitQueue`, or a word before such a queue, whose transitions are methods of a type in a file of its own
// (`lock_word`, `rwlock_word`). `raw_mutex` and `raw_rwlock` are the locks without what they guard. The models of loom have the words
// alone: its atomics cannot be made in constants.

mod lock_word;
mod rwlock_word;

#[cfg(not(loom))]
mod barrier;
#[cfg(not(loom))]
mod condvar;
#[cfg(not(loom))]
mod event;
#[cfg(not(loom))]
mod lazy_lock;
#[cfg(not(loom))]
mod mutex;
#[cfg(not(loom))]
mod notify;
#[cfg(not(loom))]
mod once;
#[cfg(not(loom))]
mod once_lock;
#[cfg(not(loom))]
mod poison;
#[cfg(not(loom))]
mod promise;
#[cfg(not(loom))]
mod raw_mutex;
#[cfg(not(loom))]
mod raw_rwlock;
#[cfg(not(loom))]
mod rwlock;
#[cfg(not(loom))]
mod semaphore;
#[cfg(not(loom))]
mod wait_group;

#[cfg(not(loom))]
pub use {
    barrier::{Barrier, BarrierWaitResult},
    condvar::{Condvar, WaitTimeoutResult},
    event::Event,
    lazy_lock::LazyLock,
    mutex::{MappedMutexGuard, Mutex, MutexGuard},
    notify::Notify,
    once::{Once, OnceState},
    once_lock::OnceLock,
    promise::{Promise, PromiseError},
    rwlock::{
        MappedRwLockReadGuard, MappedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
    },
    semaphore::{AcquireError, OwnedPermit, Permit, Semaphore, TryAcquireError},
    wait_group::WaitGroup,
};

#[doc(inline)]
pub use crate::channel::mpsc;

// As in std: locks that cannot fail otherwise have its errors.
pub use std::sync::{LockResult, PoisonError, TryLockError, TryLockResult};
