//! What the monitor asks Linux about a worker's thread: whether it waits, computes, or wants a processor and has none.
#![forbid(unsafe_code)]

use std::fs;
use std::time::Duration;

/// The calling thread's number.
pub(super) fn thread_number() -> u32 {
    rustix::thread::gettid()
        .as_raw_nonzero()
        .get()
        .unsigned_abs()
}

/// How many threads this process has, if that can be told.
pub(super) fn threads() -> Option<usize> {
    Some(fs::read_dir("/proc/self/task").ok()?.count())
}

/// What a thread of this process is at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// It waits in the kernel, or that does not tell.
    Waits,
    /// It wants to run; for how long it has had a processor since it began, where that is known.
    Runs(Option<Duration>),
}

/// What thread `number` is at.
pub(super) fn state(number: u32) -> State {
    let file = |name: &str| fs::read_to_string(format!("/proc/self/task/{number}/{name}"));
    // The name in parentheses may hold spaces and parentheses; the state follows the last.
    let is_running = |stat: &str| {
        let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
        after.trim_start().starts_with('R')
    };
    match file("stat") {
        Ok(stat) if is_running(&stat) => {
            let times = file("schedstat").unwrap_or_default();
            let nanos = times.split(' ').next().and_then(|first| first.parse().ok());
            State::Runs(nanos.map(Duration::from_nanos))
        }
        _ => State::Waits,
    }
}
