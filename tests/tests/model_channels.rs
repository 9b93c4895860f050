//! Channels against a simple sequential model: whatever is done in whatever order by one thread, both say the same.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use broadcast::TryRecvError as TryRecvOf;
use proptest::prelude::*;
use sward::channel::{
    self, Receiver, RecvTimeoutError, SendTimeoutError, Sender, TryRecvError, TrySendError,
    broadcast, watch,
};

#[derive(Clone, Copy, Debug)]
enum Kind {
    Bounded(usize),
    Unbounded,
    Priority,
    PriorityBounded(usize),
    Lifo,
    LifoBounded(usize),
}

impl Kind {
    fn make(self) -> (Sender<u64>, Receiver<u64>) {
        match self {
            Kind::Bounded(capacity) => channel::bounded(capacity),
            Kind::Unbounded => channel::unbounded(),
            Kind::Priority => channel::priority(),
            Kind::PriorityBounded(capacity) => channel::priority_bounded(capacity),
            Kind::Lifo => channel::lifo(),
            Kind::LifoBounded(capacity) => channel::lifo_bounded(capacity),
        }
    }

    fn capacity(self) -> Option<usize> {
        match self {
            Kind::Bounded(n) | Kind::PriorityBounded(n) | Kind::LifoBounded(n) => Some(n),
            _ => None,
        }
    }
}

/// How something is tried that must not wait.
#[derive(Clone, Copy, Debug)]
enum How {
    Try,
    Timeout,
    Deadline,
    Select,
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Send(usize, How, u64),
    Recv(usize, How),
    CloneSender(usize),
    CloneReceiver(usize),
    DropSender(usize),
    DropReceiver(usize),
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![
        (0_usize..4).prop_map(Kind::Bounded),
        Just(Kind::Unbounded),
        Just(Kind::Priority),
        (1_usize..4).prop_map(Kind::PriorityBounded),
        Just(Kind::Lifo),
        (1_usize..4).prop_map(Kind::LifoBounded),
    ]
}

fn hows() -> impl Strategy<Value = How> {
    prop_oneof![
        Just(How::Try),
        Just(How::Timeout),
        Just(How::Deadline),
        Just(How::Select)
    ]
}

fn ops() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0_usize..4, hows(), 0_u64..20).prop_map(|(at, how, message)| Op::Send(at, how, message)),
        8 => (0_usize..4, hows()).prop_map(|(at, how)| Op::Recv(at, how)),
        1 => (0_usize..4).prop_map(Op::CloneSender),
        1 => (0_usize..4).prop_map(Op::CloneReceiver),
        1 => (0_usize..4).prop_map(Op::DropSender),
        1 => (0_usize..4).prop_map(Op::DropReceiver),
    ]
}

/// What the model says of a message that is to be sent.
fn model_send(
    kind: Kind,
    queue: &mut VecDeque<u64>,
    receivers: usize,
    message: u64,
) -> Result<(), TrySendError<u64>> {
    if receivers == 0 {
        return Err(TrySendError::Disconnected(message));
    }
    if kind
        .capacity()
        .is_some_and(|capacity| queue.len() >= capacity)
    {
        return Err(TrySendError::Full(message));
    }
    queue.push_back(message);
    Ok(())
}

fn model_recv(kind: Kind, queue: &mut VecDeque<u64>, senders: usize) -> Result<u64, TryRecvError> {
    let message = match kind {
        Kind::Bounded(_) | Kind::Unbounded => queue.pop_front(),
        Kind::Lifo | Kind::LifoBounded(_) => queue.pop_back(),
        Kind::Priority | Kind::PriorityBounded(_) => {
            let greatest = queue.iter().max().copied();
            let at = queue.iter().position(|&message| Some(message) == greatest);
            at.and_then(|at| queue.remove(at))
        }
    };
    message.ok_or(match senders {
        0 => TryRecvError::Disconnected,
        _ => TryRecvError::Empty,
    })
}

