//! `hello_http` as its clients see it: what it answers, what it refuses, how it treats clients that
//! are slow or deaf, how it stops, and how it lives with too few descriptors.
//!
//! Each test has a server of its own, most of them one for each kind of home, on one worker and on
//! four: what is on trial is the runtime below as much as the example.

mod examples_support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use examples_support::{Ended, Program, TOO_LONG, homes, next_line, path};
use rustix::process::{Resource, Signal, getrlimit, setrlimit};
use sward_tests::until;

/// The kinds of homes that this machine has, with one worker and with four.
fn kinds() -> impl Iterator<Item = (&'static str, &'static str)> {
    let workers = |&homes| ["1", "4"].map(|workers| (homes, workers));
    homes().iter().flat_map(workers)
}

struct Server {
    program: Program,
    address: SocketAddr,
}

impl Server {
    fn start() -> Server {
        Server::start_with(homes()[0], "2")
    }

    fn start_with(homes: &str, workers: &str) -> Server {
        let mut command = Command::new(path("hello_http"));
        command.args(["--addr", "127.0.0.1:0"]);
        command
            .env("SWARD_HOMES", homes)
            .env("SWARD_WORKERS", workers);
        Server::of(command)
    }

    fn of(command: Command) -> Server {
        let mut program = Program::start(command);
        let line = program.line();
        let address = line
            .strip_prefix("listening on http://")
            .expect("the address");
        let address = address.parse().expect("an address");
        Server { program, address }
    }

    fn client(&self) -> Client {
        Client::connect(self.address)
    }

    fn get(&self, path: &str) -> Answer {
        self.client().get(path)
    }

    /// A number out of `/stats`.
    fn stat(&self, name: &str) -> u64 {
        let stats = self.get("/stats").text();
        let (_, after) = stats
            .split_once(&format!("\"{name}\":"))
            .expect("the number is there");
        let digits = after
            .split(|c: char| !c.is_ascii_digit())
            .next()
            .expect("a first part");
        digits.parse().expect("a number")
    }

    /// Ends the server by a signal and asserts that it was content.
    fn stop(self, signal: Signal) -> Ended {
        self.program.signal(signal);
        let ended = self.program.wait();
        assert!(ended.status.success(), "{ended:?}");
        ended
    }
}

/// Runs `test` against a server of each kind, all at once.
fn with_each_kind(test: impl Fn(&Server) + Sync) {
    thread::scope(|scope| {
        for (homes, workers) in kinds() {
            let test = &test;
            thread::Builder::new()
                .name(format!("{homes} homes, {workers} workers"))
                .spawn_scoped(scope, move || {
                    let server = Server::start_with(homes, workers);
                    test(&server);
                    server.stop(Signal::INT);
                })
                .expect("a thread");
        }
    });
}

/// A connection that speaks whatever it is told to.
struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).expect("the server accepts");
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(TOO_LONG)).expect("a socket");
        stream.set_write_timeout(Some(TOO_LONG)).expect("a socket");
        Client {
            stream: BufReader::new(stream),
        }
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream
            .get_mut()
            .write_all(bytes.as_ref())
            .expect("the server takes it");
    }

    fn get(&mut self, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"));
        self.answer()
    }

    fn answer(&mut self) -> Answer {
        let mut answer = self.answer_head();
        let length = answer
            .field("content-length")
            .expect("a length")
            .parse()
            .expect("a number");
        answer.body.resize(length, 0);
        self.stream
            .read_exact(&mut answer.body)
            .expect("the whole body");
        answer
    }

    fn answer_head(&mut self) -> Answer {
        let status = next_line(&mut self.stream);
        let status = status.strip_prefix("HTTP/1.1 ").expect("a status line");
        let status = status[..3].parse().expect("a status");
        let mut fields = Vec::new();
        loop {
            let line = next_line(&mut self.stream);
            let line = line.strip_suffix('\r').expect("CR before LF");
            let Some((name, value)) = line.split_once(": ") else {
                assert_eq!(line, "");
                return Answer {
                    status,
                    fields,
                    body: Vec::new(),
                };
            };
            fields.push((name.to_ascii_lowercase(), value.to_owned()));
        }
    }

    /// Asserts that the server hangs up, without another word and without a reset.
    fn assert_closed(&mut self) {
        let rest = self.stream.fill_buf().expect("a clean end");
        assert!(rest.is_empty(), "{:?}", String::from_utf8_lossy(rest));
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn field(&self, name: &str) -> Option<&str> {
        let field = self.fields.iter().find(|field| field.0 == name);
        field.map(|(_, value)| value.as_str())
    }

    fn text(self) -> String {
        String::from_utf8(self.body).expect("text")
    }
}

