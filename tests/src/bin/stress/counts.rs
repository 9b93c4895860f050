//! What happens in a round, counted twice: as the plan has it, and as it was done.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! events {
    ($($event:ident: $name:literal,)*) => {
        /// What is counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Event { $(
            #[doc = $name]
            $event,
        )* }

        const NAMES: &[&str] = &[$($name),*];
    };
}

events! {
    Sum: "sum of all greenlets",
    Ran: "greenlets that ran",
    Local: "local greenlets that ran",
    Parked: "parks ended by unpark",
    Locked: "mutexes locked",
    Read: "locks taken to read",
    Written: "locks taken to write",
    Message: "messages received",
    Thread: "threads started in greenlets",
    Hooked: "panics that the hook saw",
    Raised: "panics beside the hook",
    Unheard: "panics that nobody joined",
    Connected: "connections made",
    Accepted: "connections accepted",
    Bytes: "bytes echoed",
    ResetByClient: "resets that the server saw",
    ResetByServer: "resets that clients saw",
    Refused: "connections refused",
    Pair: "connections to a listener of one's own",
    Runtime: "runtimes made in greenlets",
}

const EVENTS: usize = NAMES.len();

/// So much of each.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts([u64; EVENTS]);

impl Counts {
    pub(crate) fn add(&mut self, event: Event, count: u64) {
        let counter = &mut self.0[event as usize];
        *counter = counter.wrapping_add(count);
    }

    pub(crate) fn of(&self, event: Event) -> u64 {
        self.0[event as usize]
    }

    /// What differs between what was chosen and what was done.
    pub(crate) fn differences(&self, done: &Counts) -> Vec<String> {
        let all = NAMES.iter().zip(self.0.iter().zip(&done.0));
        all.filter(|(_, (chosen, done))| chosen != done)
            .map(|(name, (chosen, done))| format!("{name}: {chosen} chosen, {done} done"))
            .collect()
    }
}

impl fmt::Debug for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(NAMES.iter().zip(&self.0)).finish()
    }
}

/// The counters of those who do it. Relaxed: they are read when all have been joined or are known to have ended.
#[derive(Debug, Default)]
pub(crate) struct Tally([AtomicU64; EVENTS]);

impl Tally {
    pub(crate) fn add(&self, event: Event, count: u64) {
        self.0[event as usize].fetch_add(count, Relaxed);
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts(std::array::from_fn(|at| self.0[at].load(Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named() {
        let tally = Tally::default();
        let mut chosen = Counts::default();
        chosen.add(Event::Ran, 3);
        chosen.add(Event::Pair, 1);
        tally.add(Event::Ran, 2);
        tally.add(Event::Pair, 1);
        assert_eq!(chosen.differences(&chosen), [""; 0]);
        let differences = chosen.differences(&tally.counts());
        assert_eq!(differences, ["greenlets that ran: 3 chosen, 2 done"]);
    }
}
