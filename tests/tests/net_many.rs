//! Much at once: connections, bytes, and too few descriptors.

mod net_support;

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use net_support::{listener, pair, read_all};
use sward::net::{TcpListener, TcpStream};
use sward_tests::identity::can_move;
use sward_tests::{child, each_runtime, until};

/// Serves each connection in a greenlet of its own until the listener fails or `connections` have come.
fn echo(listener: TcpListener, connections: usize) {
    let servers: Vec<_> = listener
        .incoming()
        .take(connections)
        .map(|stream| {
            let mut stream = stream.unwrap();
            sward::spawn(move || {
                let mut buffer = [0; 512];
                loop {
                    match stream.read(&mut buffer).unwrap() {
                        0 => return,
                        count => stream.write_all(&buffer[..count]).unwrap(),
                    }
                }
            })
        })
        .collect();
    servers
        .into_iter()
        .for_each(|server| server.join().unwrap());
}

/// All connections are open at once, then all talk at once.
#[test]
fn a_thousand_connections() {
    raise_the_limit_of_descriptors();
    each_runtime(|runtime| {
        let connections = 1_000;
        let (listener, address) = listener();
        let server = runtime.spawn(move || echo(listener, connections));
        let clients: Vec<_> = (0..connections)
            .map(|_| runtime.spawn(move || TcpStream::connect(address).unwrap()))
            .collect();
        // All are open here.
        let streams: Vec<_> = clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .collect();
        let clients: Vec<_> = (0usize..)
            .zip(streams)
            .map(|(n, mut stream)| {
                runtime.spawn(move || {
                    for round in 0..3 {
                        let message = (n * 7 + round).to_ne_bytes();
                        stream.write_all(&message).unwrap();
                        let mut reply = [0; 8];
                        stream.read_exact(&mut reply).unwrap();
                        assert_eq!(reply, message);
                    }
                })
            })
            .collect();
        clients
            .into_iter()
            .for_each(|client| client.join().unwrap());
        server.join().unwrap();
    });
}

/// One connection that is always ready does not starve the others on its worker.
#[test]
fn a_busy_connection_starves_nobody() {
    each_runtime(|runtime| {
        let (mut client, mut server) = pair();
        let done = Arc::new(AtomicUsize::new(0));
        let writer = {
            let done = done.clone();
            runtime.spawn(move || {
                while done.load(SeqCst) == 0 {
                    client.write_all(&[0; 64]).unwrap();
                }
            })
        };
        let reader = runtime.spawn(move || while server.read(&mut [0; 64]).unwrap() > 0 {});
        let other = runtime.spawn(|| (0..20).for_each(|_| sward::yield_now()));
        other.join().unwrap();
        let (listener, address) = listener();
        let server = runtime.spawn(move || echo(listener, 1));
        let client = runtime.spawn(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            for _ in 0..20 {
                stream.write_all(&[1]).unwrap();
                stream.read_exact(&mut [0]).unwrap();
            }
        });
        client.join().unwrap();
        server.join().unwrap();
        done.store(1, SeqCst);
        writer.join().unwrap();
        reader.join().unwrap();
    });
}

/// More than any buffer holds, both ways at once, in writes of all sizes.
#[test]
fn much_data_arrives_in_order() {
    each_runtime(|runtime| {
        let (client, server) = pair();
        let size = 2 << 20;
        let pattern = |at: usize| (at * 31 % 251) as u8;
        let send = move |mut stream: &TcpStream| {
            let bytes: Vec<u8> = (0..size).map(pattern).collect();
            let mut at = 0;
            for step in (1..).map(|n: usize| n * 977 % 200_000 + 1) {
                let end = (at + step).min(size);
                stream.write_all(&bytes[at..end]).unwrap();
                at = end;
                if at == size {
                    stream.shutdown(std::net::Shutdown::Write).unwrap();
                    return;
                }
            }
        };
        let receive = move |stream: &TcpStream| {
            let bytes = read_all(stream).unwrap();
            assert_eq!(bytes.len(), size);
            assert!(
                bytes
                    .iter()
                    .enumerate()
                    .all(|(at, &byte)| byte == pattern(at))
            );
        };
        let ends: Vec<_> = [client, server]
            .into_iter()
            .flat_map(|stream| {
                let stream = Arc::new(stream);
                let other = stream.clone();
                [
                    runtime.spawn(move || send(&stream)),
                    runtime.spawn(move || receive(&other)),
                ]
            })
            .collect();
        ends.into_iter().for_each(|end| end.join().unwrap());
    });
}

/// Connections that come and go, each in a greenlet of its own, from several clients.
#[test]
fn short_connections() {
    each_runtime(|runtime| {
        let (listener, address) = listener();
        let (clients, each) = (8, 40);
        let server = runtime.spawn(move || echo(listener, clients * each));
        let clients: Vec<_> = (0..clients)
            .map(|_| {
                runtime.spawn(move || {
                    for n in 0..each as u32 {
                        let mut stream = TcpStream::connect(address).unwrap();
                        stream.write_all(&n.to_ne_bytes()).unwrap();
                        let mut reply = [0; 4];
                        stream.read_exact(&mut reply).unwrap();
                        assert_eq!(reply, n.to_ne_bytes());
                        if n % 2 == 0 {
                            net_support::reset(stream.try_clone().unwrap());
                            stream.shutdown(std::net::Shutdown::Both).unwrap();
                        }
                    }
                })
            })
            .collect();
        clients
            .into_iter()
            .for_each(|client| client.join().unwrap());
        server.join().unwrap();
    });
}

