//! Drawing a round's choices: from the seed and the round's number, and from nothing else.
//!
//! What the options fix is drawn all the same and then replaced, so that everything else stays as it was.

use std::sync::Arc;

use sward::Homes;
use sward_tests::Rng;
use sward_tests::identity::can_move;

use crate::locks::LOCKS;
use crate::options::{Kind, Options};
use crate::plan::{
    Child, Echo, EchoKind, Ending, Flow, Forever, How, Lane, Locked, Locking, Manner, Panic,
    Passing, Plan, Script, Setting, Step, Waker,
};

/// Sizes of stacks that are drawn, in bytes. The smallest has room for this program unoptimised.
const STACKS: [usize; 4] = [64 << 10, 128 << 10, 256 << 10, 1 << 20];
/// Limits of homes: few, so that most greenlets share one, and many, so that none does.
const LIMITS: [usize; 8] = [1, 2, 3, 4, 8, 16, 64, 128];
/// Deeper trees are not drawn.
const DEPTH: u64 = 4;

/// The choices of round `number`.
pub(crate) fn plan(options: &Options, number: u64) -> Plan {
    // The seed is stirred first: near seeds and near rounds give nothing alike.
    let seed = Rng::new(options.seed).number();
    let mut draw = Draw {
        rng: Rng::new(seed ^ Rng::new(number).number()),
        options,
        greenlets: 0,
        connections: 60,
        threads: 12,
        runtimes: 2,
    };
    // Now and then many more.
    draw.greenlets = match draw.below(16) {
        0 => 2_000 + draw.below(2_000),
        _ => 20 + draw.below(400),
    };
    let main = draw.setting(16);
    let beside = draw.setting(3);
    let serve_beside = draw.one_in(3);
    let mut roots = Vec::new();
    while draw.greenlets > 0 && roots.len() < 64 {
        let script = draw.script(0);
        roots.push(draw.child(script, false));
    }
    Plan {
        number,
        main,
        beside,
        serve_beside,
        roots,
        ending: draw.ending(3),
    }
}

struct Draw<'a> {
    rng: Rng,
    options: &'a Options,
    /// How many more greenlets, connections, threads and runtimes there may be, about.
    greenlets: u64,
    connections: u64,
    threads: u64,
    runtimes: u64,
}

