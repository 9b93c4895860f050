//! Shows channels between many greenlets: the sieve of primes, a greenlet for each prime, through which the numbers pass that it does
//! not divide. (Hoare's "Communicating Sequential Processes" has it; it is Go's first example of channels.)
//!
//! `sieve [N]` prints the first N primes, 100 by default.

use sward::channel::{Receiver, bounded};

/// Passes on what `prime` does not divide.
fn filter(numbers: Receiver<u32>, prime: u32) -> Receiver<u32> {
    let (sender, rest) = bounded(16);
    sward::go!({
        for number in numbers {
            // Nobody wants more of them once the sieve has ended.
            if number % prime != 0 && sender.send(number).is_err() {
                break;
            }
        }
    });
    rest
}

#[sward::main]
fn main() {
    let count = match std::env::args().nth(1).map(|argument| argument.parse()) {
        None => 100,
        Some(Ok(count)) => count,
        Some(Err(e)) => {
            eprintln!("sieve: how many primes? {e}");
            std::process::exit(2);
        }
    };
    let (sender, mut numbers) = bounded(16);
    sward::go!({
        let mut all = 2..;
        while all.next().is_some_and(|number| sender.send(number).is_ok()) {}
    });
    let mut primes = Vec::new();
    while primes.len() < count {
        let prime: u32 = numbers.recv().expect("there is always another prime");
        primes.push(prime.to_string());
        numbers = filter(numbers, prime);
    }
    println!("{}", primes.join(" "));
}
