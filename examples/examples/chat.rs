//! Shows the core of a chat: rooms that are greenlets, members that join, speak and leave, and `select!` between what a room hears and
//! the end. A member that does not listen misses messages; nobody waits for it.

use std::collections::HashMap;
use std::sync::Arc;

use sward::channel::{Receiver, Sender, bounded, unbounded};
use sward::select;
use sward::sync::{Barrier, Event};

/// How many messages wait for a member at most.
const PATIENCE: usize = 64;

enum Said {
    Joins(&'static str, Sender<String>),
    Speaks(&'static str, String),
    Leaves(&'static str),
}

/// A room's greenlet: passes on what is said until the end. How many messages were passed on, and how many missed.
fn room(heard: &Receiver<Said>, end: &Event) -> (usize, usize) {
    let mut members: HashMap<&str, Sender<String>> = HashMap::new();
    let (mut passed, mut missed) = (0, 0);
    loop {
        let said = select! {
            said = heard.recv() => said,
            () = end.wait() => return (passed, missed),
        };
        match said {
            Ok(Said::Joins(name, sender)) => drop(members.insert(name, sender)),
            Ok(Said::Leaves(name)) => drop(members.remove(name)),
            Ok(Said::Speaks(name, text)) => {
                for (_, member) in members.iter().filter(|(other, _)| **other != name) {
                    match member.try_send(format!("{name}: {text}")) {
                        Ok(()) => passed += 1,
                        Err(_) => missed += 1,
                    }
                }
            }
            // Everybody who could say something is gone.
            Err(_) => return (passed, missed),
        }
    }
}

#[sward::main]
fn main() {
    const NAMES: [&str; 4] = ["Ada", "Bob", "Cleo", "Dan"];
    const LINES: usize = 10;
    let (say, heard) = unbounded();
    let end = Arc::new(Event::new());
    let host = {
        let end = end.clone();
        sward::go!(name = "room"; room(&heard, &end))
    };
    let all_there = Arc::new(Barrier::new(NAMES.len()));
    let members = NAMES.map(|name| {
        let (say, all_there) = (say.clone(), all_there.clone());
        sward::go!(name = name; {
            let (sender, messages) = bounded(PATIENCE);
            say.send(Said::Joins(name, sender)).ok();
            all_there.wait();
            for line in 0..LINES {
                say.send(Said::Speaks(name, format!("line {line}"))).ok();
            }
            let others = (NAMES.len() - 1) * LINES;
            let listened = messages.iter().take(others).count();
            say.send(Said::Leaves(name)).ok();
            listened
        })
    });
    for (name, member) in NAMES.iter().zip(members) {
        println!("{name} heard {} messages", member.join().unwrap());
    }
    end.set();
    let (passed, missed) = host.join().unwrap();
    println!("{passed} messages passed on, {missed} missed");
    assert_eq!(
        (passed, missed),
        (NAMES.len() * (NAMES.len() - 1) * LINES, 0)
    );
}
