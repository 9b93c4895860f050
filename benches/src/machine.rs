//! The machine a report was made on.

use std::fs;

/// CPU model, cores, kernel, governor, memory: what one must know to read the figures.
pub(crate) fn describe() -> Vec<(&'static str, String)> {
    let line_of = |file: &str, name: &str| {
        let text = fs::read_to_string(file).ok()?;
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let trimmed = |file: &str| {
        fs::read_to_string(file)
            .ok()
            .map(|text| text.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let found = [
        ("CPU", line_of("/proc/cpuinfo", "model name")),
        ("cores", Some(cores.to_string())),
        ("kernel", trimmed("/proc/sys/kernel/osrelease")),
        (
            "governor",
            trimmed("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        ),
        ("memory", line_of("/proc/meminfo", "MemTotal")),
        ("load average at the start", trimmed("/proc/loadavg")),
    ];
    found
        .into_iter()
        .map(|(name, value)| (name, value.unwrap_or("unknown".into())))
        .collect()
}
