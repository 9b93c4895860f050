//! Greenlets that a greenlet (or the main thread) spawns: how they are spawned, what becomes of their handles, and what they give.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use sward::{Builder, Handle, JoinError, JoinHandle};
use sward_tests::Section;
use sward_tests::identity::identity;

use crate::act;
use crate::counts::Event;
use crate::ground::Ground;
use crate::ledger::Token;
use crate::panics::chosen;
use crate::plan::{Child, How, Script};

/// Between two looks of who waits by looking.
const PAUSE: Duration = Duration::from_micros(100);

/// What a greenlet gives.
#[derive(Debug)]
pub(crate) struct Outcome {
    value: u64,
    _token: Token,
}

impl Outcome {
    /// Holds the token of who gives it until it is dropped.
    pub(crate) fn new(value: u64, token: Token) -> Outcome {
        Outcome {
            value,
            _token: token,
        }
    }

    /// The value of one that was joined, whichever way it ended.
    fn value(joined: Result<Outcome, JoinError>) -> u64 {
        match joined {
            Ok(outcome) => outcome.value,
            Err(error) => chosen(error),
        }
    }
}

/// Spawns all, on `runtime` or where the caller is, and has the values of those that are joined.
pub(crate) fn all(
    ground: &Arc<Ground>,
    runtime: Option<&Handle>,
    all: &[Child],
    reversed: bool,
) -> u64 {
    let spawned = all.iter().map(|child| spawn(ground, runtime, child));
    let mut spawned: Vec<_> = all.iter().zip(spawned).collect();
    if reversed {
        spawned.reverse();
    }
    let mut sum: u64 = 0;
    for (child, handle) in spawned {
        // Those that are detached have none.
        let Some(handle) = handle else { continue };
        let Some(value) = end(child.how, handle) else {
            continue;
        };
        assert_eq!(value, child.script.worth(), "the wrong value of {child:?}");
        sum = sum.wrapping_add(value);
    }
    sum
}

/// Spawns a greenlet. Nothing is returned if it is detached.
fn spawn(
    ground: &Arc<Ground>,
    runtime: Option<&Handle>,
    child: &Child,
) -> Option<JoinHandle<Outcome>> {
    let (theirs, script, token) = (ground.clone(), child.script.clone(), Token::new());
    let (number, named) = (script.number, child.named);
    let body = move || {
        theirs.tally.add(Event::Ran, 1);
        let greenlet = sward::current();
        let name = named.then(|| format!("stress-{number}"));
        assert_eq!(greenlet.name(), name.as_deref(), "the wrong name");
        let outcome = act::run(&theirs, &script);
        drop(token);
        outcome
    };
    let runtime = match child.beside {
        true => Some(&ground.beside),
        false => runtime,
    };
    let mut builder = Builder::new();
    if named {
        builder = builder.name(format!("stress-{number}"));
    }
    if let Some(stack) = child.stack {
        builder = builder.stack_size(stack);
    }
    let plain = !named && child.stack.is_none();
    let handle = match runtime {
        Some(runtime) if plain => runtime.spawn(body),
        Some(runtime) => builder
            .spawn_on(runtime, body)
            .expect("it is not shut down"),
        None if plain => sward::spawn(body),
        None => builder.spawn(body).expect("it is not shut down"),
    };
    if child.script.panic.is_some() && !child.is_joined() {
        ground.tally.add(Event::Unheard, 1);
    }
    (child.how != How::Detached).then_some(handle)
}

/// Does with a handle what was chosen. The value, if it was joined.
fn end(how: How, handle: JoinHandle<Outcome>) -> Option<u64> {
    match how {
        How::Joined => Some(Outcome::value(handle.join())),
        How::JoinedInTurns(micros) => {
            let mut handle = handle;
            loop {
                match handle.join_timeout(Duration::from_micros(micros)) {
                    Ok(joined) => return Some(Outcome::value(joined)),
                    Err(again) => handle = again,
                }
            }
        }
        How::JoinedByThread => Some(act::on_a_thread(|| Outcome::value(handle.join()))),
        How::Detached => None,
        How::DroppedLate => {
            while !handle.is_finished() {
                sward::park_timeout(PAUSE);
            }
            None
        }
    }
}

/// Local children: they share what is neither `Send` nor `Sync`, and their parent's identity.
pub(crate) fn locals(ground: &Arc<Ground>, all: &[Arc<Script>]) -> u64 {
    let home = identity();
    let family = Rc::new((Section::new(), Cell::new(0_u64)));
    let mut handles = Vec::new();
    for script in all {
        let (ground, script, family) = (ground.clone(), script.clone(), family.clone());
        let token = Token::new();
        handles.push(sward::spawn_local(move || {
            ground.tally.add(Event::Local, 1);
            assert_eq!(identity(), home, "a local child has another identity");
            family.0.pass();
            let sum = &family.1;
            sum.set(sum.get().wrapping_add(script.number));
            let outcome = act::run(&ground, &script);
            family.0.pass();
            drop(token);
            (outcome, family.clone())
        }));
    }
    let (mut sum, mut numbers, mut passes) = (0_u64, 0_u64, 0);
    for (script, handle) in all.iter().zip(handles) {
        let value = match handle.join() {
            Ok((outcome, theirs)) => {
                assert!(Rc::ptr_eq(&theirs, &family));
                passes += 2;
                outcome.value
            }
            Err(error) => {
                passes += 1;
                chosen(error)
            }
        };
        assert_eq!(value, script.worth(), "the wrong value of {script:?}");
        sum = sum.wrapping_add(value);
        numbers = numbers.wrapping_add(script.number);
    }
    assert_eq!((family.0.passes(), family.1.get()), (passes, numbers));
    assert_eq!(Rc::strong_count(&family), 1, "a local child left something");
    sum
}
