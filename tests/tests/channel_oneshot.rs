//! Channels for one message: it comes once, or each side is told that the other is gone, whoever stops waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use sward::channel::{RecvError, TryRecvError, oneshot};
use sward_tests::{Drops, Rng, each_crowd, until};

#[test]
fn messages_and_ends() {
    each_crowd(|_, runtime, crowd| {
        let all: Vec<_> = (0..40)
            .map(|number| {
                let (sender, receiver) = oneshot::channel();
                let receives = crowd.start(runtime, number, move || receiver.recv());
                let sends = crowd.start(runtime, number + 1, move || match number % 3 {
                    0 => drop(sender),
                    _ => sender.send(number).unwrap(),
                });
                (number, receives, sends)
            })
            .collect();
        for (number, receives, sends) in all {
            sends.join();
            let wanted = (number % 3 != 0).then_some(number).ok_or(RecvError);
            assert_eq!(receives.join(), wanted);
        }
    });
}

/// Receivers that stop waiting after a random time, and go on or go: every message is received or comes back or is dropped.
#[test]
fn those_who_leave_lose_nothing() {
    each_crowd(|config, runtime, crowd| {
        const COUNT: usize = 60;
        let drops = Drops::new();
        let got = Arc::new(AtomicUsize::new(0));
        let all: Vec<_> = (0..COUNT)
            .map(|number| {
                let (sender, mut receiver) = oneshot::channel();
                let (got, message) = (got.clone(), drops.value());
                let seed = (number + 100 * config.workers) as u64;
                let receives = crowd.start(runtime, number, move || {
                    let mut rng = Rng::new(seed);
                    for _ in 0..rng.below(4) {
                        let limit = Duration::from_micros(rng.below(60));
                        match rng.below(3) {
                            0 => match receiver.recv_timeout(limit) {
                                Ok(message) => {
                                    return got.fetch_add(message.is_ok() as usize, SeqCst);
                                }
                                Err(back) => receiver = back,
                            },
                            1 => sward::select! {
                                message = receiver.recv() => {
                                    return got.fetch_add(message.is_ok() as usize, SeqCst);
                                }
                                timeout(limit) => {}
                            },
                            _ => match receiver.try_recv() {
                                Ok(_) => return got.fetch_add(1, SeqCst),
                                Err(error) => assert_eq!(error, TryRecvError::Empty),
                            },
                        }
                    }
                    match rng.below(2) {
                        0 => got.fetch_add(receiver.recv().is_ok() as usize, SeqCst),
                        _ => {
                            drop(receiver);
                            0
                        }
                    }
                });
                let sends = crowd.start(runtime, number + 1, move || {
                    if seed.is_multiple_of(3) {
                        sward::yield_now();
                    }
                    sender.send(message).is_ok()
                });
                (receives, sends)
            })
            .collect();
        let mut sent = 0;
        for (receives, sends) in all {
            sent += usize::from(sends.join());
            receives.join();
        }
        assert!(got.load(SeqCst) <= sent);
        assert_eq!(drops.count(), COUNT, "each message is dropped once");
    });
}

#[test]
fn the_sender_hears_that_nobody_wants_it() {
    each_crowd(|_, runtime, crowd| {
        for closes in [false, true] {
            let (sender, mut receiver) = oneshot::channel();
            assert!(!sender.is_closed() && !sender.closed_timeout(Duration::ZERO));
            let begun = Arc::new(AtomicUsize::new(0));
            let theirs = begun.clone();
            let waits = crowd.start(runtime, 0, move || {
                theirs.fetch_add(1, SeqCst);
                sender.closed();
                assert!(sender.closed_timeout(Duration::MAX) && sender.is_closed());
                sender.send(7)
            });
            until(|| begun.load(SeqCst) == 1);
            match closes {
                true => {
                    receiver.close();
                    assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
                }
                false => drop(receiver),
            }
            assert_eq!(waits.join(), Err(7), "it comes back");
        }
    });
}

/// What was sent before the receiver closes can be received.
#[test]
fn closing_loses_nothing() {
    let (sender, mut receiver) = oneshot::channel();
    sender.send(7).unwrap();
    receiver.close();
    assert_eq!(receiver.recv(), Ok(7));
}

/// In a select over several, one message is taken, the others stay.
#[test]
fn selects() {
    each_crowd(|_, runtime, crowd| {
        crowd.run(runtime, 2, |_| {
            for _ in 0..20 {
                let (one, mut from_one) = oneshot::channel();
                let (other, mut from_other) = oneshot::channel();
                one.send(1).unwrap();
                other.send(2).unwrap();
                let first = sward::select! {
                    message = from_one.recv() => message.unwrap(),
                    message = from_other.recv() => message.unwrap(),
                };
                let second = sward::select! {
                    message = from_one.recv(), if first == 2 => message.unwrap(),
                    message = from_other.recv(), if first == 1 => message.unwrap(),
                };
                assert_eq!(first + second, 3);
                assert_eq!(from_one.try_recv(), Err(TryRecvError::Disconnected));
                assert_eq!(from_other.recv(), Err(RecvError));
            }
        });
    });
}
