//! The cases of Go's own tests of channels, written anew for these.
//!
//! From `src/runtime/chan_test.go`: `TestChan` (`blocking_and_closing`, `many_to_many`), `TestNonblockRecvRace`,
//! `TestNonblockSelectRace` and `2`, `TestSelfSelect`, `TestSelectStress`, `TestSelectFairness`, `TestPseudoRandomSend`,
//! `TestMultiConsumer`, `TestShrinkStackDuringBlockedSend` (with a deep stack, as stacks do not shrink under who uses them),
//! `TestSelectDuplicateChannel`. From `test/chan`: `doubleselect`, `fifo`, `goroutines`, `nonblock`, `select3`, `select6`, `select7`,
//! `sieve1`, `sieve2`, `zerosize`.
//!
//! Not: `TestSelectStackAdjust`, `TestNoShrinkStackWhileParking` (stacks do not move), `TestChanSendSelectBarrier` and its like (the
//! collector's write barriers), `perm`, `sendstmt`, `select`, `select2`, `select4`, `select5` (the compiler's, the collector's, and how `select` is evaluated,
//! which the tests of `select!` look at), `powser1` and `powser2` (arithmetic over what `sieve` and `goroutines` do). A `nil` channel is
//! `never()`, or an arm with a condition.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use sward::channel::{Receiver, Sender, bounded, never, unbounded};
use sward_tests::{Member, each_crowd, each_runtime, until};

#[test]
fn blocking_and_closing() {
    each_runtime(|runtime| {
        for capacity in [0, 1, 2, 7, 50] {
            // To receive from an empty one waits, and nothing comes without waiting.
            let (sender, receiver) = bounded::<usize>(capacity);
            let received = Arc::new(AtomicBool::new(false));
            let (theirs, flag) = (receiver.clone(), received.clone());
            let waits = runtime.spawn(move || {
                theirs.recv().unwrap();
                flag.store(true, SeqCst);
            });
            let (theirs, flag) = (receiver.clone(), received.clone());
            let waits_too = runtime.spawn(move || {
                sward::select!(message = theirs.recv() => message.unwrap());
                flag.store(true, SeqCst);
            });
            (0..20).for_each(|_| sward::yield_now());
            assert!(!received.load(SeqCst) && receiver.try_recv().is_err());
            sender.send(0).unwrap();
            sender.send(0).unwrap();
            waits.join().unwrap();
            waits_too.join().unwrap();

            // To send to a full one waits.
            (0..capacity).for_each(|number| sender.send(number).unwrap());
            let sent = Arc::new(AtomicBool::new(false));
            let (theirs, flag) = (sender.clone(), sent.clone());
            let waits = runtime.spawn(move || {
                theirs.send(capacity).unwrap();
                flag.store(true, SeqCst);
            });
            (0..20).for_each(|_| sward::yield_now());
            assert!(!sent.load(SeqCst));
            (0..=capacity).for_each(|number| assert_eq!(receiver.recv(), Ok(number)));
            waits.join().unwrap();

            // What was sent before the end is received, then there is the error, again and again.
            (0..capacity).for_each(|number| sender.send(number).unwrap());
            drop(sender);
            assert!(receiver.iter().eq(0..capacity));
            assert!(receiver.recv().is_err() && receiver.recv().is_err());

            // The end wakes who waits.
            let (sender, receiver) = bounded::<usize>(capacity);
            let waits = runtime.spawn(move || receiver.recv());
            sward::yield_now();
            drop(sender);
            assert!(waits.join().unwrap().is_err());
        }
    });
}

#[test]
fn many_to_many() {
    each_crowd(|_, runtime, crowd| {
        const SIDE: usize = 4;
        const EACH: usize = 50;
        for capacity in [0, 1, 3, 20] {
            let (sender, receiver) = bounded(capacity);
            let senders: Vec<_> = (0..SIDE)
                .map(|number| {
                    let sender = sender.clone();
                    crowd.start(runtime, number, move || {
                        (0..EACH).for_each(|message| sender.send(message).unwrap());
                    })
                })
                .collect();
            let receivers: Vec<_> = (0..SIDE)
                .map(|number| {
                    let receiver = receiver.clone();
                    crowd.start(runtime, number + 1, move || {
                        receiver.iter().take(EACH).collect::<Vec<_>>()
                    })
                })
                .collect();
            senders.into_iter().for_each(Member::join);
            let mut got: Vec<_> = receivers.into_iter().flat_map(Member::join).collect();
            got.sort_unstable();
            assert!(got.into_iter().eq((0..SIDE * EACH).map(|at| at / SIDE)));
        }
    });
}

