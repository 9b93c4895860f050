//! A descriptor on which operations wait by parking: the try, wait, retry loop.
//!
//! The descriptor joins a reactor when an operation first finds nothing, that of the runtime in which it does. So a
//! listener made in `main` belongs to the runtime that accepts on it, a connection that finds its data there and ends
//! is never registered at all, and making a descriptor cannot fail for the reactor's sake. From then on it stays with
//! that reactor, whoever uses it.

#![forbid(unsafe_code)]

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use super::Direction;
use super::settings::Settings;
use crate::base::fault::{self, Door};
use crate::base::lock::lock;
use crate::reactor::{Look, Source, Waited, shut_down};
use crate::{park, runtime};

/// The most bytes that one operation asks for: 1 GiB. Kernels have limits of their own (2 GiB less a page on Linux, 2
/// GiB less a byte elsewhere), and an operation that such a limit cuts short must not be taken for one that emptied the
/// socket.
pub(crate) const LIMIT: usize = 1 << 30;

/// A descriptor that does not block, and what is needed to wait for it.
#[derive(Debug)]
pub(crate) struct Io<T: AsFd> {
    /// `None` only after `into_inner`.
    inner: Option<T>,
    /// # Invariant
    /// Registered with `inner`'s descriptor, and leaves before that is closed or given away.
    source: OnceLock<Source>,
    /// Held while the descriptor is registered: a reactor takes it once.
    joining: Mutex<()>,
    /// Made when they are first set or shared.
    settings: OnceLock<Arc<Settings>>,
}

/// Why an operation has no result.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It failed.
    Failed(io::Error),
    /// Its time was up, and there was nothing still.
    TimedOut,
}

/// What came of one try.
#[derive(Debug)]
pub(super) enum Step<'a, R> {
    /// It was done, or has failed.
    Done(Result<R, Stop>),
    /// There may be something by now.
    Again,
    /// There is nothing; the source knows when there is.
    Unready(&'a Source),
}

impl From<Stop> for io::Error {
    /// As std's sockets on Unix do, which report a timeout as "would block".
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Failed(error) => error,
            Stop::TimedOut => Self::new(ErrorKind::WouldBlock, "timed out"),
        }
    }
}

impl<T: AsFd> Io<T> {
    /// Takes over `inner`, which must be in the kernel's non-blocking mode.
    pub(crate) fn new(inner: T) -> Self {
        Self {
            inner: Some(inner),
            source: OnceLock::new(),
            joining: Mutex::new(()),
            settings: OnceLock::new(),
        }
    }

    /// The same for another descriptor of the same socket: both have the same settings from now on.
    pub(crate) fn sibling(&self, inner: T) -> Self {
        let sibling = Self::new(inner);
        // A fresh one has no settings yet.
        let _ = sibling.settings.set(self.settings().clone());
        sibling
    }

    /// The descriptor.
    pub(crate) fn inner(&self) -> &T {
        self.inner.as_ref().expect("only `into_inner` takes it")
    }

    /// Gives the descriptor back, no longer registered, still in the kernel's non-blocking mode.
    pub(crate) fn into_inner(mut self) -> T {
        self.leave();
        self.inner.take().expect("only this takes it, once")
    }

    /// How long an operation in `direction` may wait.
    pub(crate) fn timeout(&self, direction: Direction) -> Option<Duration> {
        self.settings
            .get()
            .and_then(|settings| settings.timeout(direction))
    }

    /// Sets how long; zero is an error.
    pub(crate) fn set_timeout(
        &self,
        direction: Direction,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        self.settings().set_timeout(direction, timeout)
    }

    /// Whether operations return `WouldBlock` instead of waiting.
    pub(crate) fn is_nonblocking(&self) -> bool {
        self.settings
            .get()
            .is_some_and(|settings| settings.is_nonblocking())
    }

    /// Sets whether they do.
    pub(crate) fn set_nonblocking(&self, nonblocking: bool) {
        self.settings().set_nonblocking(nonblocking);
    }

    /// Its source, once it has joined a reactor.
    pub(super) fn source(&self) -> Option<&Source> {
        self.source.get()
    }

    fn settings(&self) -> &Arc<Settings> {
        self.settings.get_or_init(Arc::default)
    }

    /// Does `op`, waiting as long as it would block.
    ///
    /// Nothing is lost by a wait that ends otherwise: `op` has then done nothing.
    pub(crate) fn run<R>(
        &self,
        direction: Direction,
        op: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        let timeout = self.timeout(direction);
        Ok(self.attempt(direction, timeout, op, |_| false)?)
    }

    /// The same with a timeout for this time only.
    pub(crate) fn run_for<R>(
        &self,
        direction: Direction,
        timeout: Option<Duration>,
        op: impl FnMut(&T) -> io::Result<R>,
    ) -> Result<R, Stop> {
        self.attempt(direction, timeout, op, |_| false)
    }

    /// The same for an `op` that is asked to move `asked` bytes from or to a stream, and says how many it has moved. If
    /// that were fewer, the next one waits without trying.
    pub(crate) fn transfer(
        &self,
        direction: Direction,
        asked: usize,
        op: impl FnMut(&T) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let timeout = self.timeout(direction);
        let is_short = |&moved: &usize| moved < asked && asked <= LIMIT;
        Ok(self.attempt(direction, timeout, op, is_short)?)
    }

