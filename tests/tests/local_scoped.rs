//! `ScopedValue`: bound for the run of a closure, passed on to whoever is spawned there, dropped when nobody sees it any more.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use sward::{Builder, ScopedValue, go};
use sward_tests::{
    Config, Counted, Drops, Rng, Storm, Suspension, each_config, each_crowd, each_runtime, storm,
    until,
};

static NUMBER: ScopedValue<u64> = ScopedValue::new();
static NAME: ScopedValue<String> = ScopedValue::new();
static COUNTED: ScopedValue<Counted> = ScopedValue::new();

/// Each its own, inner ones before outer ones, whatever waits between.
#[test]
fn nested_bindings() {
    fn descend(depth: u64, number: u64, rng: &mut Rng) {
        NUMBER.bind(number + depth, || {
            NAME.bind(format!("{number} {depth}"), || {
                let check = || {
                    assert_eq!(NUMBER.get(), Some(number + depth));
                    NAME.with(|name| assert_eq!(*name, format!("{number} {depth}")));
                };
                check();
                if depth < 10 {
                    descend(depth + 1, number, rng);
                }
                match rng.below(4) {
                    0 => sward::sleep(Duration::from_micros(50)),
                    _ => sward::yield_now(),
                }
                check();
            });
            assert_eq!(NUMBER.get(), Some(number + depth));
        });
    }
    each_crowd(|_, runtime, crowd| {
        crowd.run(runtime, 16, |member| {
            assert!(!NUMBER.is_bound() && !NAME.is_bound());
            let mut rng = Rng::new(member as u64);
            descend(0, 100 * member as u64, &mut rng);
            assert!(!NUMBER.is_bound() && !NAME.is_bound());
        });
    });
}

/// By every way to spawn, also out of a plain thread, and by descendants; for life, though the binder has returned.
#[test]
fn greenlets_inherit() {
    each_crowd(|_, runtime, crowd| {
        let handle = runtime.handle();
        crowd.run(runtime, 6, move |member| {
            let member = member as u64;
            let look = || {
                let mut seen = vec![NUMBER.get()];
                for _ in 0..3 {
                    sward::yield_now();
                    seen.push(NUMBER.get());
                }
                seen.push(sward::spawn(|| NUMBER.get()).join().unwrap());
                let grandchild = sward::spawn_local(|| {
                    let inner = NUMBER.bind(1, || sward::spawn(|| NUMBER.get()));
                    assert_eq!(inner.join().unwrap(), Some(1));
                    sward::spawn(|| NUMBER.get()).join().unwrap()
                });
                seen.push(grandchild.join().unwrap());
                seen.push(go!(NUMBER.get()).join().unwrap());
                seen
            };
            let bound = NUMBER.bind(member, || {
                [
                    handle.spawn(look),
                    sward::spawn(look),
                    Builder::new().spawn(look).unwrap(),
                    Builder::new().spawn_on(&handle, look).unwrap(),
                ]
            });
            let free = handle.spawn(look);
            for one in bound {
                assert_eq!(one.join().unwrap(), [Some(member); 7]);
            }
            assert_eq!(free.join().unwrap(), [None; 7]);
        });
    });
}

#[test]
fn threads_inherit_nothing() {
    NUMBER.bind(1, || {
        assert_eq!(thread::spawn(|| NUMBER.get()).join().unwrap(), None);
        assert_eq!(NUMBER.get(), Some(1));
    });
    each_runtime(|runtime| {
        let seen = NUMBER.bind(2, || {
            runtime.block_on(|| {
                let of_thread = thread::spawn(|| NUMBER.get());
                (NUMBER.get(), of_thread.join().unwrap())
            })
        });
        assert_eq!(seen, (Some(2), None));
    });
}

/// What was bound before is again, and the value is dropped.
#[test]
fn a_panic_ends_a_binding() {
    each_crowd(|_, runtime, crowd| {
        let drops = Drops::new();
        let theirs = drops.clone();
        crowd.run(runtime, 4, move |_| {
            NUMBER.bind(1, || {
                let panics = || COUNTED.bind(theirs.value(), || NUMBER.bind(2, || panic!("meant")));
                let panic: Box<_> = catch_unwind(AssertUnwindSafe(panics)).unwrap_err();
                drop(panic);
                assert_eq!(NUMBER.get(), Some(1));
                assert!(!COUNTED.is_bound());
            });
        });
        assert_eq!(drops.count(), 4);
    });
}

/// A value is dropped once, by the last that sees it, before its joiners are told.
#[test]
fn values_are_dropped_by_the_last() {
    each_crowd(|_, runtime, crowd| {
        let handle = runtime.handle();
        crowd.run(runtime, 4, move |_| {
            let drops = Drops::new();
            let inherit = || {
                let child = |number| {
                    handle.spawn(move || {
                        assert!(COUNTED.is_bound());
                        sward::park();
                        assert!(COUNTED.is_bound());
                        assert_ne!(number, 2, "meant");
                    })
                };
                [0, 1, 2, 3].map(child)
            };
            let children = COUNTED.bind(drops.value(), inherit);
            for (number, child) in children.into_iter().enumerate() {
                assert_eq!(drops.count(), 0, "{number}");
                child.greenlet().unpark();
                assert_eq!(child.join().is_ok(), number != 2);
            }
            assert_eq!(drops.count(), 1);
        });
    });
    each_config(|config| {
        let runtime = config.build();
        let handle = runtime.handle();
        runtime.shutdown(Duration::from_secs(100)).unwrap();
        let drops = Drops::new();
        COUNTED.bind(drops.value(), || {
            assert!(Builder::new().spawn_on(&handle, || ()).is_err());
        });
        assert_eq!(drops.count(), 1);
    });
}

