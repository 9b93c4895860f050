//! `n` empty greenlets are spawned and joined, in batches of 1,000 or all at once.

use std::time::Instant;

use super::{Family, Job, ns_each};
use crate::outcome::Outcome;
use crate::runtimes::{Tasks, Threads};

/// Batches of 1,000: what a server does that answers each request from a few helpers.
pub(crate) struct Batches;

/// All at once: they are all alive before the first is joined.
pub(crate) struct Burst;

const BATCH: u64 = 1000;

impl Family for Batches {
    fn threads<R: Threads>(job: Job) -> Outcome {
        threads::<R>(job.n, BATCH)
    }

    async fn tasks<R: Tasks>(job: Job) -> Outcome {
        tasks::<R>(job.n, BATCH).await
    }
}

impl Family for Burst {
    fn threads<R: Threads>(job: Job) -> Outcome {
        threads::<R>(job.n, job.n)
    }

    async fn tasks<R: Tasks>(job: Job) -> Outcome {
        tasks::<R>(job.n, job.n).await
    }
}

fn threads<R: Threads>(n: u64, batch: u64) -> Outcome {
    let begun = Instant::now();
    for _ in 0..n / batch {
        let children: Vec<_> = (0..batch).map(|i| R::spawn(move || i)).collect();
        let sum: u64 = children.into_iter().map(R::join).sum();
        assert_eq!(sum, batch * (batch - 1) / 2);
    }
    Outcome::of("ns", ns_each(begun, n / batch * batch))
}

async fn tasks<R: Tasks>(n: u64, batch: u64) -> Outcome {
    let begun = Instant::now();
    for _ in 0..n / batch {
        let children: Vec<_> = (0..batch).map(|i| R::spawn(async move { i })).collect();
        let mut sum = 0;
        for child in children {
            sum += R::join(child).await;
        }
        assert_eq!(sum, batch * (batch - 1) / 2);
    }
    Outcome::of("ns", ns_each(begun, n / batch * batch))
}
