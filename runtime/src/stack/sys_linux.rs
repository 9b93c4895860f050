//! `sys` on Linux: lightweight guards, memory that goes back at once, the limit on mappings.

pub(super) use super::sys_unix::{page_size, protect, unmap, untouched};

use super::sys_unix;
use crate::base::fault::{self, Door};
use rustix::mm::{self, Advice, MapFlags};
use rustix::process::{Resource, getrlimit};
use std::ffi::c_int;
use std::fs;
use std::io;
use std::ptr::{self, NonNull};

/// What to say where no more address space is to be had.
pub(super) const ADDRESS_SPACE_ADVICE: &str = "raise the limits on address space and data (`ulimit -v`, `ulimit -d`), or set \
     vm.overcommit_memory to 0 or 1 if it is 2";

/// `MADV_GUARD_INSTALL`, Linux 6.13.
const GUARD_INSTALL: c_int = 102;
/// How many guards `install_guards` installs at once, at most. Arbitrary.
pub(super) const MOST_GUARDS: usize = 16;

/// Maps `len` bytes of zeroes for stacks.
pub(super) fn map(len: usize) -> io::Result<NonNull<u8>> {
    let base = sys_unix::map_with(len, MapFlags::NORESERVE | MapFlags::STACK)?;
    // One huge page under each stack would turn a million parked greenlets into two terabytes. A kernel
    // without huge pages refuses the advice, and needs none.
    let _ = fault::at(Door::Advise).and_then(|()| {
        // SAFETY: the mapping is ours, and the advice changes nothing that can be seen in it.
        unsafe { mm::madvise(base.as_ptr().cast(), len, Advice::LinuxNoHugepage) }
    });
    Ok(base)
}

/// Gives the memory under `len` bytes from `base` on back to the system; what is read there later is zero.
/// Guards in the range stay. Does nothing if the memory is locked, for then its owner wants it to stay.
///
/// # Safety
///
/// The range lies in mappings of `map`'s, and nobody needs what it holds.
pub(super) unsafe fn discard(base: NonNull<u8>, len: usize) {
    let _ = fault::at(Door::Discard).and_then(|()| {
        // SAFETY: nobody needs the contents, as the caller promises; the mapping itself stays.
        unsafe { mm::madvise(base.as_ptr().cast(), len, Advice::LinuxDontNeed) }
    });
}

/// Makes every access to `len` bytes from `base` on a fault, without a mapping of its own. `Unsupported` if
/// the kernel does not know how, or cannot because the memory is locked.
///
/// # Safety
///
/// The range lies in mappings of `map`'s, and nobody uses it.
pub(super) unsafe fn install_guard(base: NonNull<u8>, len: usize) -> io::Result<()> {
    // `rustix` has no name for this advice. `errno` changes on the way of failure only, which a process walks
    // once.
    //
    // SAFETY: nobody uses the range, as the caller promises.
    let advise = || match unsafe { libc::madvise(base.as_ptr().cast(), len, GUARD_INSTALL) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    };
    let advised = fault::at(Door::Guard).map_err(io::Error::from);
    advised
        .and_then(|()| advise())
        .map_err(|error| match error.raw_os_error() {
            Some(libc::EINVAL) => io::ErrorKind::Unsupported.into(),
            _ => error,
        })
}

/// The calling thread, and so its memory, where a descriptor of a process is asked for: `PIDFD_SELF_THREAD`, some versions younger than
/// the guards.
const PIDFD_SELF: c_int = -10_000;

/// Does what `install_guard` does for `len` bytes from each of `bases` on, in one call. An error if not all is done: some may
/// be, and nothing speaks against doing them again. `Unsupported` unless it is something that passes.
///
/// # Safety
///
/// As of `install_guard`, for each.
pub(super) unsafe fn install_guards(bases: &[NonNull<u8>], len: usize) -> io::Result<()> {
    let mut ranges = [libc::iovec {
        iov_base: ptr::null_mut(),
        iov_len: 0,
    }; MOST_GUARDS];
    let ranges = &mut ranges[..bases.len().min(MOST_GUARDS)];
    for (range, base) in ranges.iter_mut().zip(bases) {
        range.iov_base = base.as_ptr().cast();
        range.iov_len = len;
    }
    let advise = || {
        // SAFETY: the kernel reads the ranges, of which nobody uses any, as the caller promises.
        let advised = unsafe {
            libc::syscall(
                libc::SYS_process_madvise,
                PIDFD_SELF,
                ranges.as_ptr(),
                ranges.len(),
                GUARD_INSTALL,
                0,
            )
        };
        match usize::try_from(advised) {
            Ok(advised) if advised == bases.len() * len => Ok(()),
            Ok(_) => Err(io::ErrorKind::Interrupted.into()),
            Err(_) => Err(io::Error::last_os_error()),
        }
    };
    let advised = fault::at(Door::Guards).map_err(io::Error::from);
    advised
        .and_then(|()| advise())
        .map_err(|error| match error.raw_os_error() {
            None | Some(libc::EINTR | libc::EAGAIN | libc::ENOMEM) => error,
            _ => io::ErrorKind::Unsupported.into(),
        })
}

/// Whether a read of the byte at `address` would fault, as the kernel sees it.
pub(super) fn is_guarded(address: NonNull<u8>) -> bool {
    const NO_SUCH_CHANGE: c_int = !0;
    const SET_SIZE: usize = 8;
    // A call that reads the signal set at `address` first and then refuses, because it does not know the
    // change asked for: EFAULT is the answer if the set could not be read. Nothing is changed either way.
    //
    // SAFETY: the kernel checks the address itself; no set is asked to be written, and the mask is not changed.
    let result = unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            NO_SUCH_CHANGE,
            address.as_ptr(),
            ptr::null_mut::<u8>(),
            SET_SIZE,
        )
    };
    result == -1 && io::Error::last_os_error().raw_os_error() == Some(libc::EFAULT)
}

/// Bytes of address space that the process may still map before it reaches a limit of its own; `None` if it has none, or if that
/// cannot be known.
pub(super) fn address_space_left() -> Option<usize> {
    let space = getrlimit(Resource::As).current;
    let data = getrlimit(Resource::Data).current;
    if space.is_none() && data.is_none() {
        return None;
    }
    // In pages: all, resident, shared, text, 0, data and stacks.
    let sizes = fs::read_to_string("/proc/self/statm").ok()?;
    let left = |limit: Option<u64>, field: usize| {
        let pages: u64 = sizes.split_whitespace().nth(field)?.parse().ok()?;
        Some(limit?.saturating_sub(pages * page_size() as u64))
    };
    let left = left(space, 0).into_iter().chain(left(data, 5)).min()?;
    usize::try_from(left).ok()
}

/// How many mappings the process may have (`vm.max_map_count`), if that can be known.
pub(super) fn mapping_limit() -> Option<usize> {
    fs::read_to_string("/proc/sys/vm/max_map_count")
        .ok()?
        .trim()
        .parse()
        .ok()
}
