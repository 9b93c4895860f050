//! Receivers that time sends to: not before it is due, each message once, and without a greenlet or thread of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use sward::channel::{after, at, bounded, never, tick};
use sward_tests::{Member, each_crowd, each_runtime, until};

const SHORT: Duration = Duration::from_millis(3);
/// Nobody waits for so long.
const LONG: Duration = Duration::from_secs(3600);

#[test]
fn one_message_when_it_is_due() {
    each_crowd(|_, runtime, crowd| {
        crowd.run(runtime, 3, |_| {
            let begun = Instant::now();
            let timeout = after(SHORT);
            assert_eq!(timeout.capacity(), Some(1));
            let due = timeout.recv().unwrap();
            assert!(due >= begun + SHORT && Instant::now() >= due);
            assert!(timeout.is_empty() && !timeout.is_full());
            assert!(timeout.try_recv().unwrap_err().is_empty(), "once");
            assert!(timeout.recv_timeout(SHORT).unwrap_err().is_timeout());

            let past = at(begun);
            assert!(past.is_full() && past.len() == 1);
            assert_eq!(past.try_recv(), Ok(begun));
            let later = at(begun + LONG);
            assert!(later.is_empty() && !later.is_full());
            assert!(later.try_recv().is_err());
            assert!(later.recv_timeout(SHORT).unwrap_err().is_timeout());
        });
    });
}

/// Of several that wait for the same time, one has the message.
#[test]
fn one_of_many_has_it() {
    each_crowd(|_, runtime, crowd| {
        let timeout = after(SHORT);
        let got = Arc::new(AtomicUsize::new(0));
        let (theirs, count) = (timeout.clone(), got.clone());
        crowd.run(runtime, 4, move |_| {
            match theirs.recv_timeout(4 * SHORT) {
                Ok(_) => count.fetch_add(1, SeqCst),
                Err(error) => usize::from(error.is_disconnected()),
            };
        });
        assert_eq!(got.load(SeqCst), 1);
        assert!(timeout.try_recv().is_err());
    });
}

/// Ticks are periods apart, and none comes before its time, however late they are received.
#[test]
fn ticks() {
    each_crowd(|_, runtime, crowd| {
        crowd.run(runtime, 2, |_| {
            let begun = Instant::now();
            let ticks = tick(SHORT);
            let mut last = begun;
            for _ in 0..3 {
                let due = ticks.recv().unwrap();
                assert!(due >= last + SHORT && Instant::now() >= due);
                last = due;
            }
            // Several are missed: one is there, and after that the next one, in step.
            let missed = Instant::now() + 4 * SHORT;
            until(|| Instant::now() >= missed);
            assert_eq!(ticks.len(), 1);
            let first = ticks.try_recv().unwrap();
            assert!(first < missed, "the first that was missed");
            let next = ticks.recv().unwrap();
            assert!(next > missed, "the others are dropped");
            for due in [first, next] {
                assert_eq!((due - last).as_nanos() % SHORT.as_nanos(), 0, "in step");
            }
        });
    });
}

/// Two that share ticks get no tick twice.
#[test]
fn shared_ticks() {
    each_crowd(|_, runtime, crowd| {
        let ticks = tick(Duration::from_millis(1));
        let all: Vec<_> = (0..3)
            .map(|number| {
                let ticks = ticks.clone();
                crowd.start(runtime, number, move || {
                    ticks.iter().take(4).collect::<Vec<_>>()
                })
            })
            .collect();
        let mut got: Vec<_> = all.into_iter().flat_map(Member::join).collect();
        got.sort_unstable();
        got.dedup();
        assert_eq!(got.len(), 12);
    });
}

#[test]
fn without_a_period() {
    each_runtime(|runtime| {
        let greenlet = runtime.spawn(|| tick(Duration::ZERO).iter().take(5).is_sorted());
        assert!(greenlet.join().unwrap());
    });
}

#[test]
fn never_is_never() {
    each_crowd(|_, runtime, crowd| {
        crowd.run(runtime, 2, |_| {
            for receiver in [never(), after(Duration::MAX), tick(Duration::MAX)] {
                assert!(receiver.try_recv().unwrap_err().is_empty());
                assert!(receiver.recv_timeout(SHORT).unwrap_err().is_timeout());
                assert_eq!(receiver.len(), 0);
            }
            assert!(never::<u8>().is_full());
        });
    });
}

/// In a select they are what limits it.
#[test]
fn in_a_select() {
    each_crowd(|_, runtime, crowd| {
        crowd.run(runtime, 2, |_| {
            let (sender, receiver) = bounded::<u32>(1);
            let begun = Instant::now();
            let (soon, late) = (after(SHORT), after(LONG));
            let chosen = sward::select! {
                _ = receiver.recv() => 0,
                due = soon.recv() => {
                    assert!(due.unwrap() <= Instant::now());
                    1
                }
                _ = late.recv() => 2,
            };
            assert_eq!(chosen, 1);
            assert!(begun.elapsed() >= SHORT);
            sender.send(7).unwrap();
            let nobody = never::<u32>();
            let message = sward::select! {
                message = receiver.recv() => message.unwrap(),
                _ = soon.recv() => unreachable!("it was received"),
                _ = late.recv() => unreachable!("much later"),
                _ = nobody.recv() => unreachable!(),
            };
            assert_eq!(message, 7);
        });
    });
}

/// Ticks go on beside messages, and neither keeps the other away.
#[test]
fn ticks_beside_messages() {
    each_crowd(|_, runtime, crowd| {
        let (sender, receiver) = bounded::<u32>(0);
        let sends = crowd.start(runtime, 1, move || {
            (1..)
                .take_while(|&number| sender.send(number).is_ok())
                .count()
        });
        let (mut ticked, mut messages) = (0, 0);
        let ticks = tick(Duration::from_millis(1));
        while ticked < 3 || messages < 3 {
            sward::select! {
                tick = ticks.recv() => {
                    tick.unwrap();
                    ticked += 1;
                }
                message = receiver.recv() => {
                    messages += 1;
                    assert_eq!(message, Ok(messages));
                }
            }
        }
        drop(receiver);
        assert_eq!(sends.join(), messages as usize);
    });
}
