//! The report of a deadlock: all greenlets are parked, and nothing is left that could wake one.
//!
//! Asked by the monitor while all workers sleep. It is certain of what it says: no timer is armed, no greenlet waits for a
//! socket, this is the only runtime, and each thread of the process is a runtime's or waits in sward without a deadline.
//! A thread that does anything else, also if it waits in some other way, might wake somebody, and there is no report. So a
//! program that hangs without one has such a thread (the test harness has one, for instance).
#![forbid(unsafe_code)]

use super::shared::Shared;
use super::sys;
use crate::base::fork;
use crate::base::say::say;
use crate::base::threads;
use crate::greenlet::{GreenletRef, Reason};

/// How many greenlets are listed. Arbitrary.
const LISTED: usize = 32;

/// What was found so far, in one stretch of all workers' sleep.
#[derive(Debug, Default)]
pub(super) struct Suspicion {
    /// How many looks in a row have found a deadlock.
    found: u32,
    /// There is nothing more to be found: it has been reported, or somebody waits for a socket.
    settled: bool,
}

impl Suspicion {
    /// Whether to look again if nothing happens.
    pub(super) fn is_open(&self, shared: &Shared) -> bool {
        shared.settings().report_deadlocks && !self.settled && shared.live() != 0
    }

    /// Looks. Reports what two looks in a row have found: what one sees may be about to change.
    pub(super) fn look(&mut self, shared: &Shared) {
        // In a child the counts are its parent's.
        let quiet = fork::process() == 0
            && shared.timers.len() == 0
            && threads::runtimes() == 1
            && sys::threads().is_some_and(|all| all <= threads::passive());
        if !quiet {
            self.found = 0;
            return;
        }
        let parked = shared.census.everybody();
        let by_socket = |greenlet: &GreenletRef| {
            matches!(
                greenlet.waits_for.read(),
                Reason::Readable | Reason::Writable
            )
        };
        if parked.iter().any(by_socket) {
            self.settled = true;
            return;
        }
        if parked.len() != shared.live() {
            self.found = 0;
            return;
        }
        self.found += 1;
        if self.found == 2 {
            self.settled = true;
            report(shared, parked);
        }
    }
}

fn report(shared: &Shared, mut parked: Vec<GreenletRef>) {
    let runtime = &shared.settings().name;
    parked.sort_by_key(|greenlet| greenlet.id);
    let count = parked.len();
    let mut text = format!(
        "deadlock: {count} greenlets of runtime '{runtime}' wait, and nothing is left that could wake them"
    );
    for greenlet in parked.iter().take(LISTED) {
        let name = greenlet.name.as_deref().unwrap_or("<unnamed>");
        let (id, site, reason) = (greenlet.id, greenlet.site, greenlet.waits_for.read());
        text += &format!("\n    greenlet '{name}' (id {id}, spawned at {site}) waits {reason}");
    }
    if count > LISTED {
        text += &format!("\n    and {} more", count - LISTED);
    }
    say(format_args!("{text}"));
}
