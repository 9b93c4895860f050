//! Who has which lock, and who waits for what: the wait-for graph, in which a cycle is a deadlock.
//!
//! Kept in builds with debug assertions, and from the first runtime on that is told to report deadlocks. It has the locks that have an
//! owner (mutexes, reader-writer locks) and joins; waits that end by themselves (with a deadline), and those that anybody may
//! end (conditions, channels), are not in it.
//!
//! What is found is certain, and every deadlock of these is found. Everybody in a cycle has entered what it has before what it wants,
//! and enters the latter under the lock of the line it waits in; so the last one to come, which looks, finds the others. And
//! who gives something back has taken it out of the graph before: as long as it is there, nobody has been woken for it, and a wait
//! that has not ended goes on.
//!
//! One lock over all, below those of the lines: this is for finding mistakes, not for speed.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::panic::Location;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, Thread, ThreadId};

use crate::base::lock::lock;
use crate::base::say::say;
use crate::greenlet::{GreenletRef, Myself, Renewed, Token};
use crate::home::Errno;
use crate::park::Wait;

/// Relaxed: a hint. What is not entered is not found.
static ON: AtomicBool = AtomicBool::new(cfg!(debug_assertions));
/// A forked child has one of its own: nobody there has or wants what others had.
static GRAPH: Renewed<Mutex<Graph>> = Renewed::new(Mutex::default);

/// Whether the graph is kept.
#[inline]
pub(crate) fn is_kept() -> bool {
    ON.load(Relaxed)
}

/// From now on it is.
pub(crate) fn keep() {
    ON.store(true, Relaxed);
}

/// A lock, how it is had or wanted, and where in the program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lock {
    /// Its address, by which it is known.
    pub(crate) address: usize,
    /// What it guards.
    pub(crate) guards: &'static str,
    /// How.
    pub(crate) how: How,
    /// Where it was asked for.
    pub(crate) at: &'static Location<'static>,
}

/// How a lock is had or wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum How {
    /// A mutex.
    Mutex,
    /// A reader-writer lock, to read.
    Read,
    /// A reader-writer lock, to write.
    Write,
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            address,
            guards,
            how,
            at,
        } = self;
        match how {
            How::Mutex => write!(f, "Mutex<{guards}>")?,
            How::Read => write!(f, "RwLock<{guards}> to read")?,
            How::Write => write!(f, "RwLock<{guards}> to write")?,
        }
        write!(f, " at {address:#x} ({at})")
    }
}

/// A greenlet or a plain thread.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Key {
    Greenlet(u64),
    Thread(ThreadId),
}

/// The same, to be named.
#[derive(Clone, Debug)]
enum Who {
    Greenlet(GreenletRef),
    Thread(Thread),
}

impl Who {
    fn current() -> Self {
        match Myself::current() {
            Some(greenlet) => Self::Greenlet(greenlet.reference()),
            None => Self::Thread(thread::current()),
        }
    }

    fn key(&self) -> Key {
        match self {
            Self::Greenlet(greenlet) => Key::Greenlet(greenlet.id),
            Self::Thread(thread) => Key::Thread(thread.id()),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Greenlet(greenlet) => {
                let name = greenlet.name.as_deref().unwrap_or("<unnamed>");
                let (id, site) = (greenlet.id, greenlet.site);
                write!(f, "greenlet '{name}' (id {id}, spawned at {site})")
            }
            Self::Thread(thread) => {
                let name = thread.name().unwrap_or("<unnamed>");
                write!(f, "thread '{name}' ({:?})", thread.id())
            }
        }
    }
}

/// What somebody waits for.
#[derive(Clone, Copy, Debug)]
enum Wanted {
    Lock(Lock),
    /// The end of the greenlet with this number.
    End(u64),
}

/// One who waits.
#[derive(Debug)]
struct Waiter {
    who: Who,
    wanted: Wanted,
    /// Of its wait; not to be fired.
    wait: Token,
    /// The later it came, the larger.
    number: u64,
}

#[derive(Debug, Default)]
struct Graph {
    /// By the address of a lock, who has it.
    had: HashMap<usize, Vec<(Who, Lock)>>,
    waiting: HashMap<Key, Waiter>,
    /// How many have waited so far.
    count: u64,
}

impl Graph {
    /// Those without whose doing `key` does not go on.
    fn blockers(&self, key: Key) -> Vec<Key> {
        let Some(waiter) = self
            .waiting
            .get(&key)
            .filter(|waiter| waiter.wait.is_live())
        else {
            return Vec::new();
        };
        let lock = match &waiter.wanted {
            Wanted::End(id) => return vec![Key::Greenlet(*id)],
            Wanted::Lock(lock) => lock,
        };
        let holders = self.had.get(&lock.address).into_iter().flatten();
        let holders = holders
            .filter(|(_, had)| lock.how != How::Read || had.how == How::Write)
            .map(|(who, _)| who.key());
        // A reader waits for the writers that are in the line before it, and not for those who read.
        let is_writer_before = |other: &&Waiter| match &other.wanted {
            Wanted::Lock(wanted) if lock.how == How::Read => {
                let of_it = wanted.address == lock.address && wanted.how == How::Write;
                of_it && other.number < waiter.number && other.wait.is_live()
            }
            _ => false,
        };
        let writers = self.waiting.values().filter(is_writer_before);
        holders
            .chain(writers.map(|writer| writer.who.key()))
            .collect()
    }

