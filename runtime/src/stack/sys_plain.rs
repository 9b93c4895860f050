//! `sys` on Unix systems other than Linux: guards by protection alone.

pub(super) use super::sys_unix::{page_size, protect, unmap, untouched};

use super::sys_unix;
use rustix::mm::MapFlags;
use std::io;
use std::ptr::NonNull;

/// What to say where no more address space is to be had.
pub(super) const ADDRESS_SPACE_ADVICE: &str =
    "raise the limits on address space and data (`ulimit -v`, `ulimit -d`)";

/// Maps `len` bytes of zeroes for stacks.
pub(super) fn map(len: usize) -> io::Result<NonNull<u8>> {
    sys_unix::map_with(len, MapFlags::empty())
}

/// Lets the system take the memory under `len` bytes from `base` on back when it needs some.
///
/// # Safety
///
/// The range lies in mappings of `map`'s, and nobody needs what it holds.
pub(super) unsafe fn discard(base: NonNull<u8>, len: usize) {
    // SAFETY: nobody needs the contents, as the caller promises; the mapping itself stays.
    let _ = unsafe { libc::madvise(base.as_ptr().cast(), len, libc::MADV_FREE) };
}

/// There are no guards but protected pages here.
///
/// # Safety
///
/// None: nothing is done.
pub(super) unsafe fn install_guard(_base: NonNull<u8>, _len: usize) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// How many guards are installed at once.
pub(super) const MOST_GUARDS: usize = 1;

/// There are no guards but protected pages here.
///
/// # Safety
///
/// None: nothing is done.
pub(super) unsafe fn install_guards(_bases: &[NonNull<u8>], _len: usize) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Never asked, for no guard is ever installed.
pub(super) fn is_guarded(_address: NonNull<u8>) -> bool {
    false
}

/// There is no way to know.
pub(super) fn address_space_left() -> Option<usize> {
    None
}

/// There is no limit to know.
pub(super) fn mapping_limit() -> Option<usize> {
    None
}
