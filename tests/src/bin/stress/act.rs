//! Doing what a script says.
//!
//! After each step a greenlet checks that it has the thread identity it began with. What goes on is told to the watchdog.

use std::cell::Cell;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use sward::{Builder, Handle, JoinError, JoinHandle};
use sward_tests::Section;
use sward_tests::identity::{errno, identity, set_errno};

use crate::counts::Event;
use crate::ending;
use crate::ground::Ground;
use crate::ledger::Token;
use crate::net;
use crate::options::Sabotage;
use crate::panics::{Chosen, chosen, raise};
use crate::plan::{Child, How, Script, Step, Waker};
use crate::watch;

/// Longer than any round.
pub(crate) const AGES: Duration = Duration::from_secs(3600);
/// Between two looks of who waits by looking.
const PAUSE: Duration = Duration::from_micros(100);

thread_local! {
    static LOCAL: Cell<u64> = const { Cell::new(0) };
}

/// What a greenlet gives.
#[derive(Debug)]
pub(crate) struct Outcome {
    value: u64,
    _token: Token,
}

impl Outcome {
    /// The value of one that was joined, whichever way it ended.
    fn value(joined: Result<Outcome, JoinError>) -> u64 {
        match joined {
            Ok(outcome) => outcome.value,
            Err(error) => chosen(error),
        }
    }
}

/// Does all steps, in a greenlet of their own; returns or panics with what they give.
fn run(ground: &Arc<Ground>, script: &Script) -> Outcome {
    let token = Token::new();
    let mut value = script.number;
    if ground.sabotage(Sabotage::Sum) {
        value = value.wrapping_add(1);
    }
    if ground.sabotage(Sabotage::Panic) {
        panic!("a greenlet that was not to panic");
    }
    for step in &script.steps {
        value = value.wrapping_add(act_as_myself(ground, step));
    }
    ground.tally.add(Event::Sum, value);
    if let Some(panic) = &script.panic {
        let event = match panic.hooked {
            true => Event::Hooked,
            false => Event::Raised,
        };
        ground.tally.add(event, 1);
        let _meanwhile = OnDrop(|| {
            for step in &panic.meanwhile {
                assert!(thread::panicking(), "a greenlet's panic is lost");
                act_as_myself(ground, step);
            }
            assert!(thread::panicking(), "a greenlet's panic is lost");
        });
        raise(panic.hooked, value);
    }
    Outcome {
        value,
        _token: token,
    }
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Does a step and checks that the caller is who it was.
fn act_as_myself(ground: &Arc<Ground>, step: &Step) -> u64 {
    let (before, panicking) = (identity(), thread::panicking());
    let greenlet = sward::current().id();
    let value = act(ground, step);
    assert_eq!(identity(), before, "a thread identity changed in {step:?}");
    assert_eq!(
        sward::current().id(),
        greenlet,
        "another greenlet in {step:?}"
    );
    assert_eq!(
        thread::panicking(),
        panicking,
        "another's panic in {step:?}"
    );
    watch::step();
    value
}

fn act(ground: &Arc<Ground>, step: &Step) -> u64 {
    match step {
        Step::Yield(count) => {
            for number in 0..*count {
                set_errno(number as i32 + 1);
                sward::yield_now();
                assert_eq!(errno(), number as i32 + 1, "errno changed");
            }
            *count
        }
        Step::Sleep(micros) => {
            let (asked, begun) = (Duration::from_micros(*micros), Instant::now());
            sward::sleep(asked);
            assert!(begun.elapsed() >= asked, "slept too short");
            0
        }
        Step::ParkTimeout(micros) => {
            sward::park_timeout(Duration::from_micros(*micros));
            0
        }
        Step::Park { waker, timed } => {
            park(ground, *waker, *timed);
            ground.tally.add(Event::Parked, 1);
            0
        }
        Step::Hog(micros) => {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_micros(*micros) {
                std::hint::spin_loop();
            }
            0
        }
        Step::Deep(kib) => deep(*kib),
        Step::Caught(number) => {
            ground.tally.add(Event::Raised, 1);
            catch(*number)
        }
        Step::Thread(number) => {
            ground.tally.add(Event::Thread, 1);
            let (here, number) = (Handle::current(), *number);
            on_a_thread(move || {
                let child = here.spawn(move || {
                    sward::yield_now();
                    number
                });
                child.join().expect("it yields")
            })
        }
        Step::Children { all, reversed } => children(ground, None, all, *reversed),
        Step::Locals(all) => locals(ground, all),
        Step::Echo(echo) => net::echo(ground, echo),
        Step::Refused => net::refused(ground),
        Step::Pair(size) => net::pair(ground, *size),
        Step::Runtime {
            setting,
            children,
            ending,
        } => ending::runtime_inside(ground, setting, children, ending),
    }
}

/// Parks until somebody else unparks.
fn park(ground: &Arc<Ground>, waker: Waker, timed: bool) {
    if ground.sabotage(Sabotage::Hang) {
        sward::park();
    }
    let (me, token) = (sward::current(), Token::new());
    let woken = Arc::new(AtomicBool::new(false));
    let wake = {
        let woken = woken.clone();
        move || {
            woken.store(true, SeqCst);
            // The other may have seen that, and gone, even with its runtime: then this does nothing.
            me.unpark();
        }
    };
    let mut thread = None;
    match waker {
        Waker::Greenlet => drop(sward::spawn(holding(token, wake))),
        Waker::Local => drop(sward::spawn_local(holding(token, wake))),
        Waker::Beside => drop(ground.beside.spawn(holding(token, wake))),
        Waker::Thread => thread = Some(thread::spawn(holding(token, wake))),
        Waker::Outsider(micros) => ground.outsiders.ask(Duration::from_micros(micros), wake),
    }
    while !woken.load(SeqCst) {
        match timed {
            true => sward::park_timeout(AGES),
            false => sward::park(),
        }
    }
    // It has at most the unpark left to do.
    thread.map(|thread| thread.join().expect("it unparks"));
}

fn holding(token: Token, f: impl FnOnce() + Send) -> impl FnOnce() + Send {
    move || {
        f();
        drop(token);
    }
}

/// Has a plain thread do it. The greenlet parks meanwhile: what the thread does may need its worker.
fn on_a_thread<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    let me = sward::current();
    let done = Arc::new(AtomicBool::new(false));
    let thread = {
        let done = done.clone();
        thread::spawn(move || {
            let value = f();
            done.store(true, SeqCst);
            me.unpark();
            value
        })
    };
    while !done.load(SeqCst) {
        sward::park();
    }
    thread.join().expect("it has done all but end")
}

