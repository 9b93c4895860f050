//! The stress program does what it says: its choices come again, and it finds what is wrong. `ci/stress.sh` runs it for long.

use std::process::Output;

use sward_tests::child::program;

/// Enough to find a mistake that is made in every round.
const ROUNDS: &str = "3";

/// As many seconds as a round that is good is not silent for.
const PATIENCE: &str = "--rounds 1 --patience 5";

/// Runs it with these arguments.
fn stress(arguments: &str) -> Output {
    let mut command = program(env!("CARGO_BIN_EXE_stress"));
    let output = command.args(arguments.split_whitespace()).output();
    output.expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What it says of the rounds' choices: all but what was measured.
fn choices(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{output:?}");
    let printed = text(&output.stdout);
    let lines = printed.lines().filter(|line| line.starts_with("round "));
    lines
        .map(|line| line.split(" -- ").next().unwrap_or(line).to_owned())
        .collect()
}

#[test]
fn a_seed_makes_the_same_choices_again() {
    let arguments = format!("--seed 7 --rounds {ROUNDS}");
    let first = choices(&stress(&arguments));
    assert_eq!(first.len(), 3);
    assert_eq!(choices(&stress(&arguments)), first);
    // One round of them alone, and another seed.
    assert_eq!(choices(&stress("--seed 7 --round 2")), first[2..]);
    assert_ne!(choices(&stress("--seed 8 --round 2")), first[2..]);
}

#[test]
fn without_a_seed_it_tells_its_own() {
    let output = stress("--rounds 1");
    let printed = text(&output.stdout);
    let seed = printed
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("seed "));
    let seed: u64 = seed.expect("it comes first").parse().expect("a number");
    let again = stress(&format!("--seed {seed} --round 0"));
    assert_eq!(choices(&output), choices(&again));
}

/// Runs it with a planted mistake, and checks that it is found and that enough is said of it. `said` are the ways to say
/// it: which greenlet makes the mistake is the schedule's choice, and not all of them are joined by somebody.
fn found(mistake: &str, more: &str, said: &[&str]) {
    let output = stress(&format!("--seed 7 {more} --sabotage {mistake}"));
    assert_eq!(output.status.code(), Some(1), "{mistake}: {output:?}");
    let (printed, errors) = (text(&output.stdout), text(&output.stderr));
    let said = said.iter().any(|said| errors.contains(said));
    assert!(said, "{mistake}: {errors}");
    assert!(errors.contains("of seed 7 failed: "), "{mistake}: {errors}");
    let again = format!("--sabotage {mistake} --times 100");
    assert!(errors.contains("-- --seed 7 --round "), "{errors}");
    assert!(errors.contains(&again), "{errors}");
    assert!(printed.ends_with(" rounds passed, 1 failed\n"), "{printed}");
}

#[test]
fn mistakes_are_found() {
    for (mistake, said) in [
        (
            "sum",
            &["the wrong value of", "sum of all greenlets: "] as &[&str],
        ),
        ("drop", &["values not dropped once each"]),
        ("panic", &["a greenlet that was not to panic"]),
        (
            "unheard",
            &["panics that nobody joined, and greenlets left at drops"],
        ),
        ("message", &["came back wrong"]),
        ("crash", &["the child ended with signal"]),
    ] {
        found(mistake, &format!("--rounds {ROUNDS}"), said);
    }
}

#[test]
fn growing_memory_is_found() {
    found(
        "memory",
        "--rounds 60 --workers 1 --homes fixed",
        &["the address space has grown"],
    );
}

#[test]
fn a_leaked_descriptor_is_dumped() {
    found("descriptor", PATIENCE, &["threads and descriptors"]);
}

#[test]
fn a_leaked_thread_is_dumped() {
    found("thread", PATIENCE, &["threads and descriptors"]);
}

#[test]
fn a_hang_is_dumped() {
    found("hang", PATIENCE, &["nothing went on for 5s"]);
}

#[test]
fn what_it_is_asked_wrongly_is_told() {
    for (arguments, said) in [
        (
            "--workers 0",
            "--workers must be a number, 1 to 64, but is \"0\"",
        ),
        ("--seed", "--seed needs a value"),
        ("--sead 7", "there is no option \"--sead\""),
    ] {
        let output = stress(arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let errors = text(&output.stderr);
        assert!(
            errors.contains(said) && errors.contains("usage: stress"),
            "{errors}"
        );
        assert!(output.stdout.is_empty());
    }
    assert!(stress("--help").status.success());
}
