//! The word of a greenlet's life and result.
//!
//! | bit | name | set by | means |
//! |-----|----------|---------------------|-------|
//! | 0 | `RESULT` | the greenlet at its end | the result slot is written for good |
//! | 1 | `HANDLE` | creation; cleared by the handle's drop | a `JoinHandle` lives |
//! | 2 | `JOINER` | the handle | the joiner slot holds a token for the runner to fire |
//! | 3 | `DONE` | the runner, after the closure, its result's owner and the greenlet's own values are done | nothing of the greenlet runs any more; its stack and home may be about to be given back |
//!
//! Who owns the *result slot*: the greenlet until `RESULT`; then the handle if `HANDLE` was still set at that moment,
//! otherwise the greenlet, which drops the result while it still runs in its home. A handle that is dropped later
//! finds `RESULT` and drops the result itself.
//!
//! Who owns the *joiner slot*: the handle while `JOINER` is clear, or once it has seen `DONE` before it set `JOINER`;
//! the runner from the moment its own `DONE` finds `JOINER` set.

#![cfg_attr(not(loom), forbid(unsafe_code))]

use std::sync::atomic::Ordering::{AcqRel, Acquire};

use crate::base::sync::AtomicU32;

const RESULT: u32 = 1 << 0;
const HANDLE: u32 = 1 << 1;
const JOINER: u32 = 1 << 2;
const DONE: u32 = 1 << 3;

/// Who has to drop the result.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ResultOwner {
    /// The caller.
    Caller,
    /// The other side, now or later.
    Other,
}

/// Whether a joiner's token is to be fired by the runner.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Finish {
    /// The joiner slot is the runner's: take the token and fire it.
    FireJoiner,
    /// Nobody is registered.
    Nobody,
}

/// What the handle owes after it tried to register or to leave.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Joiner {
    /// `register`: the runner will fire the token. `unregister`: the slot is the handle's again.
    Pending,
    /// The greenlet is done. `register`: the slot stayed the handle's, which takes its token back. `unregister`: the
    /// runner owns the slot and the token.
    Done,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct State(AtomicU32);

