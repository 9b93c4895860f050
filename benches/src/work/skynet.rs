//! A tree of greenlets, each with ten children, down to `n` leaves; each sums what its children give.

use std::pin::Pin;
use std::time::Instant;

use super::{Family, Job};
use crate::outcome::Outcome;
use crate::runtimes::{Tasks, Threads};

pub(crate) struct Skynet;

const CHILDREN: u64 = 10;

impl Family for Skynet {
    fn threads<R: Threads>(job: Job) -> Outcome {
        let begun = Instant::now();
        check(node::<R>(0, job.n), job.n, begun)
    }

    async fn tasks<R: Tasks>(job: Job) -> Outcome {
        let begun = Instant::now();
        check(node_task::<R>(0, job.n).await, job.n, begun)
    }
}

fn node<R: Threads>(first: u64, leaves: u64) -> u64 {
    if leaves == 1 {
        return first;
    }
    let part = leaves / CHILDREN;
    let children: [_; CHILDREN as usize] =
        std::array::from_fn(|i| R::spawn(move || node::<R>(first + i as u64 * part, part)));
    children.into_iter().map(R::join).sum()
}

/// A leaf is a task of its own without a box; a box is needed where the recursion is.
fn node_task<R: Tasks>(first: u64, leaves: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        let part = leaves / CHILDREN;
        let starts = (0..CHILDREN).map(|i| first + i * part);
        let children: Vec<_> = if part <= 1 {
            starts.map(|start| R::spawn(async move { start })).collect()
        } else {
            starts
                .map(|start| R::spawn(node_task::<R>(start, part)))
                .collect()
        };
        let mut sum = 0;
        for child in children {
            sum += R::join(child).await;
        }
        sum
    })
}

fn check(sum: u64, leaves: u64, begun: Instant) -> Outcome {
    assert_eq!(sum, leaves * (leaves - 1) / 2);
    Outcome::of("ms", begun.elapsed().as_secs_f64() * 1e3)
}
