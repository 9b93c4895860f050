//! `greenlet_local!`: one value a greenlet and one a thread, that stays where it is, and is dropped once, at the end.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use sward::{AccessError, greenlet_local};
use sward_tests::child::{self, Ended};
use sward_tests::{
    Config, Counted, Drops, Rng, Storm, Suspension, each_config, each_crowd, each_runtime, storm,
    until,
};

greenlet_local! {
    static NUMBER: Cell<u64> = const { Cell::new(7) };
    static LIST: RefCell<Vec<u64>> = RefCell::new(Vec::new());
    /// Not `Send`.
    static SHARED: Rc<Cell<u64>> = Rc::default();
    static NOTHING: () = ();
    static KEPT: RefCell<Vec<Counted>> = const { RefCell::new(Vec::new()) };
}

/// Each has its own, however often they take turns; and none finds anything of who ended before it.
#[test]
fn one_value_each() {
    each_crowd(|_, runtime, crowd| {
        crowd.run(runtime, 16, |member| {
            let member = member as u64;
            let mut rng = Rng::new(member);
            assert_eq!((NUMBER.get(), SHARED.with(|shared| shared.get())), (7, 0));
            assert!(LIST.with_borrow(Vec::is_empty));
            for round in 0..10 {
                NUMBER.set(member + round);
                SHARED.with(|shared| shared.set(member + round));
                LIST.with_borrow_mut(|list| list.push(member + round));
                match rng.below(4) {
                    0 => sward::sleep(Duration::from_micros(50)),
                    _ => sward::yield_now(),
                }
                assert_eq!(NUMBER.get(), member + round);
                assert_eq!(SHARED.with(|shared| shared.get()), member + round);
                NOTHING.with(|()| ());
            }
            assert_eq!(LIST.take(), (member..member + 10).collect::<Vec<_>>());
        });
    });
}

/// References and borrows hold across every kind of suspension while greenlets migrate, and while their tables grow.
#[test]
fn references_stay_while_greenlets_migrate() {
    macro_rules! many {
        ($($name:ident)*) => {
            greenlet_local! { $(static $name: Cell<u64> = Cell::new(1);)* }
            const MANY: &[&sward::LocalKey<Cell<u64>>] = &[$(&$name),*];
        };
    }
    many!(A B C D E F G H I J K L M N O P Q R S T U V W X Y Z);
    each_config(|config: Config| {
        config.run(|runtime| {
            storm(config, runtime, Storm::default(), |rng, _| {
                let mine = rng.number();
                NUMBER.with(|number| {
                    SHARED.with(|shared| {
                        LIST.with_borrow_mut(|list| {
                            list.clear();
                            list.push(mine);
                            number.set(mine);
                            shared.set(mine);
                            Suspension::any(rng).suspend();
                            let other = *rng.pick(MANY);
                            other.set(other.get() + 1);
                            Suspension::any(rng).suspend();
                            NUMBER.with(|now| assert!(std::ptr::eq(now, number), "it moved"));
                            SHARED.with(|now| assert!(Rc::ptr_eq(now, shared)));
                            assert!(LIST.with(|list| list.try_borrow().is_err()));
                            assert_eq!((number.get(), shared.get()), (mine, mine));
                            assert_eq!(*list, [mine]);
                        });
                    });
                });
                assert_eq!(LIST.take(), [mine]);
            });
        });
    });
}

/// Those that share a home, as a thread-local does, share no value; nor does the thread that the home is.
#[test]
fn a_local_child_has_its_own() {
    each_runtime(|runtime| {
        let check = || {
            NUMBER.set(1);
            let child = sward::spawn_local(|| NUMBER.replace(2));
            assert_eq!(child.join().unwrap(), 7);
            NUMBER.get()
        };
        assert_eq!(runtime.spawn(check).join().unwrap(), 1);
    });
}

/// Every value is dropped, once, by the time a joiner is told: after a return, after a panic, and of many at a time.
#[test]
fn values_are_dropped_before_joiners_are_told() {
    each_crowd(|_, runtime, crowd| {
        let drops = Drops::new();
        for number in 0..8 {
            let counts = drops.clone();
            let member = crowd.start(runtime, number, move || {
                KEPT.with_borrow_mut(|kept| kept.extend([counts.value(), counts.value()]));
                sward::yield_now();
                assert_eq!(counts.count(), 2 * number);
                assert_ne!(number, 5, "meant");
            });
            let ended = catch_unwind(AssertUnwindSafe(|| member.join()));
            assert_eq!(ended.is_err(), number == 5);
            // A thread's end is told before its values are dropped.
            until(|| drops.count() == 2 * (number + 1));
        }
    });
    each_runtime(|runtime| {
        let drops = Drops::new();
        for number in 0..20 {
            let value = drops.value();
            let ended = runtime.spawn(move || {
                KEPT.with_borrow_mut(|kept| kept.push(value));
                assert_eq!(number % 2, 0, "meant");
            });
            assert_eq!(ended.join().is_ok(), number % 2 == 0);
            assert_eq!(drops.count(), number + 1);
        }
    });
}

