//! Sockets and runtimes: made in one place, used in another, outliving the runtime they wait in; given to std and back.

mod net_support;

use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use net_support::{AGES, listener, pair, pair_with_std};
use sward::net::{TcpListener, TcpStream};
use sward_tests::{child, each_config, each_runtime, until};

const SHUTDOWN: Duration = Duration::from_secs(50);

/// One stream read by turns in two runtimes and on a thread. It stays with the runtime that waited first.
#[test]
fn used_from_other_runtimes() {
    each_config(|config| {
        let (first, second) = (config.build(), config.build());
        let (server, mut client) = pair_with_std();
        let server = Arc::new(server);
        let read = |server: &Arc<TcpStream>| {
            let server = server.clone();
            move || {
                let mut byte = [0];
                (&*server).read_exact(&mut byte).unwrap();
                byte
            }
        };
        for n in 0..20 {
            let reader = match n % 3 {
                0 => first.spawn(read(&server)),
                1 => second.spawn(read(&server)),
                _ => {
                    let read = read(&server);
                    second.spawn(move || thread::spawn(read).join().unwrap())
                }
            };
            if n == 0 {
                until(|| first.handle().metrics().sources == 1);
            }
            client.write_all(&[n]).unwrap();
            assert_eq!(reader.join().unwrap(), [n]);
        }
        assert_eq!(first.handle().metrics().sources, 1);
        assert_eq!(second.handle().metrics().sources, 0);
        drop(server);
        assert_eq!(first.handle().metrics().sources, 0);
        first.shutdown(SHUTDOWN).unwrap();
        second.shutdown(SHUTDOWN).unwrap();
    });
}

/// What never has to wait is never registered.
#[test]
fn registered_at_the_first_wait() {
    each_runtime(|runtime| {
        let (server, mut client) = pair_with_std();
        client.write_all(b"there already").unwrap();
        let metrics = runtime.block_on(|| {
            let mut server = server;
            assert_eq!(server.read(&mut [0; 64]).unwrap(), 13);
            server.write_all(b"and gone").unwrap();
            sward::Handle::current().metrics()
        });
        assert_eq!(metrics.sources, 0);
    });
}

/// The default runtime is not started by what does not wait, and a listener made in `main` belongs to the runtime that
/// accepts.
#[test]
fn no_default_runtime_for_a_listener() {
    child::run(
        "no_default_runtime_for_a_listener",
        // A wrong value is an error as soon as the default runtime is needed.
        &[("SWARD_WORKERS", "none")],
        || {
            let (listener, address) = listener();
            let runtime = sward::Runtime::builder().workers(2).build().unwrap();
            let acceptor = runtime.spawn(move || listener.accept().unwrap());
            until(|| runtime.handle().metrics().sources == 1);
            let _client = std::net::TcpStream::connect(address).unwrap();
            acceptor.join().unwrap();
            // Here it is needed, and the error says so.
            let (server, _client) = pair_with_std();
            let error = (&server).read(&mut [0]).unwrap_err();
            assert!(error.to_string().contains("SWARD_WORKERS"), "{error}");
        },
        |ended| ended.succeeded(),
    );
}

/// After the shutdown of its runtime a socket still does what needs no waiting, and the rest is an error.
#[test]
fn after_the_shutdown() {
    each_config(|config| {
        let runtime = config.build();
        let (server, mut client) = pair_with_std();
        let (listener, address) = listener();
        let (server, listener) = (Arc::new(server), Arc::new(listener));
        // Both wait here, so both belong here.
        server.set_read_timeout(Some(net_support::MOMENT)).unwrap();
        {
            let (server, listener) = (server.clone(), listener.clone());
            runtime.block_on(move || {
                (&*server).read(&mut [0]).unwrap_err();
                let acceptor = sward::spawn(move || listener.accept().unwrap());
                let _client = TcpStream::connect(address).unwrap();
                acceptor.join().unwrap();
            });
        }
        server.set_read_timeout(None).unwrap();
        assert!(runtime.handle().metrics().sources >= 1);
        // One from a plain thread is under way.
        let waiting = {
            let server = server.clone();
            thread::spawn(move || (&*server).read(&mut [0; 8]))
        };
        runtime.shutdown(SHUTDOWN).unwrap();
        let error = waiting.join().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Other);
        assert!(error.to_string().contains("shut down"), "{error}");
        // Later ones, on a thread and in another runtime.
        let error = (&*server).read(&mut [0; 8]).unwrap_err();
        assert!(error.to_string().contains("shut down"), "{error}");
        let other = config.build();
        let error = {
            let server = server.clone();
            other.block_on(move || (&*server).read(&mut [0; 8]).unwrap_err())
        };
        assert!(error.to_string().contains("shut down"), "{error}");
        // Writing needs no waiting.
        (&*server).write_all(b"bye").unwrap();
        let mut got = [0; 3];
        client.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"bye");
        // A clone finds itself a runtime that lives.
        let clone = server.try_clone().unwrap();
        let reader = other.spawn(move || (&clone).read(&mut [0; 8]).unwrap());
        until(|| other.handle().metrics().sources == 1);
        client.write_all(b"hello").unwrap();
        assert_eq!(reader.join().unwrap(), 5);
        drop((server, listener));
        other.shutdown(SHUTDOWN).unwrap();
    });
}

