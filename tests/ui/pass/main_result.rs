// A result that is not `Send`, with `?` and an early return.
#![deny(warnings)]

use std::error::Error;

#[sward::main]
fn main() -> Result<(), Box<dyn Error>> {
    let seven: u32 = sward::go!("7".parse()).join()??;
    if seven == 7 {
        return Ok(());
    }
    Err("not seven".into())
}
