//! Floor 11: locks, and what else several greenlets or threads agree on.
//!
//! Each is a state under the lock of a `WaitQueue`, or a word before such a queue, whose transitions are methods of a type in a file of its own
//! (`lock_word`, `rwlock_word`). `raw_mutex` and `raw_rwlock` are the locks without what they guard. The models of loom have the words
//! alone: its atomics cannot be made in constants.

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

// As in std: locks that cannot fail otherwise have its errors.
pub use std::sync::{LockResult, PoisonError, TryLockError, TryLockResult};
