//! What the tests of injected faults share: the plan, which is the process's, and a program in small that passes every door.
#![allow(dead_code, reason = "each test program uses its own part")]

use std::fs;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::panic::resume_unwind;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sward::__faults::{self as faults, Door, Errno};
use sward::net::{TcpListener, TcpStream};
use sward::{Builder, JoinError, JoinHandle, Runtime};
use sward_tests::{Config, process, until};

/// The name of every runtime here, by which its threads are known.
pub(crate) const NAME: &str = "faulty";
/// Enough greenlets at once for guards to be put up several in a call.
const CROWD: usize = 40;
/// How long a shutdown may take; the watchdog comes first.
const LONG: Duration = Duration::from_secs(100);

/// The right to plan faults. Nobody else's runtime is in the process meanwhile.
pub(crate) struct Alone(MutexGuard<'static, ()>);

impl Alone {
    pub(crate) fn new() -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = Self(ALONE.lock().unwrap_or_else(PoisonError::into_inner));
        faults::clear();
        alone
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        let _ = &self.0;
        faults::clear();
    }
}

/// What a program is told that cannot go on.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The runtime was not made.
    Build(io::Error),
    /// A greenlet could not run.
    Join(JoinError),
    /// An operation on a socket failed.
    Net(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Net(error)
    }
}

impl Failure {
    /// The error of the system behind it.
    pub(crate) fn os_error(&self) -> &io::Error {
        match self {
            Failure::Build(error) | Failure::Net(error) => error,
            Failure::Join(error) => error
                .os_error()
                .unwrap_or_else(|| panic!("for no reason of the system: {error}")),
        }
    }

    /// Whether it says that the other end of a connection is gone: what one greenlet hears when a fault hits another.
    pub(crate) fn is_lost_peer(&self) -> bool {
        let kinds = [
            ErrorKind::UnexpectedEof,
            ErrorKind::ConnectionReset,
            ErrorKind::BrokenPipe,
            ErrorKind::NotConnected,
        ];
        kinds.contains(&self.os_error().kind())
    }
}

/// What is left of a runtime that has ended, and of its sockets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Held {
    threads: usize,
    descriptors: usize,
}

impl Held {
    fn now() -> Self {
        let names = fs::read_dir("/proc/self/task").expect("/proc");
        // A thread may end between the two looks.
        let names =
            names.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
        Self {
            threads: names.filter(|name| name.starts_with(NAME)).count(),
            descriptors: process::descriptors(),
        }
    }
}

/// Runs the program in a runtime of its own: all its failures. Checks that nothing is left of it then, but `sources` at most.
pub(crate) fn run(config: Config, protect: bool, sources: usize) -> Vec<Failure> {
    let before = Held::now();
    let failures = program(config, protect, sources);
    until(|| match Held::now() {
        now if now == before => Ok(()),
        now => Err(format!("{now:?} instead of {before:?}")),
    });
    failures
}

fn program(config: Config, protect: bool, sources: usize) -> Vec<Failure> {
    let builder = config.builder().name(NAME).mprotect_guards(protect);
    let runtime = match builder.build() {
        Ok(runtime) => runtime,
        Err(error) => return vec![Failure::Build(error)],
    };
    let mut failures = Vec::new();
    crowd(&runtime, CROWD, &mut failures);
    unwind(&runtime, &mut failures);
    failures.extend(joined(runtime.spawn(locals)).and_then(|inner| inner).err());
    failures.extend(
        joined(runtime.spawn(exchange))
            .and_then(|inner| inner)
            .err(),
    );
    let handle = runtime.handle();
    until(|| {
        let metrics = handle.metrics();
        let empty = metrics.greenlets == 0
            && metrics.suspended == 0
            && metrics.stacks == 0
            && metrics.timers == 0
            && metrics.sources <= sources;
        empty.then_some(()).ok_or(format!("{metrics:?}"))
    });
    runtime.shutdown(LONG).expect("nothing is left to do");
    failures
}

fn joined<T>(handle: JoinHandle<T>) -> Result<T, Failure> {
    handle.join().map_err(|error| {
        assert!(!error.is_cancelled(), "{error}");
        // Nothing here panics but for a reason.
        match error.is_panic() {
            true => resume_unwind(error.into_panic()),
            false => Failure::Join(error),
        }
    })
}

/// Many at a time, on stacks of several sizes.
pub(crate) fn crowd(runtime: &Runtime, count: usize, failures: &mut Vec<Failure>) {
    let handle = runtime.handle();
    let sizes = [16 << 10, 256 << 10, 256 << 10, 256 << 10];
    let crowd: Vec<_> = (0..count)
        .map(|number| {
            let body = move || {
                sward::yield_now();
                sward::park();
                sward::sleep(Duration::from_micros(300));
                number
            };
            let builder = Builder::new().stack_size(sizes[number % sizes.len()]);
            builder.spawn_on(&handle, body).expect("it is not closed")
        })
        .collect();
    until(|| {
        let metrics = handle.metrics();
        metrics.suspended == metrics.greenlets
    });
    crowd.iter().for_each(|handle| handle.greenlet().unpark());
    for (number, handle) in crowd.into_iter().enumerate() {
        match joined(handle) {
            Ok(value) => assert_eq!(value, number),
            Err(failure) => failures.push(failure),
        }
    }
}