#[test]
fn get_and_head() {
    with_each_kind(|server| {
        let answer = server.get("/");
        assert_eq!(answer.status, 200);
        assert_eq!(answer.field("content-type"), Some("text/plain"));
        assert_eq!(answer.text(), "Hello, world!");

        let mut client = server.client();
        client.send("HEAD / HTTP/1.1\r\n\r\nHEAD /bytes/1000 HTTP/1.1\r\n\r\n");
        assert_eq!(client.answer_head().field("content-length"), Some("13"));
        assert_eq!(client.answer_head().field("content-length"), Some("1000"));
        assert_eq!(client.get("/bytes/70000").body, [b'.'; 70_000]);
        assert_eq!(client.get("/nothing").status, 404);
        client.send("DELETE / HTTP/1.1\r\n\r\n");
        let answer = client.answer();
        assert_eq!(answer.status, 405);
        assert_eq!(answer.field("allow"), Some("GET, HEAD, POST, PUT"));
    });
}

#[test]
fn connections_are_kept_or_closed_as_the_client_says() {
    with_each_kind(|server| {
        let mut client = server.client();
        for _ in 0..100 {
            assert_eq!(client.get("/").field("connection"), Some("keep-alive"));
        }
        client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        assert_eq!(client.answer().field("connection"), Some("keep-alive"));

        // What comes after a last request is not answered.
        client.send("GET / HTTP/1.1\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\n\r\n");
        assert_eq!(client.answer().field("connection"), Some("close"));
        client.assert_closed();

        let mut client = server.client();
        client.send("GET / HTTP/1.0\r\n\r\n");
        assert_eq!(client.answer().field("connection"), Some("close"));
        client.assert_closed();

        let mut client = server.client();
        client.send("GET / HTTP/1.1\r\n\r\n");
        client
            .stream
            .get_ref()
            .shutdown(Shutdown::Write)
            .expect("a socket");
        assert_eq!(client.answer().status, 200);
        client.assert_closed();
    });
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    with_each_kind(|server| {
        let mut client = server.client();
        client.send(
            "GET / HTTP/1.1\r\n\r\n\
             POST /x HTTP/1.1\r\nContent-Length: 5\r\n\r\nGET /\
             GET /bytes/3 HTTP/1.1\r\n\r\n\
             GET /nothing HTTP/1.1\r\n\r\n",
        );
        assert_eq!(client.answer().text(), "Hello, world!");
        assert_eq!(client.answer().text(), "5 bytes\n");
        assert_eq!(client.answer().text(), "...");
        assert_eq!(client.answer().status, 404);

        // More than its buffers hold, and nobody reads before all is sent.
        let many = 2_000;
        client.send("GET / HTTP/1.1\r\nX: 0123456789\r\n\r\n".repeat(many));
        for _ in 0..many {
            assert_eq!(client.answer().text(), "Hello, world!");
        }
    });
}

#[test]
fn a_head_may_come_byte_by_byte() {
    with_each_kind(|server| {
        let mut client = server.client();
        for byte in "GET / HTTP/1.1\r\nHost: test\r\n\r\nGET /stats HTTP/1.1\r\n\r\n".bytes() {
            client.send([byte]);
        }
        assert_eq!(client.answer().text(), "Hello, world!");
        assert_eq!(client.answer().status, 200);
    });
}

