//! errno: one door per family of systems, chosen here. It belongs to the thread identity, and so to the greenlet.

#[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
use libc::__errno as location;
#[cfg(any(target_os = "linux", target_os = "hurd"))]
use libc::__errno_location as location;
#[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
use libc::__error as location;

/// Where the calling identity's errno is; it stays there for as long as the identity lives.
#[derive(Debug)]
pub(crate) struct Errno(*mut i32, i32);

impl Errno {
    /// Remembers errno.
    #[inline]
    pub(crate) fn save() -> Self {
        // SAFETY: libc gives the address of the calling thread's own errno.
        unsafe {
            let location = location();
            Self(location, *location)
        }
    }

    /// Sets errno to what it was. To be called under the same identity.
    #[inline]
    pub(crate) fn restore(self) {
        // SAFETY: the identity is the same, so its errno is still there.
        unsafe { *self.0 = self.1 };
    }
}
