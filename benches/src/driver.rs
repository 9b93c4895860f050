//! The driver: runs each workload in a fresh process per runtime and run, runtimes in turn, and gathers the figures.
//!
//! In turn (A B C A B C), so that what else the machine does hits all alike.

use std::process::Command;
use std::time::Duration;

use crate::cli::Plan;
use crate::outcome::Outcome;
use crate::process::Process;
use crate::report::{self, Entry, Table};
use crate::runtimes::Runtime;
use crate::work::Job;
use crate::workload::{Load, Workload};
use crate::{foreign, machine, plot, serving};

/// Longer than any run that goes well.
const LIMIT: Duration = Duration::from_secs(120);

/// Measures what `plan` says and writes the report. `false` if a run of ours failed, or, in a smoke run, any.
pub(crate) fn measure(plan: &Plan) -> Result<bool, String> {
    std::fs::create_dir_all(&plan.out).map_err(|e| format!("{}: {e}", plan.out.display()))?;
    let machine = machine::describe();
    let mut tables = Vec::new();
    for &workload in &plan.workloads {
        let wanted = plan.workers.as_deref().unwrap_or(workload.workers);
        // A smoke run asks whether it works, and more workers find more.
        let wanted = if plan.smoke {
            &wanted[wanted.len() - 1..]
        } else {
            wanted
        };
        for &workers in wanted {
            tables.push(table(plan, workload, workers));
            // Each time anew: it takes long, and what there is may be wanted.
            let wrong = |e| format!("writing the report: {e}");
            report::write(plan, &machine, &tables).map_err(wrong)?;
        }
    }
    plot::write(plan, &tables)?;
    println!("{}", plan.out.join("report.md").display());
    let ours_or_smoke = |entry: &&Entry| plan.smoke || entry.runtime == Runtime::Sward;
    let mut entries = tables.iter().flat_map(|table| &table.entries);
    Ok(!entries.any(|entry| ours_or_smoke(&entry) && entry.failed()))
}

fn table(plan: &Plan, workload: &'static Workload, workers: usize) -> Table {
    let chosen = |runtime: &Runtime| match &plan.against {
        Some(peers) => *runtime == Runtime::Sward || peers.contains(runtime),
        None => true,
    };
    let mut entries: Vec<_> = workload
        .runtimes
        .iter()
        .copied()
        .filter(chosen)
        .filter(|&runtime| workload.suits(runtime))
        .filter(|runtime| !(plan.smoke && workload.hopeless.contains(runtime)))
        .map(|runtime| Entry::new(runtime, workload.amount(runtime, plan.smoke)))
        .collect();
    let load = if plan.smoke {
        workload.load.small()
    } else {
        workload.load
    };
    for run in 1..=plan.runs {
        for entry in entries.iter_mut().filter(|entry| entry.goes_on()) {
            let job = Job {
                workers,
                n: entry.n,
            };
            let outcome = match command(plan, entry.runtime, workload, job) {
                Ok(command) => one(command, load, job),
                Err(missing) => {
                    eprintln!(
                        "{}: {} skipped: {missing}",
                        workload.name,
                        entry.runtime.name()
                    );
                    entry.skipped = Some(missing);
                    continue;
                }
            };
            let of = format!("{} workers={workers} {run}/{}", workload.name, plan.runs);
            match &outcome {
                Ok(outcome) => eprintln!("{of} {}: {outcome}", entry.runtime.name()),
                Err(wrong) => eprintln!("{of} {}: FAILED: {wrong}", entry.runtime.name()),
            }
            entry.outcomes.push(outcome);
        }
    }
    Table {
        workload,
        workers,
        entries,
    }
}

/// What to start, or what is missing for it.
fn command(
    plan: &Plan,
    runtime: Runtime,
    workload: &Workload,
    job: Job,
) -> Result<Command, String> {
    if matches!(workload.load, Load::Wrk(_)) && Command::new("wrk").arg("-v").output().is_err() {
        return Err("no wrk; install wrk".to_owned());
    }
    if runtime.is_foreign() {
        return foreign::command(runtime, workload, job, &plan.out);
    }
    let me = std::env::current_exe().map_err(|e| format!("who am I? {e}"))?;
    let mut command = Command::new(me);
    command.args(["child", runtime.name(), workload.name]);
    command.args([job.workers.to_string(), job.n.to_string()]);
    Ok(command)
}

fn one(mut command: Command, load: Load, job: Job) -> Result<Outcome, String> {
    if load != Load::None {
        return serving::measure(&mut command, load, job);
    }
    let lines = Process::start(&mut command)?.all(LIMIT)?;
    Outcome::parse(lines.last().ok_or("it said nothing")?)
}
