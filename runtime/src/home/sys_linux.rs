//! What Linux with glibc asks of a thread whose identity is lent, and of one that borrows it.
//!
//! - `withdraw`: a home's thread blocks all signals (a handler would run in its identity beside the greenlet that
//!   occupies it) and unregisters its rseq area (the kernel would write this thread's CPU number into it).
//! - `Gate`: where a home's thread hands over its identity and waits, by futex calls that leave errno alone.
//! - `wrap_setxid`: glibc's setuid family signals every thread and has each mark its own descriptor, found by the
//!   thread pointer. On a worker that runs with a home's pointer that is the wrong one, and the caller would wait for
//!   ever. A wrapper before glibc's handler loads the worker's own pointer around it.

use std::ffi::{c_int, c_long, c_ulong, c_void};
use std::ptr;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicIsize, AtomicPtr, AtomicU32, AtomicUsize};

use rustix::thread::{Pid, gettid};

use super::{Slot, pointer};
use crate::base::fault::{self, Door};
use crate::base::sanitizer::Execution;

/// The meeting point of a home's thread and its pool: the thread lends its identity, and waits here for its exit.
///
/// All waiting is by bare futex calls on `state`, which allocate nothing and do not write errno: from the moment when it is
/// `LENT` another thread may be using the calling thread's identity.
#[derive(Debug)]
pub(super) struct Gate {
    state: AtomicU32,
    pointer: AtomicUsize,
    slot: AtomicUsize,
}

/// The thread has not reached `lend`.
const STARTING: u32 = 0;
/// The identity is lent.
const LENT: u32 = 1;
/// The thread may exit.
const OPEN: u32 = 2;
/// The identity is not fit to be lent.
const UNFIT: u32 = 3;

impl Gate {
    /// A gate whose thread is still to come.
    pub(super) fn new() -> Self {
        Self {
            state: AtomicU32::new(STARTING),
            pointer: AtomicUsize::new(0),
            slot: AtomicUsize::new(0),
        }
    }

    /// Called by the home's thread: lends its identity and waits until the gate is open.
    pub(super) fn lend(&self, pointer: usize, slot: *const Slot) {
        self.slot.store(slot.expose_provenance(), Relaxed);
        // Release: pairs with the acquire in `borrow`. The store of `LENT` does the same, but a sanitizer does not see it.
        self.pointer.store(pointer, Release);
        // SAFETY: the state goes from `STARTING` to `LENT` to `OPEN`. While others use the identity, nothing of this thread's
        // own runs but that assembly.
        unsafe {
            let execution = Execution::leave();
            pointer::lend(&self.state, LENT, OPEN);
            execution.enter(&execution);
        }
        // Acquire: pairs with the release in `open`; what the occupants left in the thread-locals is seen.
        self.state.load(Acquire);
    }

    /// Called by the home's thread instead of `lend`, if it cannot.
    pub(super) fn decline(&self) {
        self.state.store(UNFIT, Release);
        wake(&self.state);
    }

    /// Waits for the thread's identity: its pointer and its slot. `None` if it has none to lend.
    pub(super) fn borrow(&self) -> Option<(usize, *const Slot)> {
        // Acquire: pairs with the release in `lend`.
        while self.state.load(Acquire) == STARTING {
            wait(&self.state, STARTING);
        }
        if self.state.load(Acquire) == UNFIT {
            return None;
        }
        // Acquire: pairs with the release in `lend`.
        let pointer = self.pointer.load(Acquire);
        let slot = std::ptr::with_exposed_provenance(self.slot.load(Relaxed));
        Some((pointer, slot))
    }

    /// Opens the gate: nobody uses the identity any more.
    pub(super) fn open(&self) {
        self.state.store(OPEN, Release);
        wake(&self.state);
    }
}

/// Waits while `word` is `value`, or for a while: an error is a spurious end (interrupted, or the word has changed).
fn wait(word: &AtomicU32, value: u32) {
    // SAFETY: a wait without a timeout.
    unsafe { pointer::futex(word, libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG, value) };
}

/// Wakes one that waits on `word`.
fn wake(word: &AtomicU32) {
    // SAFETY: a wake.
    unsafe { pointer::futex(word, libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, 1) };
}

/// Signature that glibc registers its rseq areas with (x86-64 and aarch64 differ).
#[cfg(target_arch = "aarch64")]
const RSEQ_SIGNATURE: c_int = 0xd428_bc00_u32 as c_int;
#[cfg(not(target_arch = "aarch64"))]
const RSEQ_SIGNATURE: c_int = 0x5305_3053;
/// `RSEQ_FLAG_UNREGISTER` of linux/rseq.h.
const RSEQ_UNREGISTER: c_int = 1;
/// The size glibc registers when the kernel knows no larger one.
const RSEQ_SIZE: c_long = 32;

