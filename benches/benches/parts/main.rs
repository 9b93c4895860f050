//! The parts of sward, measured one by one with criterion: for the day's work on one of them, where the yardstick
//! (`src`) compares whole runtimes.
//!
//! Each part is a module with a `bench` function. A routine is a function that does its work so many times in a greenlet
//! and tells how long that took: what starts and ends a runtime is never counted.

mod channel;
mod local;
mod lock;
mod queue;
mod spawn;
mod switch;
mod tcp;
mod timer;
mod wake;

use std::time::Duration;

use criterion::{Bencher, Criterion};
use sward::Runtime;

/// Shorter than criterion's own, so that all parts take a minute; `--measurement-time` and the like are obeyed.
const WARM_UP: Duration = Duration::from_millis(500);
const MEASUREMENT: Duration = Duration::from_secs(2);

fn main() {
    let mut criterion = Criterion::default()
        .without_plots()
        .warm_up_time(WARM_UP)
        .measurement_time(MEASUREMENT)
        .configure_from_args();
    switch::bench(&mut criterion);
    spawn::bench(&mut criterion);
    wake::bench(&mut criterion);
    timer::bench(&mut criterion);
    queue::bench(&mut criterion);
    local::bench(&mut criterion);
    lock::bench(&mut criterion);
    channel::bench(&mut criterion);
    tcp::bench(&mut criterion);
    criterion.final_summary();
}

/// Measures `routine` in a greenlet of a runtime with so many workers.
fn within(bencher: &mut Bencher<'_>, workers: usize, routine: fn(u64) -> Duration) {
    measure(bencher, &runtime(workers), routine);
}

/// For routines that need something in the runtime beside them.
fn measure(bencher: &mut Bencher<'_>, runtime: &Runtime, routine: fn(u64) -> Duration) {
    bencher.iter_custom(|times| runtime.block_on(move || routine(times)));
}

fn runtime(workers: usize) -> Runtime {
    let runtime = Runtime::builder().workers(workers).build();
    runtime.expect("the runtime starts")
}