/// Calls a closure when it is dropped.
struct OnDrop(Option<Box<dyn FnOnce()>>);

impl OnDrop {
    fn new(f: impl FnOnce() + 'static) -> OnDrop {
        OnDrop(Some(Box::new(f)))
    }
}

impl Drop for OnDrop {
    fn drop(&mut self) {
        if let Some(f) = self.0.take() {
            f();
        }
    }
}

greenlet_local! {
    static FIRST: RefCell<Option<OnDrop>> = const { RefCell::new(None) };
    static SECOND: RefCell<Option<OnDrop>> = const { RefCell::new(None) };
    static THIRD: RefCell<Option<OnDrop>> = const { RefCell::new(None) };
}

/// Destructors run in the greenlet: they know who they are, and wait.
#[test]
fn destructors_may_wait() {
    each_config(|config| {
        config.run(|runtime| {
            let ends: Vec<_> = (0..32_u64)
                .map(|number| {
                    let (sender, receiver) = mpsc::channel();
                    let handle = runtime.spawn(move || {
                        FIRST.set(Some(OnDrop::new(move || {
                            let me = sward::current().id();
                            let mut rng = Rng::new(number);
                            for _ in 0..3 {
                                Suspension::any(&mut rng).suspend();
                                assert_eq!(sward::current().id(), me);
                            }
                            assert!(!thread::panicking());
                            sender.send(me).unwrap();
                        })));
                        sward::yield_now();
                        assert_ne!(number, 9, "meant");
                    });
                    (handle, receiver)
                })
                .collect();
            for (number, (handle, receiver)) in (0..).zip(ends) {
                let id = handle.greenlet().id();
                assert_eq!(handle.join().is_ok(), number != 9);
                assert_eq!(receiver.try_recv(), Ok(id));
            }
        });
    });
}

/// A destructor finds its own value gone, makes one that was not there, which is dropped too, and one of two that use each other
/// finds the other gone.
#[test]
fn destructors_that_use_other_values() {
    each_crowd(|_, runtime, crowd| {
        crowd.run(runtime, 4, |number| {
            let (sender, receiver) = mpsc::channel();
            let act = move || {
                let report = sender.clone();
                FIRST.set(Some(OnDrop::new(move || {
                    assert!(FIRST.try_with(|_| ()).is_err());
                    assert!(catch_unwind(|| FIRST.set(None)).is_err());
                    let other = SECOND.try_with(|_| ()).is_ok();
                    report.send(("first", other)).unwrap();
                })));
                SECOND.set(Some(OnDrop::new(move || {
                    assert!(SECOND.try_with(|_| ()).is_err());
                    let other = FIRST.try_with(|_| ()).is_ok();
                    sender.send(("second", other)).unwrap();
                    // Not used before.
                    THIRD.set(Some(OnDrop::new(move || {
                        sender.send(("third", true)).unwrap();
                    })));
                })));
            };
            match sward::try_current() {
                Some(_) => sward::spawn(act).join().unwrap(),
                None => thread::spawn(act).join().unwrap(),
            }
            let mut all: Vec<_> = receiver.iter().collect();
            all.sort_unstable();
            let names: Vec<_> = all.iter().map(|&(name, _)| name).collect();
            assert_eq!(names, ["first", "second", "third"], "{number}");
            // Whichever came first saw the other; the order is not promised.
            assert_ne!(all[0].1, all[1].1, "{number}");
        });
    });
}

/// If the handle is gone, the result is dropped in the greenlet, before its values.
#[test]
fn a_result_that_nobody_wants_still_has_them() {
    each_runtime(|runtime| {
        let (sender, receiver) = mpsc::channel();
        let (go, begin) = mpsc::channel();
        let handle = runtime.spawn(move || {
            NUMBER.set(11);
            until(|| begin.try_recv().is_ok());
            ResultUses(sender)
        });
        drop(handle);
        go.send(()).unwrap();
        let mut seen = None;
        until(|| {
            seen = receiver.try_recv().ok();
            seen.is_some()
        });
        assert_eq!(seen, Some(Ok(11)));
    });
}

struct ResultUses(mpsc::Sender<Result<u64, AccessError>>);

impl Drop for ResultUses {
    fn drop(&mut self) {
        self.0.send(NUMBER.try_with(Cell::get)).unwrap();
    }
}

