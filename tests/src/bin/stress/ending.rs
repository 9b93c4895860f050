//! How runtimes end, and what is left of those that are given up.
//!
//! A greenlet that is suspended when its runtime ends keeps its frames, its stack and the thread of its home for as long as the
//! process lives: what it holds is never dropped. So those are counted, by the homes they are in: no other thread may stay, and
//! no other descriptor.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use sward::net::TcpStream;
use sward::{Greenlet, Handle, JoinHandle, Runtime};
use sward_tests::identity::identity;
use sward_tests::{settle, until};

use crate::act;
use crate::children;
use crate::counts::Event;
use crate::ground::Ground;
use crate::ledger::Token;
use crate::net;
use crate::plan::{Child, Ending, Forever, Manner, Setting};
use crate::watch::Known;

/// The homes of greenlets that were given up.
static STAYING: Mutex<Option<HashSet<ThreadId>>> = Mutex::new(None);
/// How many greenlets were given up after they had started.
static ABANDONED: AtomicU64 = AtomicU64::new(0);
/// How many listeners they hold.
static LISTENERS: AtomicU64 = AtomicU64::new(0);
/// For who ends by itself. The watchdog comes first.
const PATIENCE: Duration = Duration::from_secs(1000);

/// How many threads stay because of the greenlets that were given up.
pub(crate) fn staying() -> usize {
    with_staying(|staying| staying.len())
}

/// How many greenlets were given up after they had started. Each holds a token.
pub(crate) fn abandoned() -> u64 {
    ABANDONED.load(SeqCst)
}

/// How many descriptors those keep.
pub(crate) fn descriptors() -> usize {
    LISTENERS.load(SeqCst) as usize
}

fn with_staying<T>(f: impl FnOnce(&mut HashSet<ThreadId>) -> T) -> T {
    let mut staying = STAYING.lock().unwrap_or_else(PoisonError::into_inner);
    f(staying.get_or_insert_default())
}

/// A runtime with the settings drawn, known to the watchdog.
pub(crate) fn build(name: String, setting: &Setting) -> (Runtime, Known) {
    let builder = Runtime::builder()
        .workers(setting.workers)
        .homes(setting.homes)
        .stack_size(setting.stack)
        .mprotect_guards(setting.mprotect)
        .name(&*name);
    let runtime = builder.build().expect("a runtime");
    let known = Known::new(&name, &runtime);
    (runtime, known)
}

/// In a greenlet: makes a runtime, uses it, and ends it.
pub(crate) fn runtime_inside(
    ground: &Arc<Ground>,
    setting: &Setting,
    children: &[Child],
    orphan: bool,
    ending: &Ending,
) -> u64 {
    ground.tally.add(Event::Runtime, 1);
    let (runtime, known) = build(format!("stress-{}-inside", ground.number), setting);
    let here = runtime.handle();
    let sum = children::all(ground, Some(&here), children, false);
    settle(&here);
    let orphan = orphan.then(|| accept_without(&here));
    end(ground, runtime, ending);
    if let Some(orphan) = orphan {
        let heard = orphan.join().expect("it ends the process when it fails");
        assert!(
            heard,
            "a connection came to a listener whose runtime has ended"
        );
    }
    drop((here, known));
    sum
}

/// A greenlet of the caller's runtime that waits for a listener of `runtime`. It must hear of the end: whether it did.
fn accept_without(runtime: &Handle) -> JoinHandle<bool> {
    let (listener, address) = net::listener();
    let listener = Arc::new(listener);
    let theirs = listener.clone();
    // Who waits first decides whose it is.
    let first = runtime.spawn(move || theirs.accept().map(drop));
    until(|| runtime.metrics().sources == 1);
    let client = TcpStream::connect(address).expect("somebody listens");
    let accepted = first.join().expect("it ends the process when it fails");
    accepted.expect("a connection");
    drop(client);
    let token = Token::new();
    sward::spawn(move || {
        let heard = listener.accept().is_err();
        drop(token);
        heard
    })
}

/// A greenlet that may be given up.
struct Guest {
    handle: JoinHandle<()>,
    /// Its home, once it has started.
    home: Arc<OnceLock<ThreadId>>,
}

impl Guest {
    /// It does not refer to the round: nothing of that may stay with it.
    fn new(runtime: &Runtime, life: impl FnOnce() + Send + 'static) -> Guest {
        let home = Arc::new(OnceLock::new());
        let (theirs, token) = (home.clone(), Token::new());
        let handle = runtime.spawn(move || {
            theirs.set(identity().thread).expect("set once");
            life();
            drop(token);
        });
        Guest { handle, home }
    }
}