/// What is there is found without waiting, whether the channel is closed meanwhile or not.
#[test]
fn nonblock_recv_race() {
    each_runtime(|runtime| {
        for _ in 0..50 {
            let (sender, receiver) = bounded(1);
            sender.send(1).unwrap();
            let finds = runtime.spawn(move || receiver.try_recv());
            drop(sender);
            assert_eq!(finds.join().unwrap(), Ok(1));
        }
    });
}

/// A select finds what is in one of two channels, while something comes into the other or that is closed. (Go's also finds it while
/// what is ready goes from one to the other, for it looks at both at the same time. Here it may find neither then; what matters is
/// that nothing is lost.)
#[test]
fn nonblock_select_race() {
    each_runtime(|runtime| {
        for round in 0..60 {
            let ((one, from_one), (other, from_other)) = (bounded(1), bounded::<u32>(1));
            one.send(1).unwrap();
            let (theirs, their_other) = (from_one.clone(), from_other.clone());
            let finds = runtime.spawn(move || {
                sward::select! {
                    got = theirs.recv() => Some(got.is_ok()),
                    got = their_other.recv() => Some(got.is_ok()),
                    default => None,
                }
            });
            match round % 3 {
                0 => {
                    other.send(1).unwrap();
                    assert_eq!(finds.join().unwrap(), Some(true));
                }
                1 => {
                    drop(other);
                    assert!(finds.join().unwrap().is_some());
                }
                _ => {
                    other.send(1).unwrap();
                    let taken = from_one.try_recv().is_ok();
                    let found = finds.join().unwrap() == Some(true);
                    let left = from_one.len() + from_other.len();
                    assert_eq!(usize::from(taken) + usize::from(found) + left, 2);
                }
            }
        }
    });
}

#[test]
fn self_select() {
    each_crowd(|_, runtime, crowd| {
        for capacity in [0, 10] {
            const EACH: usize = 40;
            let (sender, receiver) = bounded(capacity);
            let done = Arc::new(AtomicUsize::new(0));
            let all: Vec<_> = (0..2)
                .map(|number| {
                    let (sender, receiver) = (sender.clone(), receiver.clone());
                    let done = done.clone();
                    crowd.start(runtime, number, move || {
                        for round in 0..EACH {
                            let message = (number, round);
                            sward::select! {
                                sent = sender.send(message) => sent.unwrap(),
                                received = receiver.recv() => {
                                    let (from, _) = received.unwrap();
                                    assert!(capacity > 0 || from != number, "from itself");
                                }
                            }
                        }
                        // The other may need one to meet.
                        done.fetch_add(1, SeqCst);
                        while done.load(SeqCst) < 2 {
                            sward::select! {
                                sent = sender.send((number, EACH)) => sent.unwrap(),
                                _ = receiver.recv() => {}
                                timeout(Duration::from_micros(50)) => {}
                            }
                        }
                    })
                })
                .collect();
            all.into_iter().for_each(Member::join);
        }
    });
}

/// Four channels, on each as many sends as receives, each by plain calls and by selects over all four.
#[test]
fn select_stress() {
    each_crowd(|_, runtime, crowd| {
        const EACH: usize = 30;
        let channels: [(Sender<usize>, Receiver<usize>); 4] =
            [bounded(0), bounded(0), bounded(2), bounded(3)];
        let mut all = Vec::new();
        for (number, (sender, receiver)) in channels.iter().enumerate() {
            let sender = sender.clone();
            all.push(crowd.start(runtime, number, move || {
                (0..EACH).for_each(|message| sender.send(message).unwrap());
            }));
            let receiver = receiver.clone();
            all.push(crowd.start(runtime, number + 1, move || {
                (0..EACH).for_each(|_| _ = receiver.recv().unwrap());
            }));
        }
        let senders = channels.clone().map(|(sender, _)| sender);
        all.push(crowd.start(runtime, 0, move || {
            let mut left = [EACH; 4];
            let [a, b, c, d] = &senders;
            for _ in 0..4 * EACH {
                let at = sward::select! {
                    sent = a.send(0), if left[0] > 0 => { sent.unwrap(); 0 }
                    sent = b.send(0), if left[1] > 0 => { sent.unwrap(); 1 }
                    sent = c.send(0), if left[2] > 0 => { sent.unwrap(); 2 }
                    sent = d.send(0), if left[3] > 0 => { sent.unwrap(); 3 }
                };
                left[at] -= 1;
            }
        }));
        let receivers = channels.clone().map(|(_, receiver)| receiver);
        all.push(crowd.start(runtime, 1, move || {
            let mut left = [EACH; 4];
            let [a, b, c, d] = &receivers;
            for _ in 0..4 * EACH {
                let at = sward::select! {
                    got = a.recv(), if left[0] > 0 => { got.unwrap(); 0 }
                    got = b.recv(), if left[1] > 0 => { got.unwrap(); 1 }
                    got = c.recv(), if left[2] > 0 => { got.unwrap(); 2 }
                    got = d.recv(), if left[3] > 0 => { got.unwrap(); 3 }
                };
                left[at] -= 1;
            }
        }));
        all.into_iter().for_each(Member::join);
        assert!(channels.iter().all(|(sender, _)| sender.is_empty()));
    });
}

