#[sward::main(workers = 2, homes = "fixed", workers = 4)]
fn main() {}
