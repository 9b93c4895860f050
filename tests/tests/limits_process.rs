//! The limits of a process, reached: threads, descriptors, address space. Whoever asks for what is not to be had is told, or makes
//! do with less; what runs goes on. (Stacks: `stacks_limits`. `accept`: `net_many`. A runtime without descriptors:
//! `runtime_lifecycle`.)

use std::fs::{self, File};
use std::io::{self, Write};
use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sward::{Builder, Homes, JoinHandle, Runtime};
use sward_tests::identity::can_move;
use sward_tests::{Watchdog, child, process, settle, until};

/// Or libc's allocator may reserve 64 MiB for another thread's arena between sward's look for room and what std maps for the thread that
/// is started then: that ends the process, and nobody can see it coming.
const ONE_ARENA: [(&str, &str); 1] = [("MALLOC_ARENA_MAX", "1")];

/// The kinds of homes that this machine has.
fn kinds() -> impl Iterator<Item = (&'static str, Homes)> {
    let kinds = [
        ("moving", Homes::Moving { limit: 1024 }),
        ("fixed", Homes::Fixed),
    ];
    kinds
        .into_iter()
        .filter(|(_, homes)| *homes == Homes::Fixed || can_move())
}

fn limit(resource: Resource, to: u64) {
    let limits = getrlimit(resource);
    let current = Some(to);
    setrlimit(resource, Rlimit { current, ..limits }).expect("it is lowered");
}

/// Makes this process a user's that has no other, for the superuser may have as many threads as there are. Whether the limit is
/// kept then: not by every emulator and in every container.
fn become_nobody() -> bool {
    if rustix::process::getuid().is_root() {
        // One of those that are given to nobody, and not the same for two children at a time.
        let id = 100_000 + std::process::id();
        // SAFETY: it takes numbers.
        if unsafe { libc::setresuid(id, id, id) } != 0 {
            return false;
        }
    }
    let before = getrlimit(Resource::Nproc);
    limit(Resource::Nproc, 0);
    let kept = std::thread::Builder::new().spawn(|| ()).is_err();
    setrlimit(Resource::Nproc, before).expect("it is raised to what it was");
    kept
}

/// Waits until the watchdog and every thread of a runtime with two workers has got up. A thread has its name once it has all that
/// std gives it: for want of room for that, std would end the process.
fn until_all_are_up() {
    let names = [
        "watchdog",
        "sward-0",
        "sward-1",
        "sward-reaper",
        "sward-monitor",
    ];
    until(|| {
        let tasks = fs::read_dir("/proc/self/task").expect("/proc");
        let up: Vec<String> = tasks
            .filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok())
            .collect();
        names
            .iter()
            .all(|name| up.iter().any(|up| up.trim_end() == *name))
    });
}

/// Parks so many greenlets, and waits until those that can be are.
fn park(runtime: &Runtime, count: usize) -> Vec<JoinHandle<usize>> {
    let parked = (0..count).map(|number| {
        runtime.spawn(move || {
            sward::park();
            number
        })
    });
    let parked = parked.collect();
    let handle = runtime.handle();
    until(|| {
        let metrics = handle.metrics();
        metrics.suspended == metrics.greenlets
    });
    parked
}

/// Unparks and joins them: how many could run.
fn join(parked: Vec<JoinHandle<usize>>) -> usize {
    parked.iter().for_each(|handle| handle.greenlet().unpark());
    let mut ran = 0;
    for (number, handle) in parked.into_iter().enumerate() {
        match handle.join() {
            Ok(value) => {
                assert_eq!(value, number);
                ran += 1;
            }
            Err(error) => assert!(error.os_error().is_some(), "{error}"),
        }
    }
    ran
}

#[test]
fn no_threads() {
    for (kind, homes) in kinds() {
        let body = || {
            let _watchdog = Watchdog::new("no threads");
            if !become_nobody() {
                writeln!(io::stderr(), "no_threads is skipped: no limit is kept").unwrap();
                println!("went on");
                return;
            }
            let before = (process::threads(), process::descriptors());
            let build = || Runtime::builder().workers(2).homes(homes).build();
            let mut refused = 0;
            // Room for none, for one, and so on, up to what is enough.
            for room in 0..=8 {
                // The user's other threads are this process's.
                limit(Resource::Nproc, (before.0 + room) as u64);
                match build() {
                    Ok(runtime) => assert_eq!(join(park(&runtime, 100)), 100),
                    Err(error) => {
                        assert_eq!(error.raw_os_error(), Some(libc::EAGAIN), "{error}");
                        refused += 1;
                    }
                }
                until(|| (process::threads(), process::descriptors()) <= before);
            }
            assert!((3..8).contains(&refused), "{refused}");
            // A runtime that loses the right to start more shares the homes it has.
            limit(Resource::Nproc, (before.0 + 64) as u64);
            let runtime = build().unwrap();
            let first = park(&runtime, 10);
            limit(Resource::Nproc, 0);
            let more = park(&runtime, 1000);
            assert_eq!(join(more), 1000);
            assert_eq!(join(first), 10);
            // Also one that waits while it unwinds, for which a thread is asked as well.
            struct Waits(Arc<AtomicUsize>);
            impl Drop for Waits {
                fn drop(&mut self) {
                    sward::sleep(Duration::from_millis(1));
                    assert!(std::thread::panicking());
                    self.0.fetch_add(1, SeqCst);
                }
            }
            let waited = Arc::new(AtomicUsize::new(0));
            let waits: Vec<_> = (0..20)
                .map(|_| {
                    let waits = Waits(waited.clone());
                    runtime.spawn(move || {
                        let _waits = waits;
                        std::panic::resume_unwind(Box::new(()));
                    })
                })
                .collect();
            for handle in waits {
                assert!(handle.join().unwrap_err().is_panic());
            }
            assert_eq!(waited.load(SeqCst), 20);
            // Nobody panics any more, and nobody is taken to.
            assert!(!runtime.block_on(std::thread::panicking));
            settle(&runtime.handle());
            println!("went on");
        };
        child::run(&format!("no_threads/{kind}"), &[], body, |ended| {
            ended.succeeded();
            assert_eq!(ended.stdout, "went on\n", "{ended}");
        });
    }
}

