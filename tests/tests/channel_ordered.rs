//! Channels from which the greatest message, or the last one, is received first.

mod channel_support;

use std::cmp::Ordering;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use channel_support::*;
use sward::channel::{lifo, lifo_bounded, priority, priority_bounded};
use sward_tests::{Rng, each_crowd, each_runtime};

#[test]
fn messages_arrive_once() {
    nothing_is_lost(priority, false);
    nothing_is_lost(|| priority_bounded(2), false);
    nothing_is_lost(lifo, false);
    nothing_is_lost(|| lifo_bounded(2), false);
}

#[test]
fn those_who_stop_waiting() {
    those_who_leave_take_nothing(priority);
    those_who_leave_take_nothing(|| priority_bounded(1));
    those_who_leave_take_nothing(|| lifo_bounded(3));
}

#[test]
fn ends_at_any_moment() {
    the_end_loses_nothing(lifo);
    the_end_loses_nothing(|| lifo_bounded(2));
}

#[test]
fn the_end_of_a_side() {
    the_end_is_told_to_who_waits(priority);
    the_end_is_told_to_who_waits(|| priority_bounded(2));
    the_end_is_told_to_who_waits(|| lifo_bounded(2));
}

#[test]
fn selects() {
    selects_lose_nothing(|| priority_bounded(2));
    selects_lose_nothing(|| lifo_bounded(1));
}

#[test]
fn messages_without_a_size() {
    nothing_as_a_message(|| priority_bounded(2));
    nothing_as_a_message(lifo);
}

/// Ordered by the first number alone.
#[derive(Debug, Clone, Copy)]
struct Job(u64, usize);

impl Ord for Job {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Job {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Job {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Job {}

#[test]
fn the_greatest_first_and_of_equals_the_oldest() {
    each_crowd(|config, runtime, crowd| {
        crowd.run(runtime, 2, move |number| {
            let mut rng = Rng::new((config.workers + number) as u64);
            let (sender, receiver) = priority();
            let jobs: Vec<_> = (0..200).map(|at| Job(rng.below(10), at)).collect();
            jobs.iter().for_each(|job| sender.send(*job).unwrap());
            assert_eq!(sender.len(), 200);
            // Stable: equals stay in the order in which they were sent.
            let mut wanted = jobs;
            wanted.sort_by(|one, other| other.cmp(one));
            let got: Vec<_> = receiver.try_iter().map(|Job(_, at)| at).collect();
            assert!(got.into_iter().eq(wanted.into_iter().map(|Job(_, at)| at)));
        });
    });
}

#[test]
fn the_newest_first() {
    each_crowd(|_, runtime, crowd| {
        crowd.run(runtime, 2, |_| {
            let (sender, receiver) = lifo_bounded(3);
            (0..3).for_each(|number| sender.send(number).unwrap());
            assert!(sender.is_full() && sender.try_send(3).is_err());
            assert_eq!(receiver.recv(), Ok(2));
            sender.send(4).unwrap();
            assert!(receiver.try_iter().eq([4, 1, 0]));
        });
    });
}

/// Yields whenever it is compared: a user's code may wait there.
#[derive(PartialEq, Eq)]
struct Slow(u64);

impl PartialOrd for Slow {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Slow {
    fn cmp(&self, other: &Self) -> Ordering {
        sward::yield_now();
        self.0.cmp(&other.0)
    }
}

#[test]
fn comparisons_that_wait() {
    each_crowd(|_, runtime, crowd| {
        const EACH: u64 = 20;
        let (sender, receiver) = priority_bounded(4);
        let sum = Arc::new(AtomicUsize::new(0));
        let all: Vec<_> = (0..4)
            .map(|number| {
                let (sender, receiver, sum) = (sender.clone(), receiver.clone(), sum.clone());
                crowd.start(runtime, number, move || {
                    if number < 2 {
                        drop(receiver);
                        (0..EACH).for_each(|message| sender.send(Slow(message)).unwrap());
                    } else {
                        drop(sender);
                        for Slow(message) in receiver {
                            sum.fetch_add(message as usize, SeqCst);
                        }
                    }
                })
            })
            .collect();
        drop((sender, receiver));
        all.into_iter().for_each(sward_tests::Member::join);
        assert_eq!(sum.load(SeqCst) as u64, EACH * (EACH - 1));
    });
}

/// Cannot be compared with another of the same number.
#[derive(PartialEq, Eq)]
struct Unique(u64);

impl PartialOrd for Unique {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Unique {
    fn cmp(&self, other: &Self) -> Ordering {
        assert_ne!(self.0, other.0, "out of cheese");
        self.0.cmp(&other.0)
    }
}

/// Who compares with a panic has the panic; the channel goes on, and who waits for the message is woken for it.
#[test]
fn comparisons_that_panic() {
    each_runtime(|runtime| {
        let (sender, receiver) = priority();
        sender.send(Unique(7)).unwrap();
        let theirs = sender.clone();
        let panics = runtime.spawn(move || theirs.send(Unique(7)));
        assert!(panics.join().is_err_and(|error| error.is_panic()));
        assert_eq!(receiver.len(), 2, "it was put before it was compared");
        assert!(receiver.recv() == Ok(Unique(7)) && receiver.recv() == Ok(Unique(7)));
        sender.send(Unique(1)).unwrap();
        sender.send(Unique(2)).unwrap();
        assert!(receiver.recv() == Ok(Unique(2)) && receiver.recv() == Ok(Unique(1)));
    });
}

#[test]
#[should_panic(expected = "a capacity of zero")]
fn no_room_has_no_order() {
    let _ = priority_bounded::<u32>(0);
}
