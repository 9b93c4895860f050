#[sward::main]
struct Main;

fn main() {}
