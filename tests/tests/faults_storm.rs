//! Faults by chance, many at a time: what is interrupted, put off or cut short all the time loses nothing; and where the system
//! refuses this and that, every program ends and leaves nothing behind.
#![cfg(sward_faults)]

mod faults_support;

use std::io::{Read, Write};
use std::sync::Arc;

use faults_support::{Alone, run};
use sward::__faults::{self as faults, Door, Errno};
use sward::net::{TcpListener, TcpStream};
use sward_tests::{Config, Rng, Watchdog, each_config};

/// Bytes that one connection carries each way; more than what the kernel takes before it asks to wait.
const CONTENT: usize = 3 << 20;

/// Everything that has to be done again, or goes on with the rest.
fn plan(seed: u64) {
    const PUT_OFF: &[Errno] = &[Errno::INTR, Errno::AGAIN];
    const INTERRUPTED: &[Errno] = &[Errno::INTR];
    faults::clear();
    faults::seed(seed);
    faults::fail_at_random(Door::Attempt, 4, PUT_OFF);
    for door in [Door::Receive, Door::Send, Door::Accept, Door::Outcome] {
        faults::fail_at_random(door, 5, INTERRUPTED);
    }
    for door in [Door::Connect, Door::Ring, Door::Wait, Door::PreciseWait] {
        faults::fail_at_random(door, 3, INTERRUPTED);
    }
    for door in [Door::Guard, Door::Protect, Door::Guards] {
        faults::fail_at_random(door, 2, PUT_OFF);
    }
    for door in [Door::Receive, Door::Send] {
        faults::shorten_at_random(door, 2);
    }
}

fn echo(mut stream: TcpStream) {
    let mut buffer = vec![0; 20_000];
    loop {
        match stream.read(&mut buffer).unwrap() {
            0 => return,
            read => stream.write_all(&buffer[..read]).unwrap(),
        }
    }
}

/// Sends all of `content` while another greenlet reads what comes back.
fn talk(stream: TcpStream, content: Arc<[u8]>, mut rng: Rng) {
    let stream = Arc::new(stream);
    let (reader, expected) = (stream.clone(), content.clone());
    let reader = sward::spawn(move || {
        let mut received = Vec::new();
        (&*reader).read_to_end(&mut received).unwrap();
        assert!(*received == *expected, "{} bytes", received.len());
    });
    let mut rest = &content[..];
    while !rest.is_empty() {
        let (now, later) = rest.split_at(rest.len().min(1 + rng.below(50_000) as usize));
        (&*stream).write_all(now).unwrap();
        rest = later;
    }
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    reader.join().unwrap();
}

#[test]
fn nothing_is_lost() {
    let _alone = Alone::new();
    let content: Arc<[u8]> = (0..CONTENT).map(|i| (i / 7) as u8).collect();
    each_config(|config| {
        plan(Rng::new(config.workers as u64).number());
        let content = content.clone();
        config.run(|runtime| {
            runtime.block_on(move || {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                let address = listener.local_addr().unwrap();
                let sizes = [CONTENT, CONTENT, 1, 100, 100, 3_000, 40_000, 40_000];
                let server = sward::spawn(move || {
                    let echoes: Vec<_> = (0..sizes.len())
                        .map(|_| listener.accept().unwrap().0)
                        .map(|stream| sward::spawn(|| echo(stream)))
                        .collect();
                    echoes.into_iter().for_each(|echo| echo.join().unwrap());
                });
                let clients: Vec<_> = (0..sizes.len())
                    .map(|number| {
                        let content: Arc<[u8]> = content[..sizes[number]].into();
                        sward::spawn(move || {
                            let stream = TcpStream::connect(address).unwrap();
                            talk(stream, content, Rng::new(number as u64));
                        })
                    })
                    .collect();
                clients
                    .into_iter()
                    .for_each(|client| client.join().unwrap());
                server.join().unwrap();
            });
        });
        for door in [Door::Attempt, Door::Receive, Door::Send] {
            assert!(faults::failed(door) > 0, "{door:?}");
        }
    });
}

/// Whatever is refused, whenever.
#[test]
fn nothing_hangs_and_nothing_is_left() {
    let _alone = Alone::new();
    let refusals: &[(Door, &[Errno])] = &[
        (Door::Map, &[Errno::NOMEM]),
        (Door::Unmap, &[Errno::NOMEM]),
        (Door::Protect, &[Errno::NOMEM, Errno::INTR]),
        (Door::Guard, &[Errno::NOMEM, Errno::AGAIN]),
        (Door::Guards, &[Errno::NOMEM, Errno::AGAIN]),
        (Door::Thread, &[Errno::AGAIN]),
        (Door::Rseq, &[Errno::INVAL]),
        (Door::Poller, &[Errno::MFILE]),
        (Door::Bell, &[Errno::MFILE]),
        (Door::Ring, &[Errno::INTR]),
        (Door::Watch, &[Errno::NOMEM, Errno::NOSPC]),
        (Door::Wait, &[Errno::INTR]),
        (Door::PreciseWait, &[Errno::INTR, Errno::NOSYS]),
        (Door::Attempt, &[Errno::INTR, Errno::AGAIN]),
        (Door::Socket, &[Errno::MFILE]),
        (Door::Accept, &[Errno::MFILE, Errno::CONNABORTED]),
        (Door::Connect, &[Errno::CONNREFUSED, Errno::INTR]),
        (Door::Outcome, &[Errno::NOBUFS, Errno::INTR]),
        (Door::Receive, &[Errno::CONNRESET, Errno::INTR]),
        (Door::Send, &[Errno::PIPE, Errno::INTR]),
        (Door::Duplicate, &[Errno::MFILE]),
    ];
    for config in Config::all() {
        let mut rng = Rng::new(config.workers as u64);
        let mut failures = 0;
        for round in 0..40 {
            let _watchdog = Watchdog::new(format!("{config}, round {round}"));
            faults::clear();
            faults::seed(rng.number());
            // From many to few: a program that ends at its first step shows little.
            let calls = 2 << rng.below(8);
            for (door, errnos) in refusals {
                faults::fail_at_random(*door, calls, errnos);
            }
            for failure in run(config, round % 2 == 0, 0) {
                let _ = failure.os_error();
                failures += 1;
            }
        }
        assert!(failures > 0);
        faults::clear();
        let failures = run(config, false, 0);
        assert!(failures.is_empty(), "{failures:?}");
    }
}
