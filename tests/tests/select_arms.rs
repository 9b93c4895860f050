//! `select!` and `Select`: one of several things is done, the others are as if nobody had waited for them.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use sward::net::{TcpListener, TcpStream};
use sward::{JoinHandle, Select, select};
use sward_tests::{each_crowd, each_runtime, until};

fn finished<T: Send + 'static>(value: T) -> JoinHandle<T> {
    let handle = sward::spawn(|| value);
    until(|| handle.is_finished());
    handle
}

#[test]
fn the_first_greenlet_to_end() {
    each_crowd(|_, runtime, crowd| {
        let handle = runtime.handle();
        crowd.run(runtime, 4, move |_| {
            let mut parked = handle.spawn(sward::park);
            let mut ends = handle.spawn(|| {
                sward::yield_now();
                7
            });
            let value = select! {
                _ = parked.join() => panic!("it is parked"),
                value = ends.join() => value.unwrap(),
            };
            assert_eq!(value, 7);
            // The other one can be joined still, by a select and by itself.
            parked.greenlet().unpark();
            select! {
                result = parked.join() => result.unwrap(),
            }
        });
    });
}

#[test]
fn a_panic_is_a_result() {
    each_runtime(|runtime| {
        let mut handle = runtime.spawn(|| -> () { panic!("out of cheese") });
        let error = select! {
            result = handle.join() => result.unwrap_err(),
        };
        assert!(error.is_panic());
    });
}

/// Its value was taken, so to join it again is a mistake.
#[test]
#[should_panic = "joined before"]
fn joined_twice() {
    let mut handle = finished(7);
    select! { result = handle.join() => assert_eq!(result.unwrap(), 7) }
    let _ = handle.join();
}

#[test]
fn default_and_limits() {
    each_crowd(|_, runtime, crowd| {
        let handle = runtime.handle();
        crowd.run(runtime, 2, move |_| {
            let mut parked = handle.spawn(sward::park);
            let which = select! {
                _ = parked.join() => "joined",
                default => "default",
            };
            assert_eq!(which, "default");
            let (begun, limit) = (Instant::now(), Duration::from_millis(3));
            let which = select! {
                _ = parked.join() => "joined",
                timeout(limit) => "timeout",
            };
            assert_eq!(which, "timeout");
            assert!(begun.elapsed() >= limit);
            let which = select! {
                _ = parked.join() => "joined",
                deadline(begun) => "deadline",
            };
            assert_eq!(which, "deadline");
            parked.greenlet().unpark();
            select! {
                result = parked.join() => result.unwrap(),
                timeout(Duration::MAX) => panic!("that is for ever"),
            }
        });
    });
}

/// With nothing but a limit it sleeps; with nothing but `default` it does not wait.
#[test]
fn nothing_to_wait_for() {
    let begun = Instant::now();
    select! { timeout(Duration::from_millis(2)) => {} }
    assert!(begun.elapsed() >= Duration::from_millis(2));
    let seven = select! { default => 7 };
    assert_eq!(seven, 7);
}

#[test]
#[should_panic = "no arm is enabled"]
fn all_arms_left_out() {
    let mut handle = finished(());
    select! { _ = handle.join(), if false => {} }
}

#[test]
fn conditions() {
    let (mut one, mut other) = (finished(1), finished(2));
    for want in [1, 2] {
        let got = select! {
            value = one.join(), if want == 1 => value.unwrap(),
            value = other.join(), if want == 2 => value.unwrap(),
        };
        assert_eq!(got, want);
    }
}

/// Each of those that can be done is chosen now and then, and about as often; with `biased` the first one always.
#[test]
fn fair_unless_biased() {
    let mut counts = [0; 3];
    for _ in 0..3_000 {
        let (mut a, mut b, mut c) = (ready(), never(), ready());
        let chosen = select! {
            _ = a.join() => 0,
            _ = b.join() => 1,
            _ = c.join() => 2,
        };
        b.greenlet().unpark();
        counts[chosen] += 1;
    }
    assert_eq!(counts[1], 0);
    assert!(counts[0] > 1_000 && counts[2] > 1_000, "{counts:?}");
    for _ in 0..100 {
        let (mut a, mut b) = (ready(), ready());
        select! {
            biased;
            _ = a.join() => {}
            _ = b.join() => panic!("the first one is ready"),
        }
    }

    fn ready() -> JoinHandle<()> {
        finished(())
    }
    fn never() -> JoinHandle<()> {
        sward::spawn(sward::park)
    }
}

/// Bodies are ordinary code of the function around them, and what the arms borrowed is free there.
#[test]
fn bodies() {
    fn question_mark() -> Result<u32, io::Error> {
        let mut fails = finished(Err::<u32, _>(io::Error::other("out of cheese")));
        select! {
            result = fails.join() => {
                let number = result.unwrap()?;
                Ok(number)
            }
        }
    }
    assert_eq!(question_mark().unwrap_err().to_string(), "out of cheese");

    fn returns_early() -> u32 {
        let mut handle = finished(7);
        select! {
            result = handle.join() => return result.unwrap(),
            timeout(Duration::MAX) => {}
        }
        8
    }
    assert_eq!(returns_early(), 7);

    let mut rounds = 0;
    let mut handles = vec![finished(1), finished(2), finished(3)];
    let sum = 'outer: loop {
        rounds += 1;
        let Some(mut handle) = handles.pop() else {
            panic!("it ends before");
        };
        select! {
            result = handle.join() => match result.unwrap() {
                3 => continue,
                2 => {
                    // Moved, though the arm borrowed it.
                    drop(handle);
                    continue 'outer;
                }
                one => break 'outer one + rounds,
            },
        }
    };
    assert_eq!(sum, 4);
}

