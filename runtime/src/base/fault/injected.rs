//! Faults are injected as planned. The plan is the process's: tests that have one keep others away meanwhile.
#![forbid(unsafe_code)]

use std::sync::Mutex;

use rustix::io::Errno;

use super::Door;
use crate::base::lock::lock;

impl Door {
    /// All of them.
    pub const ALL: [Door; 28] = [
        Door::Map,
        Door::Unmap,
        Door::Protect,
        Door::Guard,
        Door::Guards,
        Door::Discard,
        Door::Advise,
        Door::Cells,
        Door::Thread,
        Door::Rseq,
        Door::Poller,
        Door::Bell,
        Door::Ring,
        Door::Watch,
        Door::Unwatch,
        Door::Wait,
        Door::PreciseWait,
        Door::Attempt,
        Door::Socket,
        Door::Options,
        Door::Bind,
        Door::Listen,
        Door::Accept,
        Door::Connect,
        Door::Outcome,
        Door::Receive,
        Door::Send,
        Door::Duplicate,
    ];
}

const _: () = {
    let mut at = 0;
    while at < Door::ALL.len() {
        assert!(Door::ALL[at] as usize == at, "in the order of the type");
        at += 1;
    }
};

/// Which calls fail.
#[derive(Clone, Copy, Debug)]
enum Planned {
    /// None.
    Never,
    /// The one after so many, and with `lasting` all that follow.
    After {
        calls: u64,
        errno: Errno,
        lasting: bool,
    },
    /// One of so many, by chance, each time with one of these.
    OneOf {
        calls: u64,
        errnos: &'static [Errno],
    },
}

#[derive(Clone, Copy, Debug)]
struct AtDoor {
    planned: Planned,
    /// A transfer of so many asks for less, by chance; 0 for none.
    shorten: u64,
    passed: u64,
    failed: u64,
}

#[derive(Debug)]
struct Plan {
    doors: [AtDoor; Door::ALL.len()],
    random: u64,
}

const NOTHING: AtDoor = AtDoor {
    planned: Planned::Never,
    shorten: 0,
    passed: 0,
    failed: 0,
};

static PLAN: Mutex<Plan> = Mutex::new(Plan {
    doors: [NOTHING; Door::ALL.len()],
    random: 0,
});

impl Plan {
    /// SplitMix64 (Steele, Lea, Flood, 2014).
    fn below(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    fn fault(&mut self, door: Door) -> Option<Errno> {
        let chance = self.below(u64::MAX);
        let at = &mut self.doors[door as usize];
        at.passed += 1;
        let fault = match &mut at.planned {
            Planned::Never => None,
            Planned::After {
                calls: 0,
                errno,
                lasting,
            } => {
                let errno = *errno;
                if !*lasting {
                    at.planned = Planned::Never;
                }
                Some(errno)
            }
            Planned::After { calls, .. } => {
                *calls -= 1;
                None
            }
            Planned::OneOf { calls, errnos } => {
                let (of_calls, of_errnos) = (chance % *calls, chance / *calls);
                (of_calls == 0).then(|| errnos[(of_errnos % errnos.len() as u64) as usize])
            }
        };
        at.failed += u64::from(fault.is_some());
        fault
    }
}

/// Whether the call behind `door` may be made, or what it is to have said instead.
pub fn at(door: Door) -> Result<(), Errno> {
    lock(&PLAN).fault(door).map_or(Ok(()), Err)
}

/// What the call behind `door` is to have said, which has said `said`.
pub fn instead<T>(door: Door, said: Result<T, Errno>) -> Result<T, Errno> {
    lock(&PLAN).fault(door).map_or(said, Err)
}

/// How much is to be asked for at `door`: at least 1 of what the caller wants.
pub fn shorten(door: Door, wanted: usize) -> usize {
    let mut plan = lock(&PLAN);
    let one_of = plan.doors[door as usize].shorten;
    if wanted > 1 && one_of != 0 && plan.below(one_of) == 0 {
        return 1 + plan.below(wanted as u64 - 1) as usize;
    }
    wanted
}

/// From now on the call number `nth` (from 1) behind `door` fails with `errno`; with `lasting` all that follow do too.
pub fn fail(door: Door, nth: u64, errno: Errno, lasting: bool) {
    lock(&PLAN).doors[door as usize].planned = Planned::After {
        calls: nth.checked_sub(1).expect("calls are counted from 1"),
        errno,
        lasting,
    };
}

/// From now on one of `calls` calls behind `door` fails, by chance, with one of `errnos`.
pub fn fail_at_random(door: Door, calls: u64, errnos: &'static [Errno]) {
    assert!(calls > 0 && !errnos.is_empty(), "something to choose from");
    lock(&PLAN).doors[door as usize].planned = Planned::OneOf { calls, errnos };
}

/// From now on one of `calls` transfers through `door` asks for less than its caller wants, by chance.
pub fn shorten_at_random(door: Door, calls: u64) {
    lock(&PLAN).doors[door as usize].shorten = calls;
}

/// What chance begins with.
pub fn seed(seed: u64) {
    lock(&PLAN).random = seed;
}

/// No more faults; and nothing counted.
pub fn clear() {
    lock(&PLAN).doors = [NOTHING; Door::ALL.len()];
}

/// How many calls have come to `door` since `clear`.
pub fn passed(door: Door) -> u64 {
    lock(&PLAN).doors[door as usize].passed
}

/// How many of those have failed for a fault.
pub fn failed(door: Door) -> u64 {
    lock(&PLAN).doors[door as usize].failed
}
