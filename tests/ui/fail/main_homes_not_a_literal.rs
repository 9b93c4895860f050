const HOMES: &str = "fixed";

#[sward::main(homes = HOMES)]
fn main() {}
