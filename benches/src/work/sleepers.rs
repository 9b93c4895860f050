//! `n` greenlets sleep at once, from one to three seconds spread evenly, and note how late they wake.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{Family, Job};
use crate::meter;
use crate::outcome::Outcome;
use crate::runtimes::{Tasks, Threads};

pub(crate) struct Sleepers;

/// Below this number it is a smoke run, and the nights are short.
const MANY: u64 = 10_000;

/// The times, one place a sleeper; each writes its own, and the join orders the reading after it.
struct Bedroom {
    late_ns: Vec<AtomicU64>,
    shortest: Duration,
    begun: Instant,
    cpu: Duration,
}

impl Bedroom {
    fn new(n: u64) -> Arc<Self> {
        Arc::new(Self {
            late_ns: (0..n).map(|_| AtomicU64::new(0)).collect(),
            shortest: Duration::from_millis(if n < MANY { 20 } else { 1000 }),
            begun: Instant::now(),
            cpu: meter::cpu(),
        })
    }

    /// Neighbours sleep for unlike times: 7,919 is prime to every `n` in use.
    fn night(&self, i: u64) -> Duration {
        let n = self.late_ns.len() as u64;
        self.shortest
            + self
                .shortest
                .mul_f64(2.0 * (i * 7919 % n) as f64 / n as f64)
    }

    fn wake(&self, i: u64, lay_down: Instant) {
        let late = lay_down.elapsed().saturating_sub(self.night(i));
        self.late_ns[i as usize].store(late.as_nanos() as u64, Ordering::Relaxed);
    }

    fn morning(&self) -> Outcome {
        let wall = self.begun.elapsed().as_secs_f64();
        let cpu = (meter::cpu() - self.cpu).as_secs_f64();
        let mut late: Vec<_> = self
            .late_ns
            .iter()
            .map(|ns| ns.load(Ordering::Relaxed))
            .collect();
        late.sort_unstable();
        let p99 = meter::percentile(&late, 0.99) as f64 / 1e6;
        Outcome::of("wall s", wall)
            .with("CPU s", cpu)
            .with("late p99 ms", p99)
    }
}

impl Family for Sleepers {
    fn threads<R: Threads>(job: Job) -> Outcome {
        let room = Bedroom::new(job.n);
        let sleepers: Vec<_> = (0..job.n)
            .map(|i| {
                let room = room.clone();
                R::spawn(move || {
                    let lay_down = Instant::now();
                    R::sleep(room.night(i));
                    room.wake(i, lay_down);
                })
            })
            .collect();
        sleepers.into_iter().for_each(R::join);
        room.morning()
    }

    async fn tasks<R: Tasks>(job: Job) -> Outcome {
        let room = Bedroom::new(job.n);
        let sleepers: Vec<_> = (0..job.n)
            .map(|i| {
                let room = room.clone();
                R::spawn(async move {
                    let lay_down = Instant::now();
                    R::sleep(room.night(i)).await;
                    room.wake(i, lay_down);
                })
            })
            .collect();
        for sleeper in sleepers {
            R::join(sleeper).await;
        }
        room.morning()
    }
}
