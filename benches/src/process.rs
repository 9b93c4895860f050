//! Child processes: lines from them with a limit of time, their last words when they fail, and the CPUs they run on.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// A child that prints lines. Dropped, it is killed.
pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
    complaints: Option<JoinHandle<String>>,
}

impl Process {
    /// Starts it, with a standard input that stays open until it is dropped.
    pub(crate) fn start(command: &mut Command) -> Result<Self, String> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let name = command.get_program().display().to_string();
        let mut child = command
            .spawn()
            .map_err(|e| format!("{name} cannot be started: {e}"))?;
        let output = child.stdout.take().expect("it is piped");
        let mut errors = child.stderr.take().expect("it is piped");
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let complaints = thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = errors.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        });
        Ok(Self {
            child,
            lines,
            complaints: Some(complaints),
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line, or why there is none.
    pub(crate) fn line(&mut self, limit: Duration) -> Result<String, String> {
        match self.lines.recv_timeout(limit) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Timeout) => Err(format!("no answer in {} s", limit.as_secs())),
            Err(RecvTimeoutError::Disconnected) => Err(self.last_words()),
        }
    }

    /// All lines to the end, if it ends well and in time.
    pub(crate) fn all(&mut self, limit: Duration) -> Result<Vec<String>, String> {
        let until = Instant::now() + limit;
        let mut lines = Vec::new();
        loop {
            match self
                .lines
                .recv_timeout(until.saturating_duration_since(Instant::now()))
            {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("did not end in {} s", limit.as_secs()));
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        match self.child.wait() {
            Ok(status) if status.success() => Ok(lines),
            _ => Err(self.last_words()),
        }
    }

    /// How it ended, and the line of its standard error that says most.
    fn last_words(&mut self) -> String {
        let status = self
            .child
            .wait()
            .map_or("unknown".to_owned(), |status| status.to_string());
        let said = self
            .complaints
            .take()
            .and_then(|thread| thread.join().ok())
            .unwrap_or_default();
        // Where a panic was is of no use to the reader of a report; what it said comes on the next line.
        let noise = ["note:", "thread '"];
        let telling = |line: &&str| {
            !line.trim().is_empty() && !noise.iter().any(|start| line.starts_with(start))
        };
        match said
            .lines()
            .filter(telling)
            .take(2)
            .collect::<Vec<_>>()
            .join(" ")
        {
            line if line.is_empty() => format!("ended with {status}"),
            line => format!("ended with {status}: {line}"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Keeps the calling thread, and the threads and processes it starts meanwhile, on some of its CPUs.
pub(crate) struct Pinned {
    before: Option<CpuSet>,
}

impl Pinned {
    /// On the first `count`.
    pub(crate) fn to_first(count: usize) -> Self {
        Self::to(|cpus| cpus.into_iter().take(count).collect())
    }

    /// On all but the first `count`; on all, if that leaves none.
    pub(crate) fn to_others(count: usize) -> Self {
        Self::to(|cpus| cpus.into_iter().skip(count).collect())
    }

    fn to(choose: impl FnOnce(Vec<usize>) -> Vec<usize>) -> Self {
        let Ok(before) = sched_getaffinity(None) else {
            return Self { before: None };
        };
        let chosen = choose(
            (0..CpuSet::MAX_CPU)
                .filter(|&cpu| before.is_set(cpu))
                .collect(),
        );
        let mut set = CpuSet::new();
        chosen.iter().for_each(|&cpu| set.set(cpu));
        let pinned = !chosen.is_empty() && sched_setaffinity(None, &set).is_ok();
        Self {
            before: pinned.then_some(before),
        }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = sched_setaffinity(None, before);
        }
    }
}
