//! Locks around a counter: `n` operations by one greenlet or, in equal parts, by 1,000; OS threads are as many.

use std::sync::Arc;
use std::time::Instant;

use super::{Family, Job, ns_each};
use crate::outcome::Outcome;
use crate::runtimes::lock::{Mutex, RwLock, TaskMutex, TaskRwLock};
use crate::runtimes::{Tasks, Threads};

/// A mutex that nobody else wants.
pub(crate) struct Uncontended;

/// A mutex that 1,000 want.
pub(crate) struct Contended;

/// A readers-writer lock that 1,000 want: they read nine times out of ten.
pub(crate) struct Readers;

const GREENLETS: u64 = 1000;
const WRITES_ONE_IN: u64 = 10;

impl Family for Uncontended {
    fn threads<R: Threads>(job: Job) -> Outcome {
        let mutex = R::Mutex::new();
        let begun = Instant::now();
        for _ in 0..job.n {
            *mutex.lock() += 1;
        }
        let outcome = Outcome::of("ns", ns_each(begun, job.n));
        assert_eq!(*mutex.lock(), job.n);
        outcome
    }

    async fn tasks<R: Tasks>(job: Job) -> Outcome {
        let mutex = R::Mutex::new();
        let begun = Instant::now();
        for _ in 0..job.n {
            *mutex.lock().await += 1;
        }
        let outcome = Outcome::of("ns", ns_each(begun, job.n));
        assert_eq!(*mutex.lock().await, job.n);
        outcome
    }
}

impl Family for Contended {
    fn threads<R: Threads>(job: Job) -> Outcome {
        let mutex = Arc::new(R::Mutex::new());
        let each = job.n / GREENLETS;
        let body = |mutex: Arc<R::Mutex>| {
            move || {
                for _ in 0..each {
                    *mutex.lock() += 1;
                }
            }
        };
        let begun = Instant::now();
        crowd::<R, _>(|| body(mutex.clone()));
        let outcome = Outcome::of("ns", ns_each(begun, each * GREENLETS));
        assert_eq!(*mutex.lock(), each * GREENLETS);
        outcome
    }

    async fn tasks<R: Tasks>(job: Job) -> Outcome {
        let mutex = Arc::new(R::Mutex::new());
        let each = job.n / GREENLETS;
        let body = |mutex: Arc<R::Mutex>| async move {
            for _ in 0..each {
                *mutex.lock().await += 1;
            }
        };
        let begun = Instant::now();
        task_crowd::<R, _>(|| body(mutex.clone())).await;
        let outcome = Outcome::of("ns", ns_each(begun, each * GREENLETS));
        assert_eq!(*mutex.lock().await, each * GREENLETS);
        outcome
    }
}

impl Family for Readers {
    fn threads<R: Threads>(job: Job) -> Outcome {
        let lock = Arc::new(R::RwLock::new());
        let each = job.n / GREENLETS;
        let body = |lock: Arc<R::RwLock>| {
            move || {
                let mut last = 0;
                for i in 0..each {
                    if i % WRITES_ONE_IN == 0 {
                        *lock.write() += 1;
                    } else {
                        last = check_read(last, *lock.read());
                    }
                }
            }
        };
        let begun = Instant::now();
        crowd::<R, _>(|| body(lock.clone()));
        let outcome = Outcome::of("ns", ns_each(begun, each * GREENLETS));
        assert_eq!(*lock.read(), each.div_ceil(WRITES_ONE_IN) * GREENLETS);
        outcome
    }

    async fn tasks<R: Tasks>(job: Job) -> Outcome {
        let lock = Arc::new(R::RwLock::new());
        let each = job.n / GREENLETS;
        let body = |lock: Arc<R::RwLock>| async move {
            let mut last = 0;
            for i in 0..each {
                if i % WRITES_ONE_IN == 0 {
                    *lock.write().await += 1;
                } else {
                    last = check_read(last, *lock.read().await);
                }
            }
        };
        let begun = Instant::now();
        task_crowd::<R, _>(|| body(lock.clone())).await;
        let outcome = Outcome::of("ns", ns_each(begun, each * GREENLETS));
        assert_eq!(*lock.read().await, each.div_ceil(WRITES_ONE_IN) * GREENLETS);
        outcome
    }
}

/// The counter only grows.
fn check_read(last: u64, now: u64) -> u64 {
    assert!(now >= last);
    now
}

/// `GREENLETS` greenlets, until the last has ended.
fn crowd<R: Threads, F: FnOnce() + Send + 'static>(body: impl Fn() -> F) {
    let all: Vec<_> = (0..GREENLETS).map(|_| R::spawn(body())).collect();
    all.into_iter().for_each(R::join);
}

/// As [`crowd`].
async fn task_crowd<R: Tasks, F: Future<Output = ()> + Send + 'static>(body: impl Fn() -> F) {
    let all: Vec<_> = (0..GREENLETS).map(|_| R::spawn(body())).collect();
    for one in all {
        R::join(one).await;
    }
}
