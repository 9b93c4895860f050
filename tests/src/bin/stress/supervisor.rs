//! The parent process: has children run the rounds, knows where they are, and says so when one fails.
//!
//! A child's two outputs are one pipe, so that the order of all lines is known. The lines in which sward says that a panic was
//! not joined, or that greenlets were left at a drop, are counted here and compared with what the child says was to be
//! told (`TOLD`), after each round; all other lines are passed on.

use std::io::{self, BufRead, BufReader};
use std::process::{Child, ExitCode, Stdio};
use std::time::{Duration, Instant};

use crate::options::Options;

/// Begins a child's line before a round; the round's number follows.
pub(crate) const BEGINS: &str = "@begins ";
/// Begins a child's line after a round; two numbers follow: of panics that nobody joined, and of greenlets left at drops.
pub(crate) const TOLD: &str = "@told ";
/// Begins the line that says what the round was.
const ROUND: &str = "round ";
/// How sward's lines end and begin.
const UNJOINED: &str = " panicked, and nobody joined it";
const DROPPED: (&str, &str) = (
    "sward: runtime 'stress-",
    "' was dropped: greenlets that had not ended: ",
);
/// Rounds that one process runs: what given-up greenlets keep adds up.
const BATCH: u64 = 200;

/// What has come of the children so far.
#[derive(Debug, Default)]
struct Progress {
    /// Rounds that were good.
    passed: u64,
    /// The round that is under way.
    current: Option<u64>,
    /// What sward has told since the last round.
    told: (u64, u64),
    /// What was wrong, if not the child itself has said so.
    wrong: Option<String>,
}

/// Runs what was asked for, in children.
pub(crate) fn supervise(options: &Options) -> ExitCode {
    println!("seed {}", options.seed);
    let begun = Instant::now();
    let mut progress = Progress::default();
    let mut next = options.first;
    let end = options
        .rounds
        .map_or(u64::MAX, |rounds| options.first + rounds);
    while next < end {
        let left = options.limit.saturating_sub(begun.elapsed());
        if next != options.first && left.is_zero() {
            break;
        }
        let rounds = BATCH.min(end - next);
        let before = progress.passed;
        if let Err(error) = batch(options, next, rounds, left, &mut progress) {
            return failed(options, next, &progress, &error);
        }
        next += rounds;
        if progress.passed - before < rounds.saturating_mul(options.times) {
            // It has found that the time is up.
            break;
        }
    }
    println!("{} rounds passed, 0 failed", progress.passed);
    ExitCode::SUCCESS
}

fn failed(options: &Options, first: u64, progress: &Progress, error: &str) -> ExitCode {
    let round = progress.current.unwrap_or(first);
    let profile = if cfg!(debug_assertions) {
        ""
    } else {
        " --release"
    };
    let choices = options.choices(round).join(" ");
    eprintln!(
        "stress: round {round} of seed {} failed: {error}",
        options.seed
    );
    eprintln!(
        "stress: its choices again, a hundred times (the schedule is not the same):\n\
         stress:   cargo run{profile} -p sward-tests --bin stress -- {choices} --times 100"
    );
    println!("{} rounds passed, 1 failed", progress.passed);
    ExitCode::FAILURE
}

/// One child, and some rounds.
fn batch(
    options: &Options,
    first: u64,
    rounds: u64,
    left: Duration,
    progress: &mut Progress,
) -> Result<(), String> {
    let before = progress.passed;
    let (reader, writer) = io::pipe().map_err(|error| format!("no pipe: {error}"))?;
    let mut child = start(options, first, rounds, left, writer)
        .map_err(|error| format!("the child did not start: {error}"))?;
    let mut lines = BufReader::new(reader);
    let mut line = Vec::new();
    while progress.wrong.is_none() {
        line.clear();
        match lines.read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) => progress.hear(String::from_utf8_lossy(&line).trim_end_matches('\n')),
            Err(error) => progress.wrong = Some(format!("the child's pipe: {error}")),
        }
    }
    if progress.wrong.is_some() {
        // It may have ended by itself.
        let _ = child.kill();
    }
    let status = child
        .wait()
        .map_err(|error| format!("the child is lost: {error}"))?;
    if let Some(wrong) = progress.wrong.take() {
        return Err(wrong);
    }
    if !status.success() {
        return Err(format!("the child ended with {status}"));
    }
    if progress.current.is_some() || progress.passed == before {
        return Err("the child has left a round undone".to_owned());
    }
    Ok(())
}

fn start(
    options: &Options,
    first: u64,
    rounds: u64,
    left: Duration,
    output: io::PipeWriter,
) -> io::Result<Child> {
    let mut command = sward_tests::child::program(std::env::current_exe()?);
    for choice in options.choices(first) {
        command.args(choice.split(' '));
    }
    command
        .args(["--rounds", &rounds.to_string()])
        .args(["--seconds", &left.as_secs().max(1).to_string()])
        .args(["--times", &options.times.to_string()])
        .args(["--patience", &options.patience.as_secs().to_string()])
        .arg("--inside")
        // The choices are those of the seed alone.
        .env_remove("SWARD_TEST_SEED")
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
}

impl Progress {
    /// One line of a child's.
    fn hear(&mut self, line: &str) {
        if let Some(number) = line.strip_prefix(BEGINS) {
            self.current = number.parse().ok();
            self.told = (0, 0);
        } else if let Some(numbers) = line.strip_prefix(TOLD) {
            let told = format!("{} {}", self.told.0, self.told.1);
            if numbers != told {
                self.wrong = Some(format!(
                    "panics that nobody joined, and greenlets left at drops: {numbers}, but sward has told of {told}"
                ));
            }
        } else if line.starts_with("sward: ") && line.ends_with(UNJOINED) {
            self.told.0 += 1;
        } else if let Some(left) = dropped_with(line) {
            self.told.1 += left;
        } else if line.starts_with(ROUND) {
            self.passed += 1;
            self.current = None;
            println!("{line}");
        } else {
            eprintln!("{line}");
        }
    }
}

/// How many greenlets a runtime was dropped with, if that is what the line says.
fn dropped_with(line: &str) -> Option<u64> {
    let (_, rest) = line.strip_prefix(DROPPED.0)?.split_once(DROPPED.1)?;
    rest.split(';').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sward_says_is_counted() {
        let mut progress = Progress::default();
        for line in [
            "@begins 7",
            "sward: greenlet 'stress-3' (id 9, spawned at x.rs:1:1) panicked, and nobody joined it",
            "sward: runtime 'stress-7-inside' was dropped: greenlets that had not ended: 3",
            "sward: runtime 'stress-7' was dropped: greenlets that had not ended: 1; suspended among them, whose destructors \
             will not run: 1: 'a' (id 3, spawned at y.rs:1:1)",
            "@told 1 4",
        ] {
            progress.hear(line);
        }
        assert_eq!(
            (progress.current, progress.told, progress.passed),
            (Some(7), (1, 4), 0)
        );
        assert_eq!(progress.wrong, None);
        progress.hear("round 7: fine");
        assert_eq!((progress.current, progress.passed), (None, 1));
        progress.hear("@begins 8");
        progress.hear("@told 1 0");
        assert!(progress.wrong.is_some());
    }
}
