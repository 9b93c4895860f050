//! The list of workloads: the one definition of each, for every runtime.

use crate::outcome::Outcome;
use crate::runtimes::{self, Runtime};
use crate::work::{
    Job, channel, echo::Echo, fib::Fib, http, imbalance::Imbalance, lock, oneshot::Oneshot,
    parked::Parked, ping_pong::PingPong, ping_pong_channel::PingPongChannel, selecting::Selecting,
    skynet::Skynet, sleepers::Sleepers, spawning, switch, yielding::Yielding,
};

/// What is measured, how much of it, by whom.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// One line for the report.
    pub(crate) what: &'static str,
    /// The figures of an [`Outcome`], each named with its unit. The first is the score; less is better for all, unless the
    /// name ends in `/s`.
    pub(crate) figures: &'static [&'static str],
    /// How much of it: what is counted, the workload's file says.
    pub(crate) n: u64,
    /// The same for a smoke run.
    pub(crate) smoke: u64,
    /// The same for OS threads, which are slower at much of this; `None` where they cannot do it at all.
    pub(crate) threads_n: Option<u64>,
    pub(crate) workers: &'static [usize],
    pub(crate) runtimes: &'static [Runtime],
    pub(crate) run: fn(Runtime, Job) -> Result<Outcome, String>,
    /// Peers that are known to fail. They are run all the same, but not in a smoke run, where a failure counts.
    pub(crate) hopeless: &'static [Runtime],
    /// Who asks, if it is a server.
    pub(crate) load: Load,
}

/// The requests that a server is measured with, always from another process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Load {
    /// None: it is no server.
    None,
    /// Our generator: `n` requests over this many connections.
    Echo(u32),
    /// `wrk`: `n` seconds over this many connections.
    Wrk(u32),
}

impl Load {
    /// The same over fewer connections.
    pub(crate) fn small(self) -> Self {
        const FEW: u32 = 100;
        match self {
            Self::None => Self::None,
            Self::Echo(connections) => Self::Echo(connections.min(FEW)),
            Self::Wrk(connections) => Self::Wrk(connections.min(FEW)),
        }
    }
}

const PEERS: &[Runtime] = &[
    Runtime::Sward,
    Runtime::Tokio,
    Runtime::Smol,
    Runtime::May,
    Runtime::Threads,
    Runtime::Go,
    Runtime::Java,
    Runtime::Gevent,
    Runtime::Asyncio,
];
/// Without Python, for what says nothing about one interpreter on one core.
const COMPILED: &[Runtime] = &[
    Runtime::Sward,
    Runtime::Tokio,
    Runtime::Smol,
    Runtime::May,
    Runtime::Threads,
    Runtime::Go,
    Runtime::Java,
];
/// For HTTP: what Java's own library serves it with is not what its experts take.
const WEB: &[Runtime] = &[
    Runtime::Sward,
    Runtime::Tokio,
    Runtime::Hyper,
    Runtime::Smol,
    Runtime::May,
    Runtime::Threads,
    Runtime::Go,
];
/// For channels without room: smol and may have none.
const RENDEZVOUS: &[Runtime] = &[
    Runtime::Sward,
    Runtime::Tokio,
    Runtime::Threads,
    Runtime::Go,
    Runtime::Java,
];
/// For selects: Java has none, and may's loses what the arms that are not chosen have received.
const SELECTS: &[Runtime] = &[
    Runtime::Sward,
    Runtime::Tokio,
    Runtime::Smol,
    Runtime::Threads,
    Runtime::Go,
];
const ECHO: &[&str] = &[
    "CPU s/million",
    "p50 µs",
    "p99 µs",
    "p99.9 µs",
    "requests/s",
    "load busy %",
];
const HTTP: &[&str] = &["CPU s/million", "p50 µs", "p99 µs", "requests/s"];
const MILLION: u64 = 1_000_000;

/// What most have in common.
const PLAIN: Workload = Workload {
    name: "",
    what: "",
    figures: &["ns"],
    n: MILLION,
    smoke: 1000,
    threads_n: None,
    workers: &[1, 2],
    runtimes: PEERS,
    run: |_, _| Err("not a workload".to_owned()),
    hopeless: &[],
    load: Load::None,
};
const ECHO_SERVER: Workload = Workload {
    figures: ECHO,
    n: 400_000,
    smoke: 2000,
    run: runtimes::run::<Echo<false>>,
    ..PLAIN
};
const HTTP_SERVER: Workload = Workload {
    figures: HTTP,
    n: 4,
    smoke: 1,
    threads_n: Some(4),
    runtimes: WEB,
    run: http::run,
    ..PLAIN
};

