//! The default runtime reads its settings from the environment. Each in a process of its own.

use std::backtrace::Backtrace;
use std::hint::black_box;

use sward::{Builder, Handle, Runtime};
use sward_tests::child::{self, Ended};
use sward_tests::identity::can_move;

/// What a greenlet of the default runtime says of it.
fn show_workers() {
    println!(
        "{}",
        sward::spawn(|| Handle::current().metrics().workers)
            .join()
            .unwrap()
    );
}

fn printed(expected: &str) -> impl Fn(Ended) {
    move |ended: Ended| {
        ended.succeeded();
        assert_eq!(ended.stdout.trim(), expected, "{ended}");
    }
}

/// Starts the default runtime in every way, each of which must give the same error.
fn fail_to_start() {
    let error = Builder::new().spawn(|| ()).expect_err("it does not start");
    println!("{error}");
    let payload =
        std::panic::catch_unwind(|| drop(sward::spawn(|| ()))).expect_err("it does not start");
    let text = payload.downcast_ref::<String>().expect("a text");
    assert!(text.contains(&error.to_string()), "{text}");
}

fn explained(words: &[&str]) -> impl Fn(Ended) {
    move |ended: Ended| {
        ended.succeeded();
        for word in words {
            assert!(ended.stdout.contains(word), "no {word:?}: {ended}");
        }
    }
}

#[test]
fn workers() {
    child::run(
        "workers/3",
        &[("SWARD_WORKERS", "3")],
        show_workers,
        printed("3"),
    );
    child::run(
        "workers/1",
        &[("SWARD_WORKERS", "1")],
        show_workers,
        printed("1"),
    );
    let body = || {
        println!(
            "{}",
            sward::spawn(|| Handle::current().metrics().workers > 0)
                .join()
                .unwrap()
        )
    };
    child::run("workers/unset", &[], body, printed("true"));
    // As many as there are processors for the process, not for the machine.
    let on_one = || {
        // SAFETY: a set of processors, of which the first that is ours stays.
        unsafe {
            let mut ours: libc::cpu_set_t = std::mem::zeroed();
            let size = size_of::<libc::cpu_set_t>();
            assert_eq!(libc::sched_getaffinity(0, size, &mut ours), 0);
            let first = (0..libc::CPU_SETSIZE as usize).find(|&cpu| libc::CPU_ISSET(cpu, &ours));
            libc::CPU_ZERO(&mut ours);
            libc::CPU_SET(first.unwrap(), &mut ours);
            assert_eq!(libc::sched_setaffinity(0, size, &ours), 0);
        }
        show_workers();
    };
    child::run("workers/on-one-processor", &[], on_one, printed("1"));
    for wrong in ["0", "4097", "abc", "-1", "1.5", ""] {
        let environment = [("SWARD_WORKERS", wrong)];
        let words = ["SWARD_WORKERS", wrong, "1 to 4096"];
        child::run(
            &format!("workers/{wrong:?}"),
            &environment,
            fail_to_start,
            explained(&words),
        );
    }
}

/// A setting that is no text at all is wrong as well, not ignored.
#[test]
#[cfg(unix)]
fn not_even_text() {
    use std::os::unix::ffi::OsStrExt;
    let body = || {
        // SAFETY: the only other thread waits for this one.
        unsafe { std::env::set_var("SWARD_HOMES", std::ffi::OsStr::from_bytes(b"fixed\xff")) };
        fail_to_start();
    };
    child::run(
        "not_even_text",
        &[],
        body,
        explained(&["SWARD_HOMES", "fixed"]),
    );
}

/// Whether greenlets of the default runtime have homes other than its workers: they do where there may be more than workers.
fn show_homes() {
    let handles: Vec<_> = (0..10).map(|_| sward::spawn(sward::park)).collect();
    let (workers, homes) = sward::spawn(|| {
        sward_tests::until(|| Handle::current().metrics().suspended >= 10);
        let metrics = Handle::current().metrics();
        (metrics.workers, metrics.homes)
    })
    .join()
    .unwrap();
    println!("{}", if homes > workers { "moving" } else { "fixed" });
    for handle in handles {
        handle.greenlet().unpark();
        handle.join().unwrap();
    }
}

#[test]
fn homes() {
    let moving = if can_move() { "moving" } else { "fixed" };
    let workers = ("SWARD_WORKERS", "2");
    child::run(
        "homes/fixed",
        &[("SWARD_HOMES", "fixed"), workers],
        show_homes,
        printed("fixed"),
    );
    child::run("homes/unset", &[workers], show_homes, printed(moving));
    if can_move() {
        child::run(
            "homes/moving",
            &[("SWARD_HOMES", "moving"), workers],
            show_homes,
            printed("moving"),
        );
    }
    for wrong in ["bogus", "", "Fixed", "moving "] {
        let words = ["SWARD_HOMES", wrong, "moving", "fixed"];
        let name = format!("homes/{wrong:?}");
        child::run(
            &name,
            &[("SWARD_HOMES", wrong)],
            fail_to_start,
            explained(&words),
        );
    }
}

