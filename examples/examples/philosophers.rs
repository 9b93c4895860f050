//! Shows locks that are held while greenlets wait, and what is said when they are taken in an order that has a circle.
//!
//! Five philosophers need two forks each. First they take the one with the lower number first, and all get to eat. Then each takes the
//! left one first, when all are at the table: nobody gets a second one, and sward says on standard error who has and wants what.

use std::sync::Arc;
use std::time::Duration;

use sward::sync::{Condvar, Mutex};
use sward::{Builder, JoinHandle, Runtime};

const NAMES: [&str; 5] = ["Arendt", "Beauvoir", "Confucius", "Diotima", "Epicurus"];
const MEALS: u32 = 1000;

/// What lies between two philosophers: how often it was used.
struct Fork(u32);

type Table = Arc<[Mutex<Fork>; NAMES.len()]>;

fn laid() -> Table {
    Arc::new(std::array::from_fn(|_| Mutex::new(Fork(0))))
}

/// The meals of the philosopher with this number.
fn dine(table: &Table, number: usize) {
    let (left, right) = (number, (number + 1) % NAMES.len());
    for _ in 0..MEALS {
        let mut one = table[left.min(right)].lock().unwrap();
        let mut other = table[left.max(right)].lock().unwrap();
        (one.0, other.0) = (one.0 + 1, other.0 + 1);
        // Eating takes a while.
        sward::yield_now();
    }
}

/// Everybody takes the fork to the left, looks around whether all have, and reaches for the other one.
fn dine_badly(table: &Table, number: usize, seated: &(Mutex<usize>, Condvar)) {
    let _left = table[number].lock().unwrap();
    let (count, changed) = seated;
    let mut count = count.lock().unwrap();
    *count += 1;
    changed.notify_all();
    drop(
        changed
            .wait_while(count, |count| *count < NAMES.len())
            .unwrap(),
    );
    let _right = table[(number + 1) % NAMES.len()].lock().unwrap();
}

fn invite(runtime: &Runtime, dine: impl Fn(usize) + Clone + Send + 'static) -> Vec<JoinHandle<()>> {
    let seat = |(number, name): (usize, &&str)| {
        let dine = dine.clone();
        let builder = Builder::new().name(*name);
        builder
            .spawn_on(&runtime.handle(), move || dine(number))
            .unwrap()
    };
    NAMES.iter().enumerate().map(seat).collect()
}

fn main() -> std::io::Result<()> {
    let table = laid();
    let runtime = Runtime::builder().report_deadlocks(true).build()?;
    let theirs = table.clone();
    for philosopher in invite(&runtime, move |number| dine(&theirs, number)) {
        philosopher.join().unwrap();
    }
    let used: u32 = table.iter().map(|fork| fork.lock().unwrap().0).sum();
    println!("{used} forks were used in {} meals", used / 2);
    assert_eq!(used, 2 * MEALS * NAMES.len() as u32);

    let (table, seated) = (laid(), Arc::new((Mutex::new(0), Condvar::new())));
    let hungry = invite(&runtime, move |number| dine_badly(&table, number, &seated));
    for philosopher in hungry {
        let limit = Duration::from_millis(100);
        assert!(
            philosopher.join_timeout(limit).is_err(),
            "they cannot go on"
        );
    }
    println!("nobody eats");
    // They are given up with the runtime.
    let left = runtime.shutdown(Duration::ZERO).unwrap_err();
    println!("{left}");
    Ok(())
}
