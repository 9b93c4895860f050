//! Shows what it costs to hand something on: a ring of greenlets, in which one message goes round and round.
//!
//! `ring [GREENLETS [ROUNDS]]`, 1,000 greenlets and 1,000 rounds by default.

use std::time::Instant;

use sward::channel::bounded;

fn argument(at: usize, default: u32) -> u32 {
    match std::env::args().nth(at).map(|argument| argument.parse()) {
        None => default,
        Some(Ok(number)) if number > 0 => number,
        _ => {
            eprintln!("ring [GREENLETS [ROUNDS]]: numbers above 0");
            std::process::exit(2);
        }
    }
}

#[sward::main]
fn main() {
    let (greenlets, rounds) = (argument(1, 1_000), argument(2, 1_000));
    let (start, first) = bounded(1);
    let mut last = first;
    for _ in 0..greenlets {
        let (sender, next) = bounded(1);
        let from = last;
        sward::go!({
            // Each adds one, and the end of the channel goes round too.
            for hops in from {
                if sender.send(hops + 1).is_err() {
                    break;
                }
            }
        });
        last = next;
    }
    let begun = Instant::now();
    let mut hops = 0_u64;
    for _ in 0..rounds {
        start.send(hops).expect("the ring is closed");
        hops = last.recv().expect("the ring is closed");
    }
    let each = begun.elapsed() / u32::try_from(hops).unwrap_or(u32::MAX).max(1);
    println!("{hops} hops, {each:?} each");
    assert_eq!(hops, u64::from(greenlets) * u64::from(rounds));
}
