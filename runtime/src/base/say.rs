//! Lines on standard error, for what nobody else can be told.
#![forbid(unsafe_code)]

use std::fmt::Arguments;
use std::io::Write;

/// Writes one line, beginning with `sward: `. That standard error is closed is no reason to fail.
///
/// At once: standard error has no buffer, and what is written piece by piece would be mixed with the panic hook's output,
/// which does not take its lock.
pub(crate) fn say(line: Arguments<'_>) {
    let line = format!("sward: {line}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}
