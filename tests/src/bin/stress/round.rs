//! Running rounds, in the child process, and checking what came of them.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use rustix::process::{Signal, set_parent_process_death_signal};
use sward::net::TcpListener;
use sward::{Handle, Homes, Runtime};
use sward_tests::{dump_and_abort, process, settle};

use crate::act;
use crate::children;
use crate::counts::{Counts, Event};
use crate::draw;
use crate::ending;
use crate::ground::Ground;
use crate::ledger::{self, Token};
use crate::memory::Growth;
use crate::net;
use crate::options::{Options, Sabotage};
use crate::panics;
use crate::plan::{Plan, Setting};
use crate::watch::{self, Outsiders};

/// Between two looks at what the process has.
const PAUSE: Duration = Duration::from_micros(200);

/// What the process has before the first round, and must have after each.
struct Baseline {
    outsiders: &'static Outsiders,
    threads: usize,
    descriptors: usize,
}

/// Runs the rounds asked for. What goes wrong ends the process.
pub(crate) fn run_all(options: &Options) -> ExitCode {
    // Whoever watches over this process should not leave it behind. An emulator may not know how.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let begun = Instant::now();
    panics::hook();
    watch::start(options.patience);
    let baseline = Baseline {
        outsiders: Box::leak(Box::new(Outsiders::start())),
        threads: process::threads(),
        descriptors: process::descriptors(),
    };
    let end = options
        .rounds
        .map_or(u64::MAX, |rounds| options.first + rounds);
    let mut growth = Growth::default();
    for number in options.first..end {
        let plan = draw::plan(options, number);
        for _ in 0..options.times {
            say(&format!("{}{number}", crate::supervisor::BEGINS));
            let line = run(options, &plan, &baseline, &mut growth);
            say(&line);
            if begun.elapsed() >= options.limit {
                return ExitCode::SUCCESS;
            }
        }
    }
    ExitCode::SUCCESS
}

/// One line, at once: in the supervisor's pipe it stands between those that sward writes.
fn say(line: &str) {
    let written = std::io::stderr().write_all(format!("{line}\n").as_bytes());
    written.expect("somebody listens");
}

/// Runs a round. What to say of it.
fn run(options: &Options, plan: &Plan, baseline: &Baseline, growth: &mut Growth) -> String {
    watch::round(plan.number);
    let begun = Instant::now();
    let chosen = plan.counts();
    let hooked = panics::hooked();
    let (beside, known_beside) =
        ending::build(format!("stress-{}-beside", plan.number), &plan.beside);
    let (main, known_main) = ending::build(format!("stress-{}", plan.number), &plan.main);
    let (sabotage, of_main) = (options.sabotage, main.handle());
    let (listener, address) = net::listener();
    let ground = Ground::new(
        plan.number,
        address,
        beside.handle(),
        baseline.outsiders,
        sabotage,
    );
    let ground = Arc::new(ground.expect("sockets"));
    storm(&ground, listener, plan, &of_main, &chosen);
    let done = ground.tally.counts();
    let differences = chosen.differences(&done);
    assert!(differences.is_empty(), "{differences:#?}");
    ground.locks.check(&done);
    assert_eq!(
        panics::hooked() - hooked,
        chosen.of(Event::Hooked),
        "calls of the hook"
    );
    let migrations = quiet(&main, &plan.main) + quiet(&beside, &plan.beside);
    if ground.sabotage(Sabotage::Drop) {
        std::mem::forget(Token::new());
    }
    assert_eq!(
        ledger::living(),
        ending::abandoned(),
        "values not dropped once each"
    );
    ending::end(&ground, main, &plan.ending);
    drop((of_main, known_main));
    beside.shutdown(act::AGES).expect("nothing is left to do");
    drop(known_beside);
    let told_left = ground.told_left.load(SeqCst);
    let left = Arc::try_unwrap(ground).map(drop);
    assert!(left.is_ok(), "a closure that knows the round is left");
    nothing_left(options, baseline);
    assert_eq!(
        ledger::living(),
        ending::abandoned(),
        "values not dropped once each"
    );
    if options.sabotage == Some(Sabotage::Memory) {
        // Looked at, or the optimiser leaves it out.
        std::hint::black_box(Vec::leak(vec![0_u8; 64 << 20]));
    }
    let memory = growth.after_round(ending::abandoned());
    say(&format!(
        "{}{} {told_left}",
        crate::supervisor::TOLD,
        chosen.of(Event::Unheard)
    ));
    format!(
        "{} -- {migrations} migrations, {} ms, {} threads stay, {} mappings, {} MiB",
        describe(plan, &chosen),
        begun.elapsed().as_millis(),
        ending::staying(),
        memory.mappings,
        memory.bytes >> 20,
    )
}

