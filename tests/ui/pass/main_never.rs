// A `main` that never returns.
#![deny(warnings)]

#[sward::main]
fn main() -> ! {
    std::process::exit(0)
}
