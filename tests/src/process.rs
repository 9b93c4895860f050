//! What this process holds, as the kernel counts it.

use std::fs;

/// The number of threads.
///
/// # Panics
///
/// Without `/proc`.
#[must_use]
pub fn threads() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("/proc");
    let count = status
        .lines()
        .find_map(|line| line.strip_prefix("Threads:"))
        .expect("a count of threads");
    count.trim().parse().expect("a number")
}

/// The number of open descriptors.
///
/// # Panics
///
/// Without `/proc`.
#[must_use]
pub fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("/proc").count()
}
