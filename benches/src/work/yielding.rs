//! `GREENLETS` greenlets yield in turn, `n` times in all.

use std::time::Instant;

use super::{Family, Job, ns_each};
use crate::outcome::Outcome;
use crate::runtimes::{Tasks, Threads};

pub(crate) struct Yielding<const GREENLETS: u64>;

impl<const GREENLETS: u64> Family for Yielding<GREENLETS> {
    fn threads<R: Threads>(job: Job) -> Outcome {
        let each = job.n / GREENLETS;
        let begun = Instant::now();
        let yielders: Vec<_> = (0..GREENLETS)
            .map(|_| {
                R::spawn(move || {
                    for _ in 0..each {
                        R::yield_now();
                    }
                })
            })
            .collect();
        yielders.into_iter().for_each(R::join);
        Outcome::of("ns", ns_each(begun, each * GREENLETS))
    }

    async fn tasks<R: Tasks>(job: Job) -> Outcome {
        let each = job.n / GREENLETS;
        let begun = Instant::now();
        let yielders: Vec<_> = (0..GREENLETS)
            .map(|_| {
                R::spawn(async move {
                    for _ in 0..each {
                        R::yield_now().await;
                    }
                })
            })
            .collect();
        for yielder in yielders {
            R::join(yielder).await;
        }
        Outcome::of("ns", ns_each(begun, each * GREENLETS))
    }
}
