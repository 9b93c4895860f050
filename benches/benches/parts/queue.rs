//! The run queue: greenlets that yield in turn on one worker; a time is that of one round, in which each yields once.

use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};

use crate::within;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("yield_now");
    rounds::<1>(&mut group);
    rounds::<2>(&mut group);
    rounds::<1000>(&mut group);
    group.finish();
}

fn rounds<const GREENLETS: u64>(group: &mut BenchmarkGroup<'_, WallTime>) {
    group.throughput(Throughput::Elements(GREENLETS));
    group.bench_function(format!("greenlets: {GREENLETS}"), |bencher| {
        within(bencher, 1, yields::<GREENLETS>);
    });
}

fn yields<const GREENLETS: u64>(times: u64) -> Duration {
    let yielders: Vec<_> = (0..GREENLETS)
        .map(|_| {
            sward::spawn(move || {
                // So that no start is counted: whoever is the first here finds all others started when it is back.
                sward::yield_now();
                let begun = Instant::now();
                for _ in 0..times {
                    sward::yield_now();
                }
                begun.elapsed()
            })
        })
        .collect();
    let each = yielders
        .into_iter()
        .map(|yielder| yielder.join().expect("it does not panic"));
    each.max().expect("there is one or more")
}
