//! What happens to greenlets when the process is forked: nothing in the parent; in the child there are none any more.
//!
//! `fork` copies the thread that calls it. If that is a worker, it comes back from `fork` on the stack of a greenlet, under
//! the identity of that greenlet's home, which libc takes for the thread's own from then on (with moving homes; the stack of
//! the worker's real thread is free for the next thread that libc starts). So the child must not go back to the worker, which
//! lies on that stack, and needs not: what runs is the only thread of a new process. The handler *severs* it: the slot says
//! that it is no greenlet, and not carried by anyone. Then every way into the runtime takes the course of a plain thread, on
//! which it is asked whether the process was forked (`base/fork.rs`); where greenlets go nothing has to be asked.
//!
//! What was a greenlet cannot end as one, for there is nobody to go on: its end is the end of the process, as the return of
//! a process's last thread is. By `_exit`: what the parent has still to do at its own exit, and has in its buffers, is not the
//! child's.
//!
//! `posix_spawn` and `vfork`, and what std's `Command` does by them, run no handlers, and need none: the child only calls
//! `exec`. Where it has to prepare more, `Command` calls `fork`: the handler runs, and does no harm. A process made by `clone` or glibc's `_Fork` is not noticed.

use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use super::switch::Carrier;
use crate::base::fork;
use crate::home::{self, slot};

/// The status of a child whose greenlet's closure has returned: as if the last thread of a process had.
const RETURNED: i32 = 0;
/// That of one whose closure has panicked: as if the main thread had.
const PANICKED: i32 = 101;

/// Has forks noticed from now on. To be called before the first runtime is made.
pub(crate) fn watch_forks() -> io::Result<()> {
    // Two threads may both register it, which does no harm.
    static DONE: AtomicBool = AtomicBool::new(false);
    if DONE.load(Relaxed) {
        return Ok(());
    }
    // SAFETY: the handler may run in the child of any thread: it is async-signal-safe.
    match unsafe { libc::pthread_atfork(None, None, Some(in_child)) } {
        0 => {
            DONE.store(true, Relaxed);
            Ok(())
        }
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// Runs in the child, on its only thread, before `fork` returns there. Async-signal-safe: it takes no lock and no memory.
extern "C" fn in_child() {
    fork::note();
    // SAFETY: the slot of our own identity.
    let slot = unsafe { &*slot() };
    // SAFETY: whoever is in the slot stays while its code runs: its stack is not used for another thread yet.
    let carrier = unsafe { slot.carrier().cast::<Carrier>().as_ref() };
    home::after_fork(carrier.map(Carrier::identity));
    slot.sever();
}

/// Whether the caller was a greenlet before the process was forked.
pub(crate) fn is_severed() -> bool {
    // SAFETY: the slot of the caller's own identity.
    unsafe { (*slot()).is_severed() }
}

/// For whoever is about to do on a plain thread what a greenlet would do otherwise: panics if the caller was one before the
/// process was forked.
#[track_caller]
pub(crate) fn assert_not_severed() {
    if is_severed() {
        fork::panic_left_behind();
    }
}

/// The closure of what was a greenlet has returned, or runtime code would go on in a process that has no runtime.
#[cold]
pub(crate) fn leave_process() -> ! {
    exit(RETURNED)
}

/// The closure has panicked, which the panic hook has told. Nothing happens in a greenlet.
#[cold]
pub(super) fn leave_if_severed() {
    if is_severed() {
        exit(PANICKED);
    }
}

fn exit(status: i32) -> ! {
    // SAFETY: it has no preconditions.
    unsafe { libc::_exit(status) }
}
