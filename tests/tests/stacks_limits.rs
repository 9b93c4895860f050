//! Stacks: as large as asked for, guarded at their end, and an error where there is no memory for one.

use std::fs;
use std::io::{self, Write};
use std::time::Duration;

use sward::{Builder, Homes, JoinError, JoinHandle, Runtime};
use sward_tests::{child, each_config, each_runtime, kinds, process, until};

/// What a frame of `descend` takes at least.
const FRAME: usize = 1024;
/// Left to what lies above the first frame and below the last: the greenlet's own, a panic's.
const MARGIN: usize = 10 * 1024;

/// Descends until it has used `bytes` of the stack, counted from `from`, and suspends there.
#[inline(never)]
fn descend(from: usize, bytes: usize, at_the_end: &mut dyn FnMut()) -> usize {
    let frame = std::hint::black_box([1u8; FRAME]);
    let used = from - std::ptr::from_ref(&frame).addr();
    if used >= bytes {
        at_the_end();
        return usize::from(frame[0]);
    }
    descend(from, bytes, at_the_end) + usize::from(frame[used % FRAME])
}

fn use_stack(bytes: usize, at_the_end: &mut dyn FnMut()) -> usize {
    let here = 0u8;
    descend(std::ptr::from_ref(&here).addr(), bytes, at_the_end)
}

#[test]
fn deep_recursion() {
    each_runtime(|runtime| {
        let handle = runtime.handle();
        for size in [32, 64, 256, 1024, 4096] {
            let size = size << 10;
            let sized = Builder::new().stack_size(size);
            let body = move || use_stack(size - MARGIN, &mut sward::yield_now);
            let depth = sized.spawn_on(&handle, body).unwrap().join().unwrap();
            assert!(
                depth > (size - MARGIN) / 4 / FRAME,
                "{depth} frames in {size} bytes"
            );
        }
        // The default.
        let depth = runtime.spawn(|| use_stack((256 << 10) - MARGIN, &mut sward::yield_now));
        depth.join().unwrap();
    });
}

#[test]
fn the_size_of_a_runtimes_stacks() {
    each_config(|config| {
        let runtime = config.builder().stack_size(2 << 20).build().unwrap();
        let body = || use_stack((2 << 20) - MARGIN, &mut sward::yield_now);
        runtime.spawn(body).join().unwrap();
        runtime.block_on(move || sward::spawn(body).join().unwrap());
        let smaller = Builder::new().stack_size(32 << 10);
        smaller
            .spawn_on(&runtime.handle(), || ())
            .unwrap()
            .join()
            .unwrap();
    });
}

/// The smallest has room for whatever the runtime does on a greenlet's stack: queues that grow and shrink, their first use in
/// an identity.
#[test]
fn the_smallest_stacks() {
    each_runtime(|runtime| {
        let handle = runtime.handle();
        for _ in 0..4 {
            let parked: Vec<_> = (0..400)
                .map(|_| {
                    let smallest = Builder::new().stack_size(0);
                    let body = || {
                        sward::park();
                        let child = sward::spawn(sward::yield_now);
                        sward::sleep(Duration::from_micros(50));
                        child.join().unwrap();
                    };
                    smallest.spawn_on(&handle, body).unwrap()
                })
                .collect();
            let wakes = runtime.spawn(move || {
                parked.iter().for_each(|one| one.greenlet().unpark());
                parked.into_iter().for_each(|one| one.join().unwrap());
            });
            wakes.join().unwrap();
        }
    });
}

/// From less than the smallest to the largest, powers of two and what lies between them.
#[test]
fn all_sizes() {
    each_runtime(|runtime| {
        let handle = runtime.handle();
        for shift in 0..=30 {
            for size in [1 << shift, (1 << shift) * 3 / 4] {
                let sized = Builder::new().stack_size(size);
                let used = size.saturating_sub(MARGIN).min(100 << 10);
                let body = move || use_stack(used, &mut sward::yield_now);
                sized.spawn_on(&handle, body).unwrap().join().unwrap();
            }
        }
    });
}

/// Stacks of several sizes at once, all suspended at their depth, are distinct memory.
#[test]
fn sizes_side_by_side() {
    each_runtime(|runtime| {
        let handle = runtime.handle();
        let parked: Vec<_> = (0..100)
            .map(|number| {
                let size = (16 << 10) << (number % 6);
                let body = move || {
                    let mut unparked = false;
                    let mut wait = || {
                        sward::park();
                        unparked = true;
                    };
                    use_stack((size - MARGIN).min(50 << 10), &mut wait);
                    unparked
                };
                Builder::new()
                    .stack_size(size)
                    .spawn_on(&handle, body)
                    .unwrap()
            })
            .collect();
        until(|| handle.metrics().suspended == 100);
        for handle in parked {
            handle.greenlet().unpark();
            assert!(handle.join().unwrap());
        }
    });
}

