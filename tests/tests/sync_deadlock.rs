//! Those who wait for each other's locks and ends in a circle are reported at once; others are not.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use sward::sync::{Condvar, Mutex, RwLock};
use sward::{Builder, Runtime};
use sward_tests::child::{self, Ended};
use sward_tests::{Crowd, Rng, each_config, kinds, until};

/// Runs `body`, which gets stuck, in a child until that has printed a report, with both kinds of home.
fn reported(name: &str, lines: &[&str], body: impl Fn(&Runtime) + Copy) {
    for (kind, homes) in kinds() {
        child::run(
            &format!("{name}/{kind}"),
            &[],
            || {
                let (mut errors, end) = io::pipe().unwrap();
                // SAFETY: both are open descriptors.
                assert_eq!(unsafe { libc::dup2(end.as_raw_fd(), 2) }, 2);
                let runtime = Runtime::builder().workers(2).homes(homes);
                let runtime = runtime.report_deadlocks(true).build().unwrap();
                body(&runtime);
                // A report is written in one piece.
                let mut piece = [0; 8192];
                let mut said = String::new();
                while !said.contains("deadlock: ") {
                    let length = errors.read(&mut piece).unwrap();
                    said += std::str::from_utf8(&piece[..length]).unwrap();
                }
                io::stdout().write_all(said.as_bytes()).unwrap();
                // Whoever is stuck is left so.
                std::process::exit(0);
            },
            |ended: Ended| {
                ended.succeeded();
                for line in lines {
                    assert!(ended.stdout.contains(line), "{line:?} is not in {ended}");
                }
            },
        );
    }
}

/// Starts greenlets named `number 0`, `number 1`, ... of which each does its part, and gets stuck.
fn stuck(runtime: &Runtime, parts: Vec<Box<dyn FnOnce() + Send>>) {
    for (number, part) in parts.into_iter().enumerate() {
        let builder = Builder::new().name(format!("number {number}"));
        let handle = builder.spawn_on(&runtime.handle(), move || {
            part();
            panic!("it was to be stuck");
        });
        drop(handle.unwrap());
    }
}

#[test]
fn two_mutexes() {
    let lines = [
        "deadlock: 2 wait for each other in a circle\n    greenlet 'number ",
        "greenlet 'number 0' (id ",
        "greenlet 'number 1' (id ",
        "        has Mutex<u32> at 0x",
        "        wants Mutex<&str> at 0x",
        "sync_deadlock.rs:",
    ];
    reported("two_mutexes", &lines, |runtime| {
        let (one, other) = (Arc::new(Mutex::new(1_u32)), Arc::new(Mutex::new("one")));
        let met = Arc::new(AtomicUsize::new(0));
        let (a, b, c, d, m, n) = (
            one.clone(),
            other.clone(),
            one.clone(),
            other.clone(),
            met.clone(),
            met.clone(),
        );
        stuck(
            runtime,
            vec![
                Box::new(move || {
                    let _one = a.lock().unwrap();
                    m.fetch_add(1, SeqCst);
                    until(|| m.load(SeqCst) == 2);
                    let _other = b.lock().unwrap();
                }),
                Box::new(move || {
                    let _other = d.lock().unwrap();
                    n.fetch_add(1, SeqCst);
                    until(|| n.load(SeqCst) == 2);
                    let _one = c.lock().unwrap();
                }),
            ],
        );
    });
}

#[test]
fn one_that_waits_for_itself() {
    let lines = ["deadlock: one waits for itself", "wants Mutex<()>"];
    reported("one_that_waits_for_itself", &lines, |runtime| {
        stuck(
            runtime,
            vec![Box::new(|| {
                let mutex = Mutex::new(());
                let _guard = mutex.lock().unwrap();
                let _again = mutex.lock();
            })],
        );
    });
}

/// A greenlet has a lock and joins another, which wants it.
#[test]
fn a_join_and_a_lock() {
    let lines = [
        "deadlock: 2 wait for each other in a circle",
        "has RwLock<u8> to read at 0x",
        "waits for the end of greenlet ",
        "wants RwLock<u8> to write at 0x",
    ];
    reported("a_join_and_a_lock", &lines, |runtime| {
        stuck(
            runtime,
            vec![Box::new(|| {
                let lock = Arc::new(RwLock::new(1_u8));
                let _guard = lock.read().unwrap();
                let theirs = lock.clone();
                let child = sward::spawn(move || *theirs.write().unwrap() = 2);
                child.join().unwrap();
            })],
        );
    });
}

