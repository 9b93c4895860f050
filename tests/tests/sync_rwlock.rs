//! `RwLock`: many readers or one writer, neither starves the other, and nothing is lost with one that stops waiting.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, TryLockError};
use std::time::{Duration, Instant};

use sward::sync::{
    MappedRwLockReadGuard, MappedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
};
use sward_tests::{Drops, Rng, each_crowd, each_runtime, until};

/// A lock, and who is inside: readers, and writers.
#[derive(Default)]
struct Watched {
    lock: RwLock<(u64, u64)>,
    readers: AtomicUsize,
    writers: AtomicUsize,
}

impl Watched {
    fn reads(&self, guard: &RwLockReadGuard<'_, (u64, u64)>, meanwhile: impl FnOnce()) {
        self.readers.fetch_add(1, SeqCst);
        assert_eq!(self.writers.load(SeqCst), 0);
        let before = **guard;
        assert_eq!(before.0, before.1);
        meanwhile();
        assert_eq!(**guard, before);
        assert_eq!(self.writers.load(SeqCst), 0);
        self.readers.fetch_sub(1, SeqCst);
    }

    fn writes(&self, guard: &mut RwLockWriteGuard<'_, (u64, u64)>, meanwhile: impl FnOnce()) {
        assert_eq!(self.writers.fetch_add(1, SeqCst), 0);
        assert_eq!(self.readers.load(SeqCst), 0);
        guard.0 += 1;
        meanwhile();
        guard.1 += 1;
        assert_eq!(self.readers.load(SeqCst), 0);
        assert_eq!(self.writers.fetch_sub(1, SeqCst), 1);
    }
}

#[test]
fn many_readers_or_one_writer() {
    each_crowd(|_, runtime, crowd| {
        let watched = Arc::new(Watched::default());
        let theirs = watched.clone();
        crowd.run(runtime, 8, move |number| {
            let mut rng = Rng::new(number as u64);
            for round in 0..100 {
                let pause = rng.below(8) == 0;
                let meanwhile = || {
                    if pause {
                        sward::yield_now();
                    }
                };
                match (round + number) % 4 {
                    0 => theirs.writes(&mut theirs.lock.write().unwrap(), meanwhile),
                    _ => theirs.reads(&theirs.lock.read().unwrap(), meanwhile),
                }
            }
        });
        assert_eq!(*watched.lock.read().unwrap(), (200, 200));
    });
}

/// Whoever stops waiting, at whatever moment, the others have the lock.
#[test]
fn those_who_stop_waiting_lose_nothing() {
    each_crowd(|_, runtime, crowd| {
        let shared = Arc::new((Watched::default(), AtomicUsize::new(0)));
        let theirs = shared.clone();
        crowd.run(runtime, 8, move |number| {
            let (watched, written) = &*theirs;
            let mut rng = Rng::new(number as u64);
            for _ in 0..60 {
                let limit = match number % 4 {
                    0 => Duration::MAX,
                    _ => Duration::from_micros(rng.below(200)),
                };
                let pause = rng.below(4);
                let meanwhile = || match pause {
                    0 => sward::sleep(Duration::from_micros(50)),
                    _ => sward::yield_now(),
                };
                match rng.below(3) {
                    0 => match watched.lock.write_timeout(limit) {
                        Ok(mut guard) => {
                            watched.writes(&mut guard, meanwhile);
                            written.fetch_add(1, SeqCst);
                        }
                        Err(error) => assert!(matches!(error, TryLockError::WouldBlock)),
                    },
                    1 => match watched.lock.write_timeout(limit) {
                        Ok(mut guard) => {
                            watched.writes(&mut guard, || {});
                            written.fetch_add(1, SeqCst);
                            watched.reads(&RwLockWriteGuard::downgrade(guard), meanwhile);
                        }
                        Err(error) => assert!(matches!(error, TryLockError::WouldBlock)),
                    },
                    _ => match watched.lock.read_timeout(limit) {
                        Ok(guard) => watched.reads(&guard, meanwhile),
                        Err(error) => assert!(matches!(error, TryLockError::WouldBlock)),
                    },
                }
            }
        });
        let written = shared.1.load(SeqCst) as u64;
        let guard = shared.0.lock.try_write().expect("nobody has it");
        assert_eq!(*guard, (written, written));
    });
}

