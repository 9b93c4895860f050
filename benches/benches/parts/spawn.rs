//! Spawning and joining.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};

use crate::within;

const BATCH: u64 = 1000;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("spawn");
    group.bench_function("one", |bencher| within(bencher, 1, one));
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function("batch of 1000", |bencher| within(bencher, 1, batches));
    group.finish();
}

fn one(times: u64) -> Duration {
    let begun = Instant::now();
    for _ in 0..times {
        sward::spawn(|| ()).join().expect("it does not panic");
    }
    begun.elapsed()
}

fn batches(times: u64) -> Duration {
    let begun = Instant::now();
    for _ in 0..times {
        let batch: Vec<_> = (0..BATCH).map(|_| sward::spawn(|| ())).collect();
        for child in batch {
            child.join().expect("it does not panic");
        }
    }
    begun.elapsed()
}
