//! Timeouts, and the non-blocking mode.

mod net_support;

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use net_support::{AGES, MOMENT, listener, pair, pair_with_std};
use sward::net::TcpStream;
use sward_tests::{Watchdog, each_runtime};

fn everywhere(body: fn()) {
    each_runtime(|runtime| runtime.block_on(body));
    let _watchdog = Watchdog::new("a plain thread");
    body();
}

#[test]
fn set_and_got() {
    everywhere(|| {
        let (stream, _peer) = pair();
        assert_eq!(stream.read_timeout().unwrap(), None);
        assert_eq!(stream.write_timeout().unwrap(), None);
        let odd = Duration::from_nanos(15_410_001);
        stream.set_read_timeout(Some(odd)).unwrap();
        assert_eq!(stream.read_timeout().unwrap(), Some(odd));
        stream.set_write_timeout(Some(odd * 2)).unwrap();
        assert_eq!(stream.write_timeout().unwrap(), Some(odd * 2));
        assert_eq!(stream.read_timeout().unwrap(), Some(odd));
        for set in [TcpStream::set_read_timeout, TcpStream::set_write_timeout] {
            let zero = set(&stream, Some(Duration::ZERO)).unwrap_err();
            assert_eq!(zero.kind(), ErrorKind::InvalidInput);
            set(&stream, Some(Duration::MAX)).unwrap();
            set(&stream, None).unwrap();
        }
        assert_eq!(stream.read_timeout().unwrap(), None);
        assert_eq!(stream.write_timeout().unwrap(), None);
    });
}

#[test]
fn a_read_times_out_and_the_stream_is_as_good_as_before() {
    everywhere(|| {
        let (mut server, mut client) = pair_with_std();
        server.set_read_timeout(Some(MOMENT)).unwrap();
        for n in 0..5 {
            let start = Instant::now();
            let error = server.read(&mut [0]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            assert!(start.elapsed() >= MOMENT, "too early");
            let error = server.peek(&mut [0]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            server.set_read_timeout(Some(AGES)).unwrap();
            client.write_all(&[n]).unwrap();
            let mut byte = [0];
            server.read_exact(&mut byte).unwrap();
            assert_eq!(byte, [n]);
            server.set_read_timeout(Some(MOMENT)).unwrap();
        }
    });
}

#[test]
fn data_ends_a_wait_with_a_timeout() {
    each_runtime(|runtime| {
        let (server, mut client) = pair_with_std();
        server.set_read_timeout(Some(AGES)).unwrap();
        let server = Arc::new(server);
        for n in 0..20 {
            let reader = {
                let server = server.clone();
                runtime.spawn(move || {
                    let mut byte = [0];
                    (&*server).read_exact(&mut byte).unwrap();
                    byte
                })
            };
            client.write_all(&[n]).unwrap();
            assert_eq!(reader.join().unwrap(), [n]);
        }
    });
}

#[test]
fn a_write_times_out_and_the_stream_is_as_good_as_before() {
    everywhere(|| {
        let (mut server, mut client) = pair_with_std();
        server.set_write_timeout(Some(MOMENT)).unwrap();
        let mut sent = 0;
        let error = loop {
            match server.write(&[7; 65536]) {
                Ok(count) => sent += count,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        let mut got = vec![0; sent];
        client.read_exact(&mut got).unwrap();
        assert!(got.iter().all(|&byte| byte == 7));
        server.set_write_timeout(Some(AGES)).unwrap();
        server.write_all(&[8]).unwrap();
        drop(server);
        assert_eq!(net_support::read_all(client).unwrap(), [8]);
    });
}

/// Reads by one greenlet and writes by another have each their own time.
#[test]
fn each_direction_has_its_own() {
    everywhere(|| {
        let (server, mut client) = pair();
        server.set_read_timeout(Some(MOMENT)).unwrap();
        let server = Arc::new(server);
        let writer = {
            let server = server.clone();
            sward::spawn(move || (&*server).write_all(&vec![0; 8 << 20]))
        };
        let error = (&*server).read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        let mut got = vec![0; 8 << 20];
        client.read_exact(&mut got).unwrap();
        writer.join().unwrap().unwrap();
    });
}

/// An address whose listener's queue is full: the kernel leaves a new connection waiting.
#[test]
#[cfg(target_os = "linux")]
fn connecting_times_out() {
    everywhere(|| {
        let full = sward::net::TcpListener::builder()
            .backlog(0)
            .bind("127.0.0.1:0")
            .unwrap();
        let address: SocketAddr = full.local_addr().unwrap();
        let mut held = Vec::new();
        let error = loop {
            let start = Instant::now();
            match TcpStream::connect_timeout(&address, MOMENT * 4) {
                Ok(stream) => held.push(stream),
                Err(error) => {
                    assert!(start.elapsed() >= MOMENT * 4, "too early");
                    break error;
                }
            }
            assert!(held.len() < 100, "the queue is never full");
        };
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        // One that comes through in time.
        let (listener, address) = listener();
        TcpStream::connect_timeout(&address, AGES).unwrap();
        drop(listener);
    });
}

#[test]
fn nonblocking() {
    everywhere(|| {
        let (listener, address) = listener();
        listener.set_nonblocking(true).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        listener.set_nonblocking(false).unwrap();
        let mut client = TcpStream::connect(address).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        client.set_nonblocking(true).unwrap();
        assert_eq!(
            client.read(&mut [0; 5]).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        loop {
            if let Err(error) = client.write(&[0; 65536]) {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                break;
            }
        }
        server.write_all(&[1]).unwrap();
        sward_tests::until(|| client.read(&mut [0; 5]).is_ok_and(|count| count == 1));
        client.set_nonblocking(false).unwrap();
        server.write_all(&[2]).unwrap();
        assert_eq!(client.read(&mut [0; 5]).unwrap(), 1);
    });
}
