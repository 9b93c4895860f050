//! Several greenlets and threads on one socket: through `&`, and on clones. Nothing is lost, nobody is left behind.

mod net_support;

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

use net_support::{AGES, listener, pair, pair_with_std, read_all};
use sward::net::{TcpListener, TcpStream};
use sward_tests::{each_runtime, until};

/// Every byte goes to one of the readers, and each hears of the end.
fn share_reading(
    runtime: &sward::Runtime,
    streams: Vec<Arc<TcpStream>>,
    mut client: std::net::TcpStream,
) {
    let total = 20_000usize;
    let readers: Vec<_> = streams
        .into_iter()
        .map(|stream| {
            runtime.spawn(move || {
                let mut got = 0;
                let mut buffer = [0; 37];
                loop {
                    match (&*stream).read(&mut buffer).unwrap() {
                        0 => return got,
                        count => got += count,
                    }
                }
            })
        })
        .collect();
    let writer = thread::spawn(move || {
        for chunk in vec![1u8; total].chunks(113) {
            client.write_all(chunk).unwrap();
            thread::yield_now();
        }
    });
    let got: usize = readers
        .into_iter()
        .map(|reader| reader.join().unwrap())
        .sum();
    assert_eq!(got, total);
    writer.join().unwrap();
}

#[test]
fn readers_of_one_stream() {
    each_runtime(|runtime| {
        let (server, client) = pair_with_std();
        let server = Arc::new(server);
        share_reading(runtime, vec![server; 6], client);
    });
}

#[test]
fn readers_of_clones() {
    each_runtime(|runtime| {
        let (server, client) = pair_with_std();
        let mut streams: Vec<_> = (0..5)
            .map(|_| Arc::new(server.try_clone().unwrap()))
            .collect();
        streams.push(Arc::new(server));
        share_reading(runtime, streams, client);
    });
}

/// All wait; one byte comes; whoever takes it, the others go on waiting, and get the next ones.
#[test]
fn one_byte_for_many_readers() {
    each_runtime(|runtime| {
        let (server, mut client) = pair_with_std();
        let server = Arc::new(server);
        let got = Arc::new(AtomicUsize::new(0));
        let readers: Vec<_> = (0..10)
            .map(|_| {
                let (server, got) = (server.clone(), got.clone());
                runtime.spawn(move || {
                    // Twice as much room as will come.
                    assert_eq!((&*server).read(&mut [0; 2]).unwrap(), 1);
                    got.fetch_add(1, SeqCst);
                })
            })
            .collect();
        for n in 1..=10 {
            client.write_all(&[1]).unwrap();
            until(|| got.load(SeqCst) == n);
        }
        readers
            .into_iter()
            .for_each(|reader| reader.join().unwrap());
    });
}

/// Ten bytes at once, of which each reader takes one.
#[test]
fn one_edge_for_many_readers() {
    each_runtime(|runtime| {
        let (server, mut client) = pair_with_std();
        let server = Arc::new(server);
        let readers: Vec<_> = (0..10)
            .map(|_| {
                let server = server.clone();
                runtime.spawn(move || assert_eq!((&*server).read(&mut [0]).unwrap(), 1))
            })
            .collect();
        client.write_all(&[1; 10]).unwrap();
        readers
            .into_iter()
            .for_each(|reader| reader.join().unwrap());
    });
}

/// Writers that all wait for room get it, and what each writes in one piece arrives.
#[test]
fn writers_of_one_stream() {
    each_runtime(|runtime| {
        let (server, client) = pair();
        let clone = server.try_clone().unwrap();
        let server = Arc::new(server);
        let writers: Vec<_> = (0..6)
            .map(|n| {
                let server = server.clone();
                let clone = (n == 0).then(|| clone.try_clone().unwrap());
                runtime.spawn(move || {
                    let stream = clone.as_ref().unwrap_or(&server);
                    let mut stream = stream;
                    stream.write_all(&vec![n; 1 << 20]).unwrap();
                })
            })
            .collect();
        let reader = runtime.spawn(move || read_all(client).unwrap());
        writers
            .into_iter()
            .for_each(|writer| writer.join().unwrap());
        drop((server, clone));
        let mut counts = [0usize; 6];
        reader
            .join()
            .unwrap()
            .into_iter()
            .for_each(|n| counts[usize::from(n)] += 1);
        assert_eq!(counts, [1 << 20; 6]);
    });
}

/// Reading and writing at once on one value.
#[test]
fn both_directions_at_once() {
    each_runtime(|runtime| {
        let (client, server) = pair();
        let echo = runtime.spawn(move || {
            let mut server = server;
            let mut buffer = [0; 8192];
            loop {
                match server.read(&mut buffer).unwrap() {
                    0 => return,
                    count => server.write_all(&buffer[..count]).unwrap(),
                }
            }
        });
        let client = Arc::new(client);
        let writer = {
            let client = client.clone();
            runtime.spawn(move || {
                (&*client).write_all(&vec![3; 4 << 20]).unwrap();
                client.shutdown(Shutdown::Write).unwrap();
            })
        };
        let reader = runtime.spawn(move || read_all(&*client).unwrap());
        assert_eq!(reader.join().unwrap().len(), 4 << 20);
        writer.join().unwrap();
        echo.join().unwrap();
    });
}

