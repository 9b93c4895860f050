//! What is chosen for a round: who does what, and what must come of it.
//!
//! Made by `draw`, done by `act`, `net` and `ending`. Everything that these count as done, `Plan::counts` counts as chosen, from
//! the plan alone.

use std::sync::Arc;

use sward::Homes;

use crate::counts::{Counts, Event};

/// A round.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) number: u64,
    /// The runtime of the storm.
    pub(crate) main: Setting,
    /// A second one, whose greenlets wake and join those of the first, and the other way round.
    pub(crate) beside: Setting,
    /// The server is in the second one, too.
    pub(crate) serve_beside: bool,
    /// What the main thread spawns.
    pub(crate) roots: Vec<Child>,
    pub(crate) ending: Ending,
}

/// The settings of a runtime.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) workers: usize,
    pub(crate) homes: Homes,
    pub(crate) stack: usize,
    /// As on an older kernel.
    pub(crate) mprotect: bool,
}

/// How a runtime ends, and who is there then.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    pub(crate) manner: Manner,
    /// Greenlets that wait for ever.
    pub(crate) forever: Vec<Forever>,
    /// A plain thread unparks all of them meanwhile, again and again.
    pub(crate) poked: bool,
    /// Greenlets that sleep for so many microseconds and then end, if they are let.
    pub(crate) sleepers: Vec<u64>,
}

/// What one does that never ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forever {
    Parks,
    Sleeps,
    Yields,
    Accepts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// By a shutdown that waits for all who end by themselves.
    Patient,
    /// By a shutdown that waits so many microseconds.
    Impatient(u64),
    /// By a drop.
    Drop,
    /// By a drop in one of its own greenlets.
    DropInside,
}

/// A greenlet, and what becomes of its handle.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) how: How,
    pub(crate) named: bool,
    pub(crate) stack: Option<usize>,
    /// It runs on the second runtime.
    pub(crate) beside: bool,
    pub(crate) script: Arc<Script>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Joined,
    /// By `join_timeout` with so many microseconds, as often as it takes.
    JoinedInTurns(u64),
    /// By a plain thread.
    JoinedByThread,
    Detached,
    /// Dropped when the greenlet has ended.
    DroppedLate,
}

/// What a greenlet does.
#[derive(Debug)]
pub(crate) struct Script {
    /// What it gives besides what its steps give.
    pub(crate) number: u64,
    pub(crate) steps: Vec<Step>,
    pub(crate) panic: Option<Panic>,
}

/// The end of a greenlet that panics.
#[derive(Debug)]
pub(crate) struct Panic {
    /// By way of the panic hook.
    pub(crate) hooked: bool,
    /// Done in a destructor while it unwinds.
    pub(crate) meanwhile: Vec<Step>,
}

#[derive(Debug)]
pub(crate) enum Step {
    Yield(u64),
    /// So many microseconds.
    Sleep(u64),
    /// A `park_timeout` that the time ends, after so many microseconds.
    ParkTimeout(u64),
    /// A park that an `unpark` ends; by `park_timeout` with a long time if `timed`.
    Park {
        waker: Waker,
        timed: bool,
    },
    /// Something that all share, changed or looked at under its lock.
    Locked(Locked),
    /// Messages between greenlets of one's own.
    Flow(Flow),
    /// Computes for so many microseconds without a suspension.
    Hog(u64),
    /// Fills so many KiB of stack, suspends there, and looks at it on the way back.
    Deep(usize),
    /// A panic that is caught, with a suspension while it unwinds.
    Caught(u64),
    /// A plain thread that spawns a greenlet and joins it.
    Thread(u64),
    /// Spawns all, then joins all: in the order of their spawning, or the other way round.
    Children {
        all: Vec<Child>,
        reversed: bool,
    },
    /// Spawns all as local greenlets and joins them.
    Locals(Vec<Arc<Script>>),
    /// A connection to the server.
    Echo(Echo),
    /// A connection to nobody.
    Refused,
    /// A listener of one's own, and so many bytes from a child.
    Pair(usize),
    /// A runtime of one's own.
    Runtime {
        setting: Setting,
        children: Vec<Child>,
        /// Somebody outside waits for a socket of it when it ends.
        orphan: bool,
        ending: Ending,
    },
}

/// A lock that is taken, and given back.
#[derive(Debug)]
pub(crate) struct Locked {
    /// Which of those that there are.
    pub(crate) number: usize,
    pub(crate) how: Locking,
    /// It is held for so many microseconds, asleep; or for a yield.
    pub(crate) sleep: Option<u64>,
    /// Waiting for it gives up, and is tried again, after so many microseconds.
    pub(crate) timeout: Option<u64>,
}

/// Which kind of lock, and how it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Locking {
    Mutex,
    Read,
    Write,
}

/// Messages, by two channels.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) lanes: [Lane; 2],
    /// How many messages each of them sends, and how: all together the numbers from 0.
    pub(crate) senders: Vec<(u64, Passing)>,
    pub(crate) receivers: Vec<Passing>,
    /// The receivers run on the second runtime.
    pub(crate) beside: bool,
}

/// A channel.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lane {
    /// Without room, if it is 0.
    Bounded(usize),
    Unbounded,
    Priority,
    PriorityBounded(usize),
    Lifo,
    LifoBounded(usize),
}

/// How one sends, or receives.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Passing {
    /// To send, by turns; to receive, by `select!`.
    Plainly,
    /// Giving up after so many microseconds, and trying again.
    Timed(u64),
    /// By `select!` with such a limit.
    Selected(u64),
    /// By a `Select`.
    Built,
}

