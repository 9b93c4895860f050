//! The default runtime, and which runtime the caller is in.
#![forbid(unsafe_code)]

use std::io;
use std::sync::{Arc, Mutex, OnceLock};

use super::config::Config;
use super::handle::Runtime;
use crate::base::lock::lock;
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
        None => Ok(default_runtime(Config::default())?
            .handle()
            .shared()
            .clone()),
    }
}

/// The reactor for a source that the caller makes.
pub(crate) fn current_reactor() -> io::Result<Arc<Reactor>> {
    Ok(current_shared()?.reactor().clone())
}

/// The default runtime; if it has to be started, by `config` and, for what that leaves open, by the environment.
pub(super) fn default_runtime(config: Config) -> io::Result<&'static Runtime> {
    if let Some(runtime) = DEFAULT.get() {
        return Ok(runtime);
    }
    static STARTING: Mutex<()> = Mutex::new(());
    let _starting = lock(&STARTING);
    if let Some(runtime) = DEFAULT.get() {
        return Ok(runtime);
    }
    let runtime = Runtime::start(config.or(Config::from_env()?).settings()?)?;
    Ok(DEFAULT.get_or_init(|| runtime))
}