pub(crate) static ALL: &[Workload] = &[
    Workload {
        name: "switch",
        what: "from one stack to another, without a scheduler, one way",
        n: 50 * MILLION,
        workers: &[1],
        runtimes: &[Runtime::Sward, Runtime::Corosensei, Runtime::Context],
        run: switch::run,
        ..PLAIN
    },
    Workload {
        name: "yield-2",
        what: "two greenlets yield in turn; time for each yield",
        n: 6 * MILLION,
        threads_n: Some(2 * MILLION),
        run: runtimes::run::<Yielding<2>>,
        ..PLAIN
    },
    Workload {
        name: "yield-1000",
        what: "1,000 greenlets yield in turn; time for each yield",
        n: 6 * MILLION,
        smoke: 5000,
        threads_n: Some(2 * MILLION),
        run: runtimes::run::<Yielding<1000>>,
        ..PLAIN
    },
    Workload {
        name: "spawn-join",
        what: "empty greenlets, spawned and joined in batches of 1,000; time for each",
        n: 2 * MILLION,
        threads_n: Some(20_000),
        run: runtimes::run::<spawning::Batches>,
        ..PLAIN
    },
    Workload {
        name: "spawn-burst",
        what: "1,000,000 empty greenlets, spawned before the first is joined; time for each",
        run: runtimes::run::<spawning::Burst>,
        ..PLAIN
    },
    Workload {
        name: "skynet",
        what: "a tree of greenlets, ten children each, with 1,000,000 leaves, summed; time for the tree",
        figures: &["ms"],
        run: runtimes::run::<Skynet>,
        ..PLAIN
    },
    Workload {
        name: "ping-pong",
        what: "two greenlets wake each other in turn (park and unpark, or the runtime's own); time for each wake",
        n: 2 * MILLION,
        threads_n: Some(100_000),
        run: runtimes::run::<PingPong>,
        ..PLAIN
    },
    Workload {
        name: "ping-pong-channel",
        what: "two greenlets send each other a number in turn, over two channels of one place; time for each message",
        n: 4 * MILLION,
        threads_n: Some(100_000),
        runtimes: COMPILED,
        run: runtimes::run::<PingPongChannel>,
        ..PLAIN
    },
    Workload {
        name: "mpmc-1x1",
        what: "numbers from one greenlet to another, through a channel for 1,024; time for each",
        n: 10 * MILLION,
        threads_n: Some(10 * MILLION),
        runtimes: COMPILED,
        run: runtimes::run::<channel::OneToOne>,
        ..PLAIN
    },
    Workload {
        name: "mpmc-4x4",
        what: "numbers from four greenlets to four others, through a channel for 1,024; time for each",
        n: 8 * MILLION,
        threads_n: Some(8 * MILLION),
        runtimes: COMPILED,
        run: runtimes::run::<channel::FourToFour>,
        ..PLAIN
    },
    Workload {
        name: "mpmc-unbounded",
        what: "numbers from four greenlets to four others, through a channel for any number; time for each",
        n: 8 * MILLION,
        threads_n: Some(8 * MILLION),
        runtimes: COMPILED,
        run: runtimes::run::<channel::Unbounded>,
        ..PLAIN
    },
    Workload {
        name: "rendezvous",
        what: "numbers from one greenlet to another, through a channel without room; time for each",
        n: 4 * MILLION,
        threads_n: Some(100_000),
        runtimes: RENDEZVOUS,
        run: runtimes::run::<channel::Rendezvous>,
        ..PLAIN
    },
    Workload {
        name: "oneshot",
        what: "channels for one message, made, sent to by one greenlet and received from by another; time for each",
        n: 4 * MILLION,
        threads_n: Some(4 * MILLION),
        runtimes: COMPILED,
        run: runtimes::run::<Oneshot>,
        ..PLAIN
    },
    Workload {
        name: "select-2",
        what: "a select over two channels that have a message, and a send; time for both",
        n: 10 * MILLION,
        threads_n: Some(10 * MILLION),
        runtimes: SELECTS,
        run: runtimes::run::<Selecting<2>>,
        ..PLAIN
    },
    Workload {
        name: "select-8",
        what: "a select over eight channels that have a message, and a send; time for both",
        n: 4 * MILLION,
        threads_n: Some(4 * MILLION),
        runtimes: SELECTS,
        run: runtimes::run::<Selecting<8>>,
        ..PLAIN
    },
    Workload {
        name: "lock-uncontended",
        what: "a greenlet locks a mutex that nobody else wants, and adds; time for each lock and unlock",
        n: 50 * MILLION,
        threads_n: Some(50 * MILLION),
        runtimes: COMPILED,
        run: runtimes::run::<lock::Uncontended>,
        ..PLAIN
    },
    Workload {
        name: "lock-1000",
        what: "1,000 greenlets lock one mutex, and add; time for each lock and unlock",
        n: 5 * MILLION,
        smoke: 10_000,
        threads_n: Some(5 * MILLION),
        runtimes: COMPILED,
        run: runtimes::run::<lock::Contended>,
        ..PLAIN
    },
    Workload {
        name: "rwlock",
        what: "1,000 greenlets read what a lock guards nine times out of ten, else add; time for each lock and unlock",
        n: 5 * MILLION,
        smoke: 10_000,
        threads_n: Some(5 * MILLION),
        runtimes: COMPILED,
        run: runtimes::run::<lock::Readers>,
        ..PLAIN
    },
    Workload {
        name: "fork-join",
        what: "Fibonacci where each call spawns one of its halves; time for each spawn and join",
        n: 100,
        smoke: 1,
        runtimes: COMPILED,
        run: runtimes::run::<Fib>,
        ..PLAIN
    },
    Workload {
        name: "imbalance",
        what: "1,000 greenlets with uneven CPU work, half of it in one of fifty; time over the ideal",
        figures: &["× ideal", "wall s"],
        n: 40_000,
        smoke: 4000,
        threads_n: Some(40_000),
        workers: &[2],
        runtimes: COMPILED,
        run: runtimes::run::<Imbalance>,
        ..PLAIN
    },
    Workload {
        name: "sleepers-100k",
        what: "100,000 greenlets sleep 1 to 3 s",
        figures: &["late p99 ms", "CPU s", "wall s"],
        n: 100_000,
        workers: &[2],
        run: runtimes::run::<Sleepers>,
        ..PLAIN
    },
    Workload {
        name: "sleepers-1m",
        what: "1,000,000 greenlets sleep 1 to 3 s",
        figures: &["CPU s", "wall s", "late p99 ms"],
        workers: &[2],
        run: runtimes::run::<Sleepers>,
        ..PLAIN
    },
    Workload {
        name: "parked",
        what: "1,000,000 greenlets are parked: memory (resident and page tables) each, time to create them all",
        figures: &["bytes", "create s"],
        workers: &[2],
        runtimes: COMPILED,
        run: runtimes::run::<Parked>,
        ..PLAIN
    },
    Workload {
        name: "echo-1",
        what: "TCP echo of 64 bytes, 1 connection",
        n: 50_000,
        threads_n: Some(50_000),
        load: Load::Echo(1),
        ..ECHO_SERVER
    },
    Workload {
        name: "echo-64",
        what: "TCP echo of 64 bytes, 64 connections",
        threads_n: Some(200_000),
        load: Load::Echo(64),
        ..ECHO_SERVER
    },
    Workload {
        name: "echo-1000",
        what: "TCP echo of 64 bytes, 1,000 connections",
        threads_n: Some(200_000),
        load: Load::Echo(1000),
        ..ECHO_SERVER
    },
    Workload {
        name: "echo-10000",
        what: "TCP echo of 64 bytes, 10,000 connections",
        load: Load::Echo(10_000),
        ..ECHO_SERVER
    },
    Workload {
        name: "echo-hog",
        what: "TCP echo of 64 bytes, 16 connections, beside a greenlet that computes and never yields",
        figures: &[
            "p99 µs",
            "p50 µs",
            "p99.9 µs",
            "requests/s",
            "waiting at the end",
        ],
        n: 20_000,
        smoke: 200,
        threads_n: Some(20_000),
        workers: &[2],
        runtimes: COMPILED,
        run: runtimes::run::<Echo<true>>,
        hopeless: &[Runtime::May],
        load: Load::Echo(16),
    },
    Workload {
        name: "http-64",
        what: "HTTP plaintext under wrk, 64 connections",
        load: Load::Wrk(64),
        ..HTTP_SERVER
    },
    Workload {
        name: "http-1000",
        what: "HTTP plaintext under wrk, 1,000 connections",
        load: Load::Wrk(1000),
        ..HTTP_SERVER
    },
];

