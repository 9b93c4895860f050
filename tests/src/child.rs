//! Tests that need a process of their own: because it ends, because of what it prints, or for its environment.
//!
//! ```text
//! #[test]
//! fn greets() {
//!     child::run("greets", &[("WHOM", "you")], || println!("hello"), |ended| ended.succeeded());
//! }
//! ```
//!
//! The child is the same test program, told to run the one test. There, `run` calls the body and exits.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::config::CASES_VARIABLE;
use crate::watchdog::{LIMIT_VARIABLE, allow_debugger, dump, limit};

/// Names, in the child, the body to run.
const BODY_VARIABLE: &str = "SWARD_TEST_BODY";
/// What children get as `SWARD_CONTEXT`, if the test does not say otherwise.
const CONTEXT_VARIABLE: &str = "SWARD_TEST_CONTEXT";
/// What the child prints before its body: without it, no test had the name.
const BEGINS: &str = "the body begins\n";
/// What sward reads, what changes how panics are printed, and what would have a child draw cases of its own. A child begins
/// without them.
const CLEARED: [&str; 6] = [
    "SWARD_WORKERS",
    "SWARD_HOMES",
    "SWARD_STACK_SIZE",
    "SWARD_CONTEXT",
    "RUST_BACKTRACE",
    CASES_VARIABLE,
];

/// What a child left.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// What its body printed to the standard output.
    pub stdout: String,
    /// What it printed to the standard error.
    pub stderr: String,
}

impl Ended {
    /// Checks that the body came to its end.
    ///
    /// # Panics
    ///
    /// If it did not.
    #[track_caller]
    pub fn succeeded(&self) {
        assert!(self.status.success(), "{self}");
    }

    /// How often `text` is in what it printed to the standard error.
    #[must_use]
    pub fn errors_with(&self, text: &str) -> usize {
        self.stderr.matches(text).count()
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Ended {
            status,
            stdout,
            stderr,
        } = self;
        write!(f, "{status}\n--- stdout\n{stdout}--- stderr\n{stderr}---")
    }
}

/// Runs `body` in a process of its own, with these environment variables, and gives what it left to `check`.
///
/// `name` is that of the calling test; with several bodies in one test, a `/` and a name for each follow it.
///
/// # Panics
///
/// If `check` does, if there is no such test, or if the child does not end in time (then its threads are dumped first).
#[track_caller]
pub fn run(
    name: &str,
    environment: &[(&str, &str)],
    body: impl FnOnce(),
    check: impl FnOnce(Ended),
) {
    match std::env::var(BODY_VARIABLE) {
        Err(_) => check(start(name, environment)),
        Ok(wanted) if wanted == name => {
            allow_debugger();
            print!("{BEGINS}");
            std::io::stdout().flush().expect("the parent listens");
            body();
            std::io::stdout().flush().expect("the parent listens");
            // At once: no other test, no thread of this one.
            std::process::exit(0);
        }
        Ok(_) => {}
    }
}

/// What starts one of our own programs.
///
/// An emulator that the kernel does not know of is named by `SWARD_TEST_RUNNER`.
pub fn program(path: impl AsRef<OsStr>) -> Command {
    let Some(runner) = std::env::var_os("SWARD_TEST_RUNNER") else {
        return Command::new(path);
    };
    let mut command = Command::new(runner);
    command.arg(path);
    command
}

#[track_caller]
fn start(name: &str, environment: &[(&str, &str)]) -> Ended {
    let test = name.split('/').next().unwrap_or(name);
    let itself = std::env::current_exe().expect("this program has a path");
    let mut command = program(itself);
    for variable in CLEARED {
        command.env_remove(variable);
    }
    if let Some(context) = std::env::var_os(CONTEXT_VARIABLE) {
        command.env("SWARD_CONTEXT", context);
    }
    let limit = limit();
    let mut child = command
        .args([
            test,
            "--exact",
            "--nocapture",
            "--quiet",
            "--test-threads=1",
        ])
        .env(BODY_VARIABLE, name)
        // Where the child has a watchdog, that one comes first: it knows more.
        .env(LIMIT_VARIABLE, (limit.as_secs() * 3 / 4).to_string())
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the child starts");
    let stdout = read_all(child.stdout.take().expect("it is piped"));
    let stderr = read_all(child.stderr.take().expect("it is piped"));
    let end = Instant::now() + limit;
    let mut expired = false;
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child of ours") {
            break status;
        }
        if !expired && Instant::now() >= end {
            expired = true;
            dump(child.id());
            child.kill().expect("a child of ours");
        }
        thread::sleep(Duration::from_millis(1));
    };
    let join = |reader: thread::JoinHandle<String>| reader.join().expect("it reads");
    let mut ended = Ended {
        status,
        stdout: join(stdout),
        stderr: join(stderr),
    };
    assert!(
        !expired,
        "{name}: the child still ran after {limit:?}: {ended}"
    );
    let Some((_, printed)) = ended.stdout.split_once(BEGINS) else {
        panic!("no body {name:?} in the test {test:?}: {ended}");
    };
    ended.stdout = printed.to_owned();
    ended
}

fn read_all(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).expect("a pipe");
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_runs_in_another_process() {
        let name = "child::tests::the_body_runs_in_another_process";
        let here = std::process::id();
        let body = || {
            println!(
                "{} {}",
                std::process::id(),
                std::env::var("SWARD_HOMES").expect("it is set")
            );
            eprintln!("an error, an error");
        };
        run(
            &format!("{name}/first"),
            &[("SWARD_HOMES", "none")],
            body,
            |ended| {
                ended.succeeded();
                let (process, homes) = ended.stdout.trim().split_once(' ').expect("two words");
                assert_eq!(homes, "none");
                assert_ne!(process.parse(), Ok(here));
                assert_eq!(ended.errors_with("an error"), 2);
            },
        );
        run(
            &format!("{name}/second"),
            &[],
            || panic!("the second"),
            |ended| {
                assert!(!ended.status.success());
                assert!(ended.errors_with("the second") >= 1, "{ended}");
            },
        );
    }

    #[test]
    #[should_panic(expected = "no body")]
    fn a_name_that_no_test_has() {
        run(
            "child::tests::nobody",
            &[],
            || (),
            |ended| ended.succeeded(),
        );
    }
}
