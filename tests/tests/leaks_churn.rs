//! Runtimes that come and go: nothing stays. What a process has is counted here, by the kernel's and by sward's own numbers; what
//! is allocated, by a leak checker that runs this program (`ci/leaks.sh`).
//!
//! A process of its own for each kind of home, so that other tests do not disturb the counts. A greenlet that is given up keeps
//! its frames for ever, which is a leak by intention: none is, here.

use std::cell::Cell;
use std::io::{Read, Write};
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use sward::net::{TcpListener, TcpStream};
use sward::{Builder, Runtime};
use sward_tests::{Config, Counted, Drops, Kind, Watchdog, child, process, settle, until};

const LONG: Duration = Duration::from_secs(100);

/// How many runtimes. The first few may warm up what stays for the process: caches of libc, of the allocator, of sward.
const RUNTIMES: usize = 120;
const WARM: usize = 20;
/// Fewer under a checker that makes everything slow: `SWARD_TEST_RUNTIMES=40`.
const RUNTIMES_VARIABLE: &str = "SWARD_TEST_RUNTIMES";

/// Has one greenlet of each runtime lose its memory, so that it can be seen whether the checker would tell.
const PLANTED_VARIABLE: &str = "SWARD_TEST_PLANTED_LEAK";

fn runtimes() -> usize {
    let number = std::env::var(RUNTIMES_VARIABLE);
    let number = number.map(|number| number.parse().expect("a number of runtimes"));
    number.unwrap_or(RUNTIMES).max(WARM + 1)
}

thread_local! {
    /// What each home has, and drops at its end.
    static LOCAL: Cell<Option<Counted>> = const { Cell::new(None) };
}

/// What a runtime can do, each of it with something that has to be dropped.
fn work(runtime: &Runtime, drops: &Drops, made: &Arc<AtomicUsize>) {
    let held = || {
        made.fetch_add(1, SeqCst);
        drops.value()
    };
    let mut handles = Vec::new();
    for number in 0..24 {
        let (value, local) = (held(), held());
        handles.push(runtime.spawn(move || {
            LOCAL.set(Some(local));
            match number % 6 {
                0 => sward::yield_now(),
                1 => sward::sleep(Duration::from_micros(200)),
                2 => {
                    let shared = Rc::new(Cell::new(0));
                    let theirs = shared.clone();
                    let child = sward::spawn_local(move || theirs.set(7));
                    child.join().unwrap();
                    assert_eq!(shared.get(), 7);
                }
                3 => {
                    let grandchild = sward::spawn(sward::yield_now);
                    grandchild.join().unwrap();
                }
                4 => {
                    sward::park_timeout(Duration::from_micros(100));
                }
                // Dropped on the way out.
                _ => resume_unwind(Box::new(vec![7; 100])),
            }
            value
        }));
    }
    for (number, handle) in handles.into_iter().enumerate() {
        match number % 4 {
            // Detached: it may still run when the runtime ends. Those that spawn could not then.
            0 if !matches!(number % 6, 2 | 3) => drop(handle),
            _ => match handle.join() {
                Ok(value) => drop(value),
                Err(error) => assert!(error.is_panic(), "{error}"),
            },
        }
    }
    if std::env::var_os(PLANTED_VARIABLE).is_some() {
        runtime.block_on(|| {
            let lost = std::hint::black_box(Box::new([7_u8; 1000]));
            sward::yield_now();
            std::mem::forget(lost);
        });
    }
    talk(runtime);
    // Never run, perhaps, when the runtime ends; then the closure is dropped.
    for _ in 0..4 {
        let value = held();
        drop(
            Builder::new()
                .stack_size(64 << 10)
                .spawn_on(&runtime.handle(), || drop(value)),
        );
    }
}

