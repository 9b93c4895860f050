//! Where a worker finds the next greenlet, and how it sleeps when there is none. The order is told in `worker`.
#![forbid(unsafe_code)]

use std::sync::atomic::Ordering::{Acquire, Relaxed, SeqCst};
use std::time::{Duration, Instant};

use crossbeam_deque::Steal;

use super::Worker;
use crate::base::sync::fence;
use crate::greenlet::Runnable;
use crate::reactor::Seat;
use crate::scheduler::idle::Up;
use crate::scheduler::shared::Presence;
use crate::scheduler::spares::Rested;

/// How often a worker looks outside before its own queue. Go's number; any prime of that size would do, so that it does
/// not fall in step with the length of a queue.
const OUTSIDE_EVERY: u32 = 61;
/// How many such looks come for one at the oldest that has never run. That one is the root of the largest part of a tree, as
/// a rule, and to start it early costs memory: this is for fairness alone, after some thousand turns. Arbitrary.
const OLDEST_EVERY: u32 = 64;
/// How often in a row the run-next slot is preferred to the queue, so that two greenlets that wake each other do not
/// starve the rest. Tokio's number.
const NEXT_IN_A_ROW: u32 = 3;
/// How long the memory of stacks that nobody uses may lie before somebody looks at it; somewhat more than the pool asks for, so
/// that nobody is woken who will look in time. Arbitrary.
const TRIM_SOON: Duration = Duration::from_secs(2);
/// How often a searching worker goes round all the others before it sleeps. Arbitrary.
const ROUNDS: usize = 4;

impl Worker {
    /// The next greenlet to run; sleeps until there is one. `None` if the runtime stops.
    pub(super) fn find(&self) -> Option<Runnable> {
        loop {
            if let Some(runnable) = self.stash.take() {
                return Some(runnable);
            }
            if self.shared.stopping.load(Acquire) {
                return None;
            }
            if self.is_spare() && self.may_step_down() && self.shared.spares.is_surplus() {
                if self.step_down() == Rested::Unneeded {
                    self.left.set(true);
                    return None;
                }
                continue;
            }
            let found = self.find_here().or_else(|| self.search());
            if let Some(runnable) = found {
                self.end_search();
                return Some(runnable);
            }
            self.sleep();
        }
    }

    /// A worker that was looking around has found something, or gives up looking.
    pub(super) fn end_search(&self) {
        if self.searching.replace(false) && self.shared.idle.end_search() {
            self.shared.wake_one();
        }
    }

    fn find_here(&self) -> Option<Runnable> {
        let due = self.tick();
        if self.look_outside.replace(false) || due {
            self.turn_drivers();
            if let Some(runnable) = self.take_injected() {
                return Some(runnable);
            }
            let look = self.looks.replace((self.looks.get() + 1) % OLDEST_EVERY);
            if look == 0
                && let Some(runnable) = self.take_oldest()
            {
                return Some(runnable);
            }
        }
        self.take_local().or_else(|| self.take_injected())
    }

    /// Counts one turn. Whether it is time to look outside.
    pub(super) fn tick(&self) -> bool {
        let ticks = &self.remote().ticks;
        let tick = ticks.load(Relaxed).wrapping_add(1);
        // Only the monitor reads it elsewhere, to see that it changes.
        ticks.store(tick, Relaxed);
        tick.is_multiple_of(OUTSIDE_EVERY)
    }

    /// The next of those that are here.
    ///
    /// Those that never ran and those that have run take turns, so that a tree is run depth first; but one that has run and
    /// spawned comes after all that it has spawned, or it could outrun them.
    pub(super) fn take_local(&self) -> Option<Runnable> {
        let spawned = self.spawned_since.replace(0);
        if self.ran_started.replace(false) {
            self.fresh_first.set(self.fresh_first.get() + spawned);
        }
        let taken = self.take_next_in_a_row().or_else(|| {
            let fresh = &self.queues.fresh;
            let first = self.fresh_first.get();
            if first != 0 {
                self.fresh_first.set(first - 1);
                if let Some(runnable) = fresh.pop() {
                    return Some(runnable);
                }
            }
            let started = self.take_started();
            self.fresh_first.set(1);
            let own = started.or_else(|| fresh.pop());
            own.or_else(|| self.remote().take_next())
        })?;
        self.ran_started.set(!taken.never_ran());
        Some(taken)
    }

    /// The one in the run-next slot, unless it was that slot's turn too often in a row.
    fn take_next_in_a_row(&self) -> Option<Runnable> {
        let taken = if self.next_in_a_row.get() < NEXT_IN_A_ROW {
            self.remote().take_next()
        } else {
            None
        };
        let row = if taken.is_some() {
            self.next_in_a_row.get() + 1
        } else {
            0
        };
        self.next_in_a_row.set(row);
        taken
    }

    /// The next one that is ready, in its queue or bound to this worker, in turn.
    fn take_started(&self) -> Option<Runnable> {
        let ready = &self.queues.ready;
        if self.own_home.is_none() {
            return ready.pop();
        }
        if self.bound_first.replace(!self.bound_first.get()) {
            self.take_bound().or_else(|| ready.pop())
        } else {
            ready.pop().or_else(|| self.take_bound())
        }
    }

    /// The one that has waited longest of those that never ran, which are otherwise taken newest first.
    fn take_oldest(&self) -> Option<Runnable> {
        loop {
            match self.remote().fresh.steal() {
                Steal::Success(runnable) => return Some(runnable),
                Steal::Empty => return None,
                Steal::Retry => {}
            }
        }
    }

    pub(super) fn take_bound(&self) -> Option<Runnable> {
        let inbox = &self.remote().inbox;
        while !inbox.is_empty() {
            if let Steal::Success(runnable) = inbox.steal() {
                self.bound.borrow_mut().push_back(runnable);
            }
        }
        self.bound.borrow_mut().pop_front()
    }