/// Many arms, and patterns.
#[test]
fn many_arms() {
    let mut parked: Vec<_> = (0..9).map(|_| sward::spawn(sward::park)).collect();
    let mut last = sward::spawn(|| (1, "one"));
    let [a, b, c, d, e, f, g, h, i] = &mut parked[..] else {
        unreachable!()
    };
    let name = select! {
        _ = a.join() => "a", _ = b.join() => "b", _ = c.join() => "c",
        _ = d.join() => "d", _ = e.join() => "e", _ = f.join() => "f",
        _ = g.join() => "g", _ = h.join() => "h", _ = i.join() => "i",
        result = last.join() => {
            let (_, name) = result.unwrap();
            name
        }
    };
    assert_eq!(name, "one");
    for handle in parked {
        handle.greenlet().unpark();
        handle.join().unwrap();
    }
}

/// A connection that is not accepted by a select stays for the next one, and bytes that are not read stay.
#[test]
fn sockets() {
    each_crowd(|_, runtime, crowd| {
        let handle = runtime.handle();
        crowd.run(runtime, 2, move |_| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let mut parked = handle.spawn(sward::park);
            let which = select! {
                _ = listener.accept() => "accepted",
                timeout(Duration::from_millis(1)) => "timeout",
            };
            assert_eq!(which, "timeout");
            let connecting = handle.spawn(move || TcpStream::connect(address).unwrap());
            let (mut server, _) = select! {
                accepted = listener.accept() => accepted.unwrap(),
                _ = parked.join() => panic!("it is parked"),
            };
            let mut client = connecting.join().unwrap();
            let mut buffer = [0; 16];
            let which = select! {
                _ = client.read(&mut buffer) => "read",
                default => "default",
            };
            assert_eq!(which, "default");
            server.write_all(b"hello").unwrap();
            let read = select! {
                read = client.read(&mut buffer) => read.unwrap(),
                _ = parked.join() => panic!("it is parked"),
            };
            assert!(read > 0 && b"hello".starts_with(&buffer[..read]));
            client.read_exact(&mut buffer[read..5]).unwrap();
            assert_eq!(&buffer[..5], b"hello");
            // Both at once: one of them, and the other is left.
            server.write_all(b"x").unwrap();
            parked.greenlet().unpark();
            until(|| parked.is_finished());
            let read = select! {
                biased;
                _ = parked.join() => 0,
                read = client.read(&mut buffer) => read.unwrap(),
            };
            assert_eq!(read, 0);
            assert_eq!(client.read(&mut buffer).unwrap(), 1);
            drop(server);
            let end = select! { read = client.read(&mut buffer) => read.unwrap() };
            assert_eq!(end, 0);
        });
    });
}

#[test]
fn any_number() {
    each_crowd(|_, runtime, crowd| {
        let handle = runtime.handle();
        let done = Arc::new(AtomicUsize::new(0));
        let counted = done.clone();
        crowd.run(runtime, 2, move |_| {
            let mut handles: Vec<_> = (0..20)
                .map(|number| (number, handle.spawn(move || number)))
                .collect();
            while !handles.is_empty() {
                let mut select = Select::new();
                for (at, (number, handle)) in handles.iter_mut().enumerate() {
                    let number = *number;
                    select.join(handle, move |result| {
                        assert_eq!(result.unwrap(), number);
                        at
                    });
                }
                assert!(!select.is_empty());
                let at = select.wait();
                handles.swap_remove(at);
                counted.fetch_add(1, SeqCst);
            }
        });
        assert_eq!(done.load(SeqCst), 40);
    });
}

#[test]
fn any_number_with_a_limit() {
    let mut parked: Vec<_> = (0..3).map(|_| sward::spawn(sward::park)).collect();
    let mut select = Select::new();
    for (at, handle) in parked.iter_mut().enumerate() {
        select.join(handle, move |_| at);
    }
    let select = select.try_wait().unwrap_err();
    let select = select.wait_timeout(Duration::from_millis(2)).unwrap_err();
    let select = select.wait_deadline(Instant::now()).unwrap_err();
    assert_eq!(select.len(), 3);
    drop(select);
    parked[1].greenlet().unpark();
    let mut select = Select::new();
    for (at, handle) in parked.iter_mut().enumerate() {
        select.join(handle, move |_| at);
    }
    assert_eq!(select.wait_timeout(Duration::MAX).unwrap(), 1);
    parked.remove(1);
    for handle in parked {
        handle.greenlet().unpark();
        handle.join().unwrap();
    }
}
