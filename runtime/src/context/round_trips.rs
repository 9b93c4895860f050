//! The bare switch, for the benchmarks: there and back between the caller and one fresh stack.

use std::mem::MaybeUninit;

use super::{Context, Transfer};

/// Bytes of stack: `echo` needs next to none. Arbitrary.
const STACK_SIZE: usize = 64 * 1024;

/// Resumes a fresh context `n` times, which each time comes straight back.
///
/// # Panics
///
/// If a word does not come back.
pub(crate) fn round_trips(n: u64) {
    let mut stack = Box::<[u128]>::new_uninit_slice(STACK_SIZE / size_of::<u128>());
    let range: std::ops::Range<*mut MaybeUninit<u128>> = stack.as_mut_ptr_range();
    // SAFETY: the memory is a whole number of 16 aligned bytes, outlives the last resumption, and is used by nobody else.
    let mut other = unsafe { Context::new(range.end.cast(), range.start.cast(), echo) };
    for i in 0..n {
        // SAFETY: it is the context that came back last, on a stack that lives, and uses no thread-local.
        let transfer = unsafe { other.resume(i as usize) };
        assert_eq!(transfer.data, i as usize);
        other = transfer.from;
    }
}

/// Hands back what it is given, for ever. It owns nothing, so its stack may be freed under it.
extern "C" fn echo(mut transfer: Transfer) -> ! {
    loop {
        // SAFETY: who resumed this waits for it in `round_trips`.
        transfer = unsafe { transfer.from.resume(transfer.data) };
    }
}
