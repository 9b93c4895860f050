//! Channels with room for some messages: none is lost, none is doubled, whoever stops waiting and however it ends.

mod channel_support;

use channel_support::*;
use sward::channel::bounded;
use sward_tests::each_crowd;

#[test]
fn messages_arrive_once_and_in_order() {
    nothing_is_lost(|| bounded(1), true);
    nothing_is_lost(|| bounded(3), true);
}

#[test]
fn those_who_stop_waiting() {
    those_who_leave_take_nothing(|| bounded(1));
    those_who_leave_take_nothing(|| bounded(5));
}

#[test]
fn ends_at_any_moment() {
    the_end_loses_nothing(|| bounded(1));
    the_end_loses_nothing(|| bounded(4));
}

#[test]
fn the_end_of_a_side() {
    the_end_is_told_to_who_waits(|| bounded(2));
}

#[test]
fn selects() {
    selects_lose_nothing(|| bounded(1));
    selects_lose_nothing(|| bounded(3));
}

#[test]
fn messages_without_a_size() {
    nothing_as_a_message(|| bounded(2));
}

/// The number of messages is what was put less what was taken, however often the end of the ring was passed.
#[test]
fn how_many_there_are() {
    each_crowd(|_, runtime, crowd| {
        crowd.run(runtime, 2, |_| {
            for capacity in 1..5 {
                let (sender, receiver) = bounded(capacity);
                for round in 0..3 * capacity {
                    assert!(receiver.is_empty() && sender.is_empty());
                    for number in 0..capacity {
                        assert!(!receiver.is_full() && sender.len() == number);
                        sender.try_send(round + number).unwrap();
                    }
                    assert!(sender.is_full() && receiver.len() == capacity);
                    assert_eq!(sender.try_send(0).unwrap_err().into_inner(), 0);
                    for number in 0..capacity {
                        assert_eq!(receiver.try_recv(), Ok(round + number));
                    }
                    sender.send(1).unwrap();
                    assert_eq!(receiver.recv(), Ok(1));
                }
            }
        });
    });
}

/// One that never has to wait lets the others on its worker run all the same.
#[test]
fn a_busy_channel_lets_others_run() {
    each_crowd(|config, runtime, _| {
        let (sender, receiver) = bounded::<u32>(1);
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let theirs = stop.clone();
        let busy = runtime.spawn(move || {
            while !theirs.load(std::sync::atomic::Ordering::SeqCst) {
                sender.send(1).unwrap();
                receiver.recv().unwrap();
            }
        });
        let others: Vec<_> = (0..config.workers)
            .map(|_| {
                let stop = stop.clone();
                runtime.spawn(move || stop.store(true, std::sync::atomic::Ordering::SeqCst))
            })
            .collect();
        others.into_iter().for_each(|other| other.join().unwrap());
        busy.join().unwrap();
    });
}
