//! Doing what a script says.
//!
//! After each step a greenlet checks that it has the thread identity it began with. What goes on is told to the watchdog.

use std::cell::Cell;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use sward::Handle;
use sward_tests::identity::{errno, identity, set_errno};

use crate::children::{self, Outcome};
use crate::counts::Event;
use crate::ending;
use crate::flow;
use crate::ground::Ground;
use crate::ledger::Token;
use crate::net;
use crate::options::Sabotage;
use crate::panics::{Chosen, raise};
use crate::plan::{Script, Step, Waker};
use crate::watch;

/// Longer than any round.
pub(crate) const AGES: Duration = Duration::from_secs(3600);

thread_local! {
    static LOCAL: Cell<u64> = const { Cell::new(0) };
}

/// Does all steps, in a greenlet of their own; returns or panics with what they give.
pub(crate) fn run(ground: &Arc<Ground>, script: &Script) -> Outcome {
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
    Outcome::new(value, token)
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
        Step::Locked(locked) => {
            ground.locks.take(locked);
            ground.tally.add(locked.event(), 1);
            0
        }
        Step::Flow(messages) => flow::flow(ground, messages),
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
        Step::Children { all, reversed } => children::all(ground, None, all, *reversed),
        Step::Locals(all) => children::locals(ground, all),
        Step::Echo(echo) => net::echo(ground, echo),
        Step::Refused => net::refused(ground),
        Step::Pair(size) => net::pair(ground, *size),
        Step::Runtime {
            setting,
            children,
            orphan,
            ending,
        } => ending::runtime_inside(ground, setting, children, *orphan, ending),
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
    if let Some(thread) = thread {
        // It has at most the unpark left to do.
        thread.join().expect("it unparks");
    }
}

fn holding(token: Token, f: impl FnOnce() + Send) -> impl FnOnce() + Send {
    move || {
        f();
        drop(token);
    }
}

/// Has a plain thread do it. The greenlet parks meanwhile: what the thread does may need its worker.
pub(crate) fn on_a_thread<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
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
