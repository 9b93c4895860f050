//! `n` channels for one message each, in batches of 1,000: made by one greenlet, which receives from them in turn what another
//! one sends. It is spawned for each batch.

use std::time::Instant;

use super::{Family, Job, ns_each};
use crate::outcome::Outcome;
use crate::runtimes::channel::{Once, TaskOnce};
use crate::runtimes::{Tasks, Threads};

pub(crate) struct Oneshot;

const BATCH: u64 = 1000;
const SUM: u64 = BATCH * (BATCH - 1) / 2;

impl Family for Oneshot {
    fn threads<R: Threads>(job: Job) -> Outcome {
        let begun = Instant::now();
        for _ in 0..job.n / BATCH {
            let (senders, receivers): (Vec<_>, Vec<_>) =
                (0..BATCH).map(|_| R::Once::once()).unzip();
            let other = R::spawn(move || {
                (0..)
                    .zip(senders)
                    .for_each(|(i, sender)| R::Once::send(sender, i));
            });
            let sum: u64 = receivers.into_iter().map(R::Once::receive).sum();
            assert_eq!(sum, SUM);
            R::join(other);
        }
        Outcome::of("ns", ns_each(begun, job.n / BATCH * BATCH))
    }

    async fn tasks<R: Tasks>(job: Job) -> Outcome {
        let begun = Instant::now();
        for _ in 0..job.n / BATCH {
            let (senders, receivers): (Vec<_>, Vec<_>) =
                (0..BATCH).map(|_| R::Once::once()).unzip();
            let other = R::spawn(async move {
                for (i, sender) in (0..).zip(senders) {
                    R::Once::send(sender, i).await;
                }
            });
            let mut sum = 0;
            for receiver in receivers {
                sum += R::Once::receive(receiver).await;
            }
            assert_eq!(sum, SUM);
            R::join(other).await;
        }
        Outcome::of("ns", ns_each(begun, job.n / BATCH * BATCH))
    }
}