/// Reading twice, with a writer that waits in between.
#[test]
fn a_reader_behind_a_writer_that_waits_for_it() {
    let lines = [
        "2 wait for each other in a circle",
        "wants RwLock<()> to read",
        "wants RwLock<()> to write",
    ];
    reported(
        "a_reader_behind_a_writer_that_waits_for_it",
        &lines,
        |runtime| {
            stuck(
                runtime,
                vec![Box::new(|| {
                    let lock = Arc::new(RwLock::new(()));
                    let _guard = lock.read().unwrap();
                    let theirs = lock.clone();
                    drop(sward::spawn(move || drop(theirs.write())));
                    // While the writer waits nobody comes in.
                    until(|| lock.try_read().is_err());
                    let _again = lock.read();
                })],
            );
        },
    );
}

/// A thread is one of them.
#[test]
fn a_thread_and_a_greenlet() {
    let lines = [
        "deadlock: 2 wait",
        "    thread '",
        "    greenlet 'number 0'",
    ];
    reported("a_thread_and_a_greenlet", &lines, |runtime| {
        let (one, other) = (Arc::new(Mutex::new(1_u32)), Arc::new(Mutex::new(2_u8)));
        let met = Arc::new(AtomicUsize::new(0));
        let (a, b, m) = (one.clone(), other.clone(), met.clone());
        std::thread::spawn(move || {
            let _one = a.lock().unwrap();
            m.fetch_add(1, SeqCst);
            until(|| m.load(SeqCst) == 2);
            let _other = b.lock().unwrap();
        });
        stuck(
            runtime,
            vec![Box::new(move || {
                let _other = other.lock().unwrap();
                met.fetch_add(1, SeqCst);
                until(|| met.load(SeqCst) == 2);
                let _one = one.lock().unwrap();
            })],
        );
    });
}

/// Much locking, in an order that has no circle, with limits, across conditions: nothing is reported, and nothing stays in
/// the graph that would be.
#[test]
fn no_deadlock_no_report() {
    child::run(
        "no_deadlock_no_report",
        &[],
        || {
            each_config(|config| {
                config.run(|runtime| {
                    for crowd in Crowd::ALL {
                        work(runtime, crowd);
                    }
                });
            });
            writeln!(io::stdout(), "all went on").unwrap();
        },
        |ended| {
            ended.succeeded();
            assert!(ended.stdout.contains("all went on"), "{ended}");
            assert_eq!(ended.errors_with("deadlock: "), 0, "{ended}");
        },
    );

    fn work(runtime: &Runtime, crowd: Crowd) {
        type Shared = (Vec<Mutex<u32>>, RwLock<u32>, Mutex<u32>, Condvar);
        let shared: Arc<Shared> = Arc::new((
            (0..4).map(Mutex::new).collect(),
            RwLock::new(0),
            Mutex::new(0),
            Condvar::new(),
        ));
        crowd.run(runtime, 8, move |number| {
            let (mutexes, lock, turn, changed) = &*shared;
            let mut rng = Rng::new(number as u64);
            for _ in 0..40 {
                let (low, high) = (rng.below(4) as usize, rng.below(4) as usize);
                match rng.below(4) {
                    0 => {
                        // In order.
                        let _first = mutexes[low.min(high)].lock().unwrap();
                        sward::yield_now();
                        if low != high {
                            let _second = mutexes[low.max(high)].lock().unwrap();
                        }
                    }
                    1 => {
                        // Out of order, but not for long.
                        let _first = mutexes[high].lock().unwrap();
                        let _ = mutexes[low].lock_timeout(Duration::from_micros(rng.below(300)));
                    }
                    2 => {
                        let _reads = lock.read().unwrap();
                        let _mutex = mutexes[low].lock().unwrap();
                        sward::yield_now();
                    }
                    _ => {
                        *lock.write().unwrap() += 1;
                        let mut turn = turn.lock().unwrap();
                        *turn += 1;
                        changed.notify_all();
                        let until_odd = |turn: &mut u32| turn.is_multiple_of(2);
                        let limit = Duration::from_micros(100);
                        drop(changed.wait_timeout_while(turn, limit, until_odd));
                    }
                }
            }
        });
    }
}
