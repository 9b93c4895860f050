//! `spawn_local`: parents and children share a home, and what is not `Send`. They never run at the same time.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use sward_tests::identity::identity;
use sward_tests::{
    Drops, Rng, Section, Storm, Suspension, each_config, each_runtime, storm, until,
};

const FAMILIES: Storm = Storm {
    greenlets: 12,
    rounds: 2,
    migrations: 100,
};

/// What a family shares, without a lock or an atomic.
#[derive(Default)]
struct Shared {
    section: Section,
    log: RefCell<Vec<u32>>,
    alive: Cell<u32>,
}

impl Shared {
    fn work(&self, rng: &mut Rng, number: u32) {
        self.alive.set(self.alive.get() + 1);
        for _ in 0..6 {
            self.section.pass();
            self.log.borrow_mut().push(number);
            Suspension::any(rng).suspend();
        }
        self.alive.set(self.alive.get() - 1);
    }
}

#[test]
fn children_and_grandchildren_share_a_home() {
    each_config(|config| {
        config.run(|runtime| {
            storm(config, runtime, FAMILIES, |rng, _| {
                let shared = Rc::new(Shared::default());
                let home = identity();
                let children: Vec<_> = (0..3)
                    .map(|child| {
                        let (shared, mut rng) = (shared.clone(), Rng::new(rng.number()));
                        sward::spawn_local(move || {
                            assert_eq!(identity(), home);
                            let (theirs, mut their_rng) = (shared.clone(), Rng::new(rng.number()));
                            let grandchild = sward::spawn_local(move || {
                                assert_eq!(identity(), home);
                                theirs.work(&mut their_rng, 10 + child);
                                assert_eq!(identity(), home);
                                theirs
                            });
                            shared.work(&mut rng, child);
                            // Results need not be `Send` either.
                            let theirs = grandchild.join().unwrap();
                            assert!(Rc::ptr_eq(&theirs, &shared));
                            assert_eq!(identity(), home);
                        })
                    })
                    .collect();
                shared.work(rng, 99);
                for child in children {
                    child.join().unwrap();
                }
                assert_eq!(shared.section.passes(), 7 * 6);
                assert_eq!(shared.alive.get(), 0);
                let log = shared.log.take();
                for number in [99, 0, 1, 2, 10, 11, 12] {
                    assert_eq!(log.iter().filter(|&&logged| logged == number).count(), 6);
                }
                assert_eq!(Rc::strong_count(&shared), 1);
            });
        });
    });
}

/// Counts of references and cells, changed by many without a suspension in between.
#[test]
fn plain_counters() {
    each_config(|config| {
        config.run(|runtime| {
            storm(config, runtime, FAMILIES, |_, _| {
                let count = Rc::new(Cell::new(0u64));
                let children: Vec<_> = (0..8)
                    .map(|_| {
                        let count = count.clone();
                        sward::spawn_local(move || {
                            for _ in 0..50 {
                                let clone = count.clone();
                                clone.set(clone.get() + 1);
                                drop(clone);
                                sward::yield_now();
                            }
                        })
                    })
                    .collect();
                for child in children {
                    child.join().unwrap();
                }
                assert_eq!((count.get(), Rc::strong_count(&count)), (400, 1));
            });
        });
    });
}

/// The children run on in their parent's home when the parent has ended.
#[test]
fn children_outlive_their_parents() {
    each_config(|config| {
        config.run(|runtime| {
            let drops = Drops::new();
            let theirs = drops.clone();
            storm(config, runtime, FAMILIES, move |rng, _| {
                let (drops, seed) = (theirs.clone(), rng.number());
                let parent = sward::spawn(move || {
                    let shared = Rc::new((Section::new(), drops.value()));
                    let home = identity();
                    let live_on = |number: u64| {
                        let shared = shared.clone();
                        let mut rng = Rng::new(seed + number);
                        sward::spawn_local(move || {
                            for _ in 0..4 {
                                assert_eq!(identity(), home);
                                shared.0.pass();
                                Suspension::any(&mut rng).suspend();
                            }
                        })
                    };
                    // Some may not even have run yet when we end.
                    for number in 0..4 {
                        drop(live_on(number));
                    }
                });
                parent.join().unwrap();
            });
            // Each family's value is dropped by the last of it.
            let rounds = drops.count();
            until(|| runtime.handle().metrics().greenlets == 0);
            assert!(drops.count() >= rounds && drops.count() >= 24);
        });
    });
}

/// `spawn` in a child leads out of the home again, `spawn_local` stays in it.
#[test]
fn spawn_in_a_local_child() {
    each_runtime(|runtime| {
        let ended = runtime.block_on(|| {
            let shared = Rc::new(Cell::new(1));
            let theirs = shared.clone();
            let child = sward::spawn_local(move || {
                let elsewhere = sward::spawn(|| {
                    let local = Rc::new(5);
                    let same = local.clone();
                    sward::spawn_local(move || *same).join().unwrap() + *local
                });
                theirs.set(theirs.get() + elsewhere.join().unwrap());
                theirs
            });
            child.join().unwrap().get() + shared.get()
        });
        assert_eq!(ended, 22);
    });
}

/// A parent that never suspends keeps the home to itself until its end; a panic in a child reaches its joiner alone.
#[test]
fn a_parent_that_does_not_suspend() {
    each_runtime(|runtime| {
        let parent = runtime.spawn(|| {
            let ran = Rc::new(Cell::new(false));
            let theirs = ran.clone();
            let child = sward::spawn_local(move || theirs.set(true));
            for _ in 0..10_000 {
                assert!(
                    !ran.get(),
                    "a child ran in the home of its parent, which is running"
                );
                std::hint::spin_loop();
            }
            child.join().unwrap();
            assert!(ran.get());
            let fail = sward::spawn_local(|| std::panic::resume_unwind(Box::new(7)));
            assert!(fail.join().unwrap_err().is_panic());
        });
        parent.join().unwrap();
    });
}

/// Values that are not `Send`, made, changed and dropped in turns.
#[test]
fn a_pipeline_of_local_greenlets() {
    each_runtime(|runtime| {
        let total = runtime.block_on(|| {
            let queue = Rc::new(RefCell::new(Vec::<Rc<u64>>::new()));
            let theirs = queue.clone();
            let producer = sward::spawn_local(move || {
                for number in 0..500 {
                    theirs.borrow_mut().push(Rc::new(number));
                    if number % 3 == 0 {
                        sward::yield_now();
                    }
                }
            });
            let mut total = 0;
            for taken in 0..500 {
                until(|| !queue.borrow().is_empty());
                total += *queue.borrow_mut().remove(0);
                assert!(total >= taken);
            }
            producer.join().unwrap();
            total
        });
        assert_eq!(total, 499 * 500 / 2);
    });
}