/// No descriptor is left: `accept` says so, and works again as soon as there is one. The connections wait meanwhile.
#[test]
fn accepting_without_descriptors() {
    child::run(
        "accepting_without_descriptors",
        &[],
        || {
            for homes in [sward::Homes::Moving { limit: 8 }, sward::Homes::Fixed] {
                if homes != sward::Homes::Fixed && !can_move() {
                    continue;
                }
                let runtime = sward::Runtime::builder()
                    .workers(2)
                    .homes(homes)
                    .build()
                    .unwrap();
                let (listener, address) = listener();
                let listener = Arc::new(listener);
                // So that it is registered, and its homes and stacks are there.
                let warm = {
                    let listener = listener.clone();
                    runtime.spawn(move || listener.accept().unwrap())
                };
                until(|| runtime.handle().metrics().sources == 1);
                drop(std::net::TcpStream::connect(address).unwrap());
                warm.join().unwrap();
                let clients: Vec<_> = (0..3)
                    .map(|_| std::net::TcpStream::connect(address).unwrap())
                    .collect();
                let mut held = Vec::new();
                while let Ok(file) = std::fs::File::open("/dev/null") {
                    held.push(file);
                    assert!(held.len() < 100_000, "there is no limit");
                }
                let error = {
                    let listener = listener.clone();
                    runtime.block_on(move || listener.accept().unwrap_err())
                };
                assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
                let error = listener.try_clone().unwrap_err();
                assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
                TcpListener::bind("127.0.0.1:0").unwrap_err();
                TcpStream::connect(address).unwrap_err();
                let acceptor = runtime.spawn(move || {
                    let mut accepted = 0;
                    while accepted < 3 {
                        match listener.accept() {
                            Ok(_) => accepted += 1,
                            Err(_) => sward::sleep(Duration::from_millis(1)),
                        }
                    }
                });
                drop(held);
                acceptor.join().unwrap();
                drop(clients);
            }
        },
        |ended| ended.succeeded(),
    );
}

/// A descriptor that somebody has closed behind a socket's back: every operation says so and waits for nothing.
#[test]
fn a_closed_descriptor() {
    child::run(
        "a_closed_descriptor",
        &[],
        || {
            let runtime = sward::Runtime::builder().workers(2).build().unwrap();
            runtime.block_on(|| {
                use std::os::fd::{AsRawFd, FromRawFd};
                let (stream, _peer) = pair();
                let number = stream.as_raw_fd();
                drop(stream);
                // SAFETY: nobody has the number at this moment; the value is forgotten below, before somebody may.
                let closed = unsafe { TcpStream::from_raw_fd(number) };
                refused((&closed).read(&mut [0]));
                refused((&closed).write(&[0]));
                refused(closed.peek(&mut [0]));
                refused(closed.try_clone());
                refused(closed.set_nodelay(true));
                refused(closed.shutdown(std::net::Shutdown::Both));
                assert_eq!(
                    closed.set_nonblocking(true).map_err(|error| error.kind()),
                    Ok::<(), ErrorKind>(())
                );
                std::mem::forget(closed);
                // SAFETY: as above.
                let closed = unsafe { TcpListener::from_raw_fd(number) };
                refused(closed.accept());
                refused(closed.try_clone());
                refused(closed.local_addr());
                std::mem::forget(closed);
            });
            assert_eq!(runtime.handle().metrics().sources, 0);
        },
        |ended| ended.succeeded(),
    );
}

/// The same with descriptors that are given away, and so must be open: those that stand for a path only are, and refuse
/// all the same.
#[test]
#[cfg(target_os = "linux")]
fn a_descriptor_that_refuses_everything() {
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::OpenOptionsExt;
    each_runtime(|runtime| {
        runtime.block_on(|| {
            let path_only = || {
                let mut options = std::fs::File::options();
                let options = options.read(true).custom_flags(libc::O_PATH);
                OwnedFd::from(options.open("/dev/null").unwrap())
            };
            let stream = TcpStream::from(path_only());
            refused((&stream).read(&mut [0]));
            refused((&stream).write(&[0]));
            refused(stream.peek(&mut [0]));
            refused(stream.into_std());
            let listener = TcpListener::from(path_only());
            refused(listener.accept());
            refused(listener.into_std());
        });
    });
}

#[track_caller]
fn refused<T>(result: std::io::Result<T>) {
    let error = result.err().expect("there is no socket");
    assert_eq!(error.raw_os_error(), Some(libc::EBADF), "{error}");
}

/// A thousand connections are two thousand descriptors.
fn raise_the_limit_of_descriptors() {
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    if limit.current.is_some_and(|current| current < 4096) {
        limit.current = Some(limit.maximum.map_or(4096, |maximum| maximum.min(4096)));
        rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
    }
}