/// A greenlet that waits for a socket does not hold up the shutdown.
#[test]
fn a_shutdown_with_waiting_greenlets() {
    each_config(|config| {
        let runtime = config.build();
        let (server, _client) = pair_with_std();
        let reader = runtime.spawn(move || (&server).read(&mut [0]));
        until(|| runtime.handle().metrics().sources == 1);
        let left = runtime.shutdown(Duration::from_millis(1)).unwrap_err();
        assert_eq!(left.remaining(), 1);
        assert!(reader.join().unwrap_err().is_cancelled());
    });
}

#[test]
fn to_std_and_back() {
    each_runtime(|runtime| {
        runtime.block_on(|| {
            let (server, mut client) = pair_with_std();
            // Registered, and given away all the same.
            server.set_read_timeout(Some(net_support::MOMENT)).unwrap();
            (&server).read(&mut [0]).unwrap_err();
            let mut standard = server.into_std().unwrap();
            assert_eq!(sward::Handle::current().metrics().sources, 0);
            assert_eq!(standard.write_timeout().unwrap(), None);
            assert!(standard.read_timeout().unwrap().is_some());
            assert!(!nonblocking_in_the_kernel(&standard));
            standard.set_read_timeout(Some(AGES)).unwrap();
            client.write_all(&[1]).unwrap();
            assert_eq!(standard.read(&mut [0; 4]).unwrap(), 1);
            // And back, with its timeout.
            let mut server = TcpStream::from(standard);
            assert_eq!(server.read_timeout().unwrap(), Some(AGES));
            assert!(nonblocking_in_the_kernel(&server));
            let writer = sward::spawn(move || client.write_all(&[2]).map(|()| client).unwrap());
            assert_eq!(server.read(&mut [0; 4]).unwrap(), 1);
            let mut client = writer.join().unwrap();
            // One that was asked not to block does not block std either.
            server.set_nonblocking(true).unwrap();
            let mut standard = std::net::TcpStream::from(server);
            assert_eq!(
                standard.read(&mut [0]).unwrap_err().kind(),
                ErrorKind::WouldBlock
            );
            // Through a bare descriptor.
            let fd = OwnedFd::from(TcpStream::from(OwnedFd::from(standard)));
            let number = TcpStream::from(fd).into_raw_fd();
            // SAFETY: the number was just given away.
            let mut server = unsafe { TcpStream::from_raw_fd(number) };
            assert_eq!(server.as_raw_fd(), number);
            assert_eq!(server.as_fd().as_raw_fd(), number);
            // Sward's waits, although std's did not.
            let writer = sward::spawn(move || client.write_all(&[3]).map(|()| client).unwrap());
            assert_eq!(server.read(&mut [0; 4]).unwrap(), 1);
            writer.join().unwrap();
        });
    });
}

