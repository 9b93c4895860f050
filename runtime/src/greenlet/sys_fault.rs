//! The door to the signals of a fault: the handler that tells an overflow from other faults, and the stacks it runs on.
//!
//! A greenlet that has overflowed has no room for a signal handler, so each worker's thread has an alternate stack. The
//! handler is put before the one that was there, which gets every fault that is no overflow of a greenlet: std's own, which
//! knows the guards of threads, or whatever the program has installed. One installed later comes first, and has to pass on
//! what it does not know, as this one does.

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicPtr};

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags};

use super::overflow;
use super::renewed::Renewed;
use crate::base::fault::{self, Door};
use crate::base::lock::lock;
use crate::home::Errno;

/// What a guard's fault may come as: Linux has the first, other systems the second.
const SIGNALS: [c_int; 2] = [libc::SIGSEGV, libc::SIGBUS];

/// What was there before, for each of `SIGNALS`: null, or leaked.
static PREVIOUS: [AtomicPtr<libc::sigaction>; 2] = [const { AtomicPtr::new(ptr::null_mut()) }; 2];

/// Puts the handler in its place, once for the process.
pub(super) fn install() {
    // A lock that a forked child has anew; what was half done at the fork is done again.
    static ONE: Renewed<Mutex<()>> = Renewed::new(|| Mutex::new(()));
    static DONE: AtomicBool = AtomicBool::new(false);
    let _one = lock(ONE.get());
    if !DONE.load(Relaxed) {
        for (signal, previous) in SIGNALS.into_iter().zip(&PREVIOUS) {
            let mut before = MaybeUninit::<libc::sigaction>::zeroed();
            // SAFETY: asks for the action alone; all zeroes is one.
            let before = unsafe {
                if libc::sigaction(signal, ptr::null(), before.as_mut_ptr()) != 0 {
                    continue;
                }
                before.assume_init()
            };
            let ours = on_fault as extern "C" fn(_, _, _) as usize;
            if before.sa_sigaction == ours {
                continue;
            }
            let mut action = before;
            action.sa_sigaction = ours;
            // The previous handler is called by ours, and expects to be interruptible by its own signal as before.
            action.sa_flags =
                libc::SA_SIGINFO | libc::SA_ONSTACK | before.sa_flags & libc::SA_NODEFER;
            // Before the handler is there, which asks for it.
            // Release: pairs with the acquire in the handler.
            previous.store(Box::into_raw(Box::new(before)), Release);
            // SAFETY: a handler that takes three arguments, as the flags say.
            unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
        }
        DONE.store(true, Relaxed);
    }
}

/// The handler. Runs under the identity of whoever has faulted.
extern "C" fn on_fault(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let errno = Errno::save();
    // SAFETY: the kernel's.
    let (address, by_kernel) = unsafe { ((*info).si_addr().addr(), (*info).si_code > 0) };
    if by_kernel && overflow::report(address) {
        // The instruction faults once more, and the process dies by the signal.
        // SAFETY: the default action needs nothing.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
        return;
    }
    let place = SIGNALS.iter().position(|&known| known == signal);
    // Acquire: pairs with the release in `install`.
    // SAFETY: null or leaked.
    let previous = place.and_then(|place| unsafe { PREVIOUS[place].load(Acquire).as_ref() });
    let Some(previous) = previous else {
        return;
    };
    match previous.sa_sigaction {
        libc::SIG_IGN if !by_kernel => {}
        libc::SIG_DFL | libc::SIG_IGN => {
            // SAFETY: what was there, or the default: the kernel lets nobody ignore a fault.
            unsafe { libc::sigaction(signal, previous, ptr::null_mut()) };
            if !by_kernel {
                // Nothing faults again, so it has to be sent again: blocked until this handler is left.
                // SAFETY: raising has no preconditions.
                unsafe { libc::raise(signal) };
            }
        }
        handler if previous.sa_flags & libc::SA_SIGINFO != 0 => {
            type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
            // SAFETY: a handler that was installed as one of three arguments.
            let handler = unsafe { std::mem::transmute::<usize, Handler>(handler) };
            errno.restore();
            handler(signal, info, context);
            return;
        }
        handler => {
            // SAFETY: a handler that was installed as one of one argument.
            let handler = unsafe { std::mem::transmute::<usize, extern "C" fn(c_int)>(handler) };
            errno.restore();
            handler(signal);
            return;
        }
    }
    errno.restore();
}

/// Writes to standard error, past all buffers and locks.
pub(super) fn write_error(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: the bytes are there. A closed descriptor is an error like others.
        match unsafe { libc::write(2, bytes.as_ptr().cast(), bytes.len()) } {
            written @ 1.. => bytes = &bytes[written as usize..],
            _ if std::io::Error::last_os_error().raw_os_error() == Some(libc::EINTR) => {}
            _ => return,
        }
    }
}

/// Room for the kernel's frame, up to 12 KB where vector registers are large, for our report, and for what the program's own
/// handler did with the 8 KB and more that std would have given it.
const SIZE: usize = 64 << 10;

/// The calling thread's alternate signal stack, in the place of the one it had, until this is dropped there.
#[derive(Debug)]
pub(crate) struct AlternateStack {
    base: *mut c_void,
    len: usize,
    before: libc::stack_t,
}

impl AlternateStack {
    /// Makes one. `None` if there is no memory: then an overflow ends the process without a word.
    pub(crate) fn install() -> Option<Self> {
        // SAFETY: asking has no preconditions.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok()?;
        let len = SIZE + page;
        fault::at(Door::Map).ok()?;
        // SAFETY: a new mapping wherever there is room; its lowest page becomes a guard.
        let base = unsafe {
            let rights = ProtFlags::READ | ProtFlags::WRITE;
            let base = rustix::mm::mmap_anonymous(ptr::null_mut(), len, rights, MapFlags::PRIVATE);
            let base = base.ok()?;
            // Without a guard it would do as well, nearly.
            let _ = rustix::mm::mprotect(base, page, MprotectFlags::empty());
            base
        };
        let stack = libc::stack_t {
            ss_sp: base.wrapping_byte_add(page),
            ss_flags: 0,
            ss_size: SIZE,
        };
        let mut before = MaybeUninit::<libc::stack_t>::zeroed();
        // SAFETY: the memory is the stack's alone until it is taken back; the old one is written, or stays zero.
        let (done, before) = unsafe {
            let done = libc::sigaltstack(&raw const stack, before.as_mut_ptr()) == 0;
            (done, before.assume_init())
        };
        if !done {
            // SAFETY: our own mapping, unused.
            let _ = unsafe { rustix::mm::munmap(base, len) };
            return None;
        }
        Some(Self { base, len, before })
    }
}

impl Drop for AlternateStack {
    fn drop(&mut self) {
        // SAFETY: the one that was there before is there still, or was none; and ours is not in use, for we are no handler.
        unsafe {
            if libc::sigaltstack(&raw const self.before, ptr::null_mut()) == 0 {
                let _ = rustix::mm::munmap(self.base, self.len);
            }
        }
    }
}
