//! Floor 7: timers. A wheel per shard, and the clock that turns them.
//!
//! A greenlet that waits with a deadline arms a timer in the shard of the worker it runs on and disarms it when its wait
//! is over; both are O(1) under a lock that is hardly ever contended. Workers turn all shards now and then, and before
//! they sleep; `next` tells for how long they may.
//!
//! Time is counted in ticks of 2^16 ns (65.5 µs) since the timers were made. A deadline is rounded up to the next tick,
//! so a timer never fires early.
#![forbid(unsafe_code)]

mod wheel;

use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::{Duration, Instant};

use crossbeam_utils::CachePadded;

use crate::base::lock::lock;
use crate::greenlet::{TimerKey, Token};
use wheel::{Key, Wheel};

/// Nanoseconds of a tick, as a shift.
const TICK_SHIFT: u32 = 16;
/// `next` of a shard that holds no timer.
const NEVER: u64 = u64::MAX;

/// See the module.
#[derive(Debug)]
pub(crate) struct Timers {
    start: Instant,
    shards: Box<[CachePadded<Shard>]>,
}

#[derive(Debug)]
struct Shard {
    wheel: Mutex<Wheel<Token>>,
    /// At or before the tick of the earliest timer; written under the lock.
    next: AtomicU64,
}

impl Timers {
    /// Timers with `shards` shards, each for one worker; others use the first.
    pub(crate) fn new(shards: usize) -> Self {
        let shard = |_| {
            CachePadded::new(Shard {
                wheel: Mutex::new(Wheel::new(0)),
                next: AtomicU64::new(NEVER),
            })
        };
        Self {
            start: Instant::now(),
            shards: (0..shards.max(1)).map(shard).collect(),
        }
    }

    /// Will fire `token` at `at` or up to a tick later, once somebody turns. Also tells whether nothing in this shard was
    /// due before it.
    pub(crate) fn arm(&self, shard: usize, at: Instant, token: Token) -> (TimerKey, bool) {
        let tick = self.tick_after(at);
        let Shard { wheel, next } = &*self.shards[shard];
        let mut wheel = lock(wheel);
        let entry = wheel.insert(tick, token);
        // Acquire and release: `next` is only a hint to those who do not lock; the lock orders everything else.
        let earliest = tick < next.load(Acquire);
        if earliest {
            next.store(tick, Release);
        }
        (
            TimerKey {
                shard,
                entry: entry.to_bits(),
            },
            earliest,
        )
    }

    /// Takes a timer back. Its token is dropped unless it has fired.
    pub(crate) fn disarm(&self, key: TimerKey) {
        let token = lock(&self.shards[key.shard].wheel).remove(Key::from_bits(key.entry));
        drop(token);
    }

    /// Fires all that is due, into `due`, which is empty before and after: tokens fire outside the locks. Returns how many.
    pub(crate) fn turn(&self, due: &mut Vec<Token>) -> usize {
        if self
            .shards
            .iter()
            .all(|shard| shard.next.load(Acquire) == NEVER)
        {
            return 0;
        }
        let now = self.now();
        for shard in &self.shards {
            if shard.next.load(Acquire) > now {
                continue;
            }
            let mut wheel = lock(&shard.wheel);
            wheel.advance(now, &mut |token| due.push(token));
            shard.next.store(wheel.next().unwrap_or(NEVER), Release);
        }
        due.drain(..)
            .map(Token::fire)
            .filter(|&fired| fired)
            .count()
    }

    /// When the next turn is due, at the latest.
    pub(crate) fn next(&self) -> Option<Instant> {
        let next = self
            .shards
            .iter()
            .map(|shard| shard.next.load(Acquire))
            .min()?;
        (next != NEVER)
            .then(|| self.start + Duration::from_nanos(next.saturating_mul(1 << TICK_SHIFT)))
    }

    /// How many timers are armed.
    pub(crate) fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| lock(&shard.wheel).len())
            .sum()
    }

    /// The last tick that has begun.
    fn now(&self) -> u64 {
        (self.start.elapsed().as_nanos() >> TICK_SHIFT) as u64
    }

    /// The first tick that does not begin before `at`.
    fn tick_after(&self, at: Instant) -> u64 {
        let nanos = at.saturating_duration_since(self.start).as_nanos();
        let ticks = (nanos + (1 << TICK_SHIFT) - 1) >> TICK_SHIFT;
        // 48 bits of ticks are some 580 years, the range of the wheel.
        ticks.min(1 << 47) as u64
    }
}
