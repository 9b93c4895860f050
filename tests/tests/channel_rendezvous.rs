//! Channels without room: who sends and who receives meet.

mod channel_support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use channel_support::*;
use std::time::Duration;
use sward::channel::bounded;
use sward_tests::{Member, each_config, each_crowd, until};

#[test]
fn messages_arrive_once_and_in_order() {
    nothing_is_lost(|| bounded(0), true);
}

#[test]
fn those_who_stop_waiting() {
    those_who_leave_take_nothing(|| bounded(0));
}

#[test]
fn ends_at_any_moment() {
    the_end_loses_nothing(|| bounded(0));
}

#[test]
fn the_end_of_a_side() {
    the_end_is_told_to_who_waits(|| bounded(0));
}

#[test]
fn selects() {
    selects_lose_nothing(|| bounded(0));
}

#[test]
fn messages_without_a_size() {
    nothing_as_a_message(|| bounded(0));
}

/// A message is never sent before somebody has come to receive it.
#[test]
fn who_sends_waits_for_who_receives() {
    each_crowd(|_, runtime, crowd| {
        let (sender, receiver) = bounded(0);
        let come = Arc::new(AtomicUsize::new(0));
        let theirs = come.clone();
        let sends = crowd.start(runtime, 0, move || {
            for number in 1..=50 {
                sender.send(number).unwrap();
                assert!(theirs.load(SeqCst) >= number, "received before it was sent");
            }
        });
        for number in 1..=50 {
            come.fetch_add(1, SeqCst);
            assert_eq!(receiver.recv(), Ok(number));
        }
        sends.join();
    });
}

#[test]
fn nobody_meets_who_does_not_wait() {
    each_crowd(|_, runtime, crowd| {
        let (sender, receiver) = bounded(0);
        assert!(sender.try_send(1).unwrap_err().is_full());
        assert!(receiver.try_recv().unwrap_err().is_empty());
        let waiter = {
            let receiver = receiver.clone();
            crowd.start(runtime, 0, move || receiver.recv().unwrap())
        };
        until(|| sender.try_send(2).is_ok());
        assert_eq!(waiter.join(), 2);
        let waiter = {
            let sender = sender.clone();
            crowd.start(runtime, 1, move || sender.send(3).unwrap())
        };
        until(|| receiver.try_recv() == Ok(3));
        waiter.join();
        assert!(sender.is_empty() && sender.is_full());
        assert_eq!(receiver.capacity(), Some(0));
    });
}

/// Selects that both send to and receive from the same channel meet each other, not themselves: as many messages are sent as
/// are received, and by others.
#[test]
fn selects_that_do_both() {
    each_crowd(|_, runtime, crowd| {
        const ALL: usize = 4;
        let (sender, receiver) = bounded(0);
        let (stop, stopped) = bounded::<()>(0);
        let (sent, received) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let done = Arc::new(AtomicBool::new(false));
        let all: Vec<_> = (0..ALL)
            .map(|number| {
                let (sender, receiver) = (sender.clone(), receiver.clone());
                let (sent, received) = (sent.clone(), received.clone());
                let (stopped, done) = (stopped.clone(), done.clone());
                crowd.start(runtime, number, move || {
                    while !done.load(SeqCst) {
                        sward::select! {
                            result = sender.send(number) => {
                                result.unwrap();
                                sent.fetch_add(1, SeqCst);
                            }
                            result = receiver.recv() => {
                                assert_ne!(result, Ok(number), "from itself");
                                received.fetch_add(1, SeqCst);
                            }
                            _ = stopped.recv() => return,
                        }
                    }
                })
            })
            .collect();
        until(|| received.load(SeqCst) >= 100);
        done.store(true, SeqCst);
        drop(stop);
        all.into_iter().for_each(Member::join);
        assert_eq!(sent.load(SeqCst), received.load(SeqCst));
    });
}

/// A greenlet that was given up at the end of its runtime while it waited takes no message, and nobody's turn.
#[test]
fn who_is_given_up_takes_nothing() {
    each_config(|config| {
        for capacity in 0..2 {
            let (sender, receiver) = bounded(capacity);
            let runtime = config.build();
            let begun = Arc::new(AtomicUsize::new(0));
            let (theirs, count) = (receiver.clone(), begun.clone());
            let _given_up = runtime.spawn(move || {
                count.fetch_add(1, SeqCst);
                theirs.recv()
            });
            until(|| begun.load(SeqCst) == 1 && runtime.handle().metrics().suspended == 1);
            runtime.shutdown(Duration::ZERO).unwrap_err();
            assert_eq!(sender.try_send(6).is_ok(), capacity == 1);
            let waits = std::thread::spawn(move || receiver.recv());
            if capacity == 0 {
                sender.send(7).unwrap();
            }
            assert_eq!(waits.join().unwrap(), Ok(7 - capacity));
        }
    });
}