/// One that waits while it unwinds.
fn unwind(runtime: &Runtime, failures: &mut Vec<Failure>) {
    struct Waits;
    impl Drop for Waits {
        fn drop(&mut self) {
            sward::sleep(Duration::from_micros(100));
            assert!(std::thread::panicking());
        }
    }
    let body = || {
        let _waits = Waits;
        // Without a message.
        resume_unwind(Box::new("on purpose"));
    };
    let error = runtime.spawn(body).join().expect_err("it panics");
    match error.is_panic() {
        true => assert_eq!(error.into_panic().downcast_ref(), Some(&"on purpose")),
        false => failures.push(Failure::Join(error)),
    }
}

/// A parent and its local child.
fn locals() -> Result<(), Failure> {
    let shared = std::rc::Rc::new(std::cell::Cell::new(1));
    let child = shared.clone();
    joined(sward::spawn_local(move || {
        sward::yield_now();
        child.set(2);
    }))?;
    assert_eq!(shared.get(), 2);
    Ok(())
}

/// A connection and what goes over it. Whatever fails, nobody waits for ever: who fails closes, and that wakes the other.
fn exchange() -> Result<(), Failure> {
    let listener = TcpListener::builder()
        .reuse_port(true)
        .bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let clone = listener.try_clone()?;
    let acceptor = sward::spawn(move || clone.accept());
    // It waits, or has failed.
    sward::sleep(Duration::from_micros(200));
    let client = TcpStream::connect(address);
    if client.is_err() {
        // Not by sward: no fault keeps this from coming.
        std::net::TcpStream::connect(address)?;
    }
    let (server, _) = joined(acceptor)??;
    let mut client = client?;
    let echo = sward::spawn(move || echo(server));
    let told = talk(&mut client);
    drop(client);
    let echoed = joined(echo).and_then(|echoed| Ok(echoed?));
    match (told, echoed) {
        (Err(error), Err(failure)) => match failure.is_lost_peer() {
            true => Err(error.into()),
            false => Err(failure),
        },
        (told, echoed) => Ok(told.and(Ok(()))?).and(echoed),
    }
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 512];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            read => stream.write_all(&buffer[..read])?,
        }
    }
}

fn talk(stream: &mut TcpStream) -> io::Result<()> {
    let mut answer = [0; 1000];
    for round in 0..3 {
        let message = [round; 1000];
        stream.write_all(&message)?;
        stream.peek(&mut answer[..1])?;
        stream.read_exact(&mut answer)?;
        assert_eq!(answer, message);
        sward::sleep(Duration::from_micros(100));
    }
    let sent = stream.write_vectored(&[IoSlice::new(b"a few "), IoSlice::new(b"words")])?;
    let (mut first, mut second) = ([0; 3], [0; 9]);
    let mut into = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
    let mut received = stream.read_vectored(&mut into)?;
    while received < sent {
        received += stream.read(&mut answer)?;
    }
    assert!(first.starts_with(b"a "));
    stream.set_read_timeout(Some(Duration::from_micros(500)))?;
    match stream.read(&mut answer) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        other => panic!("{other:?} out of nothing", other = other?),
    }
    stream.set_read_timeout(None)?;
    stream.shutdown(Shutdown::Write)?;
    assert_eq!(stream.read(&mut answer)?, 0);
    Ok(())
}

/// What the system says of a call, and what is to come of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) door: Door,
    pub(crate) errno: Errno,
}

/// Whether the fault was met at least once by runs of the program with it, each time at a later call, until one did not meet
/// it. `lasting`: so are all calls after that. `check` looks at what the runs have told.
pub(crate) fn sweep(
    config: Config,
    fault: Fault,
    protect: bool,
    lasting: bool,
    check: impl Fn(&[Failure]),
) -> u64 {
    let Fault { door, errno } = fault;
    let _watchdog = sward_tests::Watchdog::new(format!("{config}, {fault:?}, lasting: {lasting}"));
    let (mut met, mut nth) = (0, 1);
    loop {
        faults::clear();
        faults::fail(door, nth, errno, lasting);
        // A socket that cannot be taken out of the poller leaves its source behind: three have one here.
        let sources = if door == Door::Unwatch { 3 } else { 0 };
        let failures = run(config, protect, sources);
        let hit = faults::failed(door);
        faults::clear();
        check(&failures);
        if hit == 0 {
            assert!(failures.is_empty(), "for no reason: {failures:?}");
            return met;
        }
        met += hit;
        // All of the first, then some.
        nth += 1 + nth / 8;
    }
}
