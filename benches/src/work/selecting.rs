//! `n` selects over `CHANNELS` channels, two or eight, all of which have a message: the one that was received is sent back to
//! its channel each time, which is counted with the select.

use std::time::Instant;

use super::{Family, Job, ns_each};
use crate::outcome::Outcome;
use crate::runtimes::channel::{Channel, TaskChannel};
use crate::runtimes::{Tasks, Threads};

pub(crate) struct Selecting<const CHANNELS: usize>;

impl<const CHANNELS: usize> Family for Selecting<CHANNELS> {
    fn threads<R: Threads>(job: Job) -> Outcome {
        let (senders, mut receivers): (Vec<_>, Vec<_>) =
            (0..CHANNELS).map(|_| R::One::bounded(1)).unzip();
        for (message, sender) in (0..).zip(&senders) {
            R::One::send(sender, message);
        }
        let begun = Instant::now();
        for _ in 0..job.n {
            let (from, message) = R::select(&mut receivers);
            assert_eq!(from as u64, message);
            R::One::send(&senders[from], message);
        }
        Outcome::of("ns", ns_each(begun, job.n))
    }

    async fn tasks<R: Tasks>(job: Job) -> Outcome {
        let (senders, mut receivers): (Vec<_>, Vec<_>) =
            (0..CHANNELS).map(|_| R::One::bounded(1)).unzip();
        for (message, sender) in (0..).zip(&senders) {
            R::One::send(sender, message).await;
        }
        let begun = Instant::now();
        for _ in 0..job.n {
            let (from, message) = R::select(&mut receivers).await;
            assert_eq!(from as u64, message);
            R::One::send(&senders[from], message).await;
        }
        Outcome::of("ns", ns_each(begun, job.n))
    }
}
