//! What a runtime can be told, and the environment's words for it.
#![forbid(unsafe_code)]

use std::ops::RangeInclusive;
use std::{env, io};

use crate::context;
use crate::home;
use crate::park::graph;
use crate::scheduler::{HomeKind, Hook, MAX_WORKERS, Settings};
use crate::stack::{Class, Guard};

/// Which thread identities the greenlets of a runtime have: see the crate's documentation, "Homes".
///
/// # Examples
///
/// ```
/// let runtime = sward::Runtime::builder().workers(2).homes(sward::Homes::Fixed).build()?;
/// assert_eq!(runtime.handle().metrics().homes, 2);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Homes {
    /// Homes of their own: greenlets that have started move to idle workers like fresh ones. The default where the system
    /// allows it (Linux with glibc on x86_64, with the FSGSBASE instructions, and aarch64); elsewhere
    /// [`build`](crate::RuntimeBuilder::build) gives an error of kind [`Unsupported`](io::ErrorKind::Unsupported).
    Moving {
        /// How many homes there may be, at least 1. Up to this number of started greenlets each has one to itself (less those
        /// that workers keep ready for the next one, 8 each at most, and if so many threads can be started); above
        /// it, those that come are spread over half of the homes, whose greenlets have company then, which asks for some care:
        /// see the crate's documentation, "Homes". A home costs a sleeping thread: about 13 KB of memory and 60 µs to start,
        /// once.
        limit: usize,
    },
    /// Each worker's own thread is the home of the greenlets that start there: fresh greenlets are stolen, started ones
    /// stay with their worker. Works everywhere.
    Fixed,
}

/// Homes per worker, and the bounds of their default number. Arbitrary, until measured: enough that the started greenlets
/// of most programs have one each, few enough that a process has not thousands of sleeping threads.
const HOMES_PER_WORKER: usize = 64;
const HOMES_BOUNDS: (usize, usize) = (128, 1024);

/// What was asked for; `None` is the default.
#[derive(Clone, Default, Debug)]
pub(super) struct Config {
    pub(super) name: Option<String>,
    pub(super) workers: Option<usize>,
    pub(super) max_workers: Option<usize>,
    pub(super) homes: Option<Homes>,
    /// Homes by name, without a limit: as the environment and the macros have it.
    pub(super) homes_kind: Option<&'static str>,
    pub(super) stack_size: Option<usize>,
    pub(super) mprotect_guards: bool,
    pub(super) measure_stacks: Option<bool>,
    pub(super) held_up: Option<Hook>,
    pub(super) report_deadlocks: Option<bool>,
}

/// How many workers there may be by default, spares included: as many threads as Java's virtual threads have carriers.
const MAX_WORKERS_DEFAULT: usize = 256;

/// How many workers there may be.
const WORKERS: RangeInclusive<usize> = 1..=MAX_WORKERS;

/// The names of the kinds of homes.
const HOME_NAMES: [&str; 2] = ["moving", "fixed"];

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

fn var(name: &str) -> io::Result<Option<String>> {
    match env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(value)) => {
            Err(invalid(format!("{name} is not valid Unicode: {value:?}")))
        }
    }
}

/// `value` as a number within `range`, whose `unit` is named in the error.
fn number(name: &str, value: &str, range: RangeInclusive<usize>, unit: &str) -> io::Result<usize> {
    match value.trim().parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(invalid(format!(
            "{name} must be a number of {unit}, {} to {}, but is {value:?}",
            range.start(),
            range.end(),
        ))),
    }
}

impl Config {
    /// What the environment asks for.
    pub(super) fn from_env() -> io::Result<Self> {
        let mut config = Self::default();
        if let Some(value) = var("SWARD_WORKERS")? {
            config.workers = Some(number("SWARD_WORKERS", &value, WORKERS, "workers")?);
        }
        if let Some(value) = var("SWARD_MAX_WORKERS")? {
            let number = number("SWARD_MAX_WORKERS", &value, WORKERS, "workers")?;
            config.max_workers = Some(number);
        }
        if let Some(value) = var("SWARD_HOMES")? {
            config.homes_kind = Some(home_name("SWARD_HOMES", &value)?);
        }
        if let Some(value) = var("SWARD_STACK_SIZE")? {
            // From 0, as in code: what is too small is rounded up.
            let sizes = 0..=Class::LARGEST_SIZE;
            config.stack_size = Some(number("SWARD_STACK_SIZE", &value, sizes, "bytes")?);
        }
        if let Some(value) = var("SWARD_DEADLOCKS")? {
            config.report_deadlocks = match value.as_str() {
                "report" => Some(true),
                "ignore" => Some(false),
                _ => {
                    return Err(invalid(format!(
                        "SWARD_DEADLOCKS must be report or ignore, but is {value:?}"
                    )));
                }
            };
        }
        if let Some(value) = var("SWARD_HELD_UP")? {
            config.held_up = match value.as_str() {
                "report" => Some(Hook::to_stderr()),
                "" => None,
                _ => {
                    return Err(invalid(format!(
                        "SWARD_HELD_UP must be report, but is {value:?}"
                    )));
                }
            };
        }
        if let Some(value) = var("SWARD_MEASURE_STACKS")? {
            let range = 0..=1;
            let value = number("SWARD_MEASURE_STACKS", &value, range, "no or yes")?;
            config.measure_stacks = Some(value == 1);
        }
        Ok(config)
    }

