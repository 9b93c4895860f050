//! Lines on standard error, for what nobody else can be told.
#![forbid(unsafe_code)]

use std::fmt::Arguments;
use std::io::Write;

/// Writes one line, beginning with `sward: `. That standard error is closed is no reason to fail.
pub(crate) fn say(line: Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "sward: {line}");
}