/// Readers that always overlap do not keep a writer out.
#[test]
fn readers_do_not_starve_a_writer() {
    each_crowd(|_, runtime, crowd| {
        let shared = Arc::new((RwLock::new(0), AtomicBool::new(false)));
        let readers: Vec<_> = (0..4)
            .map(|number| {
                let theirs = shared.clone();
                crowd.start(runtime, number, move || {
                    while !theirs.1.load(SeqCst) {
                        let _guard = theirs.0.read().unwrap();
                        sward::yield_now();
                    }
                })
            })
            .collect();
        let theirs = shared.clone();
        let writer = crowd.start(runtime, 1, move || {
            for _ in 0..20 {
                *theirs.0.write().unwrap() += 1;
            }
        });
        writer.join();
        shared.1.store(true, SeqCst);
        readers.into_iter().for_each(sward_tests::Member::join);
        assert_eq!(*shared.0.read().unwrap(), 20);
    });
}

/// Writers that always want it do not keep a reader out.
#[test]
fn writers_do_not_starve_a_reader() {
    each_crowd(|_, runtime, crowd| {
        let shared = Arc::new((RwLock::new(0_u64), AtomicBool::new(false)));
        let writers: Vec<_> = (0..3)
            .map(|number| {
                let theirs = shared.clone();
                crowd.start(runtime, number, move || {
                    while !theirs.1.load(SeqCst) {
                        *theirs.0.write().unwrap() += 1;
                        sward::yield_now();
                    }
                })
            })
            .collect();
        let theirs = shared.clone();
        let reader = crowd.start(runtime, 1, move || {
            (0..20).map(|_| *theirs.0.read().unwrap()).max()
        });
        assert!(reader.join().is_some());
        shared.1.store(true, SeqCst);
        writers.into_iter().for_each(sward_tests::Member::join);
    });
}

/// Readers behind a writer that stops waiting are let in beside those that are inside already.
#[test]
fn a_writer_that_leaves_lets_readers_in() {
    each_crowd(|_, runtime, crowd| {
        let lock = Arc::new(RwLock::new(7));
        let inside = lock.read().unwrap();
        let theirs = lock.clone();
        let writer = crowd.start(runtime, 0, move || {
            theirs.write_timeout(Duration::from_millis(20)).is_err()
        });
        // A reader is kept out when the writer is in the line.
        until(|| match lock.try_read() {
            Ok(_) => writer.is_finished(),
            Err(_) => true,
        });
        let theirs = lock.clone();
        let reader = crowd.start(runtime, 1, move || *theirs.read().unwrap());
        assert_eq!(reader.join(), 7);
        assert!(writer.join());
        drop(inside);
        assert!(lock.try_write().is_ok(), "nobody has it");
    });
}

#[test]
fn a_limit_is_kept() {
    each_crowd(|_, runtime, crowd| {
        let lock = Arc::new(RwLock::new(()));
        let guard = lock.write().unwrap();
        let theirs = lock.clone();
        crowd.run(runtime, 2, move |_| {
            let limit = Duration::from_millis(3);
            let begun = Instant::now();
            assert!(matches!(
                theirs.read_timeout(limit),
                Err(TryLockError::WouldBlock)
            ));
            assert!(begun.elapsed() >= limit);
            let begun = Instant::now();
            assert!(matches!(
                theirs.write_timeout(limit),
                Err(TryLockError::WouldBlock)
            ));
            assert!(begun.elapsed() >= limit);
            assert!(theirs.read_timeout(Duration::ZERO).is_err());
        });
        drop(guard);
        assert!(lock.read_timeout(Duration::MAX).is_ok());
        assert!(lock.try_write().is_ok());
    });
}