fn send(sender: &Sender<u64>, how: How, message: u64) -> Result<(), TrySendError<u64>> {
    let in_time = |error| match error {
        SendTimeoutError::Timeout(message) => TrySendError::Full(message),
        SendTimeoutError::Disconnected(message) => TrySendError::Disconnected(message),
    };
    match how {
        How::Try => sender.try_send(message),
        How::Timeout => sender
            .send_timeout(message, Duration::ZERO)
            .map_err(in_time),
        How::Deadline => sender
            .send_deadline(message, Instant::now())
            .map_err(in_time),
        How::Select => sward::select! {
            sent = sender.send(message) => sent.map_err(|error| TrySendError::Disconnected(error.0)),
            default => Err(TrySendError::Full(message)),
        },
    }
}

fn recv(receiver: &Receiver<u64>, how: How) -> Result<u64, TryRecvError> {
    let in_time = |error| match error {
        RecvTimeoutError::Timeout => TryRecvError::Empty,
        RecvTimeoutError::Disconnected => TryRecvError::Disconnected,
    };
    match how {
        How::Try => receiver.try_recv(),
        How::Timeout => receiver.recv_timeout(Duration::ZERO).map_err(in_time),
        How::Deadline => receiver.recv_deadline(Instant::now()).map_err(in_time),
        How::Select => sward::select! {
            received = receiver.recv() => received.map_err(TryRecvError::from),
            default => Err(TryRecvError::Empty),
        },
    }
}

