//! Channels with room for any number of messages.

mod channel_support;

use channel_support::*;
use sward::channel::unbounded;
use sward_tests::{Drops, each_crowd};

#[test]
fn messages_arrive_once_and_in_order() {
    nothing_is_lost(unbounded, true);
}

#[test]
fn those_who_stop_waiting() {
    those_who_leave_take_nothing(unbounded);
}

#[test]
fn ends_at_any_moment() {
    the_end_loses_nothing(unbounded);
}

#[test]
fn the_end_of_a_side() {
    the_end_is_told_to_who_waits(unbounded);
}

#[test]
fn selects() {
    selects_lose_nothing(unbounded);
}

#[test]
fn messages_without_a_size() {
    nothing_as_a_message(unbounded);
}

/// What was sent before the senders went is still received; what was sent before the receivers went is dropped.
#[test]
fn what_is_left_at_the_end() {
    each_crowd(|_, runtime, crowd| {
        crowd.run(runtime, 2, |_| {
            let drops = Drops::new();
            let (sender, receiver) = unbounded();
            (0..100).for_each(|_| sender.send(drops.value()).unwrap());
            assert_eq!((sender.len(), drops.count()), (100, 0));
            drop(sender);
            assert_eq!(receiver.iter().take(40).count(), 40);
            drop(receiver);
            assert_eq!(drops.count(), 100);

            let (sender, receiver) = unbounded();
            (0..100).for_each(|_| sender.send(drops.value()).unwrap());
            drop(receiver);
            assert_eq!(drops.count(), 200, "while there is a sender");
            drop(sender.send(drops.value()).unwrap_err().into_inner());
            assert_eq!(drops.count(), 201);
        });
    });
}