#[test]
fn select_fairness() {
    each_runtime(|runtime| {
        let chooser = runtime.spawn(|| {
            const ROUNDS: usize = 1000;
            let (one, other) = (unbounded(), unbounded());
            let mut first = 0;
            for _ in 0..ROUNDS {
                let _ = one.0.try_send(());
                let _ = other.0.try_send(());
                sward::select! {
                    _ = one.1.recv() => first += 1,
                    _ = other.1.recv() => {}
                }
            }
            // More than nine standard deviations to either side.
            first > ROUNDS * 7 / 20 && first < ROUNDS * 13 / 20
        });
        assert!(chooser.join().unwrap());
    });
}

/// A select that could send either of two is not partial.
#[test]
fn pseudo_random_send() {
    each_runtime(|runtime| {
        const COUNT: usize = 200;
        for capacity in [0, 1, 10, COUNT] {
            let (sender, receiver) = bounded(capacity);
            let receives = runtime.spawn(move || {
                let got = receiver.iter().inspect(|_| sward::yield_now());
                got.filter(|one| *one).count()
            });
            for _ in 0..COUNT {
                sward::select! {
                    sent = sender.send(true) => sent.unwrap(),
                    sent = sender.send(false) => sent.unwrap(),
                }
            }
            drop(sender);
            let ones = receives.join().unwrap();
            assert!(
                ones > COUNT / 10 && ones < COUNT * 9 / 10,
                "{ones} of {COUNT}"
            );
        }
    });
}

/// Work goes to many, results go to one: none is missing.
#[test]
fn multi_consumer() {
    each_crowd(|_, runtime, crowd| {
        const WORKERS: usize = 7;
        const COUNT: usize = 300;
        let primes = [2, 3, 5, 7, 11, 13];
        let ((work, jobs), (results, answers)) = (bounded(WORKERS * 3), bounded(WORKERS * 3));
        let workers: Vec<_> = (0..WORKERS)
            .map(|number| {
                let (jobs, results) = (jobs.clone(), results.clone());
                crowd.start(runtime, number, move || {
                    for job in &jobs {
                        if job % 7 == number {
                            sward::yield_now();
                        }
                        results.send(job).unwrap();
                    }
                })
            })
            .collect();
        drop((jobs, results));
        let feeds = crowd.start(runtime, 0, move || {
            let mut sum = 0;
            for number in 0..COUNT {
                let job = primes[number % primes.len()];
                sum += job;
                work.send(job).unwrap();
            }
            sum
        });
        let got: Vec<usize> = answers.iter().collect();
        workers.into_iter().for_each(Member::join);
        assert_eq!(
            (got.len(), got.iter().sum::<usize>()),
            (COUNT, feeds.join())
        );
    });
}

/// A message lies in the sender's frame, deep in its stack, while that is parked and others use stacks.
#[test]
fn blocked_send_deep_in_a_stack() {
    fn deep(depth: usize, sender: &Sender<[usize; 16]>) -> usize {
        let frame = std::hint::black_box([depth; 16]);
        match depth {
            0 => sender.send([7; 16]).map_or(0, |()| 1),
            _ => deep(depth - 1, sender) + usize::from(frame[15] == depth),
        }
    }
    each_runtime(|runtime| {
        let (sender, receiver) = bounded(0);
        let all: Vec<_> = (0..10)
            .map(|_| {
                let sender = sender.clone();
                runtime.spawn(move || deep(50, &sender))
            })
            .collect();
        for _ in 0..10 {
            runtime
                .spawn(|| std::hint::black_box([1; 1024])[7])
                .join()
                .unwrap();
            assert_eq!(receiver.recv(), Ok([7; 16]));
        }
        all.into_iter()
            .for_each(|sender| assert_eq!(sender.join().unwrap(), 51));
    });
}

