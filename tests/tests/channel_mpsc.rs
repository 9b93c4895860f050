//! The channels in std's shape do what std's do: one body for both.

use std::sync::mpsc as theirs;
use std::time::Duration;

use sward::sync::mpsc as ours;
use sward_tests::{Drops, Member, each_crowd};

const SHORT: Duration = Duration::from_millis(1);

/// The same with std's and with ours.
macro_rules! as_std {
    ($($name:ident => |$mpsc:ident| $body:block)*) => {$(
        #[test]
        fn $name() {
            fn with_theirs() {
                use theirs as $mpsc;
                $body
            }
            fn with_ours() {
                use ours as $mpsc;
                $body
            }
            with_theirs();
            each_crowd(|_, runtime, crowd| crowd.run(runtime, 2, |_| with_ours()));
        }
    )*};
}

as_std! {
    errors_of_receiving => |mpsc| {
        let (sender, receiver) = mpsc::channel();
        assert_eq!(receiver.try_recv(), Err(mpsc::TryRecvError::Empty));
        assert_eq!(receiver.recv_timeout(SHORT), Err(mpsc::RecvTimeoutError::Timeout));
        sender.send(1).unwrap();
        sender.clone().send(2).unwrap();
        drop(sender);
        assert_eq!(receiver.recv(), Ok(1));
        assert_eq!(receiver.recv_timeout(SHORT), Ok(2));
        assert_eq!(receiver.recv(), Err(mpsc::RecvError));
        assert_eq!(receiver.try_recv(), Err(mpsc::TryRecvError::Disconnected));
        assert_eq!(receiver.recv_timeout(SHORT), Err(mpsc::RecvTimeoutError::Disconnected));
    }

    errors_of_sending => |mpsc| {
        let (sender, receiver) = mpsc::sync_channel(1);
        assert_eq!(sender.try_send(1), Ok(()));
        assert_eq!(sender.try_send(2), Err(mpsc::TrySendError::Full(2)));
        assert_eq!(receiver.try_recv(), Ok(1));
        drop(receiver);
        assert_eq!(sender.try_send(3), Err(mpsc::TrySendError::Disconnected(3)));
        assert_eq!(sender.send(4), Err(mpsc::SendError(4)));
        let (sender, receiver) = mpsc::channel();
        drop(receiver);
        assert_eq!(sender.send(5), Err(mpsc::SendError(5)));
    }

    iterators => |mpsc| {
        let (sender, receiver) = mpsc::channel();
        (0..3).for_each(|number| sender.send(number).unwrap());
        assert!(receiver.try_iter().eq(0..3));
        assert_eq!(receiver.try_iter().next(), None);
        (0..3).for_each(|number| sender.send(number).unwrap());
        assert!(receiver.iter().take(2).eq(0..2));
        drop(sender);
        for number in &receiver {
            assert_eq!(number, 2);
        }
        assert_eq!(receiver.into_iter().next(), None);
    }

    what_is_left_is_dropped => |mpsc| {
        let drops = Drops::new();
        let (sender, receiver) = mpsc::sync_channel(5);
        (0..5).for_each(|_| sender.send(drops.value()).unwrap());
        drop(receiver.recv());
        drop(receiver);
        assert_eq!(drops.count(), 5);
        assert!(sender.send(drops.value()).is_err());
        assert_eq!(drops.count(), 6);
    }

    without_room => |mpsc| {
        let (sender, receiver) = mpsc::sync_channel::<u32>(0);
        assert_eq!(sender.try_send(1), Err(mpsc::TrySendError::Full(1)));
        assert_eq!(receiver.recv_timeout(SHORT), Err(mpsc::RecvTimeoutError::Timeout));
    }
}

/// Many senders of both kinds, one receiver.
#[test]
fn many_send_and_one_receives() {
    each_crowd(|_, runtime, crowd| {
        for bound in [None, Some(0), Some(2)] {
            const EACH: u64 = 60;
            enum Sender {
                Plain(ours::Sender<u64>),
                Sync(ours::SyncSender<u64>),
            }
            let (plain, synchronous, receiver);
            match bound {
                None => {
                    let (sender, end) = ours::channel();
                    (plain, synchronous, receiver) = (Some(sender), None, end);
                }
                Some(bound) => {
                    let (sender, end) = ours::sync_channel(bound);
                    (plain, synchronous, receiver) = (None, Some(sender), end);
                }
            }
            let senders: Vec<_> = (0..4)
                .map(|number| {
                    let sender = match (&plain, &synchronous) {
                        (Some(sender), _) => Sender::Plain(sender.clone()),
                        (_, Some(sender)) => Sender::Sync(sender.clone()),
                        _ => unreachable!(),
                    };
                    crowd.start(runtime, number, move || {
                        for message in 0..EACH {
                            match &sender {
                                Sender::Plain(sender) => sender.send(message).unwrap(),
                                Sender::Sync(sender) => sender.send(message).unwrap(),
                            }
                        }
                    })
                })
                .collect();
            drop((plain, synchronous));
            let receiver = crowd.start(runtime, 1, move || receiver.iter().sum::<u64>());
            senders.into_iter().for_each(Member::join);
            assert_eq!(receiver.join(), 4 * EACH * (EACH - 1) / 2);
        }
    });
}

#[test]
fn in_a_select() {
    each_crowd(|_, runtime, crowd| {
        crowd.run(runtime, 2, |_| {
            let (sender, receiver) = ours::sync_channel(1);
            let (other, from_other) = ours::channel::<u32>();
            let sent: Result<(), ours::SendError<u32>> = sward::select! {
                sent = sender.send(7) => sent,
                _ = from_other.recv() => unreachable!(),
            };
            assert_eq!(sent, Ok(()));
            let received: Result<u32, ours::RecvError> = sward::select! {
                received = receiver.recv() => received,
                _ = from_other.recv() => unreachable!(),
            };
            assert_eq!(received, Ok(7));
            drop(receiver);
            let sent = sward::select!(sent = sender.send(8) => sent);
            assert_eq!(sent, Err(ours::SendError(8)));
            assert_eq!(sward::select!(sent = other.send(9) => sent), Ok(()));
            assert_eq!(from_other.recv(), Ok(9));
        });
    });
}
