// An exit code, under the user's own name for it.
#![deny(warnings)]

use std::process::ExitCode as Code;

#[sward::main]
fn main() -> Code {
    Code::SUCCESS
}