    /// Those who wait for each other, beginning with `start`, if it is one of them.
    fn cycle(&self, start: Key) -> Option<Vec<Key>> {
        let mut seen = vec![start];
        // With each, from where it was come to.
        let mut steps = vec![(start, usize::MAX)];
        let mut at = 0;
        while at < steps.len() {
            for next in self.blockers(steps[at].0) {
                if next == start {
                    let mut cycle = Vec::new();
                    let mut back = at;
                    while back != usize::MAX {
                        cycle.push(steps[back].0);
                        back = steps[back].1;
                    }
                    cycle.reverse();
                    return Some(cycle);
                }
                if !seen.contains(&next) {
                    seen.push(next);
                    steps.push((next, at));
                }
            }
            at += 1;
        }
        None
    }

    fn report(&self, cycle: &[Key]) -> String {
        let mut text = match cycle.len() {
            1 => String::from("deadlock: one waits for itself"),
            count => format!("deadlock: {count} wait for each other in a circle"),
        };
        for key in cycle {
            let Waiter { who, wanted, .. } = &self.waiting[key];
            // Writing to a string does not fail.
            let _ = write!(text, "\n    {who}");
            let mut word = "has";
            for (_, had) in self
                .had
                .values()
                .flatten()
                .filter(|had| had.0.key() == *key)
            {
                let _ = write!(text, "\n        {word} {had}");
                word = "and";
            }
            let _ = match wanted {
                Wanted::Lock(lock) => write!(text, "\n        wants {lock}"),
                Wanted::End(id) => write!(text, "\n        waits for the end of greenlet {id}"),
            };
        }
        text
    }
}

/// Does something with the graph. errno stays what it was, though whoever finds the lock taken asks the kernel.
fn with_graph<R>(act: impl FnOnce(&mut Graph) -> R) -> R {
    let errno = Errno::save();
    let result = act(&mut lock(GRAPH.get()));
    errno.restore();
    result
}

/// The caller has taken this lock.
#[cold]
pub(crate) fn took(taken: Lock) {
    let who = Who::current();
    with_graph(|graph| {
        let holders = graph.had.entry(taken.address).or_default();
        holders.push((who, taken));
    });
}

/// The caller is going to give this lock back. With `None`, it is gone.
#[cold]
pub(crate) fn gives(address: usize, how: Option<How>) {
    let key = Who::current().key();
    let gone = with_graph(|graph| {
        let holders = graph.had.get_mut(&address)?;
        let gone: Vec<_> = match how {
            None => std::mem::take(holders),
            Some(how) => {
                let mine = |(who, had): &(Who, Lock)| who.key() == key && had.how == how;
                let place = holders.iter().rposition(mine);
                place
                    .map(|place| holders.swap_remove(place))
                    .into_iter()
                    .collect()
            }
        };
        if holders.is_empty() {
            graph.had.remove(&address);
        }
        Some(gone)
    });
    // Outside the lock: it may be the last that is known of a greenlet.
    drop(gone);
}

/// Says that somebody waits, until it is dropped.
#[derive(Debug)]
pub(crate) struct Waiting {
    key: Key,
    report: Option<String>,
}

/// The caller is going to wait for a lock, for as long as it takes. Under the lock of the line it waits in; `tell` follows after.
#[cold]
pub(crate) fn wants(wanted: Lock, wait: &Wait) -> Waiting {
    Waiting::enter(Wanted::Lock(wanted), wait)
}

/// The caller is going to wait for the end of a greenlet, for as long as it takes. `tell` follows.
#[cold]
pub(crate) fn joins(id: u64, wait: &Wait) -> Waiting {
    Waiting::enter(Wanted::End(id), wait)
}

impl Waiting {
    fn enter(wanted: Wanted, wait: &Wait) -> Self {
        let who = Who::current();
        let key = who.key();
        let wait = wait.token(0);
        let (report, before) = with_graph(|graph| {
            graph.count += 1;
            let number = graph.count;
            let waiter = Waiter {
                who,
                wanted,
                wait,
                number,
            };
            let before = graph.waiting.insert(key, waiter);
            let report = graph.cycle(key).map(|cycle| graph.report(&cycle));
            (report, before)
        });
        // Outside the lock, as in `gives`.
        drop(before);
        Self { key, report }
    }

    /// If this was the last step to a deadlock, says so.
    pub(crate) fn tell(&mut self) {
        if let Some(report) = self.report.take() {
            say(format_args!("{report}"));
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let gone = with_graph(|graph| graph.waiting.remove(&self.key));
        // Outside the lock, as in `gives`.
        drop(gone);
    }
}