#[test]
fn listeners_to_std_and_back() {
    each_runtime(|runtime| {
        runtime.block_on(|| {
            let standard = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let address = standard.local_addr().unwrap();
            let listener = TcpListener::from(standard);
            let client = sward::spawn(move || TcpStream::connect(address).unwrap());
            listener.accept().unwrap();
            client.join().unwrap();
            let standard = listener.into_std().unwrap();
            assert!(!nonblocking_in_the_kernel(&standard));
            let client = std::net::TcpStream::connect(address).unwrap();
            standard.accept().unwrap();
            let listener = TcpListener::from(OwnedFd::from(standard));
            assert_eq!(listener.local_addr().unwrap(), address);
            listener.set_nonblocking(true).unwrap();
            let standard = std::net::TcpListener::from(listener);
            assert_eq!(standard.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
            drop(client);
            // Sward's waits, although std's did not.
            let listener = TcpListener::from(standard);
            let client = sward::spawn(move || TcpStream::connect(address).unwrap());
            listener.accept().unwrap();
            client.join().unwrap();
        });
    });
}

/// A clone that std has made blocking does not make ours block the worker.
#[test]
#[cfg(target_os = "linux")]
fn a_blocking_clone_blocks_no_worker() {
    each_runtime(|runtime| {
        let (server, mut client) = pair_with_std();
        let standard = server.try_clone().unwrap().into_std().unwrap();
        assert!(!nonblocking_in_the_kernel(&server));
        let reader = runtime.spawn(move || (&server).read(&mut [0; 4]).unwrap());
        until(|| runtime.handle().metrics().sources == 1);
        // All workers are free to run this.
        let others: Vec<_> = (0..16).map(|_| runtime.spawn(sward::yield_now)).collect();
        others.into_iter().for_each(|other| other.join().unwrap());
        client.write_all(&[1]).unwrap();
        assert_eq!(reader.join().unwrap(), 1);
        drop(standard);
    });
}

/// A descriptor that is open and no socket: errors, no panic.
#[test]
fn no_socket() {
    each_runtime(|runtime| {
        runtime.block_on(|| {
            let file = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
            let mut stream = TcpStream::from(file());
            stream.read(&mut [0]).unwrap_err();
            stream.write(&[0]).unwrap_err();
            stream.peer_addr().unwrap_err();
            TcpListener::from(file()).accept().unwrap_err();
        });
    });
}

/// Every descriptor is closed, and none is inherited by a child process.
#[test]
fn descriptors_are_closed_and_not_inherited() {
    child::run(
        "descriptors_are_closed_and_not_inherited",
        &[],
        || {
            let runtime = sward::Runtime::builder().workers(2).build().unwrap();
            let round = || {
                let (listener, address) = listener();
                let client = sward::spawn(move || TcpStream::connect(address).unwrap());
                let (server, _) = listener.accept().unwrap();
                let clone = server.try_clone().unwrap();
                for fd in [
                    listener.as_fd(),
                    server.as_fd(),
                    clone.as_fd(),
                    client.join().unwrap().as_fd(),
                ] {
                    let flags = rustix::io::fcntl_getfd(fd).unwrap();
                    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
                }
            };
            runtime.block_on(round);
            let before = sward_tests::process::descriptors();
            for _ in 0..50 {
                runtime.block_on(round);
            }
            assert_eq!(sward_tests::process::descriptors(), before);
            drop(pair());
        },
        |ended| ended.succeeded(),
    );
}

/// A runtime closes its poller at its end, also if sockets that it had registered live on: here, and in the frame of a greenlet
/// that is suspended for ever.
#[test]
fn sockets_that_outlive_their_runtime_keep_no_poller_open() {
    let name = "sockets_that_outlive_their_runtime_keep_no_poller_open";
    let body = || {
        each_config(|config| {
            let before = sward_tests::process::descriptors();
            let runtime = config.build();
            let (mine, theirs) = (Arc::new(listener().0), listener().0);
            let shared = mine.clone();
            let waits = [
                runtime.spawn(move || drop(shared.accept())),
                runtime.spawn(move || drop(theirs.accept())),
            ];
            until(|| runtime.handle().metrics().sources == 2);
            until(|| runtime.handle().metrics().suspended == 2);
            runtime.shutdown(Duration::ZERO).unwrap_err();
            for wait in waits {
                assert!(wait.join().unwrap_err().is_cancelled());
            }
            // A worker whose thread stays, since its home is referred to, lets go of the runtime a moment later.
            until(|| sward_tests::process::descriptors() == before + 2);
            mine.accept().unwrap_err();
            // Its only owner's frame is not left.
            drop(mine);
            assert_eq!(sward_tests::process::descriptors(), before + 2);
        });
    };
    child::run(name, &[], body, |ended| ended.succeeded());
}

fn nonblocking_in_the_kernel(fd: impl AsFd) -> bool {
    // No crate among the tests' has `F_GETFL` safely.
    // SAFETY: the descriptor is open, and the call takes no memory.
    let flags = unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), libc::F_GETFL) };
    assert!(flags >= 0);
    flags & libc::O_NONBLOCK != 0
}
