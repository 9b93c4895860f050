//! How connections end: the end of the stream, behind data or alone, and resets, are never missed.

mod net_support;

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

use net_support::{pair, pair_with_std, read_all, reset};
use sward::net::TcpStream;
use sward_tests::{each_runtime, until};

/// Reads with a buffer that is never filled, so that each read is a short one, until the end.
fn read_short(mut stream: &TcpStream) -> usize {
    let mut buffer = [0; 4096];
    let mut all = 0;
    loop {
        match stream.read(&mut buffer).unwrap() {
            0 => return all,
            count => all += count,
        }
    }
}

/// The data and the end are there before the first read: if they make one edge, nothing follows it.
#[test]
fn data_and_end_before_the_first_read() {
    each_runtime(|runtime| {
        runtime.block_on(|| {
            for _ in 0..50 {
                let (server, mut client) = pair_with_std();
                client.write_all(b"last words").unwrap();
                drop(client);
                assert_eq!(read_short(&server), 10);
            }
        });
    });
}

/// The same for a stream that was registered before, and whose reader is parked: data and end arrive while it is woken.
#[test]
fn data_and_end_for_a_parked_reader() {
    each_runtime(|runtime| {
        for _ in 0..50 {
            let (server, mut client) = pair_with_std();
            let reader = runtime.spawn(move || read_short(&server));
            until(|| runtime.handle().metrics().sources == 1);
            client.write_all(b"last words").unwrap();
            drop(client);
            assert_eq!(reader.join().unwrap(), 10);
        }
    });
}

/// For one that has read before, so that its bit is clear and the poller has not looked for a while.
#[test]
fn data_and_end_in_one_edge_later() {
    each_runtime(|runtime| {
        for round in 0..50 {
            let (server, mut client) = pair_with_std();
            let server = Arc::new(server);
            let reader = {
                let server = server.clone();
                runtime.spawn(move || {
                    let mut byte = [0; 16];
                    (&*server).read(&mut byte).unwrap()
                })
            };
            until(|| runtime.handle().metrics().sources == 1);
            client.write_all(b"x").unwrap();
            assert_eq!(reader.join().unwrap(), 1);
            // Nobody waits now. The edge may be dealt out before the read or after.
            client.write_all(b"last words").unwrap();
            if round % 2 == 0 {
                client.shutdown(Shutdown::Write).unwrap();
            } else {
                drop(client);
            }
            assert_eq!(
                runtime.spawn(move || read_short(&server)).join().unwrap(),
                10
            );
        }
    });
}

/// A short read first, then the end on its own.
#[test]
fn the_end_after_a_short_read() {
    each_runtime(|runtime| {
        for _ in 0..50 {
            let (server, mut client) = pair_with_std();
            let got = Arc::new(AtomicUsize::new(0));
            let reader = {
                let got = got.clone();
                runtime.spawn(move || {
                    let mut stream = &server;
                    let mut buffer = [0; 64];
                    got.store(stream.read(&mut buffer).unwrap(), SeqCst);
                    stream.read(&mut buffer).unwrap()
                })
            };
            client.write_all(b"x").unwrap();
            until(|| got.load(SeqCst) == 1);
            drop(client);
            assert_eq!(reader.join().unwrap(), 0);
        }
    });
}

/// All the data and all the ends, while the peers write at their own pace.
#[test]
fn no_byte_and_no_end_is_lost() {
    each_runtime(|runtime| {
        let readers: Vec<_> = (0..8usize)
            .map(|seed| {
                let (server, mut client) = pair_with_std();
                let writer = thread::spawn(move || {
                    let mut sent = 0;
                    for round in 0..200 {
                        let size = 1 + (seed * 31 + round * 17) % 300;
                        client.write_all(&vec![7; size]).unwrap();
                        sent += size;
                        if round % (seed + 2) == 0 {
                            thread::yield_now();
                        }
                    }
                    sent
                });
                (writer, runtime.spawn(move || read_short(&server)))
            })
            .collect();
        for (writer, reader) in readers {
            assert_eq!(writer.join().unwrap(), reader.join().unwrap());
        }
    });
}