/// Where glibc keeps a thread's rseq area, from its pointer on, and the length it registered; 0 until `withdraw` has found
/// out. Facts about the libc, so relaxed: whoever reads them in a forked child has them from before, or has no home.
static RSEQ_OFFSET: AtomicIsize = AtomicIsize::new(0);
static RSEQ_LENGTH: AtomicIsize = AtomicIsize::new(0);

/// Makes the calling thread fit to lend its identity `pointer`. False if it cannot be: the kernel goes on writing into it.
#[must_use]
pub(super) fn withdraw(pointer: usize) -> bool {
    // SAFETY: a full set is valid; glibc leaves out the two signals it needs itself. The old mask is not asked for.
    unsafe {
        let mut all = std::mem::zeroed::<libc::sigset_t>();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &all, ptr::null_mut());
    }
    let Some(offset) = symbol::<isize>(c"__rseq_offset") else {
        return true;
    };
    let size = symbol::<u32>(c"__rseq_size").unwrap_or(0);
    if size == 0 {
        return true;
    }
    let area = pointer.wrapping_add_signed(offset);
    // The length must be the one that was registered, which glibc publishes under different names over time: its
    // fixed size first, then the size of the features it announces.
    for length in [RSEQ_SIZE, c_long::from(size)] {
        if fault::at(Door::Rseq).is_ok() && unregister(area, length) {
            RSEQ_OFFSET.store(offset, Relaxed);
            RSEQ_LENGTH.store(length as isize, Relaxed);
            return true;
        }
    }
    // Not unregistered. That is well if nothing was registered: the second word of the area says which processor the
    // thread runs on, negative while the kernel does not keep it.
    // SAFETY: glibc has an area of at least 32 bytes there; the kernel may write the word, hence volatile.
    let processor = unsafe {
        std::ptr::with_exposed_provenance::<i32>(area)
            .add(1)
            .read_volatile()
    };
    processor < 0
}

/// Takes the calling thread's rseq area back from the kernel. True if it was that.
fn unregister(area: usize, length: c_long) -> bool {
    // SAFETY: unregistering reads nothing but its arguments; after it the kernel no longer writes the area.
    let result = unsafe {
        libc::syscall(
            libc::SYS_rseq,
            area,
            length,
            RSEQ_UNREGISTER,
            RSEQ_SIGNATURE,
        )
    };
    result == 0
}

/// For the only thread of a forked child, which was the worker whose own thread pointer is `worker` and runs in another
/// identity: glibc takes it for the thread of that identity, and gives the stack of the worker's thread to the next one that
/// is started. The kernel must not write into that stack any more. Async-signal-safe.
pub(super) fn forsake(worker: usize) {
    let length = RSEQ_LENGTH.load(Relaxed) as c_long;
    if length != 0 {
        // If it fails, nothing was registered.
        unregister(
            worker.wrapping_add_signed(RSEQ_OFFSET.load(Relaxed)),
            length,
        );
    }
}

/// The value of a data symbol that not every libc has.
fn symbol<T: Copy>(name: &std::ffi::CStr) -> Option<T> {
    // SAFETY: looking a name up has no preconditions; where the symbol is, libc keeps a value of that type there.
    unsafe {
        let at = libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr());
        (!at.is_null()).then(|| *at.cast::<T>())
    }
}

/// glibc's signal for its setuid family (`SIGSETXID` of its internal signals.h).
const SIGSETXID: c_int = 33;

/// The kernel's own `struct sigaction`, which libc does not show for this signal.
#[repr(C)]
#[derive(Clone, Copy)]
struct KernelAction {
    handler: usize,
    flags: c_ulong,
    restorer: usize,
    mask: u64,
}

type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);

/// glibc's handler; 0 until the wrapper is in place.
static INNER: AtomicUsize = AtomicUsize::new(0);

/// Puts the wrapper before glibc's handler. A thread must have been started before: glibc installs its handler with the
/// first.
///
/// Two threads may do so at the same time, and find and store the same. A `Once` would stay unfinished for ever in a child that
/// is forked meanwhile.
pub(super) fn wrap_setxid() {
    static DONE: AtomicBool = AtomicBool::new(false);
    if DONE.load(Relaxed) {
        return;
    }
    let mut action = KernelAction {
        handler: 0,
        flags: 0,
        restorer: 0,
        mask: 0,
    };
    let wrapper = on_setxid as Handler as usize;
    // SAFETY: the layout is the kernel's for this architecture and 8 the size of its signal set; libc refuses this
    // signal, hence the raw calls. The wrapper takes three arguments, so only such a handler is wrapped.
    unsafe {
        let set = size_of::<u64>();
        let null = ptr::null::<KernelAction>();
        let read = libc::syscall(
            libc::SYS_rt_sigaction,
            SIGSETXID,
            null,
            &raw mut action,
            set,
        );
        let real = action.handler > 1 && action.flags & libc::SA_SIGINFO as c_ulong != 0;
        if read == 0 && real && action.handler != wrapper {
            // Release: pairs with the acquire in the wrapper.
            INNER.store(action.handler, Release);
            action.handler = wrapper;
            // A greenlet's stack may be small: use the worker's alternate one.
            action.flags |= libc::SA_ONSTACK as c_ulong;
            libc::syscall(
                libc::SYS_rt_sigaction,
                SIGSETXID,
                &raw const action,
                null.cast_mut(),
                set,
            );
        }
    }
    // Relaxed: who sees it not done does it again.
    DONE.store(true, Relaxed);
}