    fn take_injected(&self) -> Option<Runnable> {
        while !self.shared.injector.is_empty() {
            let ready = &self.queues.ready;
            if let Steal::Success(runnable) = self.shared.injector.steal_batch_and_pop(ready) {
                if !ready.is_empty() {
                    self.shared.wake_one();
                }
                return Some(runnable);
            }
        }
        None
    }

    /// Looks at the other workers, the drivers and the injector, for a while.
    fn search(&self) -> Option<Runnable> {
        if !self.searching.get() {
            if !self.shared.idle.start_search() {
                // Enough others look. The timers may have something nevertheless.
                self.turn_timers();
                return self.take_local();
            }
            self.searching.set(true);
        }
        for round in 0..ROUNDS {
            if let Some(runnable) = self
                .steal(round == ROUNDS - 1)
                .or_else(|| self.take_injected())
            {
                return Some(runnable);
            }
            if round == 0 {
                self.turn_timers();
                if let Some(runnable) = self.take_local() {
                    return Some(runnable);
                }
            }
            std::hint::spin_loop();
        }
        None
    }

    /// Takes half of another worker's queue, beginning at a random one; with `next_too`, also what it would run next.
    fn steal(&self, next_too: bool) -> Option<Runnable> {
        let remotes = &self.shared.remotes;
        let workers = remotes.len();
        let start = self.rng.below(workers);
        for step in 0..workers {
            let victim = (start + step) % workers;
            if victim == self.index {
                continue;
            }
            let remote = &remotes[victim];
            if remote.is(Presence::Away) {
                // It has handed over what it had, or never had anything.
                continue;
            }
            let pairs = [
                (&remote.fresh, &self.queues.fresh),
                (&remote.ready, &self.queues.ready),
            ];
            for (theirs, ours) in pairs {
                loop {
                    match theirs.steal_batch_and_pop(ours) {
                        Steal::Success(runnable) => return Some(runnable),
                        Steal::Empty => break,
                        Steal::Retry => std::hint::spin_loop(),
                    }
                }
            }
            if next_too && let Some(runnable) = remote.take_next() {
                return Some(runnable);
            }
        }
        None
    }

    /// Fires the timers that are due, and asks the reactor what is ready, unless another worker is doing so or there is
    /// nothing that could be.
    fn turn_drivers(&self) {
        self.turn_timers();
        let reactor = &self.shared.reactor;
        if !reactor.is_empty()
            && let Some(mut seat) = reactor.try_seat()
        {
            seat.poll();
        }
    }

    fn turn_timers(&self) {
        self.shared.timers.turn(&mut self.due.borrow_mut());
    }

    /// Sleeps until called, or until a driver has something, which it then fires.
    fn sleep(&self) {
        let shared = &*self.shared;
        self.remote().set(Presence::Asleep);
        let _ = self.may_step_down();
        shared
            .idle
            .fall_asleep(self.index, self.searching.replace(false));
        if shared.is_closed() {
            // See `Shared::is_closed`: an end that was counted here may not have been told.
            shared.tell_if_drained();
        }
        // Announced first, looked afterwards: see `idle`.
        if shared.has_work(self.index) {
            self.get_up();
            return;
        }
        match shared.reactor.try_seat() {
            Some(mut seat) => {
                self.sleep_seated(&mut seat);
                // Up before the events are dealt out: who seems asleep is woken for what they bring.
                self.get_up();
                seat.deal();
                drop(seat);
                self.turn_timers();
            }
            None => {
                self.tell_of_stacks();
                self.remote().parker.park();
                self.get_up();
            }
        }
    }

    /// Whoever sits in the reactor may have sat down before stacks came back whose memory is to go back in a while: then it
    /// would sleep on beyond that, and nobody else has a deadline.
    fn tell_of_stacks(&self) {
        let shared = &*self.shared;
        if shared.stacks.is_stirred() {
            let soon = Instant::now().checked_add(TRIM_SOON);
            // The fence of `fall_asleep` lies between what we gave back and this. See `sleep_seated`.
            if shared.seat_until.load(SeqCst) > shared.since_birth(soon) {
                shared.reactor.notify();
            }
        }
    }

    fn get_up(&self) {
        self.remote().set(Presence::Up);
        if self.shared.idle.get_up(self.index) == Up::Called {
            self.searching.set(true);
        }
        self.shared.monitor.rouse();
    }

    /// Sleeps in the reactor, until the next timer at most.
    fn sleep_seated(&self, seat: &mut Seat<'_>) {
        let shared = &*self.shared;
        let trim = shared.stacks.trim(Instant::now());
        let deadline = |timer: Option<Instant>| match (timer, trim) {
            (Some(timer), Some(trim)) => Some(timer.min(trim)),
            (timer, trim) => timer.or(trim),
        };
        let announced = deadline(shared.timers.next());
        shared
            .seat_until
            .store(shared.since_birth(announced), SeqCst);
        // Against `arm`: announced first, looked afterwards. And never longer than announced: a timer that was the earliest
        // may have fired elsewhere in between, and those armed since relied on what is announced.
        fence(SeqCst);
        let until = match (announced, deadline(shared.timers.next())) {
            (Some(announced), Some(now)) => Some(announced.min(now)),
            (announced, now) => announced.or(now),
        };
        if trim.is_none() && shared.stacks.is_stirred() {
            // Against `tell_of_stacks`, likewise: some came back since we asked.
            shared.seat_until.store(0, SeqCst);
            return;
        }
        self.remote().parker.park_seated(seat, until);
        shared.seat_until.store(0, SeqCst);
    }
}
