#[sward::main]
#[sward::main]
fn main() {}
