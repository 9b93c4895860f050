//! Floor 13: waiting for one of several things. `select!` expands to calls of what is here; `Select` does the same for a number of
//! things that is known at run time only.
//!
//! The protocol is that of `park::Arm`: first each arm is tried, in random order; if none can be done, one wait is begun for
//! all, with a token in each arm's line. Exactly one token can end it, and that decides.
#![forbid(unsafe_code)]

mod builder;

use std::cell::Cell;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::time::{Duration, Instant};

use crate::base::rng::Rng;
use crate::park::{self, Arm, Ended, Outcome, Reason, Wait};

pub use builder::Select;

/// An arm of whatever kind.
pub struct AnyArm<'a>(Pin<&'a mut dyn Arm>);

impl fmt::Debug for AnyArm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyArm").finish_non_exhaustive()
    }
}

/// Forgets what kind of arm it is.
pub fn arm<'a, A: Arm + 'a>(arm: Pin<&'a mut A>) -> AnyArm<'a> {
    AnyArm(arm)
}

/// What came of the arm that was chosen.
pub fn take<A: Outcome>(arm: Pin<&mut A>) -> A::Value {
    arm.take()
}

/// How long a select waits.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    /// Not at all.
    Now,
    /// Until then.
    At(Instant),
    /// For as long as it takes.
    Never,
}

impl Limit {
    /// From now on for so long; for as long as it takes, if that is too far to be told.
    #[must_use]
    pub fn timeout(limit: Duration) -> Self {
        Instant::now()
            .checked_add(limit)
            .map_or(Self::Never, Self::At)
    }

    /// Until then.
    #[must_use]
    pub fn deadline(at: Instant) -> Self {
        Self::At(at)
    }
}

/// Up to so many arms are put into a random order without an allocation.
const FEW: usize = 8;

/// Waits until one of the arms is done: its number. `None` if none was in time.
///
/// # Panics
///
/// If there is nothing to wait for.
pub fn select(arms: &mut [Option<AnyArm<'_>>], biased: bool, limit: Limit) -> Option<usize> {
    let count = arms.len();
    assert!(count < 65_000, "at most 65,000 arms");
    let (mut few, mut many) = ([0; FEW], Vec::new());
    let order = match count <= FEW {
        true => &mut few[..count],
        false => {
            many.resize(count, 0);
            &mut many[..]
        }
    };
    order
        .iter_mut()
        .enumerate()
        .for_each(|(at, place)| *place = at);
    loop {
        if !biased {
            shuffle(order);
        }
        let ready = order.iter().copied().find(|&at| {
            let arm = arms[at].as_mut();
            arm.is_some_and(|arm| arm.0.as_mut().try_now())
        });
        if ready.is_some() {
            park::spend_budget();
            return ready;
        }
        let mut deadline = match limit {
            Limit::Now => return None,
            Limit::At(at) if at <= Instant::now() => return None,
            Limit::At(at) => Some(at),
            Limit::Never => None,
        };
        let mut reason = Reason::Select;
        let mut any = deadline.is_some();
        for AnyArm(arm) in arms.iter().flatten() {
            any = true;
            deadline = match (deadline, arm.deadline()) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
            if arm.is_socket() {
                reason = Reason::Readable;
            }
        }
        assert!(any, "select: no arm is enabled, and there is no limit");
        if let Some(done) = wait_for(arms, order, reason, deadline) {
            return Some(done);
        }
    }
}

/// One wait for all arms, which get in line in this order: of two in the same line the first is served. The number of the one that
/// is done, if one is.
fn wait_for(
    arms: &mut [Option<AnyArm<'_>>],
    order: &[usize],
    reason: Reason,
    deadline: Option<Instant>,
) -> Option<usize> {
    let wait = Wait::begin(reason);
    let mut ready = false;
    for &at in order {
        if let Some(AnyArm(arm)) = &mut arms[at] {
            // Below 65,000, as was checked.
            ready |= arm.as_mut().enlist(&wait, at as u16);
            if ready {
                break;
            }
        }
    }
    let ended = match ready {
        // What could be done now is done in the next round, unless somebody has ended the wait.
        true => wait.leave(),
        false => match wait.park_until(deadline) {
            Ended::Fired(tag) => Some(tag),
            Ended::TimedOut => None,
        },
    };
    for AnyArm(arm) in arms.iter_mut().flatten() {
        arm.as_mut().leave();
    }
    let at = usize::from(ended?);
    let AnyArm(arm) = arms[at].as_mut().expect("it was enlisted");
    arm.as_mut().fired().then_some(at)
}

/// Puts numbers into a random order.
fn shuffle(order: &mut [usize]) {
    thread_local! {
        static RANDOM: Rng = Rng::new(RandomState::new().hash_one(Cell::new(0).as_ptr() as usize));
    }
    // Without thread-locals, at a thread's end, the order stays.
    let _ = RANDOM.try_with(|random| {
        for end in (2..=order.len()).rev() {
            order.swap(random.below(end), end - 1);
        }
    });
}
