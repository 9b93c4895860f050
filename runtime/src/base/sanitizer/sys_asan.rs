//! AddressSanitizer: the bounds of each stack and its fake stack.
//!
//! It needs the bounds to know which redzones go when frames are unwound (`__asan_handle_no_return`), and to say whose stack
//! an address is on. A *fake stack* is where it puts the locals whose use after the return of their function it looks for;
//! it clears away frames below the running one there, so executions must not share one.
//!
//! The interface has two calls, one before the switch and one after it, both for the same thread. Under an identity that
//! stays while executions change they are the two halves of one switch; where the identity changes they are not. So each
//! identity is between the two while it is vacant: `leave` ends with the first call, `enter` begins with the second. There
//! ASan gives out no frames of a fake stack.
//!
//! What a greenlet that has ended leaves on its stack is its last frames and their redzones; `bury` clears them for the next.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Acquire;

pub(crate) use std::sync::atomic::fence;

unsafe extern "C" {
    fn __sanitizer_start_switch_fiber(
        fake_stack_save: *mut *mut c_void,
        bottom: *const c_void,
        size: usize,
    );
    fn __sanitizer_finish_switch_fiber(
        fake_stack_save: *mut c_void,
        bottom_old: *mut *const c_void,
        size_old: *mut usize,
    );
    fn __asan_unpoison_memory_region(address: *const c_void, size: usize);
}

/// What ASan knows of one stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Execution {
    bottom: *const c_void,
    size: usize,
    /// Null until it has one.
    fake: *mut c_void,
    /// An address in the frame that it left last, if it is known.
    frame: usize,
}

/// Below its last local, a frame has so many bytes at most, where it matters: the frame of who has left for good.
const FRAME: usize = 4096;

impl Execution {
    /// One that will run on the stack from `top` down to `bottom`.
    ///
    /// # Safety
    /// None to keep.
    #[inline(always)]
    pub(crate) unsafe fn fresh(top: *mut u8, bottom: *mut u8) -> Self {
        Self {
            bottom: bottom.cast_const().cast(),
            size: top.addr() - bottom.addr(),
            fake: ptr::null_mut(),
            frame: 0,
        }
    }

    /// The running one leaves its identity vacant.
    ///
    /// # Safety
    /// The caller calls nothing that is not in line until somebody has entered; and it has entered, or is a thread's own.
    #[inline(always)]
    pub(crate) unsafe fn leave() -> Self {
        let mut left = Self {
            bottom: ptr::null(),
            size: 0,
            fake: ptr::null_mut(),
            frame: 0,
        };
        // SAFETY: a switch to nowhere and its end, which tells where we are; then the identity is between the two calls.
        unsafe {
            __sanitizer_start_switch_fiber(&mut left.fake, ptr::null(), 0);
            __sanitizer_finish_switch_fiber(ptr::null_mut(), &mut left.bottom, &mut left.size);
            __sanitizer_start_switch_fiber(ptr::null_mut(), ptr::null(), 0);
        }
        left
    }

    /// It goes on under the vacant identity whose thread pointer is loaded, after `left` on the same processor.
    ///
    /// # Safety
    /// So it is; and it is left by nobody else meanwhile.
    #[inline(always)]
    pub(crate) unsafe fn enter(&self, _left: &Self) {
        // SAFETY: the vacant identity is between the two calls and has no fake stack; then a whole switch.
        unsafe {
            __sanitizer_finish_switch_fiber(ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
            __sanitizer_start_switch_fiber(ptr::null_mut(), self.bottom, self.size);
            __sanitizer_finish_switch_fiber(self.fake, ptr::null_mut(), ptr::null_mut());
        }
    }

    /// What stands for the running one, which has left its own identity, while it is a guest under another: the same stack.
    #[inline(always)]
    pub(crate) fn guest(&self) -> Self {
        *self
    }

    /// The guest has left; its host's identity is loaded.
    ///
    /// # Safety
    /// As `enter`.
    #[inline(always)]
    pub(crate) unsafe fn back_from(self, guest: Self) {
        // The guest's: it may have got a fake stack.
        // SAFETY: passed on.
        unsafe { guest.enter(&guest) };
    }

    /// A word from which `from_word` makes the same again, as long as this value stays where it is.
    #[inline(always)]
    pub(crate) fn word(&self) -> usize {
        ptr::from_ref(self).expose_provenance()
    }

    /// See `word`.
    ///
    /// # Safety
    /// The word is of an execution that is still there.
    #[inline(always)]
    pub(crate) unsafe fn from_word(word: usize) -> Self {
        // SAFETY: as promised.
        let left = unsafe { *ptr::with_exposed_provenance::<Self>(word) };
        Self {
            frame: word,
            ..left
        }
    }

    /// It has ended: its fake stack goes, and what is left on its stack may be written over.
    ///
    /// # Safety
    /// It has left for good, and its stack is there.
    pub(crate) unsafe fn bury(self) {
        let bottom = self.bottom.addr();
        let top = bottom + self.size;
        // Deeper frames have returned, or were unwound, and cleared then.
        let last = match (bottom..top).contains(&self.frame) {
            true => self.frame.saturating_sub(FRAME).max(bottom),
            false => bottom,
        };
        let (mut fake, mut mine, mut size) = (ptr::null_mut(), ptr::null(), 0);
        // SAFETY: the stack is there. And two whole switches on the spot: to its fake stack and, giving that up, back to ours.
        // In between nothing is called that would use a fake stack.
        unsafe {
            __asan_unpoison_memory_region(ptr::without_provenance(last), top - last);
            __sanitizer_start_switch_fiber(&mut fake, self.bottom, self.size);
            __sanitizer_finish_switch_fiber(self.fake, &mut mine, &mut size);
            __sanitizer_start_switch_fiber(ptr::null_mut(), mine, size);
            __sanitizer_finish_switch_fiber(fake, ptr::null_mut(), ptr::null_mut());
        }
    }
}

/// Orders what follows after every release of `count` that came before the caller's own.
#[inline(always)]
pub(crate) fn acquire_count(_count: &AtomicUsize) {
    fence(Acquire);
}

/// The kernel gets the address of what it will give back with an event: see `received`.
#[inline(always)]
pub(crate) fn sent(_address: usize) {}

/// What came before `sent` comes before what follows.
#[inline(always)]
pub(crate) fn received(_address: usize) {}