    fn attempt<R>(
        &self,
        direction: Direction,
        timeout: Option<Duration>,
        mut op: impl FnMut(&T) -> io::Result<R>,
        is_short: impl Fn(&R) -> bool,
    ) -> Result<R, Stop> {
        // Before the operation: this may suspend, and a greenlet that never runs again must not have taken anything.
        park::spend_budget();
        if self.is_nonblocking() {
            return self.once(op);
        }
        let mut deadline = None;
        loop {
            match self.step(direction, &mut op, &is_short) {
                Step::Done(outcome) => return outcome,
                Step::Again => {}
                Step::Unready(source) => {
                    // The clock is read when it comes to waiting, and once.
                    let deadline = *deadline
                        .get_or_insert_with(|| timeout.and_then(|t| Instant::now().checked_add(t)));
                    match source.wait(direction, deadline) {
                        Waited::Ready => {}
                        Waited::Shut => return Err(Stop::Failed(shut_down())),
                        Waited::TimedOut => return self.last_chance(op),
                    }
                }
            }
        }
    }

    /// One try, if it is worth one, without waiting.
    pub(super) fn step<R>(
        &self,
        direction: Direction,
        mut op: impl FnMut(&T) -> io::Result<R>,
        is_short: impl Fn(&R) -> bool,
    ) -> Step<'_, R> {
        let seen = match self.source.get() {
            None => None,
            Some(source) => match source.look(direction) {
                Look::Ready(tick) => Some((source, tick)),
                // In a forked child nobody hears of events: what was not there may be by now. If not, the wait says why
                // there cannot be one.
                Look::Unready if source.is_left_behind() => {
                    return match self.once(&mut op) {
                        Err(Stop::Failed(error)) if error.kind() == ErrorKind::WouldBlock => {
                            Step::Unready(source)
                        }
                        outcome => Step::Done(outcome),
                    };
                }
                Look::Unready => return Step::Unready(source),
            },
        };
        let pretended = fault::at(Door::Attempt).err();
        match pretended.map_or_else(|| op(self.inner()), |errno| Err(errno.into())) {
            Ok(result) => {
                if let Some((source, tick)) = seen
                    && is_short(&result)
                {
                    source.short(direction, tick);
                }
                Step::Done(Ok(result))
            }
            Err(error) => match (error.kind(), seen) {
                (ErrorKind::WouldBlock, Some((source, tick))) => {
                    source.exhausted(direction, tick);
                    if pretended.is_some() {
                        // The kernel has said nothing of the kind, and would not report what is there once more.
                        source.report_again(self.inner().as_fd());
                    }
                    Step::Again
                }
                (ErrorKind::WouldBlock, None) => match self.join(direction) {
                    Ok(()) => Step::Again,
                    Err(error) => Step::Done(Err(Stop::Failed(error))),
                },
                (ErrorKind::Interrupted, _) => Step::Again,
                _ => Step::Done(Err(Stop::Failed(error))),
            },
        }
    }

    /// `op` without waiting.
    fn once<R>(&self, mut op: impl FnMut(&T) -> io::Result<R>) -> Result<R, Stop> {
        loop {
            let pretended = fault::at(Door::Attempt);
            match pretended.map_or_else(|errno| Err(errno.into()), |()| op(self.inner())) {
                Ok(result) => return Ok(result),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Stop::Failed(error)),
            }
        }
    }

    /// The time is up. If nobody had a moment to ask the poller for so long, the event may be there, unseen.
    fn last_chance<R>(&self, op: impl FnMut(&T) -> io::Result<R>) -> Result<R, Stop> {
        match self.once(op) {
            Err(Stop::Failed(error)) if error.kind() == ErrorKind::WouldBlock => {
                Err(Stop::TimedOut)
            }
            outcome => outcome,
        }
    }

    /// Joins the reactor of the caller's runtime; an operation in the direction `unready` has just found nothing.
    fn join(&self, unready: Direction) -> io::Result<()> {
        let reactor = runtime::current_reactor()?;
        let joining = lock(&self.joining);
        if self.source.get().is_none() {
            let source = reactor.register(self.inner().as_fd(), unready)?;
            // Under the lock, so nobody was faster.
            let _ = self.source.set(source);
        }
        drop(joining);
        Ok(())
    }

    fn leave(&mut self) {
        if let (Some(source), Some(inner)) = (self.source.take(), &self.inner) {
            source.leave(inner.as_fd());
        }
    }
}

impl<T: AsFd> Drop for Io<T> {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(all(test, not(loom), target_os = "linux"))]
mod tests {
    use super::*;

    /// No socket is such that its operations may have to wait, and yet the poller refuses it; a file is.
    #[test]
    fn what_the_poller_refuses_is_an_error_and_no_wait() {
        let io = Io::new(std::fs::File::open("/proc/self/exe").unwrap());
        for direction in [Direction::Read, Direction::Write] {
            let never = |_: &std::fs::File| Err::<(), _>(ErrorKind::WouldBlock.into());
            let error = io.run(direction, never).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EPERM), "{error}");
        }
        assert!(io.source.get().is_none());
    }
}
