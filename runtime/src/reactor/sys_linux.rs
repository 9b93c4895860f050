//! The poller on Linux: `polling`'s descriptor, used directly.
//!
//! `polling` makes five system calls for each wait, because its timer and its notifier fire once and are armed anew each
//! time. Every turn of the scheduler would pay for that, so here each step is one call on the same descriptor. Measured
//! (Linux 6.18, a guest): a poll that finds nothing 120 ns instead of 1,335; a wait that finds an event 290 (660 with a
//! deadline) instead of 1,490 (1,840); a notification and its wait 540 instead of 2,100; waking a sleeping thread 3.6 µs
//! instead of 8.2.
//!
//! - Registration is one `epoll_ctl` with all flags. `polling` has no name for `EPOLLRDHUP`, so through it a second
//!   call would have to add the flag (3.0 µs a source instead of 1.2), and between the two an end of stream could come
//!   without it.
//! - The bell is an event counter registered edge-triggered: each ring is an edge, also when nobody has read the last
//!   one, so it is never read nor armed again. Its key is 0, which is no source's address.
//! - A deadline goes to `epoll_pwait2` (nanoseconds). Where that is missing (before Linux 5.11, or forbidden by a
//!   filter), to `epoll_wait`, which rounds up to milliseconds.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use polling::Poller;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io::{Errno, retry_on_intr};

use super::readiness::{Direction, Event};
use super::sys_seat::Key;
use crate::base::OLD_SYSTEM;
use crate::base::fault::{self, Door};

/// Whether a read or a write of fewer bytes than asked proves that the socket is empty, or full, and that whatever
/// follows is another edge or was flagged in this one. See `tcp_recvmsg` and `tcp_sendmsg` in the kernel.
pub(super) const SHORT_MEANS_EMPTY: bool = true;

/// The bell's key.
const BELL: u64 = 0;

/// How many events one turn takes. As many as `polling` and others take; arbitrary. 12 KB on x86_64.
const BATCH: usize = 1024;

/// Errors and hang-ups are reported without being asked for. Urgent data is, for a read stops short before it.
const EVERYTHING: EventFlags = EventFlags::IN
    .union(EventFlags::OUT)
    .union(EventFlags::RDHUP)
    .union(EventFlags::PRI)
    .union(EventFlags::ET);

/// The longest wait that a wait in milliseconds is asked for. Arbitrary, and below the 24 days that fit; it may end
/// early.
const COARSE_LIMIT: Duration = Duration::from_secs(3600);

/// The poller and its bell.
#[derive(Debug)]
pub(super) struct Driver {
    poller: Poller,
    bell: OwnedFd,
    /// `epoll_pwait2` is missing.
    coarse: AtomicBool,
}

/// `struct __kernel_timespec`: 64 bits each on every architecture.
#[repr(C)]
struct KernelTimespec {
    seconds: i64,
    nanoseconds: i64,
}

impl Driver {
    pub(super) fn new() -> io::Result<Self> {
        fault::at(Door::Poller)?;
        let poller = Poller::new()?;
        fault::at(Door::Bell)?;
        let bell = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        fault::at(Door::Watch)?;
        epoll::add(
            poller.as_fd(),
            &bell,
            EventData::new_u64(BELL),
            EventFlags::IN | EventFlags::ET,
        )?;
        Ok(Self {
            poller,
            bell,
            coarse: AtomicBool::new(OLD_SYSTEM),
        })
    }

    /// Registers `fd` for both directions and everything that may follow.
    pub(super) fn add(&self, fd: BorrowedFd<'_>, Key(key): Key) -> io::Result<()> {
        fault::at(Door::Watch)?;
        let data = EventData::new_u64(key as u64);
        Ok(epoll::add(self.poller.as_fd(), fd, data, EVERYTHING)?)
    }

    /// Has everything that `fd` is ready for at this moment reported once more.
    pub(super) fn report_again(&self, fd: BorrowedFd<'_>, Key(key): Key) -> io::Result<()> {
        let data = EventData::new_u64(key as u64);
        Ok(epoll::modify(self.poller.as_fd(), fd, data, EVERYTHING)?)
    }

    /// Takes `fd` out.
    pub(super) fn delete(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        fault::at(Door::Unwatch)?;
        Ok(epoll::delete(self.poller.as_fd(), fd)?)
    }

    /// Ends the `wait` under way, or the next one.
    pub(super) fn ring(&self) {
        // A ring that is lost could be the last one, so a signal must not cut it short. It cannot fail otherwise: the counter
        // would be full after 2^64 rings.
        let _ = retry_on_intr(|| {
            fault::at(Door::Ring)?;
            rustix::io::write(&self.bell, &1u64.to_ne_bytes())
        });
    }

