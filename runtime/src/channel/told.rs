//! A state that is told to all who wait for it to change: what a channel is made of that is not worth more.
//!
//! The state lies under the lock of the line of those who wait. Who changes it wakes all of them, and each looks again. What a look
//! takes out of the state is the looker's: so one that stops waiting has taken nothing.

use std::fmt;
use std::pin::{Pin, pin};
use std::time::Instant;

use crate::park::{Arm, Ended, Outcome, Place, Reason, Wait, WaitQueue};

/// See the module.
#[derive(Debug)]
pub(super) struct Told<S>(WaitQueue<S>);

/// What somebody looks for in a state. Runs under the lock: no user's code, nor drops of what is a user's.
pub trait Look<S> {
    /// What is taken out of the state.
    type Found;
    /// What is made of it, when the lock is released.
    type Value;

    /// Whether it is there.
    fn is_there(&self, state: &S) -> bool;
    /// Takes it, if it is there.
    fn take(&mut self, state: &mut S) -> Option<Self::Found>;
    /// Makes of it what was asked for.
    fn finish(found: Self::Found) -> Self::Value;
}

impl<S> Told<S> {
    pub(super) fn new(state: S) -> Self {
        Self(WaitQueue::new(state))
    }

    /// Looks at the state, or changes what nobody waits for.
    pub(super) fn with<R>(&self, f: impl FnOnce(&mut S) -> R) -> R {
        f(&mut self.0.lock())
    }

    /// Changes the state, and wakes all who wait for that.
    pub(super) fn change<R>(&self, f: impl FnOnce(&mut S) -> R) -> R {
        let mut state = self.0.lock();
        let value = f(&mut state);
        state.fire_all();
        value
    }

    /// Looks, without waiting.
    pub(super) fn look<L: Look<S>>(&self, look: &mut L) -> Option<L::Value> {
        let found = look.take(&mut self.0.lock());
        found.map(L::finish)
    }

    /// Waits until it is there, or until the deadline: `None`.
    pub(super) fn wait<L: Look<S>>(
        &self,
        look: &mut L,
        reason: Reason,
        deadline: Option<Instant>,
    ) -> Option<L::Value> {
        let mut in_time = true;
        loop {
            if let Some(value) = self.look(look) {
                return Some(value);
            }
            if !in_time || deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return None;
            }
            let wait = Wait::begin(reason);
            let place = pin!(self.0.place(()));
            let mut state = self.0.lock();
            if look.is_there(&state) {
                continue;
            }
            state.enlist(place.as_ref(), wait.token(0));
            drop(state);
            in_time = wait.park_until(deadline) != Ended::TimedOut;
        }
    }

    /// The same as an arm of a select.
    pub(super) fn arm<L: Look<S>>(&self, look: L) -> LookArm<'_, S, L> {
        LookArm {
            told: self,
            look,
            found: None,
            place: self.0.place(()),
        }
    }
}

/// Waiting for what somebody looks for, as one of several things.
#[doc(hidden)]
pub struct LookArm<'a, S, L: Look<S>> {
    told: &'a Told<S>,
    look: L,
    found: Option<L::Found>,
    /// Pinned with the arm.
    place: Place<'a, S, ()>,
}

impl<S, L: Look<S>> fmt::Debug for LookArm<'_, S, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LookArm").finish_non_exhaustive()
    }
}

impl<'a, S, L: Look<S>> LookArm<'a, S, L> {
    /// The fields that are not pinned.
    fn parts(self: Pin<&mut Self>) -> (&'a Told<S>, &mut L, &mut Option<L::Found>) {
        // SAFETY: the place is not touched, and the other fields are never pinned.
        let this = unsafe { self.get_unchecked_mut() };
        (this.told, &mut this.look, &mut this.found)
    }

    fn place(self: Pin<&Self>) -> Pin<&Place<'a, S, ()>> {
        // SAFETY: the place is pinned with the arm: nothing moves it out, and it is dropped where it is.
        unsafe { self.map_unchecked(|arm| &arm.place) }
    }
}

impl<S, L: Look<S>> Arm for LookArm<'_, S, L> {
    fn try_now(self: Pin<&mut Self>) -> bool {
        let (told, look, found) = self.parts();
        if found.is_none() {
            *found = look.take(&mut told.0.lock());
        }
        found.is_some()
    }

    fn enlist(self: Pin<&mut Self>, wait: &Wait, tag: u16) -> bool {
        let this = self.as_ref();
        let mut state = this.told.0.lock();
        if this.look.is_there(&state) {
            return true;
        }
        state.enlist(this.place(), wait.token(tag));
        false
    }

    fn leave(self: Pin<&mut Self>) {
        self.place.leave();
    }
}

impl<S, L: Look<S>> Outcome for LookArm<'_, S, L> {
    type Value = L::Value;

    fn take(self: Pin<&mut Self>) -> L::Value {
        let (_, _, found) = self.parts();
        L::finish(found.take().expect("it was done"))
    }
}