    /// This configuration, with what it leaves open taken from `other`.
    pub(super) fn or(self, other: Self) -> Self {
        let homes_given = self.homes.is_some() || self.homes_kind.is_some();
        Self {
            name: self.name.or(other.name),
            workers: self.workers.or(other.workers),
            max_workers: self.max_workers.or(other.max_workers),
            homes: if homes_given { self.homes } else { other.homes },
            homes_kind: if homes_given {
                self.homes_kind
            } else {
                other.homes_kind
            },
            stack_size: self.stack_size.or(other.stack_size),
            mprotect_guards: self.mprotect_guards || other.mprotect_guards,
            measure_stacks: self.measure_stacks.or(other.measure_stacks),
            held_up: self.held_up.or(other.held_up),
            report_deadlocks: self.report_deadlocks.or(other.report_deadlocks),
        }
    }

    /// Checks everything, and fills in the defaults. Decides on the process's way of switching stacks.
    pub(super) fn settings(self) -> io::Result<Settings> {
        let workers = self.workers.unwrap_or_else(num_cpus::get);
        check_workers(workers)?;
        let max_workers = check_max_workers(self.max_workers, workers)?;
        let class = Class::for_size(self.stack_size.unwrap_or(Class::DEFAULT_SIZE))?;
        let limit = (workers * HOMES_PER_WORKER).clamp(HOMES_BOUNDS.0, HOMES_BOUNDS.1);
        let homes = match (self.homes, self.homes_kind) {
            (Some(Homes::Moving { limit: 0 }), _) => {
                return Err(invalid(
                    "moving homes need a limit of 1 or more, but was given 0".into(),
                ));
            }
            (Some(Homes::Moving { limit }), _) => HomeKind::Moving { limit },
            (None, Some("moving")) => HomeKind::Moving { limit },
            (Some(Homes::Fixed), _) | (None, Some(_)) => HomeKind::Fixed,
            (None, None) if home::can_move() => HomeKind::Moving { limit },
            (None, None) => HomeKind::Fixed,
        };
        if matches!(homes, HomeKind::Moving { .. }) && !home::can_move() {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "homes cannot move on this system: it does not let a program set its thread pointer; use fixed homes",
            ));
        }
        let name = self.name.unwrap_or_else(|| "sward".to_owned());
        if name.contains('\0') {
            return Err(invalid("a runtime's name must not contain a NUL".into()));
        }
        let guard = if self.mprotect_guards {
            Guard::Mprotect
        } else {
            Guard::Auto
        };
        choose_context()?;
        if self.report_deadlocks == Some(true) {
            graph::keep();
        }
        Ok(Settings {
            name,
            workers,
            max_workers,
            homes,
            class,
            guard,
            measure: self.measure_stacks.unwrap_or(false),
            held_up: self.held_up,
            report_deadlocks: self.report_deadlocks.unwrap_or(cfg!(debug_assertions)),
        })
    }
}

/// Makes the process switch stacks as `SWARD_CONTEXT` says. The first runtime decides, whoever makes it: all runtimes of
/// a process share one way, so none of them can have it as a setting of its own.
pub(super) fn choose_context() -> io::Result<()> {
    let name = var("SWARD_CONTEXT")?;
    if context::choose(name.as_deref()) {
        return Ok(());
    }
    let right = context::NAMES.join(", ");
    let value = name.unwrap_or_default();
    Err(invalid(format!(
        "SWARD_CONTEXT must be one of {right}, but is {value:?}"
    )))
}

fn check_workers(workers: usize) -> io::Result<()> {
    if WORKERS.contains(&workers) {
        return Ok(());
    }
    Err(invalid(format!(
        "a runtime needs 1 to {MAX_WORKERS} workers, but was asked for {workers}"
    )))
}

/// How many workers there may be, spares included, if there are `workers` without.
fn check_max_workers(most: Option<usize>, workers: usize) -> io::Result<usize> {
    match most {
        None => Ok((2 * workers).clamp(MAX_WORKERS_DEFAULT, MAX_WORKERS)),
        Some(most) if (workers..=MAX_WORKERS).contains(&most) => Ok(most),
        Some(most) => Err(invalid(format!(
            "a runtime with {workers} workers can have {workers} to {MAX_WORKERS} with its spares, but was given {most} as the most"
        ))),
    }
}

/// `value` as one of the names of homes.
pub(super) fn home_name(what: &str, value: &str) -> io::Result<&'static str> {
    let known = HOME_NAMES.into_iter().find(|&name| name == value);
    known.ok_or_else(|| invalid(format!("{what} must be moving or fixed, but is {value:?}")))
}
