//! What the attribute macros and `go!` expand to calls of, and what the benchmarks reach into. Not for users: it may
//! change at any time.
#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::process::{ExitCode, Termination};

use super::config::{self, choose_context, home_name};
use super::default::default_runtime;
use super::handle::Runtime;
use super::join::JoinHandle;
use super::spawn::refused;
use crate::context;
use crate::greenlet::is_severed;

/// The arguments of an attribute.
#[derive(Clone, Copy, Default, Debug)]
pub struct Config {
    /// `workers = ...`
    pub workers: Option<usize>,
    /// `homes = "..."`
    pub homes: Option<&'static str>,
    /// `stack_size = ...`
    pub stack_size: Option<usize>,
}

impl Config {
    fn checked(self) -> io::Result<config::Config> {
        Ok(config::Config {
            workers: self.workers,
            homes_kind: self
                .homes
                .map(|name| home_name("homes", name))
                .transpose()?,
            stack_size: self.stack_size,
            ..config::Config::default()
        })
    }
}

/// Runs a `#[sward::main]` body in a greenlet of the default runtime.
pub fn main<T: Termination + 'static>(config: Config, body: fn() -> T) -> ExitCode {
    match config.checked().and_then(default_runtime) {
        // What the body returns need not be `Send`, so it is reported where it is.
        Ok(runtime) => runtime.block_on(move || reported(body)),
        Err(error) => {
            let _ = writeln!(io::stderr(), "Error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a body and reports what it returns. If it has forked the process and this is the child, nobody waits for the report:
/// the process ends with it, as it would after the return of a plain `main`.
fn reported<T: Termination>(body: fn() -> T) -> ExitCode {
    let code = body().report();
    if is_severed() {
        // What the number in a code is cannot be asked.
        let number = (0..=u8::MAX).find(|&number| ExitCode::from(number) == code);
        std::process::exit(number.unwrap_or(u8::MAX).into());
    }
    code
}

/// Runs a `#[sward::test]` body in a greenlet of a runtime of its own.
pub fn test<T: Termination + 'static>(config: Config, body: fn() -> T) -> ExitCode {
    test_runtime(config).block_on(move || reported(body))
}

/// The same for a body that returns nothing.
pub fn test_unit(config: Config, body: fn()) {
    test_runtime(config).block_on(body);
}

fn test_runtime(config: Config) -> Runtime {
    let settings = config
        .checked()
        .and_then(|config| Ok(config.or(config::Config::from_env()?)))
        .and_then(config::Config::settings);
    match settings.and_then(Runtime::start) {
        Ok(runtime) => runtime,
        Err(error) => panic!("{error}"),
    }
}

/// The handle of a greenlet spawned by `go!` with options.
#[track_caller]
pub fn spawned<T>(result: io::Result<JoinHandle<T>>) -> JoinHandle<T> {
    result.unwrap_or_else(|error| refused(&error))
}

/// Switches from the caller's stack to another and back, `n` times, in the way `SWARD_CONTEXT` says, without a scheduler.
///
/// # Panics
///
/// If `SWARD_CONTEXT` is wrong, or there is no memory for a stack.
pub fn switch_round_trips(n: u64) {
    if let Err(error) = choose_context() {
        panic!("{error}");
    }
    context::round_trips(n);
}
