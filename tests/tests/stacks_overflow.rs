//! An overflow names its greenlet, whatever stack it had; other faults are what they were.

use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicUsize, Ordering};

use sward::{Builder, Homes, Runtime};
use sward_tests::child::{self, Ended};
use sward_tests::{kinds, until};

fn page_size() -> usize {
    // SAFETY: no preconditions.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize }
}

fn no_core_file() {
    let none = rustix::process::Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    rustix::process::setrlimit(rustix::process::Resource::Core, none).unwrap();
}

/// Goes down until there is no more room.
#[inline(never)]
fn descend(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    if depth == u64::MAX {
        return 0;
    }
    descend(depth + 1) + frame[(depth % 64) as usize]
}

fn died_by(ended: &Ended, signal: i32) {
    assert_eq!(ended.status.signal(), Some(signal), "{ended}");
}

/// The stack is `size` bytes of a greenlet with `name`, spawned in this file.
fn reported(ended: &Ended, name: &str, size: usize) {
    died_by(ended, libc::SIGSEGV);
    let whose = format!("sward: greenlet '{name}' (id ");
    let site = format!("spawned at {}:", file!().rsplit('/').next().unwrap());
    let line = ended.stderr.lines().find(|line| line.starts_with(&whose));
    let line = line.unwrap_or_else(|| panic!("no report: {ended}"));
    let site_at = line.find("spawned at ").expect("the site");
    assert!(line[site_at..].contains(&site[11..]), "{line}");
    let rest = format!("has overflowed its stack of {} KiB", size >> 10);
    assert!(line.ends_with(&rest), "{line}");
    assert_eq!(ended.errors_with("has overflowed"), 1, "{ended}");
    assert_eq!(ended.errors_with("SWARD_STACK_SIZE"), 1, "{ended}");
    assert_eq!(ended.stdout, "", "{ended}");
}

#[test]
fn names_the_greenlet() {
    for (kind, homes) in kinds() {
        for workers in [1, 8] {
            for protected in [false, true] {
                let name = format!("names_the_greenlet/{kind}-{workers}-{protected}");
                let body = || {
                    no_core_file();
                    let builder = Runtime::builder().workers(workers).homes(homes);
                    let runtime = builder.mprotect_guards(protected).build().unwrap();
                    let others: Vec<_> = (0..8).map(|_| runtime.spawn(sward::park)).collect();
                    let deep = Builder::new().name("deep");
                    let deep = deep.spawn_on(&runtime.handle(), || descend(0)).unwrap();
                    println!("{:?} {}", deep.join(), others.len());
                };
                child::run(&name, &[], body, |ended| {
                    reported(&ended, "deep", 256 << 10)
                });
            }
        }
    }
}

/// The first stack of its slab, the smallest, and a large one; without a name.
#[test]
fn on_stacks_of_all_sizes() {
    for (kind, homes) in kinds() {
        for size in [16 << 10, 64 << 10, 4 << 20] {
            let name = format!("on_stacks_of_all_sizes/{kind}-{size}");
            let body = || {
                no_core_file();
                let runtime = Runtime::builder().workers(1).homes(homes).build().unwrap();
                let deep = Builder::new().stack_size(size);
                let deep = deep.spawn_on(&runtime.handle(), || descend(0)).unwrap();
                println!("{:?}", deep.join());
            };
            let sized = Builder::new().stack_size(size).spawn(|| ()).unwrap();
            let size = sized.greenlet().stack_size();
            child::run(&name, &[], body, |ended| {
                reported(&ended, "<unnamed>", size)
            });
        }
    }
}

/// After others had the stack, and after suspensions that may have brought it to another worker.
#[test]
fn on_a_recycled_stack_after_moves() {
    for (kind, homes) in kinds() {
        for workers in [1, 8] {
            let name = format!("on_a_recycled_stack_after_moves/{kind}-{workers}");
            let body = || {
                no_core_file();
                let builder = Runtime::builder().workers(workers).homes(homes);
                let runtime = builder.build().unwrap();
                for _ in 0..3 {
                    let some: Vec<_> = (0..40)
                        .map(|_| runtime.spawn(|| (0..20).for_each(|_| sward::yield_now())))
                        .collect();
                    some.into_iter().for_each(|one| one.join().unwrap());
                }
                let deep = Builder::new().name("later");
                let deep = deep.spawn_on(&runtime.handle(), || {
                    let neighbours: Vec<_> = (0..20)
                        .map(|_| sward::spawn(|| (0..50).for_each(|_| sward::yield_now())))
                        .collect();
                    (0..100).for_each(|_| sward::yield_now());
                    descend(neighbours.len() as u64)
                });
                println!("{:?}", deep.unwrap().join());
            };
            child::run(&name, &[], body, |ended| {
                reported(&ended, "later", 256 << 10)
            });
        }
    }
}

