//! The watchdog: says what hangs, shows where every thread is, and ends the process.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a case may take, unless the environment says otherwise.
const LIMIT: Duration = Duration::from_secs(60);
/// Names another limit, in seconds: `SWARD_TEST_LIMIT=600` under an emulator.
pub(crate) const LIMIT_VARIABLE: &str = "SWARD_TEST_LIMIT";
/// How long the debugger may take.
const DEBUGGER_LIMIT: Duration = Duration::from_secs(60);

/// What is being watched over in this process: for who gives up first to name all of it.
static WATCHED: Mutex<Vec<Arc<str>>> = Mutex::new(Vec::new());

/// Armed from its making until it is dropped. When the time is over, it dumps all threads and aborts.
#[derive(Debug)]
pub struct Watchdog {
    what: Arc<str>,
    armed: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Watches over `what` with the usual limit.
    pub fn new(what: impl Display) -> Watchdog {
        Watchdog::with_limit(what, limit())
    }

    /// Watches over `what` for so long.
    ///
    /// # Panics
    ///
    /// If it cannot start a thread.
    pub fn with_limit(what: impl Display, limit: Duration) -> Watchdog {
        let test = thread::current();
        let what: Arc<str> = format!("{}, {what}", test.name().unwrap_or("a test")).into();
        let watched = what.clone();
        lock_watched().push(what.clone());
        let (armed, disarmed) = mpsc::channel();
        let watch = move || {
            if disarmed.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                dump_and_abort(&format!("{watched}: still not done after {limit:?}"));
            }
        };
        let thread = thread::Builder::new()
            .name("watchdog".to_owned())
            .spawn(watch)
            .expect("a thread for the watchdog");
        Watchdog {
            what,
            armed: Some(armed),
            thread: Some(thread),
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("failed: {}", self.what);
        }
        lock_watched().retain(|what| !Arc::ptr_eq(what, &self.what));
        drop(self.armed.take());
        if let Some(thread) = self.thread.take() {
            // It ends without a panic, or not at all.
            let _ = thread.join();
        }
    }
}

fn lock_watched() -> MutexGuard<'static, Vec<Arc<str>>> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The limit of a case.
pub(crate) fn limit() -> Duration {
    match std::env::var(LIMIT_VARIABLE) {
        Ok(seconds) => Duration::from_secs(seconds.parse().expect("a number of seconds")),
        Err(_) => LIMIT,
    }
}

/// Prints `why` and the stacks of all threads, and aborts.
pub fn dump_and_abort(why: &str) -> ! {
    // Not by `eprintln`, which the test runner keeps to itself until the end of the test.
    let watched = lock_watched().join("; ");
    let _ = writeln!(io::stderr(), "watchdog: {why} (running: {watched})");
    dump(std::process::id());
    std::process::abort()
}

/// Has the debugger show where every thread of the process `id` is, if there is a debugger.
pub(crate) fn dump(id: u32) {
    allow_debugger();
    let debugger = Command::new("gdb")
        .args(["-p", &id.to_string(), "-batch"])
        .args(["-ex", "set pagination off", "-ex", "thread apply all bt"])
        .stdin(Stdio::null())
        .spawn();
    let mut debugger = match debugger {
        Ok(debugger) => debugger,
        Err(error) => {
            let _ = writeln!(
                io::stderr(),
                "watchdog: no stacks, gdb does not start: {error}"
            );
            return;
        }
    };
    let end = Instant::now() + DEBUGGER_LIMIT;
    while matches!(debugger.try_wait(), Ok(None)) {
        if Instant::now() >= end {
            let _ = debugger.kill();
            let _ = debugger.wait();
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Lets a debugger that is not our parent attach to this process, where only parents may otherwise.
pub(crate) fn allow_debugger() {
    #[cfg(target_os = "linux")]
    {
        // Fails where the kernel has no such rule, and then there is nothing to allow.
        let _ = rustix::process::set_ptracer(rustix::process::PTracer::Any);
    }
}

#[cfg(test)]
mod tests {
    use std::env::consts::ARCH;

    use super::*;
    use crate::child;
    use crate::until::until;

    /// Where the main thread hangs, to be found in the dump.
    #[inline(never)]
    fn a_place_to_hang() {
        loop {
            thread::park();
        }
    }

    #[test]
    fn what_hangs_is_named_and_shown() {
        let name = "watchdog::tests::what_hangs_is_named_and_shown";
        let hang = || {
            let _watchdog = Watchdog::with_limit("the case", Duration::from_millis(50));
            a_place_to_hang();
        };
        child::run(name, &[], hang, |ended| {
            assert!(!ended.status.success(), "{ended}");
            assert!(
                ended.errors_with("the case: still not done after 50ms") == 1,
                "{ended}"
            );
            // A debugger for another machine sees an emulator.
            let debugger = Command::new("gdb").arg("--configuration").output();
            if debugger.is_ok_and(|it| String::from_utf8_lossy(&it.stdout).contains(ARCH)) {
                assert!(ended.stdout.contains("a_place_to_hang"), "{ended}");
            }
        });
    }

    #[test]
    fn what_is_waited_for_is_named() {
        let name = "watchdog::tests::what_is_waited_for_is_named";
        let hang = || until(|| Err::<(), _>("the moon".to_owned()));
        child::run(name, &[(LIMIT_VARIABLE, "1")], hang, |ended| {
            assert!(!ended.status.success(), "{ended}");
            assert_eq!(ended.errors_with("the moon"), 1, "{ended}");
            assert!(ended.errors_with("src/watchdog.rs:") >= 1, "where: {ended}");
        });
    }

    #[test]
    fn what_ends_in_time_is_left_alone() {
        drop(Watchdog::with_limit("nothing", Duration::from_millis(20)));
        thread::sleep(Duration::from_millis(40));
    }
}