#[test]
fn many_connections_at_once() {
    const MANY: usize = 500;
    // All of ours are open at the same time in this one process, and the usual limit is 1,024.
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("a process may have as many as it may have");
    with_each_kind(|server| {
        let mut clients: Vec<_> = (0..MANY).map(|_| server.client()).collect();
        for _ in 0..3 {
            for client in &mut clients {
                client.send("GET / HTTP/1.1\r\n\r\n");
            }
            for client in &mut clients {
                assert_eq!(client.answer().text(), "Hello, world!");
            }
        }
        assert_eq!(server.stat("connections"), MANY as u64 + 1);
    });
}

#[test]
fn bodies_are_counted_and_never_stored() {
    const SIZE: usize = 20_000_000;
    with_each_kind(|server| {
        let mut client = server.client();
        assert_eq!(client.get("/").status, 200);
        let resident = resident_kb(server);
        client.send(format!("POST / HTTP/1.1\r\nContent-Length: {SIZE}\r\n\r\n"));
        client.send(vec![0; SIZE]);
        assert_eq!(client.answer().text(), format!("{SIZE} bytes\n"));
        assert!(
            resident_kb(server) < resident + 4096,
            "{} < {resident} + 4096",
            resident_kb(server)
        );
        assert_eq!(client.get("/").text(), "Hello, world!");
        assert_eq!(server.stat("body_bytes"), SIZE as u64);

        client.send("PUT /x HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
        assert_eq!(client.answer_head().status, 100);
        client.send("body");
        assert_eq!(client.answer().text(), "4 bytes\n");
        assert_eq!(server.stat("body_bytes"), SIZE as u64 + 4);
    });
}

/// The server's resident memory in kB, on systems that tell it so.
fn resident_kb(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.program.id()));
    let status = status.unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.map_or(0, |line| {
        line.trim()
            .trim_end_matches(" kB")
            .parse()
            .expect("a number")
    })
}

#[test]
fn what_cannot_be_answered_is_refused() {
    let giant = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(16 * 1024));
    let endless = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(200_000));
    let cases = [
        ("\x16\x03\x01\x02garbage\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            411,
        ),
        (&giant, 431),
        (&endless, 431),
    ];
    with_each_kind(|server| {
        for (request, status) in cases {
            let mut client = server.client();
            // After a good request, so that what was refused is not what was answered before it.
            client.send("GET / HTTP/1.1\r\n\r\n");
            client.send(request);
            assert_eq!(client.answer().status, 200, "{request:.40}");
            let answer = client.answer();
            assert_eq!(answer.status, status, "{request:.40}");
            assert_eq!(answer.field("connection"), Some("close"));
            client.assert_closed();
        }
        // It stops in its middle.
        let mut client = server.client();
        client.send("GET / HT");
        client
            .stream
            .get_ref()
            .shutdown(Shutdown::Write)
            .expect("a socket");
        assert_eq!(client.answer().status, 400);
    });
}

#[test]
fn slow_clients_get_408_after_ten_seconds_and_hold_up_nobody() {
    const LIMIT: Duration = Duration::from_secs(10);
    with_each_kind(|server| {
        let start = Instant::now();
        let in_time = |what: &str| {
            let passed = start.elapsed();
            // The upper bound is for machines that do other things meanwhile.
            let expected = LIMIT - Duration::from_millis(100)..LIMIT + Duration::from_secs(5);
            assert!(expected.contains(&passed), "{what} after {passed:?}");
        };
        let in_time = &in_time;
        let clients = || [server.client(), server.client(), server.client()];
        thread::scope(|scope| {
            for mut client in clients() {
                scope.spawn(move || {
                    assert_eq!(client.answer().status, 408);
                    in_time("a silent client is refused");
                    client.assert_closed();
                });
            }
            for mut client in clients() {
                scope.spawn(move || {
                    client.send("GET / HTTP/1.1\r\nX: ");
                    // A byte a second until there is an answer.
                    let timeout = Some(Duration::from_secs(1));
                    client
                        .stream
                        .get_ref()
                        .set_read_timeout(timeout)
                        .expect("a socket");
                    while client.stream.fill_buf().is_err() {
                        client.send("x");
                    }
                    assert_eq!(client.answer().status, 408);
                    in_time("a client with a byte a second is refused");
                });
            }
            for mut client in clients() {
                scope.spawn(move || {
                    assert_eq!(client.get("/").status, 200);
                    client.assert_closed();
                    in_time("an idle connection is closed");
                });
            }
            // Somebody else is served all the time.
            let mut client = server.client();
            while start.elapsed() < LIMIT {
                let asked = Instant::now();
                assert_eq!(client.get("/").status, 200);
                let passed = asked.elapsed();
                assert!(passed < Duration::from_secs(2), "served after {passed:?}");
                thread::sleep(Duration::from_millis(10));
            }
        });
    });
}

