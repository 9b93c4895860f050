//! As `homes_locals`, with the suspensions of sockets: what a greenlet holds across `read`, `write`, `accept` and `connect`.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType};
use sward::net::{TcpListener, TcpStream};
use sward_tests::identity::{errno, identity, set_errno};
use sward_tests::{Rng, Storm, Suspension, each_config, storm};

thread_local! {
    static CELL: Cell<u64> = const { Cell::new(0) };
}

/// More than what the kernel takes before it asks to wait.
const LARGE: usize = 3 << 20;

/// Holds references to thread-locals, and all that belongs to the thread identity, while `wait` suspends.
fn hold_across(alone: bool, rng: &mut Rng, wait: impl FnOnce()) {
    let (before, mine) = (identity(), rng.number());
    CELL.with(|cell| {
        if alone {
            cell.set(mine);
        }
        wait();
        CELL.with(|now| assert!(std::ptr::eq(now, cell), "a thread-local moved"));
        if alone {
            assert_eq!(
                (cell.get(), CELL.get()),
                (mine, mine),
                "somebody else is in our home"
            );
        }
    });
    assert_eq!(identity(), before);
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// An address that is taken, so that nobody else gets it, and where nobody listens, as long as the socket lives.
fn nobody() -> (OwnedFd, SocketAddr) {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    rustix::net::bind(&socket, &any).unwrap();
    let address = rustix::net::getsockname(&socket).unwrap();
    (socket, address.try_into().unwrap())
}

/// A greenlet that sends back what it gets, a little at a time, until the end.
fn echo(mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let mut buffer = [0; 512];
    loop {
        match stream.read(&mut buffer).unwrap() {
            0 => return,
            read => {
                sward::yield_now();
                stream.write_all(&buffer[..read]).unwrap();
            }
        }
    }
}

#[test]
fn reads_and_writes() {
    each_config(|config| {
        let alone = config.alone();
        config.run(|runtime| {
            let few = Storm {
                rounds: 3,
                ..Storm::default()
            };
            storm(config, runtime, few, move |rng, _| {
                let (listener, address) = listen();
                let server = sward::spawn(move || echo(listener.accept().unwrap().0));
                let mut stream = TcpStream::connect(address).unwrap();
                stream.set_nodelay(true).unwrap();
                let mut answer = [0; 1000];
                for _ in 0..8 {
                    let sent = [rng.below(256) as u8; 1000];
                    hold_across(alone, rng, || {
                        stream.write_all(&sent).unwrap();
                        stream.read_exact(&mut answer).unwrap();
                    });
                    assert_eq!(answer, sent);
                    Suspension::any(rng).suspend();
                }
                drop(stream);
                server.join().unwrap();
            });
        });
    });
}

/// Waits for a client that comes late, and for one that never does.
#[test]
fn accepts_and_connects() {
    each_config(|config| {
        let alone = config.alone();
        config.run(|runtime| {
            let few = Storm {
                greenlets: 8,
                rounds: 4,
                migrations: 50,
            };
            storm(config, runtime, few, move |rng, _| {
                let (listener, address) = listen();
                let client = sward::spawn(move || {
                    sward::sleep(Duration::from_micros(100));
                    TcpStream::connect_timeout(&address, Duration::from_secs(60)).unwrap()
                });
                let mut accepted = None;
                hold_across(alone, rng, || accepted = Some(listener.accept().unwrap().0));
                let client = client.join().unwrap();
                let mut accepted = accepted.unwrap();
                accepted
                    .set_read_timeout(Some(Duration::from_micros(200)))
                    .unwrap();
                hold_across(alone, rng, || {
                    accepted.read(&mut [0]).unwrap_err();
                });
                accepted.set_read_timeout(None).unwrap();
                drop(client);
                hold_across(alone, rng, || {
                    assert_eq!(accepted.read(&mut [0]).unwrap(), 0)
                });
            });
        });
    });
}

/// A writer that has to wait for a slow reader, in pieces, again and again.
#[test]
fn writes_that_wait() {
    each_config(|config| {
        let alone = config.alone();
        config.run(|runtime| {
            let few = Storm {
                greenlets: 3,
                rounds: 1,
                migrations: 10,
            };
            let content: Arc<[u8]> = (0..LARGE).map(|i| (i / 7) as u8).collect();
            storm(config, runtime, few, move |rng, _| {
                let (listener, address) = listen();
                let expected = content.clone();
                let reader = sward::spawn(move || {
                    let mut stream = listener.accept().unwrap().0;
                    // Late.
                    sward::sleep(Duration::from_millis(1));
                    let mut received = Vec::new();
                    stream.read_to_end(&mut received).unwrap();
                    assert!(*received == *expected);
                });
                let mut stream = TcpStream::connect(address).unwrap();
                hold_across(alone, rng, || stream.write_all(&content).unwrap());
                drop(stream);
                reader.join().unwrap();
            });
        });
    });
}

/// An error of the system is the caller's own, and errno is kept while it waits for others.
#[test]
fn errors() {
    each_config(|config| {
        config.run(|runtime| {
            let (_bound, nobody) = nobody();
            storm(
                config,
                runtime,
                Storm {
                    rounds: 4,
                    ..Storm::default()
                },
                move |rng, _| {
                    let error = TcpStream::connect(nobody).unwrap_err();
                    assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED), "{error}");
                    let mine = 1 + rng.below(130) as i32;
                    set_errno(mine);
                    Suspension::any(rng).suspend();
                    assert_eq!(errno(), mine);
                },
            );
        });
    });
}