/// Started in the place of one that has just ended, on its stack, and in a destructor while it unwinds.
#[test]
fn while_it_unwinds_and_after_another() {
    struct Deep;
    impl Drop for Deep {
        fn drop(&mut self) {
            descend(0);
        }
    }
    for (kind, homes) in kinds() {
        let name = format!("while_it_unwinds_and_after_another/{kind}");
        let body = || {
            no_core_file();
            let runtime = Runtime::builder().workers(1).homes(homes).build().unwrap();
            runtime.block_on(|| {
                let before: Vec<_> = (0..4).map(|_| sward::spawn(|| ())).collect();
                let deep = Builder::new().name("unwinds").spawn(|| {
                    let _deep = Deep;
                    std::panic::resume_unwind(Box::new("a reason to unwind"));
                });
                println!("{} {:?}", before.len(), deep.unwrap().join());
            });
        };
        child::run(&name, &[], body, |ended| {
            reported(&ended, "unwinds", 256 << 10)
        });
    }
}

/// A thread's own overflow is reported by std, also where greenlets are.
#[test]
fn a_threads_overflow_is_stds() {
    for (kind, homes) in kinds() {
        let name = format!("a_threads_overflow_is_stds/{kind}");
        let body = || {
            no_core_file();
            let runtime = Runtime::builder().workers(2).homes(homes).build().unwrap();
            runtime.spawn(|| ()).join().unwrap();
            let thread = std::thread::Builder::new().name("plain".into());
            println!("{:?}", thread.spawn(|| descend(0)).unwrap().join());
        };
        child::run(&name, &[], body, |ended| {
            died_by(&ended, libc::SIGABRT);
            let theirs = ended.errors_with("thread 'plain'");
            assert_eq!((theirs, ended.errors_with("sward")), (1, 0), "{ended}");
        });
    }
}

/// What is no overflow ends the process by its signal, with no word of ours: in greenlets, in threads.
#[test]
fn other_faults_stay() {
    let stray = || {
        // SAFETY: none; the fault is what is wanted.
        unsafe { std::ptr::without_provenance_mut::<u8>(64).write_volatile(1) };
    };
    for (kind, homes) in kinds() {
        for place in ["greenlet", "thread", "sent"] {
            let name = format!("other_faults_stay/{kind}-{place}");
            let body = || {
                no_core_file();
                let runtime = Runtime::builder().workers(2).homes(homes).build().unwrap();
                runtime.spawn(|| ()).join().unwrap();
                match place {
                    "greenlet" => runtime.spawn(stray).join().unwrap(),
                    "thread" => stray(),
                    // std's handler takes the first for a fault that comes again.
                    _ => loop {
                        // SAFETY: no preconditions.
                        unsafe { libc::kill(libc::getpid(), libc::SIGSEGV) };
                        std::thread::yield_now();
                    },
                }
                println!("went on");
            };
            child::run(&name, &[], body, |ended| {
                died_by(&ended, libc::SIGSEGV);
                // An emulator may have something to say.
                let ours = ended.errors_with("sward: ");
                assert_eq!((&*ended.stdout, ours), ("", 0), "{ended}");
            });
        }
    }
}

/// Where the program's own handler, which was there first, is to make a page accessible, and how often it did.
static PAGE: AtomicUsize = AtomicUsize::new(0);
static MENDED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn mend(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let page = PAGE.load(Ordering::Relaxed);
    // SAFETY: the kernel's, and a page that the test mapped.
    unsafe {
        if (*info).si_addr().addr() != page {
            libc::_exit(99);
        }
        libc::mprotect(
            std::ptr::with_exposed_provenance_mut(page),
            1,
            libc::PROT_READ | libc::PROT_WRITE,
        );
    }
    MENDED.fetch_add(1, Ordering::Relaxed);
}