/// Where the address space ends, `join` says that there was no stack. What runs goes on, and there are stacks again when it ends.
#[test]
fn no_memory_for_a_stack() {
    for (kind, homes) in kinds() {
        let name = format!("no_memory_for_a_stack/{kind}");
        let body = || {
            let runtime = Runtime::builder()
                .workers(2)
                .homes(homes)
                .stack_size(16 << 20)
                .build()
                .unwrap();
            let parked: Vec<_> = (0..8).map(|_| runtime.spawn(sward::park)).collect();
            let metrics = runtime.handle();
            until(|| metrics.metrics().suspended == 8);
            let limit = rustix::process::Rlimit {
                current: Some(process::address_space() + (96 << 20)),
                maximum: None,
            };
            rustix::process::setrlimit(rustix::process::Resource::As, limit).unwrap();
            if Vec::<u8>::new().try_reserve_exact(256 << 20).is_ok() {
                // A user-mode emulator takes the limit and does not keep it: there is nothing to see.
                assert_eq!(std::env::consts::ARCH, "aarch64", "the limit is not kept");
                parked.into_iter().for_each(|handle| {
                    handle.greenlet().unpark();
                    handle.join().unwrap();
                });
                println!("went on");
                return;
            }
            let more: Vec<_> = (0..200).map(|_| runtime.spawn(sward::park)).collect();
            until(|| {
                let metrics = metrics.metrics();
                metrics.suspended == metrics.greenlets
            });
            let (running, failed) = parked_and_refused(more);
            for error in &failed {
                assert!(error.to_string().contains("stack"), "{error}");
            }
            assert!(failed.len() >= 150, "only {} had no stack", failed.len());
            for handle in parked.into_iter().chain(running) {
                handle.greenlet().unpark();
                handle.join().unwrap();
            }
            assert_eq!(runtime.spawn(|| 3).join().unwrap(), 3);
            println!("went on");
        };
        child::run(&name, &[], body, |ended| {
            ended.succeeded();
            assert_eq!(ended.stdout, "went on\n", "{ended}");
        });
    }
}

/// A closure for which there was no stack is dropped where it holds up nobody, also when its destructor waits.
#[test]
fn no_stack_and_a_destructor_that_waits() {
    struct Waits(Option<JoinHandle<()>>, std::sync::mpsc::Sender<()>);
    impl Drop for Waits {
        fn drop(&mut self) {
            self.0.take().unwrap().join().unwrap();
            self.1.send(()).unwrap();
        }
    }
    for (kind, homes) in kinds() {
        let name = format!("no_stack_and_a_destructor_that_waits/{kind}");
        let body = || {
            let _watchdog = sward_tests::Watchdog::new("a destructor that waits");
            let runtime = Runtime::builder()
                .workers(1)
                .homes(homes)
                .stack_size(16 << 20)
                .build()
                .unwrap();
            let parked = runtime.spawn(sward::park);
            let metrics = runtime.handle();
            until(|| metrics.metrics().suspended == 1);
            let limit = rustix::process::Rlimit {
                current: Some(process::address_space() + (96 << 20)),
                maximum: None,
            };
            rustix::process::setrlimit(rustix::process::Resource::As, limit).unwrap();
            if Vec::<u8>::new().try_reserve_exact(256 << 20).is_ok() {
                assert_eq!(std::env::consts::ARCH, "aarch64", "the limit is not kept");
                parked.greenlet().unpark();
                println!("went on");
                return;
            }
            let fill: Vec<_> = (0..50).map(|_| runtime.spawn(sward::park)).collect();
            until(|| {
                let metrics = metrics.metrics();
                metrics.suspended == metrics.greenlets
            });
            let (sender, dropped) = std::sync::mpsc::channel();
            let greenlet = parked.greenlet().clone();
            let waits = Waits(Some(parked), sender);
            let refused = runtime.spawn(move || drop(waits));
            let error = refused.join().unwrap_err();
            assert!(error.os_error().is_some(), "{error}");
            greenlet.unpark();
            dropped.recv().unwrap();
            let (running, failed) = parked_and_refused(fill);
            assert!(!failed.is_empty());
            for handle in running {
                handle.greenlet().unpark();
                handle.join().unwrap();
            }
            println!("went on");
        };
        child::run(&name, &[], body, |ended| {
            ended.succeeded();
            assert_eq!(ended.stdout, "went on\n", "{ended}");
        });
    }
}

/// Tells where it was dropped.
struct Tells(std::sync::mpsc::Sender<String>);

impl Drop for Tells {
    fn drop(&mut self) {
        let thread = std::thread::current();
        let _ = self.0.send(thread.name().unwrap_or("?").to_owned());
    }
}

