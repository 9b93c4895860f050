//! Each call to the system fails once, one after the other, or from some moment on: whoever asked is told, or it is tried again;
//! nothing is left behind, nobody waits for ever, and the process goes on.
#![cfg(sward_faults)]

mod faults_support;

use faults_support::{Alone, Failure, Fault, NAME, crowd, run, sweep};
use sward::__faults::{self as faults, Door, Errno};
use sward_tests::{Config, Kind, Watchdog, child, until};

/// How the guards of stacks are put up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Guards {
    Marks,
    Mappings,
}

const fn fault(door: Door, errno: Errno) -> Fault {
    Fault { door, errno }
}

/// Faults that nobody is to notice.
fn unnoticed(faults: &[Fault], lasting: bool, guards: Guards) {
    each(faults, lasting, guards, |_, failures| {
        assert!(failures.is_empty(), "{failures:?}");
    });
}

/// Faults that whoever asked is to be told.
fn told(faults: &[Fault], lasting: bool, guards: Guards) {
    each(faults, lasting, guards, |fault, failures| {
        let meant = |failure: &Failure| {
            let error = failure.os_error();
            error.raw_os_error() == Some(fault.errno.raw_os_error())
        };
        let texts = |failure: &Failure| {
            let text = failure.os_error().to_string();
            // Those of memory say what there was none for, and what can be done.
            text.contains("for another stack") || text.contains("homes cannot move here")
        };
        for failure in failures {
            assert!(
                meant(failure) || texts(failure) || failure.is_lost_peer(),
                "{failure:?}"
            );
        }
    });
}

fn each(faults: &[Fault], lasting: bool, guards: Guards, check: impl Fn(Fault, &[Failure])) {
    let alone = Alone::new();
    let protect = guards == Guards::Mappings;
    let mut met = vec![0; faults.len()];
    let configs = Config::all();
    for &config in &configs {
        for (&fault, met) in faults.iter().zip(&mut met) {
            let check = |failures: &[Failure]| check(fault, failures);
            *met += sweep(config, fault, protect, lasting, check);
        }
        let _watchdog = Watchdog::new(format!("{config}, without faults"));
        let failures = run(config, protect, 0);
        assert!(failures.is_empty(), "{failures:?}");
    }
    drop(alone);
    let moving = configs.iter().any(|config| config.kind != Kind::Fixed);
    for (fault, met) in faults.iter().zip(met) {
        // Where homes are fixed there is none to be prepared.
        let never = fault.door == Door::Rseq && !moving;
        assert!(met > 0 || never, "{fault:?} was never met");
    }
}

#[test]
fn what_a_signal_interrupts_is_done_again() {
    unnoticed(
        &[
            fault(Door::Protect, Errno::INTR),
            fault(Door::Protect, Errno::AGAIN),
            fault(Door::Ring, Errno::INTR),
            fault(Door::Wait, Errno::INTR),
            fault(Door::PreciseWait, Errno::INTR),
            fault(Door::Attempt, Errno::INTR),
            fault(Door::Attempt, Errno::AGAIN),
            fault(Door::Accept, Errno::INTR),
            fault(Door::Connect, Errno::INTR),
            fault(Door::Outcome, Errno::INTR),
            fault(Door::Receive, Errno::INTR),
            fault(Door::Send, Errno::INTR),
        ],
        false,
        Guards::Mappings,
    );
    unnoticed(
        &[
            fault(Door::Guard, Errno::INTR),
            fault(Door::Guard, Errno::AGAIN),
            fault(Door::Guards, Errno::INTR),
            fault(Door::Guards, Errno::AGAIN),
            fault(Door::Guards, Errno::NOMEM),
        ],
        false,
        Guards::Marks,
    );
}

#[test]
fn what_can_be_done_without_is_done_without() {
    let faults = [
        fault(Door::Unmap, Errno::NOMEM),
        fault(Door::Advise, Errno::INVAL),
        fault(Door::Unwatch, Errno::BADF),
        fault(Door::PreciseWait, Errno::NOSYS),
        fault(Door::PreciseWait, Errno::PERM),
    ];
    for lasting in [false, true] {
        unnoticed(&faults, lasting, Guards::Marks);
    }
}

/// The memory of stacks that nobody uses is given back after a while. It stays if it cannot be, and they are used as before.
#[test]
fn memory_that_is_not_taken_back() {
    let _alone = Alone::new();
    // More than what the workers keep at hand.
    const MANY: usize = 300;
    let _watchdog = Watchdog::new("memory that is not taken back");
    let config = Config {
        workers: 2,
        kind: Kind::Fixed,
    };
    let runtime = config.builder().name(NAME).build().unwrap();
    let mut failures = Vec::new();
    faults::fail(Door::Discard, 1, Errno::AGAIN, true);
    for round in 1..=2 {
        crowd(&runtime, MANY, &mut failures);
        until(|| faults::failed(Door::Discard) >= round);
    }
    crowd(&runtime, MANY, &mut failures);
    assert!(failures.is_empty(), "{failures:?}");
}

#[test]
fn no_memory_for_stacks() {
    for lasting in [false, true] {
        told(
            &[
                fault(Door::Map, Errno::NOMEM),
                fault(Door::Map, Errno::AGAIN),
                fault(Door::Map, Errno::PERM),
                fault(Door::Guard, Errno::NOMEM),
            ],
            lasting,
            Guards::Marks,
        );
        told(
            &[fault(Door::Protect, Errno::NOMEM)],
            lasting,
            Guards::Mappings,
        );
    }
}

