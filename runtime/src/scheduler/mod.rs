//! Floor 8: the scheduler. Workers run greenlets; everything else here exists to keep them supplied.
//!
//! - `shared`: what the workers of one runtime share, and how a greenlet that became ready reaches a worker;
//! - `roster`: the workers there are; `spares`: those that stand in for others that are held up;
//! - `worker`: one worker's loop: find a greenlet, run it, do what it asked for;
//! - `idle`, `parker`: who sleeps, where, and who wakes whom; `monitor`: who looks whether work is left lying;
//! - `deadlock`: the report on greenlets that nothing can wake any more;
//! - `held_up`, `reporter`: the report on who does not leave its worker;
//! - `usage`: how much stack was used where;
//! - `census`: the greenlets that are suspended; `shutdown`, `curtain`: the end of all this.
//!
//! Where a greenlet goes that can run: one woken by a running greenlet of the same runtime into that worker's *run-next* slot;
//! one that yields, or was woken by the worker itself (a timer, a socket, the end of the one it joins) at the end of that
//! worker's queue; a new one onto its pile of those that never ran; from anywhere else into the injector. One with a fixed home that
//! has run goes to its home's worker, always. All but the last can be taken by any worker.
//!
//! The scheduler knows no API; it is reached through the `Schedule` hook and through `Shared`.

mod census;
mod curtain;
mod deadlock;
mod held_up;
mod idle;
mod metrics;
mod monitor;
mod parker;
mod reporter;
mod roster;
mod shared;
mod shutdown;
mod spares;
#[cfg_attr(target_os = "linux", path = "sys_linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "sys_other.rs")]
mod sys;
mod usage;
mod worker;

pub use held_up::HeldUp;
pub(crate) use held_up::Hook;
pub(crate) use idle::MAX_WORKERS;
pub use metrics::Metrics;
pub(crate) use shared::{HomeKind, Settings, Shared};
pub(crate) use shutdown::{Crew, Left};
pub use usage::StackUsage;
