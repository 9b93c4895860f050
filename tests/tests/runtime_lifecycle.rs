//! Runtimes: several at once, inside of each other, `block_on`, wrong settings, and the way out.

use std::fs::File;
use std::io;
use std::iter;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sward::{Builder, Handle, Homes, Runtime};
use sward_tests::identity::can_move;
use sward_tests::{Suspension, Watchdog, child, each_config, each_runtime, process, settle, until};

const LONG: Duration = Duration::from_secs(100);

fn panic_text(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("it panics");
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .expect("a text")
}

#[test]
fn several_at_once() {
    each_config(|config| {
        let runtimes = [config.build(), config.build(), config.build()];
        let handles = [(); 3].map(|()| Arc::new(AtomicUsize::new(0)));
        for _ in 0..100 {
            for (runtime, count) in runtimes.iter().zip(&handles) {
                let count = count.clone();
                drop(runtime.spawn(move || {
                    sward::yield_now();
                    count.fetch_add(1, SeqCst);
                }));
            }
        }
        for (runtime, count) in runtimes.into_iter().zip(handles) {
            until(|| count.load(SeqCst) == 100);
            settle(&runtime.handle());
            runtime.shutdown(LONG).unwrap();
        }
    });
}

/// Greenlets of one runtime spawn in another, join there, and are unparked from there.
#[test]
fn greenlets_of_two_runtimes() {
    each_config(|config| {
        let (here, there) = (config.build(), config.build());
        let other = there.handle();
        let workers = other.metrics().workers;
        let handles: Vec<_> = (0..50)
            .map(|number| {
                let other = other.clone();
                here.spawn(move || {
                    let me = sward::current();
                    let theirs = other.spawn(move || {
                        assert_eq!(Handle::current().metrics().workers, workers);
                        me.unpark();
                        Suspension::Yield.suspend();
                        number
                    });
                    sward::park();
                    theirs.join().unwrap()
                })
            })
            .collect();
        for (number, handle) in handles.into_iter().enumerate() {
            assert_eq!(handle.join().unwrap(), number);
        }
        for runtime in [here, there] {
            settle(&runtime.handle());
            runtime.shutdown(LONG).unwrap();
        }
    });
}

#[test]
fn block_on_gives_the_value() {
    each_runtime(|runtime| {
        assert_eq!(runtime.block_on(|| 4), 4);
        let text = String::from("moved in");
        assert_eq!(
            runtime.block_on(move || text + " and out"),
            "moved in and out"
        );
        let inside = runtime.block_on(|| sward::try_current().is_some());
        assert!(inside && sward::try_current().is_none());
    });
}

/// `block_on` in a greenlet suspends it, as `spawn` and `join` would.
#[test]
fn block_on_inside_of_block_on() {
    each_config(|config| {
        let (outer, inner) = (Arc::new(config.build()), config.build());
        let again = outer.clone();
        let sum = outer.block_on(move || {
            let same = again.block_on(|| sward::spawn(|| 1).join().unwrap());
            let other = inner.block_on(move || again.block_on(|| 2));
            inner.shutdown(LONG).unwrap();
            same + other
        });
        assert_eq!(sum, 3);
        settle(&outer.handle());
    });
}

#[test]
fn block_on_from_many_threads() {
    each_config(|config| {
        let runtime = config.build();
        thread::scope(|scope| {
            for number in 0..4 {
                let runtime = &runtime;
                scope.spawn(move || {
                    for _ in 0..100 {
                        assert_eq!(runtime.block_on(move || number), number);
                    }
                });
            }
        });
        settle(&runtime.handle());
    });
}

#[test]
fn wrong_settings_are_errors() {
    fn error(result: io::Result<impl Sized>) -> String {
        match result {
            Ok(_) => panic!("no error"),
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
                error.to_string()
            }
        }
    }
    let text = error(Runtime::builder().workers(0).build());
    assert!(text.contains("worker") && text.contains('0'), "{text}");
    for size in [usize::MAX, usize::MAX / 2, 1 << 50] {
        let text = error(Runtime::builder().workers(1).stack_size(size).build());
        assert!(text.contains(&size.to_string()), "{text}");
    }
    error(
        Runtime::builder()
            .workers(1)
            .homes(Homes::Moving { limit: 0 })
            .build(),
    );
    each_runtime(|runtime| {
        let handle = runtime.handle();
        for size in [usize::MAX, usize::MAX / 2, 1 << 50] {
            let text = error(Builder::new().stack_size(size).spawn_on(&handle, || ()));
            assert!(text.contains(&size.to_string()), "{text}");
            runtime.block_on(move || {
                error(Builder::new().stack_size(size).spawn(|| ()));
                error(Builder::new().stack_size(size).spawn_local(|| ()));
            });
        }
        // And as little as nothing is rounded up.
        let small = Builder::new()
            .stack_size(0)
            .spawn_on(&handle, || 3)
            .unwrap();
        assert_eq!(small.join().unwrap(), 3);
    });
}

