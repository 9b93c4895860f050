//! Timers that are armed and, long before their time, disarmed: the wait ends by a wake.
//!
//! What a timer costs is the difference to the same without one: to `wake` on one worker, and to `spawn`'s `one`.

use std::time::{Duration, Instant};

use criterion::{Bencher, Criterion};

use crate::wake::there_and_back;
use crate::{measure, runtime, within};

/// Long enough never to end.
const HOUR: Duration = Duration::from_secs(3600);
/// As many as a busy server has timeouts running.
const ARMED: u64 = 10_000;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("timer");
    group.bench_function("park_timeout", |bencher| within(bencher, 1, alone));
    group.bench_function("park_timeout beside 10000 armed", crowded);
    group.bench_function("join_timeout", |bencher| within(bencher, 1, joins));
    group.finish();
}

fn alone(times: u64) -> Duration {
    there_and_back(times, || sward::park_timeout(HOUR))
}

fn crowded(bencher: &mut Bencher<'_>) {
    let runtime = runtime(1);
    // Their times differ, as they would.
    let sleepers: Vec<_> = (0..ARMED)
        .map(|i| runtime.spawn(move || sward::park_timeout(HOUR + Duration::from_millis(i))))
        .collect();
    // On one worker all have run up to their wait when the last to come has yielded.
    runtime.block_on(sward::yield_now);
    measure(bencher, &runtime, alone);
    for sleeper in sleepers {
        sleeper.greenlet().unpark();
        sleeper.join().expect("it does not panic");
    }
}

fn joins(times: u64) -> Duration {
    let begun = Instant::now();
    for _ in 0..times {
        let ended = sward::spawn(|| ()).join_timeout(HOUR);
        ended
            .expect("an hour is enough")
            .expect("it does not panic");
    }
    begun.elapsed()
}