/// Goes so many KiB down the stack, suspends there while it refers to a thread-local, and checks on the way up what it left.
#[inline(never)]
fn deep(kib: usize) -> u64 {
    let mut frame = [kib as u8; 1024];
    black_box(&mut frame);
    let below = match kib {
        0 => LOCAL.with(|local| {
            let before = std::ptr::from_ref(local).addr();
            sward::yield_now();
            assert_eq!(before, std::ptr::from_ref(local).addr());
            LOCAL.with(|again| assert!(std::ptr::eq(local, again), "a thread-local moved"));
            0
        }),
        _ => deep(kib - 1) + 1,
    };
    black_box(&mut frame);
    assert!(
        frame.iter().all(|&byte| byte == kib as u8),
        "a stack was written to"
    );
    below
}

/// A panic that does not leave the greenlet.
fn catch(number: u64) -> u64 {
    let caught = catch_unwind(AssertUnwindSafe(|| -> () {
        let _meanwhile = OnDrop(|| {
            assert!(thread::panicking());
            sward::yield_now();
            assert!(thread::panicking(), "a greenlet's panic is lost");
        });
        raise(false, number)
    }));
    let payload = caught.expect_err("it panicked");
    payload.downcast::<Chosen>().expect("its own").0
}

/// Spawns all, on `runtime` or where the caller is, and has the values of those that are joined.
pub(crate) fn children(
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
        let outcome = run(&theirs, &script);
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
        How::JoinedByThread => Some(on_a_thread(|| Outcome::value(handle.join()))),
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
fn locals(ground: &Arc<Ground>, all: &[Arc<Script>]) -> u64 {
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
            let outcome = run(&ground, &script);
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
