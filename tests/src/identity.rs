//! What code sees of the thread identity it runs under. Nothing here is inlined: each call finds the address anew.

use std::cell::Cell;
use std::thread::{self, ThreadId};

thread_local! {
    static MARK: Cell<u64> = const { Cell::new(0) };
}

/// The identity a greenlet must keep for its whole life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// What std says.
    pub thread: ThreadId,
    /// Where a thread-local of std's is.
    pub local: usize,
    /// Where libc's errno is.
    pub errno: usize,
}

/// The identity that the caller runs under.
#[inline(never)]
#[must_use]
pub fn identity() -> Identity {
    Identity {
        thread: thread::current().id(),
        local: MARK.with(|mark| std::ptr::from_ref(mark).addr()),
        errno: errno_location().addr(),
    }
}

/// The caller's errno.
#[inline(never)]
#[must_use]
pub fn errno() -> i32 {
    // SAFETY: libc's address of the errno of the identity that calls.
    unsafe { *errno_location() }
}

/// Sets the caller's errno.
#[inline(never)]
pub fn set_errno(errno: i32) {
    // SAFETY: as above.
    unsafe { *errno_location() = errno };
}

#[inline(never)]
fn errno_location() -> *mut i32 {
    #[cfg(any(target_os = "linux", target_os = "hurd"))]
    use libc::__errno_location as location;
    #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
    use libc::__error as location;
    // SAFETY: it has no preconditions.
    unsafe { location() }
}

/// Whether this machine can have moving homes (where it cannot, sward has fixed ones).
#[must_use]
pub fn can_move() -> bool {
    #[cfg(all(
        target_arch = "x86_64",
        target_os = "linux",
        target_env = "gnu",
        not(sward_old_system)
    ))]
    {
        // SAFETY: it reads a table that the process got at its start.
        unsafe { libc::getauxval(libc::AT_HWCAP2) & 2 != 0 }
    }
    #[cfg(not(all(
        target_arch = "x86_64",
        target_os = "linux",
        target_env = "gnu",
        not(sward_old_system)
    )))]
    {
        cfg!(all(
            target_arch = "aarch64",
            target_os = "linux",
            target_env = "gnu",
            not(sward_old_system)
        ))
    }
}