    /// Takes the events that are there.
    pub(super) fn poll(&self, batch: &mut Batch) {
        self.take(batch, Some(Duration::ZERO));
    }

    /// Waits for events, a ring or `deadline`.
    pub(super) fn wait(&self, batch: &mut Batch, deadline: Option<Instant>) {
        let Some(deadline) = deadline else {
            return self.take(batch, None);
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            self.poll(batch);
        } else if self.coarse.load(Relaxed) {
            self.take(batch, Some(left.min(COARSE_LIMIT)));
        } else {
            match self.take_precise(batch, left) {
                Err(Errno::NOSYS | Errno::PERM) => {
                    self.coarse.store(true, Relaxed);
                    self.wait(batch, Some(deadline));
                }
                taken => check(taken),
            }
        }
    }

    fn take(&self, batch: &mut Batch, timeout: Option<Duration>) {
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: timeout.as_secs() as _,
            tv_nsec: timeout.subsec_nanos() as _,
        });
        batch.0.clear();
        let taken = fault::at(Door::Wait).and_then(|()| {
            let room = spare_capacity(&mut batch.0);
            epoll::wait(self.poller.as_fd(), room, timeout.as_ref())
        });
        check(taken.map(drop));
    }

    fn take_precise(&self, batch: &mut Batch, timeout: Duration) -> Result<(), Errno> {
        let timeout = KernelTimespec {
            seconds: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            nanoseconds: timeout.subsec_nanos().into(),
        };
        batch.0.clear();
        fault::at(Door::PreciseWait)?;
        // SAFETY: the kernel writes at most `BATCH` events to the buffer, whose capacity that is at least, and reads
        // the time; there is no signal mask.
        let taken = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.poller.as_fd().as_raw_fd(),
                batch.0.as_mut_ptr(),
                BATCH as libc::c_int,
                &raw const timeout,
                ptr::null::<libc::sigset_t>(),
                0usize,
            )
        };
        let taken = usize::try_from(taken).map_err(|_| last_errno())?;
        // SAFETY: the kernel has written so many.
        unsafe { batch.0.set_len(taken) };
        Ok(())
    }
}

fn last_errno() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::INVAL)
}

/// A signal counts as no events. Any other failure means that the descriptor is gone (a program that closes descriptors
/// it did not open): no greenlet would ever hear of its sockets again, so better say so.
fn check(result: Result<(), Errno>) {
    match result {
        Ok(()) | Err(Errno::INTR) => {}
        Err(error) => panic!(
            "the reactor's epoll descriptor is unusable ({error}); has the program closed it?"
        ),
    }
}

/// The events of one turn.
pub(super) struct Batch(Vec<epoll::Event>);

// SAFETY: an event may hold a pointer, and is `!Send` for that alone. Ours hold numbers.
unsafe impl Send for Batch {}

impl Batch {
    pub(super) fn new() -> Self {
        Self(Vec::with_capacity(BATCH))
    }

    /// The events of sources.
    pub(super) fn events(&self) -> impl Iterator<Item = (Key, Event)> + '_ {
        let notifier = usize::MAX as u64;
        let of_sources = self.0.iter().filter(move |event| {
            let key = event.data.u64();
            key != BELL && key != notifier
        });
        of_sources.map(|event| (Key(event.data.u64() as usize), decode(event.flags)))
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Batch").field(&self.0.len()).finish()
    }
}

fn decode(flags: EventFlags) -> Event {
    // After either, operations of both directions end at once.
    let broken = flags.intersects(EventFlags::HUP | EventFlags::ERR);
    let behind = flags.intersects(EventFlags::RDHUP | EventFlags::PRI);
    Event::NOTHING
        .ready_if(
            Direction::Read,
            broken || behind || flags.contains(EventFlags::IN),
        )
        .closed_if(Direction::Read, broken || behind)
        .ready_if(Direction::Write, broken || flags.contains(EventFlags::OUT))
        .closed_if(Direction::Write, broken)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn deadlines_are_kept_to_the_fraction_of_a_millisecond_and_coarsely_where_they_must() {
        let driver = Driver::new().unwrap();
        let mut batch = Batch::new();
        let wait = Duration::from_micros(300);
        for coarse in [false, true] {
            driver.coarse.fetch_or(coarse, Relaxed);
            // The machine may be busy; one good run of twenty is enough.
            let late = (0..20).map(|_| {
                let start = Instant::now();
                driver.wait(&mut batch, Some(start + wait));
                start.elapsed().checked_sub(wait).expect("woken early")
            });
            let best = late.min().unwrap();
            // Also when there was no choice.
            let coarse = driver.coarse.load(Relaxed);
            assert!(
                best < Duration::from_micros(if coarse { 5_000 } else { 600 }),
                "{best:?} late, coarse {coarse}"
            );
        }
    }
}
