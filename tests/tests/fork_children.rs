//! A raw `fork` in greenlets and on plain threads: what the child is told, and what works there.
//!
//! Each test is a process of its own, whose other threads wait while it forks.

use std::io::{Read, Write};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use sward::net::{TcpListener, TcpStream};
use sward::{Builder, Handle, HeldUp, JoinHandle, Runtime};
use sward_tests::fork::{Forked, fork, in_fork, in_quiet_fork, quiet_fork};
use sward_tests::{
    Config, Rng, Storm, Suspension, child, each_config, settle, storm, until, within_attempts,
};

mod net_support;
use net_support::{AGES, pair};

/// In every message to a child.
const MESSAGE: &str = "forked from one that had a running sward runtime";
const MOMENT: Duration = Duration::from_millis(1);

/// What there is before the fork.
struct Things {
    /// Another than the one that forks, if that is a greenlet.
    runtime: Runtime,
    parked: JoinHandle<()>,
    ended: JoinHandle<i32>,
    /// Registered, and nothing comes.
    silent: TcpStream,
    /// Its other end, not registered.
    peer: TcpStream,
    listener: TcpListener,
}

impl Things {
    fn new(config: Config) -> Things {
        let runtime = config.build();
        let parked = runtime.spawn(sward::park);
        let ended = runtime.spawn(|| 7);
        until(|| ended.is_finished() && runtime.handle().metrics().suspended == 1);
        let (mut silent, mut peer) = pair();
        let silent = runtime.block_on(move || {
            // Finds nothing, and so is registered here.
            silent.set_read_timeout(Some(MOMENT)).unwrap();
            silent.read(&mut [0]).unwrap_err();
            silent.set_read_timeout(None).unwrap();
            silent
        });
        peer.write_all(b"").unwrap();
        Things {
            runtime,
            parked,
            ended,
            silent,
            peer,
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
        }
    }

    fn end(self) {
        self.parked.greenlet().unpark();
        self.parked.join().unwrap();
        assert_eq!(self.ended.join().unwrap(), 7);
        drop((self.silent, self.peer));
        settle(&self.runtime.handle());
        self.runtime.shutdown(AGES).unwrap();
    }
}

