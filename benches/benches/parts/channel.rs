//! Channels: a time is that of sending a message and receiving it, which never waits, on one greenlet; or of a message there and
//! one back between two.

use std::time::{Duration, Instant};

use criterion::Criterion;
use sward::channel::{Receiver, Sender, bounded, unbounded};

use crate::within;

const SENT: &str = "somebody receives";
const RECEIVED: &str = "somebody sends";

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("channel");
    group.bench_function("bounded, there and back on one greenlet", |bencher| {
        within(bencher, 1, |times| on_one(times, bounded(64)));
    });
    group.bench_function("unbounded, there and back on one greenlet", |bencher| {
        within(bencher, 1, |times| on_one(times, unbounded()));
    });
    for workers in [1, 2] {
        group.bench_function(
            format!("bounded, there and back, workers: {workers}"),
            |bencher| {
                within(bencher, workers, |times| {
                    there_and_back(times, bounded(1), bounded(1))
                });
            },
        );
    }
    group.finish();
}

fn on_one(times: u64, (sender, receiver): (Sender<u64>, Receiver<u64>)) -> Duration {
    let begun = Instant::now();
    for i in 0..times {
        sender.send(i).expect(SENT);
        assert_eq!(receiver.recv(), Ok(i));
    }
    begun.elapsed()
}

fn there_and_back(
    times: u64,
    (there, from_caller): (Sender<u64>, Receiver<u64>),
    (back, from_other): (Sender<u64>, Receiver<u64>),
) -> Duration {
    let other = sward::spawn(move || {
        for message in from_caller {
            back.send(message).expect(SENT);
        }
    });
    let begun = Instant::now();
    for i in 0..times {
        there.send(i).expect(SENT);
        assert_eq!(from_other.recv().expect(RECEIVED), i);
    }
    let took = begun.elapsed();
    drop(there);
    other.join().expect("it does not panic");
    took
}