/// A failure that is said to pass is not waited for for ever.
#[test]
fn what_is_said_to_pass_and_does_not() {
    let _alone = Alone::new();
    let cases = [
        (false, fault(Door::Guard, Errno::AGAIN)),
        (true, fault(Door::Protect, Errno::INTR)),
    ];
    for config in Config::all() {
        for (protect, Fault { door, errno }) in cases {
            let _watchdog = Watchdog::new(format!("{config}, {door:?}"));
            let builder = config.builder().name(NAME).mprotect_guards(protect);
            let runtime = builder.build().unwrap();
            faults::fail(door, 1, errno, true);
            let error = runtime.spawn(|| ()).join().unwrap_err();
            assert!(error.os_error().is_some(), "{error}");
            assert!(faults::failed(door) > 1);
            faults::clear();
            assert_eq!(runtime.spawn(|| 3).join().unwrap(), 3);
        }
    }
}

#[test]
fn no_threads() {
    for lasting in [false, true] {
        told(
            &[
                fault(Door::Thread, Errno::AGAIN),
                fault(Door::Rseq, Errno::INVAL),
            ],
            lasting,
            Guards::Marks,
        );
    }
}

#[test]
fn no_poller() {
    for lasting in [false, true] {
        told(
            &[
                fault(Door::Poller, Errno::MFILE),
                fault(Door::Bell, Errno::NFILE),
                fault(Door::Watch, Errno::NOMEM),
                fault(Door::Watch, Errno::NOSPC),
            ],
            lasting,
            Guards::Marks,
        );
    }
}

#[test]
fn no_sockets() {
    for lasting in [false, true] {
        told(
            &[
                fault(Door::Socket, Errno::MFILE),
                fault(Door::Options, Errno::NOPROTOOPT),
                fault(Door::Bind, Errno::ADDRINUSE),
                fault(Door::Listen, Errno::ADDRINUSE),
                fault(Door::Accept, Errno::MFILE),
                fault(Door::Accept, Errno::CONNABORTED),
                fault(Door::Connect, Errno::CONNREFUSED),
                fault(Door::Connect, Errno::AGAIN),
                fault(Door::Outcome, Errno::NOBUFS),
                fault(Door::Receive, Errno::NOMEM),
                fault(Door::Send, Errno::NOBUFS),
                fault(Door::Duplicate, Errno::MFILE),
            ],
            lasting,
            Guards::Marks,
        );
    }
}

/// What the kernel does not know is found out once in a process, and replaced for good.
#[test]
fn a_kernel_without_guards() {
    // Also here: a child's pipes are descriptors.
    let _alone = Alone::new();
    let cases = [
        ("one", fault(Door::Guard, Errno::INVAL)),
        ("several", fault(Door::Guards, Errno::NOSYS)),
        ("forbidden", fault(Door::Guards, Errno::PERM)),
        ("no process", fault(Door::Guards, Errno::BADF)),
    ];
    for (name, fault) in cases {
        let body = || {
            let config = Config {
                workers: 1,
                kind: Kind::Fixed,
            };
            let check = |failures: &[Failure]| assert!(failures.is_empty(), "{failures:?}");
            let met = sweep(config, fault, false, true, check);
            println!("met {met}");
        };
        let name = format!("a_kernel_without_guards/{name}");
        child::run(&name, &[], body, |ended| {
            ended.succeeded();
            // Not again.
            assert_eq!(ended.stdout, "met 1\n", "{ended}");
        });
    }
}

/// The one failure that a runtime does not outlive: nobody would ever hear of a socket again, so it says so and aborts.
#[test]
fn a_poller_that_somebody_has_closed() {
    // Also here: a child's pipes are descriptors.
    let _alone = Alone::new();
    for (name, door) in [("wait", Door::Wait), ("deadline", Door::PreciseWait)] {
        let body = || {
            faults::fail(door, 2, Errno::BADF, true);
            let config = Config {
                workers: 2,
                kind: Kind::Fixed,
            };
            run(config, false, 0);
        };
        let name = format!("a_poller_that_somebody_has_closed/{name}");
        child::run(&name, &[], body, |ended| {
            use std::os::unix::process::ExitStatusExt;
            assert_eq!(ended.status.signal(), Some(libc::SIGABRT), "{ended}");
            assert!(
                ended.errors_with("has the program closed it") >= 1,
                "{ended}"
            );
        });
    }
}

/// Memory for cells ends as memory for Rust's boxes does.
#[test]
fn no_memory_for_cells() {
    let _alone = Alone::new();
    let body = |calls| {
        // The first chunk is as small as the last resort.
        faults::fail(Door::Cells, 1, Errno::NOMEM, calls != 1);
        let config = Config {
            workers: 2,
            kind: Kind::Fixed,
        };
        let failures = run(config, false, 0);
        println!("{} failures", failures.len());
        assert_eq!(faults::failed(Door::Cells), 1);
    };
    child::run(
        "no_memory_for_cells/once",
        &[],
        || body(1),
        |ended| {
            ended.succeeded();
            assert_eq!(ended.stdout, "0 failures\n", "{ended}");
        },
    );
    child::run(
        "no_memory_for_cells/always",
        &[],
        || body(2),
        |ended| {
            assert!(!ended.status.success(), "{ended}");
            assert!(ended.errors_with("memory allocation of") >= 1, "{ended}");
        },
    );
}
