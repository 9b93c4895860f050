// All arguments, which may be expressions.
#![deny(warnings)]

const KIB: usize = 1024;

fn workers() -> usize {
    2
}

#[sward::main(stack_size = 128 * KIB, workers = workers(), homes = "fixed",)]
fn main() {
    assert_eq!(sward::go!(1 + 1).join().unwrap(), 2);
}