#[test]
fn it_is_poisoned_by_a_writer_only() {
    each_runtime(|runtime| {
        let lock = Arc::new(RwLock::new(1));
        let theirs = lock.clone();
        let reader = runtime.spawn(move || {
            let _guard = theirs.read().unwrap();
            panic!("out of cheese");
        });
        reader.join().unwrap_err();
        assert!(!lock.is_poisoned());
        let theirs = lock.clone();
        let writer = runtime.spawn(move || {
            *theirs.write().unwrap() = 2;
            let _guard = theirs.write().unwrap();
            sward::yield_now();
            panic!("out of cheese");
        });
        writer.join().unwrap_err();
        assert!(lock.is_poisoned());
        assert_eq!(**lock.read().unwrap_err().get_ref(), 2);
        assert!(matches!(lock.try_write(), Err(TryLockError::Poisoned(_))));
        assert!(matches!(lock.try_read(), Err(TryLockError::Poisoned(_))));
        lock.clear_poison();
        assert_eq!(*lock.write().unwrap(), 2);
    });
}

#[test]
fn mapped() {
    let lock = RwLock::new((1, String::from("one")));
    {
        let guard = RwLockReadGuard::map(lock.read().unwrap(), |pair| &pair.1);
        let guard: MappedRwLockReadGuard<'_, str> =
            MappedRwLockReadGuard::map(guard, String::as_str);
        assert!(lock.try_write().is_err() && lock.try_read().is_ok());
        assert_eq!(format!("{guard} {guard:?}"), "one \"one\"");
    }
    {
        let guard = RwLockWriteGuard::map(lock.write().unwrap(), |pair| &mut pair.1);
        let mut guard: MappedRwLockWriteGuard<'_, str> =
            MappedRwLockWriteGuard::map(guard, |name| name.as_mut_str());
        guard.make_ascii_uppercase();
        assert!(lock.try_read().is_err());
        assert_eq!(&*guard, "ONE");
    }
    let guard = RwLockReadGuard::filter_map(lock.read().unwrap(), |_| None::<&u32>).unwrap_err();
    assert!(RwLockReadGuard::filter_map(guard, |pair| Some(&pair.0)).is_ok());
    let guard = RwLockWriteGuard::filter_map(lock.write().unwrap(), |_| None::<&mut u32>);
    assert!(RwLockWriteGuard::filter_map(guard.unwrap_err(), |pair| Some(&mut pair.0)).is_ok());
    assert_eq!(lock.into_inner().unwrap(), (1, "ONE".into()));
}

#[test]
fn the_value_is_dropped_once() {
    let drops = Drops::new();
    drop(RwLock::new(drops.value()));
    assert_eq!(drops.count(), 1);
    let mut lock = RwLock::new(Some(drops.value()));
    *lock.get_mut().unwrap() = None;
    assert_eq!(drops.count(), 2);
    let lock: Box<RwLock<dyn Fn() -> u32 + Send + Sync>> = Box::new(RwLock::new(|| 7));
    assert_eq!((*lock.read().unwrap())(), 7);
}

#[test]
fn what_is_shown() {
    let lock = RwLock::new(7);
    assert_eq!(
        format!("{lock:?}"),
        "RwLock { data: 7, poisoned: false, .. }"
    );
    let guard = lock.write().unwrap();
    assert_eq!(
        format!("{lock:?}"),
        "RwLock { data: <locked>, poisoned: false, .. }"
    );
    assert_eq!(format!("{guard} {guard:?}"), "7 7");
    assert_eq!(*RwLock::<u32>::default().read().unwrap(), 0);
    assert_eq!(*RwLock::from(7).read().unwrap(), 7);
}
