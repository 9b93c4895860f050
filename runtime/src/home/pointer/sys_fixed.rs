//! Systems on which the thread pointer is not ours to set: homes are fixed there.

use std::sync::atomic::AtomicU32;

/// Whether the thread pointer can be set: no.
pub(crate) fn can_move() -> bool {
    false
}

/// A number that is the same for every home, so that none is ever loaded.
pub(crate) fn get() -> usize {
    0
}

/// Never called, because `can_move()` is false.
///
/// # Safety
/// None to keep.
pub(crate) unsafe fn set(_pointer: usize) {
    unreachable!("homes are fixed on this system");
}

/// Never called, because `can_move()` is false.
///
/// # Safety
/// None to keep.
#[allow(dead_code, reason = "called on Linux only")]
pub(crate) unsafe fn futex(_word: &AtomicU32, _operation: i32, _value: u32) -> isize {
    unreachable!("homes are fixed on this system");
}

/// Never called, because `can_move()` is false.
///
/// # Safety
/// None to keep.
#[allow(dead_code, reason = "called on Linux only")]
pub(crate) unsafe fn lend(_word: &AtomicU32, _lent: u32, _open: u32) {
    unreachable!("homes are fixed on this system");
}
