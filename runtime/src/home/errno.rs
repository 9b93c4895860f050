//! errno: one door per family of systems, chosen here. It belongs to the thread identity, and so to the greenlet.

use super::Slot;

#[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
use libc::__errno as location;
#[cfg(any(target_os = "linux", target_os = "hurd"))]
use libc::__errno_location as location;
#[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
use libc::__error as location;

/// The address of the calling identity's errno, which stays there for as long as the identity lives.
pub(super) fn address() -> *mut i32 {
    // SAFETY: it has no preconditions.
    unsafe { location() }
}

/// What errno was, and where the identity has it.
#[derive(Debug)]
pub(crate) struct Errno(*mut i32, i32);

impl Errno {
    /// Remembers errno.
    #[inline]
    pub(crate) fn save() -> Self {
        let location = address();
        // SAFETY: libc gives the address of the calling thread's own errno.
        Self(location, unsafe { *location })
    }

    /// The same in a home whose slot the caller has at hand.
    ///
    /// # Safety
    /// The slot is that of the calling identity, which is a home.
    #[inline]
    pub(crate) unsafe fn save_in(slot: &Slot) -> Self {
        let location = slot.errno();
        debug_assert_eq!(location, address());
        // SAFETY: a home's slot has the address of its errno.
        Self(location, unsafe { *location })
    }

    /// Sets errno to what it was. To be called under the same identity.
    #[inline]
    pub(crate) fn restore(self) {
        // SAFETY: the identity is the same, so its errno is still there.
        unsafe { *self.0 = self.1 };
    }
}
