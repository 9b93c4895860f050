//! A raw `fork`, without `exec`.

use std::fs::File;
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::process;

/// A child that hangs is ended by a signal after so many seconds.
const LIMIT: libc::c_uint = 60;

/// How a forked process has ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Forked {
    /// Its exit status; above 1,000 the number of the signal that ended it, and 1,000.
    pub status: i32,
    /// What its body wrote.
    pub text: String,
}

/// Forks. `Ok` in the parent, when the child has ended; `Err` in the child, with where to write.
///
/// # Panics
///
/// If there is no process to be had.
pub fn fork() -> Result<Forked, File> {
    let (read, write) = rustix::pipe::pipe().expect("a pipe");
    // SAFETY: what the child does is what is tested; it is the caller's.
    match unsafe { libc::fork() } {
        -1 => panic!("no fork: {}", std::io::Error::last_os_error()),
        0 => {
            drop(read);
            // SAFETY: it has no preconditions.
            unsafe { libc::alarm(LIMIT) };
            Err(File::from(write))
        }
        child => {
            drop(write);
            let mut text = String::new();
            File::from(read)
                .read_to_string(&mut text)
                .expect("the child writes text");
            Ok(Forked {
                status: wait(child),
                text,
            })
        }
    }
}

/// As [`fork`], when every other thread sleeps and so has no lock: neither one of the test's, nor the one of std's that each thread
/// takes when it starts and when it ends, without which no thread can be started in the child.
///
/// # Panics
///
/// As [`fork`].
pub fn quiet_fork() -> Result<Forked, File> {
    process::quiet();
    fork()
}

/// As [`in_fork`], but by [`quiet_fork`].
pub fn in_quiet_fork(body: impl FnOnce() -> String) -> Forked {
    process::quiet();
    in_fork(body)
}

/// Runs `body` in a forked process, where what it returns is written; status 1 if it panics, with the panic's text.
pub fn in_fork(body: impl FnOnce() -> String) -> Forked {
    match fork() {
        Ok(forked) => forked,
        Err(mut write) => {
            let (status, text) = match catch_unwind(AssertUnwindSafe(body)) {
                Ok(text) => (0, text),
                Err(payload) => {
                    let text = payload.downcast_ref::<&str>().map(|&text| text.to_owned());
                    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
                    (1, text.unwrap_or_default())
                }
            };
            let written = write.write_all(text.as_bytes()).is_ok();
            // SAFETY: it has no preconditions.
            unsafe { libc::_exit(if written { status } else { 2 }) }
        }
    }
}

fn wait(child: libc::pid_t) -> i32 {
    let mut status = 0;
    loop {
        // SAFETY: it writes the status.
        if unsafe { libc::waitpid(child, &raw mut status, 0) } == child {
            break;
        }
        let error = std::io::Error::last_os_error();
        assert_eq!(error.kind(), std::io::ErrorKind::Interrupted, "{error}");
    }
    match libc::WIFEXITED(status) {
        true => libc::WEXITSTATUS(status),
        false => 1000 + libc::WTERMSIG(status),
    }
}
