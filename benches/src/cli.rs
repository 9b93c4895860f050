//! The command line.

use std::path::PathBuf;

use crate::load;
use crate::runtimes::Runtime;
use crate::work::Job;
use crate::workload::{self, Workload};

pub(crate) const USAGE: &str = "\
usage: sward-benches all | WORKLOAD... [options]   measure, and write a report
       sward-benches list                          the workloads and the runtimes

WORKLOAD is a name from the list, or the part before a dash for all that begin with it (echo: echo-1, echo-64, ...).

  --against A,B    only sward and these peers; without it, all peers
  --runs N         runs of each, of which the median counts (7)
  --workers A,B    only with these numbers of workers; without it, those of the workload
  --smoke          tiny amounts and one run: does everything still work?
  --out DIR        where the report goes (target/bench)";

/// What the command line asks for.
pub(crate) enum Command {
    Help,
    List,
    Measure(Plan),
    /// One measurement in this process: how the driver starts it.
    Child {
        runtime: Runtime,
        workload: &'static Workload,
        job: Job,
    },
    /// The generator of requests: how the driver starts it.
    Load(load::Order),
}

/// What to measure.
pub(crate) struct Plan {
    /// In the order of the list.
    pub(crate) workloads: Vec<&'static Workload>,
    /// Peers, if not all.
    pub(crate) against: Option<Vec<Runtime>>,
    pub(crate) runs: usize,
    pub(crate) workers: Option<Vec<usize>>,
    pub(crate) smoke: bool,
    pub(crate) out: PathBuf,
}

const RUNS: usize = 7;

pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let all: Vec<String> = arguments.collect();
    let words: Vec<&str> = all.iter().map(String::as_str).collect();
    match words[..] {
        [] | ["help" | "--help" | "-h", ..] => Ok(Command::Help),
        ["list"] => Ok(Command::List),
        ["child", runtime, workload, workers, n] => Ok(Command::Child {
            runtime: Runtime::by_name(runtime)?,
            workload: workload::by_name(workload)?,
            job: Job {
                workers: number("workers", workers)?,
                n: number("n", n)?,
            },
        }),
        ["load", port, pid, connections, requests] => Ok(Command::Load(load::Order {
            port: number("port", port)?,
            pid: number("pid", pid)?,
            connections: number("connections", connections)?,
            requests: number("requests", requests)?,
        })),
        _ => plan(&words).map(Command::Measure),
    }
}

fn plan(words: &[&str]) -> Result<Plan, String> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    let mut plan = Plan {
        workloads: Vec::new(),
        against: None,
        runs: RUNS,
        workers: None,
        smoke: false,
        out: target.join("bench"),
    };
    let mut words = words.iter();
    while let Some(&word) = words.next() {
        let mut value = || {
            words
                .next()
                .copied()
                .ok_or_else(|| format!("{word} needs a value"))
        };
        match word {
            "--against" => {
                plan.against = Some(
                    value()?
                        .split(',')
                        .map(Runtime::by_name)
                        .collect::<Result<_, _>>()?,
                );
            }
            "--runs" => plan.runs = number(word, value()?)?,
            "--workers" => {
                let each = value()?.split(',').map(|text| number(word, text));
                plan.workers = Some(each.collect::<Result<_, _>>()?);
            }
            "--smoke" => plan.smoke = true,
            "--out" => plan.out = value()?.into(),
            option if option.starts_with('-') => {
                return Err(format!("there is no option {option}\n{USAGE}"));
            }
            name => plan.workloads.extend(workload::matching(name)?),
        }
    }
    if plan.workloads.is_empty() {
        return Err(format!("no workload named\n{USAGE}"));
    }
    if plan.smoke {
        plan.runs = 1;
    }
    if plan.runs == 0 {
        return Err("--runs must be 1 or more".to_owned());
    }
    Ok(plan)
}

fn number<N: std::str::FromStr>(name: &str, text: &str) -> Result<N, String> {
    text.parse()
        .map_err(|_| format!("{name}: {text:?} is not a number that can be used here"))
}
