//! Locks around a counter, of runtimes whose code blocks ([`Mutex`], [`RwLock`]) and of those whose code awaits
//! ([`TaskMutex`], [`TaskRwLock`]).

use std::ops::{Deref, DerefMut};

pub(crate) trait Mutex: Send + Sync + 'static {
    /// Around 0.
    fn new() -> Self;
    fn lock(&self) -> impl DerefMut<Target = u64>;
}

pub(crate) trait RwLock: Send + Sync + 'static {
    /// Around 0.
    fn new() -> Self;
    fn read(&self) -> impl Deref<Target = u64>;
    fn write(&self) -> impl DerefMut<Target = u64>;
}

/// Those that have the names of `std`, and poisoning. What is between the lock and the workload is not to be measured, hence
/// `inline(always)`.
macro_rules! as_in_std {
    ($mutex:ty, $rw_lock:ty) => {
        impl crate::runtimes::lock::Mutex for $mutex {
            fn new() -> Self {
                Self::new(0)
            }

            #[inline(always)]
            fn lock(&self) -> impl std::ops::DerefMut<Target = u64> {
                self.lock().expect("nobody panics")
            }
        }

        impl crate::runtimes::lock::RwLock for $rw_lock {
            fn new() -> Self {
                Self::new(0)
            }

            #[inline(always)]
            fn read(&self) -> impl std::ops::Deref<Target = u64> {
                self.read().expect("nobody panics")
            }

            #[inline(always)]
            fn write(&self) -> impl std::ops::DerefMut<Target = u64> {
                self.write().expect("nobody panics")
            }
        }
    };
}
pub(super) use as_in_std;

pub(crate) trait TaskMutex: Send + Sync + 'static {
    /// Around 0.
    fn new() -> Self;
    fn lock(&self) -> impl Future<Output = impl DerefMut<Target = u64> + Send> + Send;
}

pub(crate) trait TaskRwLock: Send + Sync + 'static {
    /// Around 0.
    fn new() -> Self;
    fn read(&self) -> impl Future<Output = impl Deref<Target = u64> + Send> + Send;
    fn write(&self) -> impl Future<Output = impl DerefMut<Target = u64> + Send> + Send;
}

/// Those of tokio and of `async-lock`, which have the same names.
macro_rules! as_in_tokio {
    ($mutex:ty, $rw_lock:ty) => {
        impl crate::runtimes::lock::TaskMutex for $mutex {
            fn new() -> Self {
                Self::new(0)
            }

            fn lock(
                &self,
            ) -> impl Future<Output = impl std::ops::DerefMut<Target = u64> + Send> + Send {
                self.lock()
            }
        }

        impl crate::runtimes::lock::TaskRwLock for $rw_lock {
            fn new() -> Self {
                Self::new(0)
            }

            fn read(
                &self,
            ) -> impl Future<Output = impl std::ops::Deref<Target = u64> + Send> + Send {
                self.read()
            }

            fn write(
                &self,
            ) -> impl Future<Output = impl std::ops::DerefMut<Target = u64> + Send> + Send {
                self.write()
            }
        }
    };
}
pub(super) use as_in_tokio;
