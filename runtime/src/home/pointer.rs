//! The thread pointer: one door per architecture, chosen here.
//!
//! `can_move()` says whether this process may load another thread's pointer; where it says no, homes are fixed. With `--cfg sward_old_system` the
//! tests see how that is (`ci/fallbacks.sh`).

#[cfg(all(
    target_arch = "x86_64",
    target_os = "linux",
    target_env = "gnu",
    not(sward_old_system)
))]
mod sys_x86_64;
#[cfg(all(
    target_arch = "x86_64",
    target_os = "linux",
    target_env = "gnu",
    not(sward_old_system)
))]
pub(crate) use sys_x86_64::{can_move, futex, get, lend, set};

#[cfg(all(
    target_arch = "aarch64",
    target_os = "linux",
    target_env = "gnu",
    not(sward_old_system)
))]
mod sys_aarch64;
#[cfg(all(
    target_arch = "aarch64",
    target_os = "linux",
    target_env = "gnu",
    not(sward_old_system)
))]
pub(crate) use sys_aarch64::{can_move, futex, get, lend, set};

#[cfg(not(all(
    any(target_arch = "x86_64", target_arch = "aarch64"),
    target_os = "linux",
    target_env = "gnu",
    not(sward_old_system)
)))]
mod sys_fixed;
#[cfg(not(all(
    any(target_arch = "x86_64", target_arch = "aarch64"),
    target_os = "linux",
    target_env = "gnu",
    not(sward_old_system)
)))]
pub(crate) use sys_fixed::{can_move, futex, get, lend, set};
