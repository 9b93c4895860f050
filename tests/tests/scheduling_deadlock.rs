//! Greenlets that nothing can wake any more are reported, with what each waits for; others never are.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use sward_tests::child::program;
use sward_tests::{Watchdog, kinds};

/// For how long a case that is no deadlock must stay silent: three times what the report takes.
const SILENCE: Duration = Duration::from_secs(3);

/// Kills the program at the end.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a case, and returns when it is set up. Its lines on standard error.
fn start(case: &str, homes: &str) -> (Killed, mpsc::Receiver<String>) {
    let mut command = program(env!("CARGO_BIN_EXE_deadlock"));
    command.args([case, homes]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Killed(command.spawn().unwrap());
    let mut stdout = BufReader::new(child.0.stdout.take().unwrap());
    let stderr = BufReader::new(child.0.stderr.take().unwrap());
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        stderr
            .lines()
            .map_while(Result::ok)
            .try_for_each(|line| tell.send(line))
    });
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(
        line,
        "ready\n",
        "{case}: {:?}",
        told.try_iter().collect::<Vec<_>>()
    );
    (child, told)
}

#[test]
fn names_who_waits_for_what() {
    let _watchdog = Watchdog::new("a deadlock");
    for (kind, _) in kinds() {
        let (_child, lines) = start("deadlock", kind);
        let line = || lines.recv().expect("a report");
        assert_eq!(
            line(),
            "sward: deadlock: 3 greenlets of runtime 'sward' wait, and nothing is left that could wake them"
        );
        let mut parked = 0;
        for (name, reason) in [
            ("parked", "to be unparked"),
            ("joins", "for the end of greenlet "),
            ("sleeps", "for ever, in a sleep"),
        ] {
            let line = line();
            let start = format!("    greenlet '{name}' (id ");
            let rest = line
                .strip_prefix(&start)
                .unwrap_or_else(|| panic!("{line}"));
            let (id, rest) = rest.split_once(", spawned at ").unwrap();
            let id: u64 = id.parse().unwrap();
            let (site, waits) = rest.split_once(") waits ").unwrap();
            assert!(site.contains("deadlock.rs:"), "{line}");
            if name == "parked" {
                parked = id;
            }
            let whole = match name {
                "joins" => format!("{reason}{parked}"),
                _ => reason.to_owned(),
            };
            assert_eq!(waits, whole);
        }
    }
}

/// Where something may still wake them, or it is not asked for, there is no report.
#[test]
fn no_report_otherwise() {
    let _watchdog = Watchdog::new("no deadlock");
    let cases = [
        "ignored",
        "a-thread",
        "a-socket",
        "a-thread-at-a-socket",
        "a-timer",
        "another-runtime",
        "ends",
    ];
    let all: Vec<_> = kinds()
        .flat_map(|(kind, _)| cases.map(|case| (case, kind)))
        .map(|(case, kind)| (case, start(case, kind)))
        .collect();
    let until = std::time::Instant::now() + SILENCE;
    for (case, (_child, lines)) in &all {
        let left = until.saturating_duration_since(std::time::Instant::now());
        match lines.recv_timeout(left) {
            // It has ended.
            Err(RecvTimeoutError::Disconnected) => assert_eq!(*case, "ends"),
            Err(RecvTimeoutError::Timeout) => {}
            Ok(line) => panic!("{case}: {line}"),
        }
    }
}
