//! errno: one door per family of systems, chosen here. It belongs to the thread identity, and so to the greenlet.

#[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
use libc::__errno as location;
#[cfg(any(target_os = "linux", target_os = "hurd"))]
use libc::__errno_location as location;
#[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
use libc::__error as location;

/// The calling identity's errno.
pub(crate) fn errno() -> i32 {
    // SAFETY: libc gives the address of the calling thread's own errno.
    unsafe { *location() }
}

/// Sets it.
pub(crate) fn set_errno(errno: i32) {
    // SAFETY: as above.
    unsafe { *location() = errno };
}
