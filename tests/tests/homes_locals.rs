//! A greenlet keeps its thread identity: references to thread-locals, borrows of them, `thread::current()` and errno hold across
//! every kind of suspension while greenlets migrate.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use sward::Homes;
use sward_tests::identity::{errno, identity, set_errno};
use sward_tests::{
    Config, Kind, Rng, Section, Storm, Suspension, Watchdog, each_config, settle, storm, until,
};

thread_local! {
    static CELL: Cell<u64> = const { Cell::new(0) };
    static LIST: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
    /// Made at its first use, and dropped at the end of its thread.
    static LAZY: Box<Cell<u64>> = Box::new(Cell::new(0));
    static SECTION: Section = const { Section::new() };
}

/// Runs a storm for each case; the round learns whether its greenlet has its home to itself.
fn each_storm(round: impl Fn(bool, &mut Rng) + Copy + Send + Sync + 'static) {
    each_config(|config: Config| {
        let alone = config.alone();
        config.run(|runtime| {
            storm(config, runtime, Storm::default(), move |rng, _| {
                round(alone, rng)
            });
        });
    });
}

#[test]
fn references() {
    each_storm(|alone, rng| {
        let mine = rng.number();
        CELL.with(|cell| {
            LAZY.with(|lazy| {
                if alone {
                    cell.set(mine);
                    lazy.set(mine);
                }
                let addresses = || {
                    (
                        std::ptr::from_ref(cell).addr(),
                        std::ptr::from_ref(lazy).addr(),
                    )
                };
                let before = addresses();
                Suspension::any(rng).suspend();
                // What the reference refers to is what a new one would refer to.
                CELL.with(|now| assert!(std::ptr::eq(now, cell), "a thread-local moved"));
                LAZY.with(|now| assert!(std::ptr::eq(now, lazy), "a thread-local moved"));
                assert_eq!(addresses(), before);
                if alone {
                    assert_eq!(
                        (cell.get(), lazy.get()),
                        (mine, mine),
                        "somebody else is in our home"
                    );
                    assert_eq!((CELL.get(), LAZY.with(|lazy| lazy.get())), (mine, mine));
                }
            });
        });
    });
}

/// A thread-local that is borrowed for writing is left alone by everyone else, as `RefCell` promises.
#[test]
fn borrows() {
    each_storm(|alone, rng| {
        let mine = rng.number();
        LIST.with(|list| {
            let Ok(mut borrow) = list.try_borrow_mut() else {
                // Somebody who shares our home has it.
                assert!(!alone, "somebody else is in our home");
                Suspension::any(rng).suspend();
                return;
            };
            borrow.clear();
            borrow.push(mine);
            Suspension::any(rng).suspend();
            assert_eq!(*borrow, [mine]);
            borrow.push(mine + 1);
            assert!(LIST.with(|list| list.try_borrow().is_err()), "another list");
            Suspension::Yield.suspend();
            assert_eq!(*borrow, [mine, mine + 1]);
            drop(borrow);
            assert_eq!(LIST.with_borrow(Vec::len), 2, "another list");
        });
    });
}

/// Shared borrows by several greenlets of a home, given back in any order, and by each in its home.
#[test]
fn shared_borrows() {
    each_storm(|_, rng| {
        LIST.with(|list| {
            let borrows = [list.try_borrow(), list.try_borrow()];
            Suspension::any(rng).suspend();
            for borrow in borrows.iter().flatten() {
                assert!(borrow.is_empty());
            }
            drop(borrows);
            // The count of borrows is the home's own: were it another's, it would fall below 0 now, or never get back to 0.
            assert!(list.try_borrow().is_ok());
        });
    });
}

/// The thread, the addresses, errno: the same before and after, for as long as a greenlet lives.
#[test]
fn identities() {
    thread_local! {
        static COUNT: Cell<u64> = const { Cell::new(0) };
    }
    each_config(|config| {
        config.run(|runtime| {
            storm(
                config,
                runtime,
                Storm {
                    rounds: 3,
                    ..Storm::default()
                },
                |rng, _| {
                    let of_round = identity();
                    let handle = thread::current();
                    for _ in 0..4 {
                        let before = COUNT.get();
                        Suspension::any(rng).suspend();
                        assert_eq!(identity(), of_round);
                        assert_eq!(thread::current().id(), handle.id());
                        assert_eq!(thread::current().name(), handle.name());
                        // It only grows, whoever else is in the home.
                        assert!(COUNT.get() >= before);
                        COUNT.set(COUNT.get() + 1);
                    }
                },
            );
        });
    });
}

#[test]
fn errno_is_kept_across_every_suspension() {
    each_storm(|_, rng| {
        for &suspension in &Suspension::ALL {
            let mine = 1 + rng.below(130) as i32;
            set_errno(mine);
            suspension.suspend();
            assert_eq!(errno(), mine, "{suspension:?}");
        }
    });
}

