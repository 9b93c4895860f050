//! Whether something goes on, who is there, and plain threads from outside that unpark.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use sward::{Handle, Runtime};
use sward_tests::dump_and_abort;

/// Steps done in this process. Relaxed: whether it changes is all that is asked.
static STEPS: AtomicU64 = AtomicU64::new(0);
/// The round that is under way, for who finds that it is not.
static ROUND: AtomicU64 = AtomicU64::new(0);
/// The runtimes there are, and their names.
static RUNTIMES: Mutex<Vec<(u64, String, Handle)>> = Mutex::new(Vec::new());
/// The number of the next runtime.
static NEXT: AtomicU64 = AtomicU64::new(0);
/// How often the watchdog looks.
const LOOK: Duration = Duration::from_millis(100);

/// One more step is done. Not to be called by who only waits.
pub(crate) fn step() {
    STEPS.fetch_add(1, Relaxed);
}

/// A round begins.
pub(crate) fn round(number: u64) {
    ROUND.store(number, Relaxed);
    step();
}

/// A runtime is known to the watchdog until this is dropped.
#[derive(Debug)]
pub(crate) struct Known(u64);

impl Known {
    pub(crate) fn new(name: &str, runtime: &Runtime) -> Known {
        let number = NEXT.fetch_add(1, Relaxed);
        with_runtimes(|all| all.push((number, name.to_owned(), runtime.handle())));
        Known(number)
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        // Its handle goes after the lock.
        let gone = with_runtimes(|all| {
            let at = all.iter().position(|(number, ..)| *number == self.0);
            at.map(|at| all.swap_remove(at))
        });
        drop(gone);
    }
}

fn with_runtimes<T>(f: impl FnOnce(&mut Vec<(u64, String, Handle)>) -> T) -> T {
    f(&mut RUNTIMES.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Starts the watchdog: if no step is done for `patience`, it says what there is, shows all stacks, and aborts.
pub(crate) fn start(patience: Duration) {
    let watch = move || {
        let (mut last, mut since) = (u64::MAX, Instant::now());
        loop {
            let steps = STEPS.load(Relaxed);
            if steps != last {
                (last, since) = (steps, Instant::now());
            } else if since.elapsed() >= patience {
                give_up(patience, steps);
            }
            thread::sleep(LOOK);
        }
    };
    let named = thread::Builder::new().name("watchdog".to_owned());
    named.spawn(watch).expect("a thread for the watchdog");
}

fn give_up(patience: Duration, steps: u64) -> ! {
    let round = ROUND.load(Relaxed);
    let runtimes = with_runtimes(|all| {
        let each = all
            .iter()
            .map(|(_, name, handle)| format!("\n  {name}: {:?}", handle.metrics()));
        each.collect::<String>()
    });
    dump_and_abort(&format!(
        "round {round}: nothing went on for {patience:?}, after {steps} steps; runtimes:{runtimes}\n"
    ))
}

/// Plain threads that end waits, a moment after they are asked to.
#[derive(Debug)]
pub(crate) struct Outsiders(Vec<Sender<Request>>);

struct Request {
    delay: Duration,
    wake: Box<dyn FnOnce() + Send>,
}

impl Outsiders {
    pub(crate) fn start() -> Outsiders {
        let one = |number: usize| {
            let (sender, requests) = mpsc::channel::<Request>();
            let life = move || {
                for request in requests {
                    if !request.delay.is_zero() {
                        thread::sleep(request.delay);
                    }
                    (request.wake)();
                }
            };
            let named = thread::Builder::new().name(format!("outsider-{number}"));
            named.spawn(life).expect("a thread");
            sender
        };
        Outsiders((0..2).map(one).collect())
    }

    /// Has one of them call `wake`.
    pub(crate) fn ask(&self, delay: Duration, wake: impl FnOnce() + Send + 'static) {
        let wake = Box::new(wake);
        let one = &self.0[delay.subsec_micros() as usize % self.0.len()];
        let asked = one.send(Request { delay, wake });
        asked.unwrap_or_else(|_| panic!("a thread from outside has ended"));
    }
}