#[test]
fn a_reset_ends_readers_and_writers() {
    each_runtime(|runtime| {
        let (client, server) = pair();
        let server = Arc::new(server);
        let reader = {
            let server = server.clone();
            runtime.spawn(move || (&*server).read(&mut [0; 16]))
        };
        let writer = {
            let server = server.clone();
            // Stops at a full buffer, as the peer never reads.
            runtime.spawn(move || {
                loop {
                    if let Err(error) = (&*server).write(&[0; 65536]) {
                        return error;
                    }
                }
            })
        };
        until(|| runtime.handle().metrics().sources > 0);
        sward::sleep(net_support::MOMENT);
        reset(client);
        // One of them gets the reset, the other what follows it.
        let write = writer.join().unwrap();
        let kinds = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
        assert!(kinds.contains(&write.kind()), "{write}");
        match reader.join().unwrap() {
            Ok(count) => assert_eq!((count, write.kind()), (0, ErrorKind::ConnectionReset)),
            Err(read) => assert_eq!(read.kind(), ErrorKind::ConnectionReset),
        }
        assert_eq!((&*server).read(&mut [0]).unwrap(), 0);
    });
}

/// A peer that resets while it connects or while it waits to be accepted spoils nothing for the others.
#[test]
fn resets_before_the_accept() {
    each_runtime(|runtime| {
        let (listener, address) = net_support::listener();
        let acceptor = runtime.spawn(move || {
            let mut good = 0;
            while good < 20 {
                let Ok((mut stream, _)) = listener.accept() else {
                    continue;
                };
                let mut byte = [0];
                if matches!(stream.read(&mut byte), Ok(1)) {
                    good += 1;
                }
            }
        });
        let clients = runtime.spawn(move || {
            for _ in 0..20 {
                reset(TcpStream::connect(address).unwrap());
                TcpStream::connect(address)
                    .unwrap()
                    .write_all(&[1])
                    .unwrap();
            }
        });
        clients.join().unwrap();
        acceptor.join().unwrap();
    });
}

/// Each side says all it has to, ends its direction, and hears the other to its end.
#[test]
fn half_close() {
    each_runtime(|runtime| {
        let (client, server) = pair();
        let big = 3 << 20;
        let side = move |stream: TcpStream| {
            let stream = Arc::new(stream);
            let writer = {
                let stream = stream.clone();
                sward::spawn(move || {
                    (&*stream).write_all(&vec![1; big]).unwrap();
                    stream.shutdown(Shutdown::Write).unwrap();
                })
            };
            assert_eq!(read_all(&*stream).unwrap().len(), big);
            writer.join().unwrap();
        };
        let sides = [
            runtime.spawn(move || side(client)),
            runtime.spawn(move || side(server)),
        ];
        for side in sides {
            side.join().unwrap();
        }
    });
}

/// The peer has ended its direction, which forbids no short cut to writers: they still wait for room, and get it.
#[test]
fn writing_to_a_peer_that_has_ended_its_side() {
    each_runtime(|runtime| {
        let (server, client) = pair_with_std();
        client.shutdown(Shutdown::Write).unwrap();
        let big = 8 << 20;
        let writer = runtime.spawn(move || {
            assert_eq!((&server).read(&mut [0]).unwrap(), 0);
            (&server).write_all(&vec![1; big]).unwrap();
        });
        assert_eq!(read_all(client).unwrap().len(), big);
        writer.join().unwrap();
    });
}

/// Urgent data makes a read stop short although more is there: the rest must not be left behind.
#[test]
#[cfg(target_os = "linux")]
fn urgent_data_is_no_end() {
    each_runtime(|runtime| {
        for _ in 0..5 {
            let (server, mut client) = pair_with_std();
            let ready = Arc::new(AtomicUsize::new(0));
            let reader = {
                let ready = ready.clone();
                runtime.spawn(move || {
                    let mut stream = &server;
                    stream.read_exact(&mut [0]).unwrap();
                    until(|| ready.load(SeqCst) == 1);
                    // Meanwhile the poller has time to deal out all the edges.
                    sward::sleep(net_support::MOMENT);
                    let mut got = 0;
                    while got < 12 {
                        got += stream.read(&mut [0; 64]).unwrap();
                    }
                })
            };
            until(|| runtime.handle().metrics().sources == 1);
            client.write_all(b"x").unwrap();
            client.write_all(b"before").unwrap();
            rustix::net::send(&client, b"!", rustix::net::SendFlags::OOB).unwrap();
            client.write_all(b"behind").unwrap();
            ready.store(1, SeqCst);
            // Nothing follows: the connection stays open.
            reader.join().unwrap();
            drop(client);
        }
    });
}