#[test]
fn clients_that_never_read_hold_up_nobody() {
    const SIZE: usize = 10_000_000;
    with_each_kind(|server| {
        let mut deaf: Vec<_> = (0..16).map(|_| server.client()).collect();
        for client in &mut deaf {
            client.send(format!("GET /bytes/{SIZE} HTTP/1.1\r\n\r\n"));
        }
        // Each answer has begun, so each greenlet writes, and can write no more.
        for client in &mut deaf {
            assert!(!client.stream.fill_buf().expect("the head").is_empty());
        }
        for _ in 0..100 {
            assert_eq!(server.get("/").text(), "Hello, world!");
        }
        assert!(server.stat("connections") >= 17);
        for client in &mut deaf[..2] {
            let answer = client.answer();
            assert_eq!(answer.body.len(), SIZE);
            assert!(answer.body.iter().all(|byte| *byte == b'.'));
        }
        // The others hang up on it.
    });
}

#[test]
fn stats_tell_what_there_is() {
    with_each_kind(|server| {
        let mut clients: Vec<_> = (0..20).map(|_| server.client()).collect();
        for client in &mut clients {
            assert_eq!(client.get("/").status, 200);
        }
        let mut client = server.client();
        assert_eq!(
            client.get("/stats").field("content-type"),
            Some("application/json")
        );
        let stats = client.get("/stats").text();
        assert!(
            stats.contains("\"connections\":21,\"requests\":22,"),
            "{stats}"
        );
        assert!(stats.contains("\"body_bytes\":0"), "{stats}");
        // One for each connection, the one that asks, the main one and those that accept.
        let others = server.stat("greenlets") - 21 - 1;
        assert!((2..20).contains(&others), "{others} other greenlets");
        drop(clients);
        until(|| server.stat("connections") == 2);
        until(|| server.stat("greenlets") == 1 + 1 + others);
    });
}

#[test]
fn an_interrupt_lets_the_requests_in_flight_finish() {
    for (homes, workers) in kinds() {
        let server = Server::start_with(homes, workers);
        let mut idle: Vec<_> = (0..10).map(|_| server.client()).collect();
        for client in &mut idle[..5] {
            assert_eq!(client.get("/").status, 200);
        }
        let mut uploading = server.client();
        uploading.send("POST / HTTP/1.1\r\nContent-Length: 8\r\nExpect: 100-continue\r\n\r\n");
        assert_eq!(uploading.answer_head().status, 100);
        uploading.send("half");
        let mut downloading = server.client();
        downloading.send("GET /bytes/20000000 HTTP/1.1\r\n\r\n");
        let answer = downloading.answer_head();

        server.program.signal(Signal::INT);
        for client in &mut idle {
            client.assert_closed();
        }
        until(|| TcpStream::connect(server.address).is_err());
        uploading.send("half");
        let uploaded = uploading.answer();
        assert_eq!(uploaded.field("connection"), Some("close"));
        assert_eq!(uploaded.text(), "8 bytes\n");
        uploading.assert_closed();
        assert_eq!(answer.field("content-length"), Some("20000000"));
        let mut body = Vec::new();
        downloading
            .stream
            .read_to_end(&mut body)
            .expect("the whole body");
        assert_eq!(body.len(), 20_000_000);
        drop((idle, uploading, downloading));

        let ended = server.program.wait();
        assert!(ended.status.success(), "{ended:?}");
        assert_eq!(ended.stderr, "");
    }
}

