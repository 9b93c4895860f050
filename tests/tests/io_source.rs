//! `Source` and `pipe`: what any descriptor has to wait for parks, and loses nothing.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use sward::io::{Source, pipe};
use sward_tests::{Watchdog, each_crowd, each_runtime, until};

const MOMENT: Duration = Duration::from_millis(3);

/// Runs `body` in a greenlet of each kind of runtime, and on this thread.
fn everywhere(body: fn()) {
    each_runtime(|runtime| runtime.block_on(body));
    let _watchdog = Watchdog::new("a plain thread");
    body();
}

#[test]
fn pipes() {
    everywhere(|| {
        let (reader, mut writer) = pipe().unwrap();
        let writes = sward::spawn(move || {
            // More than the kernel keeps.
            for number in 0..20_000 {
                writeln!(writer, "line {number}").unwrap();
            }
        });
        let lines = BufReader::new(reader).lines();
        let count = lines
            .enumerate()
            .inspect(|(number, line)| assert_eq!(*line.as_ref().unwrap(), format!("line {number}")))
            .count();
        assert_eq!(count, 20_000);
        writes.join().unwrap();
        let (reader, mut writer) = pipe().unwrap();
        drop(reader);
        assert_eq!(
            writer.write(b"x").unwrap_err().kind(),
            ErrorKind::BrokenPipe
        );
    });
}

#[test]
fn readiness_and_timeouts() {
    everywhere(|| {
        let (mut reader, writer) = pipe().unwrap();
        let begun = Instant::now();
        assert!(!reader.readable_timeout(MOMENT).unwrap());
        assert!(begun.elapsed() >= MOMENT);
        assert!(writer.writable_timeout(Duration::ZERO).unwrap());
        writer.writable().unwrap();
        reader.set_read_timeout(Some(MOMENT)).unwrap();
        assert_eq!(
            reader.read(&mut [0]).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        assert_eq!(reader.readable().unwrap_err().kind(), ErrorKind::WouldBlock);
        // It may be asked again and again: what is there stays.
        (&writer).write_all(b"hello").unwrap();
        for _ in 0..3 {
            reader.readable().unwrap();
        }
        let mut buffer = [0; 8];
        assert_eq!(reader.read(&mut buffer).unwrap(), 5);
        assert!(!reader.readable_timeout(Duration::ZERO).unwrap());
        writer.set_write_timeout(Some(MOMENT)).unwrap();
        let error = loop {
            if let Err(error) = (&writer).write(&[0; 4096]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert!(!writer.writable_timeout(MOMENT).unwrap());
        // The end is something to read.
        let mut all = Vec::new();
        drop(writer);
        reader.readable().unwrap();
        reader.read_to_end(&mut all).unwrap();
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
        let error = reader.set_read_timeout(Some(Duration::ZERO)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn what_cannot_be_waited_for() {
    everywhere(|| {
        let file = File::open("/proc/self/exe").unwrap();
        assert_eq!(
            Source::new(file).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
        let directory = File::open("/").unwrap();
        assert_eq!(
            Source::new(directory).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
        // It never has to be waited for.
        let mut zero = Source::new(File::open("/dev/zero").unwrap()).unwrap();
        zero.read_exact(&mut [7; 16]).unwrap();
    });
}

/// The mode comes back as it was.
#[test]
fn modes() {
    everywhere(|| {
        for nonblocking in [false, true] {
            let (one, other) = UnixStream::pair().unwrap();
            one.set_nonblocking(nonblocking).unwrap();
            let source = Source::new(one).unwrap();
            let error = source.get_ref().read(&mut [0]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            let one = source.into_inner().unwrap();
            (&other).write_all(b"x").unwrap();
            (&one).read_exact(&mut [0]).unwrap();
            one.set_read_timeout(Some(MOMENT)).unwrap();
            let begun = Instant::now();
            assert_eq!(
                (&one).read(&mut [0]).unwrap_err().kind(),
                ErrorKind::WouldBlock
            );
            assert_eq!(begun.elapsed() < MOMENT, nonblocking);
        }
        // What does not read by itself.
        let (reader, mut writer) = pipe().unwrap();
        let owned = Source::new(OwnedFd::from(reader.into_inner().unwrap())).unwrap();
        writer.write_all(b"hello").unwrap();
        let mut buffer = [0; 8];
        let count = owned
            .read_with(|fd| Ok(rustix::io::read(fd, &mut buffer)?))
            .unwrap();
        assert_eq!(&buffer[..count], b"hello");
    });
}

/// Of several that wait on one pipe each byte goes to one; selects take or leave.
#[test]
fn several_wait() {
    each_crowd(|_, runtime, crowd| {
        const COUNT: usize = 6;
        let (reader, mut writer) = pipe().unwrap();
        let (reader, begun) = (Arc::new(reader), Arc::new(AtomicUsize::new(0)));
        let all: Vec<_> = (0..COUNT)
            .map(|number| {
                let (reader, begun) = (reader.clone(), begun.clone());
                crowd.start(runtime, number, move || {
                    begun.fetch_add(1, SeqCst);
                    let mut byte = [0];
                    match number % 2 {
                        0 => (&*reader).read_exact(&mut byte).unwrap(),
                        _ => sward::select! {
                            count = reader.read(&mut byte) => assert_eq!(count.unwrap(), 1),
                        },
                    }
                    usize::from(byte[0])
                })
            })
            .collect();
        until(|| begun.load(SeqCst) == COUNT);
        writer.write_all(&[0, 1, 2, 3, 4, 5]).unwrap();
        let sum: usize = all.into_iter().map(|member| member.join()).sum();
        assert_eq!(sum, COUNT * (COUNT - 1) / 2);
        let (mut byte, mut rest) = ([0], Vec::new());
        sward::select! {
            _ = reader.read(&mut byte) => panic!("nothing is there"),
            default => {}
        }
        writer.write_all(b"x").unwrap();
        drop(writer);
        (&*reader).read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"x");
    });
}
