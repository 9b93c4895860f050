//! The reactor alone, with plain threads in the place of greenlets.
#![forbid(unsafe_code)]

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use super::{Direction, Look, Reactor, Source, Waited};

const LONG: Duration = Duration::from_secs(20);

fn pair() -> (UnixStream, UnixStream) {
    let (a, b) = UnixStream::pair().unwrap();
    a.set_nonblocking(true).unwrap();
    b.set_nonblocking(true).unwrap();
    (a, b)
}

fn register(reactor: &Arc<Reactor>, stream: &UnixStream) -> Source {
    reactor.register(stream.as_fd(), Direction::Read).unwrap()
}

/// A thread that polls until told to stop, and how many waits it ended.
fn poller(reactor: &Arc<Reactor>, stop: &Arc<AtomicBool>) -> thread::JoinHandle<usize> {
    let (reactor, stop) = (reactor.clone(), stop.clone());
    thread::spawn(move || {
        let mut seat = reactor.try_seat().unwrap();
        let mut fired = 0;
        while !stop.load(Relaxed) {
            seat.wait(None);
            fired += seat.deal();
        }
        fired
    })
}

fn soon() -> Option<Instant> {
    Some(Instant::now() + LONG)
}

#[test]
fn an_event_ends_the_waits_of_its_direction() {
    let reactor = Reactor::new().unwrap();
    let (here, mut there) = pair();
    let source = register(&reactor, &here);
    let stop = Arc::new(AtomicBool::new(false));
    let poller = poller(&reactor, &stop);
    thread::scope(|scope| {
        let waiters: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| source.wait(Direction::Read, soon())))
            .collect();
        assert_eq!(
            source.wait(Direction::Write, soon()),
            Waited::Ready,
            "presumed ready"
        );
        thread::sleep(Duration::from_millis(20));
        there.write_all(b"x").unwrap();
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), Waited::Ready);
        }
    });
    stop.store(true, Relaxed);
    reactor.notify();
    assert!(poller.join().unwrap() <= 3);
    assert_eq!(reactor.sources(), 1);
    source.leave(here.as_fd());
    assert_eq!(reactor.sources(), 0);
}

#[test]
fn what_was_there_before_registering_is_reported() {
    let reactor = Reactor::new().unwrap();
    let (here, mut there) = pair();
    there.write_all(b"x").unwrap();
    let source = register(&reactor, &here);
    assert_eq!(source.look(Direction::Read), Look::Unready);
    assert_eq!(reactor.try_seat().unwrap().poll(), 0, "nobody waits");
    assert_eq!(source.wait(Direction::Read, None), Waited::Ready);
    source.leave(here.as_fd());
}

#[test]
fn the_end_behind_the_data_keeps_the_bit() {
    let reactor = Reactor::new().unwrap();
    let (mut here, mut there) = pair();
    let source = register(&reactor, &here);
    there.write_all(b"last").unwrap();
    drop(there);
    reactor.try_seat().unwrap().poll();
    let Look::Ready(seen) = source.look(Direction::Read) else {
        panic!("not reported")
    };
    let mut buffer = [0; 64];
    assert_eq!(here.read(&mut buffer).unwrap(), 4);
    source.short(Direction::Read, seen);
    assert_eq!(
        source.wait(Direction::Read, Some(Instant::now())),
        Waited::Ready
    );
    source.leave(here.as_fd());
}

#[test]
fn a_deadline_ends_a_wait_and_leaves_nothing_in_the_queue() {
    let reactor = Reactor::new().unwrap();
    let (here, mut there) = pair();
    let source = register(&reactor, &here);
    for _ in 0..3 {
        let deadline = Instant::now() + Duration::from_millis(5);
        assert_eq!(
            source.wait(Direction::Read, Some(deadline)),
            Waited::TimedOut
        );
        assert!(Instant::now() >= deadline);
    }
    there.write_all(b"x").unwrap();
    assert_eq!(
        reactor.try_seat().unwrap().poll(),
        0,
        "somebody still stood in the queue"
    );
    source.leave(here.as_fd());
}

