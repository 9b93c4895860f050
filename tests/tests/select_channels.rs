//! `select!` over channels: exactly one message is taken or sent, all others stay where they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use sward::channel::{Receiver, Sender, after, bounded, never, tick, unbounded};
use sward::sync::mpsc;
use sward::{Select, select};
use sward_tests::{Drops, Member, Rng, each_crowd};

/// A channel of the kind with this number.
fn channel<T>(kind: u64) -> (Sender<T>, Receiver<T>) {
    match kind {
        0 => bounded(0),
        1 => bounded(1),
        2 => bounded(3),
        _ => unbounded(),
    }
}

/// Many move numbers through a few channels, by selects in both directions, with limits that end at any moment: each number
/// arrives once.
#[test]
fn nothing_lost_nothing_doubled() {
    each_crowd(|_, runtime, crowd| {
        for kind in 0..4 {
            const EACH: u64 = 60;
            const SENDERS: u64 = 4;
            let ends: Vec<_> = (0..2).map(|_| channel::<u64>(kind)).collect();
            let (senders, receivers): (Vec<_>, Vec<_>) = ends.into_iter().unzip();
            let sum = Arc::new(AtomicU64::new(0));
            let count = Arc::new(AtomicUsize::new(0));
            let mut all: Vec<Member<()>> = Vec::new();
            for number in 0..SENDERS {
                let senders = senders.clone();
                all.push(crowd.start(runtime, number as usize, move || {
                    let mut rng = Rng::new(number);
                    for message in 0..EACH {
                        let mut message = Some(number * EACH + message);
                        while message.is_some() {
                            let limit = Duration::from_micros(rng.below(100));
                            let sender = &senders[rng.below(2) as usize];
                            select! {
                                sent = sender.send_from(&mut message) => sent.unwrap(),
                                _ = never::<()>().recv() => panic!("nobody sends"),
                                timeout(limit) => {}
                            }
                        }
                    }
                }));
            }
            for number in 0..3 {
                let receivers = receivers.clone();
                let (sum, count) = (sum.clone(), count.clone());
                all.push(crowd.start(runtime, number, move || {
                    let mut rng = Rng::new(99 + number as u64);
                    let [one, other] = &receivers[..] else {
                        unreachable!()
                    };
                    let (mut first, mut second) = (true, true);
                    while first || second {
                        let limit = Duration::from_micros(rng.below(100));
                        let (message, from) = select! {
                            message = one.recv(), if first => (message, &mut first),
                            message = other.recv(), if second => (message, &mut second),
                            timeout(limit) => continue,
                        };
                        match message {
                            Ok(message) => {
                                sum.fetch_add(message, SeqCst);
                                count.fetch_add(1, SeqCst);
                            }
                            Err(_) => *from = false,
                        }
                    }
                }));
            }
            drop((senders, receivers));
            all.into_iter().for_each(Member::join);
            let total = SENDERS * EACH;
            assert_eq!(count.load(SeqCst) as u64, total, "kind {kind}");
            assert_eq!(sum.load(SeqCst), total * (total - 1) / 2, "kind {kind}");
        }
    });
}

/// Selects that would send and receive on both sides of a rendezvous meet each other and never themselves.
#[test]
fn selects_meet_selects() {
    each_crowd(|_, runtime, crowd| {
        const ROUNDS: usize = 50;
        let (sender, receiver) = bounded::<usize>(0);
        let counts = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
        let theirs = counts.clone();
        let both: Vec<_> = (0..2)
            .map(|number| {
                let (sender, receiver, counts) = (sender.clone(), receiver.clone(), theirs.clone());
                crowd.start(runtime, number, move || {
                    for _ in 0..ROUNDS {
                        select! {
                            sent = sender.send(number) => {
                                sent.unwrap();
                                counts.0.fetch_add(1, SeqCst);
                            }
                            message = receiver.recv() => {
                                assert_ne!(message.unwrap(), number, "it met itself");
                                counts.1.fetch_add(1, SeqCst);
                            }
                        }
                    }
                })
            })
            .collect();
        both.into_iter().for_each(Member::join);
        assert_eq!(
            (counts.0.load(SeqCst), counts.1.load(SeqCst)),
            (ROUNDS, ROUNDS)
        );
    });
}