impl Workload {
    /// How much of it `runtime` does.
    pub(crate) fn amount(&self, runtime: Runtime, smoke: bool) -> u64 {
        match (smoke, runtime, self.threads_n) {
            (true, ..) => self.smoke,
            (_, Runtime::Threads, Some(n)) => n,
            _ => self.n,
        }
    }

    /// Whether it is one for `runtime`.
    pub(crate) fn suits(&self, runtime: Runtime) -> bool {
        self.runtimes.contains(&runtime)
            && (runtime != Runtime::Threads || self.threads_n.is_some())
    }
}

/// The workload called `name`.
pub(crate) fn by_name(name: &str) -> Result<&'static Workload, String> {
    ALL.iter()
        .find(|workload| workload.name == name)
        .ok_or_else(|| unknown(name))
}

/// All, the one called `name`, or those whose name begins with it and a dash.
pub(crate) fn matching(name: &str) -> Result<Vec<&'static Workload>, String> {
    let family = format!("{name}-");
    let matches = |workload: &&Workload| {
        name == "all" || workload.name == name || workload.name.starts_with(&family)
    };
    let found: Vec<_> = ALL.iter().filter(matches).collect();
    if found.is_empty() {
        Err(unknown(name))
    } else {
        Ok(found)
    }
}

fn unknown(name: &str) -> String {
    let names: Vec<_> = ALL.iter().map(|workload| workload.name).collect();
    format!(
        "there is no workload {name:?}; there are all, {}",
        names.join(", ")
    )
}

/// Prints the workloads and the runtimes.
pub(crate) fn list() {
    for workload in ALL {
        println!("{:14} {}", workload.name, workload.what);
        println!("{:14} {}", "", workload.figures.join(", "));
    }
    println!("\nruntimes: {}", Runtime::ALL.map(Runtime::name).join(", "));
}
