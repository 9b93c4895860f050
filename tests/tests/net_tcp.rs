//! `TcpStream` and `TcpListener` do what std's do: the ideas of std's own tests, on greenlets and on threads.

mod net_support;

use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread;

use net_support::{listener, pair, read_all};
use sward::net::{TcpListener, TcpStream};
use sward_tests::{Watchdog, each_runtime, until};

/// Runs `body` in a greenlet of each kind of runtime, and on this thread.
fn everywhere(body: fn()) {
    each_runtime(|runtime| runtime.block_on(body));
    let _watchdog = Watchdog::new("a plain thread");
    body();
}

#[test]
fn bind_error() {
    everywhere(|| {
        let taken = TcpListener::bind("203.0.113.1:0").unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrNotAvailable);
        let none: &[SocketAddr] = &[];
        assert_eq!(
            TcpListener::bind(none).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
        TcpListener::bind("not an address").unwrap_err();
    });
}

#[test]
fn connect_error() {
    everywhere(|| {
        // Bound and not listening, so that nobody else gets the port.
        let bound = rustix::net::socket(
            rustix::net::AddressFamily::INET,
            rustix::net::SocketType::STREAM,
            None,
        );
        let bound = bound.unwrap();
        rustix::net::bind(&bound, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = SocketAddr::try_from(rustix::net::getsockname(&bound).unwrap()).unwrap();
        let refused = TcpStream::connect(address).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        let refused = TcpStream::connect_timeout(&address, net_support::AGES).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        let none: &[SocketAddr] = &[];
        assert_eq!(
            TcpStream::connect(none).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
        let zero = TcpStream::connect_timeout(&address, std::time::Duration::ZERO).unwrap_err();
        assert_eq!(zero.kind(), ErrorKind::InvalidInput);
        // The one that answers is found behind those that do not.
        let (listener, good) = listener();
        let stream = TcpStream::connect(&[address, good][..]).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
        drop(listener);
    });
}

#[test]
fn both_families_and_names() {
    everywhere(|| {
        for host in ["127.0.0.1", "::1", "localhost"] {
            let addresses = (host, 0).to_socket_addrs().unwrap().collect::<Vec<_>>();
            let listener = match TcpListener::bind(&addresses[..]) {
                Ok(listener) => listener,
                // A machine without IPv6.
                Err(error) if host == "::1" => {
                    assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
                    continue;
                }
                Err(error) => panic!("{host}: {error}"),
            };
            let address = listener.local_addr().unwrap();
            let client = sward::spawn(move || {
                let mut client = TcpStream::connect(address).unwrap();
                client.write_all(&[144]).unwrap();
                client.local_addr().unwrap()
            });
            let (mut server, peer) = listener.accept().unwrap();
            let mut byte = [0];
            server.read_exact(&mut byte).unwrap();
            assert_eq!(byte, [144]);
            assert_eq!(client.join().unwrap(), peer);
            assert_eq!(server.peer_addr().unwrap(), peer);
            assert_eq!(server.local_addr().unwrap(), address);
        }
    });
}

#[test]
fn reading_at_the_end() {
    everywhere(|| {
        let (client, mut server) = pair();
        drop(client);
        let mut byte = [0];
        assert_eq!(server.read(&mut byte).unwrap(), 0);
        assert_eq!(server.read(&mut byte).unwrap(), 0);
        assert_eq!(server.peek(&mut byte).unwrap(), 0);
        assert_eq!(server.read(&mut []).unwrap(), 0);
    });
}

#[test]
fn writing_after_the_peer_has_gone() {
    everywhere(|| {
        let (client, mut server) = pair();
        drop(client);
        let error = loop {
            if let Err(error) = server.write(&[0; 1024]) {
                break error;
            }
        };
        let kinds = [
            ErrorKind::ConnectionReset,
            ErrorKind::BrokenPipe,
            ErrorKind::ConnectionAborted,
        ];
        assert!(kinds.contains(&error.kind()), "{error}");
    });
}

#[test]
fn small_buffers_get_everything_in_order() {
    everywhere(|| {
        let (mut client, mut server) = pair();
        let sender = sward::spawn(move || client.write_all(&[1, 2, 3, 4, 5, 6, 7]).unwrap());
        let mut got = Vec::new();
        let mut buffer = [0; 2];
        loop {
            match server.read(&mut buffer).unwrap() {
                0 => break,
                count => got.extend_from_slice(&buffer[..count]),
            }
        }
        assert_eq!(got, [1, 2, 3, 4, 5, 6, 7]);
        sender.join().unwrap();
    });
}

#[test]
fn vectored() {
    everywhere(|| {
        let (mut client, mut server) = pair();
        assert_eq!(client.write_vectored(&[]).unwrap(), 0);
        assert_eq!(
            client
                .write_vectored(&[IoSlice::new(&[]), IoSlice::new(&[])])
                .unwrap(),
            0
        );
        assert_eq!(
            server
                .read_vectored(&mut [IoSliceMut::new(&mut [])])
                .unwrap(),
            0
        );
        let (a, b, c) = ([], [10], [11, 12]);
        let sent = client
            .write_vectored(&[IoSlice::new(&a), IoSlice::new(&b), IoSlice::new(&c)])
            .unwrap();
        assert_eq!(sent, 3);
        let (mut empty, mut short, mut long) = ([], [0], [8; 4]);
        let got = server
            .read_vectored(&mut [
                IoSliceMut::new(&mut empty),
                IoSliceMut::new(&mut short),
                IoSliceMut::new(&mut long),
            ])
            .unwrap();
        assert_eq!((got, short, long), (3, [10], [11, 12, 8, 8]));
        // More buffers than the kernel takes at a time.
        let bytes: Vec<u8> = (0..3000u32).map(|n| n as u8).collect();
        let sender = sward::spawn({
            let bytes = bytes.clone();
            move || {
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    let slices: Vec<_> = rest.chunks(1).map(IoSlice::new).collect();
                    let count = client.write_vectored(&slices).unwrap();
                    rest = &rest[count..];
                }
            }
        });
        let mut got = vec![0; 3000];
        let mut filled = 0;
        while filled < got.len() {
            let mut slices: Vec<_> = got[filled..].chunks_mut(1).map(IoSliceMut::new).collect();
            match server.read_vectored(&mut slices).unwrap() {
                0 => panic!("it ended early"),
                count => filled += count,
            }
        }
        assert_eq!(got, bytes);
        sender.join().unwrap();
        assert_eq!(
            server
                .read_vectored(&mut [IoSliceMut::new(&mut [0])])
                .unwrap(),
            0
        );
    });
}

#[test]
fn peeking_takes_nothing() {
    everywhere(|| {
        let (client, server) = pair();
        let (client, server) = (Arc::new(client), Arc::new(server));
        let peeker = sward::spawn({
            let server = server.clone();
            move || {
                let mut buffer = [0; 10];
                let first = server.peek(&mut buffer).unwrap();
                assert!(first >= 1);
                // Shorter than asked, and still nothing is gone.
                assert!(server.peek(&mut buffer).unwrap() >= first);
                let count = (&*server).read(&mut buffer).unwrap();
                assert!(count >= first);
                buffer[..count].to_vec()
            }
        });
        sward::yield_now();
        (&*client).write_all(&[1, 3, 3, 7]).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut got = peeker.join().unwrap();
        got.extend(read_all(&*server).unwrap());
        assert_eq!(got, [1, 3, 3, 7]);
        server.set_nonblocking(true).unwrap();
        assert_eq!(server.peek(&mut [0]).unwrap(), 0);
        client.set_nonblocking(true).unwrap();
        assert_eq!(
            client.peek(&mut [0]).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
    });
}

#[test]
fn shutting_down() {
    everywhere(|| {
        let (mut client, mut server) = pair();
        // The other direction goes on.
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(server.read(&mut [0]).unwrap(), 0);
        assert_eq!(
            client.write(&[1]).unwrap_err().kind(),
            ErrorKind::BrokenPipe
        );
        server.write_all(&[1]).unwrap();
        assert_eq!(client.read(&mut [0; 4]).unwrap(), 1);
        server.shutdown(Shutdown::Both).unwrap();
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        assert_eq!(server.read(&mut [0]).unwrap(), 0);
    });
}

/// A shutdown of one's own side ends a read that is under way, as in std.
#[test]
fn shutting_down_under_a_reader() {
    everywhere(|| {
        let (client, server) = pair();
        let server = Arc::new(server);
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let server = server.clone();
                sward::spawn(move || (&*server).read(&mut [0]).unwrap())
            })
            .collect();
        sward::sleep(net_support::MOMENT);
        server.shutdown(Shutdown::Read).unwrap();
        for reader in readers {
            assert_eq!(reader.join().unwrap(), 0);
        }
        drop(client);
    });
}

