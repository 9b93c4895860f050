//! Shows an HTTP/1.1 server in plain blocking calls: a greenlet per connection, and no `async`.
//!
//! | request | answer |
//! |---|---|
//! | `GET /` | `Hello, world!` |
//! | `GET /stats` | JSON: live greenlets, open connections, requests, bytes of request bodies |
//! | `GET /bytes/N` | N bytes, at most 1 GiB |
//! | `HEAD` of these | the same without the body |
//! | `POST`, `PUT` of any path | the body is read, counted and thrown away: `N bytes` |
//! | `GET`, `HEAD` of another path | 404 |
//! | another method | 405 |
//!
//! Connections are kept alive, and pipelined requests answered in order. A request that cannot be
//! answered so ends its connection: 400 for garbage, 408 for a head that is not complete after 10 s
//! or a body that stalls for 30 s, 411 for a body in chunks (it must have a `Content-Length`), 431
//! for a head of more than 16 KiB or 96 fields.
//!
//! Ctrl-C or SIGTERM stops it: nothing more is accepted, idle connections are closed, requests in
//! flight have 10 s to finish. A second one ends it at once.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, ToSocketAddrs};
use std::ops::Range;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, Once};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use sward::net::{TcpListener, TcpStream};
use sward_examples::request::{BAD_REQUEST, HEAD_MAX, Request, Route};

const HELP: &str = "\
usage: hello_http [--addr HOST:PORT]

Serves GET /, /stats and /bytes/N; counts the bodies of POST and PUT. Stops on Ctrl-C.

  --addr HOST:PORT  where to listen (127.0.0.1:8080); port 0 takes a free one
  --help            this text
";

/// The input buffer to begin with, up to `HEAD_MAX`: ten thousand idle connections hold 40 MB.
const INPUT_MIN: usize = 4 * 1024;
/// How long a head may take, and how long a connection may be idle between two requests.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// How long one read of a body, or one write of an answer, may make no progress; arbitrary.
const BODY_STALL: Duration = Duration::from_secs(30);
const WRITE_STALL: Duration = Duration::from_secs(60);
/// How long a peer that has its last answer may take to hang up.
const LINGER: Duration = Duration::from_secs(1);
/// How long requests in flight may take once the server stops.
const DRAIN: Duration = Duration::from_secs(10);
/// How many greenlets accept. Each has its turn as often as any other greenlet has: one alone would
/// be slow to let newcomers in while thousands of connections are busy.
const ACCEPTORS: u64 = 8;
/// How long to wait after an `accept` that failed for want of something; doubled up to the maximum.
const ACCEPT_PAUSE_MIN: Duration = Duration::from_millis(10);
const ACCEPT_PAUSE_MAX: Duration = Duration::from_millis(100);

const TIMED_OUT: &str = "408 Request Timeout";
const TEXT: &str = "Content-Type: text/plain\r\n";
const JSON: &str = "Content-Type: application/json\r\n";
const ALLOW: &str = "Content-Type: text/plain\r\nAllow: GET, HEAD, POST, PUT\r\n";
static FILLER: [u8; 64 * 1024] = [b'.'; 64 * 1024];

static STOPPING: AtomicBool = AtomicBool::new(false);
static REQUESTS: AtomicU64 = AtomicU64::new(0);
static BODY_BYTES: AtomicU64 = AtomicU64::new(0);
/// The open connections.
static PEERS: Mutex<BTreeMap<u64, Arc<Peer>>> = Mutex::new(BTreeMap::new());