/// Also one that had to wait for a home that it shares, and so has one.
#[test]
fn a_refused_closure_is_dropped_elsewhere_also_after_a_wait_for_a_home() {
    if !sward_tests::identity::can_move() {
        return;
    }
    let body = || {
        let runtime = Runtime::builder()
            .workers(2)
            .homes(Homes::Moving { limit: 1 })
            .build()
            .unwrap();
        let (running, stop) = (
            std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false)),
            std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false)),
        );
        let (here, flag) = (running.clone(), stop.clone());
        let limit = rustix::process::Rlimit {
            current: Some(process::address_space() + (256 << 20)),
            maximum: None,
        };
        rustix::process::setrlimit(rustix::process::Resource::As, limit).unwrap();
        if Vec::<u8>::new().try_reserve_exact(1 << 30).is_ok() {
            assert_eq!(std::env::consts::ARCH, "aarch64", "the limit is not kept");
            return;
        }
        let hog = runtime.spawn(move || {
            here.store(true, std::sync::atomic::Ordering::SeqCst);
            while !flag.load(std::sync::atomic::Ordering::SeqCst) {
                std::hint::spin_loop();
            }
        });
        while !running.load(std::sync::atomic::Ordering::SeqCst) {
            std::thread::yield_now();
        }
        let (sender, told) = std::sync::mpsc::channel();
        let tells = Tells(sender);
        let refused = Builder::new()
            .stack_size(1 << 30)
            .spawn_on(&runtime.handle(), move || drop(tells))
            .unwrap();
        // The other worker takes it; it waits for the only home.
        std::thread::sleep(Duration::from_millis(100));
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
        hog.join().unwrap();
        assert!(refused.join().unwrap_err().os_error().is_some());
        println!("dropped on {}", told.recv().unwrap());
    };
    child::run(
        "a_refused_closure_is_dropped_elsewhere_also_after_a_wait_for_a_home",
        &[],
        body,
        |ended| {
            ended.succeeded();
            assert!(!ended.stdout.contains("home"), "{ended}");
        },
    );
}

/// Of greenlets that park or have no stack: those that parked, and the errors of the others.
fn parked_and_refused(handles: Vec<JoinHandle<()>>) -> (Vec<JoinHandle<()>>, Vec<JoinError>) {
    let (mut parked, mut refused) = (Vec::new(), Vec::new());
    for handle in handles {
        match handle.join_timeout(Duration::ZERO) {
            Ok(result) => {
                let error = result.expect_err("nobody unparked it");
                assert!(!error.is_panic() && !error.is_cancelled(), "{error}");
                assert!(error.os_error().is_some(), "{error}");
                refused.push(error);
            }
            Err(handle) => parked.push(handle),
        }
    }
    (parked, refused)
}

/// Where each guard is a mapping, more greenlets than the kernel has mappings for: those beyond have no stack and say which
/// limit it is. What runs goes on, and there are stacks again when it ends.
#[test]
fn too_many_mappings() {
    const SPAWNS: usize = 40_000;
    // A stack takes two mappings. Where the limit allows these and more, there is nothing to see.
    const HIGHEST: usize = 70_000;
    let limit = fs::read_to_string("/proc/sys/vm/max_map_count");
    let limit: usize = match limit.map(|limit| limit.trim().parse()) {
        Ok(Ok(limit)) if limit <= HIGHEST => limit,
        limit => {
            // Not by `println`, which nobody sees where the test passes.
            let skipped = "too_many_mappings is skipped: vm.max_map_count";
            writeln!(
                io::stderr(),
                "{skipped} is {limit:?}, not {HIGHEST} at most"
            )
            .unwrap();
            return;
        }
    };
    for (kind, homes) in kinds() {
        let name = format!("too_many_mappings/{kind}");
        let body = || {
            let builder = Runtime::builder().workers(2).homes(homes);
            let runtime = builder.mprotect_guards(true).build().unwrap();
            let handles: Vec<_> = (0..SPAWNS).map(|_| runtime.spawn(sward::park)).collect();
            let handle = runtime.handle();
            until(|| {
                let metrics = handle.metrics();
                metrics.suspended == metrics.greenlets
            });
            let (parked, refused) = parked_and_refused(handles);
            for error in &refused {
                let text = error.os_error().map(ToString::to_string);
                let text = text.expect("it is an error of the system");
                assert!(text.contains("vm.max_map_count"), "{text}");
            }
            let counts = (parked.len(), refused.len());
            assert!(counts.0 >= limit / 4, "{counts:?} with a limit of {limit}");
            assert!(counts.0 <= limit / 2, "{counts:?} with a limit of {limit}");
            // All stacks are in use, and still nothing but the greenlet that asks for one fails.
            let error = runtime.spawn(|| ()).join().unwrap_err();
            assert!(error.os_error().is_some(), "{error}");
            for handle in &parked {
                handle.greenlet().unpark();
            }
            for handle in parked {
                handle.join().unwrap();
            }
            assert_eq!(runtime.spawn(|| 3).join().unwrap(), 3);
            println!("went on");
        };
        child::run(&name, &[], body, |ended| {
            ended.succeeded();
            assert_eq!(ended.stdout, "went on\n", "{ended}");
        });
    }
}
