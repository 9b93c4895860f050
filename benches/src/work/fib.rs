//! Fork-join: Fibonacci of 18, where each call spawns one of its two halves; `n` times.

use std::pin::Pin;
use std::time::Instant;

use super::{Family, Job, ns_each};
use crate::outcome::Outcome;
use crate::runtimes::{Tasks, Threads};

pub(crate) struct Fib;

const OF: u64 = 18;
const RESULT: u64 = 2584;
/// One for each call above the leaves: as many as there are leaves, less one.
const SPAWNS: u64 = 4180;

impl Family for Fib {
    fn threads<R: Threads>(job: Job) -> Outcome {
        let begun = Instant::now();
        for _ in 0..job.n {
            assert_eq!(fib::<R>(OF), RESULT);
        }
        Outcome::of("ns", ns_each(begun, job.n * SPAWNS))
    }

    async fn tasks<R: Tasks>(job: Job) -> Outcome {
        let begun = Instant::now();
        for _ in 0..job.n {
            assert_eq!(fib_task::<R>(OF).await, RESULT);
        }
        Outcome::of("ns", ns_each(begun, job.n * SPAWNS))
    }
}

fn fib<R: Threads>(of: u64) -> u64 {
    if of < 2 {
        return of;
    }
    let half = R::spawn(move || fib::<R>(of - 1));
    let other = fib::<R>(of - 2);
    R::join(half) + other
}

fn fib_task<R: Tasks>(of: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if of < 2 {
            return of;
        }
        let half = R::spawn(fib_task::<R>(of - 1));
        let other = fib_task::<R>(of - 2).await;
        R::join(half).await + other
    })
}
