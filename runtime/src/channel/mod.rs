//! Channels: messages from any number of senders to any number of receivers, greenlets and plain threads alike.
//!
//! | made by | room for | which message comes first |
//! |---|---|---|
//! | [`bounded`] | so many | the oldest |
//! | [`bounded`]`(0)` | none: who sends and who receives wait for each other | |
//! | [`unbounded`] | any number | the oldest |
//! | [`priority`], [`priority_bounded`] | any number, or so many | the greatest, the oldest of equals |
//! | [`lifo`], [`lifo_bounded`] | any number, or so many | the newest |
//! | [`after`], [`at`], [`tick`], [`never()`] | | time sends, or nobody does |
//! | [`oneshot::channel`] | one, of which there is only one | |
//! | [`broadcast::channel`] | so many; too slow a receiver misses the oldest | the oldest; each receiver gets each |
//! | [`watch::channel`] | the last value | |
//!
//! All but the last three have the same [`Sender`] and [`Receiver`], which can be cloned. A channel is closed by the end of one of its sides: when the
//! last sender is dropped, what was sent can still be received, and then there is an error; when the last receiver is dropped,
//! what was sent is dropped, and who sends gets an error with its message. The API is that of `crossbeam-channel`, the behaviour
//! that of Go's channels, but that there is nothing to close twice. [`sync::mpsc`](crate::sync::mpsc) has the names of `std`. To wait for one of
//! several channels there is [`select!`](crate::select!).
//!
//! # Examples
//!
//! ```
//! use sward::channel::bounded;
//!
//! let (sender, receiver) = bounded(4);
//! for part in 0..3 {
//!     let sender = sender.clone();
//!     sward::go!({
//!         for number in 0..10 {
//!             sender.send(10 * part + number).unwrap();
//!         }
//!     });
//! }
//! drop(sender);
//! assert_eq!(receiver.iter().sum::<u32>(), 29 * 30 / 2);
//! ```

// Floor 11. `shared` is what the two sides share, `sender` and `receiver` are the sides. Kinds of channels: `buffered` with one of the
// buffers `ring`, `list` and `ordered`; `zero`; `timer`. A buffered channel's lines are `line`, their word is `presence`. `oneshot`,
// `broadcast` and `watch` are states under a lock: `told`.

mod arm;
pub mod broadcast;
mod buffered;
mod errors;
mod iter;
mod line;
mod list;
#[cfg(all(test, loom))]
mod loom_tests;
#[doc(hidden)] // It is `sync::mpsc`.
pub mod mpsc;
pub mod oneshot;
mod ordered;
mod presence;
mod receiver;
mod ring;
mod sender;
mod shared;
#[cfg(all(test, not(loom)))]
mod tests;
mod timer;
mod told;
pub mod watch;
mod zero;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub use arm::{RecvArm, SendArm};
use buffered::Buffered;
pub use errors::{
    RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError,
};
pub use iter::{IntoIter, Iter, TryIter};
use list::List;
use ordered::Ordered;
pub use receiver::Receiver;
use ring::Ring;
pub use sender::Sender;
use shared::{Kind, Shared};
use timer::Timer;
use zero::Zero;

fn pair<T>(kind: Kind<T>) -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared::new(kind));
    (Sender::new(shared.clone()), Receiver::new(shared))
}

fn timer<T>(timer: Timer<T>) -> Receiver<T> {
    Receiver::new(Arc::new(Shared::new(Kind::Timer(timer))))
}

/// A channel with room for `capacity` messages, which are received in the order in which they were sent. Without room, if that is 0:
/// a message goes directly from one who sends to one who receives.
///
/// The memory for the messages is allocated at once. To send and to receive takes no lock unless somebody waits.
///
/// # Examples
///
/// ```
/// let (sender, receiver) = sward::channel::bounded(1);
/// sender.send(1).unwrap();
/// assert!(sender.try_send(2).unwrap_err().is_full());
/// assert_eq!(receiver.recv(), Ok(1));
///
/// let (sender, receiver) = sward::channel::bounded(0);
/// assert!(sender.try_send(1).is_err(), "nobody is there to receive it");
/// sward::go!(sender.send(2).unwrap());
/// assert_eq!(receiver.recv(), Ok(2));
/// ```
#[must_use]
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    match capacity {
        0 => pair(Kind::Zero(Zero::new())),
        _ => pair(Kind::Ring(Buffered::new(Ring::new(capacity)))),
    }
}