/// Has all greenlets do what they are to do, and waits until they have ended.
fn storm(ground: &Arc<Ground>, listener: TcpListener, plan: &Plan, main: &Handle, chosen: &Counts) {
    let connections = chosen.of(Event::Accepted);
    let theirs = ground.clone();
    let place = if plan.serve_beside {
        &ground.beside
    } else {
        main
    };
    let server = place.spawn(move || net::serve(&theirs, listener, connections));
    if ground.sabotage(Sabotage::Unheard) {
        drop(main.spawn(|| panics::raise(false, 0)));
    }
    children::all(ground, Some(main), &plan.roots, false);
    // First here: those that nobody joins may yet spawn others there.
    settle(main);
    settle(&ground.beside);
    server.join().expect("it ends the process when it fails");
}

/// Checks a runtime whose greenlets have all ended. How many migrations it had.
fn quiet(runtime: &Runtime, setting: &Setting) -> u64 {
    let metrics = runtime.handle().metrics();
    assert_eq!(metrics.workers, setting.workers);
    match setting.homes {
        Homes::Moving { limit } => assert!(metrics.homes <= limit, "{metrics:?}"),
        // Spares have homes of their own, and may be there for a moment yet.
        Homes::Fixed => {
            assert!(metrics.homes >= setting.workers, "{metrics:?}");
            assert_eq!(metrics.migrations, 0);
        }
    }
    metrics.migrations
}

/// The process has what it had before the first round, and what given-up greenlets keep.
fn nothing_left(options: &Options, baseline: &Baseline) {
    match options.sabotage {
        Some(Sabotage::Crash) => std::process::abort(),
        Some(Sabotage::Descriptor) => std::mem::forget(std::io::pipe()),
        Some(Sabotage::Thread) => drop(std::thread::spawn(std::thread::park)),
        _ => {}
    }
    let wanted = (
        baseline.threads + ending::staying(),
        baseline.descriptors + ending::descriptors(),
    );
    let begun = Instant::now();
    loop {
        // A thread that has been joined is counted for a moment longer.
        let there_are = (process::threads(), process::descriptors());
        if there_are == wanted {
            return;
        }
        if begun.elapsed() > options.patience {
            dump_and_abort(&format!(
                "threads and descriptors: {there_are:?} instead of {wanted:?}, those of given-up greenlets counted"
            ));
        }
        std::thread::sleep(PAUSE);
    }
}

/// What was chosen, in a line: the same whenever the round is done again.
fn describe(plan: &Plan, chosen: &Counts) -> String {
    let homes = |setting: &Setting| match setting.homes {
        Homes::Moving { limit } => format!("moving up to {limit}"),
        Homes::Fixed => "fixed".to_owned(),
    };
    let Plan {
        number,
        main,
        beside,
        ..
    } = plan;
    format!(
        "round {number}: workers {} and {}, homes {} and {}, stacks {} KiB; {} greenlets and {} local, {} panics, \
         {} connections, {} threads, {} runtimes inside, ended by {:?}; choices {:016x}, sum {:016x}",
        main.workers,
        beside.workers,
        homes(main),
        homes(beside),
        main.stack >> 10,
        chosen.of(Event::Ran),
        chosen.of(Event::Local),
        chosen.of(Event::Hooked) + chosen.of(Event::Raised),
        chosen.of(Event::Connected) + chosen.of(Event::Pair) + chosen.of(Event::Refused),
        chosen.of(Event::Thread),
        chosen.of(Event::Runtime),
        plan.ending.manner,
        digest(&format!("{plan:?}")),
        chosen.of(Event::Sum),
    )
}

/// FNV-1a.
fn digest(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}
