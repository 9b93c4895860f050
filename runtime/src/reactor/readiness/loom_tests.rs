//! The word under loom: events, readers and a shutdown in every order.
#![forbid(unsafe_code)]

use super::Direction::Read;
use super::*;
use loom::sync::atomic::AtomicUsize;
use loom::sync::{Arc, Mutex, Notify};
use loom::thread;

const IN: Event = Event(READABLE);

/// A socket as the word sees it: `kernel` is the number of bytes it holds, and the queue holds a token for each wait.
struct Socket {
    readiness: Readiness,
    kernel: AtomicUsize,
    end: AtomicUsize,
    queue: Mutex<Vec<Arc<Notify>>>,
}

impl Socket {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            readiness: Readiness::new(Read),
            kernel: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            queue: Mutex::new(Vec::new()),
        })
    }

    /// What the poller's holder does with an edge.
    fn apply(&self, event: Event) {
        if self.readiness.event(event).readers {
            self.fire();
        }
    }

    fn fire(&self) {
        for token in std::mem::take(&mut *self.queue.lock().unwrap()) {
            token.notify();
        }
    }

    /// The system call: up to `want` of the bytes that are there.
    fn take(&self, want: usize) -> usize {
        let taken = self
            .kernel
            .fetch_update(AcqRel, Acquire, |have| Some(have - have.min(want)));
        taken.unwrap().min(want)
    }

    /// Takes `want` bytes at most, waiting for the first; 0 at the end of the stream or at a shutdown.
    fn read(&self, want: usize) -> usize {
        // One for all waits: loom wakes each of them once for no reason, and a late firing is one reason more.
        let token = Arc::new(Notify::new());
        loop {
            match self.readiness.look(Read) {
                Look::Ready(seen) => {
                    let taken = self.take(want);
                    if taken > 0 {
                        if taken < want {
                            self.readiness.short(Read, seen);
                        }
                        return taken;
                    }
                    if self.end.load(Acquire) != 0 {
                        return 0;
                    }
                    self.readiness.exhausted(Read, seen);
                }
                Look::Unready => {
                    self.queue.lock().unwrap().push(token.clone());
                    match self.readiness.enlist(Read) {
                        Enlist::Ready => {}
                        Enlist::Waits => token.wait(),
                        Enlist::Shut => return 0,
                    }
                }
            }
        }
    }
}

#[test]
fn loom_an_event_meets_a_waiter() {
    loom::model(|| {
        let socket = Socket::new();
        let reader = {
            let socket = socket.clone();
            thread::spawn(move || socket.read(1))
        };
        socket.kernel.fetch_add(1, AcqRel);
        socket.apply(IN);
        assert_eq!(reader.join().unwrap(), 1);
    });
}

#[test]
fn loom_an_event_meets_a_clearing() {
    loom::model(|| {
        let socket = Socket::new();
        // Presumed ready, as after another reader's event: the first read may find nothing, and clears.
        socket.apply(IN);
        let poller = {
            let socket = socket.clone();
            thread::spawn(move || {
                for _ in 0..2 {
                    socket.kernel.fetch_add(1, AcqRel);
                    socket.apply(IN);
                }
            })
        };
        // Both reads may be short, and clear as well.
        let mut got = socket.read(2);
        while got < 2 {
            got += socket.read(2);
        }
        assert_eq!(got, 2);
        poller.join().unwrap();
    });
}

#[test]
fn loom_the_end_behind_the_data_is_seen() {
    loom::model(|| {
        let socket = Socket::new();
        let poller = {
            let socket = socket.clone();
            thread::spawn(move || {
                socket.kernel.fetch_add(1, AcqRel);
                socket.end.store(1, Relaxed);
                socket.apply(Event(READABLE | READ_CLOSED));
            })
        };
        assert_eq!(socket.read(2), 1);
        assert_eq!(socket.read(2), 0);
        poller.join().unwrap();
    });
}

#[test]
fn loom_two_waiters_share_what_one_event_brings() {
    loom::model(|| {
        let socket = Socket::new();
        let reader = {
            let socket = socket.clone();
            thread::spawn(move || socket.read(1))
        };
        let poller = {
            let socket = socket.clone();
            thread::spawn(move || {
                socket.kernel.fetch_add(2, AcqRel);
                socket.apply(IN);
            })
        };
        assert_eq!(socket.read(1), 1);
        assert_eq!(reader.join().unwrap(), 1);
        poller.join().unwrap();
    });
}

#[test]
fn loom_a_shutdown_ends_a_wait() {
    loom::model(|| {
        let socket = Socket::new();
        let reader = {
            let socket = socket.clone();
            thread::spawn(move || socket.read(1))
        };
        let wake = socket.readiness.shut();
        if wake.readers {
            socket.fire();
        }
        assert_eq!(reader.join().unwrap(), 0);
    });
}