/// `acceptors` accept until each has seen its own end; every connection is accepted by one of them.
fn share_accepting(
    runtime: &sward::Runtime,
    listeners: Vec<Arc<TcpListener>>,
    address: std::net::SocketAddr,
) {
    let connections = 200;
    let acceptors = listeners.len();
    let accepted = Arc::new(AtomicUsize::new(0));
    let handles: Vec<_> = listeners
        .into_iter()
        .map(|listener| {
            let accepted = accepted.clone();
            runtime.spawn(move || {
                let mut seen = BTreeSet::new();
                while accepted.load(SeqCst) < connections {
                    let (mut stream, _) = listener.accept().unwrap();
                    let mut number = [0; 4];
                    if stream.read_exact(&mut number).is_ok() {
                        seen.insert(u32::from_ne_bytes(number));
                        accepted.fetch_add(1, SeqCst);
                    }
                }
                seen
            })
        })
        .collect();
    let clients: Vec<_> = (0..connections as u32)
        .map(|n| {
            runtime.spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.write_all(&n.to_ne_bytes()).unwrap();
                // The server closes first, or the ports of this machine run out.
                assert_eq!(stream.read(&mut [0]).unwrap(), 0);
            })
        })
        .collect();
    clients
        .into_iter()
        .for_each(|client| client.join().unwrap());
    until(|| accepted.load(SeqCst) == connections);
    // Those who wait still are called off.
    for _ in 0..acceptors {
        drop(std::net::TcpStream::connect(address));
    }
    let mut seen = BTreeSet::new();
    handles
        .into_iter()
        .for_each(|handle| seen.extend(handle.join().unwrap()));
    assert_eq!(seen.len(), connections);
}

#[test]
fn acceptors_on_one_listener() {
    each_runtime(|runtime| {
        let (listener, address) = listener();
        let listener = Arc::new(listener);
        share_accepting(runtime, vec![listener; 5], address);
    });
}

#[test]
fn acceptors_on_clones() {
    each_runtime(|runtime| {
        let (listener, address) = listener();
        let mut listeners: Vec<_> = (0..4)
            .map(|_| Arc::new(listener.try_clone().unwrap()))
            .collect();
        listeners.push(Arc::new(listener));
        share_accepting(runtime, listeners, address);
    });
}

/// Connections that arrive in one edge, one accepted at a time by greenlets that then do something else.
#[test]
fn acceptors_that_take_one_each() {
    each_runtime(|runtime| {
        let (listener, address) = listener();
        let listener = Arc::new(listener);
        let acceptors: Vec<_> = (0..20)
            .map(|_| {
                let listener = listener.clone();
                runtime.spawn(move || listener.accept().unwrap())
            })
            .collect();
        let clients: Vec<_> = (0..20)
            .map(|_| std::net::TcpStream::connect(address).unwrap())
            .collect();
        let streams: Vec<_> = acceptors
            .into_iter()
            .map(|acceptor| acceptor.join().unwrap())
            .collect();
        assert_eq!(streams.len(), clients.len());
    });
}

/// Dropping one clone does nothing to a greenlet that waits on another; dropping the last ends the connection.
#[test]
fn dropping_a_clone_while_another_reads() {
    each_runtime(|runtime| {
        let (server, mut client) = pair_with_std();
        for _ in 0..20 {
            // Both wait. Whoever gets the first byte drops its clone while the other goes on waiting.
            let done = Arc::new(AtomicUsize::new(0));
            let readers = [(); 2].map(|()| {
                let (mut clone, done) = (server.try_clone().unwrap(), done.clone());
                runtime.spawn(move || {
                    clone.read_exact(&mut [0]).unwrap();
                    drop(clone);
                    done.fetch_add(1, SeqCst);
                })
            });
            until(|| runtime.handle().metrics().sources == 2);
            client.write_all(&[1]).unwrap();
            until(|| done.load(SeqCst) == 1 && runtime.handle().metrics().sources == 1);
            client.write_all(&[2]).unwrap();
            readers
                .into_iter()
                .for_each(|reader| reader.join().unwrap());
        }
        drop(server);
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
    });
}

#[test]
fn clones_share_settings() {
    each_runtime(|runtime| {
        runtime.block_on(|| {
            let (first, _peer) = pair();
            let second = first.try_clone().unwrap();
            first.set_read_timeout(Some(AGES)).unwrap();
            second.set_write_timeout(Some(AGES * 2)).unwrap();
            for stream in [&first, &second, &first.try_clone().unwrap()] {
                assert_eq!(stream.read_timeout().unwrap(), Some(AGES));
                assert_eq!(stream.write_timeout().unwrap(), Some(AGES * 2));
            }
            second.set_nonblocking(true).unwrap();
            assert_eq!(
                (&first).read(&mut [0]).unwrap_err().kind(),
                ErrorKind::WouldBlock
            );
            let (listener, _) = listener();
            let clone = listener.try_clone().unwrap();
            listener.set_nonblocking(true).unwrap();
            assert_eq!(clone.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        });
    });
}