/// The wrapper. Async-signal-safe: it reads atomics and makes one system call; it uses no thread-local.
extern "C" fn on_setxid(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: stored before this handler was installed, and a function of this type (`SA_SIGINFO` was checked).
    let inner = unsafe { std::mem::transmute::<usize, Handler>(INNER.load(Acquire)) };
    match own_pointer(gettid()) {
        Some(own) => {
            let loaded = pointer::get();
            // SAFETY: `own` is this thread's own pointer, which is always valid here; a registered thread exists only
            // where homes move or the two are equal.
            unsafe { set_if_needed(loaded, own) };
            inner(signal, info, context);
            // SAFETY: back to what the interrupted code had loaded.
            unsafe { set_if_needed(own, loaded) };
        }
        None => inner(signal, info, context),
    }
}

/// In line, as `pointer::set` is: see `base::sanitizer`.
///
/// # Safety
/// As `pointer::set`.
#[inline(always)]
unsafe fn set_if_needed(from: usize, to: usize) {
    if from != to {
        // SAFETY: passed on.
        unsafe { pointer::set(to) };
    }
}

/// One registered thread. Nodes are never freed, only used again: the handler may be reading any of them.
#[derive(Debug)]
struct Node {
    /// The thread's kernel id; 0 while the node is unused.
    tid: AtomicI32,
    pointer: AtomicUsize,
    next: AtomicPtr<Node>,
}

static NODES: AtomicPtr<Node> = AtomicPtr::new(ptr::null_mut());

/// All nodes there are.
fn nodes() -> impl Iterator<Item = &'static Node> {
    // Acquire: pairs with the release that pushed the node.
    let mut at = NODES.load(Acquire);
    std::iter::from_fn(move || {
        // SAFETY: nodes are leaked boxes; `next` is written before a node is pushed and not changed after.
        let node = unsafe { at.as_ref() }?;
        at = node.next.load(Relaxed);
        Some(node)
    })
}

fn own_pointer(tid: Pid) -> Option<usize> {
    let tid = tid.as_raw_nonzero().get();
    // Acquire: pairs with the release in `register`, which wrote the pointer first. A thread that asks for itself sees
    // its own writes in any case.
    nodes()
        .find(|node| node.tid.load(Acquire) == tid)
        .map(|node| node.pointer.load(Relaxed))
}

/// For a forked child: no thread of those noted is here, and their numbers are given to others. Async-signal-safe.
pub(super) fn forget_threads() {
    // Relaxed: there is no other thread.
    nodes().for_each(|node| node.tid.store(0, Relaxed));
}

/// A thread's entry in the list, until it is dropped.
#[derive(Debug)]
pub(super) struct Registered(&'static Node);

/// Notes the calling thread's own pointer.
pub(super) fn register(pointer: usize) -> Registered {
    let tid = gettid().as_raw_nonzero().get();
    // A node is claimed by a number no thread has, filled, and then given the thread's.
    const CLAIMED: i32 = -1;
    let reused = nodes().find(|node| {
        node.tid
            .compare_exchange(0, CLAIMED, Acquire, Relaxed)
            .is_ok()
    });
    let node = reused.unwrap_or_else(|| {
        let node: &'static Node = Box::leak(Box::new(Node {
            tid: AtomicI32::new(CLAIMED),
            pointer: AtomicUsize::new(0),
            next: AtomicPtr::new(ptr::null_mut()),
        }));
        let mut head = NODES.load(Relaxed);
        loop {
            node.next.store(head, Relaxed);
            // Release: pairs with the acquire in `nodes`.
            let new = ptr::from_ref(node).cast_mut();
            match NODES.compare_exchange_weak(head, new, Release, Relaxed) {
                Ok(_) => break node,
                Err(now) => head = now,
            }
        }
    });
    node.pointer.store(pointer, Relaxed);
    node.tid.store(tid, Release);
    Registered(node)
}

impl Drop for Registered {
    fn drop(&mut self) {
        // Release: pairs with the acquire of the next claim.
        self.0.tid.store(0, Release);
    }
}