impl Draw<'_> {
    fn below(&mut self, bound: u64) -> u64 {
        self.rng.below(bound)
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    fn setting(&mut self, most_workers: u64) -> Setting {
        let (workers, limit) = (
            1 + self.below(most_workers) as usize,
            *self.rng.pick(&LIMITS),
        );
        let moving = self.below(3) != 0;
        let stack = *self.rng.pick(&STACKS);
        let mprotect = self.one_in(4);
        let moving = match self.options.kind {
            Some(kind) => kind == Kind::Moving,
            None => moving && can_move(),
        };
        let limit = self.options.limit_homes.unwrap_or(limit);
        Setting {
            workers: self.options.workers.unwrap_or(workers),
            homes: match moving {
                true => Homes::Moving { limit },
                false => Homes::Fixed,
            },
            stack,
            mprotect,
        }
    }

    /// An end; with up to so many greenlets that are given up.
    fn ending(&mut self, most: u64) -> Ending {
        let manner = match self.below(8) {
            0..4 => Manner::Patient,
            4..6 => Manner::Impatient(self.below(4_000)),
            6 => Manner::Drop,
            _ => Manner::DropInside,
        };
        // Given-up greenlets keep stacks and threads for as long as the process lives, so there are few.
        let forever = match manner {
            Manner::Patient => 0,
            _ if self.one_in(2) => 1 + self.below(most),
            _ => 0,
        };
        let forever = (0..forever).map(|_| match self.below(5) {
            0 => Forever::Sleeps,
            1 => Forever::Yields,
            2 => Forever::Accepts,
            _ => Forever::Parks,
        });
        let forever = forever.collect();
        let sleepers = (0..self.below(4)).map(|_| self.below(3_000)).collect();
        Ending {
            manner,
            forever,
            poked: self.one_in(2),
            sleepers,
        }
    }

    fn child(&mut self, script: Script, inside: bool) -> Child {
        let how = match self.below(10) {
            0..4 => How::Joined,
            4..6 => How::JoinedInTurns(self.below(500)),
            6 if inside && self.threads > 0 => {
                self.threads -= 1;
                How::JoinedByThread
            }
            7 => How::DroppedLate,
            _ => How::Detached,
        };
        Child {
            how,
            named: self.one_in(4),
            stack: self.one_in(6).then(|| *self.rng.pick(&STACKS)),
            beside: self.one_in(12),
            script: Arc::new(script),
        }
    }

    /// What a greenlet `depth` below the root does.
    fn script(&mut self, depth: u64) -> Script {
        self.greenlets = self.greenlets.saturating_sub(1);
        let number = self.below(1 << 40);
        let steps = (0..1 + self.below(6)).map(|_| self.step(depth)).collect();
        let panic = self.one_in(8).then(|| Panic {
            hooked: self.one_in(2),
            meanwhile: (0..self.below(3)).map(|_| self.small_step()).collect(),
        });
        Script {
            number,
            steps,
            panic,
        }
    }

    fn step(&mut self, depth: u64) -> Step {
        match self.below(26) {
            0..6 if depth < DEPTH && self.greenlets > 0 => {
                let children = (0..1 + self.below(5)).map(|_| {
                    let script = self.script(depth + 1);
                    self.child(script, true)
                });
                Step::Children {
                    all: children.collect(),
                    reversed: self.one_in(2),
                }
            }
            6..8 if depth < DEPTH && self.greenlets > 0 => {
                let children = 1 + self.below(4);
                Step::Locals(
                    (0..children)
                        .map(|_| Arc::new(self.script(depth + 1)))
                        .collect(),
                )
            }
            8..11 if self.connections > 0 => {
                self.connections -= 1;
                match self.below(8) {
                    0 => Step::Refused,
                    1 => Step::Pair(1 + self.below(40_000) as usize),
                    _ => Step::Echo(self.echo()),
                }
            }
            11 if self.threads > 0 => {
                self.threads -= 1;
                Step::Thread(self.below(1 << 20))
            }
            12 if self.runtimes > 0 && depth < 2 => self.runtime(),
            13 => Step::Hog(self.below(500)),
            14 => Step::Caught(self.below(1 << 20)),
            15 | 16 => Step::Flow(self.flow()),
            _ => self.small_step(),
        }
    }

    /// One that may be done anywhere, also in a destructor.
    fn small_step(&mut self) -> Step {
        match self.below(10) {
            8 | 9 => Step::Locked(self.locked()),
            0..3 => Step::Yield(1 + self.below(6)),
            3 => Step::Sleep(self.below(3_000)),
            4 => Step::ParkTimeout(self.below(1_000)),
            // Half of the smallest stack, at most.
            5 => Step::Deep(1 + self.below(24) as usize),
            _ => {
                let waker = match self.below(5) {
                    0 => Waker::Local,
                    1 => Waker::Beside,
                    2 if self.threads > 0 => {
                        self.threads -= 1;
                        Waker::Thread
                    }
                    3 => Waker::Outsider(self.below(300)),
                    _ => Waker::Greenlet,
                };
                Step::Park {
                    waker,
                    timed: self.one_in(2),
                }
            }
        }
    }

    fn locked(&mut self) -> Locked {
        Locked {
            number: self.below(LOCKS as u64) as usize,
            how: match self.below(6) {
                0..3 => Locking::Mutex,
                3 | 4 => Locking::Read,
                _ => Locking::Write,
            },
            sleep: self.one_in(4).then(|| self.below(200)),
            timeout: self.one_in(3).then(|| self.below(300)),
        }
    }

    fn flow(&mut self) -> Flow {
        let lane = |draw: &mut Self| {
            let capacity = draw.below(4) as usize;
            match draw.below(8) {
                0..4 => Lane::Bounded(capacity),
                4 => Lane::Unbounded,
                5 => Lane::PriorityBounded(capacity + 1),
                6 => Lane::LifoBounded(capacity + 1),
                _ if draw.one_in(2) => Lane::Priority,
                _ => Lane::Lifo,
            }
        };
        let passing = |draw: &mut Self| match draw.below(4) {
            0 => Passing::Plainly,
            // Not too short, or two of them might never meet where there is no room.
            1 => Passing::Timed(20 + draw.below(200)),
            2 => Passing::Selected(20 + draw.below(200)),
            _ => Passing::Built,
        };
        Flow {
            lanes: [lane(self), lane(self)],
            senders: (0..1 + self.below(4))
                .map(|_| (self.below(40), passing(self)))
                .collect(),
            receivers: (0..1 + self.below(3)).map(|_| passing(self)).collect(),
            beside: self.one_in(4),
        }
    }

    fn echo(&mut self) -> Echo {
        let kind = match self.below(8) {
            0..3 => EchoKind::InTurns {
                shutdown: self.one_in(2),
            },
            3..5 => EchoKind::AtOnce,
            5 | 6 => EchoKind::ResetByClient,
            _ => EchoKind::ResetByServer,
        };
        // Those that are written before anything is read must fill the buffers of the kernel now and then.
        let largest = match kind {
            EchoKind::AtOnce => 300_000,
            _ => 20_000,
        };
        let messages = 1 + self.below(4);
        let sizes = (0..messages).map(|_| match self.below(3) {
            0 => 1 + self.below(16) as usize,
            _ => 1 + self.below(largest) as usize,
        });
        Echo {
            kind,
            sizes: sizes.collect(),
            seed: self.below(1 << 40),
            timeout: self.one_in(4).then(|| 100 + self.below(2_000)),
        }
    }

    fn runtime(&mut self) -> Step {
        self.runtimes -= 1;
        let setting = self.setting(3);
        let children = (0..1 + self.below(4)).map(|_| {
            // Too deep for another runtime or many children.
            let script = self.script(DEPTH - 1);
            self.child(script, false)
        });
        Step::Runtime {
            setting,
            children: children.collect(),
            orphan: self.one_in(2),
            ending: self.ending(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::counts::Event;

    fn options(seed: u64) -> Options {
        Options {
            seed,
            first: 0,
            rounds: None,
            limit: Duration::ZERO,
            times: 1,
            workers: None,
            kind: None,
            limit_homes: None,
            patience: Duration::ZERO,
            sabotage: None,
            inside: false,
        }
    }

    fn text(options: &Options, number: u64) -> String {
        format!("{:?}", plan(options, number))
    }

    #[test]
    fn the_same_seed_and_round_give_the_same_choices() {
        assert_eq!(text(&options(7), 3), text(&options(7), 3));
        assert_ne!(text(&options(7), 3), text(&options(7), 4));
        assert_ne!(text(&options(7), 3), text(&options(8), 3));
    }

    #[test]
    fn options_change_what_they_say_and_nothing_else() {
        for number in 0..20 {
            let mut fixed = options(7);
            let free = plan(&fixed, number);
            fixed.workers = Some(5);
            fixed.kind = Some(Kind::Fixed);
            let fixed = plan(&fixed, number);
            assert_eq!((fixed.main.workers, fixed.main.homes), (5, Homes::Fixed));
            assert_eq!(fixed.main.stack, free.main.stack);
            assert_eq!(fixed.counts(), free.counts());
        }
    }

    /// Whatever can be chosen is, within the rounds of a few seconds.
    #[test]
    fn everything_is_drawn() {
        let texts: String = (0..100).map(|number| text(&options(7), number)).collect();
        for word in [
            "Yield",
            "Mutex",
            "Read",
            "Write",
            "Sleep",
            "ParkTimeout",
            "Park {",
            "Bounded(0)",
            "Unbounded",
            "PriorityBounded",
            "Lifo,",
            "Plainly",
            "Timed",
            "Selected",
            "Built",
            "Hog",
            "Deep",
            "Caught",
            "Thread(",
            "Children",
            "Locals",
            "Echo",
            "Refused",
            "Pair",
            "Runtime {",
            "Greenlet",
            "Local,",
            "Beside",
            "Thread,",
            "Outsider",
            "InTurns",
            "AtOnce",
            "ResetByClient",
            "ResetByServer",
            "Joined,",
            "JoinedInTurns",
            "JoinedByThread",
            "Detached",
            "DroppedLate",
            "Patient",
            "Impatient",
            "Drop,",
            "DropInside",
            "hooked: true",
            "hooked: false",
            "Fixed",
            "Parks",
            "Sleeps",
            "Yields",
            "Accepts",
            "poked: true",
            "orphan: true",
        ] {
            assert!(texts.contains(word), "no {word}");
        }
        let counts: Vec<_> = (0..100)
            .map(|number| plan(&options(7), number).counts())
            .collect();
        assert!(counts.iter().any(|counts| counts.of(Event::Ran) > 1_000));
        assert!(counts.iter().any(|counts| counts.of(Event::Unheard) > 0));
    }
}