/// Each greenlet that is suspended asks for a home, and so for a thread and its stack, until there is no room for one; the
/// process goes on with those it has.
#[test]
fn no_address_space_for_homes() {
    for (kind, homes) in kinds() {
        let body = || {
            let _watchdog = Watchdog::new("no address space");
            let runtime = Runtime::builder()
                .workers(2)
                .homes(homes)
                .stack_size(64 << 10)
                .build()
                .unwrap();
            // So that a slab is there.
            assert_eq!(join(park(&runtime, 10)), 10);
            until_all_are_up();
            for megabytes in [64, 32, 16, 12] {
                limit(Resource::As, process::address_space() + (megabytes << 20));
                let mut block = Vec::<u8>::new();
                if block.try_reserve_exact(256 << 20).is_ok() {
                    // A user-mode emulator takes the limit and does not keep it: there is nothing to see.
                    assert_eq!(std::env::consts::ARCH, "aarch64", "the limit is not kept");
                    break;
                }
                let ran = join(park(&runtime, 1500));
                assert!(ran >= 100, "{ran} with {megabytes} MiB");
                assert_eq!(runtime.spawn(|| 3).join().unwrap(), 3);
            }
            settle(&runtime.handle());
            println!("went on");
        };
        let name = format!("no_address_space_for_homes/{kind}");
        child::run(&name, &ONE_ARENA, body, |ended| {
            ended.succeeded();
            assert_eq!(ended.stdout, "went on\n", "{ended}");
        });
    }
}

/// The default runtime cannot start: whoever needs it is told, and it starts as soon as it can.
#[test]
fn no_descriptors_for_the_default_runtime() {
    let body = || {
        let _watchdog = Watchdog::new("no descriptors");
        limit(Resource::Nofile, 256);
        let taken: Vec<File> = iter::from_fn(|| File::open("/dev/null").ok()).collect();
        let error = Builder::new().spawn(|| ()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}");
        let told = std::panic::catch_unwind(|| sward::spawn(|| ())).unwrap_err();
        let text = told.downcast_ref::<String>().expect("a text");
        assert!(text.contains("failed to spawn a greenlet"), "{text}");
        drop(taken);
        assert_eq!(sward::spawn(|| 7).join().unwrap(), 7);
    };
    child::run(
        "no_descriptors_for_the_default_runtime",
        &[],
        body,
        |ended| ended.succeeded(),
    );
}

/// A runtime that there is no room for is an error, wherever the room ends.
#[test]
fn no_address_space_for_a_runtime() {
    for (kind, homes) in kinds() {
        let body = || {
            let _watchdog = Watchdog::new("no address space");
            let before = (process::threads(), process::descriptors());
            // What comes first keeps its memory for the next.
            let build = || Runtime::builder().workers(4).homes(homes).build();
            assert_eq!(join(park(&build().unwrap(), 10)), 10);
            let (mut built, mut refused) = (0, 0);
            for step in 1..=64 {
                until(|| (process::threads(), process::descriptors()) <= before);
                limit(Resource::As, process::address_space() + (step << 19));
                if Vec::<u8>::new().try_reserve_exact(256 << 20).is_ok() {
                    assert_eq!(std::env::consts::ARCH, "aarch64", "the limit is not kept");
                    println!("went on");
                    return;
                }
                match build() {
                    Ok(runtime) => {
                        assert_eq!(runtime.spawn(|| 3).join().map_or(3, |three| three), 3);
                        built += 1;
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), io::ErrorKind::OutOfMemory, "{error}");
                        refused += 1;
                    }
                }
            }
            assert!(built > 0 && refused > 0, "{built} and {refused}");
            println!("went on");
        };
        let name = format!("no_address_space_for_a_runtime/{kind}");
        child::run(&name, &ONE_ARENA, body, |ended| {
            ended.succeeded();
            assert_eq!(ended.stdout, "went on\n", "{ended}");
        });
    }
}
