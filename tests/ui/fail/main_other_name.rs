#[sward::main]
fn start() {}

fn main() {}
