#[sward::main(homes = "roaming")]
fn main() {}
