//! The word on which one greenlet, or one plain thread, waits.
//!
//! A *wait* is one episode of parking. Its owner begins it, gives tokens of it to whatever may end it (a source, a
//! timer, a channel, a join), and parks. The first token to fire ends the episode; all others, then or years later,
//! find another epoch in the word and do nothing.
//!
//! | bits  | meaning |
//! |-------|---------|
//! | 0-1   | phase: `IDLE`, `ARMED`, `PARKED`, `FIRED` |
//! | 2     | `PERMIT`: an `unpark` came when no open wait was under way; the next open wait takes it |
//! | 3     | `OPEN`: `unpark` may end this wait (only `park` itself begins one that is open) |
//! | 4-19  | tag: which token ended the wait |
//! | 20-63 | epoch: counts waits, wraps after 1.7e13 |
//!
//! Who may change what:
//! - `IDLE or FIRED -> ARMED` (`begin`) and `ARMED -> IDLE` (`end`): the owner alone. A wait that was fired stays so until
//!   the next one begins: its tokens are stale in that phase, and one write is saved.
//! - `ARMED -> PARKED` (`publish`): whoever holds the suspended owner, after its registers are saved. From this
//!   point on the right to run the owner lies in the word.
//! - `ARMED or PARKED -> FIRED` (`fire`, `unpark`): anybody with the epoch, once. Whoever makes `PARKED -> FIRED`
//!   has taken the right to run the owner out of the word and must schedule it.
//! - `IDLE or FIRED -> PARKED` (`publish_open`): both steps in one, by whoever holds the suspended owner. The owner gives out
//!   no tokens of such a wait, so nobody could have fired it before: only `unpark` ends it. If a permit lies there, the step
//!   is to `FIRED` instead, in the epoch that is over.
//! - `PERMIT`: set by anybody, cleared by the owner in `begin` or `take_permit`, or by whoever holds it in `publish_open`.
//!
//! No wake-up is lost: `publish` and `fire` are read-modify-writes of one word, so one comes first. If `fire` does,
//! `publish` fails and the holder runs the owner again; if `publish` does, `fire` sees `PARKED` and schedules.

#![cfg_attr(not(loom), forbid(unsafe_code))]

use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use crate::base::sync::AtomicU64;

const PHASE: u64 = 0b11;
const IDLE: u64 = 0;
const ARMED: u64 = 1;
const PARKED: u64 = 2;
const FIRED: u64 = 3;
const PERMIT: u64 = 1 << 2;
const OPEN: u64 = 1 << 3;
const TAG_SHIFT: u32 = 4;
const TAG: u64 = 0xffff << TAG_SHIFT;
const EPOCH_SHIFT: u32 = 20;

/// The number of one wait of one owner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Epoch(u64);

/// What `begin` found.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Begin {
    /// The wait is armed.
    Armed(Epoch),
    /// A permit lay ready and is consumed: there is nothing to wait for.
    Permitted,
}

/// What a firing did.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fire {
    /// That wait had ended already.
    Stale,
    /// The wait has ended before its owner was parked; the owner sees it by itself.
    Early,
    /// The wait has ended, and the caller now holds the right to run the owner: it must schedule it.
    Resume,
}

/// What `publish` found.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Publish {
    /// The owner is parked; the right to run it is in the word.
    Parked,
    /// The wait had ended already: the caller keeps the right to run the owner and must use it.
    Fired,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct WaitWord(AtomicU64);