#[test]
fn a_notification_ends_the_wait_under_way_or_the_next() {
    let reactor = Reactor::new().unwrap();
    let mut seat = reactor.try_seat().unwrap();
    assert!(reactor.try_seat().is_none(), "one seat");
    let start = Instant::now();
    reactor.notify();
    reactor.notify();
    assert_eq!(seat.poll(), 0, "a poll leaves the notification alone");
    seat.wait(soon());
    seat.deal();
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(20));
            reactor.notify();
        });
        // The first notification's ring may cut a wait short.
        while start.elapsed() < Duration::from_millis(20) {
            seat.wait(soon());
            seat.deal();
        }
    });
    assert!(start.elapsed() < LONG / 2);
    // Answered both: nothing cuts a wait short any more, but for one late ring.
    let before = Instant::now();
    while before.elapsed() < Duration::from_millis(10) {
        seat.wait(Some(before + Duration::from_millis(10)));
        seat.deal();
    }
}

#[test]
fn notifications_are_not_lost_between_two_waits() {
    let reactor = Reactor::new().unwrap();
    let rounds = 20_000;
    let turn = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut seat = reactor.try_seat().unwrap();
            for round in 0..rounds {
                while turn.load(Relaxed) != 2 * round + 1 {
                    seat.wait(soon());
                    seat.deal();
                }
                turn.store(2 * round + 2, Relaxed);
            }
        });
        let start = Instant::now();
        for round in 0..rounds {
            while turn.load(Relaxed) != 2 * round {
                std::hint::spin_loop();
            }
            turn.store(2 * round + 1, Relaxed);
            reactor.notify();
        }
        assert!(start.elapsed() < LONG, "a notification was lost");
    });
}

#[test]
fn closing_ends_all_waits_and_lets_no_source_in() {
    let reactor = Reactor::new().unwrap();
    let (here, there) = pair();
    let source = register(&reactor, &here);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            // The firing says "look again"; looking again says why.
            while source.wait(Direction::Read, soon()) == Waited::Ready {}
            source.wait(Direction::Read, soon())
        });
        thread::sleep(Duration::from_millis(10));
        reactor.close();
        assert_eq!(waiter.join().unwrap(), Waited::Shut);
    });
    let error = reactor
        .register(there.as_fd(), Direction::Read)
        .unwrap_err();
    assert!(error.to_string().contains("shut down"), "{error}");
    source.leave(here.as_fd());
    assert_eq!(reactor.sources(), 0);
}

#[test]
fn a_bad_descriptor_is_an_error_and_leaves_no_source() {
    let reactor = Reactor::new().unwrap();
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    reactor.register(file.as_fd(), Direction::Read).unwrap_err();
    assert_eq!(reactor.sources(), 0);
    reactor.try_seat().unwrap().poll();
}

#[test]
fn sources_come_and_go_while_events_are_dealt_out() {
    let reactor = Reactor::new().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let poller = poller(&reactor, &stop);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for round in 0..2_000u32 {
                    let (here, mut there) = pair();
                    let source = register(&reactor, &here);
                    there.write_all(&round.to_ne_bytes()).unwrap();
                    if round % 3 == 0 {
                        assert_eq!(source.wait(Direction::Read, soon()), Waited::Ready);
                        let mut buffer = [0; 8];
                        assert_eq!((&here).read(&mut buffer).unwrap(), 4);
                    }
                    source.leave(here.as_fd());
                }
            });
        }
    });
    assert_eq!(reactor.sources(), 0);
    stop.store(true, Relaxed);
    reactor.notify();
    poller.join().unwrap();
}

/// A worker that is called before it waits deals all the same (`Worker::sleep`): what was dealt out before must not come again.
#[test]
fn events_are_dealt_out_once() {
    let reactor = Reactor::new().unwrap();
    let (here, mut there) = pair();
    let source = register(&reactor, &here);
    there.write_all(b"x").unwrap();
    let mut seat = reactor.try_seat().unwrap();
    seat.wait(soon());
    seat.deal();
    // The reader takes it, and finds nothing more.
    let Look::Ready(tick) = source.look(Direction::Read) else {
        panic!("the event was dealt out");
    };
    assert_eq!((&here).read(&mut [0; 8]).unwrap(), 1);
    source.exhausted(Direction::Read, tick);
    assert_eq!(source.look(Direction::Read), Look::Unready);
    seat.deal();
    assert_eq!(
        source.look(Direction::Read),
        Look::Unready,
        "an event was dealt out twice"
    );
    drop(seat);
    source.leave(here.as_fd());
}