/// A message that is not chosen is left, a value that is not sent is the caller's, or dropped once.
#[test]
fn what_is_not_chosen() {
    let (sender, receiver) = bounded(1);
    let (other_sender, other) = bounded(1);
    sender.send(1).unwrap();
    other_sender.send(2).unwrap();
    select! {
        biased;
        message = receiver.recv() => assert_eq!(message, Ok(1)),
        _ = other.recv() => panic!("the first one comes first"),
    }
    assert_eq!((receiver.len(), other.len()), (0, 1));
    let drops = Drops::new();
    let mut value = Some(drops.value());
    let (full, _receiver) = bounded(1);
    full.send(drops.value()).unwrap();
    select! {
        _ = full.send_from(&mut value) => panic!("it is full"),
        message = other.recv() => assert_eq!(message, Ok(2)),
    }
    assert!(value.is_some());
    assert_eq!(drops.count(), 0);
    select! {
        _ = full.send(value.take().unwrap()) => panic!("it is full"),
        default => {}
    }
    assert_eq!(drops.count(), 1);
    drop(_receiver);
    let error = select! { sent = full.send(drops.value()) => sent.unwrap_err() };
    drop(error);
    assert_eq!(drops.count(), 3, "one of them lay in the channel");
}

/// Receivers that nothing else holds, and those of time.
#[test]
fn temporaries_and_time() {
    let begun = Instant::now();
    let which = select! {
        _ = never::<u32>().recv() => "never",
        at = after(Duration::from_millis(3)).recv() => {
            assert!(at.unwrap() >= begun + Duration::from_millis(3));
            "after"
        }
        timeout(Duration::from_secs(60)) => "timeout",
    };
    assert_eq!(which, "after");
    assert!(begun.elapsed() >= Duration::from_millis(3));
    let ticks = tick(Duration::from_millis(1));
    let end = after(Duration::from_secs(60));
    for _ in 0..3 {
        select! {
            _ = ticks.recv() => {}
            _ = end.recv() => panic!("not for a minute"),
        }
    }
    assert!(begun.elapsed() >= Duration::from_millis(6));
}

#[test]
fn closed_channels_are_ready() {
    each_crowd(|_, runtime, crowd| {
        for kind in 0..4 {
            let (sender, receiver) = channel::<u32>(kind);
            let waiter = crowd.start(runtime, 0, move || {
                select! {
                    message = receiver.recv() => message.is_err(),
                    _ = never::<()>().recv() => false,
                }
            });
            drop(sender);
            assert!(waiter.join());
        }
        let (sender, receiver) = bounded::<u32>(0);
        let waiter = crowd.start(runtime, 1, move || {
            select! { sent = sender.send(7) => sent.unwrap_err().into_inner() }
        });
        drop(receiver);
        assert_eq!(waiter.join(), 7);
    });
}

/// std's shape in a select, and std's errors.
#[test]
fn mpsc_too() {
    let (sender, receiver) = mpsc::sync_channel(1);
    select! { sent = sender.send(1) => sent.unwrap() }
    select! {
        _ = sender.send(2) => panic!("it is full"),
        message = receiver.recv() => assert_eq!(message, Ok(1)),
    }
    drop(sender);
    select! { message = receiver.recv() => assert_eq!(message, Err(mpsc::RecvError)) }
}

/// Any number of receivers in one.
#[test]
fn fan_in() {
    each_crowd(|_, runtime, crowd| {
        const CHANNELS: usize = 12;
        let ends: Vec<_> = (0..CHANNELS)
            .map(|at| channel::<usize>(at as u64 % 4))
            .collect();
        let (senders, mut receivers): (Vec<_>, Vec<_>) = ends.into_iter().unzip();
        let feeders: Vec<_> = senders
            .into_iter()
            .enumerate()
            .map(|(at, sender)| {
                crowd.start(runtime, at, move || {
                    (0..20).for_each(|_| sender.send(at).unwrap());
                })
            })
            .collect();
        let mut sum = 0;
        while !receivers.is_empty() {
            let mut select = Select::new();
            for (at, receiver) in receivers.iter().enumerate() {
                select.recv(receiver, move |message| (at, message));
            }
            match select.wait() {
                (_, Ok(message)) => sum += message,
                (at, Err(_)) => drop(receivers.swap_remove(at)),
            }
        }
        feeders.into_iter().for_each(Member::join);
        assert_eq!(sum, 20 * CHANNELS * (CHANNELS - 1) / 2);
    });
}
