//! The report: `report.md` for people, `report.json` for programs.

use std::fmt::Write as _;
use std::{fs, io};

use serde_json::{Map, Value, json};

use crate::cli::Plan;
use crate::outcome::Outcome;
use crate::runtimes::Runtime;
use crate::workload::Workload;

/// One workload with one number of workers.
pub(crate) struct Table {
    pub(crate) workload: &'static Workload,
    pub(crate) workers: usize,
    pub(crate) entries: Vec<Entry>,
}

/// One runtime in a table.
pub(crate) struct Entry {
    pub(crate) runtime: Runtime,
    pub(crate) n: u64,
    pub(crate) outcomes: Vec<Result<Outcome, String>>,
    /// Why it cannot be run here.
    pub(crate) skipped: Option<String>,
}

/// The median of a figure over the runs, and its spread.
#[derive(Clone, Copy)]
pub(crate) struct Figure {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Entry {
    pub(crate) fn new(runtime: Runtime, n: u64) -> Self {
        Self {
            runtime,
            n,
            outcomes: Vec::new(),
            skipped: None,
        }
    }

    /// Why a run failed, if one did.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.outcomes
            .iter()
            .find_map(|outcome| outcome.as_ref().err())
            .map(String::as_str)
    }

    pub(crate) fn failed(&self) -> bool {
        self.failure().is_some()
    }

    /// Whether there is a point in another run: what failed once has no fair figures any more.
    pub(crate) fn goes_on(&self) -> bool {
        self.skipped.is_none() && !self.failed()
    }

    /// The figure `name`, if no run failed.
    pub(crate) fn figure(&self, name: &str) -> Option<Figure> {
        let value = |outcome: &Result<Outcome, String>| outcome.as_ref().ok()?.value(name);
        let mut values: Vec<f64> = self.outcomes.iter().map(value).collect::<Option<_>>()?;
        values.sort_by(f64::total_cmp);
        let (&min, &max) = (values.first()?, values.last()?);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            0 => f64::midpoint(values[middle - 1], values[middle]),
            _ => values[middle],
        };
        Some(Figure { median, min, max })
    }
}

pub(crate) fn write(plan: &Plan, machine: &[(&str, String)], tables: &[Table]) -> io::Result<()> {
    fs::write(plan.out.join("report.md"), markdown(plan, machine, tables))?;
    let tables: Vec<_> = tables.iter().map(table_json).collect();
    let machine: Map<_, _> = machine
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.as_str().into()))
        .collect();
    let report = json!({
        "version": env!("CARGO_PKG_VERSION"), "machine": machine, "runs": plan.runs, "smoke": plan.smoke,
        "tables": tables,
    });
    fs::write(plan.out.join("report.json"), format!("{report:#}\n"))
}

fn table_json(table: &Table) -> Value {
    let entry = |entry: &Entry| {
        let figure = |name: &&str| {
            let Figure { median, min, max } = entry.figure(name)?;
            Some((
                (*name).to_owned(),
                json!({"median": median, "min": min, "max": max}),
            ))
        };
        let figures: Map<_, _> = table.workload.figures.iter().filter_map(figure).collect();
        json!({
            "runtime": entry.runtime.name(), "n": entry.n, "figures": figures,
            "failed": entry.failure(), "skipped": entry.skipped,
        })
    };
    json!({
        "workload": table.workload.name, "what": table.workload.what, "workers": table.workers,
        "entries": table.entries.iter().map(entry).collect::<Vec<_>>(),
    })
}

fn markdown(plan: &Plan, machine: &[(&str, String)], tables: &[Table]) -> String {
    let mut text = String::from("# The yardstick\n\n");
    for (name, value) in machine {
        let _ = writeln!(text, "- {name}: {value}");
    }
    let runs = plan.runs;
    let _ = writeln!(
        text,
        "\nMedian of {runs} run(s), each in a process of its own, runtimes in turn; (lowest to highest). The last column \
         is sward's score, the first figure, over the peer's."
    );
    if plan.smoke {
        text.push_str("\nA smoke run: the amounts are tiny and the figures mean nothing.\n");
    }
    summary(&mut text, tables);
    for table in tables {
        section(&mut text, table);
    }
    text
}

/// Figures that only the tables have, not the summary.
const DETAILS: [&str; 5] = [
    "p50 µs",
    "p99.9 µs",
    "load busy %",
    "waiting at the end",
    "wall s",
];

