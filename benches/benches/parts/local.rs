//! Values of one's own: a greenlet-local one in a greenlet and on a thread, a thread-local one beside; and a value that is bound.
//! A time is that of one look: for the cells, which count, a read and a write.

use std::cell::Cell;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::Criterion;
use sward::ScopedValue;

use crate::within;

sward::greenlet_local! {
    static LAZY: Cell<u64> = Cell::new(black_box(0));
    static CONSTANT: Cell<u64> = const { Cell::new(0) };
}

thread_local! {
    #[allow(clippy::missing_const_for_thread_local, reason = "the lazy kind is measured")]
    static LAZY_OF_THREAD: Cell<u64> = Cell::new(black_box(0));
    static CONSTANT_OF_THREAD: Cell<u64> = const { Cell::new(0) };
}

static BOUND: ScopedValue<u64> = ScopedValue::new();

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("local");
    type Routine = fn(u64) -> Duration;
    let routines: [(&str, Routine); 5] = [
        ("greenlet_local", |times| repeat(times, || LAZY.with(count))),
        ("greenlet_local const", |times| {
            repeat(times, || CONSTANT.with(count))
        }),
        ("thread_local", |times| {
            repeat(times, || LAZY_OF_THREAD.with(count))
        }),
        ("thread_local const", |times| {
            repeat(times, || CONSTANT_OF_THREAD.with(count))
        }),
        ("scoped value", |times| {
            BOUND.bind(7, || {
                repeat(times, || {
                    black_box(BOUND.with(|&number| number));
                })
            })
        }),
    ];
    for (name, routine) in routines {
        group.bench_function(format!("{name}, in a greenlet"), |bencher| {
            within(bencher, 1, routine);
        });
        group.bench_function(format!("{name}, on a thread"), |bencher| {
            bencher.iter_custom(routine);
        });
    }
    group.finish();
}

fn count(cell: &Cell<u64>) {
    cell.set(black_box(cell.get() + 1));
}

fn repeat(times: u64, look: impl Fn()) -> Duration {
    let begun = Instant::now();
    for _ in 0..times {
        look();
    }
    begun.elapsed()
}
