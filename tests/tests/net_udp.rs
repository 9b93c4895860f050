//! `UdpSocket` does what std's does: the ideas of std's own tests, on greenlets and on threads.

mod net_support;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use net_support::{AGES, MOMENT};
use sward::net::UdpSocket;
use sward_tests::{Watchdog, each_crowd, each_runtime};

/// Runs `body` in a greenlet of each kind of runtime, and on this thread.
fn everywhere(body: fn()) {
    each_runtime(|runtime| runtime.block_on(body));
    let _watchdog = Watchdog::new("a plain thread");
    body();
}

fn bound() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn connected() -> (UdpSocket, UdpSocket) {
    let ((one, of_one), (other, of_other)) = (bound(), bound());
    one.connect(of_other).unwrap();
    other.connect(of_one).unwrap();
    (one, other)
}

#[test]
fn bind_error() {
    everywhere(|| {
        let error = UdpSocket::bind("203.0.113.1:0").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
        let (_taken, address) = bound();
        let error = UdpSocket::bind(address).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let none: &[SocketAddr] = &[];
        let error = UdpSocket::bind(none).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn send_to_and_receive_from() {
    everywhere(|| {
        for host in ["127.0.0.1", "::1"] {
            let one = UdpSocket::bind((host, 0)).unwrap();
            let other = UdpSocket::bind((host, 0)).unwrap();
            let (to, from) = (other.local_addr().unwrap(), one.local_addr().unwrap());
            let sender = sward::spawn(move || {
                assert_eq!(one.send_to(b"hello", to).unwrap(), 5);
                one.send_to(b"world", to).unwrap();
                one
            });
            let mut buffer = [0; 3];
            assert_eq!(other.peek_from(&mut buffer).unwrap(), (3, from));
            // What does not fit is lost.
            assert_eq!(other.recv_from(&mut buffer).unwrap(), (3, from));
            assert_eq!(&buffer, b"hel");
            let mut buffer = [0; 64];
            assert_eq!(other.recv_from(&mut buffer).unwrap(), (5, from));
            assert_eq!(&buffer[..5], b"world");
            sender.join().unwrap();
        }
        let (socket, _) = bound();
        let none: &[SocketAddr] = &[];
        let error = socket.send_to(b"hello", none).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn connected_sockets() {
    everywhere(|| {
        let (one, other) = connected();
        assert_eq!(one.peer_addr().unwrap(), other.local_addr().unwrap());
        let echo = sward::spawn(move || {
            let mut buffer = [0; 64];
            let count = other.recv(&mut buffer).unwrap();
            other.send(&buffer[..count]).unwrap();
        });
        one.send(b"hello").unwrap();
        let mut buffer = [0; 64];
        assert_eq!(
            (one.peek(&mut buffer).unwrap(), &buffer[..5]),
            (5, &b"hello"[..])
        );
        assert_eq!(one.recv(&mut buffer).unwrap(), 5);
        echo.join().unwrap();
        // An empty one is one, too.
        let (one, other) = connected();
        one.send(b"").unwrap();
        assert_eq!(other.recv(&mut buffer).unwrap(), 0);
        let (single, _) = bound();
        assert_eq!(
            single.peer_addr().unwrap_err().kind(),
            ErrorKind::NotConnected
        );
        assert!(single.send(b"hello").is_err());
        // Too long for a datagram.
        assert!(one.send(&vec![0; 70_000]).is_err());
    });
}

/// The kernel tells a connected socket that nobody is there.
#[test]
fn nobody_is_there() {
    everywhere(|| {
        let (one, other) = connected();
        drop(other);
        one.send(b"hello").unwrap();
        let error = one.recv(&mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        one.set_read_timeout(Some(MOMENT)).unwrap();
        assert_eq!(
            one.recv(&mut [0; 8]).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
    });
}

#[test]
fn timeouts_and_modes() {
    everywhere(|| {
        let (socket, address) = bound();
        assert_eq!(
            (
                socket.read_timeout().unwrap(),
                socket.write_timeout().unwrap()
            ),
            (None, None)
        );
        let error = socket.set_read_timeout(Some(Duration::ZERO)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        socket.set_read_timeout(Some(MOMENT)).unwrap();
        socket.set_write_timeout(Some(AGES)).unwrap();
        let begun = Instant::now();
        let error = socket.recv_from(&mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert!(begun.elapsed() >= MOMENT);
        socket.send_to(b"hello", address).unwrap();
        assert_eq!(socket.recv_from(&mut [0; 8]).unwrap(), (5, address));
        // Clones share them.
        let clone = socket.try_clone().unwrap();
        assert_eq!(clone.read_timeout().unwrap(), Some(MOMENT));
        clone.set_nonblocking(true).unwrap();
        socket.set_read_timeout(None).unwrap();
        assert_eq!(
            socket.recv(&mut [0; 8]).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
    });
}

#[test]
fn conversions() {
    everywhere(|| {
        let standard = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        standard.set_read_timeout(Some(AGES)).unwrap();
        let address = standard.local_addr().unwrap();
        let socket = UdpSocket::from(standard);
        assert_eq!(
            (socket.read_timeout().unwrap(), socket.local_addr().unwrap()),
            (Some(AGES), address)
        );
        let back = socket.into_std().unwrap();
        assert_eq!(back.read_timeout().unwrap(), Some(AGES));
        let socket = UdpSocket::from(OwnedFd::from(back));
        assert_eq!(socket.local_addr().unwrap(), address);
        assert!(format!("{socket:?}").contains("UdpSocket"));
    });
}

#[test]
fn options() {
    everywhere(|| {
        let (socket, _) = bound();
        socket.set_broadcast(true).unwrap();
        socket.set_ttl(9).unwrap();
        socket.set_multicast_ttl_v4(3).unwrap();
        socket.set_multicast_loop_v4(false).unwrap();
        assert!(socket.broadcast().unwrap() && !socket.multicast_loop_v4().unwrap());
        assert_eq!(
            (socket.ttl().unwrap(), socket.multicast_ttl_v4().unwrap()),
            (9, 3)
        );
        let group = Ipv4Addr::new(224, 0, 0, 251);
        // There may be no route for it.
        if socket
            .join_multicast_v4(&group, &Ipv4Addr::LOCALHOST)
            .is_ok()
        {
            socket
                .leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST)
                .unwrap();
        }
        assert!(
            ("localhost", 7)
                .to_socket_addrs()
                .unwrap()
                .any(|address| address.port() == 7)
        );
    });
}

/// Of several that wait on one socket each gets a datagram, and a select over two gets one of them and leaves the other.
#[test]
fn several_wait() {
    each_crowd(|_, runtime, crowd| {
        const COUNT: usize = 6;
        let (socket, address) = bound();
        let socket = Arc::new(socket);
        let all: Vec<_> = (0..COUNT)
            .map(|number| {
                let socket = socket.clone();
                crowd.start(runtime, number, move || {
                    let mut buffer = [0; 8];
                    let (count, _) = socket.recv_from(&mut buffer).unwrap();
                    assert_eq!(count, 1);
                    usize::from(buffer[0])
                })
            })
            .collect();
        let (sender, _) = bound();
        for number in 0..COUNT {
            sender.send_to(&[number as u8], address).unwrap();
        }
        let sum: usize = all.into_iter().map(|member| member.join()).sum();
        assert_eq!(sum, COUNT * (COUNT - 1) / 2);
        let (other, of_other) = bound();
        sender.send_to(b"x", of_other).unwrap();
        let (mut one, mut two) = ([0; 8], [0; 8]);
        let got = sward::select! {
            count = socket.read(&mut one) => (0, count.unwrap()),
            count = other.read(&mut two) => (1, count.unwrap()),
        };
        assert_eq!(got, (1, 1));
        sender.send_to(b"y", address).unwrap();
        assert_eq!(socket.recv(&mut one).unwrap(), 1);
    });
}
