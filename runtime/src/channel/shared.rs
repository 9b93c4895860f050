//! What the senders and receivers of one channel share: their numbers, and one of the kinds of channels.
#![forbid(unsafe_code)]

use std::fmt;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::time::Instant;

use super::buffered::Buffered;
use super::errors::{RecvTimeoutError, SendTimeoutError, TryRecvError, TrySendError};
use super::list::List;
use super::ordered::Ordered;
use super::ring::Ring;
use super::timer::Timer;
use super::zero::Zero;

/// See the module.
pub(super) struct Shared<T> {
    senders: AtomicUsize,
    receivers: AtomicUsize,
    kind: Kind<T>,
}

/// The kinds of channels.
#[derive(Debug)]
pub(super) enum Kind<T> {
    Ring(Buffered<Ring<T>>),
    List(Buffered<List<T>>),
    Ordered(Buffered<Ordered<T>>),
    Zero(Zero<T>),
    /// It has no senders.
    Timer(Timer<T>),
}

/// The same for all kinds with a buffer, and for the two without.
macro_rules! by_kind {
    ($kind:expr, $buffered:ident => $do:expr, $zero:ident => $do_zero:expr, $timer:ident => $do_timer:expr $(,)?) => {
        match $kind {
            Kind::Ring($buffered) => $do,
            Kind::List($buffered) => $do,
            Kind::Ordered($buffered) => $do,
            Kind::Zero($zero) => $do_zero,
            Kind::Timer($timer) => $do_timer,
        }
    };
}
pub(super) use by_kind;

const NO_SENDERS: &str = "nobody sends to a timer";

impl<T> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl<T> Shared<T> {
    /// With one sender and one receiver.
    pub(super) fn new(kind: Kind<T>) -> Self {
        Self {
            senders: AtomicUsize::new(1),
            receivers: AtomicUsize::new(1),
            kind,
        }
    }

    pub(super) fn kind(&self) -> &Kind<T> {
        &self.kind
    }

    pub(super) fn senders(&self) -> usize {
        self.senders.load(Relaxed)
    }

    pub(super) fn receivers(&self) -> usize {
        self.receivers.load(Relaxed)
    }

    pub(super) fn add_sender(&self) {
        // Relaxed: by who has one, which does not go meanwhile.
        self.senders.fetch_add(1, Relaxed);
    }

    pub(super) fn add_receiver(&self) {
        // Relaxed: as above.
        self.receivers.fetch_add(1, Relaxed);
    }

    pub(super) fn remove_sender(&self) {
        // Acquire, Release: the last one has seen what the others have sent, and passes it on to who finds that all are gone.
        if self.senders.fetch_sub(1, AcqRel) == 1 {
            by_kind!(&self.kind,
                buffered => buffered.close_senders(),
                zero => zero.close_senders(),
                _timer => {},
            );
        }
    }

    pub(super) fn remove_receiver(&self) {
        // Acquire, Release: as above.
        if self.receivers.fetch_sub(1, AcqRel) == 1 {
            by_kind!(&self.kind,
                buffered => buffered.close_receivers(),
                zero => zero.close_receivers(),
                _timer => {},
            );
        }
    }

    #[inline]
    pub(super) fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        by_kind!(&self.kind,
            buffered => buffered.try_send(value),
            zero => zero.try_send(value),
            _timer => unreachable!("{NO_SENDERS}"),
        )
    }

    #[inline]
    pub(super) fn send(
        &self,
        value: T,
        deadline: Option<Instant>,
    ) -> Result<(), SendTimeoutError<T>> {
        by_kind!(&self.kind,
            buffered => buffered.send(value, deadline),
            zero => zero.send(value, deadline),
            _timer => unreachable!("{NO_SENDERS}"),
        )
    }

    #[inline]
    pub(super) fn try_recv(&self) -> Result<T, TryRecvError> {
        by_kind!(&self.kind,
            buffered => buffered.try_recv(),
            zero => zero.try_recv(),
            timer => timer.try_recv(),
        )
    }

    #[inline]
    pub(super) fn recv(&self, deadline: Option<Instant>) -> Result<T, RecvTimeoutError> {
        by_kind!(&self.kind,
            buffered => buffered.recv(deadline),
            zero => zero.recv(deadline),
            timer => timer.recv(deadline),
        )
    }

    pub(super) fn is_empty(&self) -> bool {
        by_kind!(&self.kind, buffered => buffered.is_empty(), _zero => true, timer => !timer.is_due())
    }

    pub(super) fn is_full(&self) -> bool {
        by_kind!(&self.kind,
            buffered => buffered.is_full(),
            _zero => true,
            timer => timer.capacity() == 0 || timer.is_due(),
        )
    }

    pub(super) fn len(&self) -> usize {
        by_kind!(&self.kind,
            buffered => buffered.len(),
            _zero => 0,
            timer => usize::from(timer.is_due()),
        )
    }

    pub(super) fn capacity(&self) -> Option<usize> {
        by_kind!(&self.kind,
            buffered => buffered.capacity(),
            _zero => Some(0),
            timer => Some(timer.capacity()),
        )
    }
}
