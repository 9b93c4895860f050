//! Floor 11: locks, and what else several greenlets or threads agree on.
//!
//! Each is a state under the lock of a `WaitQueue`, or a word before such a queue, whose transitions are methods of a type in a file of its own
//! (`lock_word`, `rwlock_word`). `raw_mutex` and `raw_rwlock` are the locks without what they guard.

#[cfg(not(loom))]
mod condvar;
mod lock_word;
#[cfg(not(loom))]
mod mutex;
#[cfg(not(loom))]
mod poison;
#[cfg(not(loom))]
mod raw_mutex;
#[cfg(not(loom))]
mod raw_rwlock;
#[cfg(not(loom))]
mod rwlock;
mod rwlock_word;

#[cfg(not(loom))]
pub use condvar::Condvar;
#[cfg(not(loom))]
pub use mutex::{MappedMutexGuard, Mutex, MutexGuard};
#[cfg(not(loom))]
pub use rwlock::{
    MappedRwLockReadGuard, MappedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
};