/// All tables in one: the medians, and behind a peer's what sward's is of it.
fn summary(text: &mut String, tables: &[Table]) {
    let has = |runtime: &Runtime| {
        let mut entries = tables.iter().flat_map(|table| &table.entries);
        entries.any(|entry| entry.runtime == *runtime && entry.goes_on())
    };
    let columns: Vec<_> = Runtime::ALL.into_iter().filter(has).collect();
    let names: Vec<_> = columns.iter().map(|runtime| runtime.name()).collect();
    let _ = writeln!(
        text,
        "\n## Summary\n\nMedians, and in parentheses sward's over the peer's: for `/s` more is better, else less.\n\n\
         | workload | workers | figure | {} |\n|---|---:|---|{}",
        names.join(" | "),
        "---:|".repeat(columns.len())
    );
    for table in tables {
        let figures = table.workload.figures.iter();
        for name in figures.filter(|name| !DETAILS.contains(name)) {
            let of = |runtime: Runtime| {
                let entry = table
                    .entries
                    .iter()
                    .find(|entry| entry.runtime == runtime)?;
                Some(entry.figure(name)?.median)
            };
            let ours = of(Runtime::Sward);
            let cell = |&runtime: &Runtime| match (of(runtime), ours) {
                (None, _) => "–".to_owned(),
                (Some(its), Some(ours)) if runtime != Runtime::Sward => {
                    format!("{} ({:.2})", short(its), ours / its)
                }
                (Some(value), _) => short(value),
            };
            let cells: Vec<_> = columns.iter().map(cell).collect();
            let (workload, workers) = (table.workload.name, table.workers);
            let cells = cells.join(" | ");
            let _ = writeln!(text, "| {workload} | {workers} | {name} | {cells} |");
        }
    }
}

fn section(text: &mut String, table: &Table) {
    let Workload {
        name,
        what,
        figures,
        ..
    } = table.workload;
    let workers = table.workers;
    let plural = if workers == 1 { "" } else { "s" };
    let _ = writeln!(text, "\n## {name}, {workers} worker{plural}\n\n{what}\n");
    let _ = writeln!(text, "| runtime | {} | sward / it |", figures.join(" | "));
    let _ = writeln!(text, "|---|{}---:|", "---:|".repeat(figures.len()));
    let score = |entry: &Entry| entry.figure(figures[0]).map(|figure| figure.median);
    let ours = table
        .entries
        .iter()
        .find(|entry| entry.runtime == Runtime::Sward)
        .and_then(score);
    for entry in table.entries.iter().filter(|entry| entry.goes_on()) {
        let cells: Vec<_> = figures
            .iter()
            .map(|name| cell(entry.figure(name)))
            .collect();
        let ratio = match (ours, score(entry)) {
            (Some(ours), Some(its)) if entry.runtime != Runtime::Sward => {
                format!("{:.2}", ours / its)
            }
            _ => String::new(),
        };
        let _ = writeln!(
            text,
            "| {} | {} | {ratio} |",
            entry.runtime.name(),
            cells.join(" | ")
        );
    }
    text.push('\n');
    for entry in &table.entries {
        if let Some(why) = entry.failure() {
            let _ = writeln!(text, "- {} failed: {why}", entry.runtime.name());
        } else if let Some(why) = &entry.skipped {
            let _ = writeln!(text, "- {} skipped: {why}", entry.runtime.name());
        }
    }
}

fn cell(figure: Option<Figure>) -> String {
    figure.map_or("–".to_owned(), |Figure { median, min, max }| {
        format!("{} ({} to {})", short(median), short(min), short(max))
    })
}

/// With three digits or so.
pub(crate) fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, Outcome};
    use crate::runtimes::Runtime;

    fn entry(values: &[f64]) -> Entry {
        let mut entry = Entry::new(Runtime::Sward, 1);
        entry.outcomes = values
            .iter()
            .map(|&value| Ok(Outcome::of("ns", value)))
            .collect();
        entry
    }

    #[test]
    fn the_median_and_the_spread() {
        let figure = entry(&[3.0, 1.0, 9.0]).figure("ns").unwrap();
        assert_eq!((figure.min, figure.median, figure.max), (1.0, 3.0, 9.0));
        assert_eq!(entry(&[1.0, 2.0]).figure("ns").unwrap().median, 1.5);
        assert!(entry(&[]).figure("ns").is_none());
        assert!(entry(&[1.0]).figure("ms").is_none());
    }

    #[test]
    fn one_failed_run_leaves_no_figures() {
        let mut entry = entry(&[1.0]);
        entry.outcomes.push(Err("it fell over".to_owned()));
        assert!(entry.figure("ns").is_none());
        assert_eq!(entry.failure(), Some("it fell over"));
    }
}
