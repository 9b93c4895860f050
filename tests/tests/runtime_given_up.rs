//! Greenlets that are left when their runtime ends: what they hold, what holds on to them, and what their closures do.

use std::error::Error;
use std::panic::panic_any;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use sward::{Builder, JoinError, JoinHandle, Runtime};
use sward_tests::{Config, child, each_config, until, within_attempts};

thread_local! {
    static BIG: Vec<u8> = vec![7; 1 << 16];
}

/// A thread that a given-up greenlet's frames lent a reference to a thread-local goes on reading it.
#[test]
fn their_thread_locals_stay() {
    each_config(|config| {
        let runtime = config.build();
        let reads = Arc::new(AtomicUsize::new(0));
        let theirs = reads.clone();
        drop(runtime.spawn(move || {
            BIG.with(|big| {
                thread::scope(|scope| {
                    scope.spawn(move || {
                        // The frames that wait for this thread never run again, so it may end by itself only.
                        for _ in 0..20 {
                            assert!(big.iter().all(|&byte| byte == 7));
                            theirs.fetch_add(1, SeqCst);
                        }
                    });
                    sward::park();
                });
            });
        }));
        until(|| reads.load(SeqCst) > 0);
        assert_eq!(runtime.shutdown(Duration::ZERO).unwrap_err().remaining(), 1);
        until(|| reads.load(SeqCst) == 20);
    });
}

/// What joins when it is dropped.
struct JoinOnDrop(Option<JoinHandle<()>>, mpsc::Sender<bool>);

impl Drop for JoinOnDrop {
    fn drop(&mut self) {
        if let Some(handle) = self.0.take() {
            let cancelled = handle.join().is_err_and(|error| error.is_cancelled());
            let _ = self.1.send(cancelled);
        }
    }
}

/// The closure of one that never ran waits, in its destructor, for one that is given up with it.
#[test]
fn closures_may_join_when_they_are_dropped() {
    each_config(|config| {
        if config.parallel() < config.workers {
            // Not every worker can be made busy, and one that is not would start it.
            return;
        }
        // It may start after all, between the workers' release and their end, if they are released too early: each attempt
        // gives the end more time.
        let mut attempt = 0;
        within_attempts(100, || {
            attempt += 1;
            drop_unrun(config, Duration::from_millis(attempt))
        });
    });
}

fn drop_unrun(config: Config, delay: Duration) -> Result<(), String> {
    let runtime = config.build();
    let parked = runtime.spawn(sward::park);
    let other = runtime.spawn(sward::park);
    // Every worker is busy, so nothing more starts.
    let busy = Arc::new(Barrier::new(config.parallel() + 1));
    let free = Arc::new(Barrier::new(config.parallel() + 1));
    for _ in 0..config.parallel() {
        let (busy, free) = (busy.clone(), free.clone());
        drop(runtime.spawn(move || {
            busy.wait();
            free.wait();
            sward::park();
        }));
    }
    busy.wait();
    let (sender, joined) = mpsc::channel();
    let guard = JoinOnDrop(Some(parked), sender);
    let ran = Arc::new(AtomicUsize::new(0));
    let runs = ran.clone();
    let handle = runtime.handle();
    drop(runtime.spawn(move || {
        runs.fetch_add(1, SeqCst);
        drop(guard);
    }));
    let ending = thread::spawn(move || runtime.shutdown(Duration::ZERO));
    until(|| Builder::new().spawn_on(&handle, || ()).is_err());
    thread::sleep(delay);
    free.wait();
    let remaining = ending.join().unwrap().unwrap_err().remaining();
    assert!(remaining >= config.parallel(), "{remaining}");
    assert!(other.join().unwrap_err().is_cancelled());
    if ran.load(SeqCst) != 0 {
        return Err("it has started".to_owned());
    }
    assert!(joined.recv().unwrap());
    Ok(())
}