type Use = (&'static str, fn(Things));

/// What uses a runtime, whoever does it.
const USES: &[Use] = &[
    ("spawn on it", |it| drop(it.runtime.spawn(|| ()))),
    ("spawn by a handle", |it| {
        drop(it.runtime.handle().spawn(|| ()))
    }),
    ("block_on", |it| it.runtime.block_on(|| ())),
    ("join", |it| it.parked.join().unwrap()),
    ("join_timeout", |it| drop(it.parked.join_timeout(MOMENT))),
    ("read", |mut it| drop(it.silent.read(&mut [0]))),
    ("read with a timeout", |mut it| {
        it.silent.set_read_timeout(Some(MOMENT)).unwrap();
        drop(it.silent.read(&mut [0]));
    }),
    ("shutdown", |it| {
        it.runtime.shutdown(Duration::ZERO).unwrap()
    }),
    ("stack_usage", |it| drop(it.runtime.handle().stack_usage())),
    ("metrics", |it| {
        let _ = it.runtime.handle().metrics();
    }),
];

/// What needs one only where a greenlet does it.
const USES_OF_GREENLETS: &[Use] = &[
    ("spawn", |_| drop(sward::spawn(|| ()))),
    ("go", |_| drop(sward::go!({}))),
    ("spawn_local", |_| drop(sward::spawn_local(|| ()))),
    ("park", |_| sward::park()),
    ("park_timeout", |_| sward::park_timeout(MOMENT)),
    ("yield_now", |_| sward::yield_now()),
    ("sleep", |_| sward::sleep(MOMENT)),
    ("sleep not at all", |_| sward::sleep(Duration::ZERO)),
    ("sleep_until", |_| {
        sward::sleep_until(Instant::now() + MOMENT)
    }),
    ("current", |_| drop(sward::current())),
    ("the current handle", |_| drop(Handle::current())),
    ("read a source of no runtime", |mut it| {
        drop(it.peer.read(&mut [0]))
    }),
    ("accept", |it| drop(it.listener.accept())),
    ("join one of a new runtime", |_| {
        let runtime = Runtime::builder().workers(1).build().unwrap();
        runtime.spawn(sward::park).join().unwrap();
    }),
];

fn check_use((name, usage): Use, things: &mut Option<Things>) {
    let forked = in_quiet_fork(|| {
        usage(things.take().expect("the child has a copy"));
        "no panic".to_owned()
    });
    assert_eq!(forked.status, 1, "{name}: {forked:?}");
    assert!(forked.text.contains(MESSAGE), "{name}: {forked:?}");
    assert!(forked.text.contains("sward: "), "{name}: {forked:?}");
}

#[test]
fn uses_panic_in_the_child_of_a_thread() {
    let body = || {
        each_config(|config| {
            let mut things = Some(Things::new(config));
            for &usage in USES {
                check_use(usage, &mut things);
            }
            things.unwrap().end();
        });
    };
    child::run("uses_panic_in_the_child_of_a_thread", &[], body, |ended| {
        ended.succeeded()
    });
}

#[test]
fn uses_panic_in_the_child_of_a_greenlet() {
    let body = || {
        each_config(|config| {
            config.run(|runtime| {
                let things = Things::new(config);
                let things = runtime.block_on(move || {
                    let mut things = Some(things);
                    for &usage in USES.iter().chain(USES_OF_GREENLETS) {
                        check_use(usage, &mut things);
                        // Nothing has happened to the parent.
                        sward::yield_now();
                    }
                    things.unwrap()
                });
                things.end();
            });
        });
    };
    child::run(
        "uses_panic_in_the_child_of_a_greenlet",
        &[],
        body,
        |ended| ended.succeeded(),
    );
}

/// What needs nobody else, or says no by an error.
fn untouched(things: Things) -> String {
    things.parked.greenlet().unpark();
    assert!(!things.parked.is_finished());
    assert!(things.ended.is_finished());
    assert_eq!(things.ended.join().unwrap(), 7);
    let error = Builder::new()
        .spawn_on(&things.runtime.handle(), || ())
        .unwrap_err();
    assert!(error.to_string().contains(MESSAGE), "{error}");
    assert!(sward::try_current().is_none());
    assert!(Handle::try_current().is_none());
    assert!(Builder::new().spawn_local(|| ()).is_err());
    assert!(!things.parked.greenlet().name().is_some_and(str::is_empty));
    drop(things.parked);
    // More operations than a greenlet may do without a turn.
    let (mut silent, mut peer) = (things.silent, things.peer);
    for _ in 0..1000 {
        peer.write_all(b"x").unwrap();
    }
    // It was found empty before the fork; it is not now.
    let mut buffer = [0; 1000];
    silent.read_exact(&mut buffer).unwrap();
    assert_eq!(buffer, [b'x'; 1000]);
    drop((silent, peer, things.listener));
    let output = Command::new("echo").arg("from a child").output().unwrap();
    assert_eq!(output.stdout, b"from a child\n");
    let status = Command::new("sh").args(["-c", "exit 3"]).status().unwrap();
    assert_eq!(status.code(), Some(3));
    let numbers = thread::spawn(|| (1..=4).product::<i32>());
    assert_eq!(numbers.join().unwrap(), 24);
    // Its threads are not waited for.
    drop(things.runtime);
    "all well".to_owned()
}

fn fine(text: &str) -> Forked {
    Forked {
        status: 0,
        text: text.to_owned(),
    }
}

#[test]
fn what_touches_no_runtime_works() {
    let body = || {
        each_config(|config| {
            config.run(|runtime| {
                let things = Things::new(config);
                let things = runtime.block_on(move || {
                    let mut things = Some(things);
                    let forked = in_quiet_fork(|| untouched(things.take().unwrap()));
                    assert_eq!(forked, fine("all well"));
                    things
                });
                let mut things = things;
                let forked = in_quiet_fork(|| {
                    sward::sleep(MOMENT);
                    sward::yield_now();
                    sward::park_timeout(MOMENT);
                    untouched(things.take().unwrap())
                });
                assert_eq!(forked, fine("all well"));
                things.unwrap().end();
            });
        });
    };
    child::run("what_touches_no_runtime_works", &[], body, |ended| {
        ended.succeeded()
    });
}

/// Whatever a runtime can do, in a forked process.
fn use_all(config: Config) {
    for _ in 0..2 {
        config.run(|runtime| {
            let handles: Vec<_> = (0..300_u64)
                .map(|number| {
                    runtime.spawn(move || {
                        let mut rng = Rng::new(number);
                        Suspension::any(&mut rng).suspend();
                        let local = sward::spawn_local(move || number);
                        local.join().unwrap()
                    })
                })
                .collect();
            let sum: u64 = handles.into_iter().map(|it| it.join().unwrap()).sum();
            assert_eq!(sum, 299 * 300 / 2);
            runtime.block_on(|| {
                let (mut near, mut far) = pair();
                let echo = sward::spawn(move || {
                    let mut buffer = [0; 5];
                    far.read_exact(&mut buffer).unwrap();
                    far.write_all(&buffer).unwrap();
                });
                sward::sleep(MOMENT);
                near.write_all(b"hello").unwrap();
                let mut buffer = [0; 5];
                near.read_exact(&mut buffer).unwrap();
                assert_eq!(&buffer, b"hello");
                echo.join().unwrap();
            });
            assert!(runtime.spawn(|| panic!("as meant")).join().is_err());
        });
    }
}

#[test]
fn a_new_runtime_on_a_plain_thread_works() {
    let body = || {
        each_config(|config| {
            config.run(|runtime| {
                // Many homes and stacks, which libc takes for free ones in the child.
                let parked: Vec<_> = (0..40).map(|_| runtime.spawn(sward::park)).collect();
                until(|| runtime.handle().metrics().suspended == 40);
                let all = move || {
                    use_all(config);
                    "all well".to_owned()
                };
                assert_eq!(in_quiet_fork(all), fine("all well"));
                let forked = runtime.block_on(move || {
                    in_quiet_fork(|| {
                        let joined = thread::spawn(all).join().unwrap();
                        // What was a greenlet is still what it was.
                        assert!(sward::try_current().is_none());
                        joined
                    })
                });
                assert_eq!(forked, fine("all well"));
                for handle in parked {
                    handle.greenlet().unpark();
                    handle.join().unwrap();
                }
            });
        });
    };
    child::run(
        "a_new_runtime_on_a_plain_thread_works",
        &[],
        body,
        |ended| ended.succeeded(),
    );
}

/// Forked processes that fork: each can have a runtime.
#[test]
fn grandchildren() {
    fn generation(config: Config, left: u32) -> String {
        let runtime = config.build();
        assert_eq!(runtime.block_on(|| sward::spawn(|| 7).join().unwrap()), 7);
        if left != 0 {
            let forked = in_quiet_fork(|| generation(config, left - 1));
            assert_eq!(forked, fine("the last"));
            let handle = runtime.handle();
            let forked = in_quiet_fork(|| {
                drop(handle.spawn(|| ()));
                String::new()
            });
            assert!(forked.text.contains(MESSAGE), "{forked:?}");
        }
        runtime.shutdown(AGES).unwrap();
        "the last".to_owned()
    }
    let body = || each_config(|config| assert_eq!(generation(config, 3), "the last"));
    child::run("grandchildren", &[], body, |ended| ended.succeeded());
}

#[test]
fn the_default_runtime_starts_anew_if_it_had_not_been_started() {
    let body = || {
        // There is a runtime, but it is not that.
        let other = Runtime::builder().workers(1).build().unwrap();
        let spawned = || sward::spawn(|| "spawned".to_owned()).join().unwrap();
        assert_eq!(in_quiet_fork(spawned), fine("spawned"));
        let of_greenlet = other.block_on(move || {
            // Not by what was a greenlet, whose runtime that would not be.
            let forked = in_quiet_fork(spawned);
            assert!(forked.text.contains(MESSAGE), "{forked:?}");
            in_quiet_fork(|| thread::spawn(spawned).join().unwrap())
        });
        assert_eq!(of_greenlet, fine("spawned"));
        // Started in the child only.
        assert_eq!(in_quiet_fork(spawned), fine("spawned"));
        assert_eq!(spawned(), "spawned");
        let uses: [fn() -> String; 4] = [
            || sward::spawn(String::new).join().unwrap(),
            || format!("{:?}", Handle::current()),
            || sward::go!(String::new()).join().unwrap(),
            || format!("{:?}", pair().0.read(&mut [0])),
        ];
        for usage in uses {
            let forked = in_quiet_fork(usage);
            assert_eq!(forked.status, 1, "{forked:?}");
            assert!(forked.text.contains(MESSAGE), "{forked:?}");
        }
        let failed = in_quiet_fork(|| Builder::new().spawn(|| ()).unwrap_err().to_string());
        assert_eq!(failed.status, 0);
        assert!(failed.text.contains(MESSAGE), "{failed:?}");
        assert_eq!(spawned(), "spawned");
    };
    let name = "the_default_runtime_starts_anew_if_it_had_not_been_started";
    child::run(name, &[("SWARD_WORKERS", "2")], body, |ended| {
        ended.succeeded()
    });
}

/// The end of what was a greenlet is the end of its process.
#[test]
fn the_childs_closure_ends() {
    struct Loud(Option<std::fs::File>);
    impl Drop for Loud {
        fn drop(&mut self) {
            if let Some(mut write) = self.0.take() {
                write.write_all(b"dropped").unwrap();
            }
        }
    }
    let body = || {
        each_config(|config| {
            config.run(|runtime| {
                let returned = runtime.spawn(|| match quiet_fork() {
                    Ok(forked) => Some(forked),
                    Err(write) => {
                        drop(Loud(Some(write)));
                        None
                    }
                });
                assert_eq!(returned.join().unwrap(), Some(fine("dropped")));
                let panicked = runtime.spawn(|| match quiet_fork() {
                    Ok(forked) => forked,
                    Err(write) => {
                        // Dropped on the way out.
                        let _loud = Loud(Some(write));
                        sward::yield_now();
                        unreachable!("it panics");
                    }
                });
                let expected = Forked {
                    status: 101,
                    text: "dropped".to_owned(),
                };
                assert_eq!(panicked.join().unwrap(), expected);
                // Its value is dropped, if nobody can have it.
                let (sender, receiver) = mpsc::channel();
                let (detach, detached) = mpsc::channel();
                drop(runtime.spawn(move || {
                    detached.recv().unwrap();
                    match quiet_fork() {
                        Ok(forked) => {
                            sender.send(forked).unwrap();
                            Loud(None)
                        }
                        Err(write) => Loud(Some(write)),
                    }
                }));
                detach.send(()).unwrap();
                assert_eq!(receiver.recv().unwrap(), fine("dropped"));
            });
        });
    };
    child::run("the_childs_closure_ends", &[], body, |ended| {
        ended.succeeded();
        assert!(ended.errors_with(MESSAGE) > 0, "{ended}");
    });
}

/// The child of a program's own greenlet ends with what its body reports.
#[test]
fn the_childs_main_returns() {
    mod program {
        use super::*;

        #[sward::main(workers = 2)]
        pub(super) fn main() -> ExitCode {
            match fork() {
                Ok(forked) => {
                    assert_eq!(forked.status, 7, "{forked:?}");
                    sward::yield_now();
                    ExitCode::SUCCESS
                }
                Err(_) => ExitCode::from(7),
            }
        }
    }
    let body = || assert_eq!(program::main(), ExitCode::SUCCESS);
    child::run("the_childs_main_returns", &[], body, |ended| {
        ended.succeeded()
    });
}

/// The child has the same poller as the parent, and must not take out of it what it drops.
#[test]
fn the_parents_sockets_stay_registered() {
    let body = || {
        each_config(|config| {
            config.run(|runtime| {
                for by_greenlet in [false, true] {
                    let (mut near, mut far) = pair();
                    let (sender, receiver) = mpsc::channel();
                    let waiting = runtime.spawn(move || {
                        far.set_read_timeout(Some(MOMENT)).unwrap();
                        far.read(&mut [0]).unwrap_err();
                        far.set_read_timeout(Some(AGES)).unwrap();
                        // Another one in the same table, for the child to drop.
                        sender.send(far).unwrap();
                    });
                    waiting.join().unwrap();
                    let mut far = Some(receiver.recv().unwrap());
                    let far = runtime.block_on(move || {
                        if by_greenlet {
                            assert_eq!(in_quiet_fork(|| drop_one(&mut far)), fine("dropped"));
                        }
                        far
                    });
                    let mut far = far;
                    if !by_greenlet {
                        assert_eq!(in_quiet_fork(|| drop_one(&mut far)), fine("dropped"));
                    }
                    let reader = runtime.spawn(move || {
                        let mut byte = [0];
                        far.unwrap().read_exact(&mut byte).unwrap();
                        byte
                    });
                    until(|| runtime.handle().metrics().suspended == 1);
                    near.write_all(b"!").unwrap();
                    assert_eq!(reader.join().unwrap(), *b"!");
                }
            });
        });
    };
    fn drop_one(stream: &mut Option<TcpStream>) -> String {
        drop(stream.take());
        "dropped".to_owned()
    }
    child::run("the_parents_sockets_stay_registered", &[], body, |ended| {
        ended.succeeded()
    });
}

/// The hook on who holds up a worker runs on a runtime's own thread, and forks there.
#[test]
fn in_a_hook() {
    let body = || {
        each_config(|config| {
            let (sender, receiver) = mpsc::channel();
            let sender = Mutex::new(Some(sender));
            let hook = move |_: &HeldUp| {
                let Some(sender) = sender.lock().unwrap().take() else {
                    return;
                };
                match fork() {
                    Ok(forked) => sender.send(forked).unwrap(),
                    Err(mut write) => {
                        // Another thread may have the channel's lock.
                        std::mem::forget(sender);
                        write.write_all(b"told").unwrap();
                    }
                }
            };
            let runtime = config.builder().on_held_up(hook).build().unwrap();
            let (end, ended) = mpsc::channel::<()>();
            let blocks = runtime.spawn(move || _ = ended.recv());
            assert_eq!(receiver.recv().unwrap(), fine("told"));
            drop(end);
            blocks.join().unwrap();
        });
    };
    child::run("in_a_hook", &[], body, |ended| ended.succeeded());
}

/// A destructor that runs on a runtime's own thread, and forks there: the child does not go on as that thread.
#[test]
fn in_the_destructor_of_what_never_ran() {
    struct Forks(Option<mpsc::Sender<Forked>>);
    impl Drop for Forks {
        fn drop(&mut self) {
            let sender = self.0.take().unwrap();
            match fork() {
                Ok(forked) => sender.send(forked).unwrap(),
                Err(mut write) => {
                    // Another thread may have the channel's lock.
                    std::mem::forget(sender);
                    write.write_all(b"dropped").unwrap();
                }
            }
        }
    }
    let body = || {
        each_config(|config| {
            if config.parallel() < config.workers {
                // Not every worker can be made busy.
                return;
            }
            within_attempts(100, || {
                let builder = config.builder().max_workers(config.workers);
                let runtime = builder.build().unwrap();
                let handle = runtime.handle();
                let (free, started) = (
                    Arc::new(AtomicBool::new(false)),
                    Arc::new(AtomicUsize::new(0)),
                );
                for _ in 0..config.workers {
                    let (free, started) = (free.clone(), started.clone());
                    drop(runtime.spawn(move || {
                        started.fetch_add(1, SeqCst);
                        while !free.load(SeqCst) {
                            thread::yield_now();
                        }
                    }));
                }
                until(|| started.load(SeqCst) == config.workers);
                let (sender, receiver) = mpsc::channel();
                let forks = Forks(Some(sender));
                let unrun = runtime.spawn(move || drop(forks));
                let ending = thread::spawn(move || runtime.shutdown(Duration::ZERO));
                until(|| Builder::new().spawn_on(&handle, || ()).is_err());
                thread::sleep(MOMENT);
                free.store(true, SeqCst);
                let _ = ending.join().unwrap();
                assert_eq!(receiver.recv().unwrap(), fine("dropped"));
                match unrun.join() {
                    Ok(()) => Err("it has run".to_owned()),
                    Err(_) => Ok(()),
                }
            });
        });
    };
    child::run("in_the_destructor_of_what_never_ran", &[], body, |ended| {
        ended.succeeded()
    });
}

/// Forks among greenlets that run, migrate, allocate and use sockets: whatever lock somebody else has at that moment, the child
/// gets on. It writes nothing to the standard error, whose lock is std's.
#[test]
fn storms_of_processes() {
    let body = || {
        each_config(|config| {
            config.run(|runtime| {
                let forks = Arc::new(AtomicUsize::new(0));
                let theirs = forks.clone();
                let few = Storm {
                    greenlets: 12,
                    rounds: 6,
                    migrations: 50,
                };
                storm(config, runtime, few, move |rng, round| {
                    let parked = sward::spawn(sward::park);
                    let (mut near, mut far) = pair();
                    let echo = sward::spawn(move || {
                        let mut byte = [0];
                        far.read_exact(&mut byte).unwrap();
                        far.write_all(&byte).unwrap();
                    });
                    Suspension::any(rng).suspend();
                    if round % 4 == 0 {
                        theirs.fetch_add(1, SeqCst);
                        let ended: Vec<_> = (0..300).map(|_| sward::spawn(|| ())).collect();
                        until(|| ended.iter().all(JoinHandle::is_finished));
                        let mut things = Some((near, parked, echo, ended));
                        let forked = in_fork(|| {
                            let (near, parked, echo, ended) = things.take().unwrap();
                            parked.greenlet().unpark();
                            // Gives their memory back, to a depot whose locks somebody may have.
                            drop((near, parked, echo, ended));
                            let refused = Builder::new().spawn(|| ()).unwrap_err();
                            assert!(refused.to_string().contains(MESSAGE));
                            assert!(Command::new("true").status().unwrap().success());
                            "all well".to_owned()
                        });
                        assert_eq!(forked, fine("all well"));
                        let (mut near, parked, echo, _) = things.unwrap();
                        near.write_all(b"!").unwrap();
                        near.read_exact(&mut [0]).unwrap();
                        parked.greenlet().unpark();
                        parked.join().unwrap();
                        echo.join().unwrap();
                        return;
                    }
                    near.write_all(b"!").unwrap();
                    near.read_exact(&mut [0]).unwrap();
                    parked.greenlet().unpark();
                    parked.join().unwrap();
                    echo.join().unwrap();
                });
                assert!(forks.load(SeqCst) >= 24);
            });
        });
    };
    child::run("storms_of_processes", &[], body, |ended| ended.succeeded());
}
