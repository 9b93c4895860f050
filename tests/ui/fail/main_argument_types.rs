#[sward::main(workers = "4", stack_size = 65536u64)]
fn main() {}
