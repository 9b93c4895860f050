//! 1,000 greenlets with uneven CPU work, spawned by one: `n` pieces of work in all, most of them in a few greenlets,
//! which yield after each piece. The score is the time over the ideal, which is the time of all pieces in a row on one
//! thread, measured right before, divided by the workers.

use std::hint::black_box;
use std::time::Instant;

use super::{Family, Job};
use crate::outcome::Outcome;
use crate::runtimes::{Tasks, Threads};

pub(crate) struct Imbalance;

const GREENLETS: u64 = 1000;
/// Turns of the inner loop of a piece: about 20 µs, so that the cost of a yield is lost in it.
const TURNS: u64 = 20_000;

fn piece(seed: u64) -> u64 {
    (0..TURNS).fold(seed, |x, _| {
        black_box(x.wrapping_mul(6_364_136_223_846_793_005)) ^ (x >> 29)
    })
}

/// One greenlet in fifty has half of all the work of its fifty; the others share the rest.
fn pieces(i: u64, n: u64) -> u64 {
    let fifty = n / (GREENLETS / 50);
    if i % 50 == 17 {
        fifty / 2
    } else {
        fifty / 2 / 49
    }
}

/// Seconds that all pieces take in a row.
fn in_a_row(n: u64) -> f64 {
    let begun = Instant::now();
    for i in 0..GREENLETS {
        for seed in 0..pieces(i, n) {
            black_box(piece(seed));
        }
    }
    begun.elapsed().as_secs_f64()
}

fn score(job: Job, row: f64, begun: Instant) -> Outcome {
    let took = begun.elapsed().as_secs_f64();
    Outcome::of("× ideal", took * job.workers as f64 / row).with("wall s", took)
}

impl Family for Imbalance {
    fn threads<R: Threads>(job: Job) -> Outcome {
        let row = in_a_row(job.n);
        let begun = Instant::now();
        let all: Vec<_> = (0..GREENLETS)
            .map(|i| {
                R::spawn(move || {
                    for seed in 0..pieces(i, job.n) {
                        black_box(piece(seed));
                        R::yield_now();
                    }
                })
            })
            .collect();
        all.into_iter().for_each(R::join);
        score(job, row, begun)
    }

    async fn tasks<R: Tasks>(job: Job) -> Outcome {
        let row = in_a_row(job.n);
        let begun = Instant::now();
        let all: Vec<_> = (0..GREENLETS)
            .map(|i| {
                R::spawn(async move {
                    for seed in 0..pieces(i, job.n) {
                        black_box(piece(seed));
                        R::yield_now().await;
                    }
                })
            })
            .collect();
        for one in all {
            R::join(one).await;
        }
        score(job, row, begun)
    }
}
