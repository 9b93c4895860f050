//! One picture a table: the score of each runtime as a bar, with its spread.

use plotters::prelude::*;

use crate::cli::Plan;
use crate::report::{Table, short};
use crate::runtimes::Runtime;

const WIDTH: i32 = 720;
const ROW: i32 = 30;
const TOP: i32 = 50;
const LEFT: i32 = 110;
const BAR: i32 = 440;
const OURS: RGBColor = RGBColor(46, 125, 50);
const PEER: RGBColor = RGBColor(120, 144, 156);

/// Writes `WORKLOAD-WORKERS.svg` for each table with figures.
pub(crate) fn write(plan: &Plan, tables: &[Table]) -> Result<(), String> {
    for table in tables {
        let path = plan
            .out
            .join(format!("{}-w{}.svg", table.workload.name, table.workers));
        draw(&path, table).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(())
}

fn draw(path: &std::path::Path, table: &Table) -> Result<(), Box<dyn std::error::Error>> {
    let unit = table.workload.figures[0];
    let scored = |entry: &crate::report::Entry| Some((entry.runtime, entry.figure(unit)?));
    let mut scores: Vec<_> = table.entries.iter().filter_map(scored).collect();
    scores.sort_by(|(_, a), (_, b)| a.median.total_cmp(&b.median));
    let Some(most) = scores
        .iter()
        .map(|(_, figure)| figure.max)
        .max_by(f64::total_cmp)
    else {
        return Ok(());
    };
    let height = TOP + ROW * scores.len() as i32 + 10;
    let root = SVGBackend::new(path, (WIDTH as u32, height as u32)).into_drawing_area();
    root.fill(&WHITE)?;
    let title = format!(
        "{}, workers: {} ({unit}, less is better)",
        table.workload.name, table.workers
    );
    root.draw(&Text::new(title, (10, 14), ("sans-serif", 18)))?;
    let x = |value: f64| LEFT + (value / most.max(f64::MIN_POSITIVE) * f64::from(BAR)) as i32;
    for (i, (runtime, figure)) in scores.iter().enumerate() {
        let y = TOP + ROW * i as i32;
        let colour = if *runtime == Runtime::Sward {
            OURS
        } else {
            PEER
        };
        let end = x(figure.median).max(LEFT + 1);
        root.draw(&Text::new(runtime.name(), (10, y + 4), ("sans-serif", 15)))?;
        root.draw(&Rectangle::new(
            [(LEFT, y), (end, y + ROW - 8)],
            colour.filled(),
        ))?;
        let middle = y + (ROW - 8) / 2;
        root.draw(&PathElement::new(
            vec![(x(figure.min), middle), (x(figure.max), middle)],
            BLACK,
        ))?;
        let beside = x(figure.max).max(end) + 8;
        root.draw(&Text::new(
            short(figure.median),
            (beside, y + 4),
            ("sans-serif", 15),
        ))?;
    }
    root.present()?;
    Ok(())
}
