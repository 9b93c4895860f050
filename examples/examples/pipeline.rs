//! Shows back-pressure: a fast source, a slow sink, and bounded channels between the stages. However fast the source is, no more than
//! the channels hold is under way, and each stage waits by parking.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use sward::channel::{Receiver, bounded};

/// How many lines there are.
const LINES: usize = 2_000;
/// How many lines a channel holds.
const ROOM: usize = 8;
/// Workers of the stage in the middle.
const PARSERS: usize = 4;

/// Three stages: lines, numbers, and their sum.
fn lines(under_way: Arc<AtomicUsize>) -> Receiver<String> {
    let (sender, lines) = bounded(ROOM);
    sward::go!({
        for number in 0..LINES {
            under_way.fetch_add(1, SeqCst);
            sender
                .send(format!("line {number}"))
                .expect("the parsers are there");
        }
    });
    lines
}

fn numbers(lines: Receiver<String>) -> Receiver<usize> {
    let (sender, numbers) = bounded(ROOM);
    for _ in 0..PARSERS {
        let (lines, sender) = (lines.clone(), sender.clone());
        sward::go!({
            for line in lines {
                let number = line.trim_start_matches("line ").parse();
                sender
                    .send(number.expect("a number"))
                    .expect("the sink is there");
            }
        });
    }
    numbers
}

#[sward::main]
fn main() {
    let under_way = Arc::new(AtomicUsize::new(0));
    let (mut sum, mut count, mut most) = (0, 0, 0);
    for number in numbers(lines(under_way.clone())) {
        most = most.max(under_way.fetch_sub(1, SeqCst));
        sum += number;
        count += 1;
        // It is slow, now and then.
        if count % 100 == 0 {
            sward::sleep(Duration::from_millis(1));
        }
    }
    println!("{count} lines, sum {sum}, {most} under way at most");
    assert_eq!((count, sum), (LINES, LINES * (LINES - 1) / 2));
    // Two channels, one line in the hands of each parser and of the source, one of the sink.
    assert!(
        most <= 2 * ROOM + PARSERS + 2,
        "no back-pressure: {most} lines under way"
    );
}
