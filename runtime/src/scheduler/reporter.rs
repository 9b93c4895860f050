//! Who tells of greenlets that hold up their workers: a thread of its own, started where somebody wants to be told.
//!
//! The monitor says which worker is held up, and when it goes on; what takes long is done here, so that the monitor looks
//! on meanwhile: asking the worker's thread, which may want for a processor and answer late, and the program's hook.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::held_up::{HeldUp, Hook};
use super::shared::Shared;
use crate::base::threads::Counted;
use crate::greenlet::{self, Greenlet};

/// How long it waits before it asks again who has not answered; twice as long each time, up to so many times.
const PAUSE: Duration = Duration::from_millis(5);
const DOUBLINGS: u32 = 6;

/// What the monitor has seen.
#[derive(Debug)]
pub(super) enum Notice {
    /// Worker `worker` is held up in turn `turn`, which began at `since` or before.
    Begins {
        worker: usize,
        turn: u32,
        since: Instant,
    },
    /// It has gone on; that turn has lasted `elapsed` at least.
    Ends {
        worker: usize,
        turn: u32,
        elapsed: Duration,
    },
}

/// One that is held up.
#[derive(Debug)]
struct Open {
    worker: usize,
    turn: u32,
    since: Instant,
    asked: u32,
    told: Option<HeldUp>,
}

impl Open {
    /// Asks the worker's thread who holds it up, if nobody has been told yet, and tells.
    fn report(&mut self, shared: &Shared, hook: &Hook) {
        if self.told.is_some() {
            return;
        }
        self.asked += 1;
        let remote = &shared.remotes[self.worker];
        let thread = remote.thread.load(Relaxed);
        if let Some((greenlet, frames)) = greenlet::ask(thread, &remote.ticks, self.turn) {
            let held_up = HeldUp {
                greenlet: Greenlet::new(greenlet),
                elapsed: self.since.elapsed(),
                over: false,
                frames: frames.into(),
            };
            hook.tell(&held_up);
            self.told = Some(held_up);
        }
    }

    /// Tells that it is over, if it was told that it began.
    fn close(self, hook: &Hook, elapsed: Duration) {
        if let Some(mut told) = self.told {
            told.elapsed = told.elapsed.max(elapsed);
            told.over = true;
            hook.tell(&told);
        }
    }
}

/// The life of the reporter, until the monitor has ended.
pub(super) fn run_thread(shared: &Arc<Shared>, notices: &Receiver<Notice>) {
    let _ours = Counted::ours();
    let Some(hook) = &shared.settings().held_up else {
        return;
    };
    let mut open: Vec<Open> = Vec::new();
    loop {
        let unanswered = open.iter().filter(|one| one.told.is_none());
        let notice = match unanswered.map(|one| one.asked).min() {
            Some(asked) => notices.recv_timeout(PAUSE * (1 << asked.min(DOUBLINGS))),
            None => notices.recv().map_err(RecvTimeoutError::from),
        };
        match notice {
            Ok(Notice::Begins {
                worker,
                turn,
                since,
            }) => {
                let mut new = Open {
                    worker,
                    turn,
                    since,
                    asked: 0,
                    told: None,
                };
                new.report(shared, hook);
                open.push(new);
            }
            Ok(Notice::Ends {
                worker,
                turn,
                elapsed,
            }) => {
                let of = |one: &Open| (one.worker, one.turn) == (worker, turn);
                if let Some(at) = open.iter().position(of) {
                    open.swap_remove(at).close(hook, elapsed);
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                open.iter_mut().for_each(|one| one.report(shared, hook));
            }
            // The monitor goes when all workers have come back.
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    open.into_iter()
        .for_each(|one| one.close(hook, Duration::ZERO));
}
