//! `Event`, `Notify`, `WaitGroup`, `Barrier`: who waits is woken, once, and nothing is lost with one that stops waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use sward::select;
use sward::sync::{Barrier, Event, Notify, WaitGroup};
use sward_tests::{Member, Rng, each_crowd, until};

#[test]
fn an_event_wakes_all() {
    each_crowd(|_, runtime, crowd| {
        let shared = Arc::new((Event::new(), AtomicUsize::new(0), AtomicBool::new(false)));
        let waiters: Vec<_> = (0..8)
            .map(|number| {
                let theirs = shared.clone();
                crowd.start(runtime, number, move || {
                    let (event, came, done) = &*theirs;
                    came.fetch_add(1, SeqCst);
                    match number % 3 {
                        0 => event.wait(),
                        1 => assert!(event.wait_timeout(Duration::MAX)),
                        _ => select! { () = event.wait() => {} },
                    }
                    // What was done before is seen.
                    assert!(done.load(SeqCst));
                })
            })
            .collect();
        let (event, came, done) = &*shared;
        until(|| came.load(SeqCst) == 8);
        assert!(!event.wait_timeout(Duration::from_millis(1)));
        done.store(true, SeqCst);
        event.set();
        waiters.into_iter().for_each(Member::join);
        // It stays set until it is cleared.
        event.wait();
        select! { () = event.wait() => {}, default => panic!("it is set") }
        event.clear();
        select! { () = event.wait() => panic!("it is cleared"), default => {} }
        assert!(!event.wait_timeout(Duration::ZERO));
    });
}

/// Who waits when an event is set goes on, also if it is cleared at once.
#[test]
fn an_event_set_and_cleared() {
    each_crowd(|_, runtime, crowd| {
        const ROUNDS: usize = 50;
        let shared = Arc::new((Event::new(), AtomicUsize::new(0)));
        let theirs = shared.clone();
        let waiter = crowd.start(runtime, 0, move || {
            let (go, rounds) = &*theirs;
            for round in 0..ROUNDS {
                match round % 2 {
                    0 => go.wait(),
                    _ => select! { () = go.wait() => {} },
                }
                rounds.fetch_add(1, SeqCst);
            }
        });
        let (go, rounds) = &*shared;
        for round in 0..ROUNDS {
            // It may not wait yet: as long as it does not, this is for nobody.
            until(|| {
                go.set();
                go.clear();
                rounds.load(SeqCst) > round
            });
        }
        waiter.join();
    });
}

/// As many waits end as there were notifications, whoever stops waiting meanwhile, by a limit or in a select.
#[test]
fn notifications_are_not_lost() {
    each_crowd(|_, runtime, crowd| {
        const TOLD: usize = 100;
        let shared = Arc::new((Notify::new(), Event::new(), AtomicUsize::new(0)));
        let waiters: Vec<_> = (0..6)
            .map(|number| {
                let theirs = shared.clone();
                crowd.start(runtime, number, move || {
                    let (notify, end, had) = &*theirs;
                    let mut rng = Rng::new(number as u64);
                    while !end.is_set() {
                        let limit = Duration::from_micros(rng.below(150));
                        let notified = match rng.below(3) {
                            0 => notify.wait_timeout(limit),
                            1 => select! {
                                () = notify.wait() => true,
                                () = end.wait() => false,
                                timeout(limit) => false,
                            },
                            _ => select! {
                                () = notify.wait() => true,
                                () = end.wait() => false,
                            },
                        };
                        had.fetch_add(usize::from(notified), SeqCst);
                    }
                })
            })
            .collect();
        let (notify, end, had) = &*shared;
        for told in 1..=TOLD {
            notify.notify_one();
            until(|| had.load(SeqCst) >= told);
            assert_eq!(had.load(SeqCst), told, "one notification, two that had it");
        }
        end.set();
        waiters.into_iter().for_each(Member::join);
        assert!(!notify.try_wait());
    });
}

#[test]
fn notify_all_wakes_those_that_wait() {
    each_crowd(|_, runtime, crowd| {
        let shared = Arc::new((Notify::new(), AtomicUsize::new(0)));
        let waiters: Vec<_> = (0..5)
            .map(|number| {
                let theirs = shared.clone();
                crowd.start(runtime, number, move || {
                    theirs.1.fetch_add(1, SeqCst);
                    theirs.0.wait();
                })
            })
            .collect();
        until(|| shared.1.load(SeqCst) == 5);
        until(|| {
            // Those that have come and do not wait yet are not woken.
            shared.0.notify_all();
            waiters.iter().all(Member::is_finished)
        });
        waiters.into_iter().for_each(Member::join);
        assert!(!shared.0.try_wait(), "nothing is kept");
        // Several notifications are one.
        (0..3).for_each(|_| shared.0.notify_one());
        assert!(shared.0.try_wait() && !shared.0.try_wait());
    });
}

