//! The check that a runtime holds nothing any more.

use sward::Handle;

use crate::until::until;

/// Waits until the runtime has no greenlet, no stack in use, no source, no timer and no spare worker.
///
/// It may take a moment: a greenlet is joined before its worker has put its stack away. If it never comes to that, the time
/// limit of [`until`] ends the process and shows the counters.
#[track_caller]
pub fn settle(handle: &Handle) {
    let counters = || {
        let metrics = handle.metrics();
        [
            ("greenlets", metrics.greenlets),
            ("suspended", metrics.suspended),
            ("stacks", metrics.stacks),
            ("sources", metrics.sources),
            ("timers", metrics.timers),
            ("spares", metrics.spares),
        ]
    };
    until(|| {
        let left = counters();
        match left.iter().all(|(_, count)| *count == 0) {
            true => Ok(()),
            false => Err(format!("a runtime that holds nothing: {left:?}")),
        }
    });
}