proptest! {
    #[test]
    fn channels(kind in kinds(), ops in prop::collection::vec(ops(), 0..60)) {
        let (sender, receiver) = kind.make();
        let (mut senders, mut receivers) = (vec![sender], vec![receiver]);
        let mut queue = VecDeque::new();
        for op in ops {
            match op {
                Op::Send(at, how, message) if !senders.is_empty() => {
                    let wanted = model_send(kind, &mut queue, receivers.len(), message);
                    prop_assert_eq!(send(&senders[at % senders.len()], how, message), wanted);
                }
                Op::Recv(at, how) if !receivers.is_empty() => {
                    let wanted = model_recv(kind, &mut queue, senders.len());
                    prop_assert_eq!(recv(&receivers[at % receivers.len()], how), wanted);
                }
                Op::CloneSender(at) if !senders.is_empty() => {
                    senders.push(senders[at % senders.len()].clone());
                }
                Op::CloneReceiver(at) if !receivers.is_empty() => {
                    receivers.push(receivers[at % receivers.len()].clone());
                }
                Op::DropSender(at) if !senders.is_empty() => {
                    drop(senders.swap_remove(at % senders.len()));
                }
                Op::DropReceiver(at) if !receivers.is_empty() => {
                    drop(receivers.swap_remove(at % receivers.len()));
                    if receivers.is_empty() {
                        queue.clear();
                    }
                }
                _ => {}
            }
            let full = kind.capacity().is_some_and(|capacity| queue.len() >= capacity);
            let counts = (senders.len(), receivers.len());
            if let Some(sender) = senders.first() {
                prop_assert_eq!(sender.len(), queue.len());
                prop_assert_eq!((sender.is_empty(), sender.is_full()), (queue.is_empty(), full));
                prop_assert_eq!((sender.sender_count(), sender.receiver_count()), counts);
                prop_assert_eq!(sender.capacity(), kind.capacity());
            }
            if let Some(receiver) = receivers.first() {
                prop_assert_eq!(receiver.len(), queue.len());
                prop_assert_eq!((receiver.is_empty(), receiver.is_full()), (queue.is_empty(), full));
                prop_assert_eq!((receiver.sender_count(), receiver.receiver_count()), counts);
            }
        }
        // What is left comes out at the end, in order.
        drop(senders);
        if let Some(receiver) = receivers.pop() {
            drop(receivers);
            let mut rest = Vec::new();
            while let Ok(message) = model_recv(kind, &mut queue, 0) {
                rest.push(message);
            }
            prop_assert_eq!(receiver.iter().collect::<Vec<_>>(), rest);
        }
    }

    #[test]
    fn broadcasts(
        capacity in 1_usize..5,
        ops in prop::collection::vec((0_u8..6, 0_usize..4), 0..80),
    ) {
        // Of the model: all that was ever sent, and where each receiver is.
        let (sender, receiver) = broadcast::channel(capacity);
        let mut receivers = vec![(receiver, 0_u64)];
        let mut sent = 0_u64;
        for (op, at) in ops {
            let number = receivers.len();
            match op {
                0 | 1 if number == 0 => prop_assert_eq!(sender.send(sent).unwrap_err().0, sent),
                0 | 1 => {
                    prop_assert_eq!(sender.send(sent).unwrap(), number);
                    sent += 1;
                }
                2 => receivers.push((sender.subscribe(), sent)),
                _ if number == 0 => {}
                3 => drop(receivers.swap_remove(at % number)),
                4 => {
                    let (receiver, next) = &receivers[at % number];
                    let clone = (receiver.clone(), *next);
                    receivers.push(clone);
                }
                _ => {
                    let (receiver, next) = &mut receivers[at % number];
                    // Those that are kept: the last ones. Whoever is further behind has missed some.
                    let oldest = sent.saturating_sub(capacity as u64);
                    let wanted = match *next {
                        next if next < oldest => Err(TryRecvOf::Lagged(oldest - next)),
                        next if next < sent => Ok(next),
                        _ => Err(TryRecvOf::Empty),
                    };
                    prop_assert_eq!(receiver.try_recv(), wanted);
                    *next = match wanted {
                        Ok(_) => *next + 1,
                        Err(TryRecvOf::Lagged(_)) => oldest,
                        Err(_) => *next,
                    };
                }
            }
            let oldest = sent.saturating_sub(capacity as u64);
            for (receiver, next) in &receivers {
                prop_assert_eq!(receiver.len() as u64, sent - oldest.max(*next));
            }
            let furthest = receivers.iter().map(|(_, next)| oldest.max(*next)).min();
            prop_assert_eq!(sender.len() as u64, sent - furthest.unwrap_or(sent));
            prop_assert_eq!(sender.receiver_count(), receivers.len());
        }
    }

    #[test]
    fn watched_values(ops in prop::collection::vec((0_u8..8, 0_usize..4), 0..80)) {
        let (sender, receiver) = watch::channel(0_u64);
        let mut sender = Some(sender);
        // Each with whether it has seen the value.
        let mut receivers = vec![(receiver, true)];
        let mut value = 0;
        for (op, at) in ops {
            let number = receivers.len();
            match (op, &sender) {
                (0 | 1, Some(sender)) if number == 0 => {
                    prop_assert_eq!(sender.send(value + 1).unwrap_err().0, value + 1);
                }
                (0, Some(sender)) => {
                    value += 1;
                    sender.send(value).unwrap();
                    receivers.iter_mut().for_each(|(_, seen)| *seen = false);
                }
                (1, Some(sender)) => {
                    prop_assert_eq!(*sender.send_replace(value + 1), value);
                    value += 1;
                    receivers.iter_mut().for_each(|(_, seen)| *seen = false);
                }
                (2, Some(sender)) => receivers.push((sender.subscribe(), true)),
                (3, Some(_)) if at == 0 => sender = None,
                _ if number == 0 => {}
                (4, _) => drop(receivers.swap_remove(at % number)),
                (5, _) => {
                    let (receiver, seen) = &receivers[at % number];
                    let clone = (receiver.clone(), *seen);
                    receivers.push(clone);
                }
                (6, _) => {
                    let (receiver, seen) = &mut receivers[at % number];
                    prop_assert_eq!(*receiver.get_and_update(), value);
                    *seen = true;
                }
                _ => {
                    let (receiver, seen) = &mut receivers[at % number];
                    let changed = receiver.changed_timeout(Duration::ZERO);
                    let wanted = match (&*seen, &sender) {
                        (false, _) => Ok(()),
                        (true, Some(_)) => Err(RecvTimeoutError::Timeout),
                        (true, None) => Err(RecvTimeoutError::Disconnected),
                    };
                    prop_assert_eq!(changed, wanted);
                    *seen = true;
                }
            }
            for (receiver, seen) in &receivers {
                prop_assert_eq!(*receiver.get(), value);
                let changed = receiver.has_changed();
                prop_assert_eq!(changed.is_err(), *seen && sender.is_none());
                prop_assert_eq!(changed.unwrap_or(false), !seen);
            }
        }
    }
}
