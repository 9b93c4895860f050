// A type that is not named.
#![deny(warnings)]

use std::process::{ExitCode, Termination};

struct Fine;

impl Termination for Fine {
    fn report(self) -> ExitCode {
        ExitCode::SUCCESS
    }
}

#[sward::main]
fn main() -> impl Termination {
    Fine
}
