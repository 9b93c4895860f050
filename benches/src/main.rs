//! The yardstick: one definition per workload, run by sward and by its peers, each in a process of its own.
//!
//! `sward-benches all` measures everything and writes a report; `benches/README.md` says how to read and extend it.
//! The binary starts itself again for each measurement (`child`, `load`), so that no runtime sees the leavings of
//! another.

mod cli;
mod driver;
mod foreign;
mod load;
mod machine;
mod meter;
mod outcome;
mod plot;
mod process;
mod report;
mod runtimes;
mod serving;
mod work;
mod workload;

use std::process::ExitCode;

use cli::Command;

fn main() -> ExitCode {
    meter::raise_descriptor_limit();
    let done = match cli::parse(std::env::args().skip(1)) {
        Ok(Command::Help) => {
            println!("{}", cli::USAGE);
            Ok(true)
        }
        Ok(Command::List) => {
            workload::list();
            Ok(true)
        }
        Ok(Command::Measure(plan)) => driver::measure(&plan),
        Ok(Command::Child {
            runtime,
            workload,
            job,
        }) => child(runtime, workload, job),
        Ok(Command::Load(order)) => load::run(&order).map(|outcome| {
            println!("{outcome}");
            true
        }),
        Err(wrong) => {
            eprintln!("sward-benches: {wrong}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(wrong) => {
            eprintln!("sward-benches: {wrong}");
            ExitCode::FAILURE
        }
    }
}

/// One measurement, in this process.
fn child(
    runtime: runtimes::Runtime,
    workload: &'static workload::Workload,
    job: work::Job,
) -> Result<bool, String> {
    let outcome = (workload.run)(runtime, job)?;
    println!("{outcome}");
    Ok(true)
}
