//! Yardstick.
fn main() {}
