//! The workloads: each is one [`Family`], written once for code that blocks and once for code that awaits.
//!
//! What is measured and in which unit is said in `crate::workload`, where they are listed.

pub(crate) mod channel;
pub(crate) mod echo;
pub(crate) mod fib;
pub(crate) mod http;
pub(crate) mod hyper;
pub(crate) mod imbalance;
pub(crate) mod lock;
pub(crate) mod oneshot;
pub(crate) mod parked;
pub(crate) mod ping_pong;
pub(crate) mod ping_pong_channel;
pub(crate) mod selecting;
pub(crate) mod skynet;
pub(crate) mod sleepers;
pub(crate) mod spawning;
pub(crate) mod switch;
pub(crate) mod yielding;

use std::time::Instant;

use crate::outcome::Outcome;
use crate::runtimes::{Tasks, Threads};

/// How much of a workload to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    /// Workers of the runtime.
    pub(crate) workers: usize,
    /// What it counts, the workload says.
    pub(crate) n: u64,
}

/// A workload for both shapes of runtime. Each body runs as a greenlet or task of the runtime it measures.
pub(crate) trait Family: 'static {
    fn threads<R: Threads>(job: Job) -> Outcome;
    fn tasks<R: Tasks>(job: Job) -> impl Future<Output = Outcome> + Send;
}

/// Nanoseconds since `begun` for each of `count`.
fn ns_each(begun: Instant, count: u64) -> f64 {
    begun.elapsed().as_secs_f64() * 1e9 / count.max(1) as f64
}