impl State {
    /// A new greenlet, with a handle.
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(HANDLE))
    }

    /// The greenlet has written its result.
    pub(crate) fn set_result(&self) -> ResultOwner {
        // Release: the handle that drops or takes the result sees it written. Acquire: if the handle is gone, what
        // its owner did before is seen by the destructor that runs here.
        let before = self.0.fetch_or(RESULT, AcqRel);
        debug_assert_eq!(before & (RESULT | DONE), 0);
        if before & HANDLE == 0 {
            ResultOwner::Caller
        } else {
            ResultOwner::Other
        }
    }

    /// Whether the result is written.
    pub(crate) fn has_result(&self) -> bool {
        // Acquire: as in `is_done`.
        self.0.load(Acquire) & RESULT != 0
    }

    /// The handle goes away without having taken the result.
    pub(crate) fn drop_handle(&self) -> ResultOwner {
        // The same pair, from the other side.
        let before = self.0.fetch_and(!HANDLE, AcqRel);
        debug_assert_ne!(before & HANDLE, 0);
        if before & RESULT == 0 {
            ResultOwner::Other
        } else {
            ResultOwner::Caller
        }
    }

    /// The greenlet has ended, and is counted no more.
    pub(crate) fn finish(&self) -> Finish {
        // Release: who sees `DONE` sees all of the greenlet's effects. Acquire: pairs with the release in `register`,
        // which wrote the token.
        let before = self.0.fetch_or(DONE, AcqRel);
        debug_assert_eq!(before & (RESULT | DONE), RESULT);
        if before & JOINER == 0 {
            Finish::Nobody
        } else {
            Finish::FireJoiner
        }
    }

    /// The handle has put a token into the joiner slot.
    pub(crate) fn register(&self) -> Joiner {
        // Release: the token is written. Acquire: pairs with the release in `finish`.
        let before = self.0.fetch_or(JOINER, AcqRel);
        debug_assert_eq!(before & JOINER, 0);
        if before & DONE == 0 {
            Joiner::Pending
        } else {
            Joiner::Done
        }
    }

    /// The handle's wait has ended in another way: it wants its slot back.
    pub(crate) fn unregister(&self) -> Joiner {
        let before = self.0.fetch_and(!JOINER, AcqRel);
        if before & DONE == 0 {
            Joiner::Pending
        } else {
            Joiner::Done
        }
    }

    /// Whether the greenlet is done: its result may be taken by the handle.
    pub(crate) fn is_done(&self) -> bool {
        // Acquire: pairs with the release in `finish`.
        self.0.load(Acquire) & DONE != 0
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::cell::UnsafeCell;
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicUsize;
    use loom::thread;
    use std::sync::atomic::Ordering::Relaxed;

    struct Cell {
        state: State,
        result: UnsafeCell<Option<u32>>,
        joiner: UnsafeCell<Option<u32>>,
        fired: AtomicUsize,
        dropped: AtomicUsize,
    }

    impl Cell {
        fn new() -> Arc<Self> {
            Arc::new(Self {
                state: State::new(),
                result: UnsafeCell::new(None),
                joiner: UnsafeCell::new(None),
                fired: AtomicUsize::new(0),
                dropped: AtomicUsize::new(0),
            })
        }

        fn drop_result(&self) {
            // SAFETY: loom checks that nobody else is here.
            self.result
                .with_mut(|r| unsafe { (*r).take() })
                .expect("the result is there");
            self.dropped.fetch_add(1, Relaxed);
        }

        fn run(&self) {
            // SAFETY: as above.
            self.result.with_mut(|r| unsafe { *r = Some(1) });
            if self.state.set_result() == ResultOwner::Caller {
                self.drop_result();
            }
            if self.state.finish() == Finish::FireJoiner {
                // SAFETY: as above.
                self.joiner
                    .with_mut(|j| unsafe { (*j).take() })
                    .expect("the token is there");
                self.fired.fetch_add(1, Relaxed);
            }
        }
    }

    #[test]
    fn loom_a_dropped_handle_and_the_end_drop_the_result_once() {
        loom::model(|| {
            let cell = Cell::new();
            let runner = {
                let cell = cell.clone();
                thread::spawn(move || cell.run())
            };
            if cell.state.drop_handle() == ResultOwner::Caller {
                cell.drop_result();
            }
            runner.join().unwrap();
            assert_eq!(cell.dropped.load(Relaxed), 1);
        });
    }

    #[test]
    fn loom_a_joiner_is_fired_or_sees_done() {
        loom::model(|| {
            let cell = Cell::new();
            let runner = {
                let cell = cell.clone();
                thread::spawn(move || cell.run())
            };
            // SAFETY: loom checks.
            cell.joiner.with_mut(|j| unsafe { *j = Some(1) });
            let registered = cell.state.register();
            if registered == Joiner::Done {
                // SAFETY: as above.
                assert!(cell.joiner.with_mut(|j| unsafe { (*j).take() }).is_some());
            }
            runner.join().unwrap();
            assert!(cell.state.is_done());
            assert_eq!(
                cell.fired.load(Relaxed),
                usize::from(registered == Joiner::Pending)
            );
            // The handle takes the result.
            cell.drop_result();
        });
    }

    #[test]
    fn loom_a_joiner_that_leaves_owns_its_slot_unless_done() {
        loom::model(|| {
            let cell = Cell::new();
            let runner = {
                let cell = cell.clone();
                thread::spawn(move || cell.run())
            };
            // SAFETY: loom checks.
            cell.joiner.with_mut(|j| unsafe { *j = Some(1) });
            let mut mine = cell.state.register() == Joiner::Done;
            if !mine {
                mine = cell.state.unregister() == Joiner::Pending;
            }
            if mine {
                // SAFETY: as above.
                assert!(cell.joiner.with_mut(|j| unsafe { (*j).take() }).is_some());
            }
            runner.join().unwrap();
            assert_eq!(cell.fired.load(Relaxed), usize::from(!mine));
        });
    }
}