#[sward::main]
fn main() -> ExitCode {
    let result = match arguments() {
        Ok(Some(addresses)) => run(&addresses),
        Ok(None) => io::stdout()
            .write_all(HELP.as_bytes())
            .map_err(|e| format!("no help: {e}")),
        Err(problem) => {
            eprintln!("hello_http: {problem}; see --help");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("hello_http: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// The addresses to listen on, or `None` when help is asked for.
fn arguments() -> Result<Option<Vec<SocketAddr>>, String> {
    let mut wanted = "127.0.0.1:8080".to_owned();
    let mut given = std::env::args_os()
        .skip(1)
        .map(|given| given.to_string_lossy().into_owned());
    while let Some(argument) = given.next() {
        match argument.as_str() {
            "--addr" => wanted = given.next().ok_or("--addr needs HOST:PORT")?,
            "--help" | "-h" => return Ok(None),
            _ => return Err(format!("unknown argument `{argument}`")),
        }
    }
    let addresses = wanted
        .to_socket_addrs()
        .map_err(|e| format!("--addr {wanted}: {e}"))?;
    Ok(Some(addresses.collect()))
}

/// Serves until a signal says stop and the requests in flight are answered.
fn run(addresses: &[SocketAddr]) -> Result<(), String> {
    let main = sward::current();
    raise_descriptor_limit();
    stop_on_signals(main.clone()).map_err(|e| format!("cannot watch for signals: {e}"))?;
    let listener = TcpListener::bind(addresses)
        .map_err(|e| format!("cannot listen on {}: {e}", addresses[0]))?;
    let address = listener
        .local_addr()
        .map_err(|e| format!("no local address: {e}"))?;
    let listener = Arc::new(listener);
    let acceptors = (0..ACCEPTORS).map(move |first| {
        let (listener, main) = (listener.clone(), main.clone());
        sward::go!(name = "accept"; accept(&listener, first, main))
    });
    let acceptors = acceptors.collect();
    // A reader that has gone away must not stop the server.
    let mut stdout = io::stdout();
    let _ = writeln!(stdout, "listening on http://{address}").and_then(|()| stdout.flush());

    while !STOPPING.load(SeqCst) {
        sward::park();
    }
    let until = Instant::now() + DRAIN;
    stop_accepting(acceptors, reachable(address), until);
    drain(until);
    Ok(())
}

/// Ten thousand connections are ten thousand descriptors; most systems begin with 1,024.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where it cannot be raised, `accept` waits for descriptors.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// A thread of its own waits for signals, for a signal handler may do next to nothing.
fn stop_on_signals(main: sward::Greenlet) -> io::Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    let wait = move || {
        for signal in signals.forever() {
            if STOPPING.swap(true, SeqCst) {
                std::process::exit(128 + signal);
            }
            main.unpark();
        }
    };
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(wait)?;
    Ok(())
}

/// Starts a greenlet for each connection until the server stops. Connections are numbered from
/// `first` in steps of `ACCEPTORS`.
fn accept(listener: &TcpListener, first: u64, main: sward::Greenlet) {
    static COMPLAINT: Once = Once::new();
    let mut pause = ACCEPT_PAUSE_MIN;
    for id in (first..).step_by(ACCEPTORS as usize) {
        let accepted = listener.accept();
        if STOPPING.load(SeqCst) {
            return;
        }
        match accepted.map_err(|e| (e.kind(), e)) {
            Ok((stream, _)) => {
                pause = ACCEPT_PAUSE_MIN;
                let visit = Visit::new(id, stream, main.clone());
                sward::go!(name = "conn"; serve(visit));
            }
            // One connection was gone before it was taken: nothing is wrong with the next.
            Err((ErrorKind::ConnectionAborted | ErrorKind::Interrupted, _)) => {}
            // EMFILE, ENFILE, ENOMEM, no network: it will pass, but to try again at once is to spin.
            Err((_, e)) => {
                COMPLAINT.call_once(|| eprintln!("hello_http: cannot accept for now: {e}"));
                sward::sleep(pause);
                pause = (2 * pause).min(ACCEPT_PAUSE_MAX);
            }
        }
    }
}

/// An acceptor sees that the server stops when its `accept` returns: connections to `address` are
/// our means to that end. Idle connections are closed first, for it takes descriptors. Those that have
/// not seen it at `until` end with the process.
fn stop_accepting(mut acceptors: Vec<sward::JoinHandle<()>>, address: SocketAddr, until: Instant) {
    const PATIENCE: Duration = Duration::from_millis(100);
    while !acceptors.is_empty() && Instant::now() < until {
        close_idle();
        for _ in &acceptors {
            let _ = TcpStream::connect_timeout(&address, PATIENCE);
        }
        let running = |acceptor: sward::JoinHandle<()>| acceptor.join_timeout(PATIENCE).err();
        acceptors = acceptors.into_iter().filter_map(running).collect();
    }
    close_idle();
}

/// The address at which this host reaches a listener on `address`.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// Makes the reads of idle connections return. One that becomes idle later closes itself: it sets
/// `idle` and then reads `STOPPING`, here `STOPPING` was set before `idle` is read (all `SeqCst`).
fn close_idle() {
    for peer in peers().values().filter(|peer| peer.idle.load(SeqCst)) {
        // It fails when the peer has hung up meanwhile, which is as good.
        let _ = peer.stream.shutdown(Shutdown::Read);
    }
}

/// Waits for the open connections; each unparks the main greenlet when it ends.
fn drain(until: Instant) {
    loop {
        let open = peers().len();
        let left = until.saturating_duration_since(Instant::now());
        if open == 0 {
            return;
        }
        if left.is_zero() {
            return eprintln!("hello_http: {open} connections cut after {DRAIN:?}");
        }
        sward::park_timeout(left);
    }
}

/// What stopping needs to know of a connection.
struct Peer {
    stream: TcpStream,
    /// No byte of another request has come.
    idle: AtomicBool,
}

fn peers() -> MutexGuard<'static, BTreeMap<u64, Arc<Peer>>> {
    PEERS.lock().expect("nothing panics that holds this lock")
}

/// A connection's place among the peers, given up however its greenlet ends.
struct Visit {
    id: u64,
    peer: Arc<Peer>,
    main: sward::Greenlet,
}

impl Visit {
    fn new(id: u64, stream: TcpStream, main: sward::Greenlet) -> Visit {
        let peer = Arc::new(Peer {
            stream,
            idle: AtomicBool::new(true),
        });
        peers().insert(id, peer.clone());
        Visit { id, peer, main }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        peers().remove(&self.id);
        if STOPPING.load(SeqCst) {
            self.main.unpark();
        }
    }
}

/// The life of a connection.
fn serve(visit: Visit) {
    let mut session = Session {
        peer: &visit.peer,
        input: vec![0; INPUT_MIN],
        filled: 0..0,
        output: Vec::with_capacity(512),
    };
    let Err(end) = session.answer_all();
    match end {
        End::Gone => return,
        End::Done => {}
        End::Refused(status) => session.answer(false, status, TEXT, status.len() as u64, status),
    }
    // Whether the peer hears it is the peer's business.
    let Err(_) = session.say_goodbye();
}

/// Why a connection ends.
enum End {
    /// The peer hung up, failed, or was idle for too long: there is nothing to say.
    Gone,
    /// The last answer said that it is the last.
    Done,
    /// The request cannot be answered, or never came: this status is the answer.
    Refused(&'static str),
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> End {
        End::Gone
    }
}

/// One side of a conversation: reads requests, writes answers, in order.
struct Session<'a> {
    peer: &'a Peer,
    input: Vec<u8>,
    /// The part of `input` that was received and not yet used.
    filled: Range<usize>,
    /// Answers not yet sent: those to a batch of pipelined requests leave in one write. No more
    /// than the requests that `input` has room for.
    output: Vec<u8>,
}

impl Session<'_> {
    fn answer_all(&mut self) -> Result<Infallible, End> {
        self.peer.stream.set_nodelay(true)?;
        self.peer.stream.set_write_timeout(Some(WRITE_STALL))?;
        let mut began = Some(Instant::now());
        loop {
            match Request::parse(&self.input[self.filled.clone()]).map_err(End::Refused)? {
                Some(request) => {
                    self.answer_one(&request)?;
                    began = None;
                }
                None => self.read_head(&mut began)?,
            }
        }
    }

    /// Reads more of a head. Its time began with the connection, or with its first byte if it is
    /// not the first one; `began` is `None` before that.
    fn read_head(&mut self, began: &mut Option<Instant>) -> Result<(), End> {
        let empty = self.filled.is_empty();
        let between = empty && began.is_none();
        let mut left = HEAD_TIME;
        if !between {
            left = left.saturating_sub(began.get_or_insert_with(Instant::now).elapsed());
        }
        self.peer.idle.store(empty, SeqCst);
        if empty && STOPPING.load(SeqCst) {
            return Err(End::Done);
        }
        let result = self.read(left);
        self.peer.idle.store(false, SeqCst);
        match result {
            Err(End::Refused(_)) if between => Err(End::Gone),
            result => result,
        }
    }

    /// Reads and counts a body, all of it through the same buffer.
    fn read_body(&mut self, mut left: u64) -> Result<(), End> {
        loop {
            let here = left.min(self.filled.len() as u64);
            self.filled.start += here as usize;
            BODY_BYTES.fetch_add(here, Relaxed);
            left -= here;
            if left == 0 {
                return Ok(());
            }
            self.input.resize(HEAD_MAX, 0);
            self.read(BODY_STALL)?;
        }
    }

    /// Reads what there is, waiting at most `timeout`. Sends the answers before it, for the peer may
    /// want them first.
    fn read(&mut self, timeout: Duration) -> Result<(), End> {
        self.flush()?;
        self.input.copy_within(self.filled.clone(), 0);
        self.filled = 0..self.filled.len();
        if self.filled.end == self.input.len() {
            self.input.resize(HEAD_MAX, 0);
        }
        if timeout.is_zero() {
            return Err(End::Refused(TIMED_OUT));
        }
        let mut stream = &self.peer.stream;
        stream.set_read_timeout(Some(timeout))?;
        let free = &mut self.input[self.filled.end..];
        match stream.read(free).map_err(|e| e.kind()) {
            Ok(0) if self.filled.is_empty() => return Err(End::Gone),
            Ok(0) => return Err(End::Refused(BAD_REQUEST)),
            Ok(count) => self.filled.end += count,
            Err(ErrorKind::Interrupted) => {}
            Err(ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Err(End::Refused(TIMED_OUT));
            }
            Err(_) => return Err(End::Gone),
        }
        Ok(())
    }

    /// Reads the rest of `request` and answers it.
    fn answer_one(&mut self, request: &Request) -> Result<(), End> {
        REQUESTS.fetch_add(1, Relaxed);
        self.filled.start += request.head;
        if request.expects_continue && request.body > 0 && self.filled.is_empty() {
            self.output
                .extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        self.read_body(request.body)?;

        let (status, fields, text): (_, _, Cow<str>) = match request.route {
            Route::Hello => ("200 OK", TEXT, "Hello, world!".into()),
            Route::Stats => ("200 OK", JSON, stats().into()),
            Route::Bytes(_) => ("200 OK", TEXT, "".into()),
            Route::Count => ("200 OK", TEXT, format!("{} bytes\n", request.body).into()),
            Route::NotFound => ("404 Not Found", TEXT, "not found\n".into()),
            Route::NotAllowed => ("405 Method Not Allowed", ALLOW, "not allowed\n".into()),
        };
        let filler = match request.route {
            Route::Bytes(count) => count,
            _ => 0,
        };
        let keep_alive = request.keep_alive && !STOPPING.load(Relaxed);
        let length = text.len() as u64 + filler;
        if request.wants_body {
            self.answer(keep_alive, status, fields, length, &text);
            self.send_filler(filler)?;
        } else {
            self.answer(keep_alive, status, fields, length, "");
        }
        if keep_alive { Ok(()) } else { Err(End::Done) }
    }

    fn answer(&mut self, keep_alive: bool, status: &str, fields: &str, length: u64, text: &str) {
        let connection = if keep_alive { "keep-alive" } else { "close" };
        write!(
            self.output,
            "HTTP/1.1 {status}\r\nConnection: {connection}\r\nContent-Length: {length}\r\n{fields}\r\n{text}"
        )
        .expect("writing to a Vec does not fail");
    }

    fn send_filler(&mut self, mut left: u64) -> io::Result<()> {
        while left > 0 {
            self.flush()?;
            let count = left.min(FILLER.len() as u64);
            (&self.peer.stream).write_all(&FILLER[..count as usize])?;
            left -= count;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        (&self.peer.stream).write_all(&self.output)?;
        self.output.clear();
        Ok(())
    }

    /// Waits until the peer has hung up too: closing while input is unread would reset the
    /// connection, and the last answer could be lost with it.
    fn say_goodbye(&mut self) -> Result<Infallible, End> {
        self.flush()?;
        self.peer.stream.shutdown(Shutdown::Write)?;
        let until = Instant::now() + LINGER;
        loop {
            self.filled = 0..0;
            self.read(until.saturating_duration_since(Instant::now()))?;
        }
    }
}

fn stats() -> String {
    let greenlets = sward::Handle::current().metrics().greenlets;
    let connections = peers().len();
    let (requests, body_bytes) = (REQUESTS.load(Relaxed), BODY_BYTES.load(Relaxed));
    format!(
        "{{\"greenlets\":{greenlets},\"connections\":{connections},\
         \"requests\":{requests},\"body_bytes\":{body_bytes}}}\n"
    )
}