#[test]
fn a_termination_signal_stops_it_too() {
    for (homes, workers) in kinds() {
        let ended = Server::start_with(homes, workers).stop(Signal::TERM);
        assert_eq!((ended.stdout, ended.stderr), (String::new(), String::new()));
    }
}

#[test]
fn requests_that_do_not_finish_are_cut_when_it_stops() {
    let server = Server::start();
    let mut deaf = server.client();
    deaf.send("GET /bytes/1000000000 HTTP/1.1\r\n\r\n");
    assert_eq!(deaf.answer_head().status, 200);
    let start = Instant::now();
    let ended = server.stop(Signal::INT);
    assert!(start.elapsed() >= Duration::from_secs(10));
    assert!(ended.stderr.contains("1 connections cut"), "{ended:?}");
}

#[test]
fn a_second_signal_stops_it_at_once() {
    let server = Server::start();
    let mut deaf = server.client();
    deaf.send("GET /bytes/1000000000 HTTP/1.1\r\n\r\n");
    assert_eq!(deaf.answer_head().status, 200);
    let mut idle = server.client();
    assert_eq!(idle.get("/").status, 200);
    let start = Instant::now();
    server.program.signal(Signal::INT);
    // The first has arrived: two of one kind that are pending at once are one.
    idle.assert_closed();
    server.program.signal(Signal::INT);
    let ended = server.program.wait();
    assert_eq!(ended.status.code(), Some(130), "{ended:?}");
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn wrong_arguments_are_told() {
    for (arguments, problem) in [
        (&["--port", "80"][..], "unknown argument `--port`"),
        (&["--addr"], "--addr needs HOST:PORT"),
        (&["--addr", "nonsense"], "--addr nonsense: "),
        (&["--addr", "127.0.0.1:99999"], "--addr 127.0.0.1:99999: "),
    ] {
        let ended = Program::run("hello_http", arguments);
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        assert_eq!(ended.stdout, "");
        assert!(
            ended.stderr.contains(problem) && ended.stderr.contains("--help"),
            "{ended:?}"
        );
    }
    let ended = Program::run("hello_http", &["--help"]);
    assert!(ended.status.success(), "{ended:?}");
    assert!(ended.stdout.contains("--addr HOST:PORT"), "{ended:?}");
}

#[test]
fn a_port_in_use_is_told() {
    let server = Server::start();
    let address = server.address.to_string();
    let ended = Program::run("hello_http", &["--addr", &address]);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(
        ended
            .stderr
            .contains(&format!("cannot listen on {address}: ")),
        "{ended:?}"
    );
    assert_eq!(server.get("/").status, 200);
}

#[test]
fn without_descriptors_it_waits_for_them() {
    for (homes, workers) in kinds() {
        // Soft and hard limit, so that it cannot raise it.
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -n 64 && exec \"$0\" --addr 127.0.0.1:0"]);
        command.arg(path("hello_http"));
        command
            .env("SWARD_HOMES", homes)
            .env("SWARD_WORKERS", workers);
        let mut server = Server::of(command);

        let mut clients: Vec<_> = (0..100).map(|_| server.client()).collect();
        for client in &mut clients {
            client.send("GET / HTTP/1.1\r\n\r\n");
        }
        // They are accepted in order. It has some descriptors of its own, and room for half of 64.
        for client in &mut clients[..32] {
            assert_eq!(client.answer().status, 200);
        }
        let complaint = next_line(&mut server.program.stderr);
        assert!(complaint.contains("cannot accept for now"), "{complaint}");
        for _ in 0..3 {
            clients.drain(..32);
            let next = clients.len().min(32);
            for client in &mut clients[..next] {
                assert_eq!(client.answer().status, 200);
            }
        }
        assert_eq!(clients.len(), 4);

        // It stops although the connection that would wake the acceptor cannot be had at first.
        clients.extend((0..96).map(|_| server.client()));
        for client in &mut clients[4..32] {
            assert_eq!(client.get("/").status, 200);
        }
        server.stop(Signal::INT);
    }
}