/// A channel with room for any number of messages, which are received in the order in which they were sent. To send never waits.
///
/// # Examples
///
/// ```
/// let (sender, receiver) = sward::channel::unbounded();
/// (0..100).for_each(|number| sender.send(number).unwrap());
/// drop(sender);
/// assert!(receiver.iter().eq(0..100));
/// ```
#[must_use]
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    pair(Kind::List(Buffered::new(List::new())))
}

/// A channel with room for any number of messages, of which the greatest is received first, and of equals the one that was
/// sent first. (Of messages in [`std::cmp::Reverse`], the least.)
///
/// To send and to receive compare messages: if that panics, so does the call, and one message may be lost. If it uses the same channel,
/// it waits for ever.
///
/// # Examples
///
/// ```
/// let (sender, receiver) = sward::channel::priority();
/// for number in [3, 1, 2] {
///     sender.send(number).unwrap();
/// }
/// drop(sender);
/// assert!(receiver.iter().eq([3, 2, 1]));
/// ```
#[must_use]
pub fn priority<T: Ord>() -> (Sender<T>, Receiver<T>) {
    pair(Kind::Ordered(Buffered::new(Ordered::heap(None))))
}

/// As [`priority`], with room for `capacity` messages.
///
/// # Panics
///
/// If `capacity` is 0.
///
/// # Examples
///
/// ```
/// let (sender, receiver) = sward::channel::priority_bounded(2);
/// sender.send(1).unwrap();
/// sender.send(2).unwrap();
/// assert!(sender.try_send(3).unwrap_err().is_full());
/// assert_eq!(receiver.recv(), Ok(2));
/// ```
#[must_use]
pub fn priority_bounded<T: Ord>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    pair(Kind::Ordered(Buffered::new(Ordered::heap(Some(capacity)))))
}

/// A channel with room for any number of messages, of which the one that was sent last is received first.
///
/// # Examples
///
/// ```
/// let (sender, receiver) = sward::channel::lifo();
/// for number in [1, 2, 3] {
///     sender.send(number).unwrap();
/// }
/// drop(sender);
/// assert!(receiver.iter().eq([3, 2, 1]));
/// ```
#[must_use]
pub fn lifo<T>() -> (Sender<T>, Receiver<T>) {
    pair(Kind::Ordered(Buffered::new(Ordered::stack(None))))
}

/// As [`lifo`], with room for `capacity` messages.
///
/// # Panics
///
/// If `capacity` is 0.
///
/// # Examples
///
/// ```
/// let (sender, receiver) = sward::channel::lifo_bounded(2);
/// sender.send(1).unwrap();
/// sender.send(2).unwrap();
/// assert!(sender.try_send(3).unwrap_err().is_full());
/// assert_eq!(receiver.recv(), Ok(2));
/// ```
#[must_use]
pub fn lifo_bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    pair(Kind::Ordered(Buffered::new(Ordered::stack(Some(capacity)))))
}

/// One message, after so long: the time at which it was due. It uses no greenlet and no thread.
///
/// There are no others, and the channel is not closed: who receives again waits for ever. If `duration` is too long to be told, nothing comes at all.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
///
/// let begun = Instant::now();
/// let timeout = sward::channel::after(Duration::from_millis(2));
/// assert!(timeout.try_recv().is_err());
/// assert!(timeout.recv().unwrap() - begun >= Duration::from_millis(2));
/// ```
#[must_use]
pub fn after(duration: Duration) -> Receiver<Instant> {
    Instant::now().checked_add(duration).map_or_else(never, at)
}

/// As [`after`], at a time.
///
/// # Examples
///
/// ```
/// let now = std::time::Instant::now();
/// assert_eq!(sward::channel::at(now).recv(), Ok(now));
/// ```
#[must_use]
pub fn at(when: Instant) -> Receiver<Instant> {
    timer(Timer::once(when))
}

/// A message after each `period` of time: the time at which it was due. It uses no greenlet and no thread.
///
/// At most one message is kept. If nobody receives it before the next is due, those that come meanwhile are dropped, and the times of
/// the others stay what they would have been. With a period of zero there is always a message.
///
/// # Differences to crossbeam-channel
///
/// There, a message that is received late delays those after it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let period = Duration::from_millis(2);
/// let ticks = sward::channel::tick(period);
/// let first = ticks.recv().unwrap();
/// assert!(ticks.recv().unwrap() - first >= period);
/// ```
#[must_use]
pub fn tick(period: Duration) -> Receiver<Instant> {
    timer(Timer::tick(period))
}

/// There is never a message, and the channel is never closed.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let receiver = sward::channel::never::<u32>();
/// assert!(receiver.recv_timeout(Duration::from_millis(1)).unwrap_err().is_timeout());
/// ```
#[must_use]
pub fn never<T>() -> Receiver<T> {
    timer(Timer::Never)
}
