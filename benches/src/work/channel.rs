//! `n` messages through one channel, from so many senders, which send as many each, to so many receivers, which receive until
//! the channel is closed.

use std::time::Instant;

use super::{Family, Job, ns_each};
use crate::outcome::Outcome;
use crate::runtimes::channel::{Channel, SharedChannel, SharedTaskChannel, TaskChannel};
use crate::runtimes::{Tasks, Threads};

/// One to one, with room.
pub(crate) struct OneToOne;

/// Four to four, with room.
pub(crate) struct FourToFour;

/// Four to four, with room for any number.
pub(crate) struct Unbounded;

/// One to one, without room.
pub(crate) struct Rendezvous;

const ROOM: usize = 1024;
const FOUR: usize = 4;

impl Family for OneToOne {
    fn threads<R: Threads>(job: Job) -> Outcome {
        let (sender, receiver) = R::One::bounded(ROOM);
        exchange::<R::One, R>(vec![sender], vec![receiver], job.n)
    }

    async fn tasks<R: Tasks>(job: Job) -> Outcome {
        let (sender, receiver) = R::One::bounded(ROOM);
        task_exchange::<R::One, R>(vec![sender], vec![receiver], job.n).await
    }
}

impl Family for FourToFour {
    fn threads<R: Threads>(job: Job) -> Outcome {
        let (sender, receiver) = R::Many::bounded(ROOM);
        exchange::<R::Many, R>(vec![sender; FOUR], vec![receiver; FOUR], job.n)
    }

    async fn tasks<R: Tasks>(job: Job) -> Outcome {
        let (sender, receiver) = R::Many::bounded(ROOM);
        task_exchange::<R::Many, R>(vec![sender; FOUR], vec![receiver; FOUR], job.n).await
    }
}

impl Family for Unbounded {
    fn threads<R: Threads>(job: Job) -> Outcome {
        let (sender, receiver) = R::Many::unbounded();
        exchange::<R::Many, R>(vec![sender; FOUR], vec![receiver; FOUR], job.n)
    }

    async fn tasks<R: Tasks>(job: Job) -> Outcome {
        let (sender, receiver) = R::Many::unbounded();
        task_exchange::<R::Many, R>(vec![sender; FOUR], vec![receiver; FOUR], job.n).await
    }
}

impl Family for Rendezvous {
    fn threads<R: Threads>(job: Job) -> Outcome {
        let (sender, receiver) = R::Many::bounded(0);
        exchange::<R::Many, R>(vec![sender], vec![receiver], job.n)
    }

    async fn tasks<R: Tasks>(job: Job) -> Outcome {
        let (sender, receiver) = R::Many::bounded(0);
        task_exchange::<R::Many, R>(vec![sender], vec![receiver], job.n).await
    }
}

fn exchange<C: Channel, R: Threads>(
    senders: Vec<C::Sender>,
    receivers: Vec<C::Receiver>,
    n: u64,
) -> Outcome {
    let each = n / senders.len() as u64;
    let sent = each * senders.len() as u64;
    let begun = Instant::now();
    let receivers: Vec<_> = receivers
        .into_iter()
        .map(|receiver| {
            R::spawn(move || {
                let mut sum = 0;
                while let Some(message) = C::receive(&receiver) {
                    sum += message;
                }
                sum
            })
        })
        .collect();
    let senders: Vec<_> = (0..)
        .zip(senders)
        .map(|(i, sender)| {
            R::spawn(move || {
                (i * each..(i + 1) * each).for_each(|message| C::send(&sender, message))
            })
        })
        .collect();
    senders.into_iter().for_each(R::join);
    let sum = receivers.into_iter().map(R::join).sum();
    check(sum, sent, begun)
}

async fn task_exchange<C: TaskChannel, R: Tasks>(
    senders: Vec<C::Sender>,
    receivers: Vec<C::Receiver>,
    n: u64,
) -> Outcome {
    let each = n / senders.len() as u64;
    let sent = each * senders.len() as u64;
    let begun = Instant::now();
    let receivers: Vec<_> = receivers
        .into_iter()
        .map(|mut receiver| {
            R::spawn(async move {
                let mut sum = 0;
                while let Some(message) = C::receive(&mut receiver).await {
                    sum += message;
                }
                sum
            })
        })
        .collect();
    let senders: Vec<_> = (0..)
        .zip(senders)
        .map(|(i, sender)| {
            R::spawn(async move {
                for message in i * each..(i + 1) * each {
                    C::send(&sender, message).await;
                }
            })
        })
        .collect();
    for sender in senders {
        R::join(sender).await;
    }
    let mut sum = 0;
    for receiver in receivers {
        sum += R::join(receiver).await;
    }
    check(sum, sent, begun)
}

/// The messages are the numbers below `sent`.
fn check(sum: u64, sent: u64, begun: Instant) -> Outcome {
    let outcome = Outcome::of("ns", ns_each(begun, sent));
    assert_eq!(sum, sent * (sent - 1) / 2);
    outcome
}
