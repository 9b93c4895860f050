fn work(x: String) {
    drop(x);
}

fn main() {
    let x = String::new();
    // Each wrong option is reported, the rest is still checked, and `x` counts as used.
    sward::go!(nmae = "conn", stack_size = 64 * 1024, stack = 5; work(x))
        .join()
        .unwrap();
}
