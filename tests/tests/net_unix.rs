//! `UnixStream`, `UnixListener` and `UnixDatagram` do what std's do: the ideas of std's own tests, on greenlets and on threads.

mod net_support;

use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use net_support::{AGES, MOMENT, read_all};
use sward::net::{UnixDatagram, UnixListener, UnixStream};
use sward_tests::{Watchdog, each_crowd, each_runtime, until};

/// Runs `body` in a greenlet of each kind of runtime, and on this thread.
fn everywhere(body: fn()) {
    each_runtime(|runtime| runtime.block_on(body));
    let _watchdog = Watchdog::new("a plain thread");
    body();
}

/// A path of its own, with nothing there; what is there at the end is removed.
struct Free(PathBuf);

impl Free {
    fn new() -> Free {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, SeqCst);
        let name = format!("sward-unix-{}-{number}", std::process::id());
        Free(std::env::temp_dir().join(name))
    }
}

impl AsRef<Path> for Free {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Free {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn connections() {
    everywhere(|| {
        let path = Free::new();
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(
            listener.local_addr().unwrap().as_pathname(),
            Some(path.as_ref())
        );
        let server = sward::spawn(move || {
            let mut got = Vec::new();
            for stream in listener.incoming().take(3) {
                let mut stream = stream.unwrap();
                assert_eq!(
                    stream
                        .local_addr()
                        .unwrap()
                        .as_pathname()
                        .map(Path::to_owned),
                    listener
                        .local_addr()
                        .unwrap()
                        .as_pathname()
                        .map(Path::to_owned)
                );
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                stream.write_all(&byte).unwrap();
                got.push(byte[0]);
            }
            got
        });
        for number in 0..3 {
            let mut stream = UnixStream::connect(&path).unwrap();
            assert_eq!(
                stream.peer_addr().unwrap().as_pathname(),
                Some(path.as_ref())
            );
            stream.write_all(&[number]).unwrap();
            assert_eq!(read_all(&stream).unwrap(), [number]);
        }
        assert_eq!(server.join().unwrap(), [0, 1, 2]);
    });
}

#[test]
fn errors() {
    everywhere(|| {
        let path = Free::new();
        assert_eq!(
            UnixStream::connect(&path).unwrap_err().kind(),
            ErrorKind::NotFound
        );
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(
            UnixListener::bind(&path).unwrap_err().kind(),
            ErrorKind::AddrInUse
        );
        drop(listener);
        assert_eq!(
            UnixStream::connect(&path).unwrap_err().kind(),
            ErrorKind::ConnectionRefused
        );
        let long = PathBuf::from("x".repeat(200));
        assert_eq!(
            UnixStream::connect(&long).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
        assert_eq!(
            UnixListener::bind(&long).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
        assert_eq!(
            UnixDatagram::bind("a\0b").unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
        let datagram = UnixDatagram::unbound().unwrap();
        assert_eq!(
            datagram.send_to(b"x", Free::new()).unwrap_err().kind(),
            ErrorKind::NotFound
        );
        assert_eq!(
            datagram.send(b"x").unwrap_err().kind(),
            ErrorKind::NotConnected
        );
        assert_eq!(
            datagram.peer_addr().unwrap_err().kind(),
            ErrorKind::NotConnected
        );
    });
}

#[test]
fn both_ends_of_a_pair() {
    everywhere(|| {
        let (mut one, other) = UnixStream::pair().unwrap();
        let writer = sward::spawn(move || {
            // More than the kernel keeps.
            one.write_all(&vec![7; 2_000_000]).unwrap();
            one.shutdown(Shutdown::Write).unwrap();
            read_all(one).unwrap()
        });
        let all = read_all(&other).unwrap();
        assert!(all.len() == 2_000_000 && all.iter().all(|&byte| byte == 7));
        let sent = (&other)
            .write_vectored(&[IoSlice::new(b"he"), IoSlice::new(b"llo")])
            .unwrap();
        assert_eq!(sent, 5);
        drop(other);
        assert_eq!(writer.join().unwrap(), b"hello");
        let (mut one, mut other) = UnixStream::pair().unwrap();
        one.write_all(b"hello").unwrap();
        let (mut two, mut three) = ([0; 2], [0; 3]);
        let mut buffers = [IoSliceMut::new(&mut two), IoSliceMut::new(&mut three)];
        assert_eq!(other.read_vectored(&mut buffers).unwrap(), 5);
        assert_eq!((&two, &three), (b"he", b"llo"));
        drop(one);
        assert_eq!(other.read(&mut [0]).unwrap(), 0);
        assert_eq!(other.write(&[0]).unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn timeouts_and_modes() {
    everywhere(|| {
        let (mut one, other) = UnixStream::pair().unwrap();
        let error = one.set_write_timeout(Some(Duration::ZERO)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        one.set_read_timeout(Some(MOMENT)).unwrap();
        one.set_write_timeout(Some(MOMENT)).unwrap();
        let begun = Instant::now();
        assert_eq!(
            one.read(&mut [0]).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        assert!(begun.elapsed() >= MOMENT);
        let error = loop {
            if let Err(error) = one.write(&[0; 65536]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        let clone = other.try_clone().unwrap();
        clone.set_nonblocking(true).unwrap();
        let rest = loop {
            if let Err(error) = (&other).read(&mut [0; 65536]) {
                break error;
            }
        };
        assert_eq!(rest.kind(), ErrorKind::WouldBlock);
        // The kernel rounds those that are no whole ticks of its clock.
        one.set_read_timeout(Some(AGES)).unwrap();
        let back = one.into_std().unwrap();
        assert_eq!(back.read_timeout().unwrap(), Some(AGES));
        let one = UnixStream::from(OwnedFd::from(back));
        assert_eq!(one.read_timeout().unwrap(), Some(AGES));
        assert!(one.take_error().unwrap().is_none());
    });
}

/// A listener that has too many to accept is waited for.
#[test]
fn a_full_listener() {
    each_crowd(|_, runtime, crowd| {
        let path = Free::new();
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let listener = UnixListener::from(listener);
        let begun = Arc::new(AtomicUsize::new(0));
        let all: Vec<_> = (0..4)
            .map(|number| {
                let (path, begun) = (path.0.clone(), begun.clone());
                crowd.start(runtime, number, move || {
                    begun.fetch_add(1, SeqCst);
                    read_all(UnixStream::connect(&path).unwrap()).unwrap()
                })
            })
            .collect();
        until(|| begun.load(SeqCst) == 4);
        for number in 0..4 {
            let (mut stream, address) = listener.accept().unwrap();
            assert!(address.is_unnamed());
            stream.write_all(&[number]).unwrap();
        }
        let mut got: Vec<_> = all.into_iter().map(|member| member.join()).collect();
        got.sort_unstable();
        assert_eq!(got, [[0], [1], [2], [3]]);
    });
}

#[test]
fn datagrams() {
    everywhere(|| {
        let (of_one, of_other) = (Free::new(), Free::new());
        let one = UnixDatagram::bind(&of_one).unwrap();
        let other = UnixDatagram::bind(&of_other).unwrap();
        assert_eq!(one.send_to(b"hello", &of_other).unwrap(), 5);
        let mut buffer = [0; 64];
        let (count, from) = other.recv_from(&mut buffer).unwrap();
        assert_eq!(
            (&buffer[..count], from.as_pathname()),
            (&b"hello"[..], Some(of_one.as_ref()))
        );
        other.connect(&of_one).unwrap();
        assert_eq!(
            other.peer_addr().unwrap().as_pathname(),
            Some(of_one.as_ref())
        );
        other.send(b"world").unwrap();
        assert_eq!(one.recv(&mut buffer).unwrap(), 5);
        one.set_read_timeout(Some(MOMENT)).unwrap();
        assert_eq!(
            one.recv(&mut buffer).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        let address = SocketAddr::from_pathname(&of_one).unwrap();
        other.send_to_addr(b"!", &address).unwrap();
        assert_eq!(one.try_clone().unwrap().recv(&mut buffer).unwrap(), 1);
    });
}

/// Who sends more than the other has room for waits until it has some, connected or not; or until the time is up.
#[test]
fn datagrams_wait_for_room() {
    each_crowd(|_, runtime, crowd| {
        const COUNT: usize = 200;
        for connects in [true, false] {
            let path = Free::new();
            let receiver = UnixDatagram::bind(&path).unwrap();
            let sender = UnixDatagram::unbound().unwrap();
            sender.set_write_timeout(Some(MOMENT)).unwrap();
            if connects {
                sender.connect(&path).unwrap();
            }
            let mut sent = 0;
            let error = loop {
                let bytes = [sent as u8];
                match if connects {
                    sender.send(&bytes)
                } else {
                    sender.send_to(&bytes, &path)
                } {
                    Ok(_) => sent += 1,
                    Err(error) => break error,
                }
            };
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            assert!(sent > 0 && sent < COUNT);
            sender.set_write_timeout(Some(AGES)).unwrap();
            let theirs = path.0.clone();
            let sends = crowd.start(runtime, 0, move || {
                for number in sent..COUNT {
                    let bytes = [number as u8];
                    match connects {
                        true => sender.send(&bytes).unwrap(),
                        false => sender.send_to(&bytes, &theirs).unwrap(),
                    };
                }
            });
            let receives = crowd.start(runtime, 1, move || {
                for number in 0..COUNT {
                    let mut buffer = [0; 8];
                    assert_eq!(receiver.recv(&mut buffer).unwrap(), 1);
                    assert_eq!(buffer[0], number as u8, "in order");
                }
            });
            sends.join();
            receives.join();
        }
    });
}

/// Those who wait on a stream or a listener go on when it is shut down.
#[test]
fn shut_down_under_a_waiter() {
    each_crowd(|_, runtime, crowd| {
        let (one, other) = UnixStream::pair().unwrap();
        let one = Arc::new(one);
        let begun = Arc::new(AtomicUsize::new(0));
        let waits = {
            let (one, begun) = (one.clone(), begun.clone());
            crowd.start(runtime, 0, move || {
                begun.fetch_add(1, SeqCst);
                (&*one).read(&mut [0; 8]).unwrap()
            })
        };
        until(|| begun.load(SeqCst) == 1);
        one.shutdown(Shutdown::Both).unwrap();
        assert_eq!(waits.join(), 0);
        drop(other);
        let (one, other) = UnixDatagram::pair().unwrap();
        one.shutdown(Shutdown::Read).unwrap();
        assert_eq!(one.recv(&mut [0; 8]).unwrap(), 0);
        assert_eq!(other.send(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

/// A select over a listener and a stream takes one thing and leaves the other.
#[test]
fn selects() {
    each_crowd(|_, runtime, crowd| {
        crowd.run(runtime, 2, |_| {
            let path = Free::new();
            let listener = UnixListener::bind(&path).unwrap();
            let (one, mut other) = UnixStream::pair().unwrap();
            let (datagram, peer) = UnixDatagram::pair().unwrap();
            let (mut bytes, mut packet) = ([0; 8], [0; 8]);
            let client = UnixStream::connect(&path).unwrap();
            other.write_all(b"hello").unwrap();
            peer.send(b"hi").unwrap();
            let (mut accepted, mut read, mut received) = (false, false, false);
            while !(accepted && read && received) {
                sward::select! {
                    stream = listener.accept(), if !accepted => {
                        stream.unwrap();
                        accepted = true;
                    }
                    count = one.read(&mut bytes), if !read => {
                        assert_eq!(count.unwrap(), 5);
                        read = true;
                    }
                    count = datagram.read(&mut packet), if !received => {
                        assert_eq!(count.unwrap(), 2);
                        received = true;
                    }
                }
            }
            drop(client);
        });
    });
}

/// Descriptors sent along end a read early; what comes after them is read as well.
#[cfg(target_os = "linux")]
#[test]
fn descriptors_on_the_way() {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    everywhere(|| {
        let (one, other) = UnixStream::pair().unwrap();
        let reader = sward::spawn(move || read_all(other).unwrap());
        for number in 0..20_u8 {
            let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut along = SendAncillaryBuffer::new(&mut space);
            let descriptor = std::os::fd::AsFd::as_fd(&one);
            let (descriptors, message) = ([descriptor], [number; 3]);
            assert!(along.push(SendAncillaryMessage::ScmRights(&descriptors)));
            let bytes = [IoSlice::new(&message)];
            assert_eq!(
                sendmsg(&one, &bytes, &mut along, SendFlags::empty()).unwrap(),
                3
            );
            (&one).write_all(&[number]).unwrap();
        }
        one.shutdown(Shutdown::Write).unwrap();
        let all: Vec<_> = (0..20_u8).flat_map(|number| [number; 4]).collect();
        assert_eq!(reader.join().unwrap(), all);
    });
}
