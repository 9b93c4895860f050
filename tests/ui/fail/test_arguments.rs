#[sward::test(worker = 2)]
fn unknown() {}

#[sward::test(workers = 2, workers = 2)]
fn doubled() {}

#[sward::test(workers = 0, homes = "none")]
fn wrong() {}

fn main() {}
