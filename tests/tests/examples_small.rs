//! The examples that end by themselves or have nothing to configure: all but `hello_http`.

#[allow(dead_code, reason = "each test file uses its part of it")]
mod examples_support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;
use std::thread;

use examples_support::{Program, TOO_LONG, homes, path};

fn command(name: &str, homes: &str) -> Command {
    let mut command = Command::new(path(name));
    command.env("SWARD_HOMES", homes);
    command
}

#[test]
fn echo_sends_back_what_it_gets() {
    for homes in homes() {
        let mut command = command("echo", homes);
        command.arg("127.0.0.1:0");
        let mut program = Program::start(command);
        let line = program.line();
        let address = line.strip_prefix("echoing on ").expect("the address");
        thread::scope(|scope| {
            for client in 0..20 {
                scope.spawn(move || {
                    let stream = TcpStream::connect(address).expect("it accepts");
                    stream.set_read_timeout(Some(TOO_LONG)).expect("a socket");
                    stream.set_write_timeout(Some(TOO_LONG)).expect("a socket");
                    let sent = vec![client; 1_000_000];
                    let mut received = Vec::new();
                    thread::scope(|scope| {
                        scope.spawn(|| {
                            (&stream).write_all(&sent).expect("it reads");
                            stream.shutdown(Shutdown::Write).expect("a socket");
                        });
                        (&stream).read_to_end(&mut received).expect("it writes");
                    });
                    assert!(sent == received);
                });
            }
        });
    }
}

#[test]
fn million_starts_parks_wakes_and_joins() {
    for homes in homes() {
        let mut command = command("million", homes);
        command.arg("20000");
        let ended = Program::start(command).wait();
        assert!(ended.status.success(), "{ended:?}");
        let lines = ended.stdout.lines().collect::<Vec<_>>();
        assert!(
            lines[0].starts_with("20000 greenlets spawned and parked in "),
            "{ended:?}"
        );
        let last = lines[lines.len() - 1];
        assert!(
            last.starts_with("20000 greenlets woken and joined in "),
            "{ended:?}"
        );
        if cfg!(target_os = "linux") {
            let together = lines
                .iter()
                .find_map(|line| line.strip_prefix("together: "));
            let bytes = together
                .and_then(|rest| rest.split(' ').next())
                .expect("the bytes");
            let bytes: usize = bytes.parse().expect("a number");
            // A parked greenlet has touched one page of its stack, two without optimisation.
            assert!((1_000..16_000).contains(&bytes), "{ended:?}");
        }
    }
}

#[test]
fn million_tells_a_wrong_number() {
    let ended = Program::run("million", &["many"]);
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    assert!(ended.stderr.contains("how many greenlets?"), "{ended:?}");
}

#[test]
fn tour_finds_all_as_it_says() {
    for homes in homes() {
        let ended = Program::start(command("tour", homes)).wait();
        assert!(ended.status.success(), "{ended:?}");
    }
}

#[test]
fn those_that_share_something() {
    for homes in homes() {
        for (name, arguments, last) in [
            ("sieve", &["30"] as &[_], "109 113"),
            ("ring", &["100", "20"], "2000 hops, "),
            ("pipeline", &[], "2000 lines, sum 1999000, "),
            ("chat", &[], "120 messages passed on, 0 missed"),
        ] {
            let mut command = command(name, homes);
            command.args(arguments);
            let ended = Program::start(command).wait();
            assert!(ended.status.success(), "{ended:?}");
            let line = ended.stdout.lines().last().expect("a line");
            assert!(line.contains(last), "{name}, {homes}: {ended:?}");
        }
    }
}

/// The planted deadlock is reported with everybody who is in it.
#[test]
fn philosophers() {
    let ended = Program::start(command("philosophers", homes()[0])).wait();
    assert!(ended.status.success(), "{ended:?}");
    assert!(ended.stdout.contains("10000 forks were used in 5000 meals"));
    let report = "deadlock: 5 wait for each other in a circle";
    assert_eq!(ended.stderr.matches(report).count(), 1, "{ended:?}");
    for name in ["Arendt", "Beauvoir", "Confucius", "Diotima", "Epicurus"] {
        let line = format!("    greenlet '{name}' (id ");
        assert_eq!(ended.stderr.matches(&line).count(), 1, "{name}: {ended:?}");
    }
}
