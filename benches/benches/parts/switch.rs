//! The raw switch: from one stack to another and back, without the scheduler.

use std::time::Instant;

use criterion::Criterion;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("switch");
    group.bench_function("there and back", |bencher| {
        bencher.iter_custom(|times| {
            let begun = Instant::now();
            sward::__bench::switch_round_trips(times);
            begun.elapsed()
        });
    });
    group.finish();
}
