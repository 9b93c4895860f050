//! The shelf: the shared list of the stacks of one class.
//!
//! *Warm* slots hold memory; *cold* ones have given theirs back; *bare* ones have never been used. They are
//! handed out in this order. The pool keeps each shelf behind its lock and makes no system call but to map a
//! slab while it holds one.
//!
//! # How a slot cools
//!
//! A slot may cool when it has lain here for a second. No time is kept for each: slots come and go at the
//! back of `warm`, so all that were there at some moment and have not been asked for since are the first
//! `idle` of the list, where `idle` is the shortest that the list has been since. `trim` sets this mark and,
//! a second later, cools that many. `RESERVE` of them stay warm in part, with their topmost page: the first
//! `topped` in the list.

use super::slab::{Bare, Slab, Slot};
use super::sys::MOST_GUARDS;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a slot lies unused before its memory is given back.
const COOLING: Duration = Duration::from_secs(1);
/// How many slots of a class keep their topmost page for good. Arbitrary: two caches full.
pub(super) const RESERVE: usize = 64;

/// The stacks of one class that nobody uses.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// The latest given back last.
    warm: VecDeque<Slot>,
    /// How many of `warm`, from the front, hold their topmost page only.
    topped: usize,
    /// How many of `warm`, from the front, have not moved since `since`.
    idle: usize,
    /// When `idle` was last set to all; `None` if nothing is left to cool.
    since: Option<Instant>,
    cold: Vec<Slot>,
    /// Slots whose guards could not be put up, or not together with others.
    pub(super) bare: Vec<Bare>,
    /// The slab that is being handed out.
    pub(super) slab: Option<Fresh>,
}

/// A slab of which some slots have not been handed out.
#[derive(Debug)]
pub(super) struct Fresh {
    pub(super) slab: Arc<Slab>,
    /// The first slot that has not been.
    pub(super) next: usize,
}

/// Slots off the shelf whose memory is to be given back.
#[derive(Debug, Default)]
pub(super) struct Cooling {
    /// These keep nothing.
    pub(super) whole: Vec<Slot>,
    /// These keep the topmost page.
    pub(super) below_top: Vec<Slot>,
}

impl Cooling {
    pub(super) fn len(&self) -> usize {
        self.whole.len() + self.below_top.len()
    }
}

/// One in so many of the slots of a slab that were handed out are made ready ahead: a program with few greenlets shall
/// not have stacks that it does not use. Arbitrary.
const AHEAD: usize = 16;

impl Shelf {
    /// The next slots of the slab being handed out, of which `bare` is, `most` at most, if so many have been that more will be.
    pub(super) fn more_bare(&mut self, bare: &Bare, most: usize) -> Vec<Bare> {
        match &mut self.slab {
            // Those put by come first, one by one.
            Some(fresh) if self.bare.is_empty() && bare.is_of(&fresh.slab) => {
                let left = fresh.slab.slots() - fresh.next;
                let most = most.min(MOST_GUARDS - 1);
                let ahead = most.min(left).min(fresh.next / AHEAD);
                let first = fresh.next;
                fresh.next += ahead;
                let bares = (first..fresh.next).map(|index| {
                    // SAFETY: below the number of slots, and counted up under the shelf's lock: none is asked for twice.
                    unsafe { fresh.slab.bare(index) }
                });
                bares.collect()
            }
            _ => Vec::new(),
        }
    }

    /// Moves up to `most` slots to `into`, the one to use first last, and says whether there was any.
    pub(super) fn draw(&mut self, most: usize, into: &mut Vec<Slot>) -> bool {
        if !self.warm.is_empty() {
            let rest = self.warm.len().saturating_sub(most);
            into.extend(self.warm.drain(rest..));
            self.idle = self.idle.min(rest);
            self.topped = self.topped.min(rest);
            true
        } else {
            let rest = self.cold.len().saturating_sub(most);
            let before = into.len();
            into.extend(self.cold.drain(rest..));
            into.len() > before
        }
    }

    /// Takes slots back.
    pub(super) fn put(&mut self, slots: impl IntoIterator<Item = Slot>) {
        self.warm.extend(slots);
    }

    /// Takes up to `most` slots off the shelf that have lain here long enough.
    pub(super) fn ripe(&mut self, now: Instant, most: usize) -> Cooling {
        let mut cooling = Cooling::default();
        if !self.is_ripe(now) {
            return cooling;
        }
        let whole = self.excess().min(most);
        cooling.whole.extend(self.warm.drain(..whole));
        self.idle -= whole;
        self.topped = self.topped.saturating_sub(whole);
        if self.excess() == 0 {
            let end = self.idle.min(self.topped + (most - whole)).max(self.topped);
            cooling.below_top.extend(self.warm.drain(self.topped..end));
            self.idle -= cooling.below_top.len();
        }
        cooling
    }

    /// Puts slots back that have cooled.
    pub(super) fn put_cooled(&mut self, cooling: Cooling) {
        self.cold.extend(cooling.whole);
        self.topped += cooling.below_top.len();
        self.idle += cooling.below_top.len();
        for slot in cooling.below_top {
            self.warm.push_front(slot);
        }
    }

    /// When to look for ripe slots next; `None` if no slot here will ever be. Sets the mark.
    pub(super) fn due(&mut self, now: Instant) -> Option<Instant> {
        if self.is_ripe(now) {
            if self.excess() > 0 || self.idle > self.topped {
                return Some(now);
            }
            self.since = None;
        }
        if self.warm.len() <= self.topped.min(RESERVE) {
            self.since = None;
            self.warm.shrink_to(RESERVE);
        } else if self.since.is_none() {
            self.since = Some(now);
            self.idle = self.warm.len();
        }
        self.since.map(|since| since + COOLING)
    }

    /// All slots with guards that are here.
    pub(super) fn guarded(&self) -> impl Iterator<Item = &Slot> {
        self.warm.iter().chain(&self.cold)
    }

    fn is_ripe(&self, now: Instant) -> bool {
        self.since
            .is_some_and(|since| now.saturating_duration_since(since) >= COOLING)
    }

    /// How many of the idle slots the reserve does not want.
    fn excess(&self) -> usize {
        self.idle.min(self.warm.len().saturating_sub(RESERVE))
    }
}
