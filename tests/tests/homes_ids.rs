//! `setgid` and `setuid`: libc signals every thread and waits until each has answered under its own thread pointer. A worker
//! that runs under a home's pointer must answer, too.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use sward_tests::identity::identity;
use sward_tests::{Config, Kind, Storm, Suspension, Watchdog, each_config, settle, storm, until};

/// Sets what is set already: every thread is asked all the same.
fn set_ids() {
    // SAFETY: no memory is involved.
    let results = unsafe { [libc::setgid(libc::getgid()), libc::setuid(libc::getuid())] };
    assert_eq!(results, [0, 0]);
}

#[test]
fn from_greenlets_and_threads_at_once() {
    // All 768 calls where greenlets migrate most; each takes as long as the kernel takes for a signal to every thread.
    each_config(|config| {
        let calls = if config.kind == Kind::Moving && config.workers == 4 {
            768
        } else {
            64
        };
        // Each call waits until every worker has answered; those that wait for their turn count as held up. So that all
        // calls are made in time, spares are there in some cases only.
        let builder = config.builder();
        let builder = match config.workers {
            2 => builder,
            workers => builder.max_workers(workers),
        };
        let runtime = &builder.build().unwrap();
        {
            let (made, over) = (
                Arc::new(AtomicU64::new(0)),
                Arc::new(AtomicBool::new(false)),
            );
            let from_thread = thread::spawn({
                let over = over.clone();
                move || {
                    while !over.load(SeqCst) {
                        set_ids();
                        thread::sleep(Duration::from_millis(1));
                    }
                }
            });
            let counted = made.clone();
            let some = Storm {
                greenlets: 16,
                rounds: calls / 16 / 2,
                migrations: 200,
            };
            storm(config, runtime, some, move |rng, _| {
                let before = identity();
                // Two calls.
                set_ids();
                counted.fetch_add(2, SeqCst);
                assert_eq!(identity(), before);
                for _ in 0..10 {
                    Suspension::any(rng).suspend();
                }
            });
            over.store(true, SeqCst);
            from_thread.join().unwrap();
            assert!(made.load(SeqCst) >= calls);
        }
        settle(&runtime.handle());
    });
}

/// While workers and homes start and end.
#[test]
fn while_runtimes_come_and_go() {
    let _watchdog = Watchdog::new("setgid while runtimes come and go");
    let over = Arc::new(AtomicBool::new(false));
    let from_thread = thread::spawn({
        let over = over.clone();
        move || {
            while !over.load(SeqCst) {
                set_ids();
                thread::sleep(Duration::from_micros(100));
            }
        }
    });
    for config in Config::all().into_iter().cycle().take(24) {
        let runtime = config.build();
        let body = || {
            for _ in 0..5 {
                Suspension::Yield.suspend();
            }
        };
        let handles: Vec<_> = (0..8).map(|_| runtime.spawn(body)).collect();
        for handle in handles {
            handle.join().unwrap();
        }
        drop(runtime);
    }
    over.store(true, SeqCst);
    from_thread.join().unwrap();
}

/// A signal handler of the program's own runs in greenlets as it does in threads.
#[test]
fn other_signals_reach_greenlets() {
    static SEEN: AtomicU64 = AtomicU64::new(0);
    extern "C" fn on_signal(_: libc::c_int) {
        SEEN.fetch_add(1, SeqCst);
    }
    // SAFETY: the handler does nothing but count, and nothing else here uses this signal.
    unsafe {
        let handler: extern "C" fn(libc::c_int) = on_signal;
        assert_ne!(
            libc::signal(libc::SIGUSR2, handler as libc::sighandler_t),
            libc::SIG_ERR
        );
    }
    each_config(|config| {
        config.run(|runtime| {
            storm(
                config,
                runtime,
                Storm {
                    rounds: 20,
                    ..Storm::default()
                },
                |rng, _| {
                    let before = identity();
                    // SAFETY: it runs the handler above, before it returns.
                    unsafe { assert_eq!(libc::raise(libc::SIGUSR2), 0) };
                    assert_eq!(identity(), before);
                    Suspension::any(rng).suspend();
                },
            );
        });
    });
    assert!(SEEN.load(SeqCst) > 0);
}

/// A signal for the process must not be handled by the thread of a home: a greenlet may be running under its identity.
#[test]
#[cfg(target_os = "linux")]
fn signals_stay_away_from_homes() {
    /// Names and blocked signals of all threads.
    fn masks() -> Vec<(String, u64)> {
        let tasks = fs::read_dir("/proc/self/task").unwrap();
        let statuses =
            tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("status")).ok());
        let field = |status: &str, key: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(key));
            value.unwrap().trim().to_owned()
        };
        statuses
            .map(|status| {
                let blocked = u64::from_str_radix(&field(&status, "SigBlk:"), 16).unwrap();
                (field(&status, "Name:"), blocked)
            })
            .collect()
    }
    let _watchdog = Watchdog::new("masks");
    let config = Config {
        workers: 2,
        kind: Kind::Moving,
    };
    if !config.is_possible() {
        return;
    }
    let runtime = config.builder().name("mask").build().unwrap();
    let parked: Vec<_> = (0..5).map(|_| runtime.spawn(sward::park)).collect();
    until(|| runtime.handle().metrics().suspended == 5);
    let some = [
        libc::SIGINT,
        libc::SIGTERM,
        libc::SIGUSR1,
        libc::SIGCHLD,
        libc::SIGALRM,
        libc::SIGPROF,
    ];
    let blocked_in = |mask: u64| {
        some.into_iter()
            .filter(move |signal| mask & 1 << (signal - 1) != 0)
            .count()
    };
    // Again, as long as a home is only starting: that thread has first the name of the one that starts it, then its own, and
    // then its mask.
    until(|| {
        let masks = masks();
        let named = |prefix: &'static str| {
            masks
                .iter()
                .filter(move |(name, _)| name.starts_with(prefix))
        };
        let homes: Vec<_> = named("mask-home-").collect();
        let workers: Vec<_> = named("mask-")
            .filter(|thread| !homes.contains(thread))
            .collect();
        let deaf = homes
            .iter()
            .all(|(_, mask)| blocked_in(*mask) == some.len());
        let open = workers.iter().all(|(_, mask)| blocked_in(*mask) == 0);
        match deaf && open && homes.len() >= 5 && workers.len() >= 2 {
            true => Ok(()),
            false => Err(format!("{homes:x?} {workers:x?}")),
        }
    });
    for parked in parked {
        parked.greenlet().unpark();
        parked.join().unwrap();
    }
}
