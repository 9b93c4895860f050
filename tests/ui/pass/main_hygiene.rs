// Nothing that a user may name disturbs what `#[sward::main]` expands to, and what it adds hides nothing.
#![no_implicit_prelude]
#![deny(warnings)]
#![allow(dead_code)]

mod std {}

mod core {}

struct Option;
struct Some;
struct None;
struct ExitCode;
struct Config;

fn body() -> u8 {
    1
}

fn run() -> u8 {
    2
}

#[::sward::main(workers = 1)]
fn main() {
    // Were it run by a function of these names, this would call that.
    ::std::assert_eq!(body() + run(), 3);
}
