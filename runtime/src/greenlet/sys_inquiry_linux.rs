//! Asking a thread which greenlet it runs, and where that is: by a signal, whose handler answers.
//!
//! One inquiry at a time in the process; the word goes round: nobody asks, somebody asks thread N, the handler answers,
//! the answer is there. The handler runs on the thread that is asked, under the identity it has at that moment, so the slot names the
//! greenlet that runs there, which cannot end meanwhile; it counts a reference to it and notes the return addresses on its
//! stack. It is async-signal-safe: atomics, and the unwinder, which neither allocates nor locks (glibc finds a
//! program's unwind tables without a lock since 2.35).
//!
//! It does not look at the stack in the middle of a switch, which the carrier knows, and answers nothing if the worker has had another
//! turn since.

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use std::sync::Mutex;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize};
use std::time::{Duration, Instant};

use super::header::{GreenletRef, Header, from_slot};
use super::renewed::Renewed;
use super::switch::Carrier;
use crate::base::lock::lock;
use crate::home::{Errno, slot};

/// The signal: what is ignored by default, means nothing where it comes unasked, and is hardly ever used. Go's choice, too.
const SIGNAL: c_int = libc::SIGURG;

/// How long an answer is waited for: a thread may want for a processor, or wait where no signal reaches it.
const PATIENCE: Duration = Duration::from_millis(20);

/// 0: nobody asks. `ANSWERING`, `ANSWERED`; else the number of the thread that is asked.
static STATE: AtomicU32 = AtomicU32::new(0);
const ANSWERING: u32 = u32::MAX;
const ANSWERED: u32 = u32::MAX - 1;

/// The question: which turn the worker must be in.
static TURNS: AtomicPtr<AtomicU32> = AtomicPtr::new(ptr::null_mut());
static TURN: AtomicU32 = AtomicU32::new(0);

/// The answer: the greenlet, with a count, or null; and the return addresses.
static GREENLET: AtomicPtr<Header> = AtomicPtr::new(ptr::null_mut());
static FRAMES: [AtomicUsize; 64] = [const { AtomicUsize::new(0) }; 64];
static DEPTH: AtomicUsize = AtomicUsize::new(0);

/// The handler that was there before: null, or leaked.
static PREVIOUS: AtomicPtr<libc::sigaction> = AtomicPtr::new(ptr::null_mut());

/// Which greenlet runs on thread `thread`, and the return addresses on its stack, innermost first, if the worker there is still in turn `turn`.
/// `None` if it is not, or does not answer in time.
pub(crate) fn ask(thread: u32, turns: &AtomicU32, turn: u32) -> Option<(GreenletRef, Vec<usize>)> {
    static ONE: Renewed<Mutex<()>> = Renewed::new(|| Mutex::new(()));
    let _one = lock(ONE.get());
    install_once();
    TURNS.store(ptr::from_ref(turns).cast_mut(), Relaxed);
    TURN.store(turn, Relaxed);
    // Release: pairs with the acquire in the handler, which reads the question.
    STATE.store(thread, Release);
    // SAFETY: no memory is involved; a thread that has ended is an error.
    let sent = unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, SIGNAL) } == 0;
    let until = Instant::now() + PATIENCE;
    // Acquire: pairs with the release that ends the handler.
    while STATE.load(Acquire) != ANSWERED {
        let late = !sent || Instant::now() >= until;
        // If it is being answered, that does not take long, unless the thread wants for a processor.
        if late && STATE.compare_exchange(thread, 0, Relaxed, Relaxed).is_ok() {
            return None;
        }
        std::thread::sleep(Duration::from_micros(50));
    }
    let greenlet = NonNull::new(GREENLET.swap(ptr::null_mut(), Relaxed));
    // SAFETY: the handler counted it for us.
    let greenlet = greenlet.map(|header| unsafe { GreenletRef::from_raw(header) });
    let frames = FRAMES[..DEPTH.load(Relaxed)].iter();
    let frames = frames.map(|frame| frame.load(Relaxed)).collect();
    STATE.store(0, Relaxed);
    Some((greenlet?, frames))
}

