//! Keeps std's count of panics with the greenlet that panics.
//!
//! std counts the panics under way per thread: `thread::panicking()` reads the count, a lock's poisoning depends on it.
//! A greenlet that suspends while it unwinds (a blocking call in `Drop`) would leave its count behind in its home, for
//! every other greenlet of that home to see. So it lays its count down before it leaves, and takes it up after.
//!
//! std offers no way to write the count, but two ways to change it: to *raise* an unwind adds one to the count of the
//! thread it is raised on, to *catch* one takes one off the count of the thread it is caught on. A *credit* is a small
//! execution of its own that was suspended between the two: it raised an unwind, and its only destructor switched
//! away. Raising one on a home adds to that home's count; letting one run on to its catch on a home takes off.
//!
//! - `lay_down`: while `panicking()`, take a credit from the store and let it end here.
//! - `take_up`: raise as many as were laid down, and put them into the store.
//!
//! The store starts empty. A credit that is missing is raised on a thread started for it, whose own count no longer
//! matters. From then on credits are conserved: there are as many as greenlets ever lay down their counts at once. The
//! process-wide count that std keeps besides is raised by as many, which only takes `panicking()` off its fast path.
//!
//! Rejected: to keep the home occupied until the unwinding greenlet runs again. With fixed or shared homes whatever it
//! waits for may need the same home, and then both wait for ever.
//!
//! Sound because the frames of a credit are our own (`raise_and_catch` and below): the unwinder and std run whole on one
//! thread each, `raise` before the switch and the catch after it, and no address of a thread-local goes from one to the
//! other: `raise` is never inlined.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;

use super::renewed::Renewed;
use crate::base::fault::{self, Door};
use crate::base::lock::lock;
use crate::base::sanitizer::Execution;
use crate::context::{Paused, Transfer};
use crate::stack::room_for_thread;

/// Bytes of stack for a credit: the unwinder takes about 6 KB of it in a debug build.
const STACK_SIZE: usize = 64 * 1024;

/// Address space for a thread: std's default for its stack, and as much for all else.
const THREAD_SPACE: usize = 4 << 20;

type StackMemory = Box<[MaybeUninit<u128>]>;

/// An execution between its raise and its catch.
struct Credit {
    paused: Paused,
    _stack: StackMemory,
}

// SAFETY: its frames are those of `raise_and_catch`, which may go on on another thread: see the module.
unsafe impl Send for Credit {}

static STORE: Renewed<Mutex<Vec<Credit>>> = Renewed::new(|| Mutex::new(Vec::new()));

/// A number of panics that a suspended greenlet has laid down.
#[must_use]
#[derive(Debug)]
pub(super) struct LaidDown(u32);

/// Takes the calling greenlet's panics off the count of its home.
#[inline]
pub(super) fn lay_down() -> LaidDown {
    if std::thread::panicking() {
        lay_down_all()
    } else {
        LaidDown(0)
    }
}

/// Puts them back.
#[inline]
pub(super) fn take_up(panics: LaidDown) {
    for _ in 0..panics.0 {
        let credit = raise_credit();
        lock(STORE.get()).push(credit);
    }
}

#[cold]
fn lay_down_all() -> LaidDown {
    let mut count = 0;
    while std::thread::panicking() {
        let stored = lock(STORE.get()).pop();
        let Some(credit) = stored.or_else(credit_from_a_thread) else {
            // No thread to be had: the count stays in the home, visible to those who share it, until we are back.
            break;
        };
        settle(credit);
        count += 1;
    }
    LaidDown(count)
}

fn credit_from_a_thread() -> Option<Credit> {
    fault::at(Door::Thread).ok()?;
    let _room = room_for_thread(THREAD_SPACE).ok()?;
    let thread = std::thread::Builder::new()
        .name("sward-panic".to_owned())
        .spawn(raise_credit)
        .ok()?;
    thread.join().ok()
}

/// Leaves the running execution for `next`. Who has resumed it, when it is resumed.
///
/// # Safety
/// As `Paused::resume`, under the identity that the caller has.
#[inline(never)]
unsafe fn go_on_with(next: Paused) -> Paused {
    // SAFETY: the caller's promise. All executions here switch by this function.
    unsafe { next.resume(Execution::leave()).left() }
}

/// Adds one to the calling thread's count.
fn raise_credit() -> Credit {
    let mut stack: StackMemory = Box::new_uninit_slice(STACK_SIZE / size_of::<u128>());
    let range = stack.as_mut_ptr_range();
    // SAFETY: the memory is the credit's own; the box does not move what it points to.
    let fresh = unsafe { Paused::new(range.end.cast(), range.start.cast(), raise_and_catch) };
    // SAFETY: the stack lives, and the execution runs on this thread until it switches back.
    let paused = unsafe { go_on_with(fresh) };
    Credit {
        paused,
        _stack: stack,
    }
}

/// Takes one off the calling thread's count.
fn settle(credit: Credit) {
    let Credit { paused, _stack } = credit;
    // SAFETY: the stack lives until the execution has come back for good; see the module for the change of thread.
    unsafe { go_on_with(paused).bury() };
}

/// The body of a credit: raises, switches away in the one destructor, catches, and leaves for good.
extern "C" fn raise_and_catch(transfer: Transfer) -> ! {
    // SAFETY: who starts a credit does it by `go_on_with`.
    let other = Cell::new(Some(unsafe { transfer.left() }));
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let _switch = SwitchOnDrop(&other);
        raise();
    }));
    let other = other.take().expect("somebody let the credit run on");
    // SAFETY: whoever let the credit run on waits for it there. Nothing on this stack is used again.
    unsafe { go_on_with(other) };
    unreachable!("a settled credit was resumed")
}

#[inline(never)]
fn raise() {
    resume_unwind(Box::new(()));
}

struct SwitchOnDrop<'a>(&'a Cell<Option<Paused>>);

impl Drop for SwitchOnDrop<'_> {
    fn drop(&mut self) {
        let other = self.0.take().expect("somebody waits for the raise");
        // SAFETY: the execution that started the credit; it runs on this thread.
        self.0.set(Some(unsafe { go_on_with(other) }));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::thread::panicking;

    struct OnDrop<F: FnMut()>(F);
    impl<F: FnMut()> Drop for OnDrop<F> {
        fn drop(&mut self) {
            (self.0)();
        }
    }

    #[test]
    fn a_count_is_laid_down_and_taken_up() {
        for _ in 0..100 {
            let mut seen = Vec::new();
            let caught = catch_unwind(AssertUnwindSafe(|| {
                let _observe = OnDrop(|| {
                    seen.push(panicking());
                    let laid_down = lay_down();
                    seen.push(panicking());
                    take_up(laid_down);
                    seen.push(panicking());
                });
                resume_unwind(Box::new(7));
            }));
            assert_eq!(*caught.unwrap_err().downcast::<i32>().unwrap(), 7);
            assert_eq!(seen, [true, false, true]);
            assert!(!panicking());
        }
    }

    #[test]
    fn nested_panics_are_laid_down_together() {
        let depth = Cell::new(0);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let _outer = OnDrop(|| {
                let inner = catch_unwind(AssertUnwindSafe(|| {
                    let _inner = OnDrop(|| {
                        let laid_down = lay_down();
                        depth.set(laid_down.0);
                        assert!(!panicking());
                        take_up(laid_down);
                    });
                    resume_unwind(Box::new(2));
                }));
                assert!(inner.is_err() && panicking());
            });
            resume_unwind(Box::new(1));
        }));
        assert!(caught.is_err() && !panicking());
        assert_eq!(depth.get(), 2);
    }
}