/// Uses so much of the stack below the address `from`.
#[inline(never)]
fn use_stack(from: usize, bytes: usize) -> usize {
    let frame = std::hint::black_box([1u8; 4096]);
    let used = from - std::ptr::from_ref(&frame).addr();
    if used >= bytes {
        return usize::from(frame[0]);
    }
    use_stack(from, bytes) + usize::from(frame[used % frame.len()])
}

#[test]
fn stack_sizes() {
    let large = || {
        let body = || {
            let here = 0u8;
            use_stack(std::ptr::from_ref(&here).addr(), 7 << 20)
        };
        sward::spawn(body).join().unwrap();
        println!("deep");
    };
    let size = (8 << 20).to_string();
    child::run(
        "stack_sizes/large",
        &[("SWARD_STACK_SIZE", &size)],
        large,
        printed("deep"),
    );
    let small = || println!("{}", sward::spawn(|| 4).join().unwrap());
    // Down to nothing, which is rounded up as in code.
    for size in ["65536", "0"] {
        child::run(
            &format!("stack_sizes/{size}"),
            &[("SWARD_STACK_SIZE", size)],
            small,
            printed("4"),
        );
    }
    for wrong in [
        "abc",
        "-5",
        "",
        "64K",
        "1073741825",
        "99999999999999",
        "99999999999999999999999",
    ] {
        let environment = [("SWARD_STACK_SIZE", wrong)];
        let words = ["SWARD_STACK_SIZE", wrong, "0 to 1073741824"];
        child::run(
            &format!("stack_sizes/{wrong:?}"),
            &environment,
            fail_to_start,
            explained(&words),
        );
    }
}

#[test]
fn contexts() {
    for name in CONTEXTS {
        let environment = [("SWARD_CONTEXT", *name)];
        child::run(
            &format!("contexts/{name}"),
            &environment,
            switch_and_trace,
            |ended| {
                printed("4")(ended);
            },
        );
        child::run(
            &format!("contexts/panic/{name}"),
            &[environment[0], ("RUST_BACKTRACE", "1")],
            || assert!(sward::spawn(traced_panic).join().is_err()),
            |ended| {
                ended.succeeded();
                assert!(ended.errors_with("traced_panic") > 0, "{ended}");
            },
        );
    }
    child::run("contexts/unset", &[], switch_and_trace, printed("4"));
    for wrong in ["bogus", "", "Boost"] {
        let environment = [("SWARD_CONTEXT", wrong)];
        let wrong = format!("{wrong:?}");
        let words = [&["SWARD_CONTEXT", &*wrong], CONTEXTS].concat();
        child::run(
            &format!("contexts/{wrong}"),
            &environment,
            fail_to_start,
            explained(&words),
        );
        child::run(
            &format!("contexts/built/{wrong}"),
            &environment,
            fail_to_build,
            explained(&words),
        );
    }
}

/// The first runtime decides, and the later ones go along.
#[test]
fn contexts_are_not_mixed() {
    let body = || {
        let first = Runtime::builder().workers(1).build().unwrap();
        let last = CONTEXTS.last().unwrap();
        // SAFETY: the only other threads are the runtime's, which wait.
        unsafe { std::env::set_var("SWARD_CONTEXT", last) };
        let second = Runtime::builder().workers(1).build().unwrap();
        first.block_on(move || {
            sward::yield_now();
            second.block_on(switch_and_trace);
        });
        switch_and_trace();
    };
    child::run(
        "contexts_are_not_mixed",
        &[("SWARD_CONTEXT", CONTEXTS[0])],
        body,
        printed("4\n4"),
    );
}

/// The ways of switching stacks that `SWARD_CONTEXT` knows here, the default first.
const CONTEXTS: &[&str] = if cfg!(all(
    unix,
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
)) {
    &["asm", "boost"]
} else {
    &["boost"]
};

/// Uses the switch, looks at the stack, and prints 4.
fn switch_and_trace() {
    let outer = sward::spawn(|| {
        let inner = sward::spawn(|| {
            sward::yield_now();
            traced_capture()
        });
        inner.join().unwrap()
    });
    let trace = outer.join().unwrap().to_string();
    assert!(trace.contains("traced_capture"), "{trace}");
    println!("4");
}

#[inline(never)]
fn traced_capture() -> Backtrace {
    black_box(Backtrace::force_capture())
}

#[inline(never)]
fn traced_panic() {
    sward::yield_now();
    panic!("on purpose");
}

/// Makes a runtime that does not ask the environment, but for the way it switches stacks.
fn fail_to_build() {
    let error = Runtime::builder().build().expect_err("it is not built");
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    println!("{error}");
}