#[test]
fn options() {
    everywhere(|| {
        let (client, server) = pair();
        for nodelay in [true, false] {
            client.set_nodelay(nodelay).unwrap();
            assert_eq!(client.nodelay().unwrap(), nodelay);
        }
        client.set_ttl(100).unwrap();
        assert_eq!(client.ttl().unwrap(), 100);
        let (listener, _) = listener();
        listener.set_ttl(101).unwrap();
        assert_eq!(listener.ttl().unwrap(), 101);
        assert!(listener.take_error().unwrap().is_none());
        assert!(client.take_error().unwrap().is_none());
        assert!(server.take_error().unwrap().is_none());
    });
}

#[test]
fn a_port_is_taken_and_free_again() {
    everywhere(|| {
        let (first, address) = listener();
        assert_eq!(
            TcpListener::bind(address).unwrap_err().kind(),
            ErrorKind::AddrInUse
        );
        // With a connection that lingers: bound with SO_REUSEADDR, the port is free all the same.
        let client = TcpStream::connect(address).unwrap();
        let (server, _) = first.accept().unwrap();
        drop(server);
        drop(first);
        TcpListener::bind(address).unwrap();
        drop(client);
    });
}

#[test]
fn the_builder() {
    everywhere(|| {
        let builder = TcpListener::builder().reuse_port(true).backlog(64);
        let first = builder.bind("127.0.0.1:0").unwrap();
        let address = first.local_addr().unwrap();
        let second = builder.bind(address).unwrap();
        assert_eq!(second.local_addr().unwrap(), address);
        // Whoever connects is served by one or the other.
        let (count, each) = (32, [first, second]);
        let clients: Vec<_> = (0..count)
            .map(|_| sward::spawn(move || TcpStream::connect(address).unwrap()))
            .collect();
        let clients: Vec<_> = clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .collect();
        let mut accepted = 0;
        each.iter()
            .for_each(|listener| listener.set_nonblocking(true).unwrap());
        until(|| {
            for listener in &each {
                while listener.accept().is_ok() {
                    accepted += 1;
                }
            }
            accepted == count
        });
        drop(clients);
        let none: &[SocketAddr] = &[];
        assert_eq!(
            builder.bind(none).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
        // One that did not ask for it does not get in.
        assert_eq!(
            TcpListener::bind(address).unwrap_err().kind(),
            ErrorKind::AddrInUse
        );
    });
}

#[test]
fn incoming_goes_on() {
    everywhere(|| {
        let (listener, address) = listener();
        let clients = sward::spawn(move || {
            for n in 0..10u8 {
                TcpStream::connect(address)
                    .unwrap()
                    .write_all(&[n])
                    .unwrap();
            }
        });
        for (n, stream) in (0..10u8).zip(listener.incoming()) {
            assert_eq!(read_all(stream.unwrap()).unwrap(), [n]);
        }
        clients.join().unwrap();
    });
}

#[test]
fn printed_as_std_does() {
    let _watchdog = Watchdog::new("printing");
    let (listener, address) = listener();
    let ours = format!("{listener:?}");
    assert!(ours.starts_with("TcpListener { addr: 127.0.0.1:"), "{ours}");
    let stream = TcpStream::connect(address).unwrap();
    let ours = format!("{stream:?}");
    assert_eq!(ours, format!("{:?}", stream.into_std().unwrap()));
}

#[test]
fn a_value_is_what_std_is() {
    fn check<T: Send + Sync + Unpin + std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    check::<TcpListener>();
    check::<TcpStream>();
    check::<sward::net::Incoming<'_>>();
}

/// Ends of one connection on a thread and in a greenlet, and the other way around.
#[test]
fn threads_and_greenlets_talk() {
    each_runtime(|runtime| {
        let (client, server) = pair();
        let pong = |mut stream: TcpStream| {
            for n in 0..200u8 {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                assert_eq!(byte, [n]);
                stream.write_all(&byte).unwrap();
            }
        };
        let ping = |mut stream: TcpStream| {
            for n in 0..200u8 {
                stream.write_all(&[n]).unwrap();
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                assert_eq!(byte, [n]);
            }
        };
        let greenlet = runtime.spawn(move || pong(server));
        thread::spawn(move || ping(client)).join().unwrap();
        greenlet.join().unwrap();
    });
}