/// Who unparks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waker {
    Greenlet,
    /// A local one.
    Local,
    /// One of the second runtime.
    Beside,
    /// A plain thread, started for it.
    Thread,
    /// A plain thread that is there, after so many microseconds.
    Outsider(u64),
}

/// What a client does.
#[derive(Debug)]
pub(crate) struct Echo {
    pub(crate) kind: EchoKind,
    /// Of each message.
    pub(crate) sizes: Vec<usize>,
    /// Where the bytes come from.
    pub(crate) seed: u64,
    /// Reading gives up, and is tried again, after so many microseconds.
    pub(crate) timeout: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EchoKind {
    /// Writes a message, reads its echo, and so on. At the end it shuts its side down and waits for the server's, or closes.
    InTurns { shutdown: bool },
    /// One greenlet writes all, another reads all.
    AtOnce,
    /// Resets the connection before it has read the last echo.
    ResetByClient,
    /// The server resets the connection when it has got all.
    ResetByServer,
}

impl Plan {
    /// What must be counted in this round.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.roots.iter().for_each(|child| child.count(&mut counts));
        counts
    }
}

impl Child {
    /// Whether its value comes to who spawned it.
    pub(crate) fn is_joined(&self) -> bool {
        !matches!(self.how, How::Detached | How::DroppedLate)
    }

    fn count(&self, counts: &mut Counts) {
        counts.add(Event::Ran, 1);
        if self.script.panic.is_some() && !self.is_joined() {
            counts.add(Event::Unheard, 1);
        }
        self.script.count(counts);
    }
}

/// What those give to who spawned them.
fn worth_of(children: &[Child]) -> u64 {
    let joined = children.iter().filter(|child| child.is_joined());
    joined.fold(0, |sum, child| sum.wrapping_add(child.script.worth()))
}

impl Script {
    /// What it gives, as its value or as the payload of its panic.
    pub(crate) fn worth(&self) -> u64 {
        let steps = self.steps.iter().map(Step::worth);
        steps.fold(self.number, u64::wrapping_add)
    }

    fn count(&self, counts: &mut Counts) {
        counts.add(Event::Sum, self.worth());
        self.steps.iter().for_each(|step| step.count(counts));
        if let Some(Panic { hooked, meanwhile }) = &self.panic {
            let event = if *hooked {
                Event::Hooked
            } else {
                Event::Raised
            };
            counts.add(event, 1);
            meanwhile.iter().for_each(|step| step.count(counts));
        }
    }
}

impl Step {
    fn worth(&self) -> u64 {
        match self {
            Step::Yield(count) => *count,
            Step::Deep(kib) => *kib as u64,
            Step::Caught(number) | Step::Thread(number) => *number,
            Step::Children { all, .. } => worth_of(all),
            Step::Locals(all) => all
                .iter()
                .fold(0, |sum, script| sum.wrapping_add(script.worth())),
            Step::Echo(echo) => echo.echoed(),
            Step::Pair(size) => *size as u64,
            Step::Flow(flow) => (0..flow.messages()).sum(),
            Step::Runtime { children, .. } => worth_of(children),
            Step::Sleep(_)
            | Step::ParkTimeout(_)
            | Step::Park { .. }
            | Step::Locked(_)
            | Step::Hog(_)
            | Step::Refused => 0,
        }
    }

    fn count(&self, counts: &mut Counts) {
        match self {
            Step::Yield(_)
            | Step::Sleep(_)
            | Step::ParkTimeout(_)
            | Step::Hog(_)
            | Step::Deep(_) => {}
            Step::Park { .. } => counts.add(Event::Parked, 1),
            Step::Locked(locked) => counts.add(locked.event(), 1),
            Step::Flow(flow) => counts.add(Event::Message, flow.messages()),
            Step::Caught(_) => counts.add(Event::Raised, 1),
            Step::Thread(_) => counts.add(Event::Thread, 1),
            Step::Children { all, .. } => all.iter().for_each(|child| child.count(counts)),
            Step::Locals(all) => {
                counts.add(Event::Local, all.len() as u64);
                all.iter().for_each(|script| script.count(counts));
            }
            Step::Echo(echo) => echo.count(counts),
            Step::Refused => counts.add(Event::Refused, 1),
            Step::Pair(_) => counts.add(Event::Pair, 1),
            Step::Runtime { children, .. } => {
                counts.add(Event::Runtime, 1);
                children.iter().for_each(|child| child.count(counts));
            }
        }
    }
}

impl Locked {
    pub(crate) fn event(&self) -> Event {
        match self.how {
            Locking::Mutex => Event::Locked,
            Locking::Read => Event::Read,
            Locking::Write => Event::Written,
        }
    }
}

impl Flow {
    fn messages(&self) -> u64 {
        self.senders.iter().map(|(count, _)| count).sum()
    }
}

impl Echo {
    /// How many bytes come back to the client, to be looked at.
    fn echoed(&self) -> u64 {
        let all = self.sizes.iter().sum::<usize>() as u64;
        match self.kind {
            EchoKind::InTurns { .. } | EchoKind::AtOnce => all,
            EchoKind::ResetByClient => all - *self.sizes.last().unwrap_or(&0) as u64,
            EchoKind::ResetByServer => 0,
        }
    }

    fn count(&self, counts: &mut Counts) {
        counts.add(Event::Connected, 1);
        counts.add(Event::Accepted, 1);
        counts.add(Event::Bytes, self.echoed());
        match self.kind {
            EchoKind::InTurns { .. } | EchoKind::AtOnce => {}
            EchoKind::ResetByClient => counts.add(Event::ResetByClient, 1),
            EchoKind::ResetByServer => counts.add(Event::ResetByServer, 1),
        }
    }
}