#[test]
fn outside_of_greenlets() {
    assert!(sward::try_current().is_none());
    assert!(Handle::try_current().is_none());
    let text = panic_text(|| drop(sward::current()));
    assert!(text.contains("plain thread"), "{text}");
    let text = panic_text(|| drop(sward::spawn_local(|| ())));
    assert!(
        text.contains("spawn_local") && text.contains("greenlet"),
        "{text}"
    );
    assert!(Builder::new().spawn_local(|| ()).is_err());
    // As elsewhere on plain threads.
    sward::yield_now();
    sward::sleep(Duration::ZERO);
}

#[test]
fn the_default_runtime_starts_by_itself() {
    let from_threads = [1, 2].map(|number| {
        thread::spawn(move || {
            let joined = sward::spawn(move || (number, sward::current().id()));
            let id = joined.greenlet().id();
            assert_eq!(joined.join().unwrap(), (number, id));
        })
    });
    for thread in from_threads {
        thread.join().unwrap();
    }
    let inner = sward::spawn(|| {
        sward::spawn(|| Handle::current().metrics().workers)
            .join()
            .unwrap()
    });
    assert!(inner.join().unwrap() >= 1);
    let named = Builder::new().name("Ada").stack_size(64 * 1024);
    assert_eq!(named.spawn(|| 5).unwrap().join().unwrap(), 5);
}

#[test]
fn use_after_the_shutdown() {
    each_config(|config| {
        let runtime = config.build();
        let handle = runtime.handle();
        let ended = runtime.spawn(|| 7);
        until(|| ended.is_finished());
        runtime.shutdown(LONG).unwrap();
        // What has ended can still be asked and joined.
        assert!(ended.is_finished());
        assert_eq!(ended.join().unwrap(), 7);
        let metrics = handle.metrics();
        assert_eq!(
            (metrics.greenlets, metrics.suspended, metrics.stacks),
            (0, 0, 0)
        );
        let text = panic_text(|| drop(handle.spawn(|| ())));
        assert!(text.contains("shut down"), "{text}");
        let error = Builder::new().spawn_on(&handle, || ()).unwrap_err();
        assert!(error.to_string().contains("shut down"), "{error}");
        // From a greenlet of another runtime just as well.
        let other = config.build();
        let refused = other.block_on(move || Builder::new().spawn_on(&handle, || ()).is_err());
        assert!(refused);
    });
}

/// Every thread and every descriptor of a runtime is gone when it is.
#[test]
fn two_hundred_runtimes_leave_nothing() {
    let body = || {
        each_config(|config| {
            let once = || {
                let runtime = config.build();
                let handles: Vec<_> = (0..4)
                    .map(|_| runtime.spawn(|| Suspension::Sleep.suspend()))
                    .collect();
                for handle in handles {
                    handle.join().unwrap();
                }
                drop(runtime);
            };
            // What a process makes once is there after the first.
            once();
            let before = (process::threads(), process::descriptors());
            (0..20).for_each(|_| once());
            // A thread that has been joined may be counted by the kernel a moment longer.
            until(|| {
                let now = (process::threads(), process::descriptors());
                match now.0 <= before.0 && now.1 <= before.1 {
                    true => Ok(()),
                    false => Err(format!(
                        "{now:?} threads and descriptors instead of {before:?}"
                    )),
                }
            });
        });
    };
    child::run("two_hundred_runtimes_leave_nothing", &[], body, |ended| {
        ended.succeeded()
    });
}

/// What the system refuses is an error that leaves nothing behind, and the process goes on.
#[test]
fn no_descriptors() {
    let body = || {
        let _watchdog = Watchdog::new("no descriptors");
        let before = (process::threads(), process::descriptors());
        let limits = getrlimit(Resource::Nofile);
        let current = Some(256);
        setrlimit(Resource::Nofile, Rlimit { current, ..limits }).unwrap();
        let taken = iter::from_fn(|| File::open("/dev/null").ok());
        let mut taken: Vec<File> = taken.collect();
        // Room for none, for one, and so on, up to what is enough.
        for room in 0..=8 {
            let mut built = 0;
            for homes in [Homes::Fixed, Homes::Moving { limit: 4 }] {
                match Runtime::builder().workers(2).homes(homes).build() {
                    Ok(runtime) => {
                        assert_eq!(runtime.block_on(move || room), room);
                        built += 1;
                    }
                    Err(error) if can_move() || homes == Homes::Fixed => {
                        assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}");
                    }
                    Err(_) => {}
                }
            }
            assert!(room > 0 || built == 0, "without any descriptor");
            assert!(room < 8 || built > 0, "eight were not enough");
            taken.pop();
        }
        drop(taken);
        setrlimit(Resource::Nofile, limits).unwrap();
        until(|| (process::threads(), process::descriptors()) <= before);
        let runtime = Runtime::builder().workers(2).build().unwrap();
        assert_eq!(runtime.block_on(|| 5), 5);
    };
    child::run("no_descriptors", &[], body, |ended| ended.succeeded());
}

/// Also when threads and memory come and go at the same time: each of these starts four homes and ends.
#[test]
fn runtimes_that_start_and_end_at_the_same_time() {
    each_config(|config| {
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..4 {
                        let runtime = config.build();
                        let started = Instant::now();
                        assert!(runtime.block_on(move || {
                            sward::yield_now();
                            started.elapsed() < LONG
                        }));
                    }
                });
            }
        });
    });
}
