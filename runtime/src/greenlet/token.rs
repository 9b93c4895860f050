//! Tokens: the right to end one wait, of a greenlet or of a plain thread.
//!
//! A token may be fired from anywhere, at any time, on any thread, under no lock of the runtime's. It holds a
//! reference to its owner, so firing one after everything has ended is harmless.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use super::header::GreenletRef;
use super::sys_fork::assert_not_severed;
use super::wait_word::{Epoch, Fire, WaitWord};
use crate::base::fork;
use crate::base::lock::lock;
use crate::base::threads::Counted;

/// Who waits.
#[derive(Clone, Debug)]
pub(crate) enum Owner {
    /// A greenlet: firing schedules it.
    Greenlet(GreenletRef),
    /// A plain thread: firing wakes it.
    Thread(Arc<ThreadOwner>),
}

impl Owner {
    /// The word of this owner's waits.
    fn word(&self) -> &WaitWord {
        match self {
            Self::Greenlet(greenlet) => &greenlet.wait,
            Self::Thread(thread) => &thread.word,
        }
    }

    /// Carries out what a firing of the word owes.
    fn settle(&self, fire: Fire) {
        match (self, fire) {
            (_, Fire::Stale) => {}
            (Self::Greenlet(greenlet), Fire::Resume) => greenlet.resume(),
            (Self::Greenlet(_), Fire::Early) => {}
            (Self::Thread(thread), Fire::Early | Fire::Resume) => thread.wake(),
        }
    }
}

/// The right to end one wait.
#[derive(Debug)]
pub(crate) struct Token {
    owner: Owner,
    epoch: Epoch,
    tag: u16,
}

impl Token {
    /// The right to end the wait `epoch` of `owner` with `tag`.
    pub(crate) fn new(owner: Owner, epoch: Epoch, tag: u16) -> Self {
        Self { owner, epoch, tag }
    }

    /// Ends the wait. False if it had ended already.
    pub(crate) fn fire(self) -> bool {
        let fire = self.owner.word().fire(self.epoch, self.tag);
        self.owner.settle(fire);
        fire != Fire::Stale
    }

    /// Whether the wait is under way and has not ended: as far as one can see.
    pub(crate) fn is_live(&self) -> bool {
        self.owner.word().is_live(self.epoch)
    }

    /// Ends the wait, with another tag if one is given, and leaves it to the caller to wake who waited. The token back if the
    /// wait had ended already.
    ///
    /// Who waited may see that its wait has ended before it is woken: what it then looks at must be under a lock that the
    /// caller has.
    pub(crate) fn claim(self, tag: Option<u16>) -> Result<Claimed, Self> {
        let fire = self.owner.word().fire(self.epoch, tag.unwrap_or(self.tag));
        match fire {
            Fire::Stale => Err(self),
            Fire::Early | Fire::Resume => Ok(Claimed(self.owner, fire)),
        }
    }
}

/// The duty to wake one whose wait has ended.
#[must_use]
#[derive(Debug)]
pub(crate) struct Claimed(Owner, Fire);

impl Claimed {
    /// Wakes who waited.
    pub(crate) fn wake(self) {
        self.0.settle(self.1);
    }
}

/// What stands for a plain thread that waits.
#[derive(Debug)]
pub(crate) struct ThreadOwner {
    word: WaitWord,
    /// While it sleeps without a deadline and has not been woken, it is counted.
    asleep: Mutex<Option<Counted>>,
    wake: Condvar,
    /// The process it was made in, as `fork::process` has it.
    process: u64,
}

impl ThreadOwner {
    fn new() -> Self {
        Self {
            process: fork::process(),
            word: WaitWord::new(),
            asleep: Mutex::new(None),
            wake: Condvar::new(),
        }
    }

    /// The calling thread's. `std::thread::park` is not used for waiting: its token belongs to the user.
    pub(crate) fn current() -> Arc<Self> {
        thread_local! {
            static CURRENT: RefCell<Option<Arc<ThreadOwner>>> = const { RefCell::new(None) };
        }
        assert_not_severed();
        // A thread that is running its thread-local destructors gets one for this wait only.
        CURRENT
            .try_with(|current| {
                let mut current = current.borrow_mut();
                match &*current {
                    Some(owner) if owner.process == fork::process() => owner.clone(),
                    // In a forked child, somebody who is not there may have the lock.
                    _ => current.insert(Arc::new(Self::new())).clone(),
                }
            })
            .unwrap_or_else(|_| Arc::new(Self::new()))
    }

    /// The word of its waits.
    pub(crate) fn word(&self) -> &WaitWord {
        &self.word
    }

    /// Sleeps until the wait under way has ended, or until `deadline`.
    /// If only another greenlet or thread could end it, it is counted (`base::threads`).
    pub(crate) fn sleep(&self, deadline: Option<Instant>, counted: bool) {
        let mut asleep = lock(&self.asleep);
        // `wake` locks after the word was fired: either it comes first and the word is seen here, or the lock is
        // released inside the condition's wait and the notification finds us there.
        while !self.word.is_fired() {
            if counted && deadline.is_none() {
                asleep.get_or_insert_with(Counted::waiting);
            }
            asleep = match deadline {
                None => self
                    .wake
                    .wait(asleep)
                    .unwrap_or_else(std::sync::PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return;
                    }
                    self.wake
                        .wait_timeout(asleep, left)
                        .unwrap_or_else(|e| e.into_inner())
                        .0
                }
            };
        }
    }

    fn wake(&self) {
        lock(&self.asleep).take();
        self.wake.notify_one();
    }
}
