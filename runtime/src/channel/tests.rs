//! Arms, driven by hand on one thread; and the word and line of a side.
#![forbid(unsafe_code)]

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::buffered::Buffer;
use super::*;
use crate::park::{Arm, Ended, Outcome, Reason, Wait};

fn kinds() -> Vec<(Sender<u32>, Receiver<u32>)> {
    vec![
        bounded(1),
        unbounded(),
        bounded(0),
        priority(),
        priority_bounded(1),
        lifo(),
        lifo_bounded(1),
    ]
}

/// Enlists an arm that has to wait.
fn enlist(arm: Pin<&mut impl Arm>, wait: &Wait, tag: u16) {
    assert!(!arm.enlist(wait, tag), "it could be done at once");
}

#[test]
fn an_arm_that_receives() {
    for (sender, receiver) in kinds() {
        for round in 0..3 {
            let mut arm = pin!(receiver.__select_recv());
            assert!(!arm.as_mut().try_now());
            arm.as_mut().leave();
            let wait = Wait::begin(Reason::Select);
            enlist(arm.as_mut(), &wait, 5);
            sender.try_send(round).unwrap();
            assert_eq!(wait.park_until(None), Ended::Fired(5));
            arm.as_mut().leave();
            assert!(arm.as_mut().fired());
            assert_eq!(arm.take(), Ok(round));
        }
        let closed = pin!(receiver.__select_recv());
        drop(sender);
        assert_eq!(done_now(closed), Err(RecvError));
    }
}

fn done_now<A: Outcome>(mut arm: Pin<&mut A>) -> A::Value {
    assert!(arm.as_mut().try_now());
    arm.take()
}

#[test]
fn an_arm_that_sends() {
    for (sender, receiver) in kinds() {
        let filled = (0..)
            .take_while(|&number| number < 3 && sender.try_send(number).is_ok())
            .count();
        let mut value = Some(9);
        if sender.capacity().is_none() {
            assert_eq!(
                done_now(pin!(sender.__select_send_from(&mut value))),
                Ok(())
            );
            assert_eq!((value, receiver.len()), (None, filled + 1));
            continue;
        }
        {
            let mut arm = pin!(sender.__select_send_from(&mut value));
            assert!(!arm.as_mut().try_now());
            // Left, it has its message again, and can be enlisted again.
            for tag in 0..2 {
                let wait = Wait::begin(Reason::Select);
                enlist(arm.as_mut(), &wait, tag);
                assert_eq!(wait.leave(), None);
                arm.as_mut().leave();
            }
            let wait = Wait::begin(Reason::Select);
            enlist(arm.as_mut(), &wait, 5);
            let first = if filled == 0 { 9 } else { 0 };
            assert_eq!(receiver.try_recv(), Ok(first));
            assert_eq!(wait.park_until(None), Ended::Fired(5));
            arm.as_mut().leave();
            assert!(arm.as_mut().fired());
            assert_eq!(arm.take(), Ok(()));
        }
        assert_eq!(value, None);
        if filled > 0 {
            assert_eq!(receiver.try_recv(), Ok(9));
        }
        assert!(receiver.try_recv().is_err());
    }
}

/// An arm that is dropped in the line gives its message back.
#[test]
fn an_arm_that_is_dropped() {
    for capacity in 0..2 {
        let (sender, receiver) = bounded(capacity);
        let _ = sender.try_send(1);
        let mut value = Some(9);
        let wait = Wait::begin(Reason::Select);
        enlist(pin!(sender.__select_send_from(&mut value)), &wait, 0);
        assert_eq!(value, Some(9));
        assert_eq!(receiver.try_iter().count(), capacity);
        assert_eq!(wait.leave(), None);
    }
}

/// The end of the other side ends the wait, and the message comes with the error.
#[test]
fn arms_and_the_end_of_the_other_side() {
    for capacity in 0..2 {
        let (sender, receiver) = bounded(capacity);
        let _ = sender.try_send(1);
        let mut value = Some(9);
        {
            let mut arm = pin!(sender.__select_send_from(&mut value));
            let wait = Wait::begin(Reason::Select);
            enlist(arm.as_mut(), &wait, 3);
            drop(receiver);
            assert_eq!(wait.park_until(None), Ended::Fired(3));
            arm.as_mut().leave();
            assert!(arm.as_mut().fired());
            assert_eq!(arm.take(), Err(SendError(9)));
        }
        assert_eq!(value, None);
    }
    for (sender, receiver) in kinds() {
        let mut arm = pin!(receiver.__select_recv());
        let wait = Wait::begin(Reason::Select);
        enlist(arm.as_mut(), &wait, 3);
        drop(sender);
        assert_eq!(wait.park_until(None), Ended::Fired(3));
        arm.as_mut().leave();
        assert!(arm.as_mut().fired());
        assert_eq!(arm.take(), Err(RecvError));
    }
}

/// What could be done is said on enlisting, and is not done there.
#[test]
fn arms_that_are_ready_when_they_get_in_line() {
    for (sender, receiver) in kinds() {
        if sender.capacity() == Some(0) {
            continue;
        }
        sender.send(1).unwrap();
        let mut arm = pin!(receiver.__select_recv());
        let wait = Wait::begin(Reason::Select);
        assert!(arm.as_mut().enlist(&wait, 0));
        assert_eq!(wait.leave(), None);
        arm.as_mut().leave();
        assert_eq!(receiver.len(), 1);
        assert_eq!(done_now(arm), Ok(1));
    }
}