impl WaitWord {
    /// A word with no wait under way.
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(IDLE))
    }

    /// Begins the next wait. An `open` wait can be ended by `unpark`, and takes a permit that lies ready.
    pub(crate) fn begin(&self, open: bool) -> Begin {
        // Acquire: pairs with the release in `unpark`, whose permit may be consumed here.
        let mut word = self.0.load(Acquire);
        loop {
            debug_assert!(
                matches!(word & PHASE, IDLE | FIRED),
                "a wait is begun inside another"
            );
            let epoch = (word >> EPOCH_SHIFT).wrapping_add(1);
            let (new, begin) = if open && word & PERMIT != 0 {
                (word & !(PERMIT | PHASE), Begin::Permitted)
            } else {
                let open = if open { OPEN } else { 0 };
                let kept = word & PERMIT;
                let new = epoch << EPOCH_SHIFT | kept | open | ARMED;
                (new, Begin::Armed(Epoch(new >> EPOCH_SHIFT)))
            };
            // Acquire on success for the permit, as above. Nothing is published by beginning: the tokens go out
            // through locks of their own.
            match self.0.compare_exchange_weak(word, new, Acquire, Acquire) {
                Ok(_) => return begin,
                Err(now) => word = now,
            }
        }
    }

    /// Ends the wait `epoch` with `tag`, if it is still under way.
    pub(crate) fn fire(&self, epoch: Epoch, tag: u16) -> Fire {
        let mut word = self.0.load(Relaxed);
        loop {
            if word >> EPOCH_SHIFT != epoch.0 {
                return Fire::Stale;
            }
            let outcome = match word & PHASE {
                ARMED => Fire::Early,
                PARKED => Fire::Resume,
                _ => return Fire::Stale,
            };
            let new = (word & !(PHASE | TAG | OPEN)) | FIRED | u64::from(tag) << TAG_SHIFT;
            // Release: what the firer did before is seen by the owner after `end`. Acquire: a firer that gets
            // `Resume` sees all the owner wrote before `publish`, its saved registers above all.
            match self.0.compare_exchange_weak(word, new, AcqRel, Relaxed) {
                Ok(_) => return outcome,
                Err(now) => word = now,
            }
        }
    }

    /// Ends an open wait with `tag`, or leaves a permit for the next one.
    pub(crate) fn unpark(&self, tag: u16) -> Fire {
        let mut word = self.0.load(Relaxed);
        loop {
            let (new, outcome) = match word & PHASE {
                phase @ (ARMED | PARKED) if word & OPEN != 0 => (
                    (word & !(PHASE | TAG | OPEN)) | FIRED | u64::from(tag) << TAG_SHIFT,
                    if phase == PARKED {
                        Fire::Resume
                    } else {
                        Fire::Early
                    },
                ),
                _ => (word | PERMIT, Fire::Stale),
            };
            // The same pairs as in `fire`; also written when the permit is there already, because the owner's
            // `begin` must see what this caller did before.
            match self.0.compare_exchange_weak(word, new, AcqRel, Relaxed) {
                Ok(_) => return outcome,
                Err(now) => word = now,
            }
        }
    }

    /// The owner's registers are saved: makes the wait one that a firing resumes.
    pub(crate) fn publish(&self) -> Publish {
        let mut word = self.0.load(Relaxed);
        loop {
            match word & PHASE {
                FIRED => return Publish::Fired,
                phase => debug_assert_eq!(phase, ARMED, "published without a wait"),
            }
            let new = (word & !PHASE) | PARKED;
            // Release: pairs with the acquire in `fire`, which hands the saved owner to the next runner.
            match self.0.compare_exchange_weak(word, new, AcqRel, Relaxed) {
                Ok(_) => return Publish::Parked,
                Err(now) => word = now,
            }
        }
    }

    /// `begin` and `publish` of an open wait in one, for a wait that has no tokens but `unpark`. A permit that lies ready is
    /// consumed: it ends the wait with `tag`.
    pub(crate) fn publish_open(&self, tag: u16) -> Publish {
        let mut word = self.0.load(Relaxed);
        loop {
            debug_assert!(
                matches!(word & PHASE, IDLE | FIRED),
                "a wait is begun inside another"
            );
            let (new, outcome) = if word & PERMIT != 0 {
                let new = (word & !(PERMIT | PHASE | TAG)) | FIRED | u64::from(tag) << TAG_SHIFT;
                (new, Publish::Fired)
            } else {
                let epoch = (word >> EPOCH_SHIFT).wrapping_add(1);
                (epoch << EPOCH_SHIFT | OPEN | PARKED, Publish::Parked)
            };
            // Release: as in `publish`. Acquire: pairs with the release in `unpark`, whose permit may be consumed here.
            match self.0.compare_exchange_weak(word, new, AcqRel, Relaxed) {
                Ok(_) => return outcome,
                Err(now) => word = now,
            }
        }
    }

    /// Consumes a permit that lies ready. Asked by the owner, between two waits.
    pub(crate) fn take_permit(&self) -> bool {
        // Acquire: pairs with the release in `unpark`.
        self.0.load(Relaxed) & PERMIT != 0 && self.0.fetch_and(!PERMIT, Acquire) & PERMIT != 0
    }

    /// Takes the right to run a parked owner out of the word without ending its wait: it will never run again, and every
    /// token is stale from here on. False if there is no such right to take.
    pub(crate) fn seize(&self) -> bool {
        let mut word = self.0.load(Relaxed);
        while word & PHASE == PARKED {
            // Acquire: as in `fire`, the caller gets what the owner left.
            match self
                .0
                .compare_exchange_weak(word, word & !(PHASE | OPEN), AcqRel, Relaxed)
            {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// Whether the wait under way has ended.
    pub(crate) fn is_fired(&self) -> bool {
        // Acquire: pairs with the release in `fire`.
        self.0.load(Acquire) & PHASE == FIRED
    }

    /// Whether `epoch` is the wait under way and has not ended.
    pub(crate) fn is_live(&self, epoch: Epoch) -> bool {
        let word = self.0.load(Relaxed);
        word >> EPOCH_SHIFT == epoch.0 && matches!(word & PHASE, ARMED | PARKED)
    }

    /// The owner leaves the wait. The tag of the token that ended it, or `None` if none did: from here on none can.
    pub(crate) fn end(&self) -> Option<u16> {
        // Acquire: pairs with the release in `fire`.
        let mut word = self.0.load(Acquire);
        loop {
            if word & PHASE == FIRED {
                return Some(((word & TAG) >> TAG_SHIFT) as u16);
            }
            debug_assert_eq!(word & PHASE, ARMED, "the owner runs, so it is not parked");
            let new = word & !(PHASE | TAG | OPEN);
            // Acquire: as above.
            match self.0.compare_exchange_weak(word, new, Acquire, Acquire) {
                Ok(_) => return None,
                Err(now) => word = now,
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn armed(word: &WaitWord, open: bool) -> Epoch {
        match word.begin(open) {
            Begin::Armed(epoch) => epoch,
            Begin::Permitted => panic!("a permit out of nowhere"),
        }
    }

    #[test]
    fn the_first_token_wins_and_late_ones_are_stale() {
        let word = WaitWord::new();
        let first = armed(&word, false);
        assert_eq!(word.fire(first, 7), Fire::Early);
        assert_eq!(word.fire(first, 8), Fire::Stale);
        assert_eq!(word.publish(), Publish::Fired);
        assert_eq!(word.end(), Some(7));
        assert_eq!(word.fire(first, 9), Fire::Stale);
        let second = armed(&word, false);
        assert_ne!(first, second);
        assert_eq!(word.publish(), Publish::Parked);
        assert_eq!(word.fire(first, 9), Fire::Stale);
        assert_eq!(word.fire(second, 10), Fire::Resume);
        assert_eq!(word.end(), Some(10));
    }

    #[test]
    fn a_permit_waits_for_the_next_open_wait_only() {
        let word = WaitWord::new();
        assert_eq!(word.unpark(1), Fire::Stale);
        assert_eq!(word.unpark(1), Fire::Stale);
        let closed = armed(&word, false);
        assert_eq!(word.unpark(1), Fire::Stale);
        assert_eq!(word.fire(closed, 2), Fire::Early);
        assert_eq!(word.end(), Some(2));
        assert_eq!(word.begin(true), Begin::Permitted);
        let open = armed(&word, true);
        assert_eq!(word.publish(), Publish::Parked);
        assert_eq!(word.unpark(3), Fire::Resume);
        assert_eq!(word.end(), Some(3));
        assert_eq!(word.fire(open, 4), Fire::Stale);
    }

    #[test]
    fn an_open_wait_begun_late_takes_a_permit_and_makes_tokens_stale() {
        let word = WaitWord::new();
        let closed = armed(&word, false);
        assert_eq!(word.unpark(1), Fire::Stale);
        assert_eq!(word.end(), None);
        assert_eq!(word.publish_open(2), Publish::Fired);
        assert_eq!(word.end(), Some(2));
        assert!(!word.take_permit());
        assert_eq!(word.publish_open(2), Publish::Parked);
        assert_eq!(word.fire(closed, 3), Fire::Stale);
        assert_eq!(word.unpark(4), Fire::Resume);
        assert_eq!(word.unpark(4), Fire::Stale);
        assert_eq!(word.end(), Some(4));
        assert!(word.take_permit());
        assert!(!word.take_permit());
    }

    #[test]
    fn a_wait_can_be_left_unfired() {
        let word = WaitWord::new();
        let epoch = armed(&word, true);
        assert!(word.is_live(epoch));
        assert_eq!(word.end(), None);
        assert_eq!(word.fire(epoch, 1), Fire::Stale);
        assert!(!word.is_live(epoch));
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::cell::UnsafeCell;
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicUsize;
    use loom::thread;

    /// A greenlet as the word sees it: `frame` stands for its stack and registers, which only the holder of the
    /// right to run may touch; loom reports two holders as a data race.
    struct Owner {
        word: WaitWord,
        frame: UnsafeCell<u32>,
        resumed: AtomicUsize,
    }

    impl Owner {
        fn new() -> Arc<Self> {
            Arc::new(Self {
                word: WaitWord::new(),
                frame: UnsafeCell::new(0),
                resumed: AtomicUsize::new(0),
            })
        }

        /// Runs the owner after its wait, as a worker that holds the right would.
        fn resume(&self) -> Option<u16> {
            self.frame.with_mut(|frame| {
                // SAFETY: loom checks that nobody else is here.
                unsafe { *frame += 1 }
            });
            self.resumed.fetch_add(1, Relaxed);
            self.word.end()
        }
    }

    #[test]
    fn loom_two_tokens_race_with_publishing() {
        loom::model(|| {
            let owner = Owner::new();
            let Begin::Armed(epoch) = owner.word.begin(false) else {
                unreachable!()
            };
            let firers: Vec<_> = (1..=2u16)
                .map(|tag| {
                    let owner = owner.clone();
                    thread::spawn(move || match owner.word.fire(epoch, tag) {
                        Fire::Resume => {
                            assert_eq!(owner.resume(), Some(tag));
                            true
                        }
                        Fire::Early => true,
                        Fire::Stale => false,
                    })
                })
                .collect();
            owner.frame.with_mut(|frame| {
                // SAFETY: the owner runs still; loom checks.
                unsafe { *frame += 1 }
            });
            if owner.word.publish() == Publish::Fired {
                assert!(owner.resume().is_some());
            }
            let winners = firers
                .into_iter()
                .map(|f| f.join().unwrap())
                .filter(|&won| won)
                .count();
            assert_eq!(winners, 1, "one token ends the wait");
            assert_eq!(owner.resumed.load(Relaxed), 1, "the owner ran on, once");
        });
    }

    #[test]
    fn loom_an_unpark_is_never_lost() {
        loom::model(|| {
            let owner = Owner::new();
            let other = owner.clone();
            let unparker = thread::spawn(move || {
                if other.word.unpark(1) == Fire::Resume {
                    other.resume();
                }
            });
            let ran_on = match owner.word.begin(true) {
                Begin::Permitted => true,
                Begin::Armed(_) => {
                    if owner.word.publish() == Publish::Fired {
                        owner.resume();
                    }
                    false
                }
            };
            unparker.join().unwrap();
            assert!(ran_on || owner.resumed.load(Relaxed) == 1);
        });
    }

    #[test]
    fn loom_two_unparks_race_with_a_late_beginning() {
        loom::model(|| {
            let owner = Owner::new();
            let unparkers: Vec<_> = (0..2)
                .map(|_| {
                    let owner = owner.clone();
                    thread::spawn(move || {
                        if owner.word.unpark(1) == Fire::Resume {
                            assert_eq!(owner.resume(), Some(1));
                        }
                    })
                })
                .collect();
            let mut ran_on = owner.word.take_permit();
            if !ran_on {
                owner.frame.with_mut(|frame| {
                    // SAFETY: the owner runs still; loom checks.
                    unsafe { *frame += 1 }
                });
                if owner.word.publish_open(1) == Publish::Fired {
                    assert_eq!(owner.resume(), Some(1));
                    ran_on = true;
                }
            }
            for unparker in unparkers {
                unparker.join().unwrap();
            }
            assert!(ran_on || owner.resumed.load(Relaxed) == 1);
        });
    }

    #[test]
    fn loom_a_stale_token_does_not_end_the_next_wait() {
        loom::model(|| {
            let owner = Owner::new();
            let Begin::Armed(first) = owner.word.begin(false) else {
                unreachable!()
            };
            let late = owner.clone();
            let firer = thread::spawn(move || late.word.fire(first, 1));
            let early = owner.word.end();
            let Begin::Armed(second) = owner.word.begin(false) else {
                unreachable!()
            };
            let fired = firer.join().unwrap();
            assert_eq!(fired == Fire::Early, early == Some(1));
            assert!(owner.word.is_live(second));
        });
    }

    /// A select, with a place in each of two lines: of two that each have something to give, one ends the wait and gives it, the
    /// other finds that the wait is over and keeps what it has. Whose arm it was, the tag says.
    #[test]
    fn loom_a_select_is_given_one_thing() {
        use loom::sync::Mutex;

        /// A line with one place, what is in the place, and what was kept.
        #[derive(Default)]
        struct Line {
            place: Option<(Epoch, u16)>,
            given: u32,
            kept: u32,
        }

        loom::model(|| {
            let owner = Owner::new();
            let lines: Arc<[Mutex<Line>; 2]> = Arc::new(Default::default());
            let Begin::Armed(epoch) = owner.word.begin(false) else {
                unreachable!()
            };
            let givers: Vec<_> = (0..2)
                .map(|number| {
                    let (owner, lines) = (owner.clone(), lines.clone());
                    thread::spawn(move || {
                        let mut line = lines[number].lock().unwrap();
                        let place = line.place.take();
                        match place.map(|(epoch, tag)| owner.word.fire(epoch, tag)) {
                            None | Some(Fire::Stale) => line.kept += 1,
                            Some(fire) => {
                                line.given += 1;
                                drop(line);
                                if fire == Fire::Resume {
                                    owner.resume();
                                }
                            }
                        }
                    })
                })
                .collect();
            let mut ended = None;
            for (number, line) in lines.iter().enumerate() {
                let mut line = line.lock().unwrap();
                // It could be done now: the select leaves its wait, and tries.
                if line.kept > 0 {
                    ended = Some(owner.word.end());
                    break;
                }
                line.place = Some((epoch, number as u16));
            }
            if ended.is_none() && owner.word.publish() == Publish::Fired {
                owner.resume();
            }
            for giver in givers {
                giver.join().unwrap();
            }
            let sums = lines.iter().map(|line| {
                let line = line.lock().unwrap();
                (line.given, line.kept)
            });
            let (given, kept) = sums.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
            assert_eq!(given + kept, 2, "nothing is lost");
            match ended {
                // Both may have come before it was in line; or one ended the wait meanwhile, and that arm counts.
                Some(ended) => assert_eq!(given, u32::from(ended.is_some())),
                None => {
                    assert_eq!((given, owner.resumed.load(Relaxed)), (1, 1));
                    let winner = owner.word.end().expect("it was ended");
                    assert_eq!(lines[usize::from(winner)].lock().unwrap().given, 1);
                }
            }
        });
    }
}