/// One channel in two arms: who waits in the others is still served when the select has gone.
#[test]
fn select_duplicate_channel() {
    each_runtime(|runtime| {
        let (sender, receiver) = bounded(0);
        let (stop, stopped) = bounded::<()>(0);
        let theirs = receiver.clone();
        let selects = runtime.spawn(move || {
            sward::select! {
                got = theirs.recv() => got.unwrap(),
                got = theirs.recv() => got.unwrap(),
                _ = stopped.recv() => unreachable!(),
            }
        });
        sender.send(7).unwrap();
        assert_eq!(selects.join().unwrap(), 7);
        drop(stop);
        let waits = runtime.spawn(move || receiver.recv().unwrap());
        sender.send(8).unwrap();
        assert_eq!(waits.join().unwrap(), 8);
    });
}

/// A number is sent by whichever of two arms on one channel is chosen, never by both.
#[test]
fn doubleselect() {
    each_crowd(|_, runtime, crowd| {
        const COUNT: u32 = 200;
        let ((one, from_one), (other, from_other)) = (bounded(0), bounded(0));
        let (merged, all) = unbounded();
        let sends = crowd.start(runtime, 0, move || {
            for number in 0..COUNT {
                sward::select! {
                    sent = one.send(number) => sent.unwrap(),
                    sent = other.send(number) => sent.unwrap(),
                    sent = one.send(number) => sent.unwrap(),
                    sent = other.send(number) => sent.unwrap(),
                }
            }
        });
        let merging = [from_one, from_other].map(|from| {
            let merged = merged.clone();
            crowd.start(runtime, 1, move || {
                from.iter().for_each(|it| merged.send(it).unwrap())
            })
        });
        drop(merged);
        sends.join();
        merging.into_iter().for_each(Member::join);
        let mut got: Vec<_> = all.iter().collect();
        got.sort_unstable();
        assert!(got.into_iter().eq(0..COUNT));
    });
}

/// In order with room, and without, where each receiver lets the next one go.
#[test]
fn fifo() {
    each_runtime(|runtime| {
        const COUNT: usize = 10;
        let (sender, receiver) = bounded(COUNT);
        (0..COUNT).for_each(|number| sender.send(number).unwrap());
        assert!(receiver.try_iter().eq(0..COUNT));

        let (sender, receiver) = bounded(0);
        let (go, mut turn) = bounded::<()>(0);
        for number in 0..COUNT {
            let (next, next_turn) = bounded(0);
            let receiver = receiver.clone();
            runtime.spawn(move || {
                turn.recv().unwrap();
                assert_eq!(receiver.recv(), Ok(number));
                next.send(()).unwrap();
            });
            turn = next_turn;
        }
        go.send(()).unwrap();
        (0..COUNT).for_each(|number| sender.send(number).unwrap());
        turn.recv().unwrap();
    });
}

/// A chain of greenlets through which one number goes.
#[test]
fn goroutines() {
    each_runtime(|runtime| {
        const COUNT: usize = 1000;
        let (last, mut left) = {
            let (sender, receiver) = bounded::<usize>(0);
            (receiver, sender)
        };
        for _ in 0..COUNT {
            let (sender, right) = bounded(0);
            runtime.spawn(move || left.send(1 + right.recv().unwrap()).unwrap());
            left = sender;
        }
        left.send(0).unwrap();
        assert_eq!(last.recv(), Ok(COUNT));
    });
}

/// Without waiting: nothing when nobody is there, something as soon as somebody waits.
#[test]
fn nonblock() {
    each_crowd(|_, runtime, crowd| {
        for capacity in [0, 1] {
            let (sender, receiver) = bounded(capacity);
            assert!(receiver.try_recv().is_err());
            let nothing = sward::select! {
                _ = receiver.recv() => false,
                default => true,
            };
            assert!(nothing);
            let theirs = receiver.clone();
            let receives = crowd.start(runtime, 0, move || theirs.recv().unwrap());
            until(|| sward::select!(sent = sender.send(1) => sent.is_ok(), default => false));
            assert_eq!(receives.join(), 1);
            let sends = crowd.start(runtime, 1, move || sender.send(2).unwrap());
            until(|| receiver.try_recv() == Ok(2));
            sends.join();
        }
    });
}

