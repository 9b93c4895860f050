//! What this process holds, as the kernel counts it.

use std::fs;

/// The number of threads.
///
/// # Panics
///
/// Without `/proc`.
#[must_use]
pub fn threads() -> usize {
    status("Threads:").parse().expect("a number")
}

/// Bytes of address space.
///
/// # Panics
///
/// Without `/proc`.
#[must_use]
pub fn address_space() -> u64 {
    let size = status("VmSize:");
    let kib: u64 = size.trim_end_matches(" kB").parse().expect("a number");
    kib << 10
}

/// The number of open descriptors, the one for looking among them.
///
/// # Panics
///
/// Without `/proc`.
#[must_use]
pub fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("/proc").count()
}

/// The number of memory mappings.
///
/// # Panics
///
/// Without `/proc`.
#[must_use]
pub fn mappings() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").expect("/proc");
    maps.lines().count()
}

fn status(key: &str) -> String {
    let status = fs::read_to_string("/proc/self/status").expect("/proc");
    let value = status.lines().find_map(|line| line.strip_prefix(key));
    value.expect("the kernel says it").trim().to_owned()
}
