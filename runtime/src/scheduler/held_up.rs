//! The report on a greenlet that holds up its worker.
#![forbid(unsafe_code)]

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::base::fork;
use crate::base::say::say;
use crate::greenlet::{Greenlet, leave_process};

/// A greenlet that does not leave its worker: it computes for long, or blocks the worker's thread. What
/// [`RuntimeBuilder::on_held_up`](crate::RuntimeBuilder::on_held_up) is told.
///
/// Displayed, it is a line with the greenlet's name, number and spawn site, and its stack as it was found, a line a frame.
///
/// # Examples
///
/// ```
/// use std::sync::mpsc;
/// use std::time::Duration;
///
/// let (tell, told) = mpsc::channel();
/// let builder = sward::Runtime::builder().workers(1);
/// let runtime = builder.on_held_up(move |report| _ = tell.send(report.clone())).build()?;
/// let named = sward::Builder::new().name("sleeper");
/// let sleeper = named.spawn_on(&runtime.handle(), || std::thread::sleep(Duration::from_millis(100)))?;
/// # if cfg!(target_os = "linux") {
///
/// let report = told.recv().unwrap();
/// assert_eq!(report.greenlet().name(), Some("sleeper"));
/// assert!(!report.is_over() && report.to_string().contains("sleep"));
///
/// // And once more when it has left its worker.
/// assert!(told.recv().unwrap().is_over());
/// # }
/// sleeper.join().unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct HeldUp {
    pub(super) greenlet: Greenlet,
    pub(super) elapsed: Duration,
    pub(super) over: bool,
    pub(super) frames: Arc<[usize]>,
}

impl HeldUp {
    /// The greenlet.
    ///
    /// # Examples
    ///
    /// See [`HeldUp`].
    #[must_use]
    pub fn greenlet(&self) -> &Greenlet {
        &self.greenlet
    }

    /// For how long it has run without leaving its worker, at least: a few milliseconds less than it was.
    ///
    /// # Examples
    ///
    /// See [`HeldUp`].
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Whether it has left its worker meanwhile.
    ///
    /// # Examples
    ///
    /// See [`HeldUp`].
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// The return addresses on its stack when it was noticed, innermost first, 64 at most. Empty if it moved on before it could be seen.
    ///
    /// # Examples
    ///
    /// See [`HeldUp`], whose text has the names of the functions.
    #[must_use]
    pub fn frames(&self) -> &[usize] {
        &self.frames
    }
}

impl fmt::Display for HeldUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.greenlet.name().unwrap_or("<unnamed>");
        let (id, site) = (self.greenlet.id(), self.greenlet.spawned_at());
        let (has, millis) = (
            if self.over { "held" } else { "holds" },
            self.elapsed.as_millis(),
        );
        write!(
            f,
            "greenlet '{name}' (id {id}, spawned at {site}) {has} up its worker for {millis} ms"
        )?;
        if self.over {
            return Ok(());
        }
        for line in resolved(&self.frames) {
            write!(f, "\n    at {line}")?;
        }
        Ok(())
    }
}

/// The functions that the addresses are in, without those of the inquiry itself.
fn resolved(frames: &[usize]) -> Vec<String> {
    let mut lines = Vec::new();
    for &frame in frames {
        let mut known = false;
        // The address after a call may be another function's; the innermost that was interrupted is one byte off then.
        let call = std::ptr::without_provenance_mut(frame.saturating_sub(1));
        backtrace::resolve(call, |symbol| {
            known = true;
            let name = symbol
                .name()
                .map_or("?".to_owned(), |name| format!("{name:#}"));
            let place = symbol.filename().zip(symbol.lineno());
            let place = place.map_or(String::new(), |(file, line)| {
                format!(" ({}:{line})", file.display())
            });
            lines.push(format!("{name}{place}"));
        });
        if !known {
            lines.push(format!("{frame:#x}"));
        }
    }
    let ours = |line: &String| line.contains("sys_inquiry") || line.contains("__restore_rt");
    let first = lines.iter().rposition(ours).map_or(0, |at| at + 1);
    lines.drain(..first);
    lines
}

/// Whom to tell.
#[derive(Clone)]
pub(crate) struct Hook(Arc<dyn Fn(&HeldUp) + Send + Sync>);

impl Hook {
    /// Tells `f`.
    pub(crate) fn new(f: impl Fn(&HeldUp) + Send + Sync + 'static) -> Self {
        Self(Arc::new(f))
    }

    /// Writes to standard error.
    pub(crate) fn to_stderr() -> Self {
        Self::new(|held_up| say(format_args!("{held_up}")))
    }

    /// Tells. A panic goes no further: the panic hook has said it; nor does a process that the hook has forked, for the caller is
    /// runtime code, which has nothing to go on with there.
    pub(super) fn tell(&self, held_up: &HeldUp) {
        let process = fork::process();
        let _ = catch_unwind(AssertUnwindSafe(|| (self.0)(held_up)));
        if fork::process() != process {
            leave_process();
        }
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").finish_non_exhaustive()
    }
}
