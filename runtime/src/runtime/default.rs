//! The default runtime, and which runtime the caller is in.
#![forbid(unsafe_code)]

use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Arc, OnceLock};

use super::config::Config;
use super::handle::Runtime;
use crate::base::fork;
use crate::greenlet::{is_severed, watch_forks};
use crate::reactor::Reactor;
use crate::scheduler::Shared;

/// Started at first use, never dropped: it ends with the process.
static DEFAULT: OnceLock<Runtime> = OnceLock::new();

/// The runtime the caller's greenlet runs on.
pub(super) fn try_current_shared() -> Option<Arc<Shared>> {
    Shared::current()
}

/// The runtime the caller's greenlet runs on, or the default one.
pub(crate) fn current_shared() -> io::Result<Arc<Shared>> {
    match Shared::current() {
        Some(shared) => Ok(shared),
        // In a child forked in a greenlet, that one's runtime is not here.
        None if is_severed() => Err(fork::left_behind()),
        None => Ok(default_runtime(Config::default())?
            .handle()
            .shared()
            .clone()),
    }
}

/// The reactor for a source that the caller makes.
///
/// # Panics
/// If it would be that of a runtime that a fork has left behind.
pub(crate) fn current_reactor() -> io::Result<Arc<Reactor>> {
    let shared = current_shared();
    if is_severed() || DEFAULT.get().is_some_and(is_left_behind) && Shared::current().is_none() {
        fork::panic_left_behind();
    }
    Ok(shared?.reactor().clone())
}

fn is_left_behind(runtime: &Runtime) -> bool {
    runtime.handle_ref().shared().is_left_behind()
}

/// The default runtime; if it has to be started, by `config` and, for what that leaves open, by the environment.
pub(super) fn default_runtime(config: Config) -> io::Result<&'static Runtime> {
    if DEFAULT.get().is_none() {
        start_default(config)?;
    }
    match DEFAULT.get() {
        Some(runtime) if is_left_behind(runtime) => Err(fork::left_behind()),
        Some(runtime) => Ok(runtime),
        None => unreachable!("it has been started"),
    }
}

/// The number of who starts it; 0 while nobody does. No lock and no `Once`: those would stay taken for ever in a child that is
/// forked meanwhile.
static STARTER: AtomicU64 = AtomicU64::new(0);

struct Starter;

impl Drop for Starter {
    fn drop(&mut self) {
        // Release: pairs with the acquire of the next one.
        STARTER.store(0, Release);
    }
}

#[cold]
fn start_default(config: Config) -> io::Result<()> {
    watch_forks()?;
    let number = fork::reserve(1).start;
    while let Err(other) = STARTER.compare_exchange(0, number, Acquire, Acquire) {
        if fork::is_left_behind(other) {
            return Err(fork::left_behind());
        }
        // A millisecond or so, once in a process.
        std::thread::yield_now();
    }
    let _starter = Starter;
    if DEFAULT.get().is_none() {
        let runtime = Runtime::start(config.or(Config::from_env()?).settings()?)?;
        // Nobody else has set it.
        let _ = DEFAULT.set(runtime);
    }
    Ok(())
}