/// Initializers run once, at the first use, and may wait and use other values; one that panics is called again.
#[test]
fn initializers() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    greenlet_local! {
        static DOUBLED: u64 = {
            sward::yield_now();
            CALLS.fetch_add(1, SeqCst);
            let number = NUMBER.get();
            sward::yield_now();
            2 * number
        };
        static AT_THE_SECOND: u64 = {
            let number = NUMBER.replace(NUMBER.get() + 1);
            assert!(number > 7, "meant");
            number
        };
        static UNMADE: Cell<u64> = unreachable!("it was set");
        static UNMADE_TOO: RefCell<u64> = unreachable!("it was set");
    }
    each_crowd(|_, runtime, crowd| {
        let before = CALLS.load(SeqCst);
        crowd.run(runtime, 8, |member| {
            let member = member as u64;
            if member == 0 {
                return;
            }
            NUMBER.set(member);
            assert_eq!(DOUBLED.with(|&doubled| doubled), 2 * member);
            NUMBER.set(7);
            assert_eq!(DOUBLED.with(|&doubled| doubled), 2 * member);
            assert!(catch_unwind(|| AT_THE_SECOND.with(|_| ())).is_err());
            assert_eq!(AT_THE_SECOND.with(|&number| number), 8);
            UNMADE.set(member);
            UNMADE.set(UNMADE.get() + 1);
            UNMADE_TOO.set(member);
            assert_eq!(UNMADE_TOO.replace(0) + 1, UNMADE.get());
        });
        assert_eq!(CALLS.load(SeqCst) - before, 7);
    });
}

#[test]
fn an_initializer_that_asks_for_itself_panics() {
    greenlet_local! {
        static ITSELF: Cell<u64> = Cell::new(match BOTTOM.replace(false) {
            true => ITSELF.get() + 1,
            false => 1,
        });
        static BOTTOM: Cell<bool> = const { Cell::new(true) };
    }
    each_runtime(|runtime| {
        let message = runtime.spawn(|| {
            let panic = catch_unwind(|| ITSELF.get()).unwrap_err();
            // Nothing is left of it.
            assert_eq!(ITSELF.get(), 1);
            *panic.downcast::<&str>().unwrap()
        });
        let message = message.join().unwrap();
        assert!(message.contains("asks for that value"), "{message}");
    });
}

#[test]
fn a_panic_of_a_destructor_ends_the_process() {
    each_config(|config| {
        let name = format!("a_panic_of_a_destructor_ends_the_process/{config}");
        let body = || {
            let runtime = config.build();
            let handle = runtime.spawn(|| FIRST.set(Some(OnDrop::new(|| panic!("the text")))));
            let _ = handle.join();
            println!("went on");
        };
        child::run(&name, &[], body, |ended: Ended| {
            assert!(!ended.status.success(), "{ended}");
            assert_eq!(ended.stdout, "");
            assert_eq!(ended.errors_with("the text"), 1, "{ended}");
            assert_eq!(ended.errors_with("greenlet-local"), 1, "{ended}");
        });
    });
}

/// What a greenlet has that is given up stays, also if it is given up in a destructor; its result is there then.
#[test]
fn a_given_up_greenlet_keeps_them() {
    each_config(|config| {
        let runtime = config.build();
        let drops = Drops::new();
        let value = drops.value();
        let parked = runtime.spawn(move || {
            KEPT.with_borrow_mut(|kept| kept.push(value));
            sward::park();
        });
        let ending = Arc::new(Mutex::new(false));
        let theirs = ending.clone();
        let ended = runtime.spawn(move || {
            FIRST.set(Some(OnDrop::new(move || {
                *theirs.lock().unwrap() = true;
                sward::park();
            })));
            5
        });
        until(|| runtime.handle().metrics().suspended == 2 && *ending.lock().unwrap());
        assert!(!ended.is_finished());
        let error = runtime.shutdown(Duration::ZERO).unwrap_err();
        assert_eq!(error.remaining(), 2);
        assert!(parked.join().unwrap_err().is_cancelled());
        assert_eq!(ended.join().unwrap(), 5);
        assert_eq!(drops.count(), 0);
    });
}

/// Names in the initializers are the user's, whatever the macro calls its own items, and elided lifetimes are allowed.
#[test]
fn names_of_the_user() {
    fn init() -> u32 {
        5
    }
    const INIT: u32 = 6;
    const OF_THREAD: &str = "seven";
    sward::greenlet_local! {
        static A: u32 = init();
        static B: u32 = const { INIT };
        static C: &str = const { OF_THREAD };
    }
    let look = || (A.with(|a| *a), B.with(|b| *b), C.with(|c| *c));
    assert_eq!(look(), (5, 6, "seven"));
    assert_eq!(sward::spawn(look).join().unwrap(), (5, 6, "seven"));
}