/// Given up before they ran, they let go of what they inherited; given up after, they keep it, as all in their frames.
#[test]
fn greenlets_that_are_given_up() {
    each_config(|config| {
        if config.parallel() < config.workers {
            // Not every worker can be made busy.
            return;
        }
        let builder = config.builder().max_workers(config.workers);
        let runtime = builder.build().unwrap();
        let (unrun, parked) = (Drops::new(), Drops::new());
        let one = COUNTED.bind(parked.value(), || runtime.spawn(sward::park));
        until(|| runtime.handle().metrics().suspended == 1);
        // Every worker is busy, until the runtime shuts down.
        let (go, busy) = mpsc::channel::<()>();
        let busy = Arc::new(Mutex::new(busy));
        let begun = Arc::new(AtomicUsize::new(0));
        for _ in 0..config.workers {
            let (busy, begun) = (busy.clone(), begun.clone());
            drop(runtime.spawn(move || {
                begun.fetch_add(1, SeqCst);
                let _ = busy.lock().unwrap().recv();
            }));
        }
        until(|| begun.load(SeqCst) == config.workers);
        let other = COUNTED.bind(unrun.value(), || runtime.spawn(|| COUNTED.is_bound()));
        assert_eq!(unrun.count(), 0);
        // So the shutdown has most likely begun when they are released; if not, the other one runs, which is right as well.
        let release = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            drop(go);
        });
        assert!(runtime.shutdown(Duration::ZERO).is_err());
        release.join().unwrap();
        assert!(one.join().unwrap_err().is_cancelled());
        match other.join() {
            Ok(bound) => assert!(bound),
            Err(error) => assert!(error.is_cancelled()),
        }
        until(|| unrun.count() == 1);
        assert_eq!(parked.count(), 0);
    });
}

/// The destructor of a value runs where what was bound before is in force; a panic of it in a greenlet goes no further.
#[test]
fn destructors_of_values() {
    struct Looks(mpsc::Sender<Option<u64>>, bool);
    impl Drop for Looks {
        fn drop(&mut self) {
            self.0.send(NUMBER.get()).unwrap();
            assert!(!self.1, "meant");
        }
    }
    static LOOKS: ScopedValue<Looks> = ScopedValue::new();
    each_crowd(|_, runtime, crowd| {
        let handle = runtime.handle();
        crowd.run(runtime, 4, move |_| {
            let (sender, receiver) = mpsc::channel();
            NUMBER.bind(1, || {
                LOOKS.bind(Looks(sender.clone(), false), || NUMBER.bind(2, || ()));
            });
            assert_eq!(receiver.recv(), Ok(Some(1)));
            // The binding has ended, so the greenlet has the last reference.
            let child = LOOKS.bind(Looks(sender, true), || handle.spawn(sward::park));
            child.greenlet().unpark();
            child.join().unwrap();
            assert_eq!(receiver.recv(), Ok(None));
        });
    });
}

/// References hold across every kind of suspension while greenlets migrate, bind anew and hand on.
#[test]
fn references_stay_while_greenlets_migrate() {
    fn place(name: &String) -> usize {
        std::ptr::from_ref(name).addr()
    }
    each_config(|config: Config| {
        config.run(|runtime| {
            let work = |rng: &mut Rng, _| {
                let mine = rng.number().to_string();
                NAME.bind(mine.clone(), || {
                    NAME.with(|name| {
                        let child = sward::spawn(|| NAME.with(place));
                        Suspension::any(rng).suspend();
                        NAME.bind("inner".to_owned(), || {
                            Suspension::any(rng).suspend();
                            assert_eq!(NAME.with(String::clone), "inner");
                        });
                        assert_eq!(*name, mine);
                        assert_eq!(NAME.with(place), place(name), "it moved");
                        assert_eq!(child.join().unwrap(), place(name), "it was copied");
                    });
                });
                assert!(!NAME.is_bound());
            };
            storm(config, runtime, Storm::default(), work);
        });
    });
}

/// A list as long as a chain of descendants may make it is dropped on a greenlet's stack.
#[test]
fn a_long_chain_of_descendants() {
    fn generation(left: u64, drops: &Drops, done: mpsc::Sender<()>) {
        if left == 0 {
            return done.send(()).unwrap();
        }
        let theirs = drops.clone();
        COUNTED.bind(drops.value(), || {
            drop(sward::spawn(move || generation(left - 1, &theirs, done)));
        });
    }
    each_runtime(|runtime| {
        let (sender, receiver) = mpsc::channel();
        let drops = Drops::new();
        let theirs = drops.clone();
        drop(runtime.spawn(move || generation(20_000, &theirs, sender)));
        receiver.recv().unwrap();
        until(|| drops.count() == 20_000);
    });
}

/// Two of one type are two, and one that is no static is itself wherever it is.
#[test]
fn identities() {
    let (one, other) = (Arc::new(ScopedValue::new()), ScopedValue::new());
    let seen = one.bind(1, || {
        other.bind(2, || {
            let one = one.clone();
            sward::spawn(move || one.get()).join().unwrap()
        })
    });
    assert_eq!(seen, Some(1));
    assert_eq!(other.get(), None);
    one.bind(3, || {
        assert_eq!(other.get(), None);
        let text = format!("{one:?} {other:?}");
        assert_eq!(text, "ScopedValue(3) ScopedValue(<not bound>)");
    });
    let message = catch_unwind(AssertUnwindSafe(|| one.with(|_| ()))).unwrap_err();
    let message = *message.downcast::<&str>().unwrap();
    assert_eq!(message, "this ScopedValue is not bound here");
}
