//! An operation on a descriptor as one of several things to wait for.

use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;

use super::Direction;
use super::descriptor::{Io, Step};
use crate::park::{Arm, Outcome, Wait};
use crate::reactor::{SourcePlace, Waited, shut_down};

/// See the module. `op` is tried as `Io::run` tries it, without waiting.
pub(crate) struct IoArm<'a, T: AsFd, R, F> {
    io: &'a Io<T>,
    direction: Direction,
    op: F,
    is_short: fn(&R, usize) -> bool,
    asked: usize,
    outcome: Option<io::Result<R>>,
    /// Pinned with the arm.
    place: Option<SourcePlace<'a>>,
}

impl<T: AsFd, R, F> fmt::Debug for IoArm<'_, T, R, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IoArm").finish_non_exhaustive()
    }
}

impl<T: AsFd> Io<T> {
    /// `run`, as an arm.
    pub(crate) fn arm<R, F: FnMut(&T) -> io::Result<R>>(
        &self,
        direction: Direction,
        op: F,
    ) -> IoArm<'_, T, R, F> {
        IoArm {
            io: self,
            direction,
            op,
            is_short: |_, _| false,
            asked: 0,
            outcome: None,
            place: None,
        }
    }

    /// `transfer`, as an arm.
    pub(crate) fn transfer_arm<F: FnMut(&T) -> io::Result<usize>>(
        &self,
        direction: Direction,
        asked: usize,
        op: F,
    ) -> IoArm<'_, T, usize, F> {
        IoArm {
            is_short: |&moved, asked| moved < asked && asked <= super::LIMIT,
            asked,
            ..self.arm(direction, op)
        }
    }
}

impl<T: AsFd, R, F: FnMut(&T) -> io::Result<R>> Arm for IoArm<'_, T, R, F> {
    fn try_now(self: Pin<&mut Self>) -> bool {
        // SAFETY: `place` is not moved or replaced here, and nothing else is pinned.
        let this = unsafe { self.get_unchecked_mut() };
        while this.outcome.is_none() {
            let (is_short, asked) = (this.is_short, this.asked);
            let short = |result: &R| is_short(result, asked);
            match this.io.step(this.direction, &mut this.op, short) {
                Step::Done(outcome) => this.outcome = Some(outcome.map_err(io::Error::from)),
                Step::Again => {}
                Step::Unready(_) => return false,
            }
        }
        true
    }

    fn enlist(mut self: Pin<&mut Self>, wait: &Wait, tag: u16) -> bool {
        let (io, direction) = (self.io, self.direction);
        // It has joined a reactor: `try_now` has found it unready.
        let Some(source) = io.source() else {
            return true;
        };
        // SAFETY: `place` is pinned with the arm, and nothing but this projection reaches it.
        let mut place = unsafe { self.as_mut().map_unchecked_mut(|arm| &mut arm.place) };
        place.set(Some(source.place(direction)));
        let place = place.as_ref().as_pin_ref().expect("it was just made");
        match source.enlist(direction, place, wait.token(tag)) {
            None => false,
            Some(Waited::Shut) => {
                // SAFETY: as in `try_now`.
                unsafe { self.get_unchecked_mut() }.outcome = Some(Err(shut_down()));
                true
            }
            Some(_) => true,
        }
    }

    fn leave(self: Pin<&mut Self>) {
        if let Some(place) = &self.place {
            place.leave();
        }
    }

    fn is_socket(&self) -> bool {
        true
    }
}

impl<T: AsFd, R, F: FnMut(&T) -> io::Result<R>> Outcome for IoArm<'_, T, R, F> {
    type Value = io::Result<R>;

    fn take(self: Pin<&mut Self>) -> io::Result<R> {
        // SAFETY: as in `try_now`.
        let this = unsafe { self.get_unchecked_mut() };
        this.outcome.take().expect("it was done")
    }
}
