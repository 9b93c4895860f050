//! The examples as child processes: found where cargo puts them, read line by line, and killed by a
//! watchdog or when their test ends. Used by the `examples_*` tests; what is in here knows no HTTP.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use sward_tests::identity::can_move;

/// Longer than any test here takes on a busy machine with one core, shorter than anyone's patience.
pub(crate) const TOO_LONG: Duration = Duration::from_secs(120);

/// The kinds of homes that this machine has, as `SWARD_HOMES` names them.
pub(crate) fn homes() -> &'static [&'static str] {
    match can_move() {
        true => &["moving", "fixed"],
        false => &["fixed"],
    }
}

/// Where cargo puts the example `name`: beside the folder of this test's own program.
pub(crate) fn path(name: &str) -> PathBuf {
    let mut path = std::env::current_exe().expect("this program has a path");
    path.pop(); // the name of this program
    path.pop(); // deps
    path.extend(["examples", name]);
    assert!(
        path.exists(),
        "no {}: `cargo test --workspace` builds the examples first, `cargo test -p sward-tests` does not \
         (`cargo build -p sward-examples --examples` with the same profile does)",
        path.display()
    );
    path
}

/// A running example.
pub(crate) struct Program {
    child: Arc<Mutex<Child>>,
    pub(crate) stdout: BufReader<ChildStdout>,
    pub(crate) stderr: BufReader<ChildStderr>,
    /// Dropped, it tells the watchdog to go home.
    watchdog: Option<Sender<()>>,
}

/// What an example left.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    /// Starts `command`; the watchdog kills it after [`TOO_LONG`].
    pub(crate) fn start(mut command: Command) -> Program {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the example starts");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let stderr = BufReader::new(child.stderr.take().expect("it is piped"));
        let child = Arc::new(Mutex::new(child));
        let (watchdog, gone) = mpsc::channel();
        let watched = child.clone();
        thread::spawn(move || {
            if gone.recv_timeout(TOO_LONG) == Err(RecvTimeoutError::Timeout) {
                eprintln!("watchdog: the example still runs after {TOO_LONG:?}, killing it");
                // It fails when the example has ended just now.
                let _ = watched.lock().unwrap().kill();
            }
        });
        Program {
            child,
            stdout,
            stderr,
            watchdog: Some(watchdog),
        }
    }

    /// Runs the example `name` to its end.
    pub(crate) fn run(name: &str, arguments: &[&str]) -> Ended {
        let mut command = Command::new(path(name));
        command.args(arguments);
        Program::start(command).wait()
    }

    /// The next line of its standard output.
    pub(crate) fn line(&mut self) -> String {
        next_line(&mut self.stdout)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.lock().unwrap().id()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child.lock().unwrap());
        rustix::process::kill_process(pid, signal).expect("the example takes a signal");
    }

    /// What it leaves when it ends by itself, or by the watchdog.
    pub(crate) fn wait(mut self) -> Ended {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        thread::scope(|scope| {
            scope.spawn(|| self.stderr.read_to_string(&mut stderr).expect("text"));
            self.stdout.read_to_string(&mut stdout).expect("text");
        });
        loop {
            let status = self
                .child
                .lock()
                .unwrap()
                .try_wait()
                .expect("a child of ours");
            if let Some(status) = status {
                return Ended {
                    status,
                    stdout,
                    stderr,
                };
            }
            // Its pipes are closed, so it is about to end; the lock must be free for the watchdog.
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.watchdog.take());
        let mut child = self
            .child
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        // Both fail when it has ended, which is the usual way.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// A line without its end; panics when there is none.
pub(crate) fn next_line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).expect("text");
    line.strip_suffix('\n')
        .expect("a line, but the example ended")
        .to_owned()
}
