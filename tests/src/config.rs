//! The cases that a test runs over: numbers of workers, kinds of home.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use sward::{Homes, Runtime, RuntimeBuilder};

use crate::identity::can_move;
use crate::leak::settle;
use crate::rng::Rng;
use crate::watchdog::Watchdog;

/// The numbers of workers, if the environment does not say otherwise.
const WORKERS: [usize; 4] = [1, 2, 4, 8];
/// Names other numbers of workers: `SWARD_TEST_WORKERS=1,2`.
const WORKERS_VARIABLE: &str = "SWARD_TEST_WORKERS";
/// Has each test take so many of its cases, at random: `SWARD_TEST_CASES=1`, for loops that are to be long.
pub(crate) const CASES_VARIABLE: &str = "SWARD_TEST_CASES";
/// How long a shutdown with nothing left to do may take. The watchdog comes first if it is armed as usual.
const SHUTDOWN: Duration = Duration::from_secs(100);

/// What homes a case's greenlets have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Started greenlets migrate, and up to a hundred of them have each a home to itself.
    Moving,
    /// Started greenlets migrate and share two homes.
    Few,
    /// Started greenlets stay where they started, in the home of their worker.
    Fixed,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 3] = [Kind::Moving, Kind::Few, Kind::Fixed];

    /// As `sward` names it.
    #[must_use]
    pub fn homes(self) -> Homes {
        match self {
            Kind::Moving => Homes::Moving { limit: 128 },
            Kind::Few => Homes::Moving { limit: 2 },
            Kind::Fixed => Homes::Fixed,
        }
    }
}

/// The kinds of homes that this machine has, by name, for what does not depend on how many there are.
pub fn kinds() -> impl Iterator<Item = (&'static str, Homes)> {
    let kinds = [
        ("moving", Homes::Moving { limit: 16 }),
        ("fixed", Homes::Fixed),
    ];
    kinds
        .into_iter()
        .filter(|(_, homes)| *homes == Homes::Fixed || can_move())
}

/// One case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The number of workers.
    pub workers: usize,
    /// The kind of homes.
    pub kind: Kind,
}

impl Config {
    /// All cases that this machine has.
    #[must_use]
    pub fn all() -> Vec<Config> {
        let workers = match std::env::var(WORKERS_VARIABLE) {
            Ok(list) => list.split(',').map(parse_workers).collect(),
            Err(_) => WORKERS.to_vec(),
        };
        let of_kind = |kind| workers.iter().map(move |&workers| Config { workers, kind });
        let all = Kind::ALL.into_iter().flat_map(of_kind);
        let mut all: Vec<_> = all.filter(|config| config.is_possible()).collect();
        if let Ok(cases) = std::env::var(CASES_VARIABLE) {
            let cases: usize = cases.parse().expect("a number of cases");
            let mut rng = Rng::new(RandomState::new().hash_one(()));
            while all.len() > cases.max(1) {
                all.swap_remove(rng.below(all.len() as u64) as usize);
            }
        }
        all
    }

    /// Whether this machine can run it.
    #[must_use]
    pub fn is_possible(self) -> bool {
        self.kind == Kind::Fixed || can_move()
    }

    /// Whether a started greenlet may be resumed by another worker.
    #[must_use]
    pub fn migrates(self) -> bool {
        self.workers > 1 && self.kind != Kind::Fixed
    }

    /// Whether each of up to a hundred started greenlets has a home to itself.
    #[must_use]
    pub fn alone(self) -> bool {
        self.kind == Kind::Moving
    }

    /// How many greenlets can run at a time, whichever they are: those of one home cannot.
    #[must_use]
    pub fn parallel(self) -> usize {
        match self.kind {
            Kind::Few => 1,
            Kind::Moving | Kind::Fixed => self.workers,
        }
    }

    /// A builder with this case's settings.
    pub fn builder(self) -> RuntimeBuilder {
        Runtime::builder()
            .workers(self.workers)
            .homes(self.kind.homes())
    }

    /// A runtime with this case's settings.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    #[must_use]
    pub fn build(self) -> Runtime {
        self.builder().build().expect("a runtime")
    }

    /// Runs `body` on a runtime, then checks that it left nothing behind and that the runtime shuts down.
    ///
    /// # Panics
    ///
    /// If `body` does, or if the runtime cannot be made or does not shut down.
    pub fn run(self, body: impl FnOnce(&Runtime)) {
        self.run_on(self.build(), body);
    }

    /// The same where no spare worker ever stands in: with one worker, one greenlet runs at a time.
    ///
    /// # Panics
    ///
    /// As `run`.
    pub fn run_without_spares(self, body: impl FnOnce(&Runtime)) {
        let builder = self.builder().max_workers(self.workers);
        self.run_on(builder.build().expect("a runtime"), body);
    }

    fn run_on(self, runtime: Runtime, body: impl FnOnce(&Runtime)) {
        body(&runtime);
        settle(&runtime.handle());
        let metrics = runtime.handle().metrics();
        let homes = metrics.homes;
        let most = match self.kind {
            Kind::Moving => 128,
            Kind::Few => 2,
            Kind::Fixed => self.workers + metrics.spares,
        };
        assert!(homes <= most, "{homes} homes");
        let handle = runtime.handle();
        runtime.shutdown(SHUTDOWN).expect("nothing is left to do");
        let metrics = handle.metrics();
        assert_eq!((metrics.homes, metrics.spares), (0, 0), "{metrics:?}");
    }
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Config { workers, kind } = self;
        write!(f, "workers {workers}, homes {kind:?}")
    }
}

/// Runs `body` for each case, with a watchdog.
pub fn each_config(body: impl Fn(Config)) {
    for config in Config::all() {
        let watchdog = Watchdog::new(config);
        body(config);
        drop(watchdog);
    }
}

/// Runs `body` on a runtime of each case, with a watchdog, and checks after each that nothing was left behind.
pub fn each_runtime(body: impl Fn(&Runtime)) {
    each_config(|config| config.run(&body));
}

fn parse_workers(number: &str) -> usize {
    match number.trim().parse() {
        Ok(workers) if workers > 0 => workers,
        _ => panic!("{WORKERS_VARIABLE} is a list of numbers above 0 with commas between them"),
    }
}
