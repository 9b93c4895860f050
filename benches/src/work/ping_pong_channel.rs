//! Two greenlets send each other a number in turn, over two channels of one place, `n` messages in all.

use std::time::Instant;

use super::{Family, Job, ns_each};
use crate::outcome::Outcome;
use crate::runtimes::channel::{Channel, TaskChannel};
use crate::runtimes::{Tasks, Threads};

pub(crate) struct PingPongChannel;

impl Family for PingPongChannel {
    fn threads<R: Threads>(job: Job) -> Outcome {
        let (to_other, from_one) = R::One::bounded(1);
        let (to_one, from_other) = R::One::bounded(1);
        let other = R::spawn(move || {
            while let Some(message) = R::One::receive(&from_one) {
                R::One::send(&to_one, message + 1);
            }
        });
        let play = |rounds| {
            for i in 0..rounds {
                R::One::send(&to_other, i);
                assert_eq!(R::One::receive(&from_other), Some(i + 1));
            }
        };
        // The first round says that the other has started.
        play(1);
        let begun = Instant::now();
        play(job.n / 2);
        let outcome = Outcome::of("ns", ns_each(begun, job.n / 2 * 2));
        drop(to_other);
        R::join(other);
        outcome
    }

    async fn tasks<R: Tasks>(job: Job) -> Outcome {
        let (to_other, mut from_one) = R::One::bounded(1);
        let (to_one, mut from_other) = R::One::bounded(1);
        let other = R::spawn(async move {
            while let Some(message) = R::One::receive(&mut from_one).await {
                R::One::send(&to_one, message + 1).await;
            }
        });
        let mut play = async |rounds| {
            for i in 0..rounds {
                R::One::send(&to_other, i).await;
                assert_eq!(R::One::receive(&mut from_other).await, Some(i + 1));
            }
        };
        play(1).await;
        let begun = Instant::now();
        play(job.n / 2).await;
        let outcome = Outcome::of("ns", ns_each(begun, job.n / 2 * 2));
        drop(to_other);
        R::join(other).await;
        outcome
    }
}
