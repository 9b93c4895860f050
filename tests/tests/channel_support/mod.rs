//! What holds for channels of every kind.

// Each program uses some of it.
#![allow(dead_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use sward::channel::{
    Receiver, RecvTimeoutError, SendError, SendTimeoutError, Sender, TryRecvError, TrySendError,
};
use sward_tests::{Counted, Drops, Member, Rng, each_crowd, until};

/// What makes a channel.
pub(crate) type Make<T> = fn() -> (Sender<T>, Receiver<T>);

/// So many on each side.
const SIDE: u64 = 3;
/// The messages of one sender are its number times this and more.
const PART: u64 = 1_000_000;

fn assert_all(mut got: Vec<u64>, each: u64) {
    got.sort_unstable();
    let all = (0..SIDE).flat_map(|part| (0..each).map(move |number| PART * part + number));
    assert!(got.into_iter().eq(all), "each message once");
}

/// Several senders, several receivers: each message arrives once; if the channel keeps the order, the messages of one sender arrive
/// in theirs.
pub(crate) fn nothing_is_lost(make: Make<u64>, keeps_order: bool) {
    each_crowd(|_, runtime, crowd| {
        const EACH: u64 = 100;
        let (sender, receiver) = make();
        let start = |number| {
            let (sender, receiver) = (sender.clone(), receiver.clone());
            crowd.start(runtime, number as usize, move || {
                if number < SIDE {
                    drop(receiver);
                    (0..EACH).for_each(|message| sender.send(PART * number + message).unwrap());
                    return Vec::new();
                }
                drop(sender);
                receiver.iter().collect()
            })
        };
        let all: Vec<_> = (0..2 * SIDE).map(start).collect();
        drop((sender, receiver));
        let got: Vec<Vec<u64>> = all.into_iter().map(Member::join).collect();
        for got in &got {
            for part in 0..SIDE {
                let of_part = got.iter().filter(|&message| message / PART == part);
                assert!(!keeps_order || of_part.is_sorted(), "{got:?}");
            }
        }
        assert_all(got.concat(), EACH);
    });
}

/// Those who stop waiting take nothing with them, no message and no turn: what is left goes to those who wait for as long as
/// it takes. The channel is not closed before all is done, so nobody is woken by that.
pub(crate) fn those_who_leave_take_nothing(make: Make<u64>) {
    each_crowd(|_, runtime, crowd| {
        const EACH: u64 = 60;
        let (sender, receiver) = make();
        let got = Arc::new(AtomicUsize::new(0));
        let senders: Vec<_> = (0..SIDE)
            .map(|number| {
                let sender = sender.clone();
                crowd.start(runtime, number as usize, move || {
                    let mut rng = Rng::new(number);
                    for message in (0..EACH).map(|message| PART * number + message) {
                        // The first is patient, the others become so with the second half of their messages.
                        let patient = number == 0 || message % PART >= EACH / 2;
                        loop {
                            let limit = match rng.below(3) {
                                0 => Duration::ZERO,
                                _ => Duration::from_micros(rng.below(80)),
                            };
                            let sent = match limit {
                                _ if patient => break sender.send(message).unwrap(),
                                Duration::ZERO => sender.try_send(message).map_err(|error| {
                                    assert!(error.is_full());
                                    error.into_inner()
                                }),
                                _ => sender.send_timeout(message, limit).map_err(|error| {
                                    assert!(error.is_timeout());
                                    error.into_inner()
                                }),
                            };
                            match sent {
                                Ok(()) => break,
                                Err(back) => assert_eq!(back, message, "it comes back"),
                            }
                        }
                    }
                })
            })
            .collect();
        let receivers: Vec<_> = (0..SIDE)
            .map(|number| {
                let (receiver, count) = (receiver.clone(), got.clone());
                crowd.start(runtime, number as usize + 1, move || {
                    let mut rng = Rng::new(50 + number);
                    let mut got = Vec::new();
                    let rounds = if number == 0 { 0 } else { EACH };
                    for _ in 0..rounds {
                        let limit = Duration::from_micros(rng.below(80));
                        match receiver.recv_timeout(limit) {
                            Ok(message) => {
                                got.push(message);
                                count.fetch_add(1, SeqCst);
                            }
                            Err(RecvTimeoutError::Timeout) => {}
                            Err(RecvTimeoutError::Disconnected) => return got,
                        }
                    }
                    if number < SIDE - 1 {
                        for message in &receiver {
                            got.push(message);
                            count.fetch_add(1, SeqCst);
                        }
                    }
                    got
                })
            })
            .collect();
        senders.into_iter().for_each(Member::join);
        until(|| match got.load(SeqCst) {
            all if all == (SIDE * EACH) as usize => Ok(()),
            some => Err(format!("{some} messages, {receiver:?}")),
        });
        drop((sender, receiver));
        let got: Vec<Vec<u64>> = receivers.into_iter().map(Member::join).collect();
        assert_all(got.concat(), EACH);
    });
}

