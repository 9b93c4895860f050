#[sward::main(flavor = "multi_thread", worker_threads = 4, workers = 2, nested(1))]
fn main() {}
