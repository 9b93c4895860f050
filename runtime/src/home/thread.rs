//! The thread behind a moving home: it hands over its thread pointer and waits until it may exit.
//!
//! It is made by `std::thread`, so that its thread-locals and its `thread::current()` are the real thing, and it ends
//! by returning, so that their destructors run. Meanwhile it must leave no trace of its own in that identity: all
//! signals are blocked, its rseq area is unregistered, and it waits by a system call that does not touch errno.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::{Builder, JoinHandle};

use super::occupancy::Occupancy;
use super::{Home, pointer, slot, sys};
use crate::base::fault::{self, Door};
use crate::base::threads::Counted;
use crate::stack::{Room, room_for_thread};

/// Address space for the thread's own stack, in bytes: it runs nothing but thread-local destructors at its exit.
/// The same as a greenlet's default.
const STACK_SIZE: usize = 256 * 1024;
/// Address space for a home in all: its stack, the alternate one that std gives each thread, and what it allocates.
const SPACE: usize = 2 * STACK_SIZE;

/// The thread of one home.
#[derive(Debug)]
pub(super) struct HomeThread {
    pub(super) home: Arc<Home>,
    gate: Arc<sys::Gate>,
    thread: JoinHandle<()>,
}

/// A thread of a home that has been started, and may not have got so far as to lend its identity.
#[derive(Debug)]
pub(super) struct Starting {
    index: usize,
    gate: Arc<sys::Gate>,
    thread: JoinHandle<()>,
}

impl Starting {
    /// Starts the thread of home number `index` of the runtime `name`.
    pub(super) fn start(name: &str, index: usize) -> io::Result<Self> {
        fault::at(Door::Thread)?;
        let gate = Arc::new(sys::Gate::new());
        let exit = gate.clone();
        let thread = Builder::new()
            .name(format!("{name}-home-{index}"))
            .stack_size(STACK_SIZE)
            .spawn(move || {
                let _ours = Counted::ours();
                if !sys::withdraw(pointer::get()) {
                    return exit.decline();
                }
                // What the queues keep for each identity is made here, where there is room: it is large, and a greenlet's stack
                // may be small.
                let _ = crossbeam_deque::Worker::<()>::new_fifo().stealer().steal();
                let slot = slot();
                // SAFETY: our own thread's slot.
                unsafe { (*slot).prepare() };
                exit.lend(pointer::get(), slot);
                // SAFETY: the pool opens the gate when nobody occupies the home any more, so the slot is ours; the
                // destructors that run from here on are those of a plain thread.
                unsafe { (*slot).set(std::ptr::null(), std::ptr::null()) };
            })?;
        Ok(Self {
            index,
            gate,
            thread,
        })
    }

    /// Waits until the thread lends its identity.
    pub(super) fn arrive(self) -> io::Result<HomeThread> {
        let Self {
            index,
            gate,
            thread,
        } = self;
        let Some((pointer, slot)) = gate.borrow() else {
            let _ = thread.join();
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "homes cannot move here: the kernel keeps writing into the thread's rseq area; use fixed homes",
            ));
        };
        sys::wrap_setxid();
        let home = Arc::new(Home {
            occupancy: Occupancy::new(),
            pointer,
            slot,
            worker: None,
            index,
            load: AtomicUsize::new(0),
        });
        Ok(HomeThread { home, gate, thread })
    }
}

impl HomeThread {
    /// Room for `count` of them, to be held until they have arrived; an error if there is not enough.
    pub(super) fn room_for(count: usize) -> io::Result<Room> {
        room_for_thread(count * SPACE)
    }

    /// Lets the thread end, its thread-local destructors included, and waits for it. A panic in one of them aborts the process,
    /// as on any thread.
    pub(super) fn end(self) {
        self.gate.open();
        let _ = self.thread.join();
    }
}
