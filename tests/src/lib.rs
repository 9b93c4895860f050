//! The harness of sward's tests.
//!
//! - [`each_config`], [`each_runtime`]: a test's body over worker counts and kinds of home, each case with a watchdog and a
//!   check that nothing leaks.
//! - [`storm`]: greenlets that go on until enough of them have migrated.
//! - [`until`]: waits for a condition. Tests wait by it and never by a pause that is hoped to be long enough.
//! - [`child`]: a test's body in a process of its own, for what ends a process, prints, or reads the environment.
//! - [`fork`]: a process that is forked and executes nothing else.
//! - [`Drops`], [`Rng`], [`Section`], [`identity`], [`process`]: small tools.
//!
//! The program `bin/stress` does everything at once, at random, for as long as one likes.
//! The tests are in `tests/<area>_<thing>.rs`. Those named `homes_*` are about soundness and run in more profiles.

pub mod child;
mod config;
mod crowd;
mod drops;
pub mod fork;
pub mod identity;
mod leak;
pub mod process;
mod rng;
mod section;
mod storm;
mod suspension;
mod until;
mod watchdog;

pub use config::{Config, Kind, each_config, each_runtime, kinds};
pub use crowd::{Crowd, Member, each_crowd};
pub use drops::{Counted, Drops};
pub use leak::settle;
pub use rng::Rng;
pub use section::Section;
pub use storm::{Storm, storm};
pub use suspension::Suspension;
pub use until::{until, within_attempts};
pub use watchdog::{Watchdog, dump_and_abort};