/// References at every depth of a stack, taken before and used after the suspensions of all that are deeper.
#[test]
fn references_all_the_way_down() {
    fn descend(depth: u32, rng: &mut Rng) {
        let before = identity();
        CELL.with(|cell| {
            SECTION.with(|section| {
                section.pass();
                Suspension::any(rng).suspend();
                if depth > 0 {
                    descend(depth - 1, rng);
                }
                section.pass();
                assert!(std::ptr::eq(section, SECTION.with(std::ptr::from_ref)));
                assert!(std::ptr::eq(cell, CELL.with(std::ptr::from_ref)));
            });
        });
        assert_eq!(identity(), before);
    }
    each_storm(|_, rng| descend(8, rng));
}

/// All greenlets of a runtime in one home: one runs at a time, whatever the number of workers, and still they migrate.
#[test]
fn one_home_for_all() {
    for workers in [1, 2, 4] {
        let config = Config {
            workers,
            kind: Kind::Few,
        };
        if !config.is_possible() {
            return;
        }
        let _watchdog = Watchdog::new(config);
        let one = config.builder().homes(Homes::Moving { limit: 1 });
        let runtime = one.build().unwrap();
        let home = runtime.block_on(identity);
        storm(config, &runtime, Storm::default(), move |rng, _| {
            SECTION.with(Section::pass);
            Suspension::any(rng).suspend();
            assert_eq!(identity(), home);
        });
        let passes = runtime.block_on(|| SECTION.with(Section::passes));
        assert!(passes >= 24 * 12, "{passes} passes were counted");
        settle(&runtime.handle());
        assert_eq!(runtime.handle().metrics().homes, 1);
    }
}

/// Homes that are one greenlet's, such that were and have local children since, and such that strangers share, all in one
/// runtime.
#[test]
fn homes_of_every_sort() {
    for workers in [1, 2, 4, 8] {
        let config = Config {
            workers,
            kind: Kind::Few,
        };
        if !config.is_possible() {
            return;
        }
        let _watchdog = Watchdog::new(config);
        let five = config.builder().homes(Homes::Moving { limit: 5 });
        let runtime = five.build().unwrap();
        // Below the limit, above it, and below it again, in homes that were shared.
        for greenlets in [4, 24, 4] {
            let some = Storm {
                greenlets,
                ..Storm::default()
            };
            let seen = Arc::new(Mutex::new(HashMap::<_, HashSet<_>>::new()));
            let homes = seen.clone();
            storm(config, &runtime, some, move |rng, _| {
                let home = identity();
                let me = sward::current().id();
                homes.lock().unwrap().entry(home).or_default().insert(me);
                let pass = move || {
                    SECTION.with(Section::pass);
                    assert_eq!(identity(), home);
                };
                let child = (rng.below(4) == 0).then(|| {
                    sward::spawn_local(move || {
                        for _ in 0..3 {
                            pass();
                            sward::yield_now();
                        }
                    })
                });
                for _ in 0..4 {
                    pass();
                    Suspension::any(rng).suspend();
                }
                if let Some(child) = child {
                    child.join().unwrap();
                }
            });
            settle(&runtime.handle());
            assert!(runtime.handle().metrics().homes <= 5);
            // Numbers 1 and 3 never have two of them.
            let seen = seen.lock().unwrap();
            let shared = seen.values().filter(|greenlets| greenlets.len() > 1);
            let shared = shared.count();
            assert!(shared <= 3 && (greenlets < 24 || shared > 0), "{seen:?}");
        }
        runtime.shutdown(Duration::from_secs(100)).unwrap();
    }
}

/// As many as the limit, all started by a plain thread at once, on runtimes whose workers keep no home ready yet: while homes
/// are being started, none is shared.
#[test]
fn up_to_the_limit_no_two_have_the_same() {
    for (limit, workers) in [(22, 2), (22, 8), (64, 2), (64, 4), (10, 1)] {
        let config = Config {
            workers,
            kind: Kind::Moving,
        };
        if !config.is_possible() {
            return;
        }
        let _watchdog = Watchdog::new(format!("limit {limit}, {workers} workers"));
        for _ in 0..5 {
            let builder = config.builder().homes(Homes::Moving { limit });
            let runtime = builder.build().unwrap();
            let seen = Arc::new(Mutex::new(HashSet::new()));
            let all: Vec<_> = (0..limit)
                .map(|_| {
                    let seen = seen.clone();
                    runtime.spawn(move || {
                        let is_new = seen.lock().unwrap().insert(identity());
                        sward::park();
                        is_new
                    })
                })
                .collect();
            until(|| runtime.handle().metrics().suspended == limit);
            assert_eq!(runtime.handle().metrics().homes, limit);
            all.iter().for_each(|one| one.greenlet().unpark());
            let new = all.into_iter().map(|one| one.join().unwrap());
            assert_eq!(new.filter(|&is_new| is_new).count(), limit);
            runtime.shutdown(Duration::from_secs(100)).unwrap();
        }
    }
}

/// However many share a home, no two of them run at a time.
#[test]
fn one_at_a_time_in_a_home() {
    each_storm(|_, rng| {
        for _ in 0..20 {
            SECTION.with(Section::pass);
            match rng.below(8) {
                0 => Suspension::any(rng).suspend(),
                _ => sward::yield_now(),
            }
        }
    });
}