/// Both sides of one channel in one select do not meet, those of two do.
#[test]
fn a_select_does_not_meet_itself() {
    let (sender, receiver) = bounded(0);
    let (mut value, mut other_value) = (Some(1), Some(2));
    {
        let mut sends = pin!(sender.__select_send_from(&mut value));
        let mut receives = pin!(receiver.__select_recv());
        let wait = Wait::begin(Reason::Select);
        enlist(sends.as_mut(), &wait, 0);
        enlist(receives.as_mut(), &wait, 1);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut arm = pin!(sender.__select_send_from(&mut other_value));
                let wait = Wait::begin(Reason::Select);
                assert!(arm.as_mut().enlist(&wait, 0), "somebody waits for it");
                assert_eq!(wait.leave(), None);
                arm.as_mut().leave();
                assert_eq!(done_now(arm), Ok(()));
            });
        });
        assert_eq!(wait.park_until(None), Ended::Fired(1));
        sends.as_mut().leave();
        receives.as_mut().leave();
        assert!(receives.as_mut().fired());
        assert_eq!(receives.take(), Ok(2));
    }
    assert_eq!((value, other_value), (Some(1), None));
}

/// Without a message an arm is never ready, whatever the channel is like.
#[test]
fn an_arm_with_nothing_to_send() {
    for (sender, receiver) in kinds() {
        let mut value = None;
        let mut arm = pin!(sender.__select_send_from(&mut value));
        assert!(!arm.as_mut().try_now());
        let wait = Wait::begin(Reason::Select);
        enlist(arm.as_mut(), &wait, 0);
        drop(receiver);
        assert_eq!(wait.leave(), None);
        arm.as_mut().leave();
    }
}

#[test]
fn arms_that_wait_for_time() {
    let soon = Instant::now() + Duration::from_millis(2);
    let timeout = at(soon);
    let mut arm = pin!(timeout.__select_recv());
    assert_eq!(arm.deadline(), Some(soon));
    let wait = Wait::begin(Reason::Select);
    if !arm.as_mut().enlist(&wait, 0) {
        assert_eq!(wait.park_until(arm.deadline()), Ended::TimedOut);
    }
    assert_eq!(done_now(arm), Ok(soon));
    let mut again = pin!(timeout.__select_recv());
    assert!(!again.as_mut().try_now() && again.deadline().is_none());
    assert!(never::<u32>().__select_recv().deadline().is_none());
}

/// The word does not stay set when those who waited are gone, and is found so by one look.
#[test]
fn who_has_left_is_looked_for_once() {
    let line = line::Line::new();
    let wait = Wait::begin(Reason::Send);
    {
        let place = pin!(line.place());
        line.enlist(place.as_ref(), &wait, 0, false);
    }
    assert!(line.changed().is_some_and(|owed| owed.wake && !owed.gone));
    assert!(line.changed().is_none());
    assert_eq!(wait.leave(), None);
}

/// The memory of a channel goes with its last side.
#[test]
fn a_channel_is_freed() {
    let value = Arc::new(());
    let (sender, receiver) = lifo();
    sender.send(value.clone()).unwrap();
    let weak = Arc::downgrade(sender.shared());
    drop(receiver);
    assert_eq!(Arc::strong_count(&value), 1);
    assert!(sender.send(value.clone()).is_err());
    drop(sender);
    assert!(weak.upgrade().is_none());
}

/// Messages that can be sent, but not shared, make channels that can be both.
#[test]
fn what_can_be_shared() {
    fn both<T: Send + Sync + std::panic::UnwindSafe>() {}
    both::<(Sender<std::cell::Cell<u8>>, Receiver<std::cell::Cell<u8>>)>();
    both::<(mpsc::Sender<u8>, mpsc::SyncSender<u8>, mpsc::Receiver<u8>)>();
}

/// What is thrown away makes no room: a sender that looks whether receivers are there, and then waits until the last one has gone
/// and its messages with it, has not sent.
#[test]
fn a_closed_buffer_takes_nothing() {
    fn closed(buffer: impl Buffer<Message = u32>) {
        assert_eq!(buffer.try_push(1), Ok(()));
        buffer.close();
        assert_eq!((buffer.len(), buffer.is_empty()), (1, false));
        assert_eq!(buffer.try_push(2), Err(2));
        assert_eq!(buffer.try_pop(), Some(1));
        assert_eq!((buffer.len(), buffer.is_empty()), (0, true));
        assert_eq!((buffer.try_push(3), buffer.try_pop()), (Err(3), None));
    }
    for capacity in 1..4 {
        closed(Ring::new(capacity));
        closed(Ordered::heap(Some(capacity)));
        closed(Ordered::stack(Some(capacity)));
        let ring = Ring::new(capacity);
        (0..capacity).for_each(|number| ring.try_push(number).unwrap());
        ring.close();
        assert!(ring.is_full() && ring.len() == capacity);
        assert!((0..capacity).all(|number| ring.try_pop() == Some(number)));
    }
    closed(Ordered::heap(None));
}