/// While both sides end at some moment, each message is received, or given back, or dropped with the channel: once.
pub(crate) fn the_end_loses_nothing(make: Make<Counted>) {
    each_crowd(|config, runtime, crowd| {
        for round in 0..6 {
            const EACH: u64 = 30;
            let drops = Drops::new();
            let made = Arc::new(AtomicUsize::new(0));
            let (sender, receiver) = make();
            let start = |number: u64| {
                let (sender, receiver) = (sender.clone(), receiver.clone());
                let (drops, made) = (drops.clone(), made.clone());
                crowd.start(runtime, number as usize, move || {
                    let mut rng = Rng::new(100 * round + 10 * config.workers as u64 + number);
                    // Some go long before the others are done.
                    let rounds = rng.below(EACH);
                    if number < SIDE {
                        drop(receiver);
                        for _ in 0..rounds {
                            made.fetch_add(1, SeqCst);
                            match sender.send(drops.value()) {
                                Ok(()) => {}
                                Err(SendError(back)) => drop(back),
                            }
                        }
                        return (0, 0);
                    }
                    drop(sender);
                    let got: Vec<_> = receiver.iter().take(rounds as usize).collect();
                    (got.len(), rounds as usize)
                })
            };
            let all: Vec<_> = (0..2 * SIDE).map(start).collect();
            drop((sender, receiver));
            for member in all {
                let (got, wanted) = member.join();
                assert!(got <= wanted);
            }
            assert_eq!(drops.count(), made.load(SeqCst), "round {round}");
        }
    });
}

/// The end of one side ends the waits of the other, whose messages come back.
pub(crate) fn the_end_is_told_to_who_waits(make: Make<u64>) {
    each_crowd(|_, runtime, crowd| {
        let (sender, receiver) = make();
        let begun = Arc::new(AtomicUsize::new(0));
        let all: Vec<_> = (0..4)
            .map(|number| {
                let (receiver, begun) = (receiver.clone(), begun.clone());
                crowd.start(runtime, number, move || {
                    begun.fetch_add(1, SeqCst);
                    match number < 2 {
                        true => receiver.recv().is_err(),
                        false => receiver
                            .recv_timeout(Duration::MAX)
                            .is_err_and(|error| error.is_disconnected()),
                    }
                })
            })
            .collect();
        until(|| begun.load(SeqCst) == 4);
        drop(sender);
        all.into_iter().for_each(|waiter| assert!(waiter.join()));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));

        let (sender, receiver) = make();
        let Some(capacity) = sender.capacity() else {
            drop(receiver);
            assert_eq!(sender.send(7), Err(SendError(7)));
            return;
        };
        (0..capacity as u64).for_each(|message| sender.send(message).unwrap());
        begun.store(0, SeqCst);
        let all: Vec<_> = (0..4)
            .map(|number| {
                let (sender, begun) = (sender.clone(), begun.clone());
                crowd.start(runtime, number as usize, move || {
                    begun.fetch_add(1, SeqCst);
                    match number < 2 {
                        true => sender.send(number) == Err(SendError(number)),
                        false => {
                            sender.send_timeout(number, Duration::MAX)
                                == Err(SendTimeoutError::Disconnected(number))
                        }
                    }
                })
            })
            .collect();
        until(|| begun.load(SeqCst) == 4);
        drop(receiver);
        all.into_iter().for_each(|waiter| assert!(waiter.join()));
        assert_eq!(sender.try_send(8), Err(TrySendError::Disconnected(8)));
        assert_eq!(sender.len(), 0, "dropped with the last receiver");
    });
}

