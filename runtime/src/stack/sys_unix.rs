//! The calls about memory that all Unix systems have. `sys_linux` and `sys_plain` add what differs; together
//! they are `sys`, the only door of this module to the kernel.
//!
//! The calls go through `rustix`, which on Linux does not touch `errno`: stacks are taken and given back
//! while a home's thread pointer is loaded, and the `errno` found there belongs to greenlets.

use crate::base::fault::{self, Door};
use rustix::mm::{self, MapFlags, MprotectFlags, ProtFlags};
use std::io;
use std::ptr::{self, NonNull};

/// The size of a page in bytes: 4, 16 or 64 KiB.
pub(super) fn page_size() -> usize {
    // SAFETY: `sysconf` has no preconditions.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).expect("every Unix knows its page size")
}

/// Maps `len` bytes of zeroes, private to the process, with no memory reserved for them where `flags` say so.
pub(super) fn map_with(len: usize, flags: MapFlags) -> io::Result<NonNull<u8>> {
    fault::at(Door::Map)?;
    // SAFETY: with a null hint and without `FIXED` the kernel chooses an unused range, so no memory that
    // anyone knows of changes.
    let base = unsafe {
        mm::mmap_anonymous(
            ptr::null_mut(),
            len,
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::PRIVATE | flags,
        )
    }?;
    Ok(NonNull::new(base.cast()).expect("the kernel never chooses address zero"))
}

/// Unmaps `len` bytes from `base` on.
///
/// # Safety
///
/// The range lies in mappings of `map`'s, and nobody uses it any more.
pub(super) unsafe fn unmap(base: NonNull<u8>, len: usize) -> io::Result<()> {
    fault::at(Door::Unmap)?;
    // SAFETY: nobody uses the range, as the caller promises.
    unsafe { mm::munmap(base.as_ptr().cast(), len) }?;
    Ok(())
}

/// Makes every access to `len` bytes from `base` on a fault, for good.
///
/// # Safety
///
/// The range lies in mappings of `map`'s, and nobody uses it.
pub(super) unsafe fn protect(base: NonNull<u8>, len: usize) -> io::Result<()> {
    fault::at(Door::Protect)?;
    // SAFETY: nobody uses the range, as the caller promises.
    unsafe { mm::mprotect(base.as_ptr().cast(), len, MprotectFlags::empty()) }?;
    Ok(())
}

/// How many bytes from `base` on have no memory yet, whole pages up to the first that has, of `len`. `None` if nothing is mapped there.
pub(super) fn untouched(base: usize, len: usize) -> Option<usize> {
    /// How many pages are asked for in one call. Arbitrary.
    const PAGES: usize = 512;
    let page = page_size();
    let mut record = [0_u8; PAGES];
    let mut at = 0;
    while at < len {
        let bytes = (len - at).min(PAGES * page);
        let from = ptr::without_provenance_mut(base + at);
        // SAFETY: the call looks at the page table alone, and writes a byte a page into a record that has room for them.
        if unsafe { libc::mincore(from, bytes, record.as_mut_ptr().cast()) } != 0 {
            return None;
        }
        let touched = record[..bytes.div_ceil(page)]
            .iter()
            .position(|page| page & 1 != 0);
        if let Some(touched) = touched {
            return Some(at + touched * page);
        }
        at += bytes;
    }
    Some(len)
}
