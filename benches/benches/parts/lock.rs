//! Locks: a time is that of locking a mutex that nobody else wants, adding, and unlocking it.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::Criterion;

use crate::within;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lock");
    group.bench_function("uncontended", |bencher| within(bencher, 1, ours));
    group.bench_function("uncontended, std", |bencher| within(bencher, 1, of_std));
    group.finish();
}

fn ours(times: u64) -> Duration {
    let mutex = black_box(sward::sync::Mutex::new(0_u64));
    let begun = Instant::now();
    for _ in 0..times {
        *mutex.lock().expect("nobody panics") += 1;
    }
    begun.elapsed()
}

/// It keeps the thread, but nobody else wants it.
fn of_std(times: u64) -> Duration {
    let mutex = black_box(std::sync::Mutex::new(0_u64));
    let begun = Instant::now();
    for _ in 0..times {
        *mutex.lock().expect("nobody panics") += 1;
    }
    begun.elapsed()
}