/// A payload whose destructor panics, in a closure that is dropped unrun in a home.
#[test]
fn payloads_that_panic_when_they_are_dropped() {
    struct Payload;
    impl Drop for Payload {
        fn drop(&mut self) {
            panic!("the payload's destructor");
        }
    }
    struct Captured;
    impl Drop for Captured {
        fn drop(&mut self) {
            panic_any(Payload);
        }
    }
    each_config(|config| {
        let runtime = config.build();
        let (sender, started) = mpsc::channel();
        let (free, wait) = mpsc::channel::<()>();
        let handle = runtime.handle();
        let parent = runtime.spawn(move || {
            let captured = Captured;
            let local = sward::spawn_local(move || drop(captured));
            sender.send(()).unwrap();
            // Blocks the worker, so the child cannot start.
            let _ = wait.recv();
            drop(local);
            sward::park();
        });
        started.recv().unwrap();
        let ending = thread::spawn(move || runtime.shutdown(Duration::ZERO));
        until(|| Builder::new().spawn_on(&handle, || ()).is_err());
        free.send(()).unwrap();
        let _ = ending.join().unwrap();
        let _ = parent.join();
    });
}

/// One that is given up while it drops its own value, which nobody wants.
#[test]
fn in_the_destructor_of_its_value() {
    struct Parks(Arc<AtomicUsize>);
    impl Drop for Parks {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
            sward::park();
        }
    }
    each_config(|config| {
        let runtime = config.build();
        let drops = Arc::new(AtomicUsize::new(0));
        let value = Parks(drops.clone());
        let go = Arc::new(AtomicUsize::new(0));
        let may = go.clone();
        drop(runtime.spawn(move || {
            while may.load(SeqCst) == 0 {
                sward::yield_now();
            }
            value
        }));
        go.store(1, SeqCst);
        until(|| drops.load(SeqCst) == 1);
        let begun = Instant::now();
        assert!(runtime.shutdown(Duration::ZERO).is_err());
        assert!(begun.elapsed() < Duration::from_secs(30));
    });
}

/// Standard error is a pipe that nobody reads: a panic that nobody joins must not take the process with it.
#[test]
fn without_a_standard_error() {
    child::run(
        "without_a_standard_error",
        &[],
        || {
            let (read, write) = rustix::pipe::pipe().unwrap();
            drop(read);
            rustix::stdio::dup2_stderr(&write).unwrap();
            let runtime = sward::Runtime::builder().workers(1).build().unwrap();
            let (sender, receiver) = mpsc::channel::<()>();
            drop(runtime.spawn(move || {
                let _ends = sender;
                std::panic::resume_unwind(Box::new("unheard"));
            }));
            assert!(receiver.recv().is_err());
            assert_eq!(runtime.block_on(|| 7), 7);
            drop(runtime.spawn(sward::park));
            drop(runtime);
        },
        |ended| ended.succeeded(),
    );
}

/// A timer on one worker, a hog on the other: with fixed homes, too, somebody must be in the reactor.
#[test]
fn somebody_is_in_the_reactor() {
    each_config(|config| {
        if config.parallel() < 2 {
            return;
        }
        config.run(|runtime| within_attempts(10, || sleep_beside_a_hog(runtime)));
    });
}

fn sleep_beside_a_hog(runtime: &Runtime) -> Result<(), String> {
    let meet = Arc::new(AtomicUsize::new(0));
    let apart = |meet: &Arc<AtomicUsize>| {
        // Each holds its worker until the other has started, so they start on two.
        meet.fetch_add(1, SeqCst);
        while meet.load(SeqCst) < 2 {
            thread::yield_now();
        }
    };
    let theirs = meet.clone();
    let hog = runtime.spawn(move || {
        apart(&theirs);
        sward::sleep(Duration::from_millis(5));
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(300) {
            std::hint::spin_loop();
        }
    });
    let sleeper = runtime.spawn(move || {
        apart(&meet);
        let begun = Instant::now();
        let mut worst = Duration::ZERO;
        while begun.elapsed() < Duration::from_millis(250) {
            let slept = Instant::now();
            sward::sleep(Duration::from_millis(20));
            worst = worst.max(slept.elapsed());
        }
        worst
    });
    let worst = sleeper.join().unwrap();
    hog.join().unwrap();
    // Far below the hog's 300 ms.
    if worst < Duration::from_millis(200) {
        Ok(())
    } else {
        Err(format!("a sleep of 20 ms took {worst:?}"))
    }
}

#[test]
fn errors_go_where_errors_go() {
    fn fails() -> Result<(), Box<dyn Error + Send + Sync>> {
        sward::spawn(|| std::panic::resume_unwind(Box::new("as meant"))).join()?;
        Ok(())
    }
    let error = fails().unwrap_err();
    assert!(error.to_string().contains("as meant"));
    assert!(error.downcast::<JoinError>().unwrap().is_panic());
}
