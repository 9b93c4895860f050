//! A storm of everything at once, with random choices that come again: what the tests of the parts do not think of.
//!
//! ```text
//! cargo run --release -p sward-tests --bin stress                          ten minutes, with a seed of its own
//! cargo run --release -p sward-tests --bin stress -- --seed 7 --round 12   one round's choices again
//! cargo run --release -p sward-tests --bin stress -- --help
//! ```
//!
//! It goes through rounds. A round is *drawn* (`draw`) from the seed and its number alone: a [`plan::Plan`] says how many
//! workers there are, which homes, and what every greenlet does, as a tree. It is *run* (`round`) on a runtime of its
//! own, and then it is checked: the sum that each greenlet gives and that all give, how often each thing happened, that
//! every value was dropped once, that no greenlet's thread identity changed, and that neither the runtime nor the process
//! holds anything more than before. What the plan asks for and what was done are counted by different code (`plan`; `act`, `children`, `net`).
//!
//! The choices come again, the schedule does not: a failure that depends on it may need many tries (`--times`).
//!
//! Rounds run in child processes, some hundred in each (`supervisor`), so that whoever started the program is told the seed
//! and the round also when the process dies, and so that what sward says on standard error can be counted.
//!
//! Any panic that is not one of the chosen ones ends the process at once (`panics`). A round in which nothing goes on
//! any more does so too, after it has said where everybody is (`watch`).

mod act;
mod children;
mod counts;
mod draw;
mod ending;
mod flow;
mod ground;
mod ledger;
mod locks;
mod memory;
mod net;
mod options;
mod panics;
mod plan;
mod round;
mod supervisor;
mod watch;

use std::process::ExitCode;

use options::{Options, Request};

fn main() -> ExitCode {
    match options::parse(std::env::args().skip(1)) {
        Ok(Request::Help) => {
            print!("{}", options::USAGE);
            ExitCode::SUCCESS
        }
        Ok(Request::Show(options)) => {
            show(&options);
            ExitCode::SUCCESS
        }
        Ok(Request::Run(options)) if options.inside => round::run_all(&options),
        Ok(Request::Run(options)) => supervisor::supervise(&options),
        Err(error) => {
            eprintln!("stress: {error}\n\n{}", options::USAGE);
            ExitCode::from(2)
        }
    }
}

/// Prints the choices of the rounds and runs none.
fn show(options: &Options) {
    println!("seed {}", options.seed);
    for number in options.first..options.first + options.rounds.unwrap_or(1) {
        println!("{:#?}", draw::plan(options, number));
    }
}