/// Puts the handler in its place. Under a lock that a forked child has anew; what was half done at the fork is done again.
fn install_once() {
    static DONE: AtomicBool = AtomicBool::new(false);
    if !DONE.load(Relaxed) {
        // The unwinder prepares itself at its first use, under a lock that a handler must not wait for.
        // SAFETY: the callback takes nothing.
        unsafe { _Unwind_Backtrace(no_frame, ptr::null_mut()) };
        let mut before = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: asks for the action, whose memory is there; all zeroes is one. Then sets a handler of three arguments.
        unsafe {
            libc::sigaction(SIGNAL, ptr::null(), before.as_mut_ptr());
            let mut action = before.assume_init();
            let ours = on_inquiry as extern "C" fn(_, _, _) as usize;
            if action.sa_sigaction != ours {
                // Release: pairs with the acquire in the handler.
                PREVIOUS.store(Box::into_raw(Box::new(action)), Release);
            }
            action.sa_sigaction = ours;
            // What is interrupted goes on.
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
            libc::sigaction(SIGNAL, &raw const action, ptr::null_mut());
        }
        DONE.store(true, Relaxed);
    }
}

extern "C" fn on_inquiry(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let errno = Errno::save();
    let me = rustix::thread::gettid()
        .as_raw_nonzero()
        .get()
        .unsigned_abs();
    // Acquire: pairs with the release in `ask`.
    let asked = STATE.compare_exchange(me, ANSWERING, AcqRel, Acquire);
    if asked.is_ok() {
        answer();
        STATE.store(ANSWERED, Release);
        errno.restore();
        return;
    }
    errno.restore();
    // Acquire: pairs with the release in `install_once`.
    // SAFETY: null or leaked.
    let Some(previous) = (unsafe { PREVIOUS.load(Acquire).as_ref() }) else {
        return;
    };
    match previous.sa_sigaction {
        // By default it is ignored.
        libc::SIG_DFL | libc::SIG_IGN => {}
        handler if previous.sa_flags & libc::SA_SIGINFO != 0 => {
            type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
            // SAFETY: a handler that was installed as one of three arguments.
            let handler = unsafe { std::mem::transmute::<usize, Handler>(handler) };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: a handler that was installed as one of one argument.
            let handler = unsafe { std::mem::transmute::<usize, extern "C" fn(c_int)>(handler) };
            handler(signal);
        }
    }
}

/// Writes the answer. Async-signal-safe.
fn answer() {
    DEPTH.store(0, Relaxed);
    // SAFETY: who asks waits for the answer, and keeps the worker's counter meanwhile.
    let turn = unsafe { &*TURNS.load(Relaxed) }.load(Relaxed);
    // SAFETY: the slot of the identity that was interrupted, which is ours.
    let slot = unsafe { &*slot() };
    let Some(header) = from_slot(slot.greenlet()).filter(|_| turn == TURN.load(Relaxed)) else {
        return;
    };
    // SAFETY: a greenlet in its slot runs, and is alive; we are on its thread.
    let counted = unsafe { GreenletRef::from_living(header) };
    GREENLET.store(
        std::mem::ManuallyDrop::new(counted).as_ptr().as_ptr(),
        Relaxed,
    );
    // SAFETY: a greenlet runs on a carrier, which stays meanwhile.
    if unsafe { &*slot.carrier().cast::<Carrier>() }.is_switching() {
        return;
    }
    // SAFETY: the callback takes what the unwinder gives it.
    unsafe { _Unwind_Backtrace(note_frame, ptr::null_mut()) };
}

extern "C" fn note_frame(frame: *mut c_void, _: *mut c_void) -> c_int {
    let depth = DEPTH.load(Relaxed);
    let Some(place) = FRAMES.get(depth) else {
        return END_OF_STACK;
    };
    // SAFETY: the frame is the unwinder's, during this call.
    place.store(unsafe { _Unwind_GetIP(frame) }, Relaxed);
    DEPTH.store(depth + 1, Relaxed);
    0
}

extern "C" fn no_frame(_: *mut c_void, _: *mut c_void) -> c_int {
    END_OF_STACK
}

/// `_URC_END_OF_STACK`: ends the walk.
const END_OF_STACK: c_int = 5;

// The unwinder that std is linked with, by its common interface (Itanium C++ ABI, level I).
unsafe extern "C" {
    fn _Unwind_Backtrace(
        trace: extern "C" fn(*mut c_void, *mut c_void) -> c_int,
        argument: *mut c_void,
    ) -> c_int;
    fn _Unwind_GetIP(frame: *mut c_void) -> usize;
}