/// Messages go by selects over two channels, on both sides, and some selects give up.
pub(crate) fn selects_lose_nothing(make: Make<u64>) {
    each_crowd(|_, runtime, crowd| {
        const EACH: u64 = 60;
        let ((one, from_one), (other, from_other)) = (make(), make());
        let got = Arc::new(AtomicUsize::new(0));
        let senders: Vec<_> = (0..SIDE)
            .map(|number| {
                let (one, other) = (one.clone(), other.clone());
                crowd.start(runtime, number as usize, move || {
                    let mut rng = Rng::new(number);
                    for message in (0..EACH).map(|message| PART * number + message) {
                        loop {
                            let sent = match rng.below(2) {
                                0 => sward::select! {
                                    sent = one.send(message) => Some(sent),
                                    sent = other.send(message) => Some(sent),
                                },
                                _ => sward::select! {
                                    sent = other.send(message) => Some(sent),
                                    timeout(Duration::from_micros(rng.below(80))) => None,
                                },
                            };
                            if let Some(sent) = sent {
                                sent.unwrap();
                                break;
                            }
                        }
                    }
                })
            })
            .collect();
        let receivers: Vec<_> = (0..SIDE)
            .map(|number| {
                let (one, other) = (from_one.clone(), from_other.clone());
                let got = got.clone();
                crowd.start(runtime, number as usize + 1, move || {
                    let mut rng = Rng::new(50 + number);
                    let mut mine = Vec::new();
                    let mut rounds = EACH;
                    loop {
                        // The first one is patient, the others become so.
                        let patient = number == 0 || rounds == 0;
                        rounds = rounds.saturating_sub(1);
                        let limit = Duration::from_micros(rng.below(80));
                        let received = match patient {
                            true => sward::select! {
                                received = one.recv() => received,
                                received = other.recv() => received,
                            },
                            false => sward::select! {
                                received = one.recv() => received,
                                received = other.recv() => received,
                                timeout(limit) => continue,
                            },
                        };
                        let Ok(message) = received else {
                            return mine;
                        };
                        mine.push(message);
                        got.fetch_add(1, SeqCst);
                    }
                })
            })
            .collect();
        senders.into_iter().for_each(Member::join);
        until(|| got.load(SeqCst) == (SIDE * EACH) as usize);
        drop((one, other));
        let got: Vec<Vec<u64>> = receivers.into_iter().map(Member::join).collect();
        assert_all(got.concat(), EACH);
    });
}

/// Messages that take no room.
pub(crate) fn nothing_as_a_message(make: Make<()>) {
    each_crowd(|_, runtime, crowd| {
        let (sender, receiver) = make();
        let got = Arc::new(AtomicUsize::new(0));
        let all: Vec<_> = (0..4)
            .map(|number| {
                let (sender, receiver, got) = (sender.clone(), receiver.clone(), got.clone());
                crowd.start(runtime, number, move || match number % 4 < 2 {
                    true => {
                        drop(receiver);
                        (0..50).for_each(|_| sender.send(()).unwrap());
                    }
                    false => {
                        drop(sender);
                        receiver.iter().for_each(|()| _ = got.fetch_add(1, SeqCst));
                    }
                })
            })
            .collect();
        drop((sender, receiver));
        all.into_iter().for_each(Member::join);
        assert_eq!(got.load(SeqCst), 100);
    });
}
