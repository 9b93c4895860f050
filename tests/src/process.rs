//! What this process holds, as the kernel counts it.

use std::fs;

use crate::until::until;

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

/// The number of memory mappings, and the bytes of address space that they have. Under an emulator these are the program's, while
/// [`address_space`] counts the emulator's with it.
///
/// # Panics
///
/// Without `/proc`.
#[must_use]
pub fn mappings() -> (usize, u64) {
    let maps = fs::read_to_string("/proc/self/maps").expect("/proc");
    let bytes = maps.lines().map(|line| {
        let range = line
            .split(' ')
            .next()
            .and_then(|range| range.split_once('-'));
        let (start, end) = range.expect("a range");
        let address = |text| u64::from_str_radix(text, 16).expect("an address");
        address(end) - address(start)
    });
    (maps.lines().count(), bytes.sum())
}

/// Waits until every other thread sleeps: none is on its way to do so, or on its way out.
///
/// # Panics
///
/// Without `/proc`.
pub fn quiet() {
    let mut before = Vec::new();
    until(|| {
        let now = others();
        // Who has not been switched to between two looks, and slept at both, sleeps.
        let asleep = now.iter().all(|(_, state, _)| state == "S");
        let quiet = asleep && now == before;
        before = now;
        match quiet {
            true => Ok(()),
            false => Err(format!("all asleep: {before:?}")),
        }
    });
}

/// Every thread but the caller's: its number, its state, and how often it was switched from.
fn others() -> Vec<(String, String, u64)> {
    let me = rustix::thread::gettid().as_raw_nonzero().to_string();
    let mut others = Vec::new();
    for task in fs::read_dir("/proc/self/task").expect("/proc") {
        let id = task.expect("/proc").file_name().into_string();
        let id = id.expect("a number");
        // One that has ended since is none.
        let Ok(status) = fs::read_to_string(format!("/proc/self/task/{id}/status")) else {
            continue;
        };
        if id != me {
            let value = |key| status.lines().find_map(|line| line.strip_prefix(key));
            let state = value("State:").unwrap_or_default().trim();
            let switches = ["voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"];
            let switches = switches
                .iter()
                .filter_map(|key| value(key)?.trim().parse::<u64>().ok());
            others.push((id, state.chars().take(1).collect(), switches.sum()));
        }
    }
    others.sort();
    others
}

fn status(key: &str) -> String {
    let status = fs::read_to_string("/proc/self/status").expect("/proc");
    let value = status.lines().find_map(|line| line.strip_prefix(key));
    value.expect("the kernel says it").trim().to_owned()
}