#[test]
fn a_group_waits_for_all() {
    each_crowd(|_, runtime, crowd| {
        let (group, done) = (WaitGroup::new(), Arc::new(AtomicUsize::new(0)));
        let members: Vec<_> = (0..8)
            .map(|number| {
                let (member, done) = (group.clone(), done.clone());
                crowd.start(runtime, number, move || {
                    let mut rng = Rng::new(number as u64);
                    let more = member.clone();
                    sward::yield_now();
                    drop(member);
                    // Those whose time is up are members again.
                    let limit = Duration::from_micros(rng.below(100));
                    let again = more.wait_timeout(limit);
                    assert!(again.is_err(), "the group has a member that waits for us");
                    done.fetch_add(1, SeqCst);
                })
            })
            .collect();
        let watcher = group.clone();
        until(|| done.load(SeqCst) == 8);
        members.into_iter().for_each(Member::join);
        until(|| watcher.members() == 2);
        drop(watcher);
        group.wait();
        assert!(WaitGroup::default().wait_timeout(Duration::ZERO).is_ok());
    });
}

#[test]
fn a_group_s_waiters_are_woken_by_the_last() {
    each_crowd(|_, runtime, crowd| {
        let group = WaitGroup::new();
        let waiters: Vec<_> = (0..4)
            .map(|number| {
                let member = group.clone();
                crowd.start(runtime, number, move || match number % 2 {
                    0 => member.wait(),
                    _ => assert!(member.wait_timeout(Duration::MAX).is_ok()),
                })
            })
            .collect();
        until(|| group.members() == 1);
        assert!(!waiters.iter().any(Member::is_finished));
        drop(group);
        waiters.into_iter().for_each(Member::join);
    });
}

/// Rounds of a barrier: nobody is a round ahead, and each has one leader.
#[test]
fn a_barrier_keeps_all_together() {
    each_crowd(|_, runtime, crowd| {
        const ALL: usize = 5;
        const ROUNDS: usize = 40;
        let shared = Arc::new((Barrier::new(ALL), AtomicUsize::new(0), AtomicUsize::new(0)));
        let theirs = shared.clone();
        crowd.run(runtime, ALL, move |_| {
            let (barrier, came, leaders) = &*theirs;
            for round in 0..ROUNDS {
                came.fetch_add(1, SeqCst);
                if barrier.wait().is_leader() {
                    leaders.fetch_add(1, SeqCst);
                }
                let so_far = came.load(SeqCst);
                assert!(so_far >= ALL * (round + 1), "{so_far} in round {round}");
                assert!(so_far <= ALL * (round + 2));
            }
        });
        assert_eq!(shared.2.load(SeqCst), ROUNDS);
    });
}

/// One whose time is up is not counted: the others wait for as many as before.
#[test]
fn a_barrier_forgets_those_who_leave() {
    each_crowd(|_, runtime, crowd| {
        let shared = Arc::new((Barrier::new(3), AtomicBool::new(false), AtomicUsize::new(0)));
        let theirs = shared.clone();
        let impatient = crowd.start(runtime, 0, move || {
            let mut rng = Rng::new(7);
            while !theirs.1.load(SeqCst) {
                let limit = Duration::from_micros(rng.below(100));
                let begun = Instant::now();
                match theirs.0.wait_timeout(limit) {
                    None => {
                        assert!(begun.elapsed() >= limit);
                        theirs.2.fetch_add(1, SeqCst);
                    }
                    // There was no third one.
                    Some(_) => panic!("two passed a barrier for three"),
                }
            }
        });
        let theirs = shared.clone();
        let patient = crowd.start(runtime, 1, move || theirs.0.wait().is_leader());
        until(|| shared.2.load(SeqCst) >= 10);
        assert!(!patient.is_finished());
        shared.1.store(true, SeqCst);
        impatient.join();
        let others: Vec<_> = (0..2)
            .map(|number| {
                let theirs = shared.clone();
                crowd.start(runtime, number, move || theirs.0.wait().is_leader())
            })
            .collect();
        let leaders = others.into_iter().chain([patient]).map(Member::join);
        assert_eq!(leaders.filter(|&leader| leader).count(), 1);
    });
}

#[test]
fn a_barrier_for_nobody() {
    assert!(Barrier::new(0).wait().is_leader());
    assert!(Barrier::new(1).wait_timeout(Duration::ZERO).is_some());
}