/// Connections, one of which is dropped by another thread, and one while it is registered with a timeout under way.
fn talk(runtime: &Runtime) {
    let stream = runtime.block_on(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = sward::spawn(move || {
            for stream in listener.incoming().take(3) {
                let mut stream = stream.unwrap();
                drop(sward::spawn(move || {
                    let mut buffer = [0; 64];
                    while let Ok(count @ 1..) = stream.read(&mut buffer) {
                        if stream.write_all(&buffer[..count]).is_err() {
                            break;
                        }
                    }
                }));
            }
        });
        let mut streams: Vec<_> = (0..3)
            .map(|number| {
                let mut stream = TcpStream::connect(address).unwrap();
                let sent = [number; 16];
                stream.write_all(&sent).unwrap();
                let mut answer = [0; 16];
                stream.read_exact(&mut answer).unwrap();
                assert_eq!(answer, sent);
                stream
            })
            .collect();
        server.join().unwrap();
        let mut last = streams.pop().unwrap();
        last.set_read_timeout(Some(Duration::from_micros(200)))
            .unwrap();
        last.read(&mut [0]).unwrap_err();
        streams.pop().unwrap()
    });
    std::thread::spawn(move || drop(stream)).join().unwrap();
}

/// What the process has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Held {
    threads: usize,
    descriptors: usize,
    mappings: usize,
    address_space: u64,
}

impl Held {
    fn now() -> Held {
        let (mappings, address_space) = process::mappings();
        Held {
            threads: process::threads(),
            descriptors: process::descriptors(),
            mappings,
            address_space,
        }
    }
}

fn churn(config: Config) {
    let (drops, made) = (Drops::new(), Arc::new(AtomicUsize::new(0)));
    let (before, mut warm) = (Held::now(), None);
    let runtimes = runtimes();
    for number in 0..runtimes {
        let runtime = config.build();
        work(&runtime, &drops, &made);
        let handle = runtime.handle();
        match number % 3 {
            // All is back to zero while it lives, and after.
            0 => settle(&handle),
            // It waits for those that are detached.
            1 => {}
            // It does not, but nobody is suspended who could be given up.
            _ => until(|| handle.metrics().suspended == 0 && handle.metrics().greenlets == 0),
        }
        if number % 3 == 2 {
            drop(runtime);
        } else {
            runtime.shutdown(LONG).unwrap();
        }
        let metrics = handle.metrics();
        let left = [
            metrics.greenlets,
            metrics.suspended,
            metrics.stacks,
            metrics.sources,
            metrics.timers,
        ];
        assert_eq!(left, [0; 5], "runtime {number}: {metrics:?}");
        // The threads of moving homes have ended, and with them what they held.
        assert_eq!(drops.count(), made.load(SeqCst), "runtime {number}");
        drop(handle);
        if number + 1 == WARM {
            warm = Some(Held::now());
        }
    }
    let warm = warm.expect("there are more than that");
    // A thread that was joined may be on its way out of the kernel's list.
    until(|| match Held::now() {
        now if now.threads == before.threads && now.descriptors == before.descriptors => Ok(()),
        now => Err(format!("{before:?} before, {now:?} now")),
    });
    let now = Held::now();
    // libc keeps stacks of ended threads, up to 40 MiB of them.
    let most = warm.mappings + warm.mappings / 2 + 64;
    assert!(now.mappings <= most, "{warm:?}, {now:?}");
    let most = warm.address_space + (128 << 20);
    assert!(now.address_space <= most, "{warm:?}, {now:?}");
}

fn in_a_child(kind: Kind) {
    for workers in [1, 4] {
        let config = Config { workers, kind };
        if config.is_possible() {
            let body = || {
                let _watchdog = Watchdog::new(config);
                churn(config);
            };
            let test = format!("{kind:?}").to_lowercase();
            // Or libc reserves 64 MiB each for up to eight arenas a core, as its threads happen to meet.
            let environment = [("MALLOC_ARENA_MAX", "2")];
            child::run(&format!("{test}/{workers}"), &environment, body, |ended| {
                ended.succeeded();
                assert_eq!(ended.errors_with("sward: "), 0, "{ended}");
            });
        }
    }
}

#[test]
fn moving() {
    in_a_child(Kind::Moving);
}

#[test]
fn few() {
    in_a_child(Kind::Few);
}

#[test]
fn fixed() {
    in_a_child(Kind::Fixed);
}
