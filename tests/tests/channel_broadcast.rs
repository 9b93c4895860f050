//! Broadcasts: each receiver gets each message once and in order, or is told how many it has missed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use sward::channel::broadcast::{self, Receiver, RecvError, RecvTimeoutError, TryRecvError};
use sward_tests::{Drops, Rng, each_crowd, until};

/// Receives until the end, by any of the ways. How many were received and how many missed; they come in order.
fn receive_all(mut receiver: Receiver<u64>, mut rng: Rng) -> (u64, u64) {
    let (mut got, mut missed, mut next) = (0, 0, 0);
    loop {
        let limit = Duration::from_micros(rng.below(60));
        let received = match rng.below(4) {
            0 => receiver.recv(),
            1 => sward::select! {
                received = receiver.recv() => received,
                timeout(limit) => continue,
            },
            2 => match receiver.recv_timeout(limit) {
                Ok(message) => Ok(message),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Lagged(missed)) => Err(RecvError::Lagged(missed)),
                Err(RecvTimeoutError::Closed) => Err(RecvError::Closed),
            },
            _ => match receiver.try_recv() {
                Ok(message) => Ok(message),
                Err(TryRecvError::Empty) => {
                    sward::yield_now();
                    continue;
                }
                Err(TryRecvError::Lagged(missed)) => Err(RecvError::Lagged(missed)),
                Err(TryRecvError::Closed) => Err(RecvError::Closed),
            },
        };
        match received {
            Ok(message) => {
                assert_eq!(message, next, "in order, and none of them twice");
                (got, next) = (got + 1, next + 1);
            }
            Err(RecvError::Lagged(count)) => {
                assert!(count > 0);
                (missed, next) = (missed + count, next + count);
            }
            Err(RecvError::Closed) => return (got, missed),
        }
    }
}

#[test]
fn each_gets_each_or_is_told() {
    each_crowd(|config, runtime, crowd| {
        const COUNT: u64 = 200;
        for capacity in [1, 5, COUNT as usize] {
            let (sender, receiver) = broadcast::channel(capacity);
            let listeners: Vec<_> = (0..4)
                .map(|number| {
                    let receiver = receiver.clone();
                    let rng = Rng::new((number + config.workers) as u64);
                    crowd.start(runtime, number, move || receive_all(receiver, rng))
                })
                .collect();
            drop(receiver);
            for number in 0..COUNT {
                assert_eq!(sender.send(number).unwrap(), 4);
                assert!(sender.len() <= capacity);
            }
            drop(sender);
            for listener in listeners {
                let (got, missed) = listener.join();
                assert_eq!(got + missed, COUNT);
                assert!(capacity < COUNT as usize || missed == 0);
            }
        }
    });
}

/// Messages are dropped once each, and not before all have got them, whoever comes and goes.
#[test]
fn receivers_come_and_go() {
    each_crowd(|_, runtime, crowd| {
        let drops = Drops::new();
        let (sender, receiver) = broadcast::channel(8);
        let made = Arc::new(AtomicUsize::new(0));
        let all: Vec<_> = (0..4)
            .map(|number| {
                let (sender, made, drops) = (sender.clone(), made.clone(), drops.clone());
                let mut receiver = receiver.clone();
                crowd.start(runtime, number, move || {
                    let mut rng = Rng::new(number as u64);
                    for _ in 0..100 {
                        match rng.below(5) {
                            0 => {
                                made.fetch_add(1, SeqCst);
                                let _ = sender.send(Arc::new(drops.value()));
                            }
                            1 => receiver = receiver.clone(),
                            2 => receiver = receiver.resubscribe(),
                            3 => receiver = sender.subscribe(),
                            _ => drop(receiver.try_recv()),
                        }
                        assert!(receiver.len() <= 8 && receiver.sender_count() >= 1);
                    }
                })
            })
            .collect();
        all.into_iter().for_each(|member| member.join());
        assert_eq!((sender.receiver_count(), receiver.sender_count()), (1, 1));
        drop(receiver);
        assert!(sender.is_empty(), "nobody awaits any");
        assert_eq!(drops.count(), made.load(SeqCst));
        assert!(sender.send(Arc::new(drops.value())).is_err());
        assert_eq!(drops.count(), made.load(SeqCst) + 1);
    });
}

#[test]
fn the_end_is_told_to_who_waits() {
    each_crowd(|_, runtime, crowd| {
        let (sender, receiver) = broadcast::channel::<u32>(1);
        let begun = Arc::new(AtomicUsize::new(0));
        let all: Vec<_> = (0..3)
            .map(|number| {
                let (mut receiver, begun) = (receiver.clone(), begun.clone());
                crowd.start(runtime, number, move || {
                    begun.fetch_add(1, SeqCst);
                    receiver.recv()
                })
            })
            .collect();
        until(|| begun.load(SeqCst) == 3);
        drop(sender.clone());
        drop(sender);
        for member in all {
            assert_eq!(member.join(), Err(RecvError::Closed));
        }
    });
}

/// The last one to receive a message gets the message itself.
#[test]
fn the_last_one_needs_no_clone() {
    #[derive(Debug)]
    struct Cloned(Arc<AtomicUsize>);
    impl Clone for Cloned {
        fn clone(&self) -> Self {
            self.0.fetch_add(1, SeqCst);
            Self(self.0.clone())
        }
    }
    let clones = Arc::new(AtomicUsize::new(0));
    let (sender, mut one) = broadcast::channel(2);
    let mut other = one.clone();
    sender.send(Cloned(clones.clone())).unwrap();
    drop((one.recv().unwrap(), other.recv().unwrap()));
    assert_eq!(clones.load(SeqCst), 1);
}

/// A clone that panics takes the message from nobody else.
#[test]
fn clones_that_panic() {
    #[derive(Debug)]
    struct Fragile;
    impl Clone for Fragile {
        fn clone(&self) -> Self {
            std::panic::resume_unwind(Box::new("fragile"))
        }
    }
    let (sender, one) = broadcast::channel(2);
    let mut other = one.clone();
    sender.send(Fragile).unwrap();
    let breaks = sward::spawn(move || {
        let mut one = one;
        one.recv().map(drop)
    });
    assert!(breaks.join().unwrap_err().is_panic());
    assert!(other.recv().is_ok());
    assert_eq!(other.try_recv().unwrap_err(), TryRecvError::Empty);
}

#[test]
#[should_panic(expected = "a broadcast needs room")]
fn no_room_at_all() {
    let _ = broadcast::channel::<u32>(0);
}
