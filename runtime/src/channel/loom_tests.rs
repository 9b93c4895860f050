//! The ring and the word of a side under loom: who puts, who takes, and who waits, in every order.
#![forbid(unsafe_code)]

use loom::cell::UnsafeCell;
use loom::sync::{Arc, Mutex, Notify};
use loom::thread;

use super::buffered::Buffer;
use super::presence::Presence;
use super::ring::Ring;

/// A message that loom looks after: who has not seen its making must not look at it.
struct Message(u32, UnsafeCell<()>);

/// One side, with the tokens of those who wait.
struct Side {
    presence: Presence,
    line: Mutex<Vec<Arc<Notify>>>,
}

/// A channel as `Buffered` makes it.
struct Channel {
    ring: Ring<Message>,
    senders: Side,
    receivers: Side,
}

impl Side {
    fn new() -> Self {
        Self {
            presence: Presence::new(),
            line: Mutex::new(Vec::new()),
        }
    }

    /// What `Line::changed` does. Whether the side is gone.
    fn changed(&self) -> bool {
        let Some(owed) = self.presence.owed() else {
            return false;
        };
        if owed.wake {
            let mut line = self.line.lock().unwrap();
            let claimed = line.pop();
            if claimed.is_none() {
                self.presence.nobody_waits();
            }
            drop(line);
            if let Some(claimed) = claimed {
                claimed.notify();
            }
        }
        owed.gone
    }

    /// What `wait_in` does. loom ends each token's wait once for no reason, so there is one for all waits of a call.
    fn wait(&self, token: &Arc<Notify>, ready: impl FnOnce() -> bool) {
        {
            let mut line = self.line.lock().unwrap();
            line.push(token.clone());
            self.presence.will_wait();
        }
        if !ready() {
            token.wait();
        }
        let mut line = self.line.lock().unwrap();
        line.retain(|other| !Arc::ptr_eq(other, token));
    }
}

impl Channel {
    fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            ring: Ring::new(capacity),
            senders: Side::new(),
            receivers: Side::new(),
        })
    }

    fn try_send(&self, number: u32) -> bool {
        let message = Message(number, UnsafeCell::new(()));
        message.1.with_mut(|_| ());
        let sent = self.ring.try_push(message).is_ok();
        if sent && self.receivers.changed() {
            self.clear();
        }
        sent
    }

    fn send(&self, number: u32) {
        let token = Arc::new(Notify::new());
        while !self.try_send(number) {
            self.senders.wait(&token, || !self.ring.is_full());
        }
    }

    fn try_recv(&self) -> Option<u32> {
        let message = self.ring.try_pop()?;
        message.1.with(|_| ());
        let _ = self.senders.changed();
        Some(message.0)
    }

    fn recv(&self) -> u32 {
        let token = Arc::new(Notify::new());
        loop {
            if let Some(number) = self.try_recv() {
                return number;
            }
            self.receivers.wait(&token, || !self.ring.is_empty());
        }
    }

    fn close_receivers(&self) {
        self.receivers.presence.leave();
        self.ring.close();
        self.clear();
    }

    fn clear(&self) {
        while self.ring.try_pop().is_some() {}
    }
}

/// Not every order of three threads, but all with so few changes from one to another.
fn model(body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(body);
}

#[test]
fn loom_a_message_meets_a_waiter() {
    loom::model(|| {
        let channel = Channel::new(1);
        let sender = {
            let channel = channel.clone();
            thread::spawn(move || channel.send(7))
        };
        assert_eq!(channel.recv(), 7);
        sender.join().unwrap();
        assert!(channel.ring.is_empty());
    });
}

#[test]
fn loom_room_meets_a_waiter() {
    model(|| {
        let channel = Channel::new(1);
        let sender = {
            let channel = channel.clone();
            thread::spawn(move || (1..=2).for_each(|number| channel.send(number)))
        };
        assert_eq!((channel.recv(), channel.recv()), (1, 2));
        sender.join().unwrap();
    });
}

#[test]
fn loom_two_senders_and_one_that_waits() {
    model(|| {
        let channel = Channel::new(2);
        let senders: Vec<_> = (1..=2)
            .map(|number| {
                let channel = channel.clone();
                thread::spawn(move || channel.send(number))
            })
            .collect();
        assert_eq!(channel.recv() + channel.recv(), 3);
        senders
            .into_iter()
            .for_each(|sender| sender.join().unwrap());
    });
}

/// (No two of them may look again for the same third one: loom would let these two take turns for ever.)
#[test]
fn loom_two_receivers_and_one_that_waits() {
    model(|| {
        let channel = Channel::new(2);
        assert!(channel.try_send(1) && channel.try_send(2));
        let receivers: Vec<_> = (0..2)
            .map(|_| {
                let channel = channel.clone();
                thread::spawn(move || channel.try_recv().expect("two for two"))
            })
            .collect();
        channel.send(3);
        let sum: u32 = receivers
            .into_iter()
            .map(|receiver| receiver.join().unwrap())
            .sum();
        assert_eq!((sum, channel.try_recv()), (3, Some(3)));
    });
}

/// A message that is put while the last receiver goes is taken by it or thrown away by its sender.
#[test]
fn loom_nothing_stays_in_a_closed_channel() {
    loom::model(|| {
        let channel = Channel::new(1);
        let sender = {
            let channel = channel.clone();
            thread::spawn(move || {
                if !channel.receivers.presence.is_gone() {
                    let _ = channel.try_send(7);
                }
            })
        };
        channel.close_receivers();
        sender.join().unwrap();
        assert!(channel.ring.is_empty());
    });
}

/// Room that is made by throwing messages away is nobody's: who finds none until the last receiver goes gets its message back.
#[test]
fn loom_no_room_in_a_closed_channel() {
    loom::model(|| {
        let channel = Channel::new(1);
        assert!(channel.try_send(1));
        let sender = {
            let channel = channel.clone();
            thread::spawn(move || {
                let gone = channel.receivers.presence.is_gone();
                assert!(gone || !channel.try_send(2));
            })
        };
        channel.close_receivers();
        sender.join().unwrap();
        assert!(channel.ring.is_empty());
    });
}
