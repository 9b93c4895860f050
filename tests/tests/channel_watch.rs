//! A value that is watched: the last one is seen by all in the end, and no change is missed by who waits for one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use sward::channel::{RecvError, RecvTimeoutError, watch};
use sward_tests::{Drops, Rng, each_crowd, until};

/// Those who wait see ever later values, and all the last one, by any of the ways to wait.
#[test]
fn the_last_value_is_seen() {
    each_crowd(|config, runtime, crowd| {
        const LAST: u64 = 150;
        let (sender, receiver) = watch::channel(0);
        let watchers: Vec<_> = (0..4)
            .map(|number| {
                let mut receiver = receiver.clone();
                let mut rng = Rng::new((number + 10 * config.workers) as u64);
                crowd.start(runtime, number, move || {
                    let mut seen = 0;
                    loop {
                        let limit = Duration::from_micros(rng.below(60));
                        let changed = match rng.below(4) {
                            0 => receiver.changed(),
                            1 => sward::select! {
                                changed = receiver.changed() => changed,
                                timeout(limit) => continue,
                            },
                            2 => match receiver.changed_timeout(limit) {
                                Err(RecvTimeoutError::Timeout) => continue,
                                changed => changed.map_err(|_| RecvError),
                            },
                            _ => receiver.wait_for(|&value| value > seen).map(|value| {
                                assert!(*value > seen);
                                receiver.mark_changed();
                            }),
                        };
                        let value = *receiver.get_and_update();
                        assert!(value >= seen);
                        if changed.is_err() {
                            return value;
                        }
                        seen = value;
                    }
                })
            })
            .collect();
        drop(receiver);
        for value in 1..=LAST {
            sender.send(value).unwrap();
        }
        drop(sender);
        for watcher in watchers {
            assert_eq!(watcher.join(), LAST);
        }
    });
}

/// One change after another, each waited for: a change that is lost would leave both waiting.
#[test]
fn no_change_is_lost() {
    each_crowd(|_, runtime, crowd| {
        let (to_other, mut from_one) = watch::channel(0);
        let (to_one, mut from_other) = watch::channel(0);
        let other = crowd.start(runtime, 0, move || {
            while from_one.changed().is_ok() {
                let value = *from_one.get();
                to_one.send(value).unwrap();
            }
        });
        let one = crowd.start(runtime, 1, move || {
            for value in 1..300 {
                to_other.send(value).unwrap();
                from_other.changed().unwrap();
                assert_eq!(*from_other.get(), value);
            }
        });
        one.join();
        other.join();
    });
}

/// Changes that depend on the value are made one at a time, also if they wait in between.
#[test]
fn modifications_take_turns() {
    each_crowd(|_, runtime, crowd| {
        const EACH: u64 = 30;
        let (sender, receiver) = watch::channel(0_u64);
        let all: Vec<_> = (0..4)
            .map(|number| {
                let sender = sender.clone();
                crowd.start(runtime, number, move || {
                    let mut rng = Rng::new(number as u64);
                    for _ in 0..EACH {
                        let yields = rng.below(2) == 0;
                        sender.send_modify(|value| {
                            let before = *value;
                            if yields {
                                sward::yield_now();
                            }
                            *value = before + 1;
                        });
                        assert!(!sender.send_if_modified(|value| {
                            *value = 0;
                            false
                        }));
                    }
                })
            })
            .collect();
        all.into_iter().for_each(|member| member.join());
        assert_eq!(*receiver.get(), 4 * EACH);
    });
}

/// A modification that panics changes nothing, and keeps nobody's turn.
#[test]
fn modifications_that_panic() {
    let (sender, mut receiver) = watch::channel(1);
    let theirs = sender.clone();
    let panics = sward::spawn(move || {
        theirs.send_modify(|value| {
            *value = 2;
            std::panic::resume_unwind(Box::new("out of cheese"))
        });
    });
    assert!(panics.join().unwrap_err().is_panic());
    assert_eq!((receiver.has_changed(), *receiver.get()), (Ok(false), 1));
    sender.send_modify(|value| *value += 2);
    assert_eq!(*receiver.get_and_update(), 3);
}

#[test]
fn ends() {
    each_crowd(|_, runtime, crowd| {
        let (sender, receiver) = watch::channel(1);
        let begun = Arc::new(AtomicUsize::new(0));
        let waits = |number: usize| {
            let (mut receiver, begun) = (receiver.clone(), begun.clone());
            crowd.start(runtime, number, move || {
                begun.fetch_add(1, SeqCst);
                match number {
                    0 => receiver.changed(),
                    1 => receiver.wait_for(|_| false).map(drop),
                    _ => sward::select! { changed = receiver.changed() => changed },
                }
            })
        };
        let all: Vec<_> = (0..3).map(waits).collect();
        until(|| begun.load(SeqCst) == 3);
        drop(sender.clone());
        drop(sender);
        for member in all {
            assert_eq!(member.join(), Err(RecvError));
        }
        assert_eq!(receiver.has_changed(), Err(RecvError));

        let (sender, receiver) = watch::channel(1);
        assert!(!sender.closed_timeout(Duration::ZERO));
        let begun = Arc::new(AtomicUsize::new(0));
        let theirs = begun.clone();
        let hears = crowd.start(runtime, 0, move || {
            theirs.fetch_add(1, SeqCst);
            sender.closed();
            assert!(sender.is_closed());
            assert_eq!(sender.send(2).unwrap_err().into_inner(), 2);
            let again = sender.subscribe();
            assert!(!sender.is_closed());
            sender.send(3).unwrap();
            *again.get()
        });
        until(|| begun.load(SeqCst) == 1);
        drop(receiver.clone());
        drop(receiver);
        assert_eq!(hears.join(), 3);
    });
}

/// Old values are dropped once nobody looks at them.
#[test]
fn values_are_dropped_once() {
    let drops = Drops::new();
    let (sender, receiver) = watch::channel(drops.value());
    let first = receiver.get();
    sender.send(drops.value()).unwrap();
    assert_eq!(drops.count(), 0);
    drop(first);
    assert_eq!(drops.count(), 1);
    drop(sender.send_replace(drops.value()));
    assert_eq!(drops.count(), 2);
    drop((sender, receiver));
    assert_eq!(drops.count(), 3);
}