/// What waits for ever, and what never waits.
#[test]
fn select3() {
    each_runtime(|runtime| {
        let short = Duration::from_millis(1);
        let (nobody, (full, _held)) = (never::<u32>(), bounded::<u32>(1));
        full.send(1).unwrap();
        let (closed, from_closed) = bounded::<u32>(1);
        drop(closed);
        let (to_closed, gone) = bounded::<u32>(1);
        drop(gone);
        let greenlet = runtime.spawn(move || {
            let waits = sward::select! {
                _ = nobody.recv() => false,
                _ = full.send(2) => false,
                timeout(short) => true,
            };
            let closed = sward::select! {
                got = from_closed.recv() => got.is_err(),
                _ = nobody.recv() => false,
            };
            let sent = sward::select! {
                sent = to_closed.send(3) => sent.unwrap_err().into_inner() == 3,
                _ = nobody.recv() => false,
            };
            (waits, closed, sent)
        });
        assert_eq!(greenlet.join().unwrap(), (true, true, true));
    });
}

/// Selects leave the lines of a channel in another order than they have come.
#[test]
fn select6() {
    each_runtime(|runtime| {
        let (first, from_first) = bounded::<bool>(0);
        let (second, from_second) = bounded::<bool>(0);
        let (third, from_third) = bounded::<bool>(0);
        let (fourth, from_fourth) = bounded::<bool>(0);
        let waits = {
            let (one, other) = (from_first.clone(), from_second);
            runtime.spawn(move || {
                sward::select!(_ = one.recv() => {}, _ = other.recv() => {});
            })
        };
        let meets = {
            let one = from_first.clone();
            runtime.spawn(move || {
                sward::select!(_ = one.recv() => {}, _ = from_third.recv() => {});
                fourth.send(true).unwrap();
            })
        };
        until(|| second.try_send(true).is_ok());
        waits.join().unwrap();
        until(|| third.try_send(true).is_ok());
        assert_eq!(from_fourth.recv(), Ok(true));
        meets.join().unwrap();
        let plain = runtime.spawn(move || from_first.recv());
        first.send(true).unwrap();
        assert_eq!(plain.join().unwrap(), Ok(true));
    });
}

/// Each way to receive with each way to send.
#[test]
fn select7() {
    fn receive(way: usize, receiver: &Receiver<u32>) -> u32 {
        let nobody = never::<u32>();
        match way {
            0 => receiver.recv().unwrap(),
            1 => sward::select!(got = receiver.recv() => got.unwrap()),
            _ => sward::select! {
                got = receiver.recv() => got.unwrap(),
                _ = nobody.recv() => unreachable!(),
            },
        }
    }
    fn send(way: usize, sender: &Sender<u32>) {
        let nobody = never::<u32>();
        match way {
            0 => sender.send(7).unwrap(),
            1 => sward::select!(sent = sender.send(7) => sent.unwrap()),
            _ => sward::select! {
                sent = sender.send(7) => sent.unwrap(),
                _ = nobody.recv() => unreachable!(),
            },
        }
    }
    each_crowd(|_, runtime, crowd| {
        for way in 0..18 {
            let (sender, receiver) = bounded(way / 9);
            let sends = crowd.start(runtime, way, move || send(way % 3, &sender));
            let receives = crowd.start(runtime, way + 1, move || receive(way / 3 % 3, &receiver));
            sends.join();
            assert_eq!(receives.join(), 7);
        }
    });
}

fn counting(sender: &Sender<u32>) {
    // Until nobody wants more.
    for number in 2.. {
        if sender.send(number).is_err() {
            return;
        }
    }
}

/// A chain of filters, each for the multiples of one prime; with channels without room, and with some.
#[test]
fn sieve() {
    each_runtime(|runtime| {
        for capacity in [0, 3] {
            let (sender, mut numbers) = bounded(capacity);
            runtime.spawn(move || counting(&sender));
            let mut primes = Vec::new();
            for _ in 0..12 {
                let prime = numbers.recv().unwrap();
                primes.push(prime);
                let (sender, filtered) = bounded(capacity);
                runtime.spawn(move || {
                    for number in numbers.iter().filter(|number| number % prime != 0) {
                        if sender.send(number).is_err() {
                            return;
                        }
                    }
                });
                numbers = filtered;
            }
            assert_eq!(primes, [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37]);
        }
    });
}

#[test]
fn zerosize() {
    each_runtime(|runtime| {
        let (sender, receiver) = bounded::<[u8; 0]>(1 << 12);
        let sends = runtime.spawn(move || (0..1 << 13).for_each(|_| sender.send([]).unwrap()));
        assert_eq!(receiver.iter().count(), 1 << 13);
        sends.join().unwrap();
    });
}