/// A handler that mends a fault, as collectors and virtual machines do, goes on doing so; and the report of an overflow comes
/// before it.
#[test]
fn the_programs_handler_stays() {
    for (kind, homes) in kinds() {
        let name = format!("the_programs_handler_stays/{kind}");
        let body = || {
            no_core_file();
            // SAFETY: a handler of three arguments; pages of our own.
            let page = unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = mend as extern "C" fn(_, _, _) as usize;
                action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
                assert_eq!(
                    libc::sigaction(libc::SIGSEGV, &action, std::ptr::null_mut()),
                    0
                );
                let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
                libc::mmap(std::ptr::null_mut(), 4096, libc::PROT_NONE, flags, -1, 0)
            };
            PAGE.store(page.expose_provenance(), Ordering::Relaxed);
            let runtime = Runtime::builder().workers(2).homes(homes).build().unwrap();
            let touch = || {
                let page =
                    std::ptr::with_exposed_provenance_mut::<u8>(PAGE.load(Ordering::Relaxed));
                // SAFETY: accessible once the handler was there.
                unsafe {
                    page.write_volatile(3);
                    assert_eq!(page.read_volatile(), 3);
                    assert_eq!(libc::mprotect(page.cast(), 1, libc::PROT_NONE), 0);
                }
            };
            runtime.spawn(touch).join().unwrap();
            std::thread::spawn(touch).join().unwrap();
            until(|| MENDED.load(Ordering::Relaxed) == 2);
            let deep = Builder::new().name("deep");
            let deep = deep.spawn_on(&runtime.handle(), || descend(0)).unwrap();
            println!("{:?}", deep.join());
        };
        child::run(&name, &[], body, |ended| {
            reported(&ended, "deep", 256 << 10)
        });
    }
}

/// What was there before the program's later handler: ours.
static BEFORE: AtomicUsize = AtomicUsize::new(0);

extern "C" fn mend_or_pass_on(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the kernel's.
    if unsafe { (*info).si_addr().addr() } == PAGE.load(Ordering::Relaxed) {
        return mend(signal, info, context);
    }
    type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
    // SAFETY: sward's, which takes three arguments.
    let before = unsafe { std::mem::transmute::<usize, Handler>(BEFORE.load(Ordering::Relaxed)) };
    before(signal, info, context);
}

/// One that is installed later comes first; an overflow is reported if it passes on what it does not know.
#[test]
fn a_later_handler_comes_first() {
    for (kind, homes) in kinds() {
        let name = format!("a_later_handler_comes_first/{kind}");
        let body = || {
            no_core_file();
            let runtime = Runtime::builder().workers(2).homes(homes).build().unwrap();
            // The workers are up, and so is our handler.
            runtime.spawn(|| ()).join().unwrap();
            // SAFETY: a handler of three arguments; a page of our own.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                let mut before: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = mend_or_pass_on as extern "C" fn(_, _, _) as usize;
                action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
                assert_eq!(libc::sigaction(libc::SIGSEGV, &action, &mut before), 0);
                BEFORE.store(before.sa_sigaction, Ordering::Relaxed);
                let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
                let page = libc::mmap(std::ptr::null_mut(), 4096, libc::PROT_NONE, flags, -1, 0);
                PAGE.store(page.expose_provenance(), Ordering::Relaxed);
            }
            let touch = || {
                let page =
                    std::ptr::with_exposed_provenance_mut::<u8>(PAGE.load(Ordering::Relaxed));
                // SAFETY: accessible once the handler was there.
                unsafe { page.write_volatile(3) };
            };
            runtime.spawn(touch).join().unwrap();
            assert_eq!(MENDED.load(Ordering::Relaxed), 1);
            let deep = Builder::new().name("deep");
            let deep = deep.spawn_on(&runtime.handle(), || descend(0)).unwrap();
            println!("{:?}", deep.join());
        };
        child::run(&name, &[], body, |ended| {
            reported(&ended, "deep", 256 << 10)
        });
    }
}

/// An access to the guard of another greenlet's stack is no overflow of one's own.
#[test]
fn anothers_guard_is_no_overflow() {
    let body = || {
        no_core_file();
        let runtime = Runtime::builder()
            .workers(1)
            .homes(Homes::Fixed)
            .build()
            .unwrap();
        let here = |size: usize| {
            let local = 0u8;
            std::ptr::from_ref(&local).addr() / size * size
        };
        let places: Vec<_> = (0..2)
            .map(|_| {
                let (tell, place) = std::sync::mpsc::channel();
                let parked = runtime.spawn(move || {
                    tell.send(here(page_size())).unwrap();
                    sward::park();
                });
                (place.recv().unwrap(), parked)
            })
            .collect();
        // The page of the first frame is the highest; the guard below the second lies above the first's.
        let page = page_size();
        let low = places[0].0.min(places[1].0);
        let stray = move || {
            let guard = std::ptr::with_exposed_provenance_mut::<u8>(low + page);
            // SAFETY: none; the fault is what is wanted.
            unsafe { guard.write_volatile(1) };
        };
        runtime.spawn(stray).join().unwrap();
        println!("went on");
    };
    child::run("anothers_guard_is_no_overflow", &[], body, |ended| {
        died_by(&ended, libc::SIGSEGV);
        // An emulator may have something to say.
        let ours = ended.errors_with("sward: ");
        assert_eq!((&*ended.stdout, ours), ("", 0), "{ended}");
    });
}