/// Ends a runtime that has nothing to do, with those in it that the plan says, and checks who was given up.
pub(crate) fn end(ground: &Arc<Ground>, runtime: Runtime, ending: &Ending) {
    let mut guests = Vec::new();
    for &kind in &ending.forever {
        guests.push(Guest::new(&runtime, move || wait_for_ever(kind)));
    }
    for &micros in &ending.sleepers {
        guests.push(Guest::new(&runtime, move || {
            sward::yield_now();
            sward::sleep(Duration::from_micros(micros));
        }));
    }
    let poker = ending.poked.then(|| Poker::start(&guests));
    // How many were left, where that is told.
    let left = match ending.manner {
        Manner::Patient => Some(shut_down(runtime, PATIENCE)),
        Manner::Impatient(micros) => Some(shut_down(runtime, Duration::from_micros(micros))),
        Manner::Drop => {
            drop(runtime);
            None
        }
        Manner::DropInside => {
            drop_inside(runtime);
            None
        }
    };
    let mut cancelled = 0;
    for (number, Guest { handle, home }) in guests.into_iter().enumerate() {
        let forever = ending.forever.get(number);
        match handle.join() {
            Ok(()) => assert_eq!(forever, None, "one that waits for ever has ended"),
            Err(error) => {
                assert!(
                    error.is_cancelled(),
                    "instead of having been given up: {error}"
                );
                cancelled += 1;
                if let Some(&home) = home.get() {
                    ABANDONED.fetch_add(1, SeqCst);
                    if forever == Some(&Forever::Accepts) {
                        LISTENERS.fetch_add(1, SeqCst);
                    }
                    with_staying(|staying| staying.insert(home));
                }
            }
        }
    }
    drop(poker);
    if let Some(left) = left {
        assert_eq!(left, cancelled, "left at a shutdown, and told so");
    }
    match ending.manner {
        Manner::Patient => assert_eq!(cancelled, 0, "given up in spite of all patience"),
        Manner::Impatient(_) => {}
        Manner::Drop | Manner::DropInside => {
            ground.told_left.fetch_add(cancelled, SeqCst);
        }
    }
}

/// Does so until it is given up. It has what it holds before it suspends for the first time.
fn wait_for_ever(kind: Forever) {
    let listener = (kind == Forever::Accepts).then(net::listener);
    loop {
        match (kind, &listener) {
            (_, Some((listener, _))) => {
                // When its runtime has ended it does not run any more.
                let accepted = listener.accept();
                panic!("of a port that nobody knows: {accepted:?}");
            }
            (Forever::Sleeps, None) => sward::sleep(act::AGES),
            (Forever::Yields, None) => sward::yield_now(),
            (Forever::Parks | Forever::Accepts, None) => sward::park(),
        }
    }
}

/// A plain thread that unparks them all, again and again, until it is dropped: a runtime that ends must wait for who is about
/// to make one of its greenlets run.
struct Poker {
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Poker {
    fn start(guests: &[Guest]) -> Poker {
        let stop = Arc::new(AtomicBool::new(false));
        let greenlets = guests.iter().map(|guest| guest.handle.greenlet().clone());
        let (greenlets, over): (Vec<_>, _) = (greenlets.collect(), stop.clone());
        let poke = move || {
            while !over.load(SeqCst) {
                greenlets.iter().for_each(Greenlet::unpark);
                thread::yield_now();
            }
        };
        Poker {
            stop,
            thread: Some(thread::spawn(poke)),
        }
    }
}

impl Drop for Poker {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it only unparks");
        }
    }
}

/// Shuts a runtime down. How many were left.
fn shut_down(runtime: Runtime, limit: Duration) -> u64 {
    match runtime.shutdown(limit) {
        Ok(()) => 0,
        Err(error) => error.remaining() as u64,
    }
}

/// Has a greenlet of the runtime drop it. It ends after that greenlet has, in the background.
fn drop_inside(runtime: Runtime) {
    let slot = Arc::new(Mutex::new(None::<Runtime>));
    let (theirs, token) = (slot.clone(), Token::new());
    let take = |slot: &Mutex<Option<Runtime>>| {
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        slot.take()
    };
    let inside = runtime.spawn(move || {
        loop {
            // Taken out of the lock first: nobody may suspend who holds it.
            let runtime = take(&theirs);
            if let Some(runtime) = runtime {
                drop((runtime, token));
                return;
            }
            sward::park();
        }
    });
    let greenlet = inside.greenlet().clone();
    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(runtime);
    greenlet.unpark();
    inside.join().expect("it does not suspend after the drop");
}
