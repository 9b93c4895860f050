//! Parking and waking: two greenlets wake each other in turn; a time is that of two wakes, there and back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use criterion::Criterion;
use sward::Greenlet;

use crate::within;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("wake");
    for workers in [1, 2] {
        group.bench_function(format!("there and back, workers: {workers}"), |bencher| {
            within(bencher, workers, |times| there_and_back(times, sward::park));
        });
    }
    group.finish();
}

/// A player: its turn is a flag, since parking may end early. The release of one pairs with the acquire of the other.
#[derive(Default)]
struct Turn(AtomicBool);

impl Turn {
    fn pass_to(&self, greenlet: &Greenlet) {
        self.0.store(true, Ordering::Release);
        greenlet.unpark();
    }

    fn wait(&self, park: fn()) {
        while !self.0.swap(false, Ordering::Acquire) {
            park();
        }
    }
}

/// The caller waits by `park`, the other one by `sward::park`.
pub(crate) fn there_and_back(times: u64, park: fn()) -> Duration {
    let turns = Arc::new((Turn::default(), Turn::default()));
    let caller = sward::current();
    let other = {
        let turns = turns.clone();
        sward::spawn(move || {
            for _ in 0..times {
                turns.1.wait(sward::park);
                turns.0.pass_to(&caller);
            }
        })
    };
    let begun = Instant::now();
    for _ in 0..times {
        turns.1.pass_to(other.greenlet());
        turns.0.wait(park);
    }
    let took = begun.elapsed();
    other.join().expect("it does not panic");
    took
}
